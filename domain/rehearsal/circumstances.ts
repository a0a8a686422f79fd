/** What goes wrong around the people: dark areas, providers that take nothing; and how fast messages leave. Pure but for its cursors. */
import { CHANNELS, type Channel } from '../rules.ts';
import type { Instant } from '../time.ts';
import type { UnitId } from '../unit.ts';

export type Interval = { from: Instant; to: Instant };

/** `units` null: everywhere. */
export type Outage = Interval & { channel: Channel; units: ReadonlySet<UnitId> | null };

/** Dark intervals by unit; units that are never dark are left out. */
export type Darkness = ReadonlyMap<UnitId, readonly Interval[]>;

/** When it is first light at or after `at`; Infinity where it stays dark. */
export function lightAt(darkness: Darkness, unitId: UnitId, at: Instant): Instant {
  const intervals = darkness.get(unitId);
  if (!intervals) return at;
  let light = at;
  // Intervals may overlap in any order: again until none holds.
  for (let changed = true; changed;) {
    changed = false;
    for (const { from, to } of intervals) {
      if (light < from || light >= to) continue;
      light = to;
      changed = true;
    }
  }
  return light;
}

/** True where no provider of the channel takes a message for this unit. */
export function isOut(outages: readonly Outage[], channel: Channel, unitId: UnitId, at: Instant): boolean {
  return outages.some(
    (outage) =>
      outage.channel === channel &&
      at >= outage.from &&
      at < outage.to &&
      (outage.units?.has(unitId) ?? true),
  );
}

/**
 * The turns of messages at their senders: each channel takes so many a second, red warnings in a queue of their own, households
 * behind the officials. Whole microseconds, so that no rounding adds up.
 */
export class Senders {
  private readonly rates: Readonly<Record<Channel, { perSecond: number; delaySeconds: number }>>;
  private readonly free: Float64Array;

  constructor(rates: Readonly<Record<Channel, { perSecond: number; delaySeconds: number }>>) {
    this.rates = rates;
    this.free = new Float64Array(CHANNELS.length * 3);
  }

  /** When the last of so many messages, asked for now, is handed over. */
  turn(now: Instant, channel: Channel, queue: 'red' | 'other' | 'households', messages = 1): Instant {
    const { perSecond, delaySeconds } = this.rates[channel];
    const place = CHANNELS.indexOf(channel) * 3 + { red: 0, other: 1, households: 2 }[queue];
    const ready = (now + delaySeconds * 1_000) * 1_000;
    const first = Math.max(ready, this.free[place] ?? 0);
    const each = Math.floor(1_000_000 / perSecond);
    this.free[place] = first + each * messages;
    return Math.ceil((first + each * (messages - 1)) / 1_000);
  }
}
