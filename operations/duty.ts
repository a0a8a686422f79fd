/** The duty roster: who stands for a post at which hours. Imported from the files offices keep, all of it or nothing. */
import type { Sql } from '../db/database.ts';
import {
  dutiesAhead,
  endDuties,
  findRosterPeople,
  insertDuties,
  readDuties,
  type Duty,
  type ListedDuty,
  type RosterPerson,
} from '../db/duties.ts';
import { allowLongWork, lockOrganisation } from '../db/organisation-lock.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { Instant } from '../domain/time.ts';
import {
  halfWidth,
  ImportRefused,
  plainName,
  readTable,
  type Column,
  type LineError,
} from './organisation-csv.ts';
import { findUnits } from './organisation-find.ts';
import type { ImportInput } from './organisation-import.ts';
import { findFileUnit, findFileUnits, unitWord } from './organisation-file-units.ts';
import { parseEmail, parsePhone, parseRank, type ParsedCell } from './organisation-person.ts';
import { fileText } from './organisation-xlsx.ts';

const ROSTER_COLUMNS: readonly Column[] = [
  {
    key: 'unit',
    headers: ['unit code', 'unit', 'code', '单位编码', '编码', '区划代码', '单位'],
    required: true,
  },
  { key: 'rank', headers: ['rank', '顺位'], required: true },
  {
    key: 'person',
    headers: ['person', 'name', 'phone', '人员', '值班人', '值班人员', '姓名', '手机', '编号'],
    required: true,
  },
  { key: 'from', headers: ['from', 'begin', '开始', '开始时间', '起'], required: true },
  { key: 'until', headers: ['until', 'to', 'end', '结束', '结束时间', '止'], required: true },
];

/** Nobody is on duty for longer at a stretch: a longer one is a slip in the date. */
const DUTY_DAYS_MOST = 31;
const DAY_MS = 86_400_000;

export type DutiesImported = {
  added: number;
  ended: number;
  unchanged: number;
  /** Always empty: with errors `ImportRefused` is thrown instead. */
  errors: LineError[];
  ignoredHeaders: string[];
};

/**
 * Takes a roster. The file tells all duties from now on of the units it names: what is no longer listed there ends or is
 * deleted. Throws `ImportRefused` where lines are faulty.
 */
export async function importDuties(input: ImportInput): Promise<DutiesImported> {
  const table = readTable(await fileText(input.file), ROSTER_COLUMNS);
  return input.database.transaction(async (sql) => {
    await lockOrganisation(sql);
    await allowLongWork(sql);
    const words = table.rows.map((row) => unitWord(row.cell('unit')));
    const units = await findFileUnits(sql, words);
    const unitIds = [...units.values()].flatMap((unit) => (unit ? [unit.id] : []));
    const people = await findRosterPeople(
      sql,
      table.rows.flatMap((row) => personWords(row.cell('person'))),
      unitIds,
    );
    const errors = [...table.errors];
    const duties: (Duty & { line: number })[] = [];
    for (const row of table.rows) {
      const fault = (column: string, sentence: string) => {
        errors.push({ line: row.line, column: table.headerOf(column), sentence });
        return null;
      };
      const read = <T>(column: string, parsed: ParsedCell<T>): T | null =>
        'value' in parsed ? parsed.value : fault(column, parsed.fault);
      const unit = read('unit', findFileUnit(unitWord(row.cell('unit')), units));
      const rank = read('rank', parseRank(row.cell('rank')));
      const from = read('from', parseMinute(row.cell('from')));
      const until = read('until', parseMinute(row.cell('until')));
      const personId = read('person', findPerson(row.cell('person'), unit?.id ?? 0, people));
      if (unit === null || rank === null || from === null || until === null || personId === null) continue;
      if (until <= from) fault('until', 'the duty ends before it begins');
      else if (until - from > DUTY_DAYS_MOST * DAY_MS)
        fault('until', `nobody is on duty for more than ${DUTY_DAYS_MOST} days at a stretch`);
      else duties.push({ line: row.line, unitId: unit.id, rank, personId, from, until });
    }
    errors.push(...overlapping(duties, table.headerOf('from')));
    if (errors.length > 0) throw new ImportRefused(errors);
    const plan = planDuties(duties, await dutiesAhead(sql, unitIds), Date.now());
    if (input.dryRun !== true) {
      await endDuties(
        sql,
        plan.ended.map(({ id }) => id),
      );
      await insertDuties(sql, plan.added);
    }
    const { added, ended, unchanged } = plan;
    return {
      added: added.length,
      ended: ended.length,
      unchanged,
      errors: [],
      ignoredHeaders: table.ignoredHeaders,
    };
  });
}

/** Who is on duty at a moment (default now), in one unit and all below it or everywhere. */
export async function listDuties(
  sql: Sql,
  input: { at?: string; unit?: string; most: number },
): Promise<{ at: Instant; duties: ListedDuty[] }> {
  const at = input.at === undefined ? { value: Date.now() } : parseMinute(input.at);
  if (!('value' in at)) {
    throw new FenghuoError({
      code: 'duty-time',
      refusal: 'usage',
      sentence: `"${input.at ?? ''}" is not a time. Give --at as "2026-07-09 08:00" (+08:00) or 2026-07-09T08:00:00+08:00.`,
    });
  }
  const unitId = input.unit === undefined ? null : (await findUnits(sql, input.unit)).id;
  return { at: at.value, duties: await readDuties(sql, { at: at.value, unitId, most: input.most }) };
}

/**
 * `2026-07-09 08:00`, `2026/7/9 8:00`, `2026-07-09T08:00:00+08:00`. Rosters give local times, and China has one time zone:
 * without an offset it is +08:00, on every machine.
 */
export function parseMinute(cell: string): ParsedCell<Instant> {
  const match =
    /^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?[T ]?\s*(\d{1,2}):(\d{2})(?::(\d{2}))?\s*(Z|[+-]\d{2}:\d{2})?$/.exec(
      halfWidth(cell),
    );
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '00', offset = '+08:00'] =
    match ?? [];
  const two = (digits: string) => digits.padStart(2, '0');
  const midnight = hour === '24' && minute === '00';
  const text = `${year}-${two(month)}-${two(day)}T${midnight ? '00' : two(hour)}:${minute}:${second}${offset}`;
  const at = match ? Date.parse(text) : NaN;
  const exists = Date.parse(`${year}-${two(month)}-${two(day)}T00:00:00Z`);
  if (Number.isNaN(at) || new Date(exists).getUTCDate() !== Number(day))
    return { fault: `"${cell}" is not a time; write it as 2026-07-09 08:00` };
  return { value: midnight ? at + DAY_MS : at };
}

/** What a cell may name somebody by: a reference, a number, an address, a name. */
function personWords(cell: string): string[] {
  const phone = parsePhone(cell);
  const email = parseEmail(cell);
  return [
    halfWidth(cell),
    plainName(cell),
    ...('value' in phone && phone.value ? [phone.value.number] : []),
    ...('value' in email && email.value ? [email.value] : []),
  ];
}

function findPerson(cell: string, unitId: number, people: readonly RosterPerson[]): ParsedCell<number> {
  if (cell === '') return { fault: 'nobody is named' };
  const words = personWords(cell);
  const meant = people.filter((one) => words.includes(one.word) && (one.unitId ?? unitId) === unitId);
  const ids = [...new Set(meant.map(({ personId }) => personId))];
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return { value: id };
  return {
    fault:
      ids.length > 1
        ? 'several people are meant by this; give the staff number or the telephone number'
        : 'nobody is known by this; give a staff number or a telephone number, or the name of somebody with a post in this unit',
  };
}

/** Two people on one post at one hour: nobody would know whom to call. */
function overlapping(duties: readonly (Duty & { line: number })[], column: string): LineError[] {
  const sorted = [...duties].sort((one, other) => one.from - other.from);
  const last = new Map<string, Duty & { line: number }>();
  return sorted.flatMap((duty) => {
    const key = `${duty.unitId} ${duty.rank}`;
    const before = last.get(key);
    if (!before || before.until < duty.until) last.set(key, duty);
    if (!before || before.until <= duty.from) return [];
    return [{ line: duty.line, column, sentence: `line ${before.line} has this post at the same hours` }];
  });
}

function planDuties(wanted: readonly Duty[], known: readonly (Duty & { id: number })[], now: Instant) {
  const keyOf = ({ unitId, rank, personId, from, until }: Duty) =>
    [unitId, rank, personId, from, until].join(' ');
  const there = new Map(known.map((duty) => [keyOf(duty), duty]));
  const added = wanted.filter((duty) => !there.delete(keyOf(duty)) && duty.until > now);
  return { added, ended: [...there.values()], unchanged: known.length - there.size };
}
