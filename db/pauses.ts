/**
 * Pauses: by somebody's word everything stands still until it is resumed. While one is open no page is claimed and no timer of
 * a unit is due; its end moves the timers by what the pause took of them, so that no deadline passes meanwhile.
 */
import { UNMOVED_TIMERS } from '../domain/unit.ts';
import type { Sql } from './database.ts';

export type Pause = { by: string; reason: string; since: number };

/** True while everything stands still: for the statements that claim and look at timers. */
export const PAUSED = '(exists (select from pauses where ended_at is null))';

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

/** Who paused everything, why and since when; null where nothing is paused. */
export async function pausedSince(sql: Sql): Promise<Pause | null> {
  const [pause] = await sql.query<Pause>(
    `select began_by as by, reason, ${MS('began_at')} as since from pauses where ended_at is null`,
    [],
    'paused-since',
  );
  return pause ?? null;
}

/** Begins a pause; false where one is open already. */
export async function beginPause(sql: Sql, input: { by: string; reason: string }): Promise<boolean> {
  const rows = await sql.query(
    'insert into pauses (began_by, reason) values ($1, $2) on conflict do nothing returning id',
    [input.by, input.reason],
  );
  return rows.length > 0;
}

/** Ends the open pause; gives it with its end, null where nothing was paused. */
export async function endPause(sql: Sql, by: string): Promise<(Pause & { until: number }) | null> {
  const [pause] = await sql.query<Pause & { until: number }>(
    `update pauses set ended_at = clock_timestamp(), ended_by = $1 where ended_at is null
     returning began_by as by, reason, ${MS('began_at')} as since, ${MS('ended_at')} as until`,
    [by],
  );
  return pause ?? null;
}

/** True while an actual warning is open. */
export async function hasOpenActual(sql: Sql): Promise<boolean> {
  const rows = await sql.query(
    `select from warnings where kind = 'actual' and status = 'open' and expires_at > clock_timestamp() limit 1`,
  );
  return rows.length > 0;
}

/** Keeps every step out until the transaction ends: a step writes whole states, and would undo what is moved here. */
export async function lockOpenCells(sql: Sql): Promise<void> {
  await sql.query(`select from cells where status = 'open' order by id for no key update`);
}

/**
 * Moves the timers of all units that still wait by what the pause took of their time, as `movedByPause` in domain/unit.ts does. Each
 * cell's audit says so, and each cell is due now, so that its workflow looks again.
 */
export async function moveTimers(sql: Sql, pause: { since: number; until: number }): Promise<void> {
  await sql.query(
    `update unit_states s set
       state = jsonb_set(s.state::jsonb, '{timers}', moved.timers)::json,
       next_at = to_timestamp(moved.next_ms / 1000)
     from (
       select u.warning_id, u.unit_id, jsonb_object_agg(t.key, to_jsonb(t.ms)) as timers, min(t.ms) as next_ms
       from unit_states u join cells c on c.id = u.cell_id and c.status = 'open'
       cross join lateral jsonb_each(u.state::jsonb -> 'timers') e
       cross join lateral (
         select e.key, case when jsonb_typeof(e.value) <> 'number' then null
           when e.key = any($3::text[]) then e.value::float8
           else e.value::float8 + $2 - greatest($1, coalesce(${MS('u.opened_at')}, 0)) end as ms) t
       where u.next_at is not null and u.ended is null
       group by u.warning_id, u.unit_id) moved
     where s.warning_id = moved.warning_id and s.unit_id = moved.unit_id`,
    [pause.since, pause.until, UNMOVED_TIMERS],
  );
  await sql.query(
    `insert into audit (cell_id, at, body)
     select id, to_timestamp($2::float8 / 1000), json_build_object('paused', json_build_object('from', $1::float8, 'until', $2::float8))
     from cells where status = 'open'`,
    [pause.since, pause.until],
  );
  await sql.query(
    `update cells set next_deadline = least(next_deadline, clock_timestamp()) where status = 'open'`,
  );
}
