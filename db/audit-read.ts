/** Reading the record whole: by cursors, because it may have more lines than fit into memory. */
import { z } from 'zod';
import type { AuditLine } from '../domain/audit.ts';
import { FACT_TABLES, factsQuery, type Block, type FactRow, type FactTable } from './audit-facts.ts';
import { SEALS, type Seal } from './audit-seal.ts';
import type { Row, Sql } from './database.ts';
import { RECIPIENTS, type Recipient } from './evidence.ts';

const ROWS_AT_ONCE = 5_000;

/**
 * What is hashed of a line behind the hash of the line before: the same text as `audit_text` of migration 0009, which a tamperer could
 * have replaced.
 */
const REST = `concat_ws(' ', chain, position, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  to_json(kind)::text, coalesce(to_json(actor)::text, 'null'), body::text)`;

/** The chains of one warning: its cells', its acts', its facts'; and the seals, which stand above every warning. */
const OF_WARNING = `(chain in ('acts-' || $1, 'facts-' || $1, '${SEALS}')
  or chain in (select 'cell-' || c.id from cells c where c.warning_id = $1::int))`;

/** First in the transaction: everything is read as of one moment, however long it takes. */
export async function readOneMoment(sql: Sql): Promise<void> {
  await sql.query('set transaction isolation level repeatable read, read only');
  await sql.query(`set local statement_timeout = '5min'`);
}

/** Lines by chain and position, all or those of one warning, in batches. */
export function readLines(sql: Sql, warningId: number | null): AsyncGenerator<AuditLine[]> {
  return batches<AuditLine>(
    sql,
    `select chain, position, encode(hash, 'hex') as hash, ${REST} as rest from audit
     ${warningId === null ? '' : `where ${OF_WARNING}`} order by chain, position`,
    warningId === null ? [] : [String(warningId)],
  );
}

export function readFacts(sql: Sql, table: FactTable, warningId: number | null): AsyncGenerator<FactRow[]> {
  return batches<FactRow>(sql, factsQuery(table, warningId !== null), warningId === null ? [] : [warningId]);
}

/** Recipients of one warning's messages. */
export function readRecipients(sql: Sql, warningId: number): AsyncGenerator<Recipient[]> {
  return batches<Recipient>(sql, RECIPIENTS, [warningId]);
}

/** While one batch is worked on, PostgreSQL makes the next. */
async function* batches<R extends Row>(sql: Sql, query: string, values: unknown[]): AsyncGenerator<R[]> {
  await sql.query(`declare reading no scroll cursor for ${query}`, values);
  const next = () => sql.query<R>(`fetch ${ROWS_AT_ONCE} from reading`);
  let coming = next();
  for (;;) {
    const rows = await coming;
    if (rows.length === 0) break;
    coming = next();
    yield rows;
  }
  await sql.query('close reading');
}

export type SealRow = { position: number; hash: string; body: Seal };

const heads = z.array(z.tuple([z.string(), z.number(), z.string()]));
const facts = z.record(z.enum(FACT_TABLES), z.number());
const sealBody = z.object({ incarnation: z.number(), facts, heads });

/** What cannot be read any more says nothing; its line does not match its hash, and the chain shows it. */
const NOTHING_SAID: Seal = { incarnation: 0, facts: { answers: 0, deliveries: 0, receipts: 0 }, heads: [] };

/** All seals, oldest first. */
export async function readSeals(sql: Sql): Promise<SealRow[]> {
  const rows = await sql.query<{ position: number; hash: string; body: unknown }>(
    `select position, encode(hash, 'hex') as hash, body from audit where chain = $1 order by position`,
    [SEALS],
  );
  return rows.map(({ body, ...row }) => ({ ...row, body: sealBody.safeParse(body).data ?? NOTHING_SAID }));
}

/** The ends of chains as the database itself keeps them. */
export async function readHeads(
  sql: Sql,
  warningId: number | null,
): Promise<{ chain: string; position: number; hash: string }[]> {
  return sql.query(
    `select chain, position, encode(hash, 'hex') as hash from audit_heads
     where position > 0 ${warningId === null ? '' : `and ${OF_WARNING}`} order by chain`,
    warningId === null ? [] : [String(warningId)],
  );
}

export type BlockRow = Block & { chain: string; position: number };

const block = z.object({
  table: z.enum(FACT_TABLES),
  from: z.number(),
  to: z.number(),
  rows: z.number(),
  sha256: z.string(),
});

/** The blocks on record, by chain and position. */
export async function readBlocks(sql: Sql, warningId: number | null): Promise<BlockRow[]> {
  const rows = await sql.query<{ chain: string; position: number; body: unknown }>(
    `select chain, position, body from audit
     where kind = 'block' and ${warningId === null ? `chain like 'facts%'` : 'chain = $1'} order by chain, position`,
    warningId === null ? [] : [`facts-${warningId}`],
  );
  return rows.flatMap(({ chain, position, body }) => {
    const { data } = block.safeParse(body);
    return data ? [{ chain, position, ...data }] : [];
  });
}

/** Warnings that are not what the record says of them. */
export async function findChangedWarnings(sql: Sql, warningId: number | null): Promise<number[]> {
  // As the trigger of migration 0009 wrote them down.
  await sql.query(`set local timezone = 'UTC'`);
  const rows = await sql.query<{ id: number }>(
    `select w.id from warnings w
     left join lateral (select body::jsonb as body from audit where chain = 'acts-' || w.id and kind = 'warning'
       order by position limit 1) issued on true
     left join lateral (select body::jsonb as body from audit where chain = 'acts-' || w.id and kind in ('warning', 'warning changed')
       order by position desc limit 1) latest on true
     where ($1::int is null or w.id = $1)
       and (not to_jsonb(w) @> (latest.body - 'rules') or w.rules <> issued.body->'rules' or issued.body is null)
     order by w.id`,
    [warningId],
  );
  return rows.map(({ id }) => id);
}

/** How many lines there are, for the progress. A guess from the statistics costs nothing. */
export async function countLines(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ lines: number }>('select count(*)::float8 as lines from audit');
  return row?.lines ?? 0;
}
