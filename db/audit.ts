/**
 * The record that stands in court: what every step took, and what people did. The database itself puts each line at the end of its
 * chain (migration 0009): place and hash are not for whoever writes the line to say.
 */
import type { Sql } from './database.ts';

/** What somebody did. `body` is JSON; no telephone number and no secret goes into it. */
export type ActRecord = {
  /** What was done, in a word or two of small letters: `draft`, `publish`, `pause`. */
  kind: string;
  /** Null for acts that concern no single warning; they share one chain. */
  warningId: number | null;
  /** Who did it, by name; null where the engine itself did. */
  actor: string | null;
  body: unknown;
};

/** Appends an act to its chain, in the transaction of the act itself: neither stands without the other. */
export async function appendRecord(sql: Sql, record: ActRecord): Promise<void> {
  const { kind, warningId, actor, body } = record;
  await sql.query('insert into audit (chain, kind, actor, body) values ($1, $2, $3, $4)', [
    actsChain(warningId),
    kind,
    actor,
    JSON.stringify(body),
  ]);
}

/** The chain of what people did about one warning, or about none. */
export function actsChain(warningId: number | null): string {
  return warningId === null ? 'acts' : `acts-${warningId}`;
}
