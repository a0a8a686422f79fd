/** Times as people read them at a terminal: with offset, or as what is left. Pure. */
import { InvalidArgumentError } from 'commander';
import type { Language } from '../domain/texts.ts';
import { isoWithOffset, MINUTE_MS, type Instant } from '../domain/time.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `4:12`, `1:04:12`, `2d 01:04:12`; zero where nothing is left. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / SECOND_MS));
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor((seconds % 86_400) / 3_600),
    (seconds % 3_600) / 60,
  ];
  const short = `${two(minutes)}:${two(seconds % 60)}`;
  if (days > 0) return `${days}d ${two(hours)}:${short}`;
  return hours > 0 ? `${hours}:${short}` : short;
}

const UNITS: readonly { ms: number; zh: string; en: string }[] = [
  { ms: DAY_MS, zh: '天', en: 'd' },
  { ms: HOUR_MS, zh: '小时', en: 'h' },
  { ms: MINUTE_MS, zh: '分钟', en: 'min' },
  { ms: SECOND_MS, zh: '秒', en: 's' },
];

/** `6 h`, `1 min 30 s`, in Chinese `1 分钟 30 秒`: the two largest units that are not nothing. */
export function span(ms: number, lang: Language): string {
  let left = Math.max(0, Math.round(ms / SECOND_MS) * SECOND_MS);
  const parts: string[] = [];
  for (const unit of UNITS) {
    const count = Math.floor(left / unit.ms);
    left -= count * unit.ms;
    if (count > 0 && parts.length < 2) parts.push(`${count} ${unit[lang]}`);
  }
  return parts.length > 0
    ? parts.join(' ')
    : `${(Math.max(0, ms) / SECOND_MS).toFixed(1)} ${lang === 'zh' ? '秒' : 's'}`;
}

/** `02:42:07`, the time of day in China. */
export function timeOfDay(at: Instant): string {
  return isoWithOffset(at).slice(11, 19);
}

/** `2026-07-09 02:42`: for tables; the offset stands in their heading. */
export function minuteOf(at: Instant): string {
  return isoWithOffset(at).slice(0, 16).replace('T', ' ');
}

export function isoOrNull(at: Instant | null): string | null {
  return at === null ? null : isoWithOffset(at);
}

/** `90s`, `10m`, `2h`, `1d` in milliseconds, for an option of the command line. */
export function parseSpan(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text.trim());
  const unitMs = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }[match?.[2] ?? ''];
  if (!match || unitMs === undefined) throw new InvalidArgumentError('90s, 10m, 2h, 1d');
  return Number(match[1]) * unitMs;
}
