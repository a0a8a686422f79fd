// PostgreSQL for one instance: a server of our own on a cluster of our own, or a database of our own on the
// server that DATABASE_URL names.
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { RuntimeError, errorText } from './errors.ts';
import { closedFolder, databaseAccount } from './places.ts';
import { run } from './processes.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { Account } from './processes.ts';
import type { Instance } from './places.ts';
import type { ServerPlan } from './server.ts';

/** The role and the database of a server of ours. */
const name = 'fenghuo';
const connectTimeoutMs = 5_000;
const initTimeoutMs = 120_000;

/** Everything durable: a committed answer survives a power cut. The rest is room for tests and many workers. */
const settings: Record<string, string> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_destination: 'stderr',
};

/** A cluster on disk and how to reach it. */
export type Cluster = { directory: string; account: Account | null; password: string };

/**
 * The instance's cluster for this major, made if it is not there. It is made beside its place and renamed into it,
 * so that an interrupted initdb leaves nothing half done; its password lies inside, so that the two cannot part.
 */
export async function ensureCluster(input: {
  instance: Instance;
  binaries: PostgresBinaries;
  log: (line: string) => void;
}): Promise<Cluster> {
  const directory = join(input.instance.directory, `postgres-${input.binaries.major}`);
  const account = databaseAccount(directory);
  if (!existsSync(directory)) {
    await removeDrafts(input.instance.directory);
    warnOfOtherMajors(input);
    input.log(`Making a PostgreSQL ${input.binaries.major} cluster in ${directory} …`);
    await initialise({ ...input, directory, account });
  }
  return { directory, account, password: await readPassword(directory) };
}

/** What killed makers left. An initdb that outlived its starter may still write there: what resists is left for next time. */
async function removeDrafts(instanceDirectory: string): Promise<void> {
  for (const entry of readdirSync(instanceDirectory)) {
    if (!/^postgres-\d+\.draft-/.test(entry)) continue;
    await rm(join(instanceDirectory, entry), { recursive: true, force: true }).catch(() => undefined);
  }
}

async function readPassword(directory: string): Promise<string> {
  try {
    return await readFile(passwordFile(directory), 'utf8');
  } catch (error) {
    throw new RuntimeError('postgres-failed', passwordAdvice(directory, errorText(error)));
  }
}

function passwordAdvice(directory: string, reason: string): string {
  return (
    `The password of the cluster in ${directory} does not open it (${reason}). Put the file ${passwordFile(directory)} back, ` +
    'or, if the data may go, delete the cluster: the next start makes an empty one.'
  );
}

function warnOfOtherMajors(input: { instance: Instance; log: (line: string) => void }): void {
  const others = readdirSync(input.instance.directory).filter((entry) => /^postgres-\d+$/.test(entry));
  if (others.length > 0) {
    input.log(
      `Note: older data stays untouched in ${input.instance.directory} (${others.join(', ')}); this major begins empty.`,
    );
  }
}

async function initialise(input: {
  instance: Instance;
  binaries: PostgresBinaries;
  directory: string;
  account: Account | null;
}): Promise<void> {
  const { account, directory } = input;
  const draft = `${directory}.draft-${randomBytes(6).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  await mkdir(join(draft, 'data'), { recursive: true, mode: 0o700 });
  await writeFile(join(draft, 'password'), password, { mode: 0o600 });
  if (account !== null) {
    for (const path of ['', 'data', 'password']) await chown(join(draft, path), account.uid, account.gid);
  }
  const ran = await run({
    file: join(input.binaries.directory, 'initdb'),
    args: [
      ...['-D', join(draft, 'data'), '-U', name, '--encoding=UTF8', '--locale=C', '--auth=scram-sha-256'],
      ...['--pwfile', join(draft, 'password'), '--no-instructions'],
    ],
    cwd: input.instance.directory,
    env: serverEnvironment(),
    account,
    timeoutMs: initTimeoutMs,
  });
  if (ran.code !== 0) {
    await rm(draft, { recursive: true, force: true });
    throw new RuntimeError('postgres-failed', initFailure(input, `${ran.stdout}\n${ran.stderr}`.trim()));
  }
  await rename(join(draft, 'password'), passwordFile(join(draft, 'data')));
  await rename(join(draft, 'data'), directory);
  await rm(draft, { recursive: true, force: true });
}

function initFailure(input: { directory: string; account: Account | null }, output: string): string {
  const closed = input.account === null ? null : closedFolder(input.directory, input.account);
  const advice =
    closed === null
      ? 'Free some disk space if it is short, set FENGHUO_DATA_DIR to another disk, or set DATABASE_URL to a server of yours.'
      : `The folder ${closed} is closed to the account "${input.account?.name}" that runs PostgreSQL: ` +
        'set FENGHUO_DATA_DIR to a folder it may enter, or open that one (chmod o+x).';
  return `A PostgreSQL cluster could not be made. ${advice}\nThe end of initdb's output:\n${output.slice(-2000).replace(/^/gm, '  | ')}`;
}

function passwordFile(directory: string): string {
  return join(directory, 'fenghuo.password');
}

/** Nothing of our own environment: a PGDATA or PGOPTIONS of the user is not meant for this server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: '/usr/bin:/bin', LC_ALL: 'C', LANG: 'C', TZ: 'UTC' };
}

/** How to run the server of a cluster. */
export function postgresPlan(input: {
  instance: Instance;
  binaries: PostgresBinaries;
  cluster: Cluster;
}): ServerPlan {
  const { binaries, cluster, instance } = input;
  return {
    name: 'PostgreSQL',
    failure: 'postgres-failed',
    binary: join(binaries.directory, 'postgres'),
    version: binaries.version,
    dataArgument: cluster.directory,
    portOption: '-p',
    portCount: 1,
    wantedArgument: null,
    logFile: join(instance.directory, `postgres-${binaries.major}.log`),
    command: (port) => ({
      file: join(binaries.directory, 'postgres'),
      args: [
        ...['-D', cluster.directory, '-p', String(port)],
        ...Object.entries(settings).flatMap(([setting, value]) => ['-c', `${setting}=${value}`]),
      ],
      cwd: instance.directory,
      env: serverEnvironment(),
      account: cluster.account,
    }),
    ready: async (port) => {
      await ensureDatabase({ url: clusterUrl(cluster, port, 'postgres'), database: name }).catch(
        (error: pg.DatabaseError) => {
          // Wrong password: waiting longer changes nothing.
          if (error.code === '28P01')
            throw new RuntimeError('postgres-failed', passwordAdvice(cluster.directory, error.message));
          throw error;
        },
      );
    },
    // Recovery after a kill -9 in the middle of a large load replays up to a gigabyte of log.
    readyWithinMs: 60_000,
    stopSteps: [
      { signal: 'SIGINT', waitMs: 20_000 },
      { signal: 'SIGQUIT', waitMs: 5_000 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ],
    // After a kill -9 of the postmaster its children need a moment to notice and let go of the shared memory.
    passing: [/pre-existing shared memory block/i, /lock file "postmaster\.pid" already exists/i],
    advice: 'Set DATABASE_URL to a server of yours to do without it.',
  };
}

/** The address of a cluster's database, password included: never log it. */
export function clusterUrl(cluster: Cluster, port: number, database: string = name): string {
  return `postgres://${name}:${cluster.password}@127.0.0.1:${port}/${database}`;
}

/** Runs one piece of work on a connection of its own. */
async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectTimeoutMs });
  // A connection lost between queries is an event; unheard it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Creates the database unless it is there; two processes may do so at once. */
async function ensureDatabase(input: { url: string; database: string }): Promise<void> {
  await withClient(input.url, async (client) => {
    const found = await client.query('select 1 from pg_database where datname = $1', [input.database]);
    if (found.rowCount !== 0) return;
    await client
      .query(`create database ${pg.escapeIdentifier(input.database)}`)
      .catch((error: pg.DatabaseError) => {
        // 42P04: it exists; 23505: another process is creating it this moment.
        if (error.code !== '42P04' && error.code !== '23505') throw error;
      });
  });
}

/** Asks a server for its version, like `15.18`. Also used by the doctor: it changes nothing. */
export async function serverVersion(url: string): Promise<string> {
  const version = await withClient(url, async (client) => {
    const shown = await client.query<{ server_version: string }>('show server_version');
    return shown.rows[0]?.server_version ?? 'unknown';
  });
  return version.split(' ')[0] ?? version;
}

/** Where `url` points, without its user and password; for messages. */
export function withoutSecrets(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.host || 'the local socket'}${parsed.pathname}`;
  } catch {
    return 'an address that cannot be read';
  }
}

/**
 * The database on the server of DATABASE_URL. `up` uses it as it is; every other purpose has a database of its own
 * there, named after clone and purpose.
 * @throws RuntimeError `postgres-unreachable`
 */
export async function externalPostgres(input: {
  instance: Instance;
  url: string;
}): Promise<{ url: string; version: string }> {
  try {
    const version = await serverVersion(input.url);
    if (input.instance.purpose === 'up') return { url: input.url, version };
    const database = `fenghuo_${input.instance.hash}_${input.instance.purpose.replaceAll('-', '_')}`;
    await ensureDatabase({ url: input.url, database });
    const url = new URL(input.url);
    url.pathname = `/${database}`;
    return { url: url.href, version };
  } catch (error) {
    throw new RuntimeError(
      'postgres-unreachable',
      `PostgreSQL at ${withoutSecrets(input.url)} (DATABASE_URL) cannot be used: ${errorText(error)}. ` +
        'Start that server, correct DATABASE_URL, let its role create databases (alter role … createdb), ' +
        'or unset DATABASE_URL: Fenghuo then starts a PostgreSQL of its own.',
    );
  }
}
