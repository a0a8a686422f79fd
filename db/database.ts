/**
 * The pool and the transaction: the only place that knows `pg`. Every query function in this folder takes a `Sql`, so
 * that it runs alone or inside a transaction alike.
 */
import pg from 'pg';
import { FenghuoError } from '../domain/errors.ts';

// bigint ids fit a double until 2^53; as strings they would leak into every comparison.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

export type Row = Record<string, unknown>;

export type Sql = {
  /** Rows of one statement. `values` are bound, never spliced. A `name` keeps the plan prepared on the connection. */
  query<R extends Row = Row>(text: string, values?: unknown[], name?: string): Promise<R[]>;
};

/** Between JSON texts: within one it is always written as an escape. */
const BETWEEN = '\u001e';

/**
 * Many JSON values as one parameter, for {@link jsonTexts}. As elements of an array every quotation mark in them would be escaped: 6 µs for the
 * state of a unit, against 0.2 so.
 */
export function joinJson(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(BETWEEN);
}

/** In SQL, the `json[]` of a parameter made by {@link joinJson}. */
export function jsonTexts(parameter: string): string {
  return `string_to_array(${parameter}, chr(30))::json[]`;
}

export type Database = Sql & {
  readonly schema: string;
  /** Runs `work` in one transaction; rolls back when it throws. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** A connection of its own outside the pool's queries, for COPY and LISTEN; the caller does not keep it. */
  withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  url: string;
  schema: string;
  /** @default 10 */
  connectionsMost?: number;
  /** @default 15 000 */
  statementTimeoutMs?: number;
  /** @default 3 000 */
  lockTimeoutMs?: number;
  /**
   * For pools whose every statement finds its few rows by an index, again and again: plans are made once and do not depend on
   * what the planner guesses.
   * @default false
   */
  indexesOnly?: boolean;
  /**
   * Works as whoever DATABASE_URL names, who owns the tables: for migrations, and for tests that break things. All others work as
   * {@link APPLICATION_ROLE}.
   * @default false
   */
  asOwner?: boolean;
};

/**
 * What every process but `migrate` works as: it may neither change nor delete what is on record. It is taken by a setting of the
 * connection, so it stops our own mistakes and whoever gets a statement into ours; who can open connections with DATABASE_URL is
 * stopped only where that names a login of no other rights (docs/operations.md).
 */
export const APPLICATION_ROLE = 'fenghuo_app';

/**
 * Connections of each pool of a drill, whatever its process asks for: PostgreSQL gives every statement the same share of the machine, so
 * whoever has fewer under way has less of it. Live processes keep theirs (docs/adr/0029).
 */
export const DRILL_POOL_MOST = 5;

/** Whoever logs in under the schema's own name is a drill's: it has rights of its own there, and none anywhere else. */
function isOfDrill({ url, schema }: DatabaseOptions): boolean {
  const named = URL.canParse(url) ? new URL(url) : null;
  const login = named?.username || named?.searchParams.get('user');
  return login === schema;
}

/**
 * A plan made while a table was empty reads it whole, and the connection keeps it while the table grows: a warning fills its
 * tables with a hundred thousand rows before the first analyze. Planning an answer anew each time cost more than running it
 * (1.5 ms and 1.2 ms).
 */
const INDEXES_ONLY = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
};

/** Opens a pool. Nothing is connected until the first query. */
export function openDatabase(options: DatabaseOptions): Database {
  const ofDrill = isOfDrill(options);
  const settings: Record<string, string | number> = {
    search_path: options.schema,
    statement_timeout: options.statementTimeoutMs ?? 15_000,
    lock_timeout: options.lockTimeoutMs ?? 3_000,
    idle_in_transaction_session_timeout: 5_000,
    // One process's work is many short statements on known ids: the planner's guesses on young tables mislead it.
    jit: 'off',
    ...(options.indexesOnly === true ? INDEXES_ONLY : {}),
    ...(options.asOwner === true ? {} : { role: ofDrill ? options.schema : APPLICATION_ROLE }),
  };
  const pool = new pg.Pool({
    connectionString: options.url,
    max: Math.min(options.connectionsMost ?? 10, ofDrill ? DRILL_POOL_MOST : Infinity),
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  // An idle connection that dies with its server is replaced at the next query; without a listener it ends the process.
  pool.on('error', () => undefined);
  return {
    schema: options.schema,
    query: (text, values, name) => run(pool, text, values, name),
    withClient: (work) => withClient(pool, work),
    transaction: (work) =>
      withClient(pool, async (client) => {
        await client.query('begin');
        try {
          const result = await work({ query: (text, values, name) => run(client, text, values, name) });
          await client.query('commit');
          return result;
        } catch (error) {
          await client.query('rollback').catch(() => undefined);
          throw error;
        }
      }),
    close: () => pool.end(),
  };
}

async function withClient<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw unreachable(error);
  });
  let broken = false;
  const onError = () => {
    broken = true;
  };
  client.on('error', onError);
  try {
    return await work(client);
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

async function run<R extends Row>(
  on: pg.Pool | pg.PoolClient,
  text: string,
  values?: unknown[],
  name?: string,
): Promise<R[]> {
  try {
    const result = await on.query<R>(name === undefined ? { text, values } : { text, values, name });
    return result.rows;
  } catch (error) {
    throw isUnreachable(error) ? unreachable(error) : error;
  }
}

/** True where PostgreSQL could not be reached or went away, so that the same work may be tried again. */
export function isUnreachable(error: unknown): boolean {
  if (error instanceof FenghuoError) return error.refusal === 'unreachable';
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') return /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|57P|08)/.test(code);
  return (
    error instanceof Error &&
    /timeout exceeded when trying to connect|Connection terminated/.test(error.message)
  );
}

/** True where a statement failed for a value in it (SQLSTATE 22, 23): without that value it would not. */
export function isDataFault(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^2[23]/.test(code);
}

function unreachable(cause: unknown): Error {
  if (!isUnreachable(cause)) return cause as Error;
  return new FenghuoError({
    code: 'database-unreachable',
    refusal: 'unreachable',
    sentence:
      'PostgreSQL does not answer. Start everything with `npx fenghuo up`, or set DATABASE_URL to a server that runs; ' +
      '`npx fenghuo doctor` says what is there.',
    cause,
  });
}
