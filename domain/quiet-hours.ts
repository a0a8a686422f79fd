/** Quiet hours: at night a low level wakes nobody a second time. By the clock of China, which has one time for the whole country. */
import { MINUTE_MS, type Instant } from './time.ts';

/** Minutes after midnight; `from` may be later than `to`: 22:00 to 07:00. */
export type QuietHours = { fromMinute: number; toMinute: number };

const DAY_MINUTES = 24 * 60;
const OFFSET_MS = 8 * 60 * MINUTE_MS;

/** When the quiet hours that `now` lies in end; null outside of them. */
export function quietUntil(quiet: QuietHours | undefined, now: Instant): Instant | null {
  if (!quiet || quiet.fromMinute === quiet.toMinute) return null;
  const local = now + OFFSET_MS;
  const midnight = local - (local % (DAY_MINUTES * MINUTE_MS));
  const minute = (local - midnight) / MINUTE_MS;
  const { fromMinute, toMinute } = quiet;
  const overnight = fromMinute > toMinute;
  const inside = overnight
    ? minute >= fromMinute || minute < toMinute
    : minute >= fromMinute && minute < toMinute;
  if (!inside) return null;
  const tomorrow = overnight && minute >= fromMinute ? DAY_MINUTES : 0;
  return midnight - OFFSET_MS + (toMinute + tomorrow) * MINUTE_MS;
}
