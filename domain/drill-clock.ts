/**
 * The clock of a drill: it runs `speed` times as fast as ours, and stands still while the drill's processes do not live. Pure.
 */
import type { QuietHours } from './quiet-hours.ts';
import { quietUntil } from './quiet-hours.ts';
import { MINUTE_MS, type Instant } from './time.ts';

/** A time in which the clock stood still. */
export type Gap = { readonly from: Instant; readonly until: Instant };

export type DrillClock = {
  /** When the story began, by our clock and by its own. */
  startAt: Instant;
  storyStartAt: Instant;
  speed: number;
  /** In their order; they do not overlap. */
  gaps: readonly Gap[];
};

const DAY_MINUTES = 24 * 60;
/** China has one time for the whole country. */
const OFFSET_MS = 8 * 60 * MINUTE_MS;

/** When, by our clock, so many milliseconds of the story have passed. */
export function wallAt({ startAt, speed, gaps }: DrillClock, storyMs: number): Instant {
  let at = startAt + storyMs / speed;
  for (const { from, until } of gaps) if (from < at) at += until - from;
  return at;
}

/** Milliseconds of the story that had passed at an instant of our clock; below nothing before it began. */
export function storyMsAt({ startAt, speed, gaps }: DrillClock, wall: Instant): number {
  const stood = gaps.reduce((sum, { from, until }) => sum + Math.max(0, Math.min(until, wall) - from), 0);
  return (wall - startAt - stood) * speed;
}

/**
 * The quiet hours of the story in times of day of our clock, as the rules of a warning say them: those it lies in at `wall`, else the
 * next ones. Later nights of the same story have none.
 */
export function quietHoursAt(clock: DrillClock, quiet: QuietHours, wall: Instant): QuietHours {
  const story = clock.storyStartAt + storyMsAt(clock, wall);
  const lastsMs = ((quiet.toMinute - quiet.fromMinute + DAY_MINUTES) % DAY_MINUTES) * MINUTE_MS;
  const until = quietUntil(quiet, story);
  const begins = until === null ? nextTimeOfDay(quiet.fromMinute, story) : until - lastsMs;
  const minuteOf = (instant: Instant) => minuteOfDay(wall + (instant - story) / clock.speed);
  return { fromMinute: minuteOf(begins), toMinute: minuteOf(begins + lastsMs) };
}

function nextTimeOfDay(minute: number, after: Instant): Instant {
  return after + ((minute - minuteOfDay(after) + DAY_MINUTES) % DAY_MINUTES) * MINUTE_MS;
}

function minuteOfDay(at: Instant): number {
  return ((at + OFFSET_MS) / MINUTE_MS) % DAY_MINUTES;
}
