/** The states of the answer page: the form, what was recorded, and the pages on which nothing can be answered. */
import { html, raw } from 'hono/html';
import type { RecordedLink } from '../db/answer-links.ts';
import type { OtherWarning } from '../db/other-warnings.ts';
import type { Language } from '../domain/texts.ts';
import type { AnswerKind } from '../domain/unit.ts';
import type { AnswerLink } from '../operations/answer-links.ts';
import type { Below } from '../operations/below.ts';
import type { OtherRecorded } from '../operations/other-warnings.ts';
import { belowSection, contactsSection } from './answer-below-view.ts';
import type { Typed } from './answer-forms.ts';
import {
  answerWords,
  dense,
  endedNote,
  fitting,
  framed,
  headingWords,
  noteBox,
  numberAndButton,
  otherLanguage,
  pick,
  shell,
  shortName,
  speaker,
  timeWords,
  unitNames,
  type Page,
  type Say,
} from './answer-shell.ts';

/** What the page of an official shows beside the form: null where there is nothing of the kind. */
export type Beside = { below: Below | null; others: readonly OtherWarning[] };

/** What was wrong with what was sent before, and what was typed. */
export type Wrong = { note: string; typed: Typed };

/** The warning and the form, other warnings of the same person, and who below is silent. */
export function formPage(link: AnswerLink, language: Language, beside: Beside, wrong: Wrong | null): string {
  const say = speaker(language);
  const typed = wrong?.typed ?? null;
  const { below, others } = beside;
  const section = (lines: number) =>
    below ? belowSection(below, language, { lines: Math.max(0, lines - others.length), typed }) : '';
  // Whoever was answering for others goes on with that.
  const again = typed?.get('act') === 'below';
  // What is to be answered goes before what is to be seen.
  return fitting(others.length + (below?.units.length ?? 0), (lines) =>
    framed(
      link,
      language,
      say('title'),
      html`${wrong ? noteBox(language, wrong.note) : ''}
        ${link.late ? noteBox(language, endedNote(link, language)) : ''} ${again ? section(lines) : ''}
        <p>${language === 'zh' ? link.textZh : link.textEn}</p>
        <p><strong>${say('to', { units: unitNames(link.units, language) })}</strong></p>
        ${said(link, language)}
        <form method="post">
          <fieldset>
            <legend>${say(link.firstAt === null ? 'question' : 'questionAgain')}</legend>
            ${own(say, typed, 'received', 'received', 'receivedMeans')}
            ${own(say, typed, 'done', 'done', 'doneMeans')}
            <div class="inner">
              <label class="field" for="count">${say('count')}</label>
              <input
                class="box"
                id="count"
                name="count"
                type="tel"
                maxlength="7"
                autocomplete="off"
                value="${typed?.get('count') ?? ''}"
              />
            </div>
            ${own(say, typed, 'cannot', 'cannot', 'cannotMeans')}
          </fieldset>
          ${others.length > 0 ? othersFields(others.slice(0, lines), language, typed) : ''}
          ${below ? raw('<input type="hidden" name="below" value="1">') : ''} ${numberAndButton(say, 'send')}
        </form>
        ${otherLanguage(language)} ${again ? '' : section(lines)}`,
    ),
  );
}

function own(say: Say, typed: Typed | null, value: string, word: OwnWord, means: `${OwnWord}Means`): Page {
  return pick(say, { name: 'answer', value, word, means, chosen: typed?.get('answer') === value });
}

type OwnWord = 'received' | 'done' | 'cannot';

/** A box for each other warning: nothing is said for those that are left as they are. */
function othersFields(others: readonly OtherWarning[], language: Language, typed: Typed | null): Page {
  const say = speaker(language);
  const line = (other: OtherWarning) => {
    const name = `t${other.warningId}`;
    const choice = (value: '-' | OwnWord, words: string) =>
      dense`<option value="${value}"${typed?.get(name) === value ? raw(' selected') : ''}>${words}</option>`;
    return dense`<div class="item"><label for="${name}"><strong>${headingWords(other, language)}</strong> ${unitNames(other.units.map(shortName), language, 2)} (W${other.warningId})${other.lastKind ? dense`<br><span class="small">${say('otherSaid', { answer: answerWords(say, other.lastKind, null) })}</span>` : ''}</label><br><select id="${name}" name="${name}">${choice('-', say('otherChoice'))}${choice('received', say('received'))}${choice('done', say('done'))}${choice('cannot', say('cannot'))}</select></div>`;
  };
  return html`<fieldset>
    <legend>${say('others')}</legend>
    ${others.map(line)}
  </fieldset>`;
}

/** What was recorded a moment ago, and what to do now; `below` with whom to phone. */
export function recordedPage(
  link: RecordedLink,
  language: Language,
  recorded: { answer: AnswerKind; count: number | null; late: boolean },
  beside: { below: Below | null; others: readonly OtherRecorded[] },
): string {
  const say = speaker(language);
  const { units, at, firstAt, firstKind } = link;
  const { answer, count, late } = recorded;
  const after = { received: 'afterReceived', done: 'afterDone', 'cannot act': 'afterCannot' } as const;
  const { below, others } = beside;
  return fitting(below?.units.length ?? 0, (lines) =>
    framed(
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
          ${others.map(
            (other) =>
              dense`<p>${say('otherRecorded', { heading: headingWords(other, language), warningId: other.warningId, units: unitNames(other.units.map(shortName), language, 2), answer: answerWords(say, other.answer, null) })}</p>`,
          )}
        </div>
        ${late ? noteBox(language, say('late')) : ''}
        <p>${say(late ? 'afterLate' : after[answer])}</p>
        <a href="?lang=${language}">${say('again')}</a>
        ${below ? contactsSection(below, language, lines) : ''}`,
    ),
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
              ${hiddenFields(typed)}
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

function hiddenFields(typed: Typed): Page[] {
  return [...typed].map(([name, value]) => dense`<input type="hidden" name="${name}" value="${value}">`);
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
