/**
 * Who below an official is silent. By the link alone: units and counts. After the message's number: whom to phone, and a form that
 * takes what was heard from them.
 */
import { html } from 'hono/html';
import type { Language } from '../domain/texts.ts';
import type { AnswerLink } from '../operations/answer-links.ts';
import type { Below, BelowSeen } from '../operations/below.ts';
import type { Typed } from './answer-forms.ts';
import {
  answerWords,
  dense,
  endedNote,
  fitting,
  framed,
  noteBox,
  numberAndButton,
  otherLanguage,
  pick,
  shortName,
  shortTime,
  speaker,
  type Page,
  type Say,
} from './answer-shell.ts';

type Unit = Below['units'][number];

/** Without names of people and telephones; the number is asked for to see them. */
export function belowSection(
  below: Below,
  language: Language,
  { lines, typed }: { lines: number; typed: Typed | null },
): Page {
  const say = speaker(language);
  const kept =
    typed?.get('act') === 'below' ? [...typed].filter(([name]) => /^(how|[uc][0-9])/.test(name)) : [];
  return html`<section>
    ${counts(below, say)}
    ${below.units.slice(0, lines).map((unit) => dense`<div class="item">${trouble(unit, language)}</div>`)}
    ${more(below, lines, say)}
    ${
      below.count > 0
        ? html`<form method="post">
            <input type="hidden" name="act" value="below" />
            ${kept.map(([name, value]) => dense`<input type="hidden" name="${name}" value="${value}">`)}
            <p>${say(kept.length > 0 ? 'belowKept' : 'belowAsk')}</p>
            ${numberAndButton(say, kept.length > 0 ? 'vouch' : 'showPhones', 'number2')}
          </form>`
        : ''
    }
  </section>`;
}

/** With whom to phone, and the form for what was heard: the message's number was right. */
export function contactsSection(below: Below, language: Language, lines: number): Page {
  const say = speaker(language);
  return html`<section>
    ${counts(below, say)}
    ${
      below.count > 0
        ? html`<form method="post">
            <input type="hidden" name="act" value="below" />
            <p>${say('belowHow')}</p>
            ${below.units.slice(0, lines).map((unit) => contact(unit, language, say))}
            ${more(below, lines, say)}
            <fieldset>
              <legend>${say('how')}</legend>
              ${pick(say, { name: 'how', value: 'telephone', word: 'byTelephone', chosen: false })}
              ${pick(say, { name: 'how', value: 'person', word: 'inPerson', chosen: false })}
            </fieldset>
            ${numberAndButton(say, 'vouch', 'number2')}
          </form>`
        : ''
    }
  </section>`;
}

/** What an official has said for units below, and who is still silent. */
export function belowPage(link: AnswerLink, language: Language, seen: BelowSeen): string {
  const say = speaker(language);
  const { recorded, below } = seen;
  return fitting(below.units.length, (lines) =>
    framed(
      link,
      language,
      say('below'),
      html`${
          recorded.length > 0
            ? html`<div class="ok" role="status">
                <h2>✓ ${say('vouched')}</h2>
                ${recorded.map(({ unit, answer, doneCount }) => dense`<p>${say('recordedFor', { units: shortName(unit), answer: answerWords(say, answer, doneCount) })}</p>`)}
              </div>`
            : ''
        }
        ${link.late ? noteBox(language, endedNote(link, language)) : ''}
        ${contactsSection(below, language, lines)}
        <p><a href="?lang=${language}">${say('back')}</a></p>
        ${otherLanguage(language)}`,
    ),
  );
}

function counts(below: Below, say: Say): Page {
  const { count, deeper } = below;
  return html`<h2>${say('below')}</h2>
    <p>${say(count > 0 ? 'belowCount' : deeper > 0 ? 'belowNone' : 'belowClear', { count, deeper })}</p>`;
}

function more(below: Below, lines: number, say: Say): Page | '' {
  const left = below.count - Math.min(lines, below.units.length);
  return left > 0 ? html`<p>${say('belowMore', { count: left })}</p>` : '';
}

const TROUBLES = { silent: 'belowSilent', 'cannot act': 'belowCannot', 'not done': 'belowNotDone' } as const;

function trouble(unit: Unit, language: Language): Page {
  const time = unit.since === null ? '' : shortTime(unit.since, language);
  return dense`<p><strong>${shortName(unit.name)}</strong> ${speaker(language)(TROUBLES[unit.trouble], { time })}</p>`;
}

function contact(unit: Unit, language: Language, say: Say): Page {
  const { unitId, holder } = unit;
  const phone = holder?.phone
    ? dense` <a href="tel:${holder.phone}">${holder.phone}</a>`
    : ` ${say('noPhone')}`;
  return dense`<div class="item">${trouble(unit, language)}<p>${holder ? shortName(holder.name) : ''}${phone}</p><label>${say('vouchAnswer')} <select name="u${unitId}"><option value="-">${say('vouchChoice')}<option value="received">${say('received')}<option value="done">${say('done')}<option value="cannot">${say('cannot')}</select></label> <label>${say('countShort')} <input class="count" name="c${unitId}" type="tel" maxlength="7"></label></div>`;
}
