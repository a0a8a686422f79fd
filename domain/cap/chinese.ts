/** What China's messages use: identifiers after GB/T 35965.1, event codes, times of +08:00. */
import { HAZARDS } from '../hazards.ts';
import { isoWithOffset, type Instant } from '../time.ts';

/** `ZZZZZZDDDUUUXX_YYYYMMDDhhmmss[_N]`: division, department, unit, kind; then the moment, and a number where one is needed. */
export const CHINESE_IDENTIFIER = /^\d{14}_\d{14}(_\d{1,6})?$/;

/** The fourteen digits before the moment. */
export const CHINESE_AGENCY = /^\d{14}$/;

/** `20260709024200`. */
export function chineseStamp(at: Instant): string {
  return isoWithOffset(at).slice(0, 19).replaceAll(/\D/g, '');
}

/** `11B03`, whether known here or not. */
export function isHazardCode(value: string): boolean {
  return /^\d{2}[A-Z]\d{2}$/.test(value) || HAZARDS.some(({ code }) => code === value);
}
