/**
 * The guard: the last look before a message leaves. It reads facts, not unit states, so that an answer or a cancel that
 * was committed a moment ago stops the send, whether or not any step has seen it yet.
 */
import type { WarningStatus } from './revisions.ts';
import type { UnitId } from './unit.ts';
import type { Instant } from './time.ts';

export type Purpose =
  | 'rung'
  | 'bridge notice'
  | 'digest'
  | 'end report'
  | 'household'
  | 'cancel notice'
  | 'done reminder'
  | 'door to door'
  | 'change notice';

export type WarningFacts = {
  status: WarningStatus;
  expiresAt: Instant;
};

/** An answer as it was stored; `personId` is null for a household's. */
export type AnswerFact = {
  unitId: UnitId;
  personId: number | null;
  householdId: number | null;
  kind: 'received' | 'done' | 'cannot act';
  at: Instant;
  /** It was given to the superseded warning, and stands for this one. */
  carried?: boolean;
};

export type DropReason =
  'cancelled' | 'superseded' | 'expired' | 'answered' | 'cannot-act' | 'no-longer-needed';

/**
 * Why a message must not leave, or null where it may. `answers` are those of the recipient's unit.
 * A unit counts as answered when its last word, by whomever, is not *cannot act*.
 */
export function guard(input: {
  purpose: Purpose;
  warning: WarningFacts;
  now: Instant;
  recipientId: number;
  answers: readonly AnswerFact[];
  /** Of a notice that something has ended or changed: its recipient has no need of it, as it turned out. @default false */
  needless?: boolean;
}): DropReason | null {
  const { purpose, warning, answers } = input;
  if (purpose === 'cancel notice')
    return saysItIsOver(warning) && !input.needless ? null : 'no-longer-needed';
  if (warning.status === 'cancelled' || warning.status === 'superseded') return warning.status;
  if (warning.status === 'expired' || input.now >= warning.expiresAt) return 'expired';
  if (purpose === 'household') {
    // What a household said before stands, but it has not heard of the change.
    const own = answers.filter((answer) => answer.householdId === input.recipientId);
    return own.some((answer) => answer.carried !== true) ? 'answered' : null;
  }
  if (purpose === 'change notice') return input.needless ? 'no-longer-needed' : null;
  if (purpose === 'digest' || purpose === 'end report' || purpose === 'door to door') return null;
  if (purpose === 'done reminder') return doneAnswered(answers) ? 'answered' : null;
  if (unitAnswered(answers)) return 'answered';
  const own = lastOf(answers.filter((answer) => answer.personId === input.recipientId));
  return own?.kind === 'cannot act' ? 'cannot-act' : null;
}

/** Whoever was told of a cancelled warning hears of its end; of a superseded one those whom the new one leaves out. */
function saysItIsOver({ status }: WarningFacts): boolean {
  return status === 'cancelled' || status === 'superseded';
}

/** True where the unit's officials have answered and nobody has since said that it cannot be done. */
export function unitAnswered(answers: readonly AnswerFact[]): boolean {
  const last = lastOf(answers.filter((answer) => answer.householdId === null));
  return last !== null && last.kind !== 'cannot act';
}

/** True where an official has said that it is done, or that it cannot be done: neither wants a reminder. */
function doneAnswered(answers: readonly AnswerFact[]): boolean {
  const officials = answers.filter((answer) => answer.householdId === null);
  return officials.some((answer) => answer.kind === 'done') || lastOf(officials)?.kind === 'cannot act';
}

/** Of two acts in the same millisecond *cannot act* counts: rather one call too many. */
function lastOf(answers: readonly AnswerFact[]): AnswerFact | null {
  let last: AnswerFact | null = null;
  for (const answer of answers) {
    if (!last || answer.at > last.at || (answer.at === last.at && answer.kind === 'cannot act'))
      last = answer;
  }
  return last;
}

type Kind = { kind: 'exercise' | 'actual'; synthetic: boolean; exercise?: object | null };

/** The one positive predicate: an actual warning, to a real person, with nothing of an Exercise about it. */
export function mayReachThePublic(message: Kind): boolean {
  return message.kind === 'actual' && !message.synthetic && (message.exercise ?? null) === null;
}

/**
 * Who is at the other end of a sender: `true`, the public; `false`, stand-ins. A drill that some real people agreed to has two ends of
 * its own: the account that reaches them (`'agreed'`), and stand-ins for everybody else (`'simulated'`).
 */
export type Reach = boolean | 'agreed' | 'simulated';

export type ChannelRefusal =
  | 'synthetic-recipient'
  | 'exercise-on-live-channel'
  | 'actual-on-a-stand-in'
  | 'actual-on-a-drill-account'
  | 'real-recipient-on-a-stand-in';

/**
 * Why a channel must not carry this message, or null where it may. Live channels and stand-ins never take each other's; in a drill the
 * account takes Exercises to real people alone, who are none but those who agreed, and the stand-ins take none of theirs.
 */
export function channelRefusal(message: Kind, reach: Reach): ChannelRefusal | null {
  const { kind, synthetic } = message;
  switch (reach) {
    case true:
      if (mayReachThePublic(message)) return null;
      return synthetic ? 'synthetic-recipient' : 'exercise-on-live-channel';
    case 'agreed':
      if (kind !== 'exercise') return 'actual-on-a-drill-account';
      return synthetic ? 'synthetic-recipient' : null;
    case 'simulated':
      if (kind !== 'exercise') return 'actual-on-a-stand-in';
      return synthetic ? null : 'real-recipient-on-a-stand-in';
    case false:
      return kind === 'exercise' ? null : 'actual-on-a-stand-in';
    default:
      return reach satisfies never;
  }
}
