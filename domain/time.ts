/**
 * Time inside the pure core: an `Instant` is milliseconds since 1970-01-01T00:00Z, a whole number.
 * At every border (CLI, JSON, pages) an instant is an ISO string with the offset of the place.
 */
export type Instant = number;

export const MINUTE_MS = 60_000;

/** China's time zone by the name that schedules want. */
export const CHINA_ZONE = 'Asia/Shanghai';

/** China has one time zone and no summer time. */
const CHINA_OFFSET_MINUTES = 8 * 60;

/** `2026-07-09T02:42:00+08:00`: what CAP asks for (`toISOString()` with its `Z` is not valid there). */
export function isoWithOffset(at: Instant, offsetMinutes: number = CHINA_OFFSET_MINUTES): string {
  const local = new Date(at + offsetMinutes * MINUTE_MS).toISOString().slice(0, 19);
  const sign = offsetMinutes < 0 ? '-' : '+';
  const absolute = Math.abs(offsetMinutes);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${local}${sign}${two(Math.floor(absolute / 60))}:${two(absolute % 60)}`;
}

/** `2026年7月9日02时42分`, the form of China's published warnings. */
export function chineseMinute(at: Instant): string {
  const local = new Date(at + CHINA_OFFSET_MINUTES * MINUTE_MS);
  const two = (value: number) => String(value).padStart(2, '0');
  return (
    `${local.getUTCFullYear()}年${local.getUTCMonth() + 1}月${local.getUTCDate()}日` +
    `${two(local.getUTCHours())}时${two(local.getUTCMinutes())}分`
  );
}
