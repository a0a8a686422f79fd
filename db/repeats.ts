/** How often the same text went to an address by a sender: some countries limit it, and what is beyond is thrown away unseen. */
import type { Sql } from './database.ts';

/**
 * Counts one more of a text to an address within 24 hours; false where there were `most` already. Of two at the same moment one too
 * many may pass: the provider counts for itself.
 */
export async function takeRepeat(
  sql: Sql,
  input: { sender: string; address: string; text: string; most: number },
): Promise<boolean> {
  const rows = await sql.query(
    `with forgotten as (
       delete from repeats r where r.sender = $1 and r.address = $2 and r.at <= clock_timestamp() - interval '1 day')
     insert into repeats (sender, address, digest)
     select $1, $2, sha256(convert_to($3, 'UTF8')) where (
       select count(*) from repeats r where r.sender = $1 and r.address = $2 and r.digest = sha256(convert_to($3, 'UTF8'))
         and r.at > clock_timestamp() - interval '1 day') < $4
     returning 1`,
    [input.sender, input.address, input.text, input.most],
    'take-repeat',
  );
  return rows.length > 0;
}
