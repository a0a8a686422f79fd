/**
 * Twilio's results in one table: its error codes, the same for a refusal at once and for a callback later, and its statuses.
 *
 * Source: Twilio's error and warning dictionary (twilio.com/docs/api/errors) and its pages on message and call statuses.
 */
import type { SendResult } from '../domain/ports.ts';
import type { ReceiptState } from '../domain/receipts.ts';
import { resultOf, type ResultClass } from '../domain/results.ts';

/** By error code. */
const CODES: Readonly<Record<string, ResultClass>> = {
  20429: 'throttled', // too many requests
  30022: 'throttled', // message rate exceeded for this kind of number
  63018: 'throttled', // message rate exceeded for the channel
  10004: 'throttled', // too many calls at once
  20003: 'config', // authentication
  30002: 'config', // account suspended
  21606: 'config', // the sender's number cannot send to this destination by SMS
  21212: 'config', // the sender's number is not valid
  63038: 'provider-out', // the account's daily limit
  21211: 'bad-contact', // the recipient's number is not valid
  21217: 'bad-contact', // the same, of a call
  13224: 'bad-contact', // the number cannot be called
  30005: 'bad-contact', // unknown destination handset
  21610: 'opted-out', // the recipient wrote STOP
  21614: 'landline', // not a mobile number
  30006: 'landline', // landline or unreachable carrier
  21408: 'other-sender', // no permission for the region, by SMS
  21215: 'other-sender', // no permission for the region, by call
  21612: 'other-sender', // no route from this sender to this number
  30003: 'handset-off', // unreachable handset
  30004: 'filtered', // message blocked
  30007: 'filtered', // the carrier took it for spam
  30008: 'carrier-unknown', // unknown error
  30036: 'validity-passed', // the validity period ran out
};

/** The table's codes, for whoever must know each of them. */
export const TWILIO_CODES: readonly string[] = Object.keys(CODES);

/**
 * By HTTP status, where the code says nothing. What fails at Twilio may have been taken before it failed, whatever its code says,
 * so 5xx comes before the codes.
 */
const STATUSES: readonly { status: RegExp; reason: ResultClass }[] = [
  { status: /^429$/, reason: 'throttled' },
  { status: /^(401|403)$/, reason: 'config' },
  { status: /^4/, reason: 'rejected' },
];

/** What an error answer means for the message. `code` is null where the body held none. */
export function refusalResult(answer: { status: number; code: number | null }): SendResult {
  const status = String(answer.status);
  if (status.startsWith('5')) return resultOf('server-error');
  const byCode = codeClass(String(answer.code));
  const reason = byCode ?? STATUSES.find((row) => row.status.test(status))?.reason ?? 'answer-unreadable';
  return resultOf(reason);
}

/** Nothing was answered. */
export class Unanswered extends Error {
  readonly requestBegun: boolean;
  readonly timedOut: boolean;

  constructor(silence: { requestBegun: boolean; timedOut: boolean }) {
    super('no answer');
    this.requestBegun = silence.requestBegun;
    this.timedOut = silence.timedOut;
  }
}

/** Only by our own request: see `recall`. */
const CANCELED = 'canceled';

/** A message's statuses. */
const MESSAGE_STATES: Readonly<Record<string, ReceiptState>> = {
  accepted: 'accepted',
  scheduled: 'accepted',
  queued: 'queued',
  sending: 'sending',
  sent: 'sent',
  delivered: 'delivered',
  undelivered: 'undelivered',
  failed: 'failed',
  canceled: 'failed',
  read: 'read',
};

/** A call's statuses; a completed one may have been heard by a machine alone. */
const CALL_STATES: Readonly<Record<string, ReceiptState>> = {
  queued: 'queued',
  initiated: 'queued',
  ringing: 'sending',
  'in-progress': 'sent',
  completed: 'delivered',
  busy: 'undelivered',
  'no-answer': 'undelivered',
  failed: 'failed',
  canceled: 'failed',
};

/** What a status callback says: a state, and of a failure its code and class. */
export type ReportedState = { state: ReceiptState; code: string | null; reason: ResultClass | null };

/** What a callback about a message says; null for a status that is none of a message we sent. */
export function messageReport(status: string, code: string | null): ReportedState | null {
  const state = known(MESSAGE_STATES, status);
  if (state === null) return null;
  if (state !== 'undelivered' && state !== 'failed') return { state, code: null, reason: null };
  if (status === CANCELED) return { state, code: 'recalled', reason: 'recalled' };
  // A failure without a reason, or for one that the table does not know, may pass: once more, then another channel.
  return { state, code, reason: codeClass(code) ?? 'carrier-unknown' };
}

/** What a callback about a call says. `answeredBy` is Twilio's guess, such as `human` or `machine_start`; null where it has none. */
export function callReport(
  status: string,
  code: string | null,
  answeredBy: string | null,
): ReportedState | null {
  const state = known(CALL_STATES, status);
  if (state === null) return null;
  if (state === 'delivered' && isMachine(answeredBy))
    return { state: 'undelivered', code: answeredBy, reason: 'not-answered' };
  if (status === CANCELED) return { state, code: 'recalled', reason: 'recalled' };
  if (state === 'undelivered') return { state, code: code ?? status, reason: 'not-answered' };
  if (state === 'failed') return { state, code: code ?? status, reason: codeClass(code) ?? 'not-answered' };
  return { state, code: null, reason: null };
}

/** Voicemail is not an answer: true for every kind of machine, fax included. */
export function isMachine(answeredBy: string | null): boolean {
  return answeredBy !== null && /^(machine|fax)/.test(answeredBy);
}

function codeClass(code: string | null): ResultClass | null {
  return code === null ? null : known(CODES, code);
}

function known<Value>(table: Readonly<Record<string, Value>>, key: string): Value | null {
  return Object.hasOwn(table, key) ? (table[key] ?? null) : null;
}
