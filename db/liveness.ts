/** Signs of life: who was there, and when last, by PostgreSQL's clock. */
import type { Sql } from './database.ts';

/** Writes one sign of life. */
export async function beat(sql: Sql, name: string): Promise<void> {
  await sql.query(
    `insert into liveness (name, at) values ($1, clock_timestamp())
     on conflict (name) do update set at = excluded.at`,
    [name],
    'beat',
  );
}

/** Names seen within the last `withinMs`. */
export async function alive(sql: Sql, withinMs: number): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    `select name from liveness where at > clock_timestamp() - $1 * interval '1 millisecond' order by name`,
    [withinMs],
  );
  return rows.map((row) => row.name);
}
