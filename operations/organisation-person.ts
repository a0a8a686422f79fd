/** The cells of a file of people, each parsed to what is kept, or to a sentence that says what is wrong. Pure. */
import parsePhoneNumber from 'libphonenumber-js/max';
import { z } from 'zod';
import { halfWidth } from './organisation-csv.ts';

/** A value, or why there is none. No sentence repeats a number or an address: errors reach logs. */
export type ParsedCell<T> = { value: T } | { fault: string };

/** 0 is the principal, n the n-th deputy. */
const RANK_WORDS: Readonly<Record<string, number>> = {
  principal: 0,
  正职: 0,
  主要负责人: 0,
  正: 0,
  主官: 0,
  deputy: 1,
  副职: 1,
  副: 1,
};

const CHINESE_DIGITS = '零一二三四五六七八九';

/** A unit has no more deputies; a larger number is a slip of the column. */
const RANK_MOST = 30;

/** `principal`, `正职`, `0`, `deputy 2`, `副职二`, `副2`, `2`. */
export function parseRank(cell: string): ParsedCell<number> {
  const word = halfWidth(cell).toLowerCase().replace(/\s+/g, '');
  const known = Object.hasOwn(RANK_WORDS, word) ? RANK_WORDS[word] : undefined;
  if (known !== undefined) return { value: known };
  const digits = /^(?:deputy|副职|副)?([0-9]+|[一二三四五六七八九])$/.exec(word)?.[1];
  if (digits === undefined) return { fault: `"${cell}" is no rank: principal 正职, or deputy n 副职n` };
  const chinese = CHINESE_DIGITS.indexOf(digits);
  const rank = chinese > 0 ? chinese : Number(digits);
  const isDeputy = !/^[0-9]/.test(word);
  if (isDeputy && rank === 0) return { fault: 'deputies are counted from 1' };
  if (rank > RANK_MOST) return { fault: `the rank is above ${RANK_MOST}` };
  return { value: rank };
}

/** A telephone number as E.164, and what stands behind it: text messages reach mobiles only. */
export type Phone = { number: string; kind: 'mobile' | 'landline' };

/** A telephone number; without a country it is one of mainland China. An empty cell is null. */
export function parsePhone(cell: string): ParsedCell<Phone | null> {
  const text = halfWidth(cell).replace(/^\((\+?86)\)/, '$1');
  if (text === '') return { value: null };
  const number = parsePhoneNumber(text, { defaultCountry: 'CN', extract: false });
  if (!number)
    return { fault: 'this is no telephone number: digits, with + and the country where it is not China' };
  if (number.ext !== undefined)
    return { fault: 'a number with an extension cannot be called by a machine; give one without' };
  if (!number.isValid()) {
    return {
      fault: `this number does not exist${number.country === 'CN' ? ': mobile numbers of mainland China have 11 digits and begin with 13 to 19' : ''}`,
    };
  }
  const kind = number.getType();
  if (kind === 'FIXED_LINE') return { value: { number: number.number, kind: 'landline' } };
  if (kind !== 'MOBILE' && kind !== 'FIXED_LINE_OR_MOBILE')
    return { fault: "this is neither a mobile number nor a landline: nobody's own number" };
  return { value: { number: number.number, kind: 'mobile' } };
}

/** An e-mail address in lower case, so that one mailbox has one spelling. An empty cell is null. */
export function parseEmail(cell: string): ParsedCell<string | null> {
  const text = halfWidth(cell).toLowerCase();
  if (text === '') return { value: null };
  // RFC 5321: 64 + 1 + 255, of which 254 can be used.
  const parsed = z.email().max(254).safeParse(text);
  return parsed.success ? { value: parsed.data } : { fault: 'this is no e-mail address' };
}

/** A staff number is told from a telephone number and an address by its signs. An empty cell is null. */
export function parseStaffNumber(cell: string): ParsedCell<string | null> {
  const text = halfWidth(cell);
  if (text === '') return { value: null };
  return /^[\p{L}\p{N}][\p{L}\p{N}._/-]{0,39}$/u.test(text)
    ? { value: text }
    : { fault: 'a staff number has letters, digits, dots and hyphens, 40 at most' };
}

const LANGUAGES: Readonly<Record<string, 'zh' | 'en'>> = {
  zh: 'zh',
  'zh-cn': 'zh',
  中文: 'zh',
  汉语: 'zh',
  en: 'en',
  english: 'en',
  英文: 'en',
  英语: 'en',
};

/** An empty cell is null: as it was, else Chinese. */
export function parseLanguage(cell: string): ParsedCell<'zh' | 'en' | null> {
  if (cell === '') return { value: null };
  const word = halfWidth(cell).toLowerCase();
  const language = Object.hasOwn(LANGUAGES, word) ? LANGUAGES[word] : undefined;
  return language ? { value: language } : { fault: `"${cell}" is no language we write in: zh or en` };
}

/** `138****0000`, `+120****0123`, `a***@example.com`: enough to recognise, too little to reach. */
export function maskAddress(address: string): string {
  const at = address.lastIndexOf('@');
  if (at > 0) return `${address.slice(0, 1)}***${address.slice(at)}`;
  const digits = address.replace(/^\+86/, '');
  return digits.length < 8
    ? '****'
    : `${digits.slice(0, digits.startsWith('+') ? 4 : 3)}****${digits.slice(-4)}`;
}
