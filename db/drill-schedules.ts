/** Schedules of drills, and what came of each of their times. */
import type { Instant } from '../domain/time.ts';
import type { DrillStatus } from './drills.ts';
import type { Sql } from './database.ts';

/** Why a time gave no drill. */
export type Skipped = 'actual warning' | 'too late' | 'still running' | 'not playable';

export type Occasion = { dueAt: Instant; drillId: number | null; skipped: Skipped | null };

export type ScheduleRow = {
  scheduleId: number;
  scenario: string;
  story: string;
  cron: string;
  speed: number;
  /** Null: each drill takes its day's. */
  seed: number | null;
  createdAt: Instant;
  createdBy: string | null;
  removedAt: Instant | null;
};

export type NewSchedule = Omit<ScheduleRow, 'scheduleId' | 'createdAt' | 'removedAt'>;

/** The last time of a schedule, and how its drill stands; `points` of its report, null where it has none. */
export type LastOccasion = Occasion & {
  status: DrillStatus | null;
  stopReason: string | null;
  points: number | null;
};

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

const SCHEDULE = `select s.id as "scheduleId", s.scenario, s.story, s.cron, s.speed, s.seed, ${MS('s.created_at')} as "createdAt",
  s.created_by as "createdBy", ${MS('s.removed_at')} as "removedAt"`;

export async function insertSchedule(sql: Sql, schedule: NewSchedule): Promise<number> {
  const { scenario, story, cron, speed, seed, createdBy } = schedule;
  const [row] = await sql.query<{ id: number }>(
    `insert into drill_schedules (scenario, story, cron, speed, seed, created_by) values ($1, $2, $3, $4, $5, $6) returning id`,
    [scenario, story, cron, speed, seed, createdBy],
  );
  return row?.id ?? 0;
}

/** Those that were not removed, in their order, each with what came of its last time. */
export async function readSchedules(sql: Sql): Promise<(ScheduleRow & { last: LastOccasion | null })[]> {
  return sql.query(
    `${SCHEDULE}, o.last from drill_schedules s left join lateral (
       select jsonb_build_object('dueAt', ${MS('o.due_at')}, 'drillId', o.drill_id, 'skipped', o.skipped, 'status', d.status,
         'stopReason', d.stop_reason, 'points', (d.report #>> '{score,points}')::float8) as last
       from drill_occasions o left join drills d on d.id = o.drill_id
       where o.schedule_id = s.id order by o.due_at desc limit 1) o on true
     where s.removed_at is null order by s.id`,
  );
}

export async function readSchedule(sql: Sql, scheduleId: number): Promise<ScheduleRow | null> {
  const [row] = await sql.query<ScheduleRow>(`${SCHEDULE} from drill_schedules s where s.id = $1`, [
    scheduleId,
  ]);
  return row ?? null;
}

/** False where it was removed before. */
export async function markRemoved(sql: Sql, scheduleId: number): Promise<boolean> {
  const rows = await sql.query(
    `update drill_schedules set removed_at = clock_timestamp() where id = $1 and removed_at is null returning id`,
    [scheduleId],
  );
  return rows.length > 0;
}

/** Whoever else decides about a time of this schedule waits until the transaction is over. */
export async function lockSchedule(sql: Sql, scheduleId: number): Promise<void> {
  await sql.query('select from drill_schedules where id = $1 for no key update', [scheduleId]);
}

export async function readOccasion(sql: Sql, scheduleId: number, dueAt: Instant): Promise<Occasion | null> {
  const [row] = await sql.query<Occasion>(
    `select ${MS('due_at')} as "dueAt", drill_id as "drillId", skipped from drill_occasions
     where schedule_id = $1 and due_at = to_timestamp($2::float8 / 1000)`,
    [scheduleId, dueAt],
  );
  return row ?? null;
}

export async function insertOccasion(
  sql: Sql,
  occasion: Occasion & { scheduleId: number; fault: string | null },
): Promise<void> {
  const { scheduleId, dueAt, drillId, skipped, fault } = occasion;
  await sql.query(
    `insert into drill_occasions (schedule_id, due_at, drill_id, skipped, fault) values ($1, to_timestamp($2::float8 / 1000), $3, $4, $5)`,
    [scheduleId, dueAt, drillId, skipped, fault],
  );
}

/** A drill of this schedule is not over. */
export async function isUnderWay(sql: Sql, scheduleId: number): Promise<boolean> {
  const rows = await sql.query(
    `select from drill_occasions o join drills d on d.id = o.drill_id
     where o.schedule_id = $1 and d.status not in ('stopped', 'ended') limit 1`,
    [scheduleId],
  );
  return rows.length > 0;
}

/** An actual warning is open, and has not expired. */
export async function isActualOpen(sql: Sql): Promise<boolean> {
  const rows = await sql.query(
    `select from warnings where kind = 'actual' and status = 'open' and expires_at > clock_timestamp() limit 1`,
  );
  return rows.length > 0;
}

/** A drill that a schedule asked for. */
export type Wished = { drillId: number; dueAt: Instant; startedAt: Instant | null };

/** Those that are not over, in the order of their times. */
export async function readWished(sql: Sql): Promise<Wished[]> {
  return sql.query<Wished>(
    `select d.id as "drillId", ${MS('o.due_at')} as "dueAt", ${MS('d.started_at')} as "startedAt"
     from drill_occasions o join drills d on d.id = o.drill_id
     where d.status not in ('stopped', 'ended') order by o.due_at, d.id`,
    [],
    'wished-drills',
  );
}
