/**
 * Seals: one line over all chains. A seal takes the facts that have been written since the last one into blocks, and names the end
 * of each chain that grew. Whoever changes a line below a seal has to change the seal, and all seals after it, and then the
 * anchors that lie outside of this database (operations/audit-anchor.ts).
 */
import { setTimeout as wait } from 'node:timers/promises';
import {
  appendBlocks,
  boundedNumber,
  FACT_TABLES,
  factWriters,
  highestNumbers,
  type FactTable,
} from './audit-facts.ts';
import type { Database, Sql } from './database.ts';

export const SEALS = 'seals';

/** The body of a seal's line. */
export type Seal = {
  /** Of the installation: a seal of an earlier one that is not here was lost by a restore (docs/adr/0017). */
  incarnation: number;
  /** Up to which number the rows of each table stand in blocks. */
  facts: Record<FactTable, number>;
  /** Chain, position of its last line, and that line's hash (hex). */
  heads: [chain: string, position: number, hash: string][];
};

/** Where the seals' own chain ends. */
export type SealHead = { seal: number; hash: string; at: string; incarnation: number };

/** Rows of one table that one seal takes: a second's work. The next takes the rest. */
const ROWS_MOST = 200_000;
/** For how long a seal waits for transactions that were writing facts when it began; the longest has 15 s. */
const WRITERS_MS_MAX = 20_000;
const WRITERS_LOOK_MS = 50;
const TIMEOUT = '60s';

/** Seals what is new; gives back whether rows were left for the next seal, or null where another process is sealing. */
export async function seal(database: Database): Promise<{ more: boolean } | null> {
  const to = await closedNumbers(database);
  return database.transaction(async (sql) => {
    if (!(await holdSealing(sql))) return null;
    await sql.query(`set local statement_timeout = '${TIMEOUT}'`);
    const last = await lastSeal(sql);
    const facts = { ...last.facts };
    let more = false;
    for (const table of FACT_TABLES) {
      const after = last.facts[table];
      if (to[table] <= after) continue;
      facts[table] = await boundedNumber(sql, { table, after, to: to[table], most: ROWS_MOST });
      more ||= facts[table] < to[table];
      await appendBlocks(sql, { table, after, to: facts[table] });
    }
    const heads = await takeGrownHeads(sql);
    if (heads.length > 0) await appendSeal(sql, { facts, heads });
    return { more };
  });
}

/**
 * Up to which number no row can appear any more. Numbers are given before the commit, so a row may appear below one that is seen:
 * only once all who were writing when it was seen have ended.
 */
async function closedNumbers(database: Database): Promise<Record<FactTable, number>> {
  const numbers = await highestNumbers(database);
  let writers = await factWriters(database);
  const until = performance.now() + WRITERS_MS_MAX;
  while (writers.length > 0) {
    if (performance.now() > until) return { answers: 0, deliveries: 0, receipts: 0 };
    await wait(WRITERS_LOOK_MS);
    const still = new Set(await factWriters(database));
    writers = writers.filter((writer) => still.has(writer));
  }
  return numbers;
}

/** One seal at a time over all processes. */
async function holdSealing(sql: Sql): Promise<boolean> {
  const [row] = await sql.query<{ held: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('audit seal'), hashtext(current_schema())) as held`,
  );
  return row?.held ?? false;
}

async function lastSeal(sql: Sql): Promise<Pick<Seal, 'facts'>> {
  const [row] = await sql.query<{ body: Seal }>(
    'select body from audit where chain = $1 order by position desc limit 1',
    [SEALS],
  );
  return row?.body ?? { facts: { answers: 0, deliveries: 0, receipts: 0 } };
}

/** Chains that have grown since a seal named them. One that is just being written to waits for the next seal. */
async function takeGrownHeads(sql: Sql): Promise<Seal['heads']> {
  const rows = await sql.query<{ chain: string; position: number; hash: string }>(
    `with grown as (
       select chain, position, hash from audit_heads where position > sealed and chain <> $1
       order by chain for no key update skip locked),
     marked as (update audit_heads h set sealed = g.position from grown g where h.chain = g.chain)
     select chain, position, encode(hash, 'hex') as hash from grown order by chain`,
    [SEALS],
  );
  return rows.map(({ chain, position, hash }) => [chain, position, hash]);
}

async function appendSeal(sql: Sql, body: Pick<Seal, 'facts' | 'heads'>): Promise<void> {
  await sql.query(
    `insert into audit (chain, kind, body)
     select $1, 'seal', json_build_object('incarnation', incarnation, 'facts', $2::json, 'heads', $3::json) from installation`,
    [SEALS, JSON.stringify(body.facts), JSON.stringify(body.heads)],
  );
}

/** The newest seal; null where nothing was sealed yet. */
export async function newestSeal(sql: Sql): Promise<SealHead | null> {
  const [row] = await sql.query<SealHead>(
    `select position as seal, encode(hash, 'hex') as hash, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as at,
       (body->>'incarnation')::int as incarnation
     from audit where chain = $1 order by position desc limit 1`,
    [SEALS],
  );
  return row ?? null;
}

export type Anchored = { seal: number; at: number };

/** The newest anchor that was written there (`file`, `e-mail`); null where there is none. `at` in milliseconds. */
export async function newestAnchor(sql: Sql, to: string): Promise<Anchored | null> {
  const [row] = await sql.query<Anchored>(
    `select seal, (extract(epoch from at) * 1000)::float8 as at from anchors where $1 = any (written_to)
     order by id desc limit 1`,
    [to],
  );
  return row ?? null;
}

export async function noteAnchor(sql: Sql, head: SealHead, writtenTo: readonly string[]): Promise<void> {
  await sql.query(`insert into anchors (seal, hash, written_to) values ($1, decode($2, 'hex'), $3)`, [
    head.seal,
    head.hash,
    writtenTo,
  ]);
}

/** Runs `work` while no other process anchors; gives null where one does. */
export async function whileAnchoring<T>(database: Database, work: () => Promise<T>): Promise<T | null> {
  return database.withClient(async (client) => {
    const lock = `(hashtext('audit anchor'), hashtext(current_schema()))`;
    const { rows } = await client.query<{ held: boolean }>(`select pg_try_advisory_lock${lock} as held`);
    if (rows[0]?.held !== true) return null;
    try {
      return await work();
    } finally {
      await client.query(`select pg_advisory_unlock${lock}`);
    }
  });
}
