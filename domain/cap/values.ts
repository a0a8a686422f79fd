/** The forms of CAP's values, each a function from text to what is wrong with it. Sections are those of OASIS CAP 1.2. */
import type { CapCircle, CapPoint, CapReference } from './alert.ts';
import { finding, type Finding, type Place } from './findings.ts';
import type { Holds } from './clauses.ts';

/** 3.3.2: no letters, no fractions, always an offset. */
const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)([+-])(\d\d):(\d\d)$/;
const LANGUAGE = /^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$/;
const DECIMAL = /^[+-]?(\d{1,15}(\.\d{0,15})?|\.\d{1,15})$/;
const NUMBER = '[+-]?(?:\\d{1,4}(?:\\.\\d{0,20})?|\\.\\d{1,20})';
const PAIR = new RegExp(`^(${NUMBER}),(${NUMBER})$`);
const RADIUS = /^\d{1,6}(\.\d{0,12})?$/;

/** PostgreSQL's indexes take 2,704 bytes for sender and identifier together; real ones have less than 200. */
export const NAME_BYTES_MOST = 1_000;

/** Milliseconds of a CAP time; NaN where there is no such time. */
export function instantOf(text: string): number {
  const match = TIME.exec(text);
  if (!match) return Number.NaN;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [offsetHours, offsetMinutes] = [Number(match[8]), Number(match[9])];
  const local = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  const real =
    local.getUTCMonth() === month - 1 &&
    local.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60 &&
    offsetHours <= 14 &&
    offsetMinutes < 60;
  if (!real) return Number.NaN;
  const offsetMs = (offsetHours * 60 + offsetMinutes) * 60_000;
  return local.getTime() - (match[7] === '-' ? -offsetMs : offsetMs);
}

/** What is wrong with a value of this form; `name` is the element's. The text comes without blanks around it. */
export function judgeValue(holds: Holds, name: string, text: string, place: Place): Finding[] {
  if (typeof holds === 'object') {
    if (!('oneOf' in holds) || holds.oneOf.includes(text)) return [];
    if (name === 'msgType') return [finding('CAP-313', place, { value: text })];
    return [finding('CAP-208', place, { name, value: text, words: holds.oneOf.join(', ') })];
  }
  switch (holds) {
    case 'text':
      return [];
    case 'name':
      return judgeName(name, text, place);
    case 'time':
      return judgeTime(text, place);
    case 'language':
      return LANGUAGE.test(text) ? [] : [finding('CAP-216', place, { value: text })];
    case 'references':
      return judgeReferences(text, place);
    case 'polygon':
      return judgePolygon(text, place);
    case 'circle':
      return judgeCircle(text, place);
    case 'decimal':
      return DECIMAL.test(text) ? [] : [finding('CAP-214', place, { value: text })];
    case 'integer':
      return /^[+-]?\d{1,15}$/.test(text) ? [] : [finding('CAP-214', place, { value: text })];
    case 'uri':
      return /^[^\s<>"{}|\\^`]+$/.test(text) ? [] : [finding('CAP-215', place, { value: text })];
    default:
      return holds satisfies never;
  }
}

function judgeName(name: string, text: string, place: Place): Finding[] {
  const count = new TextEncoder().encode(text).length;
  return [
    ...(/[\s,<&]/.test(text) ? [finding('CAP-301', place, { name, value: text })] : []),
    ...(count > NAME_BYTES_MOST ? [finding('CAP-314', place, { name, count, most: NAME_BYTES_MOST })] : []),
  ];
}

function judgeTime(text: string, place: Place): Finding[] {
  if (!TIME.test(text)) return [finding('CAP-209', place, { value: text })];
  if (Number.isNaN(instantOf(text))) return [finding('CAP-312', place, { value: text })];
  return text.endsWith('+00:00') ? [finding('CAP-401', place, { value: text })] : [];
}

function judgeReferences(text: string, place: Place): Finding[] {
  return words(text).flatMap((word) => {
    const parts = word.split(',');
    const [sender, identifier, sent] = parts;
    if (!sender || !identifier || parts.length > 3) return [finding('CAP-305', place, { value: word })];
    return Number.isNaN(instantOf(sent ?? '')) ? [finding('CAP-410', place, { identifier })] : [];
  });
}

export function readReferences(text: string): CapReference[] {
  return words(text).map((word) => {
    const [sender = '', identifier = '', sent = ''] = word.split(',');
    return { sender, identifier, sent };
  });
}

/** 3.2.4: WGS 84 points, at least four, the last the same as the first. */
function judgePolygon(text: string, place: Place): Finding[] {
  const pairs = words(text);
  const points: CapPoint[] = [];
  for (const pair of pairs) {
    const point = readPoint(pair);
    if (!point) return [finding('CAP-306', place, { value: pair })];
    if (!onEarth(point)) return [finding('CAP-309', place, { value: pair })];
    points.push(point);
  }
  if (points.length < 4) return [finding('CAP-307', place, { count: points.length })];
  const [first, last] = [points[0], points.at(-1)];
  if (first?.[0] !== last?.[0] || first?.[1] !== last?.[1]) {
    return [finding('CAP-308', place, { first: pairs[0] ?? '', last: pairs.at(-1) ?? '' })];
  }
  return [];
}

/** The points of a polygon that was judged. */
export function readPolygon(text: string): CapPoint[] {
  return words(text).flatMap((pair) => {
    const point = readPoint(pair);
    return point ? [point] : [];
  });
}

function judgeCircle(text: string, place: Place): Finding[] {
  const circle = readCircle(text);
  if (!circle) return [finding('CAP-310', place, { value: text })];
  return onEarth(circle.centre) ? [] : [finding('CAP-309', place, { value: text })];
}

/** Null where it is no circle. */
export function readCircle(text: string): CapCircle | null {
  const [pair = '', radius = '', ...more] = words(text);
  const centre = readPoint(pair);
  if (!centre || more.length > 0 || !RADIUS.test(radius)) return null;
  return { centre, radiusKm: Number(radius) };
}

function readPoint(pair: string): CapPoint | null {
  const match = PAIR.exec(pair);
  return match ? [Number(match[1]), Number(match[2])] : null;
}

function onEarth([latitude, longitude]: CapPoint): boolean {
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
