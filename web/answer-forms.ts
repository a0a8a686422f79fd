/** What the forms of the answer page say: read once, where they enter. A fault is the sentence that tells what is missing. */
import type { AnswerKind } from '../domain/unit.ts';
import type { BelowForm, Vouched } from '../operations/below.ts';
import type { DoorsForm } from '../operations/doors.ts';
import type { OtherAnswer } from '../operations/other-warnings.ts';
import type { AnswerWord } from './answer-words.ts';

/** One's own answer, with those to other warnings, and whether the page asked who below is silent. */
export type OwnForm = {
  act: 'answer';
  answer: AnswerKind;
  doneCount: number | null;
  others: OtherAnswer[];
  below: boolean;
};

export type AnswerForm =
  | OwnForm
  | ({ act: 'below' } & Omit<BelowForm, 'token' | 'number'>)
  | ({ act: 'doors' } & Omit<DoorsForm, 'token' | 'number'>);

export type Fault = { fault: AnswerWord };

const ANSWERS: Readonly<Record<string, AnswerKind>> = {
  received: 'received',
  done: 'done',
  cannot: 'cannot act',
};

const DONE_COUNT_MAX = 1_000_000;

/** What is shown again after an error: fields of our forms, never the number, no longer than a field takes. */
const KEPT_NAME = /^(act|answer|count|how|below|mode|from|until|[rn]|[uct][0-9]{1,10})$/;
const KEPT_CHARACTERS_MAX = 16;
const COUNT_CHARACTERS_MAX = 7;
const KEPT_FIELDS_MAX = 80;

/** What was typed before an error. */
export type Typed = URLSearchParams;

export function typedIn(fields: URLSearchParams): Typed {
  const kept = new URLSearchParams();
  for (const [name, value] of fields) {
    if (kept.size < KEPT_FIELDS_MAX && KEPT_NAME.test(name))
      kept.append(name, value.trim().slice(0, /^c/.test(name) ? COUNT_CHARACTERS_MAX : KEPT_CHARACTERS_MAX));
  }
  return kept;
}

/** What a form says, or what is missing in it. */
export function readForm(typed: Typed): AnswerForm | Fault {
  switch (typed.get('act') ?? '') {
    case '':
      return readOwn(typed);
    case 'below':
      return readBelow(typed);
    case 'doors':
      return readDoors(typed);
    default:
      return { fault: 'chooseOne' };
  }
}

function readOwn(typed: Typed): OwnForm | Fault {
  const answer = kindOf(typed.get('answer'));
  if (answer === null) return { fault: 'chooseOne' };
  const doneCount = countOf(typed.get('count'), answer);
  if (typeof doneCount === 'object' && doneCount !== null) return doneCount;
  const others = [...typed].flatMap(([name, value]): OtherAnswer[] => {
    const warningId = idOf(/^t([0-9]+)$/.exec(name)?.[1]);
    const kind = kindOf(value);
    return warningId === null || kind === null ? [] : [{ warningId, answer: kind }];
  });
  return { act: 'answer', answer, doneCount, others, below: typed.has('below') };
}

function readBelow(typed: Typed): AnswerForm | Fault {
  const vouched: Vouched[] = [];
  for (const [name, value] of typed) {
    const unitId = idOf(/^u([0-9]+)$/.exec(name)?.[1]);
    if (unitId === null) continue;
    const answer = kindOf(value);
    const doneCount = countOf(typed.get(`c${unitId}`), answer);
    if (typeof doneCount === 'object' && doneCount !== null) return doneCount;
    if (answer !== null) vouched.push({ unitId, answer, doneCount });
  }
  const how = typed.get('how');
  if (how === 'telephone' || how === 'person')
    return { act: 'below', vouched, how: how === 'person' ? 'in person' : how };
  return vouched.length > 0 ? { fault: 'howMissing' } : { act: 'below', vouched, how: 'telephone' };
}

function readDoors(typed: Typed): AnswerForm | Fault {
  const idsOf = (name: string) => typed.getAll(name).flatMap((value) => idOf(value) ?? []);
  const [reached, nobody] = [idsOf('r'), idsOf('n')];
  if (reached.some((id) => nobody.includes(id))) return { fault: 'bothTicked' };
  const [from, until] = [idOf(typed.get('from')), idOf(typed.get('until'))];
  const rest = typed.get('mode') === 'all' && from !== null && until !== null ? { from, until } : null;
  if (!rest && reached.length + nobody.length === 0) return { fault: 'nothingTicked' };
  return { act: 'doors', reached, nobody, rest };
}

function kindOf(value: string | null): AnswerKind | null {
  return value !== null && Object.hasOwn(ANSWERS, value) ? (ANSWERS[value] ?? null) : null;
}

/** People moved; null where the field is empty. It goes with *done* only. */
function countOf(value: string | null, answer: AnswerKind | null): number | null | Fault {
  const digits = (value ?? '').normalize('NFKC').replace(/人$/, '').trim();
  if (digits === '') return null;
  if (answer !== 'done') return { fault: 'countNeedsDone' };
  const count = /^[0-9]+$/.test(digits) ? Number(digits) : Number.NaN;
  return count <= DONE_COUNT_MAX ? count : { fault: 'countWrong' };
}

/** An id that PostgreSQL and a double hold. */
export function idOf(value: string | null | undefined): number | null {
  return value !== null && value !== undefined && /^[0-9]{1,10}$/.test(value) ? smallId(Number(value)) : null;
}

const ID_MAX = 2_147_483_647;

function smallId(id: number): number | null {
  return id <= ID_MAX ? id : null;
}
