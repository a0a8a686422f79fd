/** Units of a warning: their states, who stands below them, and who can be reached for them. */
import type { Channel } from '../domain/rules.ts';
import { newUnit, nextDeadline, type Timers, type UnitState } from '../domain/unit.ts';
import { joinJson, jsonTexts, type Sql } from './database.ts';

/**
 * What belongs to a warning: units inside its areas, and those on the way down to one. Read once per step: asked again for
 * each unit, it was a third of the time that opening a city took.
 */
export type Scope = { areaIds: number[]; aboveIds: number[] };

export async function readScope(sql: Sql, warningId: number): Promise<Scope> {
  const [scope] = await sql.query<Scope>(
    `select array_agg(a.unit_id) as "areaIds",
       array(select distinct unnest(u.path) from warning_areas b join units u on u.id = b.unit_id
             where b.warning_id = $1) as "aboveIds"
     from warning_areas a where a.warning_id = $1`,
    [warningId],
    'read-scope',
  );
  return { areaIds: scope?.areaIds ?? [], aboveIds: scope?.aboveIds ?? [] };
}

/** `$2` the areas, `$3` the units above them and the areas themselves. */
const inScope = (unit: string) => `(${unit}.path && $2::int[] or ${unit}.id = any($3::int[]))`;

/** The states of those units that belong to the cell and the warning; units nothing has happened to yet are made new. */
export async function loadUnits(
  sql: Sql,
  input: { warningId: number; cellId: number; rootUnitId: number; scope: Scope; unitIds: readonly number[] },
): Promise<UnitState[]> {
  const known = await sql.query<{ state: StoredState }>(
    'select state from unit_states where warning_id = $1 and unit_id = any($2) and cell_id = $3',
    [input.warningId, input.unitIds, input.cellId],
    'load-unit-states',
  );
  const states = known.map((row) => expand(row.state));
  const found = new Set(states.map((state) => state.unitId));
  const missing = input.unitIds.filter((unitId) => !found.has(unitId));
  if (missing.length === 0) return states;
  const { areaIds, aboveIds } = input.scope;
  const fresh = await sql.query<{ id: number; tier: string; parent_id: number | null; subordinates: number }>(
    `select c.id, c.tier, c.parent_id,
       (select count(*)::int from units s where s.parent_id = c.id and ${inScope('s')}) as subordinates
     from units c where c.id = any($1) and c.cell_unit_id = $4 and ${inScope('c')}`,
    [missing, areaIds, aboveIds, input.rootUnitId],
    'load-new-units',
  );
  return [
    ...states,
    ...fresh.map((row) =>
      newUnit({ unitId: row.id, tier: row.tier, superiorId: row.parent_id, subordinates: row.subordinates }),
    ),
  ];
}

/** A state as it is kept: without what is as in a new unit, a fifth of the size. */
export type StoredState = Pick<UnitState, 'unitId' | 'tier' | 'superiorId' | 'subordinates'> &
  Partial<Omit<UnitState, 'timers'>> & { timers?: Partial<Timers> };

export function expand(stored: StoredState): UnitState {
  const fresh = newUnit(stored);
  return { ...fresh, ...stored, timers: { ...fresh.timers, ...stored.timers } };
}

const NEW_UNIT = newUnit({ unitId: 0, tier: '', superiorId: null, subordinates: 0 });
const TIMERS = Object.keys(NEW_UNIT.timers) as (keyof Timers)[];
/** What is kept only where it is not as in a new unit. */
const PARTS = (Object.keys(NEW_UNIT) as (keyof UnitState)[]).filter(
  (part) => !['unitId', 'tier', 'superiorId', 'subordinates', 'timers'].includes(part),
);

/** Written with plain loops over known names: it runs for every unit of every step. */
function compact(unit: UnitState): Record<string, unknown> {
  const { unitId, tier, superiorId, subordinates } = unit;
  const kept: Record<string, unknown> = { unitId, tier, superiorId, subordinates };
  for (const part of PARTS) {
    const value = unit[part];
    if (value !== NEW_UNIT[part] && !(Array.isArray(value) && value.length === 0)) kept[part] = value;
  }
  const set: Record<string, number> = {};
  for (const timer of TIMERS) {
    const at = unit.timers[timer];
    if (at !== null) kept['timers'] = Object.assign(set, { [timer]: at });
  }
  return kept;
}

/** The units of the warning directly below each of these, by superior. */
export async function loadSubordinates(
  sql: Sql,
  scope: Scope,
  unitIds: readonly number[],
): Promise<Map<number, number[]>> {
  const rows = await sql.query<{ parent_id: number; ids: number[] }>(
    `select c.parent_id, array_agg(c.id) as ids from units c
     where c.parent_id = any($1) and ${inScope('c')} group by c.parent_id`,
    [unitIds, scope.areaIds, scope.aboveIds],
    'load-subordinates',
  );
  return new Map(rows.map((row) => [row.parent_id, row.ids]));
}

/** Milliseconds as the database's instant: cheaper on both sides than to write and read a date. */
const instant = (ms: string) => `to_timestamp(${ms} / 1000)`;

/** Writes the states of units: the whole state as JSON, and beside it what is read by queries. */
export async function saveUnits(
  sql: Sql,
  input: { warningId: number; cellId: number; units: readonly UnitState[] },
): Promise<void> {
  const { units } = input;
  if (units.length === 0) return;
  const column = <T>(pick: (unit: UnitState) => T) => units.map(pick);
  await sql.query(
    `insert into unit_states (warning_id, unit_id, cell_id, tier, status, ended, opened_at, told_at,
       answered_at, silent_at, rung, next_at, state, reports_to, done_at, overdue_at)
     select $1, t.unit_id, $2, t.tier, t.status, t.ended, ${instant('t.opened_at')}, ${instant('t.told_at')},
       ${instant('t.answered_at')}, ${instant('t.silent_at')}, t.rung, ${instant('t.next_at')}, t.state, t.reports_to,
       ${instant('t.done_at')}, ${instant('t.overdue_at')}
     from unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::float8[], $9::float8[], $10::float8[],
       $11::smallint[], $12::float8[], ${jsonTexts('$13')}, $14::int[], $15::float8[], $16::float8[])
       as t (unit_id, tier, status, ended, opened_at, told_at, answered_at, silent_at, rung, next_at, state, reports_to,
         done_at, overdue_at)
     on conflict (warning_id, unit_id) do update set
       status = excluded.status, ended = excluded.ended, opened_at = excluded.opened_at, told_at = excluded.told_at,
       answered_at = excluded.answered_at, silent_at = excluded.silent_at, rung = excluded.rung, next_at = excluded.next_at, state = excluded.state,
       reports_to = excluded.reports_to, done_at = excluded.done_at, overdue_at = excluded.overdue_at`,
    [
      input.warningId,
      input.cellId,
      column((unit) => unit.unitId),
      column((unit) => unit.tier),
      column((unit) => unit.status),
      column((unit) => unit.ended),
      column((unit) => unit.openedAt),
      column((unit) => unit.toldAt),
      column((unit) => unit.answeredAt),
      column((unit) => unit.silentAt),
      column((unit) => unit.rung),
      column(nextDeadline),
      joinJson(units.map(compact)),
      column((unit) => unit.reportsTo),
      column((unit) => unit.doneAt),
      column((unit) => unit.overdueAt),
    ],
    'save-units',
  );
}

/** Who can be reached by one send: a person of the unit and a channel they have. */
export type Reachable = { index: number; unitId: number; personId: number; channel: Channel };

/**
 * The people behind sends: who is on duty for a post at this hour, else its holder when the warning was issued; on duty for a post
 * that nobody holds as well. `index` is the send's place in the input; ranks from 0 (the principal) to any. The roster is read once
 * for all sends: with 100,000 posts and an empty roster, 1,000 sends take 6.0 ms as they did without it, one takes 0.08 ms more.
 */
export async function findReachable(
  sql: Sql,
  issuedAt: number,
  sends: readonly { unitId: number; rankFrom: number; rankTo: number; channels: readonly string[] }[],
): Promise<Reachable[]> {
  const rows = await sql.query<{ index: number; unit_id: number; person_id: number; channel: Channel }>(
    `with on_duty as materialized (
       select distinct on (unit_id, rank) unit_id, rank, person_id from duties
       where unit_id = any($1::int[]) and from_at <= clock_timestamp() and until_at > clock_timestamp()
       order by unit_id, rank, from_at desc, id desc),
     sends as (
       select * from unnest($1::int[], $2::smallint[], $3::smallint[], $4::text[]) with ordinality
         as s (unit_id, rank_from, rank_to, channels, index)),
     told as (
       select s.index, s.channels, s.unit_id, p.person_id from sends s
       join posts p on p.unit_id = s.unit_id and p.rank between s.rank_from and s.rank_to
         and p.held_from <= to_timestamp($5::float8 / 1000)
         and (p.held_until is null or p.held_until > to_timestamp($5::float8 / 1000))
       where not exists (select from on_duty d where d.unit_id = p.unit_id and d.rank = p.rank)
       union all
       select s.index, s.channels, s.unit_id, d.person_id from sends s
       join on_duty d on d.unit_id = s.unit_id and d.rank between s.rank_from and s.rank_to)
     select distinct t.index::int, t.unit_id, t.person_id, c.channel from told t
     join person_channels c on c.person_id = t.person_id and c.channel = any(string_to_array(t.channels, ','))
       and c.fault is null
     order by 1, 3, 4`,
    [
      sends.map((send) => send.unitId),
      sends.map((send) => send.rankFrom),
      sends.map((send) => send.rankTo),
      sends.map((send) => send.channels.join(',')),
      issuedAt,
    ],
    'find-reachable',
  );
  return rows.map((row) => ({
    index: row.index - 1,
    unitId: row.unit_id,
    personId: row.person_id,
    channel: row.channel,
  }));
}

/** The households below these units that have one of these channels. */
export async function findHouseholds(
  sql: Sql,
  unitIds: readonly number[],
  channels: readonly string[],
): Promise<{ householdId: number; unitId: number; channel: Channel }[]> {
  if (unitIds.length === 0) return [];
  const rows = await sql.query<{ id: number; unit_id: number; channel: Channel }>(
    'select id, unit_id, channel from households where unit_id = any($1) and channel = any($2) and fault is null order by id',
    [unitIds, channels],
    'find-households',
  );
  return rows.map((row) => ({ householdId: row.id, unitId: row.unit_id, channel: row.channel }));
}
