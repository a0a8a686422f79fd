/**
 * Receipts: what a provider reports of a message after it has taken it. They come late, twice and in any order, so the states
 * of an attempt only rise.
 */
import type { ResultClass } from './results.ts';

export const RECEIPT_STATES = [
  'accepted',
  'queued',
  'sending',
  'sent',
  'delivered',
  'undelivered',
  'failed',
  'read',
] as const;

/**
 * From the provider's hands to the person's. `delivered` is not an answer: only an answer stops a ladder. `undelivered` and
 * `failed` are both the end of the attempt: the far network did not take it, or the provider never sent it.
 */
export type ReceiptState = (typeof RECEIPT_STATES)[number];

/** One report. `code` is the provider's, `reason` the result class it stands for; both null where all is well. */
export type Receipt = {
  deliveryId: number;
  attempt: number;
  state: ReceiptState;
  code: string | null;
  reason: ResultClass | null;
  sender: string;
  providerId: string | null;
};

const RANKS: Record<ReceiptState, number> = {
  accepted: 0,
  queued: 1,
  sending: 2,
  sent: 3,
  delivered: 4,
  undelivered: 4,
  failed: 4,
  read: 5,
};

/**
 * The state of an attempt of which `known` was known and `heard` is heard now. Of the three ends the first one stays, but a
 * handset that reports itself lifts *undelivered*: networks give up before it does.
 */
export function riseReceipt(known: ReceiptState | null, heard: ReceiptState): ReceiptState {
  if (known === null || RANKS[heard] > RANKS[known]) return heard;
  return known === 'undelivered' && heard === 'delivered' ? heard : known;
}

/** True where the attempt came to its end without the person. */
export function isFailure(state: ReceiptState): boolean {
  return state === 'undelivered' || state === 'failed';
}

/** True where the message is on the person's handset: the address has proved itself. */
export function isArrival(state: ReceiptState): boolean {
  return state === 'delivered' || state === 'read';
}

/** Reads `<deliveryId>.<attempt>`, our reference at every provider; null for anything else. */
export function parseReference(reference: string): { deliveryId: number; attempt: number } | null {
  const [, deliveryId, attempt] = /^([1-9][0-9]{0,15})\.([1-9][0-9]{0,3})$/.exec(reference) ?? [];
  if (deliveryId === undefined || !Number.isSafeInteger(Number(deliveryId))) return null;
  return { deliveryId: Number(deliveryId), attempt: Number(attempt) };
}
