/**
 * Imports people and their posts from CSV or a workbook: all of it or nothing, every fault by line, and the difference as the result.
 * Posts are never deleted: they end and begin, so that a warning can say who held them when it was issued.
 */
import type { Sql } from '../db/database.ts';
import { allowLongWork, lockOrganisation } from '../db/organisation-lock.ts';
import {
  beginPosts,
  currentPosts,
  deleteChannels,
  endPosts,
  handoverInstant,
  insertPeople,
  peopleByReferenceOrAddress,
  putChannels,
  retireReferences,
  updatePeople,
} from '../db/organisation-people.ts';
import type { PlacedUnit } from '../db/organisation-read.ts';
import { analyzeOrganisation } from '../db/organisation-units.ts';
import {
  ImportRefused,
  plainName,
  readTable,
  type Column,
  type LineError,
  type Table,
} from './organisation-csv.ts';
import { findFileUnit, findFileUnits, unitWord } from './organisation-file-units.ts';
import { fileText } from './organisation-xlsx.ts';
import { BULK_ROWS_LEAST, type ImportInput } from './organisation-import.ts';
import { gatherPeople, type PersonHeaders, type PersonLine } from './organisation-people-gather.ts';
import { planPeople, type PeoplePlan } from './organisation-people-plan.ts';
import {
  parseEmail,
  parseLanguage,
  parsePhone,
  parseRank,
  parseStaffNumber,
  type ParsedCell,
} from './organisation-person.ts';

export const PEOPLE_FILE_COLUMNS: readonly Column[] = [
  {
    key: 'unit',
    headers: ['unit code', 'unit', 'code', '单位编码', '编码', '区划代码', '单位'],
    required: true,
  },
  { key: 'name', headers: ['name', '姓名'], required: true },
  { key: 'title', headers: ['post title', 'title', 'post', '岗位', '职务'], required: true },
  { key: 'rank', headers: ['rank', '顺位'], required: true },
  {
    key: 'phone',
    headers: ['phone', 'mobile', '手机', '手机号', '手机号码', '电话', '座机', '固定电话'],
    required: false,
  },
  { key: 'email', headers: ['email', 'e-mail', '邮箱', '电子邮箱'], required: false },
  { key: 'staffNumber', headers: ['staff number', '编号', '工号', '人员编号'], required: false },
  { key: 'language', headers: ['language', '语言'], required: false },
];

const TEXT_CHARACTERS_MOST = 60;

export type PostDifference = {
  kind: 'begun' | 'ended';
  /** The line of the file; null for a post that ended because no line lists it. */
  line: number | null;
  place: string;
  name: string;
  title: string;
  rank: number;
};

export type PeopleImported = {
  people: { added: number; changed: number; unchanged: number };
  posts: { begun: number; ended: number; unchanged: number };
  /** Always empty: with errors `ImportRefused` is thrown instead. */
  errors: LineError[];
  differences: PostDifference[];
  ignoredHeaders: string[];
};

/**
 * Adds and changes people, ends and begins posts, in one transaction. Throws `ImportRefused` where lines are faulty.
 * `synthetic` flags all people of the file as made up, so that live channels refuse them (default false).
 */
export async function importPeople(input: ImportInput & { synthetic?: boolean }): Promise<PeopleImported> {
  const table = readTable(await fileText(input.file), PEOPLE_FILE_COLUMNS);
  const headers = headersOf(table);
  // Telephone numbers take their time: cells are parsed before the transaction begins.
  const landlines = new Set<string>();
  const parsed = parseRows(table, headers, landlines);
  return input.database.transaction(async (sql) => {
    await lockOrganisation(sql);
    await allowLongWork(sql);
    const units = await findFileUnits(
      sql,
      table.rows.map((row) => unitWord(row.cell('unit'))),
    );
    const { lines, errors } = resolveUnits(parsed, units, headers);
    const gathered = gatherPeople(lines, headers, landlines);
    const plan = planPeople({
      people: gathered.people,
      known: await loadKnown(sql, lines, gathered.people),
      headers,
      has: { phone: table.has('phone'), email: table.has('email') },
      landlines,
      synthetic: input.synthetic ?? false,
    });
    const faults = [...table.errors, ...errors, ...gathered.errors, ...plan.errors];
    if (faults.length > 0) throw new ImportRefused(faults);
    if (input.dryRun !== true) {
      await carryOut(sql, plan);
      if (plan.begun.length >= BULK_ROWS_LEAST) await analyzeOrganisation(sql);
    }
    return resultOf(plan, units, table);
  });
}

function headersOf(table: Table): PersonHeaders {
  return {
    unit: table.headerOf('unit'),
    name: table.headerOf('name'),
    title: table.headerOf('title'),
    rank: table.headerOf('rank'),
    phone: table.headerOf('phone'),
    email: table.headerOf('email'),
    staffNumber: table.headerOf('staffNumber'),
    language: table.headerOf('language'),
  };
}

/** A row whose unit is not yet looked up; null stands for a rank that has a fault. */
type ParsedRow = {
  unitWord: string;
  line: Omit<PersonLine, 'unitId' | 'rank'>;
  rank: number | null;
  faults: LineError[];
};

/** Every row's cells; numbers that are landlines are added to `landlines`. */
function parseRows(table: Table, headers: PersonHeaders, landlines: Set<string>): ParsedRow[] {
  return table.rows.map((row) => {
    const faults: LineError[] = [];
    const read = <T>(key: keyof PersonHeaders, parsed: ParsedCell<T>): T | null => {
      if ('value' in parsed) return parsed.value;
      faults.push({ line: row.line, column: headers[key], sentence: parsed.fault });
      return null;
    };
    const phone = read('phone', parsePhone(row.cell('phone')));
    if (phone?.kind === 'landline') landlines.add(phone.number);
    const line = {
      line: row.line,
      name: read('name', parseText(row.cell('name'), 'name')) ?? '',
      title: read('title', parseText(row.cell('title'), 'title of the post')) ?? '',
      phone: phone?.number ?? null,
      email: read('email', parseEmail(row.cell('email'))),
      staffNumber: read('staffNumber', parseStaffNumber(row.cell('staffNumber'))),
      language: read('language', parseLanguage(row.cell('language'))),
    };
    return {
      unitWord: unitWord(row.cell('unit')),
      line,
      rank: read('rank', parseRank(row.cell('rank'))),
      faults,
    };
  });
}

function resolveUnits(
  rows: readonly ParsedRow[],
  units: ReadonlyMap<string, PlacedUnit | null>,
  headers: PersonHeaders,
): { lines: PersonLine[]; errors: LineError[] } {
  const errors: LineError[] = [];
  const lines: PersonLine[] = [];
  for (const { unitWord, line, rank, faults } of rows) {
    const unit = findFileUnit(unitWord, units);
    if ('fault' in unit) errors.push({ line: line.line, column: headers.unit, sentence: unit.fault });
    else if (rank !== null && faults.length === 0) lines.push({ ...line, unitId: unit.value.id, rank });
    errors.push(...faults);
  }
  return { lines, errors };
}

function parseText(cell: string, what: string): ParsedCell<string> {
  const text = plainName(cell);
  if (text === '') return { fault: `the ${what} is empty` };
  if (text.length > TEXT_CHARACTERS_MOST)
    return { fault: `the ${what} is longer than ${TEXT_CHARACTERS_MOST} characters` };
  return /\p{Cc}/u.test(text) ? { fault: `the ${what} has a line break in it` } : { value: text };
}

async function loadKnown(sql: Sql, lines: readonly PersonLine[], gathered: readonly { reference: string }[]) {
  const addresses = lines.flatMap(({ phone, email }) => [phone, email]).filter((address) => address !== null);
  const people = await peopleByReferenceOrAddress(
    sql,
    gathered.map(({ reference }) => reference),
    addresses,
  );
  const unitIds = [...new Set(lines.map(({ unitId }) => unitId))];
  return {
    people,
    posts: await currentPosts(
      sql,
      unitIds,
      people.map(({ id }) => id),
    ),
  };
}

async function carryOut(sql: Sql, plan: PeoplePlan): Promise<void> {
  const at = await handoverInstant(sql);
  await endPosts(
    sql,
    plan.ended.map(({ id }) => id),
    at,
  );
  await deleteChannels(sql, plan.freed);
  await retireReferences(sql, plan.retired);
  const added = plan.people.filter(({ existing }) => existing === null);
  const ids = await insertPeople(
    sql,
    added.map(({ row }) => row),
  );
  const idOf = (person: PeoplePlan['people'][number]) =>
    person.existing?.id ?? ids.get(person.row.reference) ?? 0;
  const changed = plan.people.filter(({ kind }) => kind === 'changed');
  await updatePeople(
    sql,
    changed.map((person) => ({ id: idOf(person), ...person.row })),
  );
  await deleteChannels(
    sql,
    changed.flatMap((person) => person.remove.map((channel) => ({ personId: idOf(person), channel }))),
  );
  await putChannels(
    sql,
    plan.people.flatMap((person) => person.put.map((channel) => ({ personId: idOf(person), ...channel }))),
  );
  const begun = plan.begun.map(({ line: { unitId, title, rank }, person }) => ({
    unitId,
    title,
    rank,
    personId: idOf(person),
  }));
  await beginPosts(sql, begun, at);
}

function resultOf(
  plan: PeoplePlan,
  units: ReadonlyMap<string, PlacedUnit | null>,
  table: Table,
): PeopleImported {
  const placeOf = new Map([...units.values()].map((unit) => [unit?.id, unit?.place ?? '']));
  const count = (kind: string) => plan.people.filter((person) => person.kind === kind).length;
  return {
    people: { added: count('added'), changed: count('changed'), unchanged: count('unchanged') },
    posts: { begun: plan.begun.length, ended: plan.ended.length, unchanged: plan.unchangedPosts },
    errors: [],
    differences: [
      ...plan.ended.map(({ unitId, personName, title, rank }) => ({
        kind: 'ended' as const,
        line: null,
        place: placeOf.get(unitId) ?? '',
        name: personName,
        title,
        rank,
      })),
      ...plan.begun.map(({ line: { line, unitId, name, title, rank } }) => ({
        kind: 'begun' as const,
        line,
        place: placeOf.get(unitId) ?? '',
        name,
        title,
        rank,
      })),
    ],
    ignoredHeaders: table.ignoredHeaders,
  };
}
