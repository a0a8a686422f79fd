/**
 * What people read. Catalogues in zh-CN and en with the same keys, ICU message syntax; each message leads with issuer,
 * level, place and what to do, then how to answer. 【演练】 stands first and last in every Exercise and is put there here,
 * by the renderer, so that no text can leave without it.
 */
import { IntlMessageFormat } from 'intl-messageformat';
import { findHazard } from './hazards.ts';
import { findLevel, type LevelId } from './levels.ts';
import type { Purpose } from './guard.ts';
import type { ToldBefore } from './revisions.ts';
import { chineseMinute, isoWithOffset, MINUTE_MS, type Instant } from './time.ts';

export type Language = 'zh' | 'en';

export const EXERCISE_MARK: Readonly<Record<Language, string>> = { zh: '【演练】', en: '[EXERCISE]' };

const ZH = {
  warning: '{issuer}{time}发布{hazard}{level}预警信号:{areas}。请立即按预案组织防范,转移危险区域群众。',
  answerSms: '请{units}回复 1 {number} 确认收到,无法执行回复 3 {number}。',
  answerHousehold: '收到请回复 1 {number}。',
  answerMail: '请{units}打开下面的链接,填入编号确认:\n{link}\n编号 {number}',
  bridge: '您的上级{silent}暂未应答,请直接向{reportsTo}报告。',
  digest: '{unit}所属单位未应答或无法执行{count}个:{names}{more, plural, =0 {} other {等}}。请立即联系。',
  endReport: '{unit}叫应情况:{answered}/{units}个单位已应答,{silent}个未应答。',
  doneReminder:
    '{issuer}{hazard}{level}预警:{units}已确认收到,尚未报告落实。落实后请回复 2 转移人数 {number},无法执行回复 3 {number}。',
  doneReminderMail:
    '{issuer}{hazard}{level}预警:{units}已确认收到,尚未报告落实。落实后请打开下面的链接报告:\n{link}\n编号 {number}',
  doors:
    '{units}有{count}户未应答,请上门逐户通知:{names}{more, plural, =0 {} other {等}}。全部通知后回复 2 户数 {number}。',
  doorsMail:
    '{units}有{count}户未应答,请上门逐户通知:{names}{more, plural, =0 {} other {等}}。打开下面的链接逐户登记:\n{link}\n编号 {number}',
  cancel: '{issuer}解除{hazard}{level}预警信号(W{warningId})。此前消息不再有效。',
  dropped: '{issuer}已将{units}移出{hazard}{level}预警范围(W{warningId})。此前消息不再有效。',
  retracted: '{issuer}更正:{hazard}{level}预警信号系误发,现予撤销。此前消息不再有效。',
  changeLevel: '变更:{from}→{to}。',
  changeExpiry: '变更:有效期改至{until}。',
  changeText: '变更:预警内容有更新。',
  changeArea: '变更:预警范围有调整。',
  answerStands: '此前的应答继续有效,无需再次应答。',
  orLink: '{text} 也可打开 {link} ',
  subject: '{hazard}{level}预警 {place}',
  subjectCancel: '解除{hazard}{level}预警 {place}',
} as const;

type TextKey = keyof typeof ZH;

const EN: Record<TextKey, string> = {
  warning:
    '{issuer} issued the {level} {hazard} warning at {time}: {areas}. Act on your plan now and move people out of danger areas.',
  answerSms: '{units}: reply 1 {number} to confirm, reply 3 {number} if you cannot act.',
  answerHousehold: 'Reply 1 {number} when received.',
  answerMail: '{units}: open this link and enter the number to confirm:\n{link}\nnumber {number}',
  bridge: 'Your superior {silent} has not answered. Report directly to {reportsTo}.',
  digest:
    'Below {unit}, {count, plural, one {# unit has} other {# units have}} not answered or cannot act: {names}{more, plural, =0 {} other { and more}}. Contact them now.',
  endReport: '{unit}: {answered} of {units} units have answered, {silent} silent.',
  doneReminder:
    '{issuer}, {level} {hazard} warning: {units} confirmed but has not reported that it is done. When it is, reply 2, the number of people moved, and {number}; reply 3 {number} if you cannot act.',
  doneReminderMail:
    '{issuer}, {level} {hazard} warning: {units} confirmed but has not reported that it is done. When it is, open this link:\n{link}\nnumber {number}',
  doors:
    '{units}: {count, plural, one {# household has} other {# households have}} not answered. Go from door to door: {names}{more, plural, =0 {} other { and more}}. When all are told, reply 2, their number, and {number}.',
  doorsMail:
    '{units}: {count, plural, one {# household has} other {# households have}} not answered. Go from door to door: {names}{more, plural, =0 {} other { and more}}. Report each on this page:\n{link}\nnumber {number}',
  cancel: '{issuer} lifted the {level} {hazard} warning (W{warningId}). Earlier messages no longer apply.',
  dropped:
    '{issuer}: {units} no longer in the area of the {level} {hazard} warning (W{warningId}). Earlier messages no longer apply.',
  retracted:
    '{issuer}, correction: the {level} {hazard} warning was sent in error and is withdrawn. Earlier messages no longer apply.',
  changeLevel: 'Change: {from} → {to}.',
  changeExpiry: 'Change: now valid until {until}.',
  changeText: 'Change: the text of the warning is new.',
  changeArea: 'Change: the area of the warning is another.',
  answerStands: 'Your answer stands; no new one is needed.',
  orLink: '{text} Or open {link} ',
  subject: '{hazard}, {level} warning: {place}',
  subjectCancel: 'Lifted: {hazard}, {level} warning: {place}',
};

export const CATALOGUES: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = { zh: ZH, en: EN };

/** The warning as far as texts need it. */
/** What may stand between the letters of a word, so that it is read all the same. */
const GAP = '[^\\p{L}\\p{N}]{0,3}';
const anyOf = (...words: string[]) => `(?:${words.map((word) => [...word].join(GAP)).join('|')})`;
const DENIAL = new RegExp(
  [
    // 除非 is "unless".
    [
      `(?:${anyOf('不是', '不属于', '不屬於')}|(?<!除)非)`,
      anyOf('一次', '一场', ''),
      anyOf('演练', '演練', '演习', '演習', '测试', '測試'),
    ].join(GAP),
    "(?:not|n['’]t|no)\\s+(?:an?\\s+|just\\s+)*(?:drill|exercise|test)\\b",
  ].join('|'),
  'giu',
);

/**
 * Words by which an Exercise would deny that it is one; null where it has none. In 2018 the script of Hawaii's drill said "This is not a
 * drill", and the officer on duty believed it (FCC report, Hawaii Emergency Management Agency's false alert).
 */
export function denialIn(text: string): string | null {
  return text.match(DENIAL)?.[0] ?? null;
}

export type WarningText = {
  warningId: number;
  kind: 'exercise' | 'actual';
  hazard: string;
  level: LevelId;
  issuer: string;
  textZh: string;
  textEn: string;
  expiresAt?: Instant;
  /** Something took its place: a notice that it is over goes to those whom that leaves out. */
  superseded?: boolean;
  /** What a notice of its end says; null where it is the standing words. */
  endTextZh?: string | null;
  endTextEn?: string | null;
};

/** What a message says beside the warning itself. `units` are the names of the recipient's units, nearest words first. */
export type MessageContent = {
  purpose: Purpose;
  language: Language;
  units: readonly string[];
  number: string;
  /** Null for channels that carry no links. */
  link: string | null;
  /** Beside a reply, where the channel carries both. */
  orLink?: string | null;
  bridge: { silent: string; reportsTo: string } | null;
  digest: { count: number; names: readonly string[] } | null;
  /** Households that have not answered. */
  doors?: { count: number; names: readonly string[] } | null;
  report: { units: number; answered: number; silent: number } | null;
  /** What they were told last of the warnings this one supersedes: the message leads with what has changed since. */
  toldBefore?: ToldBefore | null;
  /** Their answer to one of those stands: none is asked for. */
  carried?: boolean;
};

/** The standing text of a warning for which the forecaster gave none. */
export function standardText(
  language: Language,
  input: { issuer: string; hazard: string; level: LevelId; areas: readonly string[]; issuedAt: Instant },
): string {
  const areas = input.areas.join(language === 'zh' ? '、' : ', ');
  const time = language === 'zh' ? chineseMinute(input.issuedAt) : isoWithOffset(input.issuedAt).slice(0, 16);
  return say(language, 'warning', { ...words(language, input), issuer: input.issuer, areas, time });
}

/** What a retraction says where nobody wrote anything else: it is released with the warning. */
export function standardCorrection(
  language: Language,
  warning: { issuer: string; hazard: string; level: LevelId },
): string {
  return say(language, 'retracted', { ...words(language, warning), issuer: warning.issuer });
}

/** What a cancel says where nobody wrote anything else. */
export function standardAllClear(
  language: Language,
  warning: { warningId: number; issuer: string; hazard: string; level: LevelId },
): string {
  const { issuer, warningId } = warning;
  return say(language, 'cancel', { ...words(language, warning), issuer, warningId: String(warningId) });
}

/** True where the text in this language is `standardText`, whatever time and areas it names. */
export function isStandardText(
  language: Language,
  warning: { issuer: string; hazard: string; level: LevelId; textZh: string; textEn: string },
): boolean {
  // No text has this character: it marks where time and areas stand.
  const gap = '\u0000';
  const facts = { ...words(language, warning), issuer: warning.issuer, areas: gap, time: gap };
  const parts = say(language, 'warning', facts).split(gap);
  const text = language === 'zh' ? warning.textZh : warning.textEn;
  let from = 0;
  const inOrder = parts.every((part) => {
    const at = text.indexOf(part, from);
    from = at + part.length;
    return at >= 0;
  });
  return inOrder && text.startsWith(parts[0] ?? '') && text.endsWith(parts.at(-1) ?? '');
}

/** Subject and text of one message, marked where it is an Exercise. */
export function render(warning: WarningText, content: MessageContent): { subject: string; text: string } {
  const { language } = content;
  const named = words(language, warning);
  const place = content.units[0] ?? '';
  const subject = say(language, content.purpose === 'cancel notice' ? 'subjectCancel' : 'subject', {
    ...named,
    place,
  });
  return {
    subject: mark(warning, language, subject),
    text: mark(warning, language, withLink(content, body(warning, content))),
  };
}

/** What asks for an answer that can be given by a page. */
const ANSWERED_BY_PAGE: ReadonlySet<Purpose> = new Set([
  'rung',
  'bridge notice',
  'household',
  'done reminder',
  'door to door',
]);

function withLink({ language, purpose, orLink, carried }: MessageContent, text: string): string {
  if (!orLink || carried || !ANSWERED_BY_PAGE.has(purpose)) return text;
  return say(language, 'orLink', { text, link: orLink });
}

function body(warning: WarningText, content: MessageContent): string {
  const { language, purpose } = content;
  const units = content.units.join(language === 'zh' ? '、' : ', ');
  const separator = content.link === null ? (language === 'zh' ? '' : ' ') : '\n\n';
  const told = language === 'zh' ? warning.textZh : warning.textEn;
  const issued = [...changes(warning, content), told].join(separator);
  const toAnswer =
    content.link === null
      ? say(language, 'answerSms', { units, number: content.number })
      : say(language, 'answerMail', { units, number: content.number, link: content.link });
  switch (purpose) {
    case 'cancel notice':
      return endWords(warning, language, units);
    case 'household': {
      const asked = content.carried
        ? say(language, 'answerStands', {})
        : say(language, 'answerHousehold', { number: content.number });
      return [issued, asked].join(separator);
    }
    case 'change notice':
      return [issued, say(language, 'answerStands', {})].join(separator);
    case 'digest':
      return say(language, 'digest', digestWords(units, language, content.digest));
    case 'done reminder': {
      const facts = { ...words(language, warning), issuer: warning.issuer, units, number: content.number };
      return content.link === null
        ? say(language, 'doneReminder', facts)
        : say(language, 'doneReminderMail', { ...facts, link: content.link });
    }
    case 'door to door': {
      const { unit, ...doors } = digestWords(units, language, content.doors);
      const facts = { units: unit, ...doors, number: content.number };
      return content.link === null
        ? say(language, 'doors', facts)
        : say(language, 'doorsMail', { ...facts, link: content.link });
    }
    case 'end report':
      return say(language, 'endReport', {
        unit: units,
        ...(content.report ?? { units: 0, answered: 0, silent: 0 }),
      });
    case 'bridge notice':
    case 'rung': {
      const bridge = content.bridge ? [say(language, 'bridge', content.bridge)] : [];
      return [issued, ...bridge, toAnswer].join(separator);
    }
    default:
      return purpose satisfies never;
  }
}

/** That it is over: for all, or for those whom the warning in its place leaves out. */
function endWords(warning: WarningText, language: Language, units: string): string {
  const written = language === 'zh' ? warning.endTextZh : warning.endTextEn;
  if (written && !warning.superseded) return written;
  return say(language, warning.superseded ? 'dropped' : 'cancel', {
    ...words(language, warning),
    issuer: warning.issuer,
    warningId: String(warning.warningId),
    units,
  });
}

/** What is not as it was when this recipient was told last; none for who has not been told. */
function changes(warning: WarningText, { language, toldBefore: before }: MessageContent): string[] {
  if (!before) return [];
  const levelOf = (level: LevelId) => findLevel(level)?.[language] ?? level;
  const changed: string[] = [];
  if (before.level !== warning.level)
    changed.push(say(language, 'changeLevel', { from: levelOf(before.level), to: levelOf(warning.level) }));
  const until = warning.expiresAt;
  if (until !== undefined && Math.abs(until - before.expiresAt) >= MINUTE_MS)
    changed.push(
      say(language, 'changeExpiry', {
        until: language === 'zh' ? chineseMinute(until) : isoWithOffset(until).slice(0, 16),
      }),
    );
  if (changed.length > 0) return changed;
  const sameText = before.textZh === warning.textZh && before.textEn === warning.textEn;
  return [say(language, sameText ? 'changeArea' : 'changeText', {})];
}

function digestWords(unit: string, language: Language, digest: MessageContent['digest'] | undefined) {
  const names = digest?.names ?? [];
  const count = digest?.count ?? 0;
  return {
    unit,
    count,
    names: names.join(language === 'zh' ? '、' : ', '),
    more: Math.max(0, count - names.length),
  };
}

function words(language: Language, warning: { hazard: string; level: LevelId }) {
  return {
    hazard: findHazard(warning.hazard)?.[language] ?? warning.hazard,
    level: findLevel(warning.level)?.[language] ?? warning.level,
  };
}

function mark(warning: { kind: 'exercise' | 'actual' }, language: Language, text: string): string {
  if (warning.kind !== 'exercise') return text;
  return undenied(language, `${EXERCISE_MARK[language]}${text}${EXERCISE_MARK[language]}`);
}

/** A denial may also end in a mark of ours, as where a text breaks off after 不是: one mark then stands in the place of both. */
const DENIAL_AND_MARK = new RegExp(`(?:${DENIAL.source})】?`, DENIAL.flags);

/** Without words that deny. Each round takes a negation away. */
function undenied(language: Language, text: string): string {
  let said = text;
  while (denialIn(said) !== null) said = said.replaceAll(DENIAL_AND_MARK, EXERCISE_MARK[language]);
  return said;
}

/** UTF-16 units of one part of an SMS of several, in UCS-2. What goes out in GSM-7 has longer parts. */
const PART = 67;

/**
 * The text of an Exercise as SMS. Providers cut a long text anywhere, and a handset that misses a part shows the others: so beside both
 * ends a mark stands wherever a part could else be without one. Two parts have theirs at the ends. `issuer` is the signature that gateways
 * put before it. Words, numbers and links stay whole, so a part within a link that is longer than a part has none.
 */
export function inParts(
  warning: { kind: 'exercise' | 'actual'; issuer: string },
  language: Language,
  text: string,
): string {
  if (warning.kind !== 'exercise' || `【${warning.issuer}】${text}`.length <= 2 * PART) return text;
  const mark = EXERCISE_MARK[language];
  const inner = language === 'zh' ? mark : ` ${mark}`;
  // From one mark to the next: then every stretch of a part's length holds a whole one.
  const most = PART - inner.length;
  let said = '';
  let rest = text;
  while (rest.length - mark.length > most) {
    const at = breakIn(rest, inner.length, most);
    if (at === null) break;
    said += rest.slice(0, at);
    rest = inner + rest.slice(at);
  }
  return undenied(language, said + rest);
}

/**
 * Where a text may be interrupted: at the end of a sentence, else of a clause, else of a word, by `most` if it can be; null: nowhere. A
 * place's own character is looked at first: asking of every place whether it may be cut took `inParts` 22 µs for a text of 155 characters, so
 * it takes 4.
 */
function breakIn(text: string, least: number, most: number): number | null {
  const lastAfter = (ends: string | null): number | null => {
    for (let at = most; at > least; at -= 1)
      if ((ends === null || ends.includes(text[at - 1] ?? '')) && mayBreak(text, at)) return at;
    return null;
  };
  const found = lastAfter('。!?;.!?;') ?? lastAfter(',、:,:') ?? lastAfter(null);
  if (found !== null) return found;
  for (let at = most + 1; at < text.length; at += 1) if (mayBreak(text, at)) return at;
  return null;
}

/** Not within a word, a link, a mark or a pair of units, nor beside a number, which people copy. */
function mayBreak(text: string, at: number): boolean {
  const [before, after] = [text.slice(Math.max(0, at - 4), at), text.slice(at, at + 2)];
  if (/\s$|【[^】]*$/.test(before) || /\d\s?$/.test(before) || /^\s?\d/.test(after)) return false;
  return !(/[!-~\uD800-\uDBFF]$/.test(before) && /^[!-~\uDC00-\uDFFF]/.test(after));
}

type Compiled = (values: Record<string, string | number>) => string;

const compiled = new Map<string, Compiled>();

function say(language: Language, key: TextKey, values: Record<string, string | number>): string {
  const name = `${language} ${key}`;
  let format = compiled.get(name);
  if (!format) {
    format = compile(language, CATALOGUES[language][key]);
    compiled.set(name, format);
  }
  return format(values);
}

/**
 * ICU where a pattern needs it. Most hold plain blanks only, and are filled a hundred thousand times for one warning: those
 * are cut once and joined.
 */
function compile(language: Language, pattern: string): Compiled {
  if (/\{\w+,|'/.test(pattern)) {
    const locale = language === 'zh' ? 'zh-CN' : 'en';
    const format = new IntlMessageFormat(pattern, locale, undefined, { ignoreTag: true });
    return (values) => String(format.format(values));
  }
  const parts = pattern.split(/\{(\w+)\}/);
  return (values) =>
    parts.map((part, index) => (index % 2 === 0 ? part : String(values[part] ?? ''))).join('');
}
