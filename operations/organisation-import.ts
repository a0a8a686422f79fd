/**
 * Imports the tree of units from CSV or a workbook: all of it or nothing, every fault by line, and the difference as the result.
 * Importing the same file again changes nothing.
 */
import type { Database, Sql } from '../db/database.ts';
import { allowLongWork, lockOrganisation, lockWarnings } from '../db/organisation-lock.ts';
import {
  analyzeOrganisation,
  insertUnits,
  openWarningsConcerning,
  recomputePaths,
  reserveUnitIds,
  unitsDirectlyBelow,
  unitsWithAncestors,
  updateUnits,
  type UnitRow,
} from '../db/organisation-units.ts';
import { rootsCell, tierDepth, TIERS, type Tier, type TierId } from '../domain/tiers.ts';
import {
  halfWidth,
  ImportRefused,
  plainName,
  readTable,
  type Column,
  type LineError,
  type Table,
} from './organisation-csv.ts';
import { fileText } from './organisation-xlsx.ts';
import {
  planUnits,
  type PlannedUnit,
  type UnitHeaders,
  type UnitLine,
  type UnitsPlan,
} from './organisation-units-plan.ts';

export const UNIT_FILE_COLUMNS: readonly Column[] = [
  { key: 'code', headers: ['code', '编码', '区划代码', '单位编码', 'unit code'], required: true },
  { key: 'name', headers: ['name', '名称', '单位名称'], required: true },
  { key: 'parentCode', headers: ['parent code', '上级编码', '上级区划代码'], required: true },
  { key: 'tier', headers: ['tier', '层级'], required: true },
];

/** Other words for a tier than its id and its Chinese and English names. */
const TIER_WORDS: Readonly<Record<string, TierId>> = {
  区: 'district',
  县: 'district',
  街道: 'township',
  乡: 'township',
  镇: 'township',
  乡镇街道: 'township',
  村: 'village',
  社区: 'village',
};

/** Divisions have 12 digits (GB/T 10114), groups append some; other countries use letters. */
const CODE = /^[0-9A-Za-z][0-9A-Za-z-]{0,31}$/;
const NAME_CHARACTERS_MOST = 60;

/** From so many new rows on, statistics are renewed at once: a warning may be issued before PostgreSQL does it itself. */
export const BULK_ROWS_LEAST = 1_000;

export type UnitDifference = {
  kind: 'added' | 'changed';
  line: number;
  code: string | null;
  name: string;
  /** What a changed unit was. `parentId` differs where it moved. */
  before: { code: string | null; name: string; tier: TierId; parentId: number | null } | null;
};

export type UnitsImported = {
  added: number;
  changed: number;
  unchanged: number;
  /** Always empty: with errors `ImportRefused` is thrown instead. */
  errors: LineError[];
  differences: UnitDifference[];
  ignoredHeaders: string[];
};

export type ImportInput = {
  database: Database;
  /** The file, as text or as its bytes. */
  file: string | Uint8Array;
  /** Find the difference and write nothing. @default false */
  dryRun?: boolean;
};

/**
 * Adds and changes units in one transaction. Throws `ImportRefused`: `usage` where lines are faulty, `conflict` where a
 * unit would move while an open warning concerns it.
 */
export async function importOrganisation(
  input: ImportInput & { tiers?: readonly Tier[] },
): Promise<UnitsImported> {
  const tiers = input.tiers ?? TIERS;
  const table = readTable(await fileText(input.file), UNIT_FILE_COLUMNS);
  const headers = headersOf(table);
  const { lines, errors, faultyCodes } = parseLines(table, headers, tiers);
  return input.database.transaction(async (sql) => {
    await lockOrganisation(sql);
    await allowLongWork(sql);
    const plan = planUnits(lines, { ...(await loadKnown(sql, lines)), faultyCodes }, headers, tiers);
    const faults = [...table.errors, ...errors, ...plan.errors];
    if (faults.length > 0) throw new ImportRefused(faults);
    await refuseMovesUnderWarning(sql, plan, headers);
    if (input.dryRun !== true) await carryOut(sql, plan, tiers);
    if (input.dryRun !== true && plan.added.length >= BULK_ROWS_LEAST) await analyzeOrganisation(sql);
    return {
      added: plan.added.length,
      changed: plan.changed.length,
      unchanged: plan.unchanged,
      errors: [],
      differences: [
        ...plan.added.map(describeAdded),
        ...plan.changed.map(({ planned }) => describeChanged(planned)),
      ],
      ignoredHeaders: table.ignoredHeaders,
    };
  });
}

function headersOf(table: Table): UnitHeaders {
  return {
    code: table.headerOf('code'),
    name: table.headerOf('name'),
    parentCode: table.headerOf('parentCode'),
    tier: table.headerOf('tier'),
  };
}

function parseLines(table: Table, headers: UnitHeaders, tiers: readonly Tier[]) {
  const errors: LineError[] = [];
  const lines: UnitLine[] = [];
  const faultyCodes = new Set<string>();
  for (const row of table.rows) {
    const fault = (column: keyof UnitHeaders, sentence: string) =>
      errors.push({ line: row.line, column: headers[column], sentence });
    const code = halfWidth(row.cell('code'));
    const parentCode = halfWidth(row.cell('parentCode'));
    const name = plainName(row.cell('name'));
    const tier = findOfficialTier(row.cell('tier'), tiers);
    for (const [column, value] of [
      ['code', code],
      ['parentCode', parentCode],
    ] as const) {
      if (value !== '' && !CODE.test(value)) fault(column, codeFault(value));
    }
    if (name === '') fault('name', 'the name is empty');
    else if (name.length > NAME_CHARACTERS_MOST)
      fault('name', `the name is longer than ${NAME_CHARACTERS_MOST} characters`);
    else if (/[/／\p{Cc}]/u.test(name))
      fault('name', 'a name has no slash and no line break: the slash separates units in a path');
    if (code === '' && parentCode === '')
      fault('code', 'a unit without a code needs the code of the unit above it');
    if (tier === null) {
      const words = tiers.filter(({ role }) => role === 'official').map(({ id, zh }) => `${id} ${zh}`);
      if (code !== '') faultyCodes.add(code);
      fault('tier', `"${row.cell('tier')}" is no tier of units; tiers are ${words.join(', ')}`);
      continue;
    }
    lines.push({ line: row.line, code: code || null, name, parentCode: parentCode || null, tier });
  }
  return { lines, errors, faultyCodes };
}

function codeFault(value: string): string {
  return /^\d[\d.]*e\+?\d+$/i.test(value)
    ? `${value} was shortened by a spreadsheet: format the column as text and enter the whole code`
    : `"${value}" is no code: digits and letters, 32 at most`;
}

function findOfficialTier(word: string, tiers: readonly Tier[]): TierId | null {
  const wanted = halfWidth(word).toLowerCase();
  const named = tiers.find(
    (tier) => [tier.id, tier.zh, tier.en].includes(wanted) || tier.id === TIER_WORDS[wanted],
  );
  return named?.role === 'official' ? named.id : null;
}

async function loadKnown(sql: Sql, lines: readonly UnitLine[]) {
  const codes = new Set(
    lines.flatMap(({ code, parentCode }) => [code, parentCode]).filter((code) => code !== null),
  );
  const units = await unitsWithAncestors(sql, [...codes]);
  const below = await unitsDirectlyBelow(
    sql,
    units.filter((unit) => unit.code !== null && codes.has(unit.code)).map((unit) => unit.id),
  );
  return { units, below };
}

/** A cascade under way addresses units by the cell and path they had at issue; they must hold until it ends. */
async function refuseMovesUnderWarning(sql: Sql, plan: UnitsPlan, headers: UnitHeaders): Promise<void> {
  const moving = plan.changed.filter(({ moves }) => moves).map(({ planned }) => planned);
  if (moving.length === 0) return;
  await lockWarnings(sql);
  const concerned = await openWarningsConcerning(
    sql,
    moving.map(({ existing }) => existing.id),
  );
  if (concerned.length === 0) return;
  const warningOf = new Map(concerned.map(({ unitId, warningId }) => [unitId, warningId]));
  const faults = moving.flatMap(({ line, existing }) => {
    const warningId = warningOf.get(existing.id);
    if (warningId === undefined) return [];
    const column = existing.tier === line.tier ? headers.parentCode : headers.tier;
    return [
      {
        line: line.line,
        column,
        sentence: `${existing.name} cannot move while warning ${warningId} is open; import again when it has ended`,
      },
    ];
  });
  throw new ImportRefused(faults, 'conflict');
}

async function carryOut(sql: Sql, plan: UnitsPlan, tiers: readonly Tier[]): Promise<void> {
  const ids = await reserveUnitIds(sql, plan.added.length);
  const idOf = new Map<UnitLine, number>();
  for (const { line, existing } of plan.planned) if (existing) idOf.set(line, existing.id);
  plan.added.forEach(({ line }, place) => idOf.set(line, ids[place] ?? 0));
  const parentIdOf = ({ parent }: PlannedUnit) => {
    if (parent.kind === 'line') return idOf.get(parent.line) ?? null;
    return parent.kind === 'unit' ? parent.unit.id : null;
  };
  if (plan.added.length > 0) await insertUnits(sql, newRows(plan, idOf, tiers));
  if (plan.changed.length === 0) return;
  await updateUnits(
    sql,
    plan.changed.map(({ planned }) => ({
      id: planned.existing.id,
      code: planned.line.code ?? planned.existing.code,
      name: planned.line.name,
      tier: planned.line.tier,
      parentId: parentIdOf(planned),
    })),
  );
  if (!plan.changed.some(({ moves }) => moves)) return;
  const cellTiers = tiers.filter(({ id }) => rootsCell(id, tiers)).map(({ id }) => id);
  await recomputePaths(sql, cellTiers);
}

/** Rows of the new units, those above first. Below a unit that moves, paths are corrected by `recomputePaths`. */
function newRows(plan: UnitsPlan, idOf: ReadonlyMap<UnitLine, number>, tiers: readonly Tier[]): UnitRow[] {
  const rows = new Map<UnitLine, UnitRow>();
  for (const { line, existing } of plan.planned) if (existing) rows.set(line, existing);
  const topDown = [...plan.added].sort(
    (one, other) => tierDepth(one.line.tier, tiers) - tierDepth(other.line.tier, tiers),
  );
  return topDown.map(({ line, parent }) => {
    const id = idOf.get(line) ?? 0;
    const above =
      parent.kind === 'line' ? rows.get(parent.line) : parent.kind === 'unit' ? parent.unit : undefined;
    const row: UnitRow = {
      id,
      code: line.code,
      name: line.name,
      tier: line.tier,
      parentId: above?.id ?? null,
      path: [...(above?.path ?? []), id],
      cellUnitId: rootsCell(line.tier, tiers) ? id : (above?.cellUnitId ?? id),
      synthetic: false,
    };
    rows.set(line, row);
    return row;
  });
}

function describeAdded({ line }: PlannedUnit): UnitDifference {
  return { kind: 'added', line: line.line, code: line.code, name: line.name, before: null };
}

function describeChanged({ line, existing }: PlannedUnit & { existing: UnitRow }): UnitDifference {
  const { code, name, tier, parentId } = existing;
  return {
    kind: 'changed',
    line: line.line,
    code: line.code ?? code,
    name: line.name,
    before: { code, name, tier, parentId },
  };
}
