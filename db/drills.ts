/**
 * Drills: their register, which lies in the live schema, and the scenes and gaps of one, which lie in its own.
 */
import type { Gap } from '../domain/drill-clock.ts';
import type { RulePack } from '../domain/rules.ts';
import type { Scenario } from '../domain/scenario.ts';
import type { Instant } from '../domain/time.ts';
import type { Database, Sql } from './database.ts';

export type DrillStatus = 'preparing' | 'running' | 'stopping' | 'stopped' | 'ended' | 'failed';

export type DrillRow = {
  drillId: number;
  scenario: Scenario;
  /** The text of its file. */
  story: string;
  seed: number;
  speed: number;
  pack: RulePack;
  areaIds: number[];
  /** Null once it was removed. */
  schema: string | null;
  status: DrillStatus;
  createdAt: Instant;
  startedAt: Instant | null;
  endedAt: Instant | null;
  stopReason: string | null;
  stopAskedAt: Instant | null;
  fault: string | null;
  /** Some real people agreed to be told. */
  withPeople: boolean;
  report: unknown;
  /** The score of its report; null where it has none. */
  points: number | null;
  /** Somebody conducts it right now. */
  conducted: boolean;
};

export type NewDrill = Pick<DrillRow, 'scenario' | 'story' | 'seed' | 'speed' | 'pack' | 'areaIds'>;

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

/** The lock of a drill as `pg_locks` shows it: two numbers, of which the first stands for the schema. */
const SCHEMA_KEY = `hashtext('drills ' || current_schema())`;

/** Of a drill `d`: somebody conducts it right now. */
const CONDUCTED = `exists (select from pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 2
    and l.objid = d.id::bigint::oid and l.classid = (${SCHEMA_KEY}::bigint & 4294967295)::oid
    and l.database = (select oid from pg_database where datname = current_database()))`;

const drillWith = (
  report: string,
) => `select d.id as "drillId", d.scenario, d.story, d.seed, d.speed, d.rule_pack as pack, d.area_ids as "areaIds",
  d.schema_name as schema, d.status, ${MS('d.created_at')} as "createdAt", ${MS('d.started_at')} as "startedAt",
  ${MS('d.ended_at')} as "endedAt", d.stop_reason as "stopReason", ${MS('d.stop_asked_at')} as "stopAskedAt", d.fault,
  d.with_people as "withPeople", ${report} as report, (d.report #>> '{score,points}')::float8 as points,
  ${CONDUCTED} as conducted
  from drills d`;

/** Writes a drill down, without a schema yet; gives back its number. */
export async function insertDrill(sql: Sql, drill: NewDrill): Promise<number> {
  const { scenario, story, seed, speed, pack, areaIds } = drill;
  const [row] = await sql.query<{ id: number }>(
    `insert into drills (scenario, story, seed, speed, rule_pack, area_ids) values ($1, $2, $3, $4, $5, $6) returning id`,
    [JSON.stringify(scenario), story, seed, speed, JSON.stringify(pack), areaIds],
  );
  return row?.id ?? 0;
}

export async function readDrill(sql: Sql, drillId: number): Promise<DrillRow | null> {
  const [row] = await sql.query<DrillRow>(`${drillWith('d.report')} where d.id = $1`, [drillId]);
  return row ?? null;
}

/** The newest first, without their reports: that of a city has more than a megabyte. */
export async function readDrills(sql: Sql, most: number): Promise<DrillRow[]> {
  return sql.query<DrillRow>(`${drillWith('null::jsonb')} order by d.id desc limit $1`, [most]);
}

export async function nameSchema(sql: Sql, drillId: number, schema: string | null): Promise<void> {
  await sql.query('update drills set schema_name = $2 where id = $1', [drillId, schema]);
}

/** The story begins; a wish to stop that came before stands. */
export async function markStarted(sql: Sql, drillId: number, at: Instant): Promise<void> {
  await sql.query(
    `update drills set started_at = to_timestamp($2::float8 / 1000), fault = null,
       status = case when stop_asked_at is null then 'running' else 'stopping' end where id = $1`,
    [drillId, at],
  );
}

/** It goes on after it failed. */
export async function markResumed(sql: Sql, drillId: number): Promise<void> {
  await sql.query(
    `update drills set status = case when started_at is null then 'preparing' else 'running' end, fault = null
     where id = $1 and status = 'failed'`,
    [drillId],
  );
}

/** Asks whoever conducts it to stop; false where it is over. */
export async function askToStop(sql: Sql, drillId: number, reason: string | null): Promise<boolean> {
  const rows = await sql.query(
    `update drills set status = 'stopping', stop_asked_at = coalesce(stop_asked_at, clock_timestamp()),
       stop_reason = coalesce(stop_reason, $2) where id = $1 and status not in ('stopped', 'ended') returning id`,
    [drillId, reason],
  );
  return rows.length > 0;
}

/** Since when somebody wants it to be over, and why; null where nobody does. */
export async function readStopWish(sql: Sql, drillId: number): Promise<{ reason: string | null } | null> {
  const [row] = await sql.query<{ reason: string | null }>(
    `select stop_reason as reason from drills where id = $1 and stop_asked_at is not null`,
    [drillId],
    'stop-wish',
  );
  return row ?? null;
}

export async function markOver(sql: Sql, drillId: number, status: 'stopped' | 'ended'): Promise<void> {
  await sql.query(
    `update drills set status = $2, ended_at = clock_timestamp() where id = $1 and ended_at is null`,
    [drillId, status],
  );
}

export async function markFailed(sql: Sql, drillId: number, fault: string): Promise<void> {
  await sql.query(
    `update drills set status = 'failed', fault = $2 where id = $1 and status in ('preparing', 'running')`,
    [drillId, fault],
  );
}

export async function keepReport(sql: Sql, drillId: number, report: unknown): Promise<void> {
  await sql.query('update drills set report = $2 where id = $1', [drillId, JSON.stringify(report)]);
}

/**
 * Runs `work` as the only conductor of a drill, by a lock that ends with the connection, however its process ends; null where
 * somebody else has it. `still` says whether the lock is held.
 */
export async function conductAlone<T>(
  database: Database,
  drillId: number,
  work: (still: () => Promise<boolean>) => Promise<T>,
): Promise<{ result: T } | null> {
  return database.withClient(async (client) => {
    const locked = await client.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(${SCHEMA_KEY}, $1) as locked`,
      [drillId],
    );
    if (!locked.rows[0]?.locked) return null;
    const still = async () =>
      client.query('select 1').then(
        () => true,
        () => false,
      );
    try {
      return { result: await work(still) };
    } finally {
      await client.query(`select pg_advisory_unlock(${SCHEMA_KEY}, $1)`, [drillId]).catch(() => undefined);
    }
  });
}

/** PostgreSQL's clock, which is everybody's. */
export async function readNow(sql: Sql): Promise<Instant> {
  const [row] = await sql.query<{ now: number }>(`select ${MS('clock_timestamp()')} as now`, [], 'drill-now');
  return row?.now ?? 0;
}

// ── in the drill's own schema ───────────────────────────────────────────────────────────────────────────────

/** Writes down that an event was played; the key refuses it a second time, and with it all that its transaction did. */
export async function insertScene(sql: Sql, event: number, warningId: number): Promise<void> {
  await sql.query('insert into drill_scenes (event, warning_id) values ($1, $2)', [event, warningId]);
}

export type Scene = { event: number; warningId: number; at: Instant };

export async function readScenes(sql: Sql): Promise<Scene[]> {
  return sql.query<Scene>(
    `select event, warning_id as "warningId", ${MS('at')} as at from drill_scenes order by event`,
  );
}

export async function readGaps(sql: Sql): Promise<Gap[]> {
  return sql.query<Gap>(
    `select ${MS('from_at')} as "from", ${MS('until_at')} as until from drill_gaps order by from_at`,
  );
}

export async function insertGap(sql: Sql, { from, until }: Gap): Promise<void> {
  await sql.query(
    `insert into drill_gaps (from_at, until_at) values (to_timestamp($1::float8 / 1000), to_timestamp($2::float8 / 1000))`,
    [from, until],
  );
}

/** How many drills are conducted right now. */
export async function countConducted(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ drills: number }>(
    `select count(*)::int as drills from drills d where ${CONDUCTED}`,
  );
  return row?.drills ?? 0;
}

/** Ends the open pause without a trace: it stood for the gap that is written down instead. */
export async function forgetPause(sql: Sql): Promise<void> {
  await sql.query('delete from pauses where ended_at is null');
}

/** Takes back what was written of outages of answer intake since an instant. */
export async function forgetOutages(sql: Sql, since: Instant): Promise<void> {
  await sql.query('delete from intake_outages where ended_at > to_timestamp($1::float8 / 1000)', [since]);
}

/** Open warnings last as long as if there had been no gap. */
export async function moveExpiry(sql: Sql, ms: number): Promise<void> {
  await sql.query(
    `update warnings set expires_at = expires_at + $1 * interval '1 millisecond' where status = 'open'`,
    [ms],
  );
}

/** Ends the leases of slices that nobody has settled: whoever had them is gone, and what became of them is looked into at once. */
export async function endLeases(sql: Sql): Promise<void> {
  await sql.query(
    'update claims set lease_until = clock_timestamp() where settled_at is null and lease_until > clock_timestamp()',
  );
}

/** Whoever stands for a post by the roster does so for as long as if there had been no gap. */
export async function moveDuties(sql: Sql, { from, until }: Gap): Promise<void> {
  await sql.query(
    `update duties set from_at = from_at + $2 * interval '1 millisecond', until_at = until_at + $2 * interval '1 millisecond'
     where until_at > to_timestamp($1::float8 / 1000)`,
    [from, until - from],
  );
}

/** When a name last showed a sign of life; null where it never did. */
export async function lastSign(sql: Sql, name: string): Promise<Instant | null> {
  const [row] = await sql.query<{ at: number }>(
    `select ${MS('at')} as at from liveness where name = $1`,
    [name],
    'last-sign',
  );
  return row?.at ?? null;
}

/** Warnings that still run, and what of all warnings is under way; nothing of either: it is over. */
export type Bustle = { openWarnings: number[]; underWay: number };

export async function readBustle(sql: Sql): Promise<Bustle> {
  const [row] = await sql.query<Bustle>(
    `select array(select id from warnings where status = 'open' order by id) as "openWarnings",
       ((select count(*) from cells where status = 'open') + (select count(*) from pages where ended_at is null)
         + (select count(*) from inbox))::int as "underWay"`,
    [],
    'drill-bustle',
  );
  return row ?? { openWarnings: [], underWay: 0 };
}
