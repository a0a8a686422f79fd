/** What a link and its number allow beside an answer: the number is checked as for an answer, and a wrong one counts the same. */
import { findLinkOwners, holdTries, type LinkOwner } from '../db/answer-links.ts';
import type { Database, Sql } from '../db/database.ts';
import { openToken, type AnswerKeys } from '../domain/links.ts';
import {
  digitsOf,
  isOwnersNumber,
  LIMITS,
  refusedLink,
  type RefusedLink,
  type Untaken,
} from './answer-links.ts';

export type Admitted<T> = { kind: 'admitted'; value: T } | RefusedLink;

/**
 * Does `work` in one transaction where the number is the message's and the link still takes it. A wrong number that is being
 * counted is waited for. `work` gets whose link it is: what follows from that is its own to check.
 */
export async function withNumber<T>(
  database: Database,
  keys: AnswerKeys,
  given: { token: string; number: string },
  work: (sql: Sql, owner: LinkOwner) => Promise<T>,
): Promise<Admitted<T>> {
  const deliveryId = openToken(keys, given.token);
  if (deliveryId === null) return { kind: 'no such link' };
  const digits = digitsOf(given.number);
  const refuse = (untaken: Untaken) => refusedLink(database, keys, given.token, untaken);
  if (digits === null) return refuse(null);
  const [owner] = await findLinkOwners(database, [deliveryId]);
  if (!owner) return refuse({ outcome: 'too late' });
  if (!isOwnersNumber(keys, owner, digits)) return refuse({ outcome: 'wrong number', owner });
  const taken = await database.transaction(async (sql) => {
    const tries = await holdTries(sql, owner, LIMITS.graceMs);
    if (tries === null) return { outcome: 'too late' as const };
    if (tries >= LIMITS.triesMax) return { outcome: 'closed' as const };
    return { outcome: 'done' as const, value: await work(sql, owner) };
  });
  return taken.outcome === 'done' ? { kind: 'admitted', value: taken.value } : refuse(taken);
}
