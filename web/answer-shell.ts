/**
 * What all states of the answer page are made of. No script, no font, no image, so that it works on a 2G phone. The level is
 * told by word and shape as well as by colour; every pair of colours has a contrast of 7:1 or more, every control 44 px.
 */
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { findHazard } from '../domain/hazards.ts';
import { findLevel } from '../domain/levels.ts';
import { EXERCISE_MARK, type Language } from '../domain/texts.ts';
import { chineseMinute, isoWithOffset } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import type { AnswerLink } from '../operations/answer-links.ts';
import { sayOnPage, type AnswerWord } from './answer-words.ts';

export type Page = HtmlEscapedString | Promise<HtmlEscapedString>;

/** `html` under a name that the formatter leaves alone: its line breaks in sixty lines of a list would be kilobytes. */
export const dense = html;

/** 14 KB with the headers, which stay below 700 bytes. */
const PAGE_BYTES_MAX = 14 * 1_024 - 700;

/** Names that fit the page's 14 KB beside the longest texts. */
const UNITS_SHOWN_MAX = 12;

/** A name in a list; a longer one is cut, so that the list is not. */
const NAME_CHARACTERS_MAX = 24;

const SHAPES: Readonly<Record<string, string>> = { red: '■', orange: '◆', yellow: '▲', blue: '●' };

const STYLE = `body{margin:0;background:#fff;color:#111;font:18px/1.5 sans-serif}main{max-width:34em;margin:auto;padding:12px}
h1{font-size:1.35em;line-height:1.3;margin:0 0 12px;padding:10px;border:2px solid #111;background:#222;color:#fff}
h1.red{background:#a80000}h1.orange{background:#ff9d1e;color:#000}h1.yellow{background:#ffd900;color:#000}h1.blue{background:#003f87}
h2{font-size:1.2em;margin:0 0 8px}p{margin:8px 0}a{color:#003a75;display:inline-block;padding:10px 0;min-height:24px;min-width:44px}
.drill{margin:0 0 8px;padding:6px 10px;border:2px dashed #111;font-weight:bold}
.note,.ok{border:3px solid #8b0000;padding:10px;margin:12px 0}.ok{border-color:#0b3d0b}
fieldset{border:0;margin:16px 0;padding:0}legend{font-weight:bold;padding:0}
.pick{display:block;border:2px solid #444;margin:8px 0;padding:10px 10px 10px 42px;text-indent:-32px;min-height:24px}.pick input{width:24px;height:24px;margin:0 8px 0 0;vertical-align:middle}
.field{display:block;margin:12px 0 4px}.inner{margin:0 0 16px 42px}.box{font-size:1.3em;width:7em;max-width:90%;min-height:44px;padding:6px;border:2px solid #444;background:#fff;color:#111}
button{font-size:1.2em;min-height:52px;padding:12px;margin:16px 0 0;width:100%;background:#0b3d0b;color:#fff;border:0}
input:focus,select:focus,button:focus,a:focus{outline:3px solid #003f87;outline-offset:2px}.small{font-size:.9em;color:#333}.wrap{word-wrap:break-word}
section{border-top:3px solid #111;margin:24px 0 16px;padding:12px 0 0}.item{border-bottom:1px solid #444;padding:8px 0}.item p{margin:0}
.item label{display:inline-block;margin:4px 12px 4px 0}.item select,.item .count{font-size:1em;min-height:44px;border:2px solid #444;background:#fff;color:#111}.item .count{width:5em;padding:0 4px}
.doors p{border-bottom:1px solid #444}.doors label{display:inline-block;line-height:44px;margin-right:20px}.doors input{width:24px;height:24px;margin:0 6px 0 0;vertical-align:middle}`;

export function shell(language: Language, title: string, body: Page): string {
  const page = html`<!doctype html>
    <html lang="${htmlLanguage(language)}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <main class="wrap">${body}</main>
      </body>
    </html>`;
  // As text it goes out in one piece with its length; as an object it would pass through promises and a stream.
  if (page instanceof Promise) throw new TypeError('a page waits for something');
  return page.toString();
}

/** What stands above every state of a warning's page. */
export type Heading = Pick<AnswerLink, 'kind' | 'hazard' | 'level' | 'issuer' | 'warningId'>;

/** The warning's heading and, in an Exercise, that it is one: first on the page and last. */
export function framed(link: Heading, language: Language, title: string, body: Page): string {
  const say = speaker(language);
  const mark = EXERCISE_MARK[language];
  const exercise = say('exercise');
  const drill = (line: string) => (link.kind === 'exercise' ? html`<p class="drill">${line}</p>` : '');
  return shell(
    language,
    title,
    html`${drill(`${mark}${language === 'zh' ? '' : ' '}${exercise}`)}
      <h1 class="${link.level}">${headingWords(link, language)}</h1>
      ${body}
      <p class="small">${say('footer', { issuer: link.issuer, warningId: link.warningId })}</p>
      ${drill(`${exercise}${language === 'zh' ? '' : ' '}${mark}`)}`,
  );
}

/** Hazard and level by word and shape. */
export function headingWords(link: Pick<Heading, 'hazard' | 'level'>, language: Language): string {
  const level = findLevel(link.level);
  const heading = sayOnPage(language, 'heading', {
    hazard: findHazard(link.hazard)?.[language] ?? link.hazard,
    level: level?.[language] ?? link.level,
    numeral: level?.numeral ?? '',
  });
  return `${SHAPES[link.level] ?? ''} ${heading.slice(0, 1).toUpperCase()}${heading.slice(1)}`;
}

/** The page with as many lines of its list as fit into 14 KB, at most `most`. */
export function fitting(most: number, render: (lines: number) => string): string {
  for (let lines = most; ; lines = Math.floor(lines * 0.9)) {
    const page = render(lines);
    if (lines === 0 || Buffer.byteLength(page) <= PAGE_BYTES_MAX) return page;
  }
}

export type Say = ReturnType<typeof speaker>;

export function speaker(language: Language) {
  return (word: AnswerWord, values?: Readonly<Record<string, string | number>>) =>
    sayOnPage(language, word, values);
}

/** The field for the message's number and the button below it; `id` where a page has several forms. */
export function numberAndButton(say: Say, button: AnswerWord, id = 'number'): Page {
  return html`<label class="field" for="${id}"><strong>${say('number')}</strong></label>
    <input
      class="box"
      id="${id}"
      name="number"
      type="tel"
      maxlength="8"
      autocomplete="off"
      required
      aria-describedby="${id}-help"
    />
    <p class="small" id="${id}-help">${say('numberHelp')}</p>
    <button type="submit">${say(button)}</button>`;
}

/** One of several choices, of which one must be taken. */
export function pick(
  say: Say,
  input: { name: string; value: string; word: AnswerWord; means?: AnswerWord; chosen: boolean },
): Page {
  return html`<label class="pick"
    ><input
      type="radio"
      name="${input.name}"
      value="${input.value}"
      required
      ${input.chosen ? raw('checked') : ''}
    /><strong>${say(input.word)}</strong>
    ${input.means ? html`<span class="small">${say(input.means)}</span>` : ''}</label
  >`;
}

export function otherLanguage(language: Language, more = ''): Page {
  const other = language === 'zh' ? 'en' : 'zh';
  return html`<a href="?lang=${other}${more}" lang="${htmlLanguage(other)}"
    >${sayOnPage(language, 'otherLanguage')}</a
  >`;
}

function htmlLanguage(language: Language): string {
  return language === 'zh' ? 'zh-CN' : 'en';
}

export function noteBox(language: Language, text: string): Page {
  return html`<p class="note" role="alert"><strong>${sayOnPage(language, 'note', { text })}</strong></p>`;
}

export function endedNote(link: AnswerLink, language: Language): string {
  const time = timeWords(link.endsAt, language);
  return sayOnPage(language, link.status === 'cancelled' ? 'cancelled' : 'expired', { time });
}

export function answerWords(say: Say, kind: AnswerKind, count: number | null): string {
  const answer = say(kind === 'cannot act' ? 'cannot' : kind);
  return count === null ? answer : say('people', { answer, count });
}

export function unitNames(units: readonly string[], language: Language, most = UNITS_SHOWN_MAX): string {
  const names = units.slice(0, most).join(language === 'zh' ? '、' : ', ');
  return units.length > most ? `${names}${sayOnPage(language, 'more', { count: units.length })}` : names;
}

/** A name in a list. */
export function shortName(name: string): string {
  const characters = [...name];
  return characters.length > NAME_CHARACTERS_MAX
    ? `${characters.slice(0, NAME_CHARACTERS_MAX - 1).join('')}…`
    : name;
}

export function timeWords(at: number, language: Language): string {
  return language === 'zh'
    ? chineseMinute(at)
    : `${isoWithOffset(at).slice(0, 16).replace('T', ' ')} (UTC+8)`;
}

/** Day and time, for lists of what happened while a warning runs. */
export function shortTime(at: number, language: Language): string {
  return language === 'zh'
    ? chineseMinute(at).replace(/^\d+年\d+月/, '')
    : isoWithOffset(at).slice(5, 16).replace('T', ' ');
}
