/**
 * What is said back to somebody who wrote to us. Catalogues in zh-CN and en with the same keys, ICU message syntax. A reply to an
 * Exercise carries its mark first and last, put there here.
 */
import { IntlMessageFormat } from 'intl-messageformat';
import { findHazard } from './hazards.ts';
import { findLevel } from './levels.ts';
import { EXERCISE_MARK, type Language } from './texts.ts';
import { chineseMinute, isoWithOffset, type Instant } from './time.ts';
import type { AnswerKind } from './unit.ts';

const ZH = {
  recorded:
    '已记录:{by}({units}{more, plural, =0 {} other {等#个单位}})于{time}应答“{answer}”。如有变化请再次回复。',
  received: '收到',
  done: '已落实',
  doneCount: '已落实,{count}人',
  cannotAct: '无法执行,已报告上级',
  tooLate: '未记录:该预警已结束,不再接受应答。',
  notUnderstood:
    '未能识别您的回复,没有记录。收到请回复 1,已落实回复 2 和人数,无法执行回复 3,后面加上短信中的四位编号,例如“1 {example}”。',
  whichWarning:
    '没有记录:您有{count, plural, =1 {一条预警} other {#条预警}}({warnings}),请在答复后加上该条短信中的四位编号,例如“1 {example}”。',
  stopped: '已停止向此号码发送预警短信,并将告知上级另行通知您。恢复接收请回复 TY。',
  started: '已恢复向此号码发送预警短信。',
} as const;

export type ReplyTextKey = keyof typeof ZH;

const EN: Record<ReplyTextKey, string> = {
  recorded:
    'Recorded: {by} ({units}{more, plural, =0 {} other { and # more}}) answered "{answer}" at {time}. If that changes, reply again.',
  received: 'received',
  done: 'done',
  doneCount: 'done, {count, plural, one {# person} other {# people}}',
  cannotAct: 'cannot act, your superior will be told',
  tooLate: 'Not recorded: the warning has ended and takes no answers any more.',
  notUnderstood:
    'Not understood, nothing was recorded. Reply 1 when received, 2 and a count when done, 3 if you cannot act, and behind it the four-digit number of the message, such as "1 {example}".',
  whichWarning:
    'Nothing was recorded: you have {count, plural, one {one warning} other {# warnings}} ({warnings}). Put the four-digit number of its message behind your answer, such as "1 {example}".',
  stopped:
    'No more warnings by SMS will be sent to this number; your superior will see this and reach you otherwise. Reply START to have them again.',
  started: 'Warnings by SMS are sent to this number again.',
};

export const REPLY_TEXTS: Readonly<Record<Language, Readonly<Record<ReplyTextKey, string>>>> = {
  zh: ZH,
  en: EN,
};

/** A number that is nobody's: it shows where the four digits go. */
const EXAMPLE = '1234';

/** Units that are named; the rest is a number. */
const UNITS_SHOWN_MAX = 3;
const WARNINGS_SHOWN_MAX = 3;

/** What a reply is to; `null` for what concerns no warning, such as an opt-out. */
export type ReplyKind = 'exercise' | 'actual' | null;

/** What is said back, and in which words. */
export type Back = { language: Language; kind: ReplyKind } & (
  | {
      say: 'recorded';
      by: string;
      units: readonly string[];
      answer: AnswerKind;
      count: number | null;
      at: Instant;
    }
  | { say: 'which warning'; warnings: readonly { hazard: string; level: string }[] }
  | { say: 'not understood' | 'too late' | 'stopped' | 'started' }
);

/** The text of what is said back. */
export function backText(back: Back): string {
  const { language, kind } = back;
  const text = bare(back);
  if (kind !== 'exercise') return text;
  const mark = EXERCISE_MARK[language];
  return `${mark}${text}${mark}`;
}

function bare(back: Back): string {
  const { language } = back;
  const say = (key: ReplyTextKey, values: Record<string, string | number> = {}) =>
    String(formatOf(language, key).format(values));
  const join = (names: readonly string[]) => names.join(language === 'zh' ? '、' : ', ');
  switch (back.say) {
    case 'recorded':
      return say('recorded', {
        by: back.by,
        units: join(back.units.slice(0, UNITS_SHOWN_MAX)),
        more: Math.max(0, back.units.length - UNITS_SHOWN_MAX),
        answer: answerText(back, say),
        time:
          language === 'zh' ? chineseMinute(back.at) : isoWithOffset(back.at).slice(0, 16).replace('T', ' '),
      });
    case 'which warning':
      return say('whichWarning', {
        count: back.warnings.length,
        warnings: join(
          back.warnings.slice(0, WARNINGS_SHOWN_MAX).map((warning) => warningName(warning, language)),
        ),
        example: EXAMPLE,
      });
    case 'not understood':
      return say('notUnderstood', { example: EXAMPLE });
    case 'too late':
      return say('tooLate');
    default:
      return say(back.say);
  }
}

function answerText(
  { answer, count }: { answer: AnswerKind; count: number | null },
  say: (key: ReplyTextKey, values?: Record<string, string | number>) => string,
): string {
  if (answer === 'cannot act') return say('cannotAct');
  if (answer === 'received') return say('received');
  return count === null ? say('done') : say('doneCount', { count });
}

function warningName({ hazard, level }: { hazard: string; level: string }, language: Language): string {
  const [known, colour] = [findHazard(hazard), findLevel(level)];
  return language === 'zh'
    ? `${known?.zh ?? hazard}${colour?.zh ?? level}`
    : `${known?.en ?? hazard}, ${colour?.en ?? level}`;
}

const formats = new Map<string, IntlMessageFormat>();

/** Parsed once: a flood of replies says the same few sentences. */
function formatOf(language: Language, key: ReplyTextKey): IntlMessageFormat {
  const name = `${language} ${key}`;
  const known = formats.get(name);
  if (known) return known;
  const format = new IntlMessageFormat(REPLY_TEXTS[language][key], language === 'zh' ? 'zh-CN' : 'en');
  formats.set(name, format);
  return format;
}
