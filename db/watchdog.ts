/** What a watchdog sees: signs of life, and work that waits while nothing moves. Nothing here waits for a lock. */
import type { Standing, WatchFacts } from '../domain/watchdog.ts';
import { DRILL_SERVER_SIGN, FEED_SIGN, PAGES_PATIENCE, TEMPORAL_SIGN } from '../domain/watchdog.ts';
import { INTAKE_SIGNS } from './liveness.ts';
import { PAUSED } from './pauses.ts';
import { MAILED } from './mailed.ts';
import type { Sql } from './database.ts';

/** Warnings named at once; where more stand still, the cause is one. */
const STANDING_MOST = 20;

const milliseconds = (instant: string) => `(extract(epoch from ${instant}) * 1000)::float8`;

/** Reads everything by which `findTroubles` judges. `windowMs` is how long work may wait. */
export async function readWatchFacts(sql: Sql, windowMs: number): Promise<WatchFacts> {
  const [signs] = await sql.query<
    Record<'now', number> &
      Record<
        'temporal' | 'exercise' | 'actual' | 'intakeExercise' | 'intakeActual' | 'drillServer' | 'scheduled',
        number | null
      >
  >(
    `select ${milliseconds('clock_timestamp()')} as now,
       ${milliseconds('max(at) filter (where name = $1)')} as temporal,
       ${milliseconds('max(at) filter (where name = $2)')} as "intakeExercise",
       ${milliseconds('max(at) filter (where name = $3)')} as "intakeActual",
       ${milliseconds(`max(at) filter (where name like 'worker exercise %')`)} as exercise,
       ${milliseconds(`max(at) filter (where name like 'worker actual %')`)} as actual,
       ${milliseconds('max(at) filter (where name = $4)')} as "drillServer",
       ${milliseconds('(select min(created_at) from drill_schedules where removed_at is null)')} as scheduled
     from liveness`,
    [TEMPORAL_SIGN, INTAKE_SIGNS.exercise, INTAKE_SIGNS.actual, DRILL_SERVER_SIGN],
  );
  const [open] = await sql.query<{ exercise: number; actual: number }>(
    `select (count(*) filter (where kind = 'exercise'))::int as exercise,
       (count(*) filter (where kind = 'actual'))::int as actual
     from warnings w where exists (select from cells c where c.warning_id = w.id and c.status = 'open')`,
  );
  return {
    now: signs?.now ?? 0,
    workerAt: { exercise: signs?.exercise ?? null, actual: signs?.actual ?? null },
    temporalAt: signs?.temporal ?? null,
    intakeAt: { exercise: signs?.intakeExercise ?? null, actual: signs?.intakeActual ?? null },
    openWarnings: { exercise: open?.exercise ?? 0, actual: open?.actual ?? 0 },
    drillServerAt: signs?.drillServer ?? null,
    scheduledSince: signs?.scheduled ?? null,
    feeds: await sql.query<{ url: string; dueAt: number }>(
      `select substr(name, length($1) + 1) as url, ${milliseconds('at')} as "dueAt" from liveness where starts_with(name, $1) order by name`,
      [FEED_SIGN],
    ),
    standing: [...(await standingCells(sql, windowMs)), ...(await standingPages(sql, windowMs))].slice(
      0,
      STANDING_MOST,
    ),
  };
}

/**
 * Cells with a letter or a deadline that waits for longer than the window, and no step since. Of a cell's letters the first to
 * be taken is the oldest of its kind.
 */
async function standingCells(sql: Sql, windowMs: number): Promise<Standing[]> {
  return sql.query<Standing>(
    `with recursive ${MAILED},
     work as (
       select cell_id, (select at from inbox i where i.cell_id = m.cell_id order by priority, id limit 1) as waits_since
       from mailed m where cell_id is not null
       union all
       select id, next_deadline from cells where status = 'open' and next_deadline < clock_timestamp()
     ),
     standing as (
       select c.warning_id, c.id, greatest(min(k.waits_since), c.stepped_at) as since
       from work k join cells c on c.id = k.cell_id group by c.id
     )
     select s.warning_id as "warningId", w.kind, count(*)::int as cells, 0 as pages,
       ${milliseconds('min(s.since)')} as since
     from standing s join warnings w on w.id = s.warning_id
     where s.since < clock_timestamp() - $1 * interval '1 millisecond'
     group by s.warning_id, w.kind order by 1 limit $2`,
    [windowMs, STANDING_MOST],
  );
}

/**
 * Pages of a warning and a channel that wait although nothing of that channel was claimed, settled or ended for longer than
 * the window and half of it again: one at a time each page has its turn, so only all of them together say that nobody sends.
 * Pages that wait because everything is paused are no trouble.
 */
async function standingPages(sql: Sql, windowMs: number): Promise<Standing[]> {
  return sql.query<Standing>(
    `with open as (
       select warning_id, channel, count(*)::int as pages, min(written_at) as written_at
       from pages where ended_at is null group by warning_id, channel
     ),
     moved as (
       select p.warning_id, p.channel, greatest(max(p.ended_at), max(k.claimed_at), max(k.settled_at),
         (select max(ended_at) from pauses)) as at
       from open o join pages p on p.warning_id = o.warning_id and p.channel = o.channel
       left join claims k on k.page_id = p.id
       group by p.warning_id, p.channel
     ),
     standing as (
       select o.warning_id, o.pages, greatest(o.written_at, m.at) as since
       from open o join moved m using (warning_id, channel)
     )
     select s.warning_id as "warningId", w.kind, 0 as cells, sum(s.pages)::int as pages,
       ${milliseconds('min(s.since)')} as since
     from standing s join warnings w on w.id = s.warning_id
     where s.since < clock_timestamp() - $1 * interval '1 millisecond' and not ${PAUSED}
     group by s.warning_id, w.kind order by 1 limit $2`,
    [windowMs * PAGES_PATIENCE, STANDING_MOST],
  );
}
