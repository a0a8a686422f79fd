/** The referee on time (7): escalations neither early nor forgotten, nobody chased after answering. */
import { EXTENSION_MS_MAX } from '../domain/outages.ts';
import type { Sql } from './database.ts';
import { INTAKE_SIGNS, OUTAGE_AFTER_MS } from './liveness.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import { COMMIT_MS_MAX, SHOWN_MOST, type Finding, type TakenAttempt } from './referee.ts';

/** From a step's clock to its last statement. */
const STEP_MS_MAX = 1_000;

/**
 * 7a. Nobody is chased after answering: the far side has no message of a slice that was claimed after the answer that made it
 * needless was committed. (What a dead worker had claimed is unknown to us, even where its guard had dropped it.) An answer
 * holds the time of its statement; one that was claimed over before its commit can have come is a race.
 */
export async function findChasedAfterAnswer(
  sql: Sql,
  warningId: number,
  taken: readonly TakenAttempt[],
): Promise<Finding> {
  const rows = await sql.query<{ line: string; raced: boolean }>(
    `select format('delivery %s attempt %s, unit %s, %s ms after the answer', d.id, d.attempt, d.unit_id,
         round(extract(epoch from k.claimed_at - a.at) * 1000)) as line,
       k.claimed_at < a.at + $2 * interval '1 millisecond' as raced
     from unnest($3::bigint[], $4::int[]) as f (id, attempt)
     join deliveries d on d.id = f.id and d.attempt = f.attempt and d.warning_id = $1 and d.purpose in ('rung', 'bridge notice')
     join pages p on p.id = d.page_id
     join claims k on k.page_id = d.page_id and
       coalesce(array_position(p.delivery_ids, d.id) - 1, d.id % ${DELIVERY_ID_STRIDE}) between k.first and k.first + k.size - 1
     cross join lateral (
       select min(at) as at from answers a where a.warning_id = $1 and a.unit_id = d.unit_id and a.household_id is null
         and a.kind <> 'cannot act' and a.at < k.claimed_at
         -- A late word for the superseded warning is known only when that one's cell has carried it over.
         and (a.carried_from is null or a.at < (select issued_at from warnings where id = $1))
         and not exists (select from answers b where b.warning_id = $1 and b.unit_id = d.unit_id
           and b.kind = 'cannot act' and b.at >= a.at)) a
     where a.at is not null`,
    [warningId, COMMIT_MS_MAX, taken.map((entry) => entry.deliveryId), taken.map((entry) => entry.attempt)],
  );
  const chased = rows.filter((row) => !row.raced);
  return {
    counts: { chased: chased.length, raced: rows.length - chased.length },
    first: chased.slice(0, SHOWN_MOST).map((row) => row.line),
  };
}

/**
 * 7b. Escalations on time: the first page of a rung was written no earlier than the wait after the first hand-off of the rung
 * before, where that one was handed off and did not fail, then or by a receipt; or, where no hand-off of it was known in time (no worker was there),
 * than the rule pack's `handOffMax` after it began. A hand-off is known when its slice is settled, and a rung begins by the clock
 * of its step, which stands in the audit: its page may be written seconds later. And how late it was at most. Outages of answer
 * intake in that wait, as far as they were known when the rung began, put its time off until the unit has used up the longest
 * extension.
 */
export async function findMistimed(sql: Sql, warningId: number): Promise<Finding> {
  const rows = await sql.query<{ unit_id: number; step: number; late_ms: number }>(
    `with first_pages as (
       select p.id, p.written_at, coalesce((
         select max(a.at) from audit a where a.cell_id = p.cell_id and a.at <= p.written_at), p.written_at) as began_at
       from pages p where p.warning_id = $1 and p.purpose = 'rung'),
     bounced as materialized (
       select o.id, o.recipient_id, o.step, o.channel from receipts r join deliveries o on o.id = r.delivery_id
       where o.warning_id = $1 and r.state in ('undelivered', 'failed')),
     attempts as (
       select d.*, d.outcome in ('handed off', 'merged') as handed, k.settled_at,
         d.id in (select id from bounced)
           or d.outcome = 'merged' and (d.recipient_id, d.step, d.channel) in (select recipient_id, step, channel from bounced) as bounced
       from deliveries d join pages p on p.id = d.page_id
       left join claims k on k.page_id = p.id and
         coalesce(array_position(p.delivery_ids, d.id) - 1, d.id % ${DELIVERY_ID_STRIDE}) between k.first and k.first + k.size - 1
       where d.warning_id = $1 and d.purpose = 'rung'),
     begun as (
       select d.unit_id, d.step, min(p.written_at) as written_at, min(p.began_at) as began_at,
         min(d.at) filter (where d.handed) as handed_at, min(d.settled_at) filter (where d.handed) as known_at,
         bool_or(not d.handed or d.bounced) as troubled
       from attempts d join first_pages p on p.id = d.id / ${DELIVERY_ID_STRIDE} group by d.unit_id, d.step),
     paired as (
       select unit_id, step, written_at, lag(step) over rungs as step_before, lag(began_at) over rungs as began_before,
         lag(handed_at) over rungs as handed_before, lag(known_at) over rungs as known_before,
         lag(troubled) over rungs as troubled_before
       from begun window rungs as (partition by unit_id order by step)),
     waits as (
       select l.ordinality as step, (l.value->>'waitMs')::float8 * interval '1 millisecond' as wait,
         (w.rules->>'handOffMaxMs')::float8 * interval '1 millisecond' as hand_off_max
       from warnings w, jsonb_array_elements(w.rules->'ladder') with ordinality l where w.id = $1),
     timed as (
       select b.unit_id, b.step, b.written_at, b.handed_before, b.handed_before + t.wait as answer_by,
         -- Null where a hand-off was known in time: then only the wait counts.
         case when b.known_before > b.began_before + t.hand_off_max - $6 * interval '1 millisecond'
           then b.began_before + t.hand_off_max end as hand_off_by
       from paired b join waits t on t.step = b.step
       where b.step_before = b.step - 1 and b.handed_before is not null and not b.troubled_before
         and b.unit_id not in (select unit_id from answers where warning_id = $1 and kind = 'cannot act')),
     outages as (
       select o.began_at, o.ended_at from intake_outages o join warnings w on w.id = $1 and w.kind = o.kind
       union all
       select l.at, clock_timestamp() from liveness l join warnings w on w.id = $1
       where l.name = case w.kind when 'actual' then $7 else $3 end and l.at < clock_timestamp() - $4 * interval '1 millisecond'),
     extended as (
       select t.unit_id, t.step, t.written_at, t.handed_before, t.hand_off_by,
         t.answer_by + greatest(interval '0', least(o.in_wait, $5 * interval '1 millisecond' - o.used_up)) as answer_by
       from timed t join warnings w on w.id = $1 cross join lateral (
         select
           coalesce(sum(greatest(interval '0', least(ended_at, t.written_at) - greatest(began_at, t.handed_before)))
             filter (where began_at < t.written_at - ($2 + $4) * interval '1 millisecond'), interval '0') as in_wait,
           coalesce(sum(greatest(interval '0', least(ended_at, t.handed_before) - greatest(began_at, w.issued_at))),
             interval '0') as used_up
         from outages) o)
     select unit_id, step, (extract(epoch from written_at - case
         when written_at < answer_by then least(answer_by, hand_off_by) else answer_by end) * 1000)::float8 as late_ms
     from extended`,
    [
      warningId,
      STEP_MS_MAX,
      INTAKE_SIGNS.exercise,
      OUTAGE_AFTER_MS,
      EXTENSION_MS_MAX,
      COMMIT_MS_MAX,
      INTAKE_SIGNS.actual,
    ],
  );
  const early = rows.filter((row) => row.late_ms < -1);
  const late = rows.map((row) => row.late_ms).sort((one, other) => one - other);
  return {
    counts: {
      escalations: rows.length,
      early: early.length,
      latestMs: Math.round(late.at(-1) ?? 0),
      p99Ms: Math.round(late[Math.floor(late.length * 0.99)] ?? 0),
    },
    first: early
      .slice(0, SHOWN_MOST)
      .map((row) => `unit ${row.unit_id} rung ${row.step}: ${Math.round(-row.late_ms)} ms early`),
  };
}

/**
 * 7c. Nothing stands still: no timer of an open warning is long overdue, nor its expiry, no letter waits. Letters that were put
 * aside are counted: a faulty unit is shown to its superior.
 */
export async function findStuck(sql: Sql, warningId: number, overdueMs: number): Promise<Finding> {
  const [row] = await sql.query<{ overdue: number; waiting: number; dead: number }>(
    `select
       (select count(*) from unit_states where warning_id = $1 and ended is null
          and next_at < clock_timestamp() - $2 * interval '1 millisecond')::int
         + (select count(*) from warnings where id = $1 and status = 'open'
          and expires_at < clock_timestamp() - $2 * interval '1 millisecond')::int as overdue,
       (select count(*) from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1
          and i.at < clock_timestamp() - $2 * interval '1 millisecond')::int as waiting,
       (select count(*) from dead_letters d join cells c on c.id = d.cell_id where c.warning_id = $1)::int as dead`,
    [warningId, overdueMs],
  );
  return {
    counts: { overdue: row?.overdue ?? 0, waiting: row?.waiting ?? 0, dead: row?.dead ?? 0 },
    first: [],
  };
}
