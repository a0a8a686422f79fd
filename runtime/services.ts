// The two servers everything else needs, PostgreSQL and Temporal: found or started for one clone and purpose,
// owned by one process at a time, found again after a kill -9 of their owner.
import { RuntimeError, InstanceBusy } from './errors.ts';
import { tryLock } from './lock.ts';
import { filled, instanceOf, makeDirectory } from './places.ts';
import { clusterUrl, ensureCluster, externalPostgres, postgresPlan } from './postgres.ts';
import { findPostgres } from './postgres-binaries.ts';
import { ownIdentity } from './processes.ts';
import { runServer } from './server.ts';
import { ownerLock, readState, writeState } from './state.ts';
import { externalTemporal, ownNamespace, temporalPlan, temporalTarget, uiPort } from './temporal.ts';
import { findTemporal } from './temporal-binary.ts';
import { ensureTemporalDatabases } from './temporal-databases.ts';
import { temporalOnPostgresPlan } from './temporal-on-postgres.ts';
import { findTemporalServer } from './temporal-server-binary.ts';
import type { ConnectionOptions } from '@temporalio/client';
import type { Lock } from './lock.ts';
import type { Instance } from './places.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { RunningServer } from './server.ts';
import type { InstanceState } from './state.ts';

/** One server. `pid` is null when it is not ours or does not live. */
export type Service = {
  readonly pid: number | null;
  /** Whether the process lives; always true of a server that is not ours. */
  alive: () => boolean;
  /** Starts it again on the same port and the same data, after a death or instead of a living one. */
  restart: () => Promise<void>;
};

/** The servers of one instance, ready for use. */
export type Services = {
  /** `url` holds the password: never log it. */
  postgres: Service & { url: string; version: string; source: 'DATABASE_URL' | PostgresBinaries['source'] };
  temporal: Service & {
    address: string;
    namespace: string;
    version: string;
    /** Where its data is: `SQLite file`, `PostgreSQL` or `external`. */
    store: string;
    /** Where the server came from: `TEMPORAL_ADDRESS`, `temporal.toml`, `PATH`, `cache`, `SDK download` or `go install`. */
    source: string;
    /** All that a client needs, TLS and API key of an outside server included. */
    connection: ConnectionOptions & { address: string };
    /** Temporal's own web pages, if asked for. */
    uiUrl: string | null;
  };
  /** The instance's directory: servers' data, logs, `state.json`. */
  dataDirectory: string;
  /** Stops what this call started or adopted and gives the instance back; outside servers are left alone. Safe to call twice. */
  stop: () => Promise<void>;
};

/**
 * What to start. `root` is the clone (default: this one); `ui` adds Temporal's web pages. `temporal` chooses the server of our
 * own: the dev server on a file (default), or the production server on the same PostgreSQL, which has no web pages.
 */
export type StartInput = {
  purpose: string;
  log: (line: string) => void;
  env?: NodeJS.ProcessEnv;
  root?: string;
  ui?: boolean;
  temporal?: 'dev' | 'postgres';
};

type Step = StartInput & { env: NodeJS.ProcessEnv; instance: Instance; memory: Memory };
type Memory = { state: InstanceState; change(part: Partial<InstanceState>): void };
type Started<T> = { service: T; stop: () => Promise<void> };

/**
 * Finds or starts PostgreSQL and Temporal for this clone and purpose and waits until both answer.
 * Returns with both or throws with neither left running by this call.
 * @throws InstanceBusy if another living process owns the instance
 * @throws RuntimeError with a sentence that names every way out
 */
export async function startServices(input: StartInput): Promise<Services> {
  const env = input.env ?? process.env;
  const instance = instanceOf({
    purpose: input.purpose,
    env,
    ...(input.root === undefined ? {} : { root: input.root }),
  });
  makeDirectory(instance.directory);
  const lock = takeOwnership(instance);
  try {
    const step: Step = { ...input, env, instance, memory: remember(instance) };
    return await startBoth(step, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startBoth(step: Step, lock: Lock): Promise<Services> {
  // What may take minutes or fail for want of a program comes first, so that nothing has to be stopped for it.
  const launchPostgres = await preparePostgres(step);
  const launchTemporal = await prepareTemporal(step);
  const postgresStarted = launchPostgres();
  const [postgres, temporal] = await Promise.allSettled([postgresStarted, launchTemporal(postgresStarted)]);
  const started = [temporal, postgres].flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const stop = once(async () => stopAll(started, step.memory, lock));
  if (postgres.status === 'rejected' || temporal.status === 'rejected') {
    await stop();
    throw postgres.status === 'rejected' ? postgres.reason : (temporal as PromiseRejectedResult).reason;
  }
  return {
    postgres: postgres.value.service,
    temporal: temporal.value.service,
    dataDirectory: step.instance.directory,
    stop,
  };
}

function takeOwnership(instance: Instance): Lock {
  const outcome = tryLock(ownerLock(instance));
  if ('lock' in outcome) return outcome.lock;
  throw new InstanceBusy({
    purpose: instance.purpose,
    ownerPid: outcome.holder.pid,
    directory: instance.directory,
  });
}

function remember(instance: Instance): Memory {
  const memory: Memory = {
    state: { ...readState(instance), owner: ownIdentity() },
    change: (part) => {
      memory.state = { ...memory.state, ...part };
      writeState(instance, memory.state);
    },
  };
  memory.change({});
  return memory;
}

/**
 * Every server is tried, whatever becomes of the others; the instance is given back in any case. One after the other: Temporal
 * may lie on the PostgreSQL that stops after it.
 */
async function stopAll(started: { stop(): Promise<void> }[], memory: Memory, lock: Lock): Promise<void> {
  const failures: unknown[] = [];
  for (const one of started) await one.stop().catch((error: unknown) => failures.push(error));
  memory.change({ owner: null });
  lock.release();
  if (failures.length > 0) throw failures[0];
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return async () => (running ??= work());
}

type Launch<T> = () => Promise<Started<T>>;

async function preparePostgres(step: Step): Promise<Launch<Services['postgres']>> {
  const { env, instance, log, memory } = step;
  if (filled(env.DATABASE_URL)) {
    const { url, version } = await externalPostgres({ instance, url: env.DATABASE_URL });
    return external({ url, version, source: 'DATABASE_URL', ...notOurs('PostgreSQL', 'DATABASE_URL') });
  }
  const binaries = await findPostgres({ instance, env, log });
  return async () => {
    const cluster = await ensureCluster({ instance, binaries, log });
    const server = await runServer(
      postgresPlan({ instance, binaries, cluster }),
      { recorded: memory.state.postgres, record: (postgres) => memory.change({ postgres }) },
      log,
    );
    const facts = {
      url: clusterUrl(cluster, server.port),
      version: binaries.version,
      source: binaries.source,
    };
    return { service: serviceOf(server, facts), stop: server.stop };
  };
}

type LaunchTemporal = (
  postgres: Promise<Started<Services['postgres']>>,
) => Promise<Started<Services['temporal']>>;

async function prepareTemporal(step: Step): Promise<LaunchTemporal> {
  const { env, instance, log, memory } = step;
  const target = temporalTarget(env);
  if (target !== null) {
    const { namespace, version } = await externalTemporal({ instance, target });
    const { connection, source } = target;
    const facts = {
      address: connection.address,
      namespace,
      version,
      store: 'external',
      source,
      connection,
      uiUrl: null,
    };
    return external({ ...facts, ...notOurs('Temporal', source) });
  }
  if (step.temporal === 'postgres') return await prepareTemporalOnPostgres(step);
  const binary = await findTemporal({ instance, env, log });
  return async () => {
    const server = await runServer(
      temporalPlan({ instance, binary, ui: step.ui === true }),
      { recorded: memory.state.temporal, record: (temporal) => memory.change({ temporal }) },
      log,
    );
    const address = `127.0.0.1:${server.port}`;
    const facts = {
      ...{ address, namespace: ownNamespace(instance), version: binary.version, store: 'SQLite file' },
      ...{ source: binary.source, connection: { address } },
      uiUrl: step.ui === true ? `http://127.0.0.1:${uiPort(server.port)}` : null,
    };
    return { service: serviceOf(server, facts), stop: server.stop };
  };
}

async function prepareTemporalOnPostgres(step: Step): Promise<LaunchTemporal> {
  const { env, instance, log, memory } = step;
  const programs = await findTemporalServer({ instance, env, log });
  return async (postgres) => {
    const { url } = (await postgres).service;
    await ensureTemporalDatabases({ url, programs });
    const server = await runServer(
      temporalOnPostgresPlan({ instance, programs, url }),
      { recorded: memory.state.temporal, record: (temporal) => memory.change({ temporal }) },
      log,
    );
    const address = `127.0.0.1:${server.port}`;
    const facts = {
      ...{ address, namespace: ownNamespace(instance), version: programs.version, store: 'PostgreSQL' },
      ...{ source: programs.source, connection: { address }, uiUrl: null },
    };
    return { service: serviceOf(server, facts), stop: server.stop };
  };
}

function serviceOf<Facts extends object>(server: RunningServer, facts: Facts): Service & Facts {
  return {
    ...facts,
    get pid() {
      return server.pid;
    },
    alive: server.alive,
    restart: server.restart,
  };
}

function external<T>(service: T): Launch<T> {
  return async () => ({ service, stop: async () => undefined });
}

function notOurs(name: string, setting: string): Service {
  return {
    pid: null,
    alive: () => true,
    restart: async () => {
      throw new RuntimeError(
        'not-ours',
        `${name} is named by ${setting} and was not started by Fenghuo: start it again where it runs.`,
      );
    },
  };
}
