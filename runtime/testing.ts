// What the tests of this folder share: a place of their own that PostgreSQL's account may enter, and owners in
// processes of their own that can be killed.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pg from 'pg';
import { Client, Connection } from '@temporalio/client';
import { identify, isAlive, waitUntil } from './processes.ts';
import { startServices } from './services.ts';
import type { Services, StartInput } from './services.ts';

/** A temporary folder others may enter. */
export function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fenghuo-runtime-'));
  chmodSync(folder, 0o755);
  return folder;
}

/** The environment without outside servers, with data in `folder` and the shared cache. */
export function environment(folder: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, FENGHUO_DATA_DIR: join(folder, 'data') };
  for (const name of ['DATABASE_URL', 'TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'])
    delete env[name];
  return { ...env, HOME: folder, ...more };
}

/** What a test starts: servers in a folder of its own, stopped and removed by `end` whatever happened. */
export type Fixture = {
  folder: string;
  lines: string[];
  start(more?: Partial<StartInput>): Promise<Services>;
  end(): Promise<void>;
};

/** A fixture for purpose `test`, unless told otherwise. */
export function openFixture(): Fixture {
  const folder = openFolder();
  const lines: string[] = [];
  const running: Services[] = [];
  return {
    folder,
    lines,
    start: async (more) => {
      const log = (line: string): void => void lines.push(line);
      const services = await startServices({ purpose: 'test', log, env: environment(folder), ...more });
      running.push(services);
      return services;
    },
    // The last started goes first: it may be a guest on servers of the first.
    end: async () => {
      for (const services of running.reverse()) await services.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What an owner in another process reports once it is ready, or the sentence it failed with. */
export type Report = { postgresPid: number; temporalPid: number; postgresUrl: string } | { failed: string };

/**
 * An owner in a process of its own: calls startServices, reports, and then just lives. `kill` is a kill -9 and
 * returns once the process is gone.
 */
export function ownerProcess(
  folder: string,
  input: Omit<StartInput, 'log'>,
): { report(): Promise<Report>; kill(): Promise<void> } {
  const name = Math.random().toString(36).slice(2);
  const reportFile = join(folder, `${name}.json`);
  const script = join(folder, `${name}.mts`);
  const services = fileURLToPath(new URL('services.ts', import.meta.url));
  writeFileSync(
    script,
    `import { renameSync, writeFileSync } from 'node:fs';
import { startServices } from ${JSON.stringify(services)};
const report = (value) => {
  writeFileSync('${reportFile}.draft', JSON.stringify(value));
  renameSync('${reportFile}.draft', '${reportFile}');
};
setInterval(() => {}, 1000);
try {
  const s = await startServices({ ...${JSON.stringify(input)}, log: () => {} });
  report({ postgresPid: s.postgres.pid, temporalPid: s.temporal.pid, postgresUrl: s.postgres.url });
} catch (error) {
  report({ failed: error.message });
}
`,
  );
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child = spawn(process.execPath, ['--import', tsx, script], { stdio: 'inherit', env: input.env });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    report: async () =>
      waitUntil(() => JSON.parse(readFileSync(reportFile, 'utf8')) as Report, {
        deadlineMs: 30_000,
        what: 'the other owner to be ready',
      }),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Where the data of servers of ours lies. */
export function paths(services: Services): { data: string; database: string } {
  return {
    data: join(services.dataDirectory, `postgres-${services.postgres.version.split('.')[0]}`),
    database: join(services.dataDirectory, `temporal-${services.temporal.version}`, 'temporal.db'),
  };
}

/** Runs one query on a connection of its own. */
export async function query(services: Services, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: services.postgres.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function withTemporal<T>(services: Services, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect(services.temporal.connection);
  try {
    return await work(new Client({ connection, namespace: services.temporal.namespace }));
  } finally {
    await connection.close();
  }
}

/** Starts a workflow that no worker takes, to see whether it is kept. */
export async function startWorkflow(services: Services): Promise<void> {
  await withTemporal(services, async (client) =>
    client.workflow.start('kept', { workflowId: 'kept', taskQueue: 'nobody', typedSearchAttributes: [] }),
  );
}

/** The status of that workflow, like `RUNNING`. */
export async function workflowStatus(services: Services): Promise<string> {
  return await withTemporal(
    services,
    async (client) => (await client.workflow.getHandle('kept').describe()).status.name,
  );
}

/** A kill -9 whose effect has been seen. */
export async function kill(pid: number | null): Promise<void> {
  const identity = identify(pid as number);
  if (identity === null) throw new Error(`process ${pid} is not there`);
  process.kill(identity.pid, 'SIGKILL');
  await waitUntil(() => !isAlive(identity), { deadlineMs: 5_000, what: `process ${pid} to die` });
}
