/**
 * Facts as the record has them: answers, deliveries and receipts are written by the thousand a second, too many for a chain each. A
 * seal takes them in blocks (db/audit-seal.ts): so many rows of one warning, in the order of their numbers, and one hash.
 */
import type { Sql } from './database.ts';

/** What is settled and never changes: who was sent what and what came of it, what providers reported, what people said. */
export const FACT_TABLES = ['answers', 'deliveries', 'receipts'] as const;
export type FactTable = (typeof FACT_TABLES)[number];

/** Milliseconds would let two instants look the same. */
const INSTANT = `to_char(f.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

type Shape = {
  /** The column that numbers rows as they are written. */
  key: string;
  source: string;
  /** Of which warning the row is; null where a receipt belongs to none. */
  warning: string;
  /** The row as the text that is hashed, one line of JSON: every column, in this order. */
  line: string;
};

/** Columns that are added later enter the text at its end and only where they hold something: old blocks keep their hashes. */
const SHAPES: Readonly<Record<FactTable, Shape>> = {
  answers: {
    key: 'f.id',
    source: 'answers f',
    warning: 'f.warning_id',
    line: lineOf(
      [
        'id',
        'warning_id',
        'unit_id',
        'person_id',
        'household_id',
        'kind',
        'done_count',
        'via',
        'delivery_id',
      ],
      ['vouched_by', 'how', 'carried_from'],
    ),
  },
  deliveries: {
    key: 'f.seq',
    source: 'deliveries f',
    warning: 'f.warning_id',
    line: lineOf(
      [
        'seq',
        'id',
        'attempt',
        'page_id',
        'warning_id',
        'cell_id',
        'unit_id',
        'recipient_id',
        'audience',
        'purpose',
        'step',
      ],
      ['channel', 'outcome', 'reason', 'provider_id', 'sender', 'possible_duplicate'],
    ),
  },
  receipts: {
    key: 'f.seq',
    // A delivery's number holds its page's (domain/delivery.ts).
    source: 'receipts f left join pages p on p.id = f.delivery_id / 1024',
    warning: 'p.warning_id',
    line: lineOf(['seq', 'delivery_id', 'attempt', 'state', 'code', 'class', 'sender', 'provider_id'], []),
  },
};

function lineOf(first: readonly string[], rest: readonly string[]): string {
  const pairs = [...first, ...rest].map((column) => `'${column}', f.${column}`).join(', ');
  return `json_strip_nulls(json_build_object(${pairs}, 'at', ${INSTANT}))::text`;
}

/** The chain that holds the blocks of one warning's facts. */
export function factsChain(warningId: number | null): string {
  return warningId === null ? 'facts' : `facts-${warningId}`;
}

/** One block: what stands in its line of the record. */
export type Block = {
  table: FactTable;
  /** Numbers of its first and its last row. */
  from: number;
  to: number;
  rows: number;
  /** Of its rows' texts, each with a line feed, one after the other. Hex. */
  sha256: string;
};

/** Rows of one block: about a megabyte of text, and few enough that a changed one is soon found by hand. */
const BLOCK_ROWS_MOST = 5_000;

/** Appends the blocks of the rows behind `after`, up to `to`; gives back how many blocks they are. */
export async function appendBlocks(
  sql: Sql,
  input: { table: FactTable; after: number; to: number },
): Promise<number> {
  const { key, source, warning, line } = SHAPES[input.table];
  const rows = await sql.query(
    `insert into audit (chain, kind, body)
     select case when b.warning_id is null then 'facts' else 'facts-' || b.warning_id end, 'block', json_build_object('table', $1::text, 'from', min(b.key), 'to', max(b.key), 'rows', count(*),
         'sha256', encode(sha256(convert_to(string_agg(b.line || E'\\n', '' order by b.key), 'UTF8')), 'hex'))
     from (
       select ${warning} as warning_id, ${key} as key, ${line} as line,
         (row_number() over (partition by ${warning} order by ${key}) - 1) / ${BLOCK_ROWS_MOST} as block
       from ${source} where ${key} > $2 and ${key} <= $3) b
     group by b.warning_id, b.block order by b.warning_id, b.block
     returning id`,
    [input.table, input.after, input.to],
  );
  return rows.length;
}

/** The highest number of each table that a seal may take now: not more than `most` rows behind the last seal's. */
export async function highestNumbers(sql: Sql): Promise<Record<FactTable, number>> {
  const [row] = await sql.query<Record<FactTable, number>>(
    `select ${FACT_TABLES.map((table) => `coalesce((select max(${SHAPES[table].key}) from ${table} f), 0)::float8 as ${table}`).join(', ')}`,
  );
  return row ?? { answers: 0, deliveries: 0, receipts: 0 };
}

/** The number of the `most`-th row behind `after`, or `to` where there are fewer. */
export async function boundedNumber(
  sql: Sql,
  input: { table: FactTable; after: number; to: number; most: number },
): Promise<number> {
  const { key } = SHAPES[input.table];
  const [row] = await sql.query<{ bound: number }>(
    `select ${key} as bound from ${input.table} f where ${key} > $1 and ${key} <= $2 order by ${key} offset $3 limit 1`,
    [input.after, input.to, input.most - 1],
  );
  return row?.bound ?? input.to;
}

/** Transactions that write to the facts at this moment: what they write may have lower numbers than what can be seen. */
export async function factWriters(sql: Sql): Promise<string[]> {
  return tableWriters(sql, FACT_TABLES);
}

/**
 * Other transactions that write to these tables at this moment. A statement takes its tables' locks before it looks at what is
 * committed: whoever is not named here will see what the caller sees.
 */
export async function tableWriters(sql: Sql, tables: readonly FactTable[]): Promise<string[]> {
  const rows = await sql.query<{ writer: string }>(
    `select distinct virtualtransaction as writer from pg_locks
     where locktype = 'relation' and mode = 'RowExclusiveLock' and granted and relation = any($1::regclass[])
       and database = (select oid from pg_database where datname = current_database()) and pid <> pg_backend_pid()`,
    [[...tables]],
  );
  return rows.map(({ writer }) => writer);
}

export type FactRow = { key: number; warningId: number | null; line: string };

/** The statement that reads facts in the order of their numbers: all, or those of the warning `$1`. */
export function factsQuery(table: FactTable, ofOneWarning: boolean): string {
  const { key, source, warning, line } = SHAPES[table];
  return `select ${key} as key, ${warning} as "warningId", ${line} as line from ${source}
    ${ofOneWarning ? `where ${warning} = $1` : ''} order by ${key}`;
}
