/**
 * What becomes of a delivery. Outcomes of single attempts only ever raise a delivery's state, so late, repeated or
 * reordered news change nothing.
 */
import { classOf } from './results.ts';
import type { Rules } from './rules.ts';

/** What came of one attempt, as PostgreSQL keeps it. */
export type Outcome = 'handed off' | 'merged' | 'failed' | 'later' | 'unknown' | 'dropped';

/** A delivery as a whole: `planned` until an attempt has an outcome. */
export type DeliveryState = 'planned' | Outcome;

/**
 * From least to most certain that the person has the message. `later` was provably not sent; `failed` and `dropped` are
 * final without a message; `unknown` may have arrived; `merged` rides on another delivery to the same person.
 */
const RISING: readonly DeliveryState[] = [
  'planned',
  'later',
  'dropped',
  'failed',
  'unknown',
  'merged',
  'handed off',
];

/** The higher of two states: commutative, associative, idempotent. */
export function rise(one: DeliveryState, other: DeliveryState): DeliveryState {
  return RISING.indexOf(one) >= RISING.indexOf(other) ? one : other;
}

/** True where a correction must follow: the message was sent, or may have been. */
export function notProvablyUnsent(state: DeliveryState): boolean {
  return state === 'handed off' || state === 'merged' || state === 'unknown';
}

/** What follows from an attempt's outcome: wait so long and try again, or what the unit hears. */
export type Consequence =
  | { kind: 'retry'; afterMs: number; possibleDuplicate: boolean }
  | { kind: 'handed off' }
  | { kind: 'exhausted' }
  | { kind: 'nothing' };

/**
 * What follows from an attempt. Attempts are bounded by the rule pack and by the class of the result; an unknown outcome is tried
 * again, flagged as a possible duplicate. `speed` shortens a class's own waiting, as it has shortened the rule pack's.
 */
export function consequence(
  result: { outcome: Outcome; reason?: string | null },
  attempt: number,
  retry: Rules['retry'],
  speed = 1,
): Consequence {
  const { outcome } = result;
  const rule = classOf(result.reason ?? '');
  switch (outcome) {
    case 'handed off':
    case 'merged':
      return { kind: 'handed off' };
    case 'failed':
      return { kind: 'exhausted' };
    case 'dropped':
      return { kind: 'nothing' };
    case 'later': {
      if (attempt >= (rule?.attemptsMost ?? retry.attemptsMost)) return { kind: 'exhausted' };
      const afterMs = rule?.afterMs ?? retry.laterMs[Math.min(attempt, retry.laterMs.length) - 1] ?? 0;
      const leastMs = Math.ceil((rule?.afterMsLeast ?? 0) / speed);
      return { kind: 'retry', afterMs: Math.max(afterMs, leastMs), possibleDuplicate: false };
    }
    case 'unknown':
      if (attempt >= retry.attemptsMost) return { kind: 'exhausted' };
      return { kind: 'retry', afterMs: retry.unknownMs, possibleDuplicate: true };
    default:
      return outcome satisfies never;
  }
}
