/**
 * What the answer page shows in each of its states. No script, no font, no image, so that it works on a 2G phone. The level is
 * told by word and shape as well as by colour; every pair of colours has a contrast of 7:1 or more, every control 44 px.
 */
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { findHazard } from '../domain/hazards.ts';
import { findLevel } from '../domain/levels.ts';
import { EXERCISE_MARK, type Language } from '../domain/texts.ts';
import { chineseMinute, isoWithOffset } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import type { AnswerLink } from '../operations/answers.ts';
import type { RecordedLink } from '../db/answers.ts';
import { sayOnPage, type AnswerWord } from './answer-words.ts';

export type Page = HtmlEscapedString | Promise<HtmlEscapedString>;

/** What was typed before an error, to be shown again; never the number. */
export type Typed = { answer: string; count: string };

/** Names that fit the page's 14 KB beside the longest texts. */
const UNITS_SHOWN_MAX = 12;

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
input:focus,button:focus,a:focus{outline:3px solid #003f87;outline-offset:2px}.small{font-size:.9em;color:#333}.wrap{word-wrap:break-word}`;

function shell(language: Language, title: string, body: Page): string {
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

type Heading = Pick<AnswerLink, 'kind' | 'hazard' | 'level' | 'issuer' | 'warningId'>;

/** The warning's heading and, in an Exercise, that it is one: first on the page and last. */
function framed(link: Heading, language: Language, title: string, body: Page): string {
  const say = speaker(language);
  const level = findLevel(link.level);
  const heading = say('heading', {
    hazard: findHazard(link.hazard)?.[language] ?? link.hazard,
    level: level?.[language] ?? link.level,
    numeral: level?.numeral ?? '',
  });
  const mark = EXERCISE_MARK[language];
  const exercise = say('exercise');
  const drill = (line: string) => (link.kind === 'exercise' ? html`<p class="drill">${line}</p>` : '');
  return shell(
    language,
    title,
    html`${drill(`${mark}${language === 'zh' ? '' : ' '}${exercise}`)}
      <h1 class="${link.level}">
        ${SHAPES[link.level] ?? ''} ${heading.slice(0, 1).toUpperCase()}${heading.slice(1)}
      </h1>
      ${body}
      <p class="small">${say('footer', { issuer: link.issuer, warningId: link.warningId })}</p>
      ${drill(`${exercise}${language === 'zh' ? '' : ' '}${mark}`)}`,
  );
}

/** The warning and the form. `note` is what was wrong with what was sent before. */
export function formPage(
  link: AnswerLink,
  language: Language,
  wrong: { note: string; typed: Typed } | null,
): string {
  const say = speaker(language);
  const typed = wrong?.typed ?? { answer: '', count: '' };
  return framed(
    link,
    language,
    say('title'),
    html`${wrong ? noteBox(language, wrong.note) : ''}
      ${link.late ? noteBox(language, endedNote(link, language)) : ''}
      <p>${language === 'zh' ? link.textZh : link.textEn}</p>
      <p><strong>${say('to', { units: unitNames(link.units, language) })}</strong></p>
      ${said(link, language)}
      <form method="post">
        <fieldset>
          <legend>${say(link.firstAt === null ? 'question' : 'questionAgain')}</legend>
          ${pick(say, 'received', 'received', 'receivedMeans', typed.answer)}
          ${pick(say, 'done', 'done', 'doneMeans', typed.answer)}
          <div class="inner">
            <label class="field" for="count">${say('count')}</label>
            <input
              class="box"
              id="count"
              name="count"
              type="tel"
              maxlength="7"
              autocomplete="off"
              value="${typed.count}"
            />
          </div>
          ${pick(say, 'cannot', 'cannot', 'cannotMeans', typed.answer)}
        </fieldset>
        <label class="field" for="number"><strong>${say('number')}</strong></label>
        <input
          class="box"
          id="number"
          name="number"
          type="tel"
          maxlength="8"
          autocomplete="off"
          required
          aria-describedby="help"
        />
        <p class="small" id="help">${say('numberHelp')}</p>
        <button type="submit">${say('send')}</button>
      </form>
      ${otherLanguage(language)}`,
  );
}

type Say = ReturnType<typeof speaker>;

function pick(say: Say, value: string, word: AnswerWord, means: AnswerWord, chosen: string): Page {
  return html`<label class="pick"
    ><input
      type="radio"
      name="answer"
      value="${value}"
      required
      ${chosen === value ? raw('checked') : ''}
    /><strong>${say(word)}</strong> <span class="small">${say(means)}</span></label
  >`;
}

/** What was recorded a moment ago, and what to do now. */
export function recordedPage(
  link: RecordedLink,
  language: Language,
  recorded: { answer: AnswerKind; count: number | null; late: boolean },
): string {
  const say = speaker(language);
  const { units, at, firstAt, firstKind } = link;
  const { answer, count, late } = recorded;
  const after = { received: 'afterReceived', done: 'afterDone', 'cannot act': 'afterCannot' } as const;
  return framed(
    link,
    language,
    say('recordedTitle'),
    html`<div class="ok" role="status">
        <h2>✓ ${say('recordedTitle')}</h2>
        <p>
          <strong
            >${say('recordedFor', {
              units: unitNames(units, language),
              answer: answerWords(say, answer, count),
            })}</strong
          >
        </p>
        <p>${say('at', { time: timeWords(at, language) })}</p>
        ${
          firstAt !== null && firstKind !== null
            ? html`<p>
                ${say('firstAt', {
                  time: timeWords(firstAt, language),
                  answer: answerWords(say, firstKind, null),
                })}
              </p>`
            : ''
        }
      </div>
      ${late ? noteBox(language, say('late')) : ''}
      <p>${say(late ? 'afterLate' : after[answer])}</p>
      <a href="?lang=${language}">${say('again')}</a>`,
  );
}

/** Too many wrong numbers: what that means, and what to do now. */
export function closedPage(link: AnswerLink, language: Language): string {
  const say = speaker(language);
  return framed(
    link,
    language,
    say('closedTitle'),
    html`<div class="note" role="alert">
        <h2>${say('closedTitle')}</h2>
        <p>${say('closed')}</p>
        <p>${say('closedNothing')}</p>
      </div>
      <p><strong>${say('closedNow')}</strong></p>
      <p>${language === 'zh' ? link.textZh : link.textEn}</p>
      ${said(link, language)} ${otherLanguage(language)}`,
  );
}

/** A link that was forged, mistyped, never made, or has died: the page does not say which. */
export function deadPage(): string {
  return shell(
    'zh',
    '链接打不开 / This link does not open',
    html`<h1>链接打不开<br /><span lang="en">This link does not open</span></h1>
      <p>链接可能不完整，或者预警已经结束。这一次没有记录应答。</p>
      <p>
        <strong>现在请这样做：</strong
        >打开最新一条预警消息里的链接，或照预警短信的说明回复，或致电上级值班室。
      </p>
      <div lang="en">
        <p>It may be incomplete, or the warning may have ended. Nothing was recorded just now.</p>
        <p>
          <strong>What to do now:</strong> open the link in your latest warning message, or reply to the
          warning by SMS, or call your superior’s duty desk.
        </p>
      </div>`,
  );
}

/** Nothing could be stored, or that is not certain. What was typed is kept, so that one number and one press send it again. */
export function notNowPage(typed: Typed | null): string {
  return shell(
    'zh',
    '暂时无法处理 / Not possible right now',
    html`<h1>暂时无法处理<br /><span lang="en">Not possible right now</span></h1>
      <p><strong>应答可能还没有记录。</strong>请过一分钟再试；仍不行，请回复预警短信，或致电上级值班室。</p>
      <p lang="en">
        <strong>Your answer may not be recorded.</strong> Try again in a minute. If that fails, reply to the
        warning by SMS, or call your superior’s duty desk.
      </p>
      ${
        typed
          ? html`<form method="post">
              <input type="hidden" name="answer" value="${typed.answer}" />
              <input type="hidden" name="count" value="${typed.count}" />
              <label class="field" for="number"
                >消息里的四位编号 / The four-digit number in the message</label
              >
              <input
                class="box"
                id="number"
                name="number"
                type="tel"
                maxlength="8"
                autocomplete="off"
                required
              />
              <button type="submit">再次提交 / Send again</button>
            </form>`
          : html`<a href="?">再试一次 / Try again</a>`
      }`,
  );
}

function otherLanguage(language: Language): Page {
  const other = language === 'zh' ? 'en' : 'zh';
  return html`<a href="?lang=${other}" lang="${htmlLanguage(other)}"
    >${sayOnPage(language, 'otherLanguage')}</a
  >`;
}

function htmlLanguage(language: Language): string {
  return language === 'zh' ? 'zh-CN' : 'en';
}

function noteBox(language: Language, text: string): Page {
  return html`<p class="note" role="alert"><strong>${sayOnPage(language, 'note', { text })}</strong></p>`;
}

function endedNote(link: AnswerLink, language: Language): string {
  const time = timeWords(link.endsAt, language);
  return sayOnPage(language, link.status === 'cancelled' ? 'cancelled' : 'expired', { time });
}

/** What this recipient has said so far, first and last. */
function said(link: AnswerLink, language: Language): Page | '' {
  const { firstAt, firstKind, lastAt, lastKind, lastCount } = link;
  if (firstAt === null || firstKind === null || lastAt === null || lastKind === null) return '';
  const say = speaker(language);
  const line = (word: 'firstAt' | 'lastAt', at: number, kind: AnswerKind, count: number | null) =>
    html`<p>${say(word, { time: timeWords(at, language), answer: answerWords(say, kind, count) })}</p>`;
  return html`<div class="ok">
    <h2>✓ ${say('recordedTitle')}</h2>
    ${line('firstAt', firstAt, firstKind, lastAt === firstAt ? lastCount : null)}
    ${lastAt > firstAt ? line('lastAt', lastAt, lastKind, lastCount) : ''}
  </div>`;
}

function answerWords(say: Say, kind: AnswerKind, count: number | null): string {
  const answer = say(kind === 'cannot act' ? 'cannot' : kind);
  return count === null ? answer : say('people', { answer, count });
}

function unitNames(units: readonly string[], language: Language): string {
  const names = units.slice(0, UNITS_SHOWN_MAX).join(language === 'zh' ? '、' : ', ');
  return units.length > UNITS_SHOWN_MAX
    ? `${names}${sayOnPage(language, 'more', { count: units.length })}`
    : names;
}

function timeWords(at: number, language: Language): string {
  return language === 'zh'
    ? chineseMinute(at)
    : `${isoWithOffset(at).slice(0, 16).replace('T', ' ')} (UTC+8)`;
}

function speaker(language: Language) {
  return (word: AnswerWord, values?: Readonly<Record<string, string | number>>) =>
    sayOnPage(language, word, values);
}
