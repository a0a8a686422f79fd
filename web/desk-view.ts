/** What the duty desk looks like: plain HTML of the answer page's make, for a telephone of 360 px without scripts. */
import { html } from 'hono/html';
import type { Call, CallOutcome, Line } from '../db/calls.ts';
import { EXERCISE_MARK, type Language } from '../domain/texts.ts';
import { isoWithOffset } from '../domain/time.ts';
import { phoneNext } from '../operations/calls.ts';
import type { WebDesk } from '../operations/web-desk.ts';
import { dense, fitting, headingWords, shell, type Page } from './answer-shell.ts';
import { deskSpeaker, type DeskSay, type DeskWord } from './desk-words.ts';

/** One key each, where the browser lets keys press buttons. */
const OUTCOMES: readonly (readonly [outcome: CallOutcome, key: string])[] = [
  ['received', '1'],
  ['done', '2'],
  ['cannot act', '3'],
  ['no answer', '4'],
  ['wrong number', '5'],
  ['given back', '6'],
];

/** What went wrong with a log-in, with the values of its sentence. */
export type LoginFault = { word: DeskWord; values?: Readonly<Record<string, string>> };

/** `provider` is the host of one that people may log in by instead. */
export function loginPage(language: Language, fault: LoginFault | null, provider: string | null): string {
  const say = deskSpeaker(language);
  return shell(
    language,
    say('title'),
    html`<h1>${say('title')}</h1>
      ${fault === null ? '' : alert(say(fault.word, fault.values))}
      ${provider === null ? '' : html`<p><a href="/desk/oidc">${say('loginBy', { provider })}</a></p>`}
      <form method="post" action="/desk/login">
        <label class="field" for="token"><strong>${say('token')}</strong></label>
        <input
          class="box"
          style="width:95%"
          id="token"
          name="token"
          type="password"
          autocomplete="off"
          required
        />
        <button>${say('login')}</button>
      </form>`,
  );
}

/**
 * What a browser sees that comes back from the provider: the desk's cookie goes only where our own page leads, and a redirect from
 * another site is none.
 */
export function loggedInPage(language: Language, name: string): string {
  const say = deskSpeaker(language);
  return shell(
    language,
    say('title'),
    html`<meta http-equiv="refresh" content="0;url=/desk" />
      <h1>${say('title')}</h1>
      <p>${say('loggedIn', { name })}</p>
      <p><a href="/desk">${say('back')}</a></p>`,
  );
}

/** `csrf` stands in each form; `fault` is what went wrong with the last one. */
export function deskPage(
  language: Language,
  input: { name: string; csrf: string; desk: WebDesk; fault: DeskWord | null; now: number },
): string {
  const { name, csrf, desk, fault, now } = input;
  const say = deskSpeaker(language);
  const hidden = html`<input type="hidden" name="csrf" value="${csrf}" />`;
  return fitting(desk.lines.length, (shown) =>
    shell(
      language,
      say('title'),
      html`<h1>${say('title')}</h1>
        <p class="small">${say('who', { name })}</p>
        ${note(say, fault)}
        ${desk.own ? ownLine(say, language, desk.own, hidden) : takeOne(say, desk, hidden)}
        ${list(say, language, desk, { shown, now })}
        <form method="post" action="/desk/logout">
          ${hidden}<button style="background:#444">${say('logout')}</button>
        </form>`,
    ),
  );
}

function note(say: DeskSay, fault: DeskWord | null): Page | string {
  return fault === null ? '' : alert(say(fault));
}

function alert(sentence: string): Page {
  return html`<p class="note" role="alert">${sentence}</p>`;
}

function takeOne(say: DeskSay, { mayCall, lines }: WebDesk, hidden: Page): Page | string {
  if (lines.length === 0) return '';
  if (!mayCall) return html`<p class="note">${say('noRight')}</p>`;
  return html`<form method="post" action="/desk/next">
    ${hidden}<button accesskey="n">${say('next')}</button>
  </form>`;
}

/** The line that was taken: the number to call, and a button for each thing that may come of it. */
function ownLine(say: DeskSay, language: Language, call: Call, hidden: Page): Page {
  const person = call.people.find(({ personId }) => personId === call.personId) ?? phoneNext(call.people);
  const phone = person?.phone ?? null;
  return html`<section>
    <h2>${say('yours')}</h2>
    <p>
      <strong>${mark(call, language)}${headingWords(call, language)}</strong><br />${call.path.join(' / ')}
    </p>
    <p>
      ${person?.name ?? ''} ${person?.title ?? ''}<br />
      ${phone === null ? say('noPhone') : html`<a href="tel:${phone}"><strong>${phone}</strong></a>`}
    </p>
    <p class="small">${say('until', { time: isoWithOffset(call.takenUntil).slice(11, 16) })}</p>
    <form method="post" action="/desk/record">
      ${hidden}<input type="hidden" name="call" value="${call.callId}" />
      <label class="field" for="count">${say('count')}</label>
      <input
        class="box"
        id="count"
        name="count"
        inputmode="numeric"
        pattern="[0-9]{0,9}"
        autocomplete="off"
      />
      ${OUTCOMES.map(
        ([outcome, key]) =>
          html`<button name="outcome" value="${outcome}" accesskey="${key}">${key} ${say(outcome)}</button>`,
      )}
    </form>
  </section>`;
}

function list(
  say: DeskSay,
  language: Language,
  { lines, more }: WebDesk,
  { shown, now }: { shown: number; now: number },
): Page {
  if (lines.length === 0) return html`<p>${say('none')}</p>`;
  const items = lines.slice(0, shown).map((line) => item(say, language, line, now));
  const cut = more || shown < lines.length;
  return html`<section>
    <h2>${say('list')}</h2>
    ${items}${cut ? html`<p class="small">${say('more')}</p>` : ''}
  </section>`;
}

function item(say: DeskSay, language: Language, line: Line, now: number): Page {
  const minutes = Math.max(0, Math.floor((now - (line.silentAt ?? now)) / 60_000));
  const taken = line.takenBy === null ? '' : ` · ${say('takenBy', { officer: line.takenBy })}`;
  return dense`<div class="item"><p><strong>${mark(line, language)}${headingWords(line, language)}</strong></p><p>${line.path.slice(1).join(' / ') || line.path.join(' / ')}</p><p class="small">${say('silentSince', { minutes })}${taken}</p></div>`;
}

function mark({ kind }: Line, language: Language): string {
  return kind === 'exercise' ? EXERCISE_MARK[language] : '';
}
