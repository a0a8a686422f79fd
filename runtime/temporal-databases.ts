// Temporal's two databases on a PostgreSQL: made, filled and brought up to date by Temporal's own tool, from its own files.
import pg from 'pg';
import { RuntimeError } from './errors.ts';
import { run } from './processes.ts';
import type { TemporalServerPrograms } from './temporal-server-binary.ts';

/** Temporal's name of its PostgreSQL plugin; it serves 12 and newer. */
export const plugin = 'postgres12';

const connectTimeoutMs = 5_000;
const schemaTimeoutMs = 120_000;

/** Where PostgreSQL is, as Temporal wants to hear it. */
export type Store = {
  host: string;
  port: string;
  user: string;
  password: string;
  databases: { main: string; visibility: string };
};

/**
 * Makes Temporal's two databases beside that of `url`, or brings their tables up to date. One process at a time.
 * @throws RuntimeError `temporal-failed` with the end of the tool's output
 */
export async function ensureTemporalDatabases(input: {
  url: string;
  programs: TemporalServerPrograms;
}): Promise<void> {
  const { programs, url } = input;
  const { databases } = storeOf(url);
  await ensureTables({ url, programs, database: databases.main, schema: programs.schema.temporal });
  await ensureTables({ url, programs, database: databases.visibility, schema: programs.schema.visibility });
}

/** The store that lies beside the database of a PostgreSQL URL: plain connections only, since this is for one machine. */
export function storeOf(url: string): Store {
  const { hostname, password, pathname, port, searchParams, username } = new URL(url);
  if (!['disable', 'prefer', null].includes(searchParams.get('sslmode'))) {
    throw new RuntimeError(
      'bad-setting',
      'The Temporal server that is started here speaks to PostgreSQL without TLS only. Start a Temporal of yours and name it in TEMPORAL_ADDRESS.',
    );
  }
  const database = decodeURIComponent(pathname.slice(1));
  return {
    host: hostname,
    port: port === '' ? '5432' : port,
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    databases: { main: `${database}_temporal`, visibility: `${database}_visibility` },
  };
}

/** A database with its tables at the newest version. */
async function ensureTables(input: {
  url: string;
  programs: TemporalServerPrograms;
  database: string;
  schema: string;
}): Promise<void> {
  const update = async (): Promise<void> =>
    sqlTool({ ...input, args: ['update-schema', '--schema-dir', input.schema] });
  const made = await ensureFilledDatabase({
    url: input.url,
    database: input.database,
    fill: async () => {
      await sqlTool({ ...input, args: ['setup-schema', '--version', '0.0'] });
      await update();
    },
  });
  if (!made) await update();
}

async function sqlTool(input: {
  url: string;
  programs: TemporalServerPrograms;
  database: string;
  args: string[];
}): Promise<void> {
  const { host, password, port, user } = storeOf(input.url);
  const ran = await run({
    file: input.programs.sqlTool,
    args: input.args,
    cwd: '/',
    env: {
      SQL_PLUGIN: plugin,
      SQL_HOST: host,
      SQL_PORT: port,
      SQL_USER: user,
      SQL_PASSWORD: password,
      SQL_DATABASE: input.database,
    },
    account: null,
    timeoutMs: schemaTimeoutMs,
  });
  if (ran.code === 0) return;
  const output = `${ran.stdout}\n${ran.stderr}`.trim().slice(-1000).replace(/^/gm, '  | ');
  throw new RuntimeError(
    'temporal-failed',
    `Temporal's tables could not be made in the database ${input.database}. Drop it and start again if nothing in it is needed.\n${output}`,
  );
}

const unfinished = 'not finished: dropped by the next start';

/**
 * A database of this name on the server of `url`, filled by `fill` where it is new. One whose making was interrupted says so
 * in its comment, is dropped and made again. Says whether it was made.
 */
async function ensureFilledDatabase(input: {
  url: string;
  database: string;
  fill: () => Promise<void>;
}): Promise<boolean> {
  const client = new pg.Client({ connectionString: input.url, connectionTimeoutMillis: connectTimeoutMs });
  // A connection lost between queries is an event; unheard it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const database = pg.escapeIdentifier(input.database);
    const found = await client.query<{ comment: string | null }>(
      `select shobj_description(oid, 'pg_database') as comment from pg_database where datname = $1`,
      [input.database],
    );
    const [there] = found.rows;
    if (there !== undefined && there.comment !== unfinished) return false;
    if (there !== undefined) await client.query(`drop database ${database}`);
    await client.query(`create database ${database}`);
    await client.query(`comment on database ${database} is ${pg.escapeLiteral(unfinished)}`);
    await input.fill();
    await client.query(`comment on database ${database} is null`);
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}
