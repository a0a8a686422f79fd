/** Answers through links: the number is checked, the answer stored with its letters in one commit, and only then anyone is thanked. */
import {
  countWrongNumber,
  findLink,
  findLinkOwners,
  storeLinkAnswers,
  type LinkOwner,
  type LinkRecord,
  type LinkRow,
  type RecordedLink,
} from '../db/answer-links.ts';
import type { AnswerAct } from '../db/answers.ts';
import { isUnreachable, type Database } from '../db/database.ts';
import { isAnswerNumber, openToken, recipientName, type AnswerKeys } from '../domain/links.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { GRACE_MS } from './answers.ts';
import { together } from './together.ts';

/** Wrong numbers a link takes; a guess among 10,000 has 5 in 10,000. */
export const WRONG_TRIES_MAX = 5;

export const LIMITS = { triesMax: WRONG_TRIES_MAX, graceMs: GRACE_MS };

/** Forms stored by one commit, and commits under way at once. */
const FORMS_PER_COMMIT = 256;
const FORM_COMMITS_AT_ONCE = 2;

/** Closed links that are remembered. */
const CLOSED_KEPT_MAX = 100_000;

/** What a link shows. */
export type AnswerLink = LinkRow & {
  /** The warning has ended; an answer is recorded as late. */
  late: boolean;
  /** Too many wrong numbers were entered: the link takes no more. */
  closed: boolean;
};

/** What a link shows; null for a link that is wrong, dead, or was never made: the three look alike from outside. */
export async function openAnswerLink(
  database: Database,
  keys: AnswerKeys,
  token: string,
): Promise<AnswerLink | null> {
  const deliveryId = openToken(keys, token);
  if (deliveryId === null) return null;
  const link = await findLink(database, deliveryId);
  if (!link || link.now > link.endsAt + GRACE_MS) return null;
  return { ...link, late: link.now > link.endsAt, closed: link.tries >= WRONG_TRIES_MAX };
}

export type LinkAnswer = { kind: 'recorded'; link: RecordedLink; late: boolean } | RefusedLink;

/** Nothing was stored. */
export type RefusedLink =
  /** What was entered does not have four digits: it is no guess, and no try is lost. */
  | { kind: 'no number'; link: AnswerLink }
  /** The four digits are not those of the message. */
  | { kind: 'wrong number'; link: AnswerLink; triesLeft: number }
  /** Too many wrong numbers, now or before. */
  | { kind: 'closed'; link: AnswerLink }
  | { kind: 'no such link' };

export type LinkForm = { token: string; number: string; answer: AnswerKind; doneCount: number | null };

/**
 * Takes answers from the answer page. The number must be the message's; a link takes five wrong ones. Forms that come at the
 * same time are stored in one commit, and each is answered after it.
 */
export function answersByLink(database: Database, keys: AnswerKeys): (form: LinkForm) => Promise<LinkAnswer> {
  const take = together({
    most: FORMS_PER_COMMIT,
    atOnce: FORM_COMMITS_AT_ONCE,
    work: (guesses: readonly Guess[]) => takeGuesses(database, keys, guesses),
    mayBeOfOne: (error) => !isUnreachable(error),
  });
  /** Closed links stay closed: a flood of numbers for one of them is not looked up again. */
  const closed = new Set<number>();
  return async ({ token, number, answer, doneCount }) => {
    const deliveryId = openToken(keys, token);
    if (deliveryId === null) return { kind: 'no such link' };
    if (closed.has(deliveryId)) return refusedLink(database, keys, token, { outcome: 'closed' });
    const digits = digitsOf(number);
    const taken = digits === null ? null : await take({ deliveryId, digits, answer, doneCount });
    if (taken?.outcome === 'recorded') {
      return { kind: 'recorded', link: taken, late: taken.at > taken.endsAt };
    }
    const refused = await refusedLink(database, keys, token, taken);
    if (closed.size >= CLOSED_KEPT_MAX) closed.clear();
    if (refused.kind === 'closed') closed.add(deliveryId);
    return refused;
  };
}

/** Why nothing was taken through a link, after a wrong number is counted; null where the form had no number. */
export type Untaken =
  { outcome: 'wrong number'; owner: LinkOwner } | { outcome: 'closed' | 'too late' } | null;

export async function refusedLink(
  database: Database,
  keys: AnswerKeys,
  token: string,
  untaken: Untaken,
): Promise<RefusedLink> {
  const tries =
    untaken?.outcome === 'wrong number' ? await countWrongNumber(database, untaken.owner, LIMITS) : 0;
  const link = await openAnswerLink(database, keys, token);
  // The grace may end between the look and the act: nothing was stored, so nobody is thanked.
  if (!link || untaken?.outcome === 'too late') return { kind: 'no such link' };
  if (untaken?.outcome === 'closed' || tries === null || tries >= WRONG_TRIES_MAX)
    return { kind: 'closed', link };
  if (untaken) return { kind: 'wrong number', link, triesLeft: WRONG_TRIES_MAX - tries };
  return link.closed ? { kind: 'closed', link } : { kind: 'no number', link };
}

/** Takes one form; see `answersByLink`. */
export function answerByLink(database: Database, keys: AnswerKeys, form: LinkForm): Promise<LinkAnswer> {
  return answersByLink(database, keys)(form);
}

/** A form with four digits in it. */
type Guess = { deliveryId: number; digits: string; answer: AnswerKind; doneCount: number | null };

type Taken = LinkRecord | { outcome: 'wrong number'; owner: LinkOwner };

/** Stores those with the right number in one commit. */
async function takeGuesses(
  database: Database,
  keys: AnswerKeys,
  guesses: readonly Guess[],
): Promise<Taken[]> {
  const deliveryIds = guesses.map(({ deliveryId }) => deliveryId);
  const owners = new Map(
    (await findLinkOwners(database, deliveryIds)).map((owner) => [owner.deliveryId, owner]),
  );
  const acts: AnswerAct[] = [];
  const own: AnswerAct[] = [];
  const taken = guesses.map(({ deliveryId, digits, answer, doneCount }): Taken | number => {
    const owner = owners.get(deliveryId);
    if (!owner) return { outcome: 'too late' };
    const { audience, recipientId } = owner;
    if (!isOwnersNumber(keys, owner, digits)) return { outcome: 'wrong number', owner };
    const by = { audience, recipientId };
    const act = { kind: answer, doneCount, via: 'page' as const, deliveryId, by };
    own.push({ ...act, warningId: owner.warningId });
    return acts.push({ ...act, warningId: owner.newestId }) - 1;
  });
  const records = acts.length > 0 ? await storeLinkAnswers(database, acts, LIMITS) : [];
  await countForOwn(database, { acts, own, records });
  return taken.map((one) => (typeof one === 'number' ? (records[one] ?? { outcome: 'too late' }) : one));
}

/** The number of the message itself, or of a later message of its chain: the page shows what that one said. */
export function isOwnersNumber(keys: AnswerKeys, owner: LinkOwner, digits: string): boolean {
  const name = recipientName(owner.audience, owner.recipientId);
  return [owner.warningId, owner.newestId].some((warningId) => isAnswerNumber(keys, warningId, name, digits));
}

/** Whoever the newest warning leaves out answers the one they were told of. */
async function countForOwn(
  database: Database,
  { acts, own, records }: { acts: AnswerAct[]; own: AnswerAct[]; records: LinkRecord[] },
): Promise<void> {
  const left = records.flatMap((record, place) =>
    record.outcome === 'too late' && acts[place]?.warningId !== own[place]?.warningId ? [place] : [],
  );
  if (left.length === 0) return;
  const stored = await storeLinkAnswers(
    database,
    left.flatMap((place) => own[place] ?? []),
    LIMITS,
  );
  for (const [index, place] of left.entries()) records[place] = stored[index] ?? { outcome: 'too late' };
}

/** Four digits, in whatever width and grouping they were typed; null for anything else. */
export function digitsOf(typed: string): string | null {
  const digits = typed.normalize('NFKC').replaceAll(/[\s.·-]/g, '');
  return /^[0-9]{4}$/.test(digits) ? digits : null;
}
