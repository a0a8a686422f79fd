// Temporal for one instance: a dev server of our own on a file, or a namespace of our own on the server that
// TEMPORAL_ADDRESS or the CLI's temporal.toml names.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { temporalConnection, temporalProfile } from '../temporal-connection.ts';
import { RuntimeError, errorText } from './errors.ts';
import { filled } from './places.ts';
import { waitUntil } from './processes.ts';
import type { ConnectionOptions } from '@temporalio/client';
import type { Instance } from './places.ts';
import type { ServerPlan } from './server.ts';
import type { TemporalBinary } from './temporal-binary.ts';

/** Search attributes the product uses; all are of type Keyword. */
const searchAttributes = ['FenghuoWarning', 'FenghuoLevel', 'FenghuoKind', 'FenghuoDivision'];
const keywordType = 2;

/**
 * Before 1.31 priorities of pages hold only with the new matcher; and in several partitions, as is the default, a red page can wait behind
 * blue ones of another partition.
 */
const matching = [
  'matching.useNewMatcher=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
];

const connectTimeoutMs = 5_000;
const namespaceDeadlineMs = 30_000;
const retentionMs = 3 * 24 * 3600 * 1000;

// gRPC status codes.
const alreadyExists = 6;
const notFound = 5;

/** How to run the dev server of an instance. `ui`: with Temporal's web pages, on the port after the server's. */
export function temporalPlan(input: { instance: Instance; binary: TemporalBinary; ui: boolean }): ServerPlan {
  const { binary, instance } = input;
  const directory = join(instance.directory, `temporal-${binary.version}`);
  const database = join(directory, 'temporal.db');
  const complete = join(directory, 'complete');
  const namespace = ownNamespace(instance);
  return {
    name: 'Temporal',
    failure: 'temporal-failed',
    binary: binary.file,
    version: binary.version,
    dataArgument: database,
    portOption: '--port',
    portCount: input.ui ? 2 : 1,
    wantedArgument: input.ui ? '--ui-port' : null,
    logFile: join(instance.directory, `temporal-${binary.version}.log`),
    command: (port) => {
      clearIncomplete(directory, complete);
      return {
        file: binary.file,
        args: [
          ...['server', 'start-dev', '--db-filename', database, '--ip', '127.0.0.1', '--port', String(port)],
          ...['--namespace', namespace, '--log-level', 'error'],
          // The write-ahead log halves the disk waits of a commit; FULL makes each commit survive a power cut.
          ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=FULL'],
          ...matching.flatMap((setting) => ['--dynamic-config-value', setting]),
          ...(input.ui ? ['--ui-port', String(uiPort(port))] : ['--headless']),
          ...searchAttributes.flatMap((attribute) => ['--search-attribute', `${attribute}=Keyword`]),
        ],
        cwd: directory,
        // No TEMPORAL_ variables and no home: the user's own CLI settings are not meant for this server.
        env: { PATH: '/usr/bin:/bin', HOME: directory, LC_ALL: 'C' },
        account: null,
      };
    },
    ready: async (port) => {
      await inspectServer({ address: `127.0.0.1:${port}` }, namespace);
      writeFileSync(complete, '');
    },
    readyWithinMs: 60_000,
    stopSteps: [
      { signal: 'SIGTERM', waitMs: 15_000 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ],
    passing: [/database is locked/i],
    advice: 'Set TEMPORAL_ADDRESS to a server of yours to do without it.',
  };
}

/** The namespace on a server of our own, which belongs to this instance alone. */
export function ownNamespace(instance: Instance): string {
  return `fenghuo-${instance.purpose}`;
}

/** Where the web pages of a server on this port are. */
export function uiPort(port: number): number {
  return port + 1;
}

/**
 * The dev server makes its tables only when the file is absent. A file that was never part of a ready server may
 * hold half of them (its maker was killed), and holds nothing of ours: begin again.
 */
function clearIncomplete(directory: string, complete: string): void {
  // Payloads are nobody else's business, also where the instance's folder is open to the database's account.
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (existsSync(complete)) return;
  for (const entry of readdirSync(directory)) {
    if (entry.startsWith('temporal.db')) rmSync(join(directory, entry), { force: true });
  }
}

/** An outside server as the environment names it. */
export type TemporalTarget = {
  connection: ConnectionOptions & { address: string };
  namespace?: string;
  source: string;
};

/**
 * The outside server of TEMPORAL_ADDRESS or of the temporal.toml profile, TLS and API key included; null if none is named.
 * @throws RuntimeError `bad-setting` if the profile cannot be read
 */
export function temporalTarget(env: NodeJS.ProcessEnv): TemporalTarget | null {
  try {
    const profile = temporalProfile(env);
    if (!filled(profile.address)) return null;
    return {
      connection: temporalConnection(profile, profile.address),
      ...(filled(profile.namespace) ? { namespace: profile.namespace } : {}),
      source: filled(env.TEMPORAL_ADDRESS) ? 'TEMPORAL_ADDRESS' : 'temporal.toml',
    };
  } catch (error) {
    throw new RuntimeError(
      'bad-setting',
      `Temporal's settings cannot be read: ${errorText(error)}. Correct TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE or the file ` +
        'temporal.toml; or set TEMPORAL_ADDRESS to a server of yours and move the file away.',
    );
  }
}

/** The server's version; throws if it does not answer. With a namespace, also if that is not there yet. */
export async function inspectServer(options: ConnectionOptions, namespace?: string): Promise<string> {
  return await withConnection(options, async (connection) => {
    const info = await connection.workflowService.getSystemInfo({});
    if (namespace !== undefined) {
      await connection.workflowService.describeNamespace({ namespace });
      const listed = await connection.operatorService.listSearchAttributes({ namespace });
      const missing = searchAttributes.filter(
        (attribute) => listed.customAttributes?.[attribute] === undefined,
      );
      if (missing.length > 0) throw new Error(`search attributes are missing: ${missing.join(', ')}`);
    }
    return info.serverVersion ?? 'unknown';
  });
}

async function withConnection<T>(
  options: ConnectionOptions,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ ...options, connectTimeout: connectTimeoutMs });
  try {
    return await connection.withDeadline(Date.now() + connectTimeoutMs, async () => work(connection));
  } finally {
    await connection.close();
  }
}

/**
 * A namespace and the search attributes on an outside server, registered if missing.
 * @throws RuntimeError `temporal-unreachable`
 */
export async function externalTemporal(input: {
  instance: Instance;
  target: TemporalTarget;
}): Promise<{ namespace: string; version: string }> {
  const { target } = input;
  const namespace = target.namespace ?? `fenghuo-${input.instance.hash}-${input.instance.purpose}`;
  try {
    const version = await inspectServer(target.connection);
    await readyNamespace(target.connection, namespace);
    return { namespace, version };
  } catch (error) {
    throw new RuntimeError(
      'temporal-unreachable',
      `Temporal at ${target.connection.address} (${target.source}) cannot be used: ${errorText(error)}. ` +
        `Start that server, correct ${target.source}, name a namespace that exists in TEMPORAL_NAMESPACE ` +
        `(with the Keyword search attributes ${searchAttributes.join(', ')}), ` +
        `or take ${target.source} away: Fenghuo then starts a Temporal of its own.`,
      { cause: error },
    );
  }
}

/**
 * Registers what is missing of a namespace and waits until the server knows it: a new one is known to all parts of the server
 * only after their next refresh, up to 10 s later.
 */
export async function readyNamespace(options: ConnectionOptions, namespace: string): Promise<void> {
  await waitUntil(
    async () => {
      await ensureNamespace(options, namespace);
      return true;
    },
    { deadlineMs: namespaceDeadlineMs, what: `the namespace ${namespace}`, everyMs: 500 },
  );
}

/** Registers what is missing of a namespace and its search attributes; throws as long as the server does not know them all. */
export async function ensureNamespace(options: ConnectionOptions, namespace: string): Promise<void> {
  await withConnection(options, async (connection) => {
    await registerNamespace(connection, namespace);
    await registerSearchAttributes(connection, namespace);
  });
  await inspectServer(options, namespace);
}

async function registerNamespace(connection: Connection, namespace: string): Promise<void> {
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (error) {
    if (statusOf(error) !== notFound) throw error;
    await connection.workflowService
      .registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: msToTs(retentionMs),
      })
      .catch((refused: unknown) => {
        if (statusOf(refused) !== alreadyExists) throw refused;
      });
  }
}

async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const listed = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = searchAttributes.filter((attribute) => listed.customAttributes?.[attribute] === undefined);
  if (missing.length === 0) return;
  await connection.operatorService
    .addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((attribute) => [attribute, keywordType])),
    })
    .catch((refused: unknown) => {
      if (statusOf(refused) !== alreadyExists) throw refused;
    });
}

function statusOf(error: unknown): number | undefined {
  return (error as { code?: number }).code;
}
