/** Answers from every side end here: checked, stored with their letters in one commit, and only then anyone is thanked. */
import { FenghuoError } from '../domain/errors.ts';
import { answerNumber, openToken, recipientName, type AnswerKeys } from '../domain/links.ts';
import { parseReply } from '../domain/reply.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import {
  countWrongTry,
  findDeliveryOwner,
  findFirstAnswer,
  findReplyCandidates,
  readWrongTries,
  storeHouseholdAnswer,
  storePersonAnswer,
  storeVouchedAnswer,
  takeReply,
  type AnswerAct,
  type DeliveryOwner,
  type RecordedAnswer,
  type ReplyCandidate,
} from '../db/answers.ts';
import type { Database, Sql } from '../db/database.ts';
import { findUnits } from './organisation-find.ts';
import { requireWarning } from './warnings.ts';
import type { WarningRow } from '../db/warnings.ts';

/** Wrong numbers a link takes; a guess among 10,000 has 5 in 10,000. */
export const WRONG_TRIES_MAX = 5;

/** Late answers are recorded as late; after this long past its end a warning takes none. */
export const GRACE_MS = 24 * 60 * MINUTE_MS;

export type AnswerPage = {
  owner: DeliveryOwner;
  warning: WarningRow;
  /** The first answer of this recipient, if there was one. */
  first: { at: number; kind: AnswerKind } | null;
  late: boolean;
};

/** What a link shows; null for a link that is wrong, dead, or was never made: the three look alike from outside. */
export async function openAnswerPage(
  database: Database,
  keys: AnswerKeys,
  token: string,
): Promise<AnswerPage | null> {
  const deliveryId = openToken(keys, token);
  if (deliveryId === null) return null;
  const owner = await findDeliveryOwner(database, deliveryId);
  if (!owner) return null;
  const warning = await requireWarning(database, owner.warningId);
  const endedAt = warning.endedAt ?? warning.expiresAt;
  if (Date.now() > endedAt + GRACE_MS) return null;
  const first = await findFirstAnswer(database, owner);
  return { owner, warning, first, late: Date.now() > endedAt };
}

export type LinkAnswer =
  | { kind: 'recorded'; units: RecordedAnswer[] }
  /** The four digits are not those of the message. */
  | { kind: 'wrong number'; triesLeft: number }
  | { kind: 'no such link' };

/** Takes an answer from the answer page. The number must be the message's; a link takes five wrong ones. */
export async function answerByLink(
  database: Database,
  keys: AnswerKeys,
  input: { token: string; number: string; answer: AnswerKind; doneCount: number | null },
): Promise<LinkAnswer> {
  const page = await openAnswerPage(database, keys, input.token);
  const deliveryId = openToken(keys, input.token);
  if (!page || deliveryId === null) return { kind: 'no such link' };
  const { owner } = page;
  const tries = await readWrongTries(database, deliveryId);
  if (tries >= WRONG_TRIES_MAX) return { kind: 'wrong number', triesLeft: 0 };
  const expected = answerNumber(keys, owner.warningId, recipientName(owner.audience, owner.recipientId));
  if (input.number.normalize('NFKC').trim() !== expected) {
    const wrong = await countWrongTry(database, deliveryId);
    return { kind: 'wrong number', triesLeft: Math.max(0, WRONG_TRIES_MAX - wrong) };
  }
  const act: AnswerAct = {
    warningId: owner.warningId,
    kind: input.answer,
    doneCount: input.doneCount,
    via: 'page',
    deliveryId,
  };
  return { kind: 'recorded', units: await store(database, owner, act) };
}

export type ReplyVerdict =
  'recorded' | 'repeated' | 'not understood' | 'nothing open' | 'which warning' | 'stop';

/**
 * Takes one reply of an SMS gateway. The sender's number says who; the message's number says which warning, and may be left
 * out only where one warning is open for the sender. The reply is taken once, in the commit that stores the answer.
 */
export async function answerByReply(
  database: Database,
  keys: AnswerKeys,
  reply: { id: string; from: string; text: string },
): Promise<ReplyVerdict> {
  const parsed = parseReply(reply.text);
  return database.transaction(async (sql) => {
    if (!parsed || 'stop' in parsed) {
      const verdict = parsed ? 'stop' : 'not understood';
      return (await takeReply(sql, reply.id, verdict)) ? verdict : 'repeated';
    }
    const candidates = await findReplyCandidates(sql, reply.from, GRACE_MS);
    const chosen = chooseCandidates(candidates, keys, parsed.code);
    const verdict = chosen.length > 0 ? 'recorded' : candidates.length > 0 ? 'which warning' : 'nothing open';
    if (!(await takeReply(sql, reply.id, verdict))) return 'repeated';
    for (const candidate of chosen) {
      await store(sql, candidate, {
        warningId: candidate.warningId,
        kind: parsed.answer,
        doneCount: parsed.count,
        via: 'gateway',
        deliveryId: null,
      });
    }
    return verdict;
  });
}

function chooseCandidates(
  candidates: ReplyCandidate[],
  keys: AnswerKeys,
  code: string | null,
): ReplyCandidate[] {
  if (code !== null) {
    return candidates.filter(
      (candidate) =>
        answerNumber(keys, candidate.warningId, recipientName(candidate.audience, candidate.recipientId)) ===
        code,
    );
  }
  const open = candidates.filter((candidate) => candidate.open);
  return open.length === 1 ? open : [];
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
  const recorded = await storeVouchedAnswer(database, unit.id, {
    warningId: input.warningId,
    kind: input.answer,
    doneCount: input.doneCount,
    via: 'command',
    deliveryId: null,
    vouchedBy: input.vouchedBy,
    how: input.how,
  });
  if (recorded.length > 0) return recorded;
  throw new FenghuoError({
    code: 'unit-not-warned',
    refusal: 'notFound',
    sentence: `${unit.name} is not concerned by W${input.warningId}. \`fenghuo warning show W${input.warningId}\` shows its area.`,
  });
}

function store(
  sql: Sql,
  owner: Pick<DeliveryOwner, 'audience' | 'recipientId'>,
  act: AnswerAct,
): Promise<RecordedAnswer[]> {
  return owner.audience === 'people'
    ? storePersonAnswer(sql, owner.recipientId, act)
    : storeHouseholdAnswer(sql, owner.recipientId, act);
}
