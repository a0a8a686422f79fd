/** States of an attempt: whatever the order in which they are reported, and however often. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  isArrival,
  isFailure,
  parseReference,
  RECEIPT_STATES,
  riseReceipt,
  type ReceiptState,
} from './receipts.ts';

const endOf = (heard: readonly ReceiptState[]) =>
  heard.reduce<ReceiptState | null>((known, state) => riseReceipt(known, state), null);

function* orders<Item>(items: readonly Item[]): Generator<Item[]> {
  if (items.length === 0) yield [];
  for (const [place, item] of items.entries())
    for (const rest of orders(items.toSpliced(place, 1))) yield [item, ...rest];
}

describe('all 120 orders of five states, each doubled, end the same', () => {
  test.each<[readonly ReceiptState[], ReceiptState]>([
    [['accepted', 'queued', 'sending', 'sent', 'delivered'], 'delivered'],
    [['queued', 'sending', 'sent', 'delivered', 'read'], 'read'],
    [['queued', 'sending', 'sent', 'undelivered', 'delivered'], 'delivered'],
    [['queued', 'sending', 'sent', 'undelivered', 'read'], 'read'],
    [['accepted', 'queued', 'sending', 'sent', 'undelivered'], 'undelivered'],
    [['accepted', 'queued', 'sending', 'sent', 'failed'], 'failed'],
  ])('%j: %s', (states, end) => {
    const all = [...orders(states)];
    expect(all).toHaveLength(120);
    const doubled = [
      ...all.map((order) => order.flatMap((state) => [state, state])),
      ...all.map((order) => [...order, ...order]),
      ...all.map((order) => [...order, ...order.toReversed()]),
    ];
    expect(doubled.filter((heard) => endOf(heard) !== end)).toEqual([]);
  });
});

it('keeps the first of delivered and failed, which exclude each other', () => {
  expect(endOf(['delivered', 'failed', 'undelivered'])).toBe('delivered');
  expect(endOf(['failed', 'delivered', 'undelivered'])).toBe('failed');
});

it('never falls, and a state that was heard changes nothing when it is heard again', () => {
  const order = ['accepted', 'queued', 'sending', 'sent', 'end', 'read'];
  const rank = (state: ReceiptState | null) =>
    state === null ? -1 : order.indexOf(isFailure(state) || state === 'delivered' ? 'end' : state);
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...RECEIPT_STATES), { maxLength: 12 }), (heard) => {
      let known: ReceiptState | null = null;
      for (const state of heard) {
        const next = riseReceipt(known, state);
        expect(rank(next)).toBeGreaterThanOrEqual(rank(known));
        expect(rank(next)).toBeGreaterThanOrEqual(rank(state));
        expect(riseReceipt(next, state)).toBe(next);
        known = next;
      }
    }),
  );
});

it('calls a state a failure, an arrival, or neither', () => {
  expect(RECEIPT_STATES.filter(isFailure)).toEqual(['undelivered', 'failed']);
  expect(RECEIPT_STATES.filter(isArrival)).toEqual(['delivered', 'read']);
});

describe('a reference', () => {
  it('names delivery and attempt', () => {
    expect(parseReference('1048576.3')).toEqual({ deliveryId: 1_048_576, attempt: 3 });
  });

  test.each([
    '',
    '.',
    '12',
    '12.',
    '.1',
    '012.1',
    '12.0',
    '12.1.1',
    '-12.1',
    '1e3.1',
    '12.1 ',
    '١٢.1',
    '9'.repeat(17),
    `${'9'.repeat(16)}.1`,
  ])('is not "%s"', (reference) => {
    expect(parseReference(reference)).toBeNull();
  });
});
