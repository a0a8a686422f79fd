/**
 * What people read. Catalogues in zh-CN and en with the same keys, ICU message syntax; each message leads with issuer,
 * level, place and what to do, then how to answer. 【演练】 stands first and last in every Exercise and is put there here,
 * by the renderer, so that no text can leave without it.
 */
import { IntlMessageFormat } from 'intl-messageformat';
import { findHazard } from './hazards.ts';
import { findLevel, type LevelId } from './levels.ts';
import type { Purpose } from './guard.ts';
import { chineseMinute, isoWithOffset, type Instant } from './time.ts';

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
  subject: '{hazard}{level}预警 {place}',
  subjectCancel: '解除{hazard}{level}预警 {place}',
} as const;

type TextKey = keyof typeof ZH;

const EN: Record<TextKey, string> = {
  warning:
    '{issuer} issued a {level} {hazard} warning at {time}: {areas}. Act on your plan now and move people out of danger areas.',
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
  subject: '{hazard}, {level} warning: {place}',
  subjectCancel: 'Lifted: {hazard}, {level} warning: {place}',
};

export const CATALOGUES: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = { zh: ZH, en: EN };

/** The warning as far as texts need it. */
export type WarningText = {
  warningId: number;
  kind: 'exercise' | 'actual';
  hazard: string;
  level: LevelId;
  issuer: string;
  textZh: string;
  textEn: string;
};

/** What a message says beside the warning itself. `units` are the names of the recipient's units, nearest words first. */
export type MessageContent = {
  purpose: Purpose;
  language: Language;
  units: readonly string[];
  number: string;
  /** Null for channels that carry no links. */
  link: string | null;
  bridge: { silent: string; reportsTo: string } | null;
  digest: { count: number; names: readonly string[] } | null;
  /** Households that have not answered. */
  doors?: { count: number; names: readonly string[] } | null;
  report: { units: number; answered: number; silent: number } | null;
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

/** Subject and text of one message, marked where it is an Exercise. */
export function render(warning: WarningText, content: MessageContent): { subject: string; text: string } {
  const { language } = content;
  const named = words(language, warning);
  const place = content.units[0] ?? '';
  const subject = say(language, content.purpose === 'cancel notice' ? 'subjectCancel' : 'subject', {
    ...named,
    place,
  });
  return { subject: mark(warning, language, subject), text: mark(warning, language, body(warning, content)) };
}

function body(warning: WarningText, content: MessageContent): string {
  const { language, purpose } = content;
  const units = content.units.join(language === 'zh' ? '、' : ', ');
  const issued = language === 'zh' ? warning.textZh : warning.textEn;
  const toAnswer =
    content.link === null
      ? say(language, 'answerSms', { units, number: content.number })
      : say(language, 'answerMail', { units, number: content.number, link: content.link });
  const separator = content.link === null ? (language === 'zh' ? '' : ' ') : '\n\n';
  switch (purpose) {
    case 'cancel notice':
      return say(language, 'cancel', {
        ...words(language, warning),
        issuer: warning.issuer,
        warningId: String(warning.warningId),
      });
    case 'household':
      return [issued, say(language, 'answerHousehold', { number: content.number })].join(separator);
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
  return warning.kind === 'exercise' ? `${EXERCISE_MARK[language]}${text}${EXERCISE_MARK[language]}` : text;
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
