/** The door-to-door task: the households nobody has heard from, to be ticked off one by one or as a whole. */
import { html, raw } from 'hono/html';
import type { Language } from '../domain/texts.ts';
import type { AnswerLink } from '../operations/answer-links.ts';
import type { Doors } from '../operations/doors.ts';
import type { Typed } from './answer-forms.ts';
import {
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

type Door = Doors['list']['doors'][number];

export type DoorsNote = { wrong: string; typed: Typed } | { recorded: { reached: number; nobody: number } };

export function doorsPage(
  link: AnswerLink,
  language: Language,
  { task, list }: Doors,
  note: DoorsNote | null,
): string {
  const say = speaker(language);
  const typed = note && 'typed' in note ? note.typed : null;
  const { households, unreached } = list;
  const unit = shortName(task.unit);
  return fitting(list.doors.length, (lines) => {
    const doors = list.doors.slice(0, lines);
    return framed(
      link,
      language,
      say('doors'),
      html`${note ? noted(note, language) : ''}
        ${link.late ? noteBox(language, endedNote(link, language)) : ''}
        <h2>${say('doors')}</h2>
        <p>${say(unreached > 0 ? 'doorsFor' : 'doorsDone', { unit, households, unreached })}</p>
        ${doors.length > 0 ? doorsForm(doors, language, typed) : ''} ${paging(list, doors, language)}
        ${otherLanguage(language, list.before > 0 ? `&from=${doors[0]?.householdId ?? 0}` : '')}`,
    );
  });
}

function noted(note: DoorsNote, language: Language): Page {
  if ('wrong' in note) return noteBox(language, note.wrong);
  return html`<div class="ok" role="status">
    <h2>✓ ${speaker(language)('doorsRecorded', note.recorded)}</h2>
  </div>`;
}

function doorsForm(doors: readonly Door[], language: Language, typed: Typed | null): Page {
  const say = speaker(language);
  const ticked = (name: string) => new Set(typed?.getAll(name));
  const [r, n] = [ticked('r'), ticked('n')];
  const all = typed?.get('mode') === 'all';
  return html`<form method="post">
    <input type="hidden" name="act" value="doors" />
    <input type="hidden" name="from" value="${doors[0]?.householdId ?? 0}" />
    <input type="hidden" name="until" value="${doors.at(-1)?.householdId ?? 0}" />
    <p>${say('doorsAsk')}</p>
    <div class="doors">${doors.map((door) => doorLine(door, language, say, { r, n }))}</div>
    <fieldset>
      <legend>${say('doorsHow')}</legend>
      ${pick(say, { name: 'mode', value: 'ticked', word: 'doorsTicked', chosen: !all })}
      ${pick(say, { name: 'mode', value: 'all', word: 'doorsAll', chosen: all })}
    </fieldset>
    ${numberAndButton(say, 'doorsSend')}
  </form>`;
}

/** As short as HTML may be: `r` reached, `n` nobody there. */
function doorLine(
  door: Door,
  language: Language,
  say: Say,
  ticked: { r: ReadonlySet<string>; n: ReadonlySet<string> },
): Page {
  const id = String(door.householdId);
  const tick = (name: 'r' | 'n', word: 'doorReached' | 'doorNobody') =>
    dense`<label><input type=checkbox name=${name} value=${id}${ticked[name].has(id) ? raw(' checked') : ''}>${say(word)}</label>`;
  const since =
    door.nobodyAt === null
      ? ''
      : dense` <span class=small>${say('doorNobodyAt', { time: shortTime(door.nobodyAt, language) })}</span>`;
  return dense`<p>${shortName(door.name)}${since}<br>${tick('r', 'doorReached')}${tick('n', 'doorNobody')}`;
}

/** How many come before and after, with links to them. */
function paging(list: Doors['list'], doors: readonly Door[], language: Language): Page {
  const say = speaker(language);
  const after = list.unreached - list.before - doors.length;
  const next = (doors.at(-1)?.householdId ?? 0) + 1;
  return html`${
    after > 0
      ? html`<p><a href="?from=${next}&lang=${language}">${say('doorsNext', { count: after })}</a></p>`
      : ''
  }
  ${list.before > 0 ? html`<p><a href="?lang=${language}">${say('doorsFirst', { count: list.before })}</a></p>` : ''}`;
}
