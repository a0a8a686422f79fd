/** Worker, web and stand-ins in this process, on the suite's PostgreSQL and Temporal, in a schema of their own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig, type Config } from '../../config.ts';
import type { Database } from '../../db/database.ts';
import { judge, type Invariant } from '../../operations/referee.ts';
import { viewWarning, type WarningView } from '../../operations/warnings.ts';
import { freePort, waitUntil } from '../../runtime/processes.ts';
import { readLedger, type LedgerSummary } from '../../sandbox/ledger.ts';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../sandbox/sandbox.ts';
import { startWeb, type RunningWeb } from '../../web/server.ts';
import { answerKeys } from '../../worker/channels.ts';
import { createDoors } from '../../worker/doors.ts';
import { bindToKind } from '../../worker/wall.ts';
import { startWorker, type RunningWorker } from '../../worker/worker.ts';
import { testDatabase } from '../database.ts';

export const TWILIO = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'a token of the tests' };

export type Stack = {
  database: Database;
  config: Config;
  sandbox: Sandbox;
  web: RunningWeb;
  startWorker(): Promise<RunningWorker>;
  ledger(warningId: number): Promise<LedgerSummary>;
  judge(warningId: number): Promise<Invariant[]>;
  /** Waits for a condition on how a warning stands. */
  until(
    warningId: number,
    what: string,
    condition: (view: WarningView) => boolean,
    deadlineMs?: number,
  ): Promise<WarningView>;
  stop(): Promise<void>;
};

/** Starts all but the worker. `name` is the test file's. */
export async function startStack(
  name: string,
  options: Pick<SandboxOptions, 'faults' | 'model'> & {
    maxCachedWorkflows?: number;
    /** Nobody has configured a channel. */
    withoutChannels?: boolean;
    /** SMS and calls go by Twilio alone. */
    twilio?: boolean;
    /** Calls go by the voice gateway. */
    voiceGateway?: boolean;
    /** Beside it loudspeakers, a robot of a work chat, and ntfy. */
    allHttp?: boolean;
    /** Further variables of the configuration. */
    variables?: Record<string, string>;
    /** Fills the database before the stand-ins begin, and says what they need of it. */
    prepare?: (database: Database, directory: string) => Promise<Pick<SandboxOptions, 'cast'>>;
  } = {},
): Promise<Stack> {
  const database = await testDatabase(name);
  const directory = await mkdtemp(join(tmpdir(), `fenghuo-${name}-`));
  const log = () => undefined;
  const secret = 'a gateway secret of the tests';
  const webPort = await freePort();
  const publicUrl = `http://127.0.0.1:${webPort}`;
  const prepared = await options.prepare?.(database, directory);
  const sandbox = await startSandbox({
    ...prepared,
    directory,
    repliesUrl: `${publicUrl}/gateway/replies`,
    secret,
    seed: name,
    log,
    ...(options.twilio
      ? { twilio: { ...TWILIO, inboundUrl: `${publicUrl}/twilio/inbound#rc=4&rp=ct,rt,5xx`, port: 0 } }
      : {}),
    ...(options.voiceGateway || options.allHttp
      ? {
          http: {
            port: 0,
            secrets: { voice: secret, loudspeaker: secret, robot: secret, ntfyToken: secret },
          },
        }
      : {}),
    ...(options.faults ? { faults: options.faults } : {}),
    ...(options.model ? { model: options.model } : {}),
  });
  const config = readConfig({
    ...process.env,
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_WEB_PORT: String(webPort),
    FENGHUO_PUBLIC_URL: publicUrl,
    ...(options.withoutChannels
      ? {}
      : {
          FENGHUO_SMTP_URL: sandbox.smtpUrl,
          ...(options.twilio ? {} : { FENGHUO_GATEWAY_URL: sandbox.gatewayUrl }),
        }),
    ...(sandbox.twilio
      ? {
          FENGHUO_TWILIO_ACCOUNT_SID: TWILIO.accountSid,
          FENGHUO_TWILIO_AUTH_TOKEN: TWILIO.authToken,
          FENGHUO_TWILIO_FROM: '+15005550006',
          FENGHUO_TWILIO_API_URL: sandbox.twilio.url,
        }
      : {}),
    ...(sandbox.httpUrl === null
      ? {}
      : { FENGHUO_VOICE_GATEWAY_URL: sandbox.httpUrl, FENGHUO_VOICE_GATEWAY_SECRET: secret }),
    ...(options.allHttp && sandbox.httpUrl
      ? {
          FENGHUO_LOUDSPEAKER_URL: sandbox.httpUrl,
          FENGHUO_LOUDSPEAKER_SECRET: secret,
          FENGHUO_CHAT_ROBOT_URL: `${sandbox.httpUrl}/robot/send?access_token=t`,
          FENGHUO_CHAT_ROBOT_SECRET: secret,
          FENGHUO_NTFY_URL: sandbox.httpUrl,
          FENGHUO_NTFY_TOKEN: secret,
        }
      : {}),
    FENGHUO_GATEWAY_SECRET: secret,
    ...options.variables,
  });
  const doors = createDoors(await bindToKind(config, database));
  const web = await startWeb({ config, keys: answerKeys(config), log, ...doors });
  const workers: RunningWorker[] = [];
  return {
    database,
    config,
    sandbox,
    web,
    async startWorker() {
      const worker = await startWorker({
        config,
        log,
        ...(options.maxCachedWorkflows === undefined
          ? {}
          : { maxCachedWorkflows: options.maxCachedWorkflows }),
      });
      workers.push(worker);
      return worker;
    },
    ledger: (warningId) => readLedger(directory, { warningId: String(warningId) }),
    judge: async (warningId) =>
      judge(database, warningId, await readLedger(directory, { warningId: String(warningId) })),
    until: (warningId, what, condition, deadlineMs = 120_000) =>
      waitUntil(
        async () => {
          const view = await viewWarning(database, warningId);
          return condition(view) ? view : null;
        },
        { deadlineMs, what },
      ),
    async stop() {
      for (const worker of workers) await worker.stop();
      await web.stop();
      await doors.close();
      await sandbox.stop();
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** For an assertion that shows what broke. */
export function broken(invariants: readonly Invariant[]): Invariant[] {
  return invariants.filter((invariant) => !invariant.holds);
}
