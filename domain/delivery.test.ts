/** Delivery states only rise, and what follows from an attempt is bounded by the rule pack. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { consequence, notProvablyUnsent, rise, type DeliveryState, type Outcome } from './delivery.ts';

const OUTCOMES: readonly Outcome[] = ['handed off', 'merged', 'failed', 'later', 'unknown', 'dropped'];
const STATES: readonly DeliveryState[] = ['planned', ...OUTCOMES];
const state = fc.constantFrom(...STATES);
const outcome = fc.constantFrom(...OUTCOMES);

const RETRY = { laterMs: [30_000, 60_000, 300_000], unknownMs: 15_000, attemptsMost: 4 };

describe('news of a delivery, in whatever order and however often, gives one state', () => {
  test('two news commute', () => {
    fc.assert(fc.property(state, state, (one, other) => rise(one, other) === rise(other, one)));
  });

  test('three news associate', () => {
    fc.assert(fc.property(state, state, state, (a, b, c) => rise(rise(a, b), c) === rise(a, rise(b, c))));
  });

  test('the same news twice changes nothing', () => {
    fc.assert(fc.property(state, (one) => rise(one, one) === one));
  });

  test('any shuffle of any news with repeats ends in the same state, and never falls', () => {
    const news = fc.array(outcome, { minLength: 1, maxLength: 8 });
    const shuffled = news.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }), fc.subarray(list)),
    );
    fc.assert(
      fc.property(shuffled, ([list, reordered, again]) => {
        const end = (all: readonly Outcome[]) => all.reduce<DeliveryState>(rise, 'planned');
        expect(end([...reordered, ...again])).toBe(end(list));
        for (const one of list) expect(rise(end(list), one)).toBe(end(list));
      }),
    );
  });

  test('what may have been sent stays so: a correction will follow it', () => {
    fc.assert(
      fc.property(
        state,
        state,
        (one, other) => !notProvablyUnsent(one) || notProvablyUnsent(rise(one, other)),
      ),
    );
  });

  test('planned is the lowest, handed off the highest', () => {
    for (const one of STATES) {
      expect(rise('planned', one)).toBe(one);
      expect(rise('handed off', one)).toBe('handed off');
    }
  });
});

describe('what follows from an attempt', () => {
  test.each([
    ['handed off', 1, { kind: 'handed off' }],
    ['merged', 1, { kind: 'handed off' }],
    ['failed', 1, { kind: 'exhausted' }],
    ['dropped', 1, { kind: 'nothing' }],
    ['later', 1, { kind: 'retry', afterMs: 30_000, possibleDuplicate: false }],
    ['later', 3, { kind: 'retry', afterMs: 300_000, possibleDuplicate: false }],
    ['later', 4, { kind: 'exhausted' }],
    ['unknown', 1, { kind: 'retry', afterMs: 15_000, possibleDuplicate: true }],
    ['unknown', 4, { kind: 'exhausted' }],
  ] as const)('%s at attempt %i', (one, attempt, expected) => {
    expect(consequence({ outcome: one }, attempt, RETRY)).toEqual(expected);
  });

  test('what nobody tried for want of time goes in a second, however often, whatever the rule pack says of providers', () => {
    for (const attempt of [1, 4, 40])
      expect(consequence({ outcome: 'later', reason: 'out-of-time' }, attempt, RETRY, 60)).toEqual({
        ...{ kind: 'retry', afterMs: 1_000, possibleDuplicate: false },
      });
  });

  test('any run of outcomes comes to rest within the attempts that the rules allow', () => {
    const retry = fc.record({
      laterMs: fc.array(fc.integer({ min: 1, max: 600_000 }), { minLength: 1, maxLength: 5 }),
      unknownMs: fc.integer({ min: 1, max: 600_000 }),
      attemptsMost: fc.integer({ min: 1, max: 10 }),
    });
    fc.assert(
      fc.property(retry, fc.infiniteStream(outcome), (rules, outcomes) => {
        for (let attempt = 1; attempt <= rules.attemptsMost; attempt += 1) {
          const follows = consequence({ outcome: outcomes.next().value as Outcome }, attempt, rules);
          if (follows.kind !== 'retry') return;
          expect(attempt).toBeLessThan(rules.attemptsMost);
          expect(follows.afterMs).toBeGreaterThan(0);
          expect(follows.afterMs).toBeLessThanOrEqual(Math.max(...rules.laterMs, rules.unknownMs));
        }
        throw new Error('attempts without end');
      }),
    );
  });

  test('only an unknown outcome makes a possible duplicate', () => {
    fc.assert(
      fc.property(outcome, fc.integer({ min: 1, max: 6 }), (one, attempt) => {
        const follows = consequence({ outcome: one }, attempt, RETRY);
        return follows.kind !== 'retry' || follows.possibleDuplicate === (one === 'unknown');
      }),
    );
  });
});
