/**
 * A whole installation on this machine: servers, schema, worker, web and, where asked for, the stand-ins. `up`, the demo,
 * tests and benches start the same thing under different purposes, so each has data, ports and names of its own.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { namespaceOf, readConfig, withSecrets } from '../config.ts';
import { openDatabase } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { freePort, isPortFree, pause } from '../runtime/processes.ts';
import { readyNamespace } from '../runtime/temporal.ts';
import { startServices, type Services } from '../runtime/services.ts';
import { endLeftovers, supervise, type Supervised } from '../runtime/supervisor.ts';
import { environmentOfActual, environmentOfExercises } from './live-environment.ts';

export const ENTRY = fileURLToPath(new URL('./fenghuo.mjs', import.meta.url));
const WATCH_EVERY_MS = 1_000;
const KEPT_PORT_MS = 5_000;
const KEPT_PORT_LOOK_MS = 50;
/** Under this name the port of the web process for actual warnings is kept, since links that were sent lead to it. */
const ACTUAL_PORT = 'actualWebPort';
/**
 * Room for young objects: MiB of one semi-space, of which V8 may keep three for each heap. Under a flood of answers a thousand
 * requests are under way; in Node's 16 MiB they were copied again and again, for nearly half of the web process's time (ADR 0016).
 */
export const ROOM_IN_WEB = { NODE_OPTIONS: '--max-semi-space-size=32' };

export type Installation = {
  services: Services;
  /** The variables by which every process and command of this installation is configured. */
  environment: Record<string, string>;
  workers: Supervised[];
  web: Supervised;
  /** What serves actual warnings beside it, where live senders are configured. */
  actual: Actual | null;
  watchdog: Supervised | null;
  /** Conducts what schedules of drills ask for. */
  drillServer: Supervised | null;
  sandbox: Supervised | null;
  /** Where the stand-ins keep what they received. */
  ledgerDirectory: string;
  stop(): Promise<void>;
};

/** Processes of their own, with an environment of their own. */
export type Actual = { environment: Record<string, string>; worker: Supervised; web: Supervised };

export type InstallationInput = {
  purpose: string;
  /** Stand-ins for every channel, with people who answer. */
  sandbox: boolean;
  log: (line: string) => void;
  env?: NodeJS.ProcessEnv;
  /** @default 1 */
  workers?: number;
  /** The live senders' variables, as `readLiveFile` gives them. @default null, Exercises alone */
  live?: Record<string, string> | null;
  /** @default 'fenghuo' */
  schema?: string;
  /** Variables for the stand-ins: faults, seed, model. */
  sandboxEnvironment?: Record<string, string>;
  /** Temporal's own web pages. @default false */
  ui?: boolean;
  /** A watchdog beside it all. @default false */
  watchdog?: boolean;
  /** Whoever conducts what schedules of drills ask for. @default false */
  drillServer?: boolean;
  /** The Temporal server of our own: on a file, or on the same PostgreSQL as in production. @default 'dev' */
  temporal?: 'dev' | 'postgres';
};

/** Starts everything and waits until it serves. What was started is stopped again where a part of it fails. */
export async function startInstallation(input: InstallationInput): Promise<Installation> {
  const live = input.live ?? null;
  const env = withSecrets(environmentOfExercises(input.env ?? process.env, live));
  const services = await startServices({
    purpose: input.purpose,
    log: input.log,
    env,
    ui: input.ui ?? false,
    temporal: input.temporal ?? 'dev',
  });
  const started: Supervised[] = [];
  const recordsDirectory = join(services.dataDirectory, 'processes');
  try {
    // Before ports are chosen: a web process that was left behind holds the port that links already sent lead to.
    await endLeftovers(recordsDirectory, input.log);
    const environment = await prepareEnvironment({ ...input, env }, services);
    const ledgerDirectory = environment['FENGHUO_LEDGER_DIR'] ?? '';
    await applyMigrations(environment, input.log);
    const run = (
      name: string,
      args: string[],
      extra: Record<string, string> = {},
      base: Record<string, string> = { ...env, ...environment },
    ) => {
      const process = supervise({
        name,
        file: ENTRY,
        args,
        env: { ...base, ...extra },
        logFile: join(services.dataDirectory, 'logs', `${name}.log`),
        recordsDirectory,
        log: input.log,
      });
      started.push(process);
      return process;
    };
    input.log('Starting web, worker and stand-ins …');
    const sandbox = input.sandbox ? run('sandbox', ['sandbox'], input.sandboxEnvironment ?? {}) : null;
    const room = { NODE_OPTIONS: `${env['NODE_OPTIONS'] ?? ''} ${ROOM_IN_WEB.NODE_OPTIONS}`.trim() };
    const web = run('web', ['web', '--kind', 'exercise'], room);
    const workers = Array.from({ length: input.workers ?? 1 }, (_, index) =>
      run(`worker-${index + 1}`, ['worker', '--kind', 'exercise']),
    );
    const ofActual = live ? await prepareActual({ env, environment, live, services }) : null;
    const actual = ofActual && {
      environment: ofActual,
      web: run('web-actual', ['web', '--kind', 'actual'], room, ofActual),
      worker: run('worker-actual', ['worker', '--kind', 'actual'], {}, ofActual),
    };
    // It begins with the others: what never comes up is the first trouble it can see.
    // It shouts to people on duty: by the live mail server, where there is one.
    const watchdog = input.watchdog ? run('watchdog', ['watchdog'], {}, ofActual ?? undefined) : null;
    const drillServer = input.drillServer ? run('drill-serve', ['drill', 'serve']) : null;
    await Promise.all(started.map((process) => process.ready()));
    writeEnvironment(services.dataDirectory, {
      ...environment,
      ...(ofActual && { [ACTUAL_PORT]: ofActual['FENGHUO_WEB_PORT'] ?? '' }),
    });
    const watch = watchServices(services, input.log);
    const stop = async () => {
      clearInterval(watch);
      // What it conducts stands still then, and goes on with the next one.
      await Promise.all([watchdog?.stop(), drillServer?.stop()]);
      await Promise.all([...workers, ...(actual ? [actual.worker] : [])].map((worker) => worker.stop()));
      await Promise.all([web.stop(), actual?.web.stop(), sandbox?.stop()]);
      await services.stop();
    };
    return {
      ...{ services, environment, workers, web, actual, watchdog, drillServer, sandbox },
      ...{ ledgerDirectory, stop },
    };
  } catch (error) {
    await Promise.all(started.map((process) => process.stop()));
    await services.stop();
    throw error;
  }
}

/** A server that dies is started again on its port and its data. */
function watchServices(services: Services, log: (line: string) => void): NodeJS.Timeout {
  const busy = new Set<string>();
  const said = new Map<string, string>();
  // Tried every second, told once: a full disk fills no terminal.
  const tell = (name: string, line: string) => {
    if (said.get(name) !== line) log(line);
    said.set(name, line);
  };
  return setInterval(() => {
    for (const name of ['postgres', 'temporal'] as const) {
      const service = services[name];
      if (service.alive() || busy.has(name)) continue;
      busy.add(name);
      if (!said.has(name)) log(`${name} has died; it is started again.`);
      void service
        .restart()
        .then(
          () => said.delete(name),
          (error: unknown) => tell(name, `${name} could not be started again: ${String(error)}`),
        )
        .finally(() => busy.delete(name));
    }
  }, WATCH_EVERY_MS);
}

async function prepareEnvironment(
  input: InstallationInput,
  services: Services,
): Promise<Record<string, string>> {
  const env = input.env ?? process.env;
  const kept = readEnvironment(services.dataDirectory);
  const directory = services.dataDirectory;
  mkdirSync(join(directory, 'logs'), { recursive: true });
  const webPort = await keptPort(kept['FENGHUO_PUBLIC_URL']);
  const environment: Record<string, string> = {
    DATABASE_URL: services.postgres.url,
    FENGHUO_SCHEMA: input.schema ?? 'fenghuo',
    TEMPORAL_ADDRESS: services.temporal.address,
    TEMPORAL_NAMESPACE: services.temporal.namespace,
    FENGHUO_SECRET: env['FENGHUO_SECRET'] ?? kept['FENGHUO_SECRET'] ?? randomBytes(32).toString('hex'),
    FENGHUO_PUBLIC_URL: env['FENGHUO_PUBLIC_URL'] ?? `http://127.0.0.1:${webPort}`,
    FENGHUO_WEB_PORT: env['FENGHUO_WEB_PORT'] ?? String(webPort),
    // One address cannot serve several processes.
    FENGHUO_METRICS_ADDRESS: '',
  };
  if (!input.sandbox) return environment;
  return {
    ...environment,
    ...(await standInVariables(kept, join(directory, `ledger-${input.schema ?? 'fenghuo'}`))),
  };
}

/** Stand-ins for every channel: ports and secrets of an earlier run where they are known, else new ones. */
export async function standInVariables(
  kept: Readonly<Record<string, string>>,
  ledgerDirectory: string,
): Promise<Record<string, string>> {
  const smtpPort = await keptPort(kept['FENGHUO_SMTP_URL']);
  const gatewayPort = await keptPort(kept['FENGHUO_GATEWAY_URL']);
  // Calls, loudspeakers, the work chat and push: one stand-in is all of them.
  const standIns = `http://127.0.0.1:${await keptPort(kept['FENGHUO_VOICE_GATEWAY_URL'])}`;
  const secret = (name: string) => kept[name] ?? randomBytes(24).toString('hex');
  const twilioPort = await keptPort(kept['FENGHUO_TWILIO_API_URL']);
  return {
    FENGHUO_CHANNELS: 'sandbox',
    FENGHUO_SMTP_URL: `smtp://127.0.0.1:${smtpPort}`,
    FENGHUO_GATEWAY_URL: `http://127.0.0.1:${gatewayPort}`,
    FENGHUO_GATEWAY_SECRET: secret('FENGHUO_GATEWAY_SECRET'),
    FENGHUO_VOICE_GATEWAY_URL: standIns,
    FENGHUO_VOICE_GATEWAY_SECRET: secret('FENGHUO_VOICE_GATEWAY_SECRET'),
    FENGHUO_LOUDSPEAKER_URL: standIns,
    FENGHUO_LOUDSPEAKER_SECRET: secret('FENGHUO_LOUDSPEAKER_SECRET'),
    FENGHUO_CHAT_ROBOT_URL: `${standIns}/robot/send?access_token=sandbox`,
    FENGHUO_CHAT_ROBOT_SECRET: secret('FENGHUO_CHAT_ROBOT_SECRET'),
    FENGHUO_NTFY_URL: standIns,
    FENGHUO_NTFY_TOKEN: secret('FENGHUO_NTFY_TOKEN'),
    FENGHUO_TWILIO_API_URL: `http://127.0.0.1:${twilioPort}`,
    FENGHUO_TWILIO_ACCOUNT_SID: kept['FENGHUO_TWILIO_ACCOUNT_SID'] ?? `AC${randomBytes(16).toString('hex')}`,
    FENGHUO_TWILIO_AUTH_TOKEN: kept['FENGHUO_TWILIO_AUTH_TOKEN'] ?? randomBytes(16).toString('hex'),
    // Twilio's magic number that is always valid.
    FENGHUO_TWILIO_FROM: '+15005550006',
    FENGHUO_LEDGER_DIR: ledgerDirectory,
  };
}

/** What serves actual warnings: the same database and Temporal, a namespace of its own, and of senders only the live ones. */
async function prepareActual(input: {
  env: Record<string, string>;
  environment: Record<string, string>;
  live: Record<string, string>;
  services: Services;
}): Promise<Record<string, string>> {
  const { services, live } = input;
  const kept = readEnvironment(services.dataDirectory)[ACTUAL_PORT];
  const port = live['FENGHUO_WEB_PORT'] ?? (await keptPort(kept && `http://127.0.0.1:${kept}`));
  const environment = environmentOfActual(
    { ...input.env, ...input.environment },
    {
      FENGHUO_PUBLIC_URL: `http://127.0.0.1:${port}`,
      ...live,
      FENGHUO_WEB_PORT: String(port),
    },
  );
  await readyNamespace(services.temporal.connection, namespaceOf(readConfig(environment), 'actual'));
  return environment;
}

/** The port of an earlier run, to which links that were sent lead: who held it may still be letting go. Else any free one. */
export async function keptPort(url: string | undefined): Promise<number> {
  const port = url === undefined ? NaN : Number(new URL(url).port);
  if (!Number.isInteger(port) || port <= 0) return freePort();
  const until = Date.now() + KEPT_PORT_MS;
  while (!(await isPortFree(port)) && Date.now() < until) await pause(KEPT_PORT_LOOK_MS);
  return freePort({ preferred: port });
}

async function applyMigrations(
  environment: Record<string, string>,
  log: (line: string) => void,
): Promise<void> {
  const database = openDatabase({
    url: environment['DATABASE_URL'] ?? '',
    schema: environment['FENGHUO_SCHEMA'] ?? '',
    asOwner: true,
  });
  try {
    await migrate(database, log);
  } finally {
    await database.close();
  }
}

/** Where commands of the same clone find the running installation. */
function environmentFile(directory: string): string {
  return join(directory, 'environment.json');
}

/** The variables of an installation that runs or ran here; empty where none did. */
export function readEnvironment(directory: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(environmentFile(directory), 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

/** Holds secrets: for its owner alone, and written whole or not at all. */
export function writeEnvironment(directory: string, environment: Record<string, string>): void {
  const file = environmentFile(directory);
  writeFileSync(`${file}.new`, JSON.stringify(environment, null, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
