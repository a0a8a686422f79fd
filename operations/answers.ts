/** Answers in words end here: replies, and what an officer writes down. They are stored with their letters in one commit. */
import { storeVouchedAnswer, type AnswerAct, type RecordedAnswer } from '../db/answers.ts';
import { appendRecord } from '../db/audit.ts';
import { isDataFault, isUnreachable, type Database, type Sql } from '../db/database.ts';
import {
  findReplyCandidates,
  optAddresses,
  takeBacks,
  takeReplies,
  type OptedAddress,
  type ReplyCandidate,
  type ReplyRow,
  type TakenReply,
} from '../db/replies.ts';
import { markAddresses } from '../db/receipts.ts';
import { FenghuoError } from '../domain/errors.ts';
import { nameOfKind, type WarningKind } from '../domain/kinds.ts';
import { isAnswerNumber, recipientName, type AnswerKeys } from '../domain/links.ts';
import { backText, type Back, type ReplyKind } from '../domain/reply-texts.ts';
import { parseReply } from '../domain/reply.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { findUnits } from './organisation-find.ts';
import { parseSender } from './answer-sender.ts';
import { refusalOf } from './refusals.ts';
import { together } from './together.ts';
import { requireWarning } from './warnings.ts';

/** Late answers are recorded as late; after this long past its end a warning takes none. */
export const GRACE_MS = 24 * 60 * MINUTE_MS;

/** Replies stored by one statement, and statements under way at once for one push: the web's pool serves pages beside. */
const REPLIES_PER_COMMIT = 100;
const COMMITS_AT_ONCE = 4;

/**
 * Pushes taken together, and pieces under way at once. Of 20,000 replies in pushes of 12 each cost 0.73 ms of processor time by itself,
 * in pushes of 100 0.37: the greater part is the fixed cost of a transaction, and of the steps that come of it.
 */
const PUSHES_MOST = 64;
const PIECES_AT_ONCE = 1;

/** What is said back to one number: enough for a person who errs twice, and two machines soon fall silent. */
const BACKS = { most: 3, withinMs: 60 * MINUTE_MS };

export type GatewayReply = { id: string; from: string; text: string };

/** Whose push a reply came with (stored as the answer's way), and the kind of warnings that this provider carries. */
export type ReplyDoor = { via: 'gateway' | 'twilio'; serves: WarningKind };

export type ReplyVerdict =
  | 'recorded'
  | 'repeated'
  | 'not understood'
  | 'nothing open'
  | 'which warning'
  | 'too late'
  | 'stop'
  | 'start';

/** What became of a reply, and what to say to its sender, in their language; null where nothing is. */
export type ReplyOutcome = {
  verdict: ReplyVerdict;
  sayBack: string | null;
  /** Of the warning that is spoken of, where it is one. */
  kind: ReplyKind;
};

/**
 * Takes replies of a provider. The sender's number says who; the message's number says which warning, and may be left
 * out only where one warning is open for the sender and they have been told of it. Each reply is taken once, in the commit
 * that stores the answer; replies of one sender are taken in their order. Nothing said to a provider of one kind counts for a
 * warning of the other, and ids are each kind's own. Outcomes come in the order of `replies`. Where
 * some cannot be stored, the others are, and it throws: pushed again, those are repeated and these are tried anew.
 */
export async function answerByReplies(
  database: Database,
  keys: AnswerKeys,
  replies: readonly GatewayReply[],
  door: ReplyDoor,
): Promise<ReplyOutcome[]> {
  const outcomes: ReplyOutcome[] = new Array<ReplyOutcome>(replies.length);
  for (const round of rounds(replies)) {
    const chunks: IndexedReply[][] = [];
    for (let from = 0; from < round.length; from += REPLIES_PER_COMMIT)
      chunks.push(round.slice(from, from + REPLIES_PER_COMMIT));
    const queue = chunks.values();
    const takeSome = async () => {
      for (const chunk of queue) await takeChunk({ database, keys, door, outcomes }, chunk);
    };
    const lanes = Array.from({ length: Math.min(COMMITS_AT_ONCE, chunks.length) }, takeSome);
    const failed = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected');
    if (failed) throw failed.reason;
  }
  return outcomes;
}

/** Takes pushes of replies: those that come at the same time share their commits, and each ends when its own are stored. */
export function answersByReplies(
  database: Database,
  keys: AnswerKeys,
  door: ReplyDoor,
): (push: readonly GatewayReply[]) => Promise<ReplyOutcome[]> {
  return together({
    most: PUSHES_MOST,
    atOnce: PIECES_AT_ONCE,
    work: async (pushes: readonly (readonly GatewayReply[])[]) => {
      const outcomes = await answerByReplies(database, keys, pushes.flat(), door);
      return pushes.map((push) => outcomes.splice(0, push.length));
    },
    mayBeOfOne: (error) => !isUnreachable(error),
  });
}

/** Takes one reply; see `answerByReplies`. */
export async function answerByReply(
  database: Database,
  keys: AnswerKeys,
  reply: GatewayReply,
  serves: WarningKind = 'exercise',
): Promise<ReplyVerdict> {
  const [outcome] = await answerByReplies(database, keys, [reply], { via: 'gateway', serves });
  if (!outcome) throw new RangeError('a reply without an outcome');
  return outcome.verdict;
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

type Taking = { database: Database; keys: AnswerKeys; door: ReplyDoor; outcomes: ReplyOutcome[] };

/** Where a chunk cannot be stored for what stands in it, its halves are: one reply that breaks the statement holds up no other. */
async function takeChunk(taking: Taking, chunk: readonly IndexedReply[]): Promise<void> {
  try {
    const judged = await judgeReplies(taking, chunk);
    const outcomes = await taking.database.transaction((sql) => storeReplies(sql, judged));
    for (const [place, outcome] of outcomes.entries()) {
      const reply = chunk[place];
      if (reply) taking.outcomes[reply.index] = outcome;
    }
  } catch (error) {
    if (!isDataFault(error) || chunk.length === 1) throw error;
    const middle = Math.ceil(chunk.length / 2);
    const halves = [chunk.slice(0, middle), chunk.slice(middle)];
    const settled = await Promise.allSettled(halves.map((half) => takeChunk(taking, half)));
    const failed = settled.find((half) => half.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

/** A reply as it was understood; `candidates` are whom its sender may answer for. */
type JudgedReply = ReplyRow & {
  verdict: ReplyVerdict;
  sender: string | null;
  candidates: readonly ReplyCandidate[];
  chosen: ReplyCandidate | null;
};

async function judgeReplies(
  { database, keys, door }: Taking,
  chunk: readonly IndexedReply[],
): Promise<JudgedReply[]> {
  const { via, serves } = door;
  const senders = chunk.flatMap(({ sender }) => (sender === null ? [] : [sender]));
  const found = senders.length > 0 ? await findReplyCandidates(database, senders, serves, GRACE_MS) : [];
  const bySender = new Map<string, ReplyCandidate[]>();
  for (const candidate of found) {
    const known = bySender.get(candidate.address);
    if (known) known.push(candidate);
    else bySender.set(candidate.address, [candidate]);
  }
  return chunk.map(({ sender, reply: { id: pushedId, text } }) => {
    const id = nameOfKind(serves, pushedId);
    const candidates = (sender === null ? null : bySender.get(sender)) ?? [];
    const without = (verdict: ReplyVerdict): JudgedReply => ({
      ...{ id, sender, candidates, verdict },
      act: null,
      chosen: null,
    });
    const reply = parseReply(text);
    if (!reply) return without('not understood');
    if ('stop' in reply) return without('stop');
    if ('start' in reply) return without('start');
    if (candidates.length === 0) return without('nothing open');
    const chosen = chooseCandidate(candidates, keys, reply.code);
    if (!chosen) return without('which warning');
    const { warningId, audience, recipientId } = chosen;
    const act: AnswerAct = {
      warningId,
      kind: reply.answer,
      doneCount: reply.count,
      via,
      deliveryId: null,
      by: { audience, recipientId },
    };
    return { ...without('recorded'), act, chosen };
  });
}

/** Stores replies, what they change, and that something is said back, in one commit. */
async function storeReplies(sql: Sql, judged: readonly JudgedReply[]): Promise<ReplyOutcome[]> {
  const taken = await takeReplies(sql, judged, GRACE_MS);
  const fresh = judged.filter(({ id }) => taken.has(id));
  await markAddresses(
    sql,
    fresh.flatMap(({ chosen }) => (chosen ? [provenBySms(chosen)] : [])),
  );
  const opted = new Map<string, OptedAddress>();
  for (const [verdict, to] of [
    ['stop', 'out'],
    ['start', 'in'],
  ] as const) {
    const asking = fresh.filter((reply) => reply.verdict === verdict);
    const addresses = asking.flatMap(({ sender }) => (sender === null ? [] : [sender]));
    for (const changed of await optAddresses(sql, addresses, to)) opted.set(changed.address, changed);
  }
  const outcomes = judged.map((reply) => outcomeOf(reply, taken.get(reply.id) ?? null, opted));
  const saying = judged.flatMap(({ sender }, place) =>
    sender !== null && outcomes[place]?.sayBack != null ? [sender] : [],
  );
  const allowed = await takeBacks(sql, saying, BACKS);
  return outcomes.map((outcome, place) =>
    allowed.has(judged[place]?.sender ?? '') ? outcome : { ...outcome, sayBack: null },
  );
}

/** Who has written with the number of their message has the telephone in their hand. */
function provenBySms({ audience, recipientId }: ReplyCandidate) {
  return { place: { audience, recipientId, channel: 'sms' as const }, fault: null };
}

/** Nothing is said to numbers that are nobody's here, or that nothing was sent to. */
function outcomeOf(
  reply: JudgedReply,
  taken: TakenReply | null,
  opted: ReadonlyMap<string, OptedAddress>,
): ReplyOutcome {
  if (!taken) return { verdict: 'repeated', sayBack: null, kind: null };
  const { act, chosen, candidates } = reply;
  const verdict = act !== null && taken.units.length === 0 ? 'too late' : reply.verdict;
  const say = (back: Back): ReplyOutcome => ({ verdict, sayBack: backText(back), kind: back.kind });
  const nothing: ReplyOutcome = { verdict, sayBack: null, kind: null };
  if (verdict === 'stop' || verdict === 'start') {
    const changed = opted.get(reply.sender ?? '');
    const words = verdict === 'stop' ? 'stopped' : 'started';
    return changed ? say({ say: words, language: changed.language, kind: null }) : nothing;
  }
  const open = candidates.filter((candidate) => candidate.open);
  const about = chosen ?? open[0] ?? candidates[0];
  if (!about) return nothing;
  const { language, kind } = about;
  if (verdict === 'recorded' && act) {
    const { by, units, at } = taken;
    return say({
      say: verdict,
      language,
      kind,
      by: by ?? '',
      units,
      at,
      answer: act.kind,
      count: act.doneCount,
    });
  }
  if (verdict === 'which warning')
    return say({ say: verdict, language, kind, warnings: open.length > 0 ? open : [about] });
  return verdict === 'not understood' || verdict === 'too late'
    ? say({ say: verdict, language, kind })
    : nothing;
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

/**
 * Takes an answer from the command line: an officer writes down what they heard, and who vouches for it. To an actual warning nobody does so
 * without being logged in: `actor` is who, for the record; null for an Exercise.
 */
export async function answerByCommand(
  database: Database,
  input: {
    warningId: number;
    unit: string;
    answer: AnswerKind;
    doneCount: number | null;
    vouchedBy: string;
    how: string;
    /** @default null */
    actor?: string | null;
  },
): Promise<RecordedAnswer[]> {
  const { warningId, answer, doneCount, vouchedBy, how, actor = null } = input;
  const { kind } = await requireWarning(database, warningId);
  if (kind === 'actual' && actor === null) throw refusalOf('no-operator');
  const unit = await findUnits(database, input.unit);
  const recorded = await database.transaction(async (sql) => {
    const by = { audience: 'vouched', unitId: unit.id, vouchedBy, how } as const;
    const act = { warningId, kind: answer, doneCount, via: 'command', deliveryId: null, by } as const;
    const stored = await storeVouchedAnswer(sql, act);
    if (kind === 'actual' && stored.length > 0) {
      const body = { unit: unit.id, answer, vouchedBy, how };
      await appendRecord(sql, { kind: 'answer', warningId, actor, body });
    }
    return stored;
  });
  if (recorded.length > 0) return recorded;
  throw new FenghuoError({
    code: 'unit-not-warned',
    refusal: 'notFound',
    sentence: `${unit.name} is not concerned by W${input.warningId}. \`fenghuo warning show W${input.warningId}\` shows its area.`,
  });
}
