import { describe, expect, test } from 'vitest';
import { closedMs, newsOf, type SenderNews } from './circuits.ts';
import type { SendResult } from './ports.ts';
import { MINUTE_MS } from './time.ts';

describe('what a result says of its sender', () => {
  const ROWS: readonly [result: SendResult, alone: SenderNews, others: SenderNews][] = [
    [{ outcome: 'handed off', providerId: 'x' }, 'well', 'well'],
    [{ outcome: 'failed', reason: 'bad-contact' }, 'well', 'well'],
    [{ outcome: 'later', reason: 'temporary' }, 'well', 'well'],
    [{ outcome: 'later', reason: 'throttled' }, 'slows down', 'slows down'],
    [{ outcome: 'later', reason: 'config' }, 'stops', 'stops'],
    [{ outcome: 'later', reason: 'provider-out' }, 'stops for a day', 'stops for a day'],
    [{ outcome: 'later', reason: 'connection' }, 'failing', 'failing'],
    [{ outcome: 'later', reason: 'timeout' }, 'failing', 'failing'],
    // It may have taken the message: the only sender is not closed for that.
    [{ outcome: 'unknown', reason: 'timeout' }, 'well', 'failing'],
    [{ outcome: 'unknown', reason: 'connection' }, 'well', 'failing'],
    [{ outcome: 'unknown', reason: 'server-error' }, 'well', 'well'],
  ];
  test.each(ROWS)('%j: alone %s, beside others %s', (result, alone, others) => {
    expect([newsOf(result, false), newsOf(result, true)]).toEqual([alone, others]);
  });
});

test('a failing sender beside others is left alone for twice as long each time, up to five minutes', () => {
  const times = [1, 2, 3, 4, 5, 6, 100].map((time) => closedMs('failing', time, true) / 1000);
  expect(times).toEqual([15, 30, 60, 120, 240, 300, 300]);
  expect(closedMs('failing', 100, false)).toBe(15_000);
});

test('a faulty configuration is tried every minute, a used up day every hour', () => {
  expect(closedMs('stops', 7, true)).toBe(MINUTE_MS);
  expect(closedMs('stops for a day', 7, true)).toBe(60 * MINUTE_MS);
});
