/**
 * Result classes: what a provider's code means for the message, for the recipient's address and for the sender that carried it.
 * Each channel file maps its vendor's codes to these in one table; what follows from a class is decided here and nowhere else.
 *
 * Sources: Twilio's error and warning dictionary, RFC 5321 (SMTP replies), RFC 3463 (enhanced status codes).
 */
import { MINUTE_MS } from './time.ts';

/** Why an address cannot be used for a channel any more, until it changes or its person opts in again. */
export type AddressFault = 'bad-contact' | 'opted-out' | 'landline';

type Class = {
  outcome: 'failed' | 'later' | 'unknown';
  /** Attempts of a delivery that may end in this class, the first one included; Infinity leaves it to the warning's end. */
  attemptsMost?: number;
  /** The next attempt comes no earlier, whatever the rule pack says; at the speed of life. */
  afterMsLeast?: number;
  /** The next attempt comes then, at whatever speed: the rule pack's waiting is for providers, and this was none's doing. */
  afterMs?: number;
  /** The ladder does not wait for the next attempt: the next rung begins meanwhile. */
  meanwhile?: true;
  /** This sender provably did not take the message: another sender of the channel may take it in the same attempt. */
  elsewhere?: true;
  /** What the sender does from now on; left out, it goes on. */
  sender?: 'slows down' | 'stops' | 'stops for a day';
  /** What it says about the address. */
  address?: AddressFault;
  /** An operator should know. */
  alarm?: true;
};

const CLASSES = {
  // ── provably not accepted: safe to send again ──
  throttled: { outcome: 'later', elsewhere: true, sender: 'slows down', attemptsMost: Infinity },
  config: { outcome: 'later', elsewhere: true, sender: 'stops', attemptsMost: Infinity, alarm: true },
  'provider-out': {
    outcome: 'later',
    elsewhere: true,
    sender: 'stops for a day',
    attemptsMost: Infinity,
    alarm: true,
  },
  /** No sender of the channel takes anything right now. */
  'no-sender': { outcome: 'later', attemptsMost: Infinity },
  'channel-not-configured': { outcome: 'later' },
  'session-refused': { outcome: 'later', elsewhere: true },
  'server-busy': { outcome: 'later', elsewhere: true },
  temporary: { outcome: 'later' },
  // RFC 5321 section 4.5.4.1: a greylisting server wants to see time pass.
  greylisted: { outcome: 'later', afterMsLeast: MINUTE_MS },
  'mailbox-full': { outcome: 'later', attemptsMost: 2, afterMsLeast: MINUTE_MS },
  /**
   * Our own doing, and nothing was tried: behind a limited rate it may happen any number of times. Beside two drills on two cores the
   * last 250 of an actual warning's 4,700 first messages came 38 s after its issue, 30 s of them by the rule pack's waiting.
   */
  'out-of-time': { outcome: 'later', attemptsMost: Infinity, afterMs: 1_000 },
  'merge-pending': { outcome: 'later' },
  /** The rule pack's limit of messages to one person is reached for now. */
  'person-throttled': { outcome: 'later', attemptsMost: Infinity },
  connection: { outcome: 'later', elsewhere: true },
  // ── heard of later, by a receipt ──
  'handset-off': { outcome: 'later', attemptsMost: 3, afterMsLeast: 5 * MINUTE_MS, meanwhile: true },
  'carrier-unknown': { outcome: 'later', attemptsMost: 2 },
  'validity-passed': { outcome: 'later', attemptsMost: 2 },
  // ── final ──
  'bad-contact': { outcome: 'failed', address: 'bad-contact' },
  'opted-out': { outcome: 'failed', address: 'opted-out' },
  landline: { outcome: 'failed', address: 'landline' },
  /** Final for this sender: another may be able to. */
  'other-sender': { outcome: 'failed', elsewhere: true },
  /** Final for this text: never repeated by the same sender. */
  filtered: { outcome: 'failed', elsewhere: true, alarm: true },
  /** More SMS parts than this sender may carry there. */
  'too-long': { outcome: 'failed', elsewhere: true, alarm: true },
  /** The same text went to this address as often as its country's rules let this sender. */
  'repeated-too-often': { outcome: 'failed', elsewhere: true },
  rejected: { outcome: 'failed' },
  'no-address': { outcome: 'failed' },
  /** A call that nobody took, or that a machine took: it was made, and nobody heard it. */
  'not-answered': { outcome: 'failed' },
  /** Taken back by ourselves while the provider still had it: nobody needed it any more. */
  recalled: { outcome: 'failed' },
  // ── it may have been accepted ──
  timeout: { outcome: 'unknown' },
  'server-error': { outcome: 'unknown' },
  'answer-unreadable': { outcome: 'unknown' },
  protocol: { outcome: 'unknown' },
  'lease-ran-out': { outcome: 'unknown' },
  defect: { outcome: 'unknown' },
} as const satisfies Record<string, Class>;

export type ResultClass = keyof typeof CLASSES;

export const RESULT_CLASSES = Object.keys(CLASSES) as ResultClass[];

/** What follows from a class; null for reasons of our own, such as a guard's. */
export function classOf(reason: string): Class | null {
  return Object.hasOwn(CLASSES, reason) ? CLASSES[reason as ResultClass] : null;
}

/** The result of a message of which a provider said so much. */
export function resultOf(reason: ResultClass): {
  outcome: 'failed' | 'later' | 'unknown';
  reason: ResultClass;
} {
  return { outcome: CLASSES[reason].outcome, reason };
}
