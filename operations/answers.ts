/** Answers from every side end here: checked, stored with their letters in one commit, and only then anyone is thanked. */
import {
  countWrongNumber,
  findLink,
  findLinkOwners,
  findReplyCandidates,
  isDataFault,
  storeLinkAnswers,
  storeVouchedAnswer,
  takeReplies,
  type AnswerAct,
  type LinkOwner,
  type LinkRecord,
  type LinkRow,
  type RecordedAnswer,
  type RecordedLink,
  type ReplyCandidate,
  type ReplyRow,
} from '../db/answers.ts';
import { isUnreachable, type Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { isAnswerNumber, openToken, recipientName, type AnswerKeys } from '../domain/links.ts';
import { parseReply } from '../domain/reply.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { findUnits } from './organisation-find.ts';
import { parseSender } from './answer-sender.ts';
import { together } from './together.ts';
import { requireWarning } from './warnings.ts';

/** Wrong numbers a link takes; a guess among 10,000 has 5 in 10,000. */
export const WRONG_TRIES_MAX = 5;

/** Late answers are recorded as late; after this long past its end a warning takes none. */
export const GRACE_MS = 24 * 60 * MINUTE_MS;

const LIMITS = { triesMax: WRONG_TRIES_MAX, graceMs: GRACE_MS };

/** Forms stored by one commit, and commits under way at once. */
const FORMS_PER_COMMIT = 256;
const FORM_COMMITS_AT_ONCE = 2;

/** Replies stored by one statement, and statements under way at once for one push: the web's pool serves pages beside. */
const REPLIES_PER_COMMIT = 100;
const COMMITS_AT_ONCE = 4;

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

export type LinkAnswer =
  | { kind: 'recorded'; link: RecordedLink; late: boolean }
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
  return async ({ token, number, answer, doneCount }) => {
    const deliveryId = openToken(keys, token);
    if (deliveryId === null) return { kind: 'no such link' };
    const digits = digitsOf(number);
    const taken = digits === null ? null : await take({ deliveryId, digits, answer, doneCount });
    if (taken?.outcome === 'recorded') {
      return { kind: 'recorded', link: taken, late: taken.at > taken.endsAt };
    }
    const tries =
      taken?.outcome === 'wrong number' ? await countWrongNumber(database, taken.owner, LIMITS) : 0;
    const link = await openAnswerLink(database, keys, token);
    // The grace may end between the look and the act: nothing was stored, so nobody is thanked.
    if (!link || taken?.outcome === 'too late') return { kind: 'no such link' };
    if (taken?.outcome === 'closed' || tries === null || tries >= WRONG_TRIES_MAX)
      return { kind: 'closed', link };
    if (taken) return { kind: 'wrong number', link, triesLeft: WRONG_TRIES_MAX - tries };
    return link.closed ? { kind: 'closed', link } : { kind: 'no number', link };
  };
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
  const taken = guesses.map(({ deliveryId, digits, answer, doneCount }): Taken | number => {
    const owner = owners.get(deliveryId);
    if (!owner) return { outcome: 'too late' };
    const { warningId, audience, recipientId } = owner;
    if (!isAnswerNumber(keys, warningId, recipientName(audience, recipientId), digits))
      return { outcome: 'wrong number', owner };
    const by = { audience, recipientId };
    return acts.push({ warningId, kind: answer, doneCount, via: 'page', deliveryId, by }) - 1;
  });
  const records = acts.length > 0 ? await storeLinkAnswers(database, acts, LIMITS) : [];
  return taken.map((one) => (typeof one === 'number' ? (records[one] ?? { outcome: 'too late' }) : one));
}

/** Four digits, in whatever width and grouping they were typed; null for anything else. */
function digitsOf(typed: string): string | null {
  const digits = typed.normalize('NFKC').replaceAll(/[\s.·-]/g, '');
  return /^[0-9]{4}$/.test(digits) ? digits : null;
}

export type GatewayReply = { id: string; from: string; text: string };

export type ReplyVerdict =
  'recorded' | 'repeated' | 'not understood' | 'nothing open' | 'which warning' | 'stop';

/**
 * Takes replies of an SMS gateway. The sender's number says who; the message's number says which warning, and may be left
 * out only where one warning is open for the sender and they have been told of it. Each reply is taken once, in the commit
 * that stores the answer; replies of one sender are taken in their order. Verdicts come in the order of `replies`. Where
 * some cannot be stored, the others are, and it throws: pushed again, those are repeated and these are tried anew.
 */
export async function answerByReplies(
  database: Database,
  keys: AnswerKeys,
  replies: readonly GatewayReply[],
): Promise<ReplyVerdict[]> {
  const verdicts: ReplyVerdict[] = new Array<ReplyVerdict>(replies.length);
  for (const round of rounds(replies)) {
    const chunks: IndexedReply[][] = [];
    for (let from = 0; from < round.length; from += REPLIES_PER_COMMIT)
      chunks.push(round.slice(from, from + REPLIES_PER_COMMIT));
    const queue = chunks.values();
    const takeSome = async () => {
      for (const chunk of queue) await takeChunk(database, keys, chunk, verdicts);
    };
    const lanes = Array.from({ length: Math.min(COMMITS_AT_ONCE, chunks.length) }, takeSome);
    const failed = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected');
    if (failed) throw failed.reason;
  }
  return verdicts;
}

/** Takes one reply; see `answerByReplies`. */
export async function answerByReply(
  database: Database,
  keys: AnswerKeys,
  reply: GatewayReply,
): Promise<ReplyVerdict> {
  const [verdict] = await answerByReplies(database, keys, [reply]);
  if (!verdict) throw new RangeError('a reply without a verdict');
  return verdict;
}

type IndexedReply = { index: number; sender: string | null; reply: GatewayReply };

/** Rounds in which no sender and no id stands twice, so that each round can be stored in any order. */
function rounds(replies: readonly GatewayReply[]): IndexedReply[][] {
  const result: IndexedReply[][] = [];
  const seen = new Map<string, number>();
  for (const [index, reply] of replies.entries()) {
    const sender = parseSender(reply.from);
    const keysOfReply = [`id ${reply.id}`, `from ${sender ?? reply.id}`];
    const round = Math.max(...keysOfReply.map((key) => seen.get(key) ?? 0));
    for (const key of keysOfReply) seen.set(key, round + 1);
    (result[round] ??= []).push({ index, sender, reply });
  }
  return result;
}

/** Where a chunk cannot be stored for what stands in it, its halves are: one reply that breaks the statement holds up no other. */
async function takeChunk(
  database: Database,
  keys: AnswerKeys,
  chunk: readonly IndexedReply[],
  verdicts: ReplyVerdict[],
): Promise<void> {
  try {
    const rows = await judgeReplies(database, keys, chunk);
    const taken = await takeReplies(database, rows, GRACE_MS);
    for (const [place, { index }] of chunk.entries()) {
      const row = rows[place];
      if (row) verdicts[index] = taken.has(row.id) ? row.verdict : 'repeated';
    }
  } catch (error) {
    if (!isDataFault(error) || chunk.length === 1) throw error;
    const middle = Math.ceil(chunk.length / 2);
    const halves = [chunk.slice(0, middle), chunk.slice(middle)];
    const settled = await Promise.allSettled(halves.map((half) => takeChunk(database, keys, half, verdicts)));
    const failed = settled.find((half) => half.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

type JudgedReply = ReplyRow & { verdict: ReplyVerdict };

async function judgeReplies(
  database: Database,
  keys: AnswerKeys,
  chunk: readonly IndexedReply[],
): Promise<JudgedReply[]> {
  const parsed = chunk.map(({ reply }) => parseReply(reply.text));
  const senders = chunk.flatMap(({ sender }, place) => {
    const reply = parsed[place];
    return sender !== null && reply && !('stop' in reply) ? [sender] : [];
  });
  const candidates = senders.length > 0 ? await findReplyCandidates(database, senders, GRACE_MS) : [];
  return chunk.map(({ sender, reply: { id } }, place) => {
    const reply = parsed[place];
    if (!reply) return { id, verdict: 'not understood', act: null };
    if ('stop' in reply) return { id, verdict: 'stop', act: null };
    const possible = candidates.filter(({ address }) => address === sender);
    if (possible.length === 0) return { id, verdict: 'nothing open', act: null };
    const chosen = chooseCandidate(possible, keys, reply.code);
    if (!chosen) return { id, verdict: 'which warning', act: null };
    const { warningId, audience, recipientId } = chosen;
    const act: AnswerAct = {
      warningId,
      kind: reply.answer,
      doneCount: reply.count,
      via: 'gateway',
      deliveryId: null,
      by: { audience, recipientId },
    };
    return { id, verdict: 'recorded', act };
  });
}

/**
 * The one recipient and warning a reply can only mean; null where it could mean two. A number of the message that fits
 * both an open and an ended warning means the open one. Without it, a telephone that two people share names nobody, and
 * who has not been told answers something else.
 */
function chooseCandidate(
  candidates: readonly ReplyCandidate[],
  keys: AnswerKeys,
  code: string | null,
): ReplyCandidate | null {
  const open = candidates.filter((candidate) => candidate.open);
  if (code === null) {
    const [only] = open;
    return only && open.length === 1 && only.told ? only : null;
  }
  const fits = ({ warningId, audience, recipientId }: ReplyCandidate) =>
    isAnswerNumber(keys, warningId, recipientName(audience, recipientId), code);
  const fittingOpen = open.filter(fits);
  const fitting = fittingOpen.length > 0 ? fittingOpen : candidates.filter(fits);
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}

/** Takes an answer from the command line: an officer writes down what they heard, and who vouches for it. */
export async function answerByCommand(
  database: Database,
  input: {
    warningId: number;
    unit: string;
    answer: AnswerKind;
    doneCount: number | null;
    vouchedBy: string;
    how: string;
  },
): Promise<RecordedAnswer[]> {
  await requireWarning(database, input.warningId);
  const unit = await findUnits(database, input.unit);
  const recorded = await storeVouchedAnswer(database, {
    warningId: input.warningId,
    kind: input.answer,
    doneCount: input.doneCount,
    via: 'command',
    deliveryId: null,
    by: { audience: 'vouched', unitId: unit.id, vouchedBy: input.vouchedBy, how: input.how },
  });
  if (recorded.length > 0) return recorded;
  throw new FenghuoError({
    code: 'unit-not-warned',
    refusal: 'notFound',
    sentence: `${unit.name} is not concerned by W${input.warningId}. \`fenghuo warning show W${input.warningId}\` shows its area.`,
  });
}
