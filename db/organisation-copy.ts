/** Bulk writing by COPY in one transaction: all rows or none, whenever the process ends. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import type { Database, Row, Sql } from './database.ts';

export type Cell = string | number | boolean | null | readonly number[];

export type Bulk = Sql & {
  /** Writes rows into a table; gives back how many. Table and columns are names of ours, never input. */
  copy(table: string, columns: readonly string[], rows: Iterable<readonly Cell[]>): Promise<number>;
};

/** Larger chunks gain nothing; smaller ones cost a write each. */
const CHUNK_CHARACTERS = 128 * 1024;

/** Runs bulk work in one transaction on one connection, without the limits that are meant for short statements. */
export async function bulkTransaction<T>(database: Database, work: (bulk: Bulk) => Promise<T>): Promise<T> {
  return database.withClient(async (client) => {
    const bulk: Bulk = {
      query: async <R extends Row>(text: string, values?: unknown[]) =>
        (await client.query<R>(text, values)).rows,
      copy: async (table, columns, rows) => {
        const stream = client.query(copyFrom(`copy ${table} (${columns.join(', ')}) from stdin`));
        await pipeline(Readable.from(chunks(rows), { objectMode: true }), stream);
        return stream.rowCount;
      },
    };
    await client.query('begin');
    try {
      // While rows are made in this process the transaction is idle for PostgreSQL, and a COPY may take minutes.
      await client.query(
        `set local statement_timeout = 0; set local idle_in_transaction_session_timeout = '60s'`,
      );
      const result = await work(bulk);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      throw error;
    }
  });
}

function* chunks(rows: Iterable<readonly Cell[]>): Generator<string> {
  let text = '';
  for (const row of rows) {
    text += row.map(copyCell).join('\t') + '\n';
    if (text.length < CHUNK_CHARACTERS) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

/** A cell in COPY's text format. */
export function copyCell(cell: Cell): string {
  if (cell === null) return '\\N';
  if (typeof cell === 'string') return cell.replace(/[\\\t\n\r]/g, (sign) => ESCAPES[sign] ?? sign);
  if (typeof cell === 'object') return `{${cell.join(',')}}`;
  return String(cell);
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
