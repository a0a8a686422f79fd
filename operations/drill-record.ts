/** A warning on record as a report and a new scenario read it: its units, its people, by the clock of the story. */
import {
  readDrillCounts,
  readDrillEvents,
  readReportedUnits,
  type ReportedUnit,
} from '../db/drill-report.ts';
import type { Sql } from '../db/database.ts';
import { readUnitStates } from '../db/replays.ts';
import { readWarning, type WarningRow } from '../db/warnings.ts';
import { DrillPeople, type DrilledPerson } from '../domain/drill-people.ts';
import { hazardTitle, type DrilledWarning } from '../domain/drill-report.ts';
import { findLevel } from '../domain/levels.ts';
import { Register } from '../domain/rehearsal/register.ts';
import { scopeOf, type Tree } from '../domain/rehearsal/tree.ts';
import type { RunRecord } from '../domain/rehearsal/warning-run.ts';
import { isoWithOffset, type Instant } from '../domain/time.ts';
import type { UnitId, UnitState } from '../domain/unit.ts';

/** `暴雨红色预警 W12`, and the day on which it was issued. */
export function titleOf({ hazard, level, warningId, issuedAt }: WarningRow): { zh: string; en: string } {
  const [name, colour, day] = [hazardTitle(hazard), findLevel(level), isoWithOffset(issuedAt).slice(0, 10)];
  return {
    zh: `${name.zh}${colour?.zh ?? level}预警 W${warningId}（${day}）`,
    en: `${capital(name.en)}, ${colour?.en ?? level} warning W${warningId} of ${day}`,
  };
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** An instant on record as an instant of the story: what ran at a speed of 60 is told at the pace of life. */
export type Clock = (at: Instant) => Instant;

/** The clock of a warning that ran by itself. */
export function clockOf({ issuedAt, speed }: WarningRow): Clock {
  return (at) => issuedAt + (at - issuedAt) * speed;
}

/** The warning as a transaction sees it. */
export async function requireRow(sql: Sql, warningId: number): Promise<WarningRow> {
  const row = await readWarning(sql, warningId);
  if (!row) throw new RangeError(`no warning ${warningId}`);
  return row;
}

/** The tree of some warnings, numbered from 0 as that of a rehearsal, and where each unit of the database is. */
export type Land = {
  tree: Tree;
  /** Finds units by code or path; its places are the tree's numbers. */
  register: Register;
  placeOf: ReadonlyMap<number, UnitId>;
  idOf: readonly number[];
};

export async function readLand(sql: Sql, areaIds: readonly number[]): Promise<Land> {
  const units = await readReportedUnits(sql, areaIds);
  const placeOf = new Map(units.map(({ unitId }, place) => [unitId, place]));
  const subordinates: UnitId[][] = units.map(() => []);
  const placed = units.map(({ superiorId, ...unit }, place) => {
    const superior = superiorId === null ? null : (placeOf.get(superiorId) ?? null);
    if (superior !== null) subordinates[superior]?.push(place);
    return { unitId: place, key: keyOf(unit), name: unit.name, tier: unit.tier, superiorId: superior };
  });
  const nobody = { posts: [], personKeys: new Uint32Array(), personChannels: new Uint8Array() };
  return {
    tree: { units: placed, subordinates, ...nobody, severalPosts: new Map() },
    register: new Register(
      units.map(({ code, name, tier, superiorId }) => ({
        ...{ code, name, tier },
        superior: superiorId === null ? null : (placeOf.get(superiorId) ?? null),
      })),
    ),
    placeOf,
    idOf: units.map(({ unitId }) => unitId),
  };
}

function keyOf({ code, path }: Pick<ReportedUnit, 'code' | 'path'>): string {
  return code ?? path.join('/');
}

export async function readDrilled(
  sql: Sql,
  row: WarningRow,
  input: { name: string; clock: Clock; land: Land },
): Promise<DrilledWarning> {
  const { name, clock, land } = input;
  const areas = row.areaIds.flatMap((id) => land.placeOf.get(id) ?? []);
  const units: (UnitState | undefined)[] = new Array<UnitState | undefined>(land.tree.units.length);
  for (const state of await readUnitStates(sql, row.warningId)) {
    const unitId = land.placeOf.get(state.unitId);
    if (unitId !== undefined) units[unitId] = retold({ ...state, unitId }, clock);
  }
  const { messages, householdsToldAt, correctedAt, ...counts } = await readDrillCounts(sql, row.warningId);
  const run: RunRecord = {
    warning: { name, at: clock(row.issuedAt), ...endOf(row, clock), rules: row.rules },
    scope: scopeOf(land.tree, areas),
    units,
    counts: {
      ...counts,
      messages: Object.fromEntries(messages.map(({ purpose, count }) => [purpose, count])),
      householdsToldAt: orNull(householdsToldAt, clock),
      correctedAt: orNull(correctedAt, clock),
      lateAnswers: 0,
    },
  };
  return { run, hazard: row.hazard, areas, people: await readPeople(sql, row.warningId, { clock, land }) };
}

/** The people of a warning, by what is on record of their messages and answers. */
export async function readPeople(
  sql: Sql,
  warningId: number,
  { clock, land }: { clock: Clock; land: Land },
): Promise<DrilledPerson[]> {
  const people = new DrillPeople();
  for (const { failure, ...event } of await readDrillEvents(sql, warningId)) {
    const unitId = land.placeOf.get(event.unitId);
    if (unitId === undefined) continue;
    people.hear({ ...event, unitId, at: clock(event.at), ...(failure && { failure }) });
  }
  return people.all;
}

/** With its instants by the clock of the story, as far as a report reads them. */
function retold(state: UnitState, clock: Clock): UnitState {
  const { openedAt, toldAt, answeredAt, silentAt, doneAt, bridgedAt } = state;
  return {
    ...state,
    openedAt: orNull(openedAt, clock),
    toldAt: orNull(toldAt, clock),
    answeredAt: orNull(answeredAt, clock),
    silentAt: orNull(silentAt, clock),
    doneAt: orNull(doneAt, clock),
    bridgedAt: orNull(bridgedAt, clock),
  };
}

function orNull(at: Instant | null, clock: Clock): Instant | null {
  return at === null ? null : clock(at);
}

/** Whatever nobody has ended by now is open until it expires. */
export function endOf(row: WarningRow, clock: Clock): Pick<RunRecord['warning'], 'end' | 'endsAt'> {
  const { status, endedAt, expiresAt, retracted } = row;
  const now = Date.now();
  if (status === 'open' && now < expiresAt) return { end: 'open', endsAt: clock(now) };
  const end = status === 'open' ? 'expired' : retracted ? 'retracted' : status;
  return { end, endsAt: clock(Math.min(endedAt ?? expiresAt, expiresAt)) };
}
