/** Deadlines and outages of answer intake: by example, and over drawn outages against a count second by second. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { extensionMs, type Outage } from './outages.ts';

const NEVER = 1_000_000;

/** A wait from 0 to 100, asked for at 100 or later. */
function extended(outages: Outage[], now = 100, mostMs = NEVER): number {
  return 100 + extensionMs({ from: 0, deadline: 100 }, outages, now, mostMs);
}

test.each([
  ['without an outage it stays', [], 100, 100],
  ['an outage within the wait is made up for', [{ from: 20, until: 50 }], 100, 130],
  ['of one that began before the hand-off only the rest counts', [{ from: -50, until: 30 }], 100, 130],
  ['one that was over before the hand-off counts for nothing', [{ from: -50, until: -10 }], 100, 100],
  ['one behind the deadline counts for nothing', [{ from: 110, until: 150 }], 160, 100],
  [
    'one behind the deadline, but before the extended one, counts',
    [
      { from: 20, until: 50 },
      { from: 120, until: 160 },
    ],
    170,
    170,
  ],
  [
    'an open one counts up to now, so the deadline never lies in the past',
    [{ from: 60, until: null }],
    400,
    440,
  ],
  [
    'what is told twice counts once',
    [
      { from: 20, until: 50 },
      { from: 30, until: 60 },
    ],
    100,
    140,
  ],
  [
    'in any order',
    [
      { from: 70, until: 80 },
      { from: 20, until: 50 },
    ],
    100,
    140,
  ],
] as const)('%s', (_name, outages, now, deadline) => {
  expect(extended([...outages], now)).toBe(deadline);
});

test('never by more than the most', () => {
  expect(extended([{ from: 0, until: null }], 5_000, 600)).toBe(700);
  expect(extended([{ from: 0, until: null }], 5_000, -3)).toBe(100);
});

const outage = fc
  .record({
    from: fc.integer({ min: -50, max: 250 }),
    lasts: fc.integer({ min: 1, max: 120 }),
    open: fc.boolean(),
  })
  .map(({ from, lasts, open }): Outage => ({ from, until: open ? null : from + lasts }));

test('at the extended deadline the intake was there for the whole wait, and not a moment earlier', () => {
  fc.assert(
    fc.property(
      fc.array(outage, { maxLength: 6 }),
      fc.integer({ min: 1, max: 150 }),
      fc.integer({ min: 0, max: 400 }),
      (outages, waitMs, later) => {
        const now = waitMs + later;
        const end = waitMs + extensionMs({ from: 0, deadline: waitMs }, outages, now, NEVER);
        const out = (at: number) =>
          outages.some(({ from, until }) => from <= at && at < Math.min(until ?? now, now));
        // What lies ahead of now is taken to be without outages.
        const served = (until: number) => {
          let count = 0;
          for (let at = 0; at < until; at += 1) if (!out(at)) count += 1;
          return count;
        };
        expect(served(end)).toBe(waitMs);
        expect(served(end - 1)).toBe(waitMs - 1);
        const stillOut = outages.some(({ from, until }) => until === null && from < end && from < now);
        if (stillOut) expect(end).toBeGreaterThan(now);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('one more outage never brings a deadline forward, and the most is kept', () => {
  fc.assert(
    fc.property(
      fc.array(outage, { maxLength: 5 }),
      outage,
      fc.integer({ min: 0, max: 300 }),
      (outages, one, mostMs) => {
        const without = extended(outages, 300, mostMs);
        expect(extended([...outages, one], 300, mostMs)).toBeGreaterThanOrEqual(without);
        expect(without - 100).toBeLessThanOrEqual(mostMs);
      },
    ),
  );
});
