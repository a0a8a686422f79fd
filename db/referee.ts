/**
 * The referee's own queries. They work from the tree, the rule pack, the people and what providers took; from the engine's
 * pages only where the question is about pages. Each gives counts; faults come with the first offending rows.
 */
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';

/** Offending rows shown for each invariant. */
const SHOWN_MOST = 5;

/** From a step's clock to its last statement. */
const STEP_MS_MAX = 1_000;

/** From the moment that stands in an answer to its commit, before which no claim can see it. */
const COMMIT_MS_MAX = 1_000;

export type Finding = { counts: Record<string, number>; first: string[] };

/** The referee may take its time: a city's deliveries are a hundred thousand rows. For one transaction. */
export async function takeTime(sql: Sql): Promise<void> {
  await sql.query("set local statement_timeout = '5min'");
}

/** In the area of the warning or on the way down to it. `u` is the unit, `$1` the warning. */
const IN_SCOPE = `exists (select from warning_areas a join units au on au.id = a.unit_id
  where a.warning_id = $1 and (a.unit_id = any(u.path) or u.id = any(au.path)))`;

/**
 * What tree × rule pack ask for: for each unit that was opened, each rung it reached, each person of that rung by each of the
 * rung's channels they have; and each household below. Beside it what became of it, as its last attempt says.
 */
const EXPECTED = `
  w as (select *, rules->'ladder' as ladder from warnings where id = $1),
  rungs as (
    select (r.ordinality - 1)::int as step, r.value->>'who' as who,
      array(select jsonb_array_elements_text(r.value->'by')) as channels
    from w, jsonb_array_elements(w.ladder) with ordinality r),
  expected as (
    select distinct s.unit_id, 'people' as audience, p.person_id as recipient_id, c.channel, r.step, 'rung' as purpose
    from w join unit_states s on s.warning_id = w.id and s.opened_at is not null
    join rungs r on r.step <= s.rung and r.who <> 'nobody'
    join posts p on p.unit_id = s.unit_id and p.held_from <= w.issued_at
      and (p.held_until is null or p.held_until > w.issued_at)
      and (r.who = 'everyone' or (r.who = 'principal') = (p.rank = 0))
    join person_channels c on c.person_id = p.person_id and c.channel = any(r.channels)
    union all
    select h.unit_id, 'households', h.id, h.channel, 0, 'household'
    from w join unit_states s on s.warning_id = w.id and s.opened_at is not null
    join households h on h.unit_id = s.unit_id
    where h.channel in (select jsonb_array_elements_text(w.rules->'households'->'by'))),
  last as (
    select distinct on (id) id, unit_id, audience, recipient_id, channel, step, purpose, outcome, attempt
    from deliveries where warning_id = $1 and purpose in ('rung', 'household') order by id, attempt desc),
  judged as (
    select e.*, l.outcome,
      exists (select from retries t where t.delivery_id = l.id) as again
    from expected e left join last l using (unit_id, audience, recipient_id, channel, step, purpose))`;

/** 1. No lost delivery. Under way counts as lost only once the warning is over. */
export async function findLostDeliveries(sql: Sql, warningId: number): Promise<Finding> {
  const [counts] = await sql.query<Record<string, number>>(
    `with ${EXPECTED}
     select count(*)::int as planned,
       (count(*) filter (where outcome in ('handed off', 'merged')))::int as sent,
       (count(*) filter (where outcome = 'failed'))::int as failed,
       (count(*) filter (where outcome = 'dropped'))::int as dropped,
       (count(*) filter (where outcome in ('unknown', 'later') and not again))::int as unknown,
       (count(*) filter (where outcome in ('unknown', 'later') and again))::int as again,
       (count(*) filter (where outcome is null))::int as missing
     from judged`,
    [warningId],
  );
  const missing = await sql.query<{ line: string }>(
    `with ${EXPECTED}
     select format('unit %s, %s %s by %s, %s %s', unit_id, audience, recipient_id, channel, purpose, step) as line
     from judged where outcome is null limit $2`,
    [warningId, SHOWN_MOST],
  );
  const unopened = await findUnopened(sql, warningId);
  return {
    counts: { ...counts, unopened: unopened.length },
    first: [...missing.map((row) => row.line), ...unopened.slice(0, SHOWN_MOST)],
  };
}

/** Units that stayed closed although the superior had opened them, while the warning was open. */
async function findUnopened(sql: Sql, warningId: number): Promise<string[]> {
  const rows = await sql.query<{ line: string }>(
    `select format('unit %s was never opened', u.id) as line
     from units u
     left join unit_states s on s.warning_id = $1 and s.unit_id = u.id
     left join unit_states above on above.warning_id = $1 and above.unit_id = u.parent_id
     join warnings w on w.id = $1
     where ${IN_SCOPE} and s.opened_at is null
       and (u.parent_id is null or (above.state->>'descended')::boolean)
       and (w.status = 'open' or w.ended_at > coalesce(above.opened_at, w.issued_at) + interval '10 seconds')`,
    [warningId],
  );
  return rows.map((row) => row.line);
}

/** 2. No unrecorded send: each attempt that a provider took stands with us, or is under way in a leased slice. */
export async function findUnrecordedSends(
  sql: Sql,
  warningId: number,
  taken: readonly { deliveryId: number; attempt: number }[],
): Promise<Finding> {
  const rows = await sql.query<{ line: string | null; recorded: boolean; leased: boolean }>(
    `select format('delivery %s attempt %s', f.id, f.attempt) as line,
       d.outcome in ('handed off', 'unknown') as recorded,
       exists (select from claims k join pages p on p.id = k.page_id
         where p.warning_id = $1 and k.settled_at is null
           and (k.page_id = f.id / ${DELIVERY_ID_STRIDE} or f.id = any(p.delivery_ids))) as leased
     from unnest($2::bigint[], $3::int[]) as f (id, attempt)
     left join deliveries d on d.id = f.id and d.attempt = f.attempt and d.warning_id = $1
     where d.outcome is null or d.outcome not in ('handed off', 'unknown')`,
    [warningId, taken.map((entry) => entry.deliveryId), taken.map((entry) => entry.attempt)],
  );
  const bad = rows.filter((row) => !row.leased);
  return {
    counts: { taken: taken.length, underWay: rows.length - bad.length, unrecorded: bad.length },
    first: bad.slice(0, SHOWN_MOST).map((row) => row.line ?? ''),
  };
}

/** 1. Deliveries that we hold handed off and that the far side has never seen: our word alone is no proof. */
export async function findUnseenHandOffs(
  sql: Sql,
  warningId: number,
  taken: readonly { deliveryId: number; attempt: number }[],
): Promise<Finding> {
  const rows = await sql.query<{ line: string }>(
    `select format('delivery %s attempt %s was handed off to nobody', d.id, d.attempt) as line
     from deliveries d left join unnest($2::bigint[], $3::int[]) as f (id, attempt) using (id, attempt)
     where d.warning_id = $1 and d.outcome = 'handed off' and d.purpose in ('rung', 'household') and f.id is null`,
    [warningId, taken.map((entry) => entry.deliveryId), taken.map((entry) => entry.attempt)],
  );
  return { counts: { unseen: rows.length }, first: rows.slice(0, SHOWN_MOST).map((row) => row.line) };
}

/** 4. No live send from a drill: nothing of an Exercise went to a person who is not synthetic. */
export async function findLiveSends(sql: Sql, warningId: number): Promise<Finding> {
  const rows = await sql.query<{ line: string }>(
    `select format('delivery %s to %s %s', d.id, d.audience, d.recipient_id) as line
     from deliveries d join warnings w on w.id = d.warning_id and w.kind = 'exercise'
     left join people p on d.audience = 'people' and p.id = d.recipient_id
     left join households h on d.audience = 'households' and h.id = d.recipient_id
     where d.warning_id = $1 and d.outcome in ('handed off', 'unknown') and not coalesce(p.synthetic, h.synthetic, false)`,
    [warningId],
  );
  const [kind] = await sql.query<{ exercise: boolean }>(
    `select kind = 'exercise' as exercise from warnings where id = $1`,
    [warningId],
  );
  return {
    counts: { exercise: kind?.exercise ? 1 : 0, toRealPeople: rows.length },
    first: rows.slice(0, SHOWN_MOST).map((row) => row.line),
  };
}

/**
 * 6. Bounded duplicates: a second message for one delivery only where an outcome was unknown, and flagged. In flight at a crash
 * was what a dead worker had claimed, and what broke off because the provider or the line to it died.
 */
export async function findUnflaggedDuplicates(
  sql: Sql,
  warningId: number,
  repeated: readonly { deliveryId: number; messages: number }[],
): Promise<Finding> {
  const rows = await sql.query<{ id: number; messages: number; flags: number }>(
    `select f.id, f.messages,
       (select count(*) from deliveries d where d.id = f.id and d.possible_duplicate)::int as flags
     from unnest($1::bigint[], $2::int[]) as f (id, messages)`,
    [repeated.map((entry) => entry.deliveryId), repeated.map((entry) => entry.messages)],
  );
  const [flags] = await sql.query<{ flags: number; crashed: number }>(
    `select (count(distinct id) filter (where possible_duplicate and outcome <> 'dropped'))::int as flags,
       (count(*) filter (where outcome = 'unknown' and reason in ('lease-ran-out', 'connection')))::int as crashed
     from deliveries where warning_id = $1`,
    [warningId],
  );
  const bad = rows.filter((row) => row.messages - 1 > row.flags);
  return {
    counts: {
      duplicates: repeated.reduce((sum, entry) => sum + entry.messages - 1, 0),
      unflagged: bad.length,
      flags: flags?.flags ?? 0,
      inFlightAtCrashes: flags?.crashed ?? 0,
    },
    first: bad
      .slice(0, SHOWN_MOST)
      .map((row) => `delivery ${row.id}: ${row.messages} messages, ${row.flags} flags`),
  };
}

/**
 * 7a. Nobody is chased after answering: the far side has no message of a slice that was claimed after the answer that made it
 * needless was committed. (What a dead worker had claimed is unknown to us, even where its guard had dropped it.) An answer
 * holds the time of its statement; one that was claimed over before its commit can have come is a race.
 */
export async function findChasedAfterAnswer(
  sql: Sql,
  warningId: number,
  taken: readonly { deliveryId: number; attempt: number }[],
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
 * before, where that one was handed off and did not fail; or, where it was not handed off in time (no worker was there), than
 * the rule pack's `handOffMax` after it was written. And how late it was at most.
 */
export async function findMistimed(sql: Sql, warningId: number): Promise<Finding> {
  const rows = await sql.query<{ unit_id: number; step: number; late_ms: number }>(
    `with begun as (
       select d.unit_id, d.step, min(p.written_at) as written_at,
         min(d.at) filter (where d.outcome in ('handed off', 'merged')) as handed_at,
         bool_or(d.outcome in ('failed', 'dropped', 'unknown', 'later')) as troubled
       from deliveries d join pages p on p.id = d.id / ${DELIVERY_ID_STRIDE}
       where d.warning_id = $1 and d.purpose = 'rung' group by d.unit_id, d.step),
     paired as (
       select unit_id, step, written_at, lag(step) over rungs as step_before, lag(written_at) over rungs as written_before,
         lag(handed_at) over rungs as handed_before, lag(troubled) over rungs as troubled_before
       from begun window rungs as (partition by unit_id order by step)),
     waits as (
       select l.ordinality as step, (l.value->>'waitMs')::float8 * interval '1 millisecond' as wait,
         -- The timer counts from the step's own clock, and a page is written a moment later.
         ((w.rules->>'handOffMaxMs')::float8 - $2) * interval '1 millisecond' as hand_off_max
       from warnings w, jsonb_array_elements(w.rules->'ladder') with ordinality l where w.id = $1),
     timed as (
       select b.unit_id, b.step, b.written_at, b.handed_before, b.handed_before + t.wait as answer_by,
         b.written_before + t.hand_off_max as hand_off_by
       from paired b join waits t on t.step = b.step
       where b.step_before = b.step - 1 and b.handed_before is not null and not b.troubled_before
         and b.unit_id not in (select unit_id from answers where warning_id = $1 and kind = 'cannot act'))
     select unit_id, step, (extract(epoch from written_at - case
         when written_at < answer_by and handed_before > hand_off_by then hand_off_by else answer_by end) * 1000)::float8 as late_ms
     from timed`,
    [warningId, STEP_MS_MAX],
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

/** 7c. Nothing stands still: no timer of an open warning is long overdue, no letter waits, nothing is dead. */
export async function findStuck(sql: Sql, warningId: number, overdueMs: number): Promise<Finding> {
  const [row] = await sql.query<{ overdue: number; waiting: number; dead: number }>(
    `select
       (select count(*) from unit_states where warning_id = $1 and ended is null
          and next_at < clock_timestamp() - $2 * interval '1 millisecond')::int as overdue,
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
