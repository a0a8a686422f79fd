import { describe, expect, test } from 'vitest';
import { quietHoursAt, storyMsAt, wallAt, type DrillClock } from './drill-clock.ts';
import { quietUntil } from './quiet-hours.ts';
import { MINUTE_MS } from './time.ts';

const HOUR_MS = 60 * MINUTE_MS;
const startAt = Date.parse('2026-11-23T14:00:00+08:00');
const storyStartAt = Date.parse('2026-07-09T21:00:00+08:00');
const clock: DrillClock = { startAt, storyStartAt, speed: 60, gaps: [] };

describe('the clock of a drill', () => {
  test('runs faster than ours', () => {
    expect(wallAt(clock, 10 * MINUTE_MS)).toBe(startAt + 10_000);
    expect(storyMsAt(clock, startAt + 10_000)).toBe(10 * MINUTE_MS);
    expect(storyMsAt(clock, startAt - 1_000)).toBe(-MINUTE_MS);
  });

  test('stands still in gaps, and what lies behind them comes later', () => {
    const gaps = [
      { from: startAt + 5_000, until: startAt + 65_000 },
      { from: startAt + 70_000, until: startAt + 71_000 },
    ];
    const broken = { ...clock, gaps };
    expect(wallAt(broken, 4 * MINUTE_MS)).toBe(startAt + 4_000);
    expect(wallAt(broken, 6 * MINUTE_MS)).toBe(startAt + 66_000);
    expect(wallAt(broken, 11 * MINUTE_MS)).toBe(startAt + 72_000);
    expect(storyMsAt(broken, startAt + 30_000)).toBe(5 * MINUTE_MS);
    expect(storyMsAt(broken, startAt + 72_000)).toBe(11 * MINUTE_MS);
  });

  test('the quiet hours of the story are short times of our day', () => {
    const night = { fromMinute: 22 * 60, toMinute: 7 * 60 };
    // An hour of the story before the night, which lasts nine: a minute and nine minutes of ours.
    const before = quietHoursAt(clock, night, startAt);
    expect(quietUntil(before, startAt)).toBeNull();
    expect(quietUntil(before, startAt + MINUTE_MS)).toBe(startAt + 10 * MINUTE_MS);
    expect(quietUntil(before, startAt + 10 * MINUTE_MS)).toBeNull();
    // Three hours into the night.
    const at = wallAt(clock, 4 * HOUR_MS);
    const within = quietHoursAt(clock, night, at);
    expect(Math.round(quietUntil(within, at) ?? 0)).toBe(startAt + 10 * MINUTE_MS);
  });
});
