/**
 * Turns of one sender whose rate is limited: messages wait here until a slice of turns is reserved for this worker, and leave one
 * by one at their turn, the most urgent level first.
 *
 * A turn is a moment, not a permission for later: what this process misses, because it was busy or PostgreSQL was, is lost and
 * never made up by a burst. So that the provider counts no more than the limit and one in any second although no process is
 * punctual, turns are a fiftieth rarer than the limit, and what that leaves is how late a message may be.
 */
import { performance } from 'node:perf_hooks';
import type { Turns } from '../db/senders.ts';

/** Of the limit. */
export const SHARE = 0.98;

/** Of the lateness that the limit leaves; the rest is the way to the provider. */
const LATE_SHARE = 0.75;

/** A slice holds the turns of so long. */
const SLICE_MS = 250;

/** The next slice is asked for so long before this one ends, so that none is lost meanwhile. */
export const LEAD_MS = 40;

/** After PostgreSQL could not be asked. */
const AGAIN_MS = 200;

/** Levels from 0, the most urgent. */
const LEVELS_MOST = 4;

export type TurnKeeper = {
  /** Resolves at the message's turn; false where it does not come within so long. `parts`: what the provider counts. */
  turn(input: { level: number; parts: number; withinMs: number }): Promise<boolean>;
  /** A slice of messages. */
  claimMost(): number;
  close(): void;
};

type Waiting = { parts: number; given: (turn: boolean) => void; timer: NodeJS.Timeout };

/** The turns of a reserved slice. `at` is the next one, by our clock; it may be used until `late`. */
type Slice = { at: number; late: number; gapMs: number; left: number };

/** How late a turn may be used, in milliseconds: then limit + 1 still holds in any second. */
export function lateMostMs(perSecond: number): number {
  return (LATE_SHARE * (perSecond + 1 - perSecond * SHARE) * 1000) / (perSecond * SHARE);
}

export function keepTurns(input: {
  perSecond: number;
  reserve: (ask: { level: number; parts: number; more: boolean }) => Promise<Turns>;
}): TurnKeeper {
  const sliceMost = Math.max(1, Math.floor((input.perSecond * SLICE_MS) / 1000));
  const lateMs = lateMostMs(input.perSecond);
  const waiting = Array.from({ length: LEVELS_MOST }, () => new Set<Waiting>());
  const slices: Slice[] = [];
  let debt = 0;
  let asking = false;
  let askAgainAt = 0;
  let alarm: NodeJS.Timeout | null = null;
  let closed = false;

  const mostUrgent = () => waiting.findIndex((level) => level.size > 0);
  const partsOf = (level: number) => [...(waiting[level] ?? [])].reduce((sum, { parts }) => sum + parts, 0);

  /** Gives what can be given now, asks for what is needed next, and comes back when the next moment comes. */
  function look(): void {
    if (alarm) clearTimeout(alarm);
    alarm = null;
    give(performance.now());
    const level = mostUrgent();
    if (closed || level < 0) return;
    const now = performance.now();
    if (!asking && now >= askAgainAt && reservedUntil() - now < LEAD_MS) void ask(level);
    const next = Math.min(
      slices[0]?.at ?? Infinity,
      asking ? Infinity : Math.max(askAgainAt, reservedUntil() - LEAD_MS),
    );
    if (Number.isFinite(next)) alarm = setTimeout(look, Math.max(0, next - now));
  }

  function give(now: number): void {
    for (let slice = slices[0]; slice && slice.at <= now; slice = slices[0]) {
      if (slice.left <= 0) {
        slices.shift();
        continue;
      }
      const missed = now > slice.late || debt > 0;
      const level = mostUrgent();
      if (missed || level < 0) {
        // Nobody to take it, or too late for it: it waits as long as it may, and is lost then.
        if (!missed) return;
        debt = Math.max(0, debt - 1);
        pass(slice, 1);
        continue;
      }
      const [first] = waiting[level] ?? [];
      if (!first) return;
      settle(level, first, true);
      debt += Math.max(0, first.parts - slice.left);
      pass(slice, first.parts);
    }
  }

  function pass(slice: Slice, parts: number): void {
    slice.left -= parts;
    slice.at += parts * slice.gapMs;
    slice.late += parts * slice.gapMs;
  }

  /** When the last reserved turn is over, by our clock. */
  function reservedUntil(): number {
    const last = slices.at(-1);
    return last ? last.at + last.left * last.gapMs : 0;
  }

  async function ask(level: number): Promise<void> {
    asking = true;
    const all = partsOf(level);
    // A message of several parts needs them all, however short the slice.
    const [first] = waiting[level] ?? [];
    const parts = Math.max(Math.min(all, sliceMost), first?.parts ?? 1);
    const askedAt = performance.now();
    try {
      const turns = await input.reserve({ level, parts, more: all > parts });
      const now = performance.now();
      if (turns.granted) {
        // PostgreSQL's moment lies between the question and its answer: not before the later, not long after the earlier.
        const at = now + turns.startsInMs;
        slices.push({ at, late: askedAt + turns.startsInMs + lateMs, gapMs: turns.gapMs, left: parts });
      } else askAgainAt = mostUrgent() < level ? 0 : now + turns.againInMs;
    } catch {
      askAgainAt = performance.now() + AGAIN_MS;
    }
    asking = false;
    look();
  }

  function settle(level: number, one: Waiting, turn: boolean): void {
    clearTimeout(one.timer);
    waiting[level]?.delete(one);
    one.given(turn);
  }

  return {
    turn: ({ level, parts, withinMs }) =>
      new Promise((given) => {
        if (closed) return given(false);
        const before = mostUrgent();
        const one: Waiting = {
          parts,
          given,
          timer: setTimeout(() => settle(level, one, false), withinMs),
        };
        waiting[level]?.add(one);
        // Who is more urgent than all that waits asks at once, and is known to wait.
        if (before < 0 || level < before) {
          askAgainAt = 0;
          look();
        }
      }),
    claimMost: () => Math.max(1, Math.floor(sliceMost / 2)),
    close: () => {
      closed = true;
      if (alarm) clearTimeout(alarm);
      waiting.forEach((level, rank) => level.forEach((one) => settle(rank, one, false)));
    },
  };
}
