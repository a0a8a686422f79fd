/**
 * Drills by a schedule: what is to be played and when, and one drill for each time that comes. Temporal keeps the times
 * (worker/drill-schedules.ts); what became of each stands in PostgreSQL (docs/adr/0033).
 */
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import {
  insertOccasion,
  insertSchedule,
  isActualOpen,
  isUnderWay,
  lockSchedule,
  markRemoved,
  readOccasion,
  readSchedule,
  type Occasion,
  type ScheduleRow,
  type Skipped,
  type Wished,
} from '../db/drill-schedules.ts';
import { readNow, type NewDrill } from '../db/drills.ts';
import { FenghuoError } from '../domain/errors.ts';
import { CHINA_ZONE, isoWithOffset, MINUTE_MS, type Instant } from '../domain/time.ts';
import { checkDrill, writeDrill, type DrillRequest } from './drills.ts';
import { readStory } from './scenario-files.ts';
import { refuse } from './warning-request.ts';

/**
 * A drill that has not begun so long after its time does not begin any more: nobody expects it, and after an outage it would be in the
 * middle of the night. Product choice, no source.
 */
export const BEGIN_WITHIN_MS = 60 * MINUTE_MS;

/** Five fields; what they may hold is for Temporal to say. */
const CRON = /^[0-9A-Za-z*,/-]{1,40}( [0-9A-Za-z*,/-]{1,40}){4}$/;

export type ScheduleRequest = Pick<DrillRequest, 'scenario' | 'speed'> & {
  cron: string;
  /** Null: each drill takes its day's. */
  seed: number | null;
  createdBy: string | null;
};

export function scheduleName(scheduleId: number): string {
  return `DS${scheduleId}`;
}

/** The number behind `DS3` or `3`. */
export function parseScheduleId(word: string): number {
  const match = /^(?:DS)?(\d{1,9})$/i.exec(word.trim());
  if (match?.[1]) return Number(match[1]);
  throw refuse(
    'schedule-id',
    `"${word}" is not a schedule; it looks like DS3. \`fenghuo drill schedule list\` shows all.`,
  );
}

/** One that was not removed. */
export async function requireSchedule(live: Sql, scheduleId: number): Promise<ScheduleRow> {
  const row = await readSchedule(live, scheduleId);
  if (row && row.removedAt === null) return row;
  throw refuse(
    'no-such-schedule',
    `There is no schedule ${scheduleName(scheduleId)}. \`fenghuo drill schedule list\` shows all.`,
    [],
    'notFound',
  );
}

/**
 * Writes a schedule down and has it started; where that fails, nothing is there. What could not be played today is refused today, with
 * every fault. `start` gives back what is wrong with the times; null where nothing is.
 */
export async function addSchedule(
  live: Database,
  request: ScheduleRequest,
  start: (schedule: { scheduleId: number; cron: string }) => Promise<string | null>,
): Promise<ScheduleRow> {
  const cron = request.cron.trim().replaceAll(/\s+/g, ' ');
  if (!CRON.test(cron)) throw cronRefused(request.cron);
  const { speed, seed, createdBy } = request;
  const story = await readStory(request.scenario);
  const { scenario } = await checkDrill(live, { ...request, seed: seed ?? 0 }, story);
  const scheduleId = await live.transaction(async (sql) => {
    const id = await insertSchedule(sql, { scenario: scenario.name, story, cron, speed, seed, createdBy });
    const body = { schedule: scheduleName(id), scenario: scenario.name, cron, speed, seed };
    await appendRecord(sql, { kind: 'drill schedule', warningId: null, actor: createdBy, body });
    const misunderstood = await start({ scheduleId: id, cron });
    if (misunderstood !== null) throw cronRefused(cron, [misunderstood]);
    return id;
  });
  return requireSchedule(live, scheduleId);
}

function cronRefused(cron: string, details: string[] = []): FenghuoError {
  return refuse(
    'schedule-cron',
    `"${cron}" is not a time. Five fields are wanted: minute, hour, day of the month, month, day of the week, such as "0 14 * * 2", Tuesdays at 14:00 (${CHINA_ZONE}).`,
    details,
  );
}

/** Notes that a schedule is no more; its times are to be ended before. */
export async function removeSchedule(
  live: Database,
  scheduleId: number,
  actor: string | null,
): Promise<void> {
  await live.transaction(async (sql) => {
    if (!(await markRemoved(sql, scheduleId))) return;
    const body = { schedule: scheduleName(scheduleId) };
    await appendRecord(sql, { kind: 'drill schedule removed', warningId: null, actor, body });
  });
}

/**
 * One time of a schedule has come: writes its drill down, or why there is none; once, however often and by however many it is asked.
 * Null where there is no such schedule any more.
 */
export async function wishDrill(
  live: Database,
  { scheduleId, dueAt }: { scheduleId: number; dueAt: Instant },
): Promise<Occasion | null> {
  const schedule = await readSchedule(live, scheduleId);
  if (schedule?.removedAt !== null) return null;
  const known = await readOccasion(live, scheduleId, dueAt);
  if (known) return known;
  const drill = await playable(live, schedule, dueAt);
  return live.transaction(async (sql) => {
    await lockSchedule(sql, scheduleId);
    const before = await readOccasion(sql, scheduleId, dueAt);
    if (before) return before;
    const why = await whyNot(sql, scheduleId, dueAt, drill);
    if (why !== null) {
      const fault = 'fault' in drill && why === 'not playable' ? drill.fault : null;
      return skip(sql, { scheduleId, dueAt, skipped: why, fault });
    }
    const drillId = await writeDrill(sql, drill as NewDrill);
    const occasion = { dueAt, drillId, skipped: null };
    await insertOccasion(sql, { ...occasion, scheduleId, fault: null });
    return occasion;
  });
}

async function skip(
  sql: Sql,
  occasion: { scheduleId: number; dueAt: Instant; skipped: Skipped; fault: string | null },
): Promise<Occasion> {
  const { scheduleId, dueAt, skipped, fault } = occasion;
  await insertOccasion(sql, { ...occasion, drillId: null });
  const body = { schedule: scheduleName(scheduleId), due: isoWithOffset(dueAt), why: skipped, fault };
  await appendRecord(sql, { kind: 'drill skipped', warningId: null, actor: null, body });
  return { dueAt, drillId: null, skipped };
}

/** The tree may have changed since the schedule was made: what is gone by now is a fault, and no reason to try again. */
async function playable(
  live: Sql,
  schedule: ScheduleRow,
  dueAt: Instant,
): Promise<NewDrill | { fault: string }> {
  const { scenario, speed, story, seed } = schedule;
  try {
    return await checkDrill(live, { scenario, speed, seed: seed ?? seedOfDay(dueAt) }, story);
  } catch (error) {
    if (!(error instanceof FenghuoError)) throw error;
    return { fault: [error.message, ...error.details].join('\n') };
  }
}

async function whyNot(
  sql: Sql,
  scheduleId: number,
  dueAt: Instant,
  drill: NewDrill | { fault: string },
): Promise<Skipped | null> {
  if (await isActualOpen(sql)) return 'actual warning';
  if ((await readNow(sql)) - dueAt > BEGIN_WITHIN_MS) return 'too late';
  if (await isUnderWay(sql, scheduleId)) return 'still running';
  return 'fault' in drill ? 'not playable' : null;
}

/** 20261124: the same day gives the same people on every machine. */
function seedOfDay(at: Instant): number {
  return Number(isoWithOffset(at).slice(0, 10).replaceAll('-', ''));
}

/** Why a drill that was asked for and waits for its turn is not to begin any more; null where it may. */
export async function whyNotBegin(
  live: Sql,
  { dueAt }: Wished,
): Promise<'actual warning' | 'too late' | null> {
  if (await isActualOpen(live)) return 'actual warning';
  return (await readNow(live)) - dueAt > BEGIN_WITHIN_MS ? 'too late' : null;
}
