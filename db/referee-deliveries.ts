/** The referee on deliveries: none lost (1), none unrecorded (2), none twice but where flagged (6). */
import { classOf, RESULT_CLASSES } from '../domain/results.ts';
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import {
  COMMIT_MS_MAX,
  countOf,
  findingOf,
  firstOf,
  IN_SCOPE,
  mergeFindings,
  SHOWN_MOST,
  type CountsRow,
  type Finding,
  type TakenAttempt,
} from './referee.ts';

/** After its end a warning has this long to give each delivery its last outcome; until then it is under way. */
const SETTLE_SECONDS_MAX = 60;

/** The far side's ledger was read a moment before: while a warning is open, what is younger than this may be missing in it. */
const UNSEEN_SECONDS_LEAST = 60;

/** Attempts that a class of results allows in all, where it has a number of its own. */
const ATTEMPTS_MOST = `case reason ${RESULT_CLASSES.map(
  (reason) => [reason, classOf(reason)?.attemptsMost] as const,
)
  .filter(([, most]) => most !== undefined && most < Infinity)
  .map(([reason, most]) => `when '${reason}' then ${most}`)
  .join(' ')} else w.attempts_most end`;

/**
 * What tree × rule pack ask for: for each unit that was opened, each rung it reached, each person of that rung (who was on duty when
 * it was planned, else the holder at issue) by each of the rung's channels they have; and each household below. Nothing has to go to an address that was known not to work. Beside it what became of it, as its last attempt says, and whether it is
 * under way: a member of a page that is still being sent, or of the retries, of a cell that is open.
 */
const EXPECTED = `
  w as (select *, rules->'ladder' as ladder, (rules->'retry'->>'attemptsMost')::int as attempts_most,
    ended_at is null or ended_at > clock_timestamp() - interval '${SETTLE_SECONDS_MAX} seconds' as settling
    from warnings where id = $1),
  rungs as (
    select (r.ordinality - 1)::int as step, r.value->>'who' as who,
      array(select jsonb_array_elements_text(r.value->'by')) as channels
    from w, jsonb_array_elements(w.ladder) with ordinality r),
  reached as (
    select s.unit_id, r.* from w join unit_states s on s.warning_id = w.id and s.opened_at is not null
    join rungs r on r.step <= s.rung and r.who <> 'nobody'),
  -- Of units with a roster: when a rung was planned, and who was on duty then.
  planned as (
    select r.unit_id, r.step, coalesce((select min(g.written_at) from pages g where g.warning_id = $1 and g.purpose = 'rung'
      and g.step = r.step and g.delivery_ids is null and r.unit_id = any(g.unit_ids)), clock_timestamp()) as at
    from reached r where r.unit_id in (select d.unit_id from duties d, w where d.until_at > w.issued_at)),
  on_duty as (
    select distinct on (n.unit_id, n.step, d.rank) n.unit_id, n.step, d.rank, d.person_id
    from planned n join duties d on d.unit_id = n.unit_id and d.from_at <= n.at and d.until_at > n.at
    order by n.unit_id, n.step, d.rank, d.from_at desc, d.id desc),
  standing as (
    select r.unit_id, r.step, p.rank, p.person_id from w cross join reached r
    join posts p on p.unit_id = r.unit_id and p.held_from <= w.issued_at and (p.held_until is null or p.held_until > w.issued_at)
    where not exists (select from on_duty d where d.unit_id = p.unit_id and d.step = r.step and d.rank = p.rank)
    union all select unit_id, step, rank, person_id from on_duty),
  expected as (
    select distinct r.unit_id, 'people' as audience, p.person_id as recipient_id, c.channel, r.step, 'rung' as purpose,
      c.fault is not null as faulty
    from reached r join standing p on p.unit_id = r.unit_id and p.step = r.step
      and (r.who = 'everyone' or (r.who = 'principal') = (p.rank = 0))
    join person_channels c on c.person_id = p.person_id and c.channel = any(r.channels)
    union all
    select h.unit_id, 'households', h.id, h.channel, 0, 'household', h.fault is not null
    from w join unit_states s on s.warning_id = w.id and s.opened_at is not null
    join households h on h.unit_id = s.unit_id
    where h.channel in (select jsonb_array_elements_text(w.rules->'households'->'by'))),
  last as (
    select distinct on (id) id, unit_id, audience, recipient_id, channel, step, purpose, outcome, reason, attempt, at
    from deliveries where warning_id = $1 and purpose in ('rung', 'household') order by id, attempt desc),
  sending as (
    select m.unit_id, p.audience, m.recipient_id, p.channel, p.step, p.purpose, max(coalesce(m.attempt, 1)) as coming
    from w join pages p on p.warning_id = w.id and p.ended_at is null and w.settling
    join cells c on c.id = p.cell_id and c.status = 'open',
    unnest(p.recipients, p.unit_ids, p.attempts) as m (recipient_id, unit_id, attempt)
    where p.purpose in ('rung', 'household') group by 1, 2, 3, 4, 5, 6),
  waiting as (
    select r.delivery_id, r.attempt from w join cells c on c.warning_id = w.id and c.status = 'open' and w.settling
    join retries r on r.cell_id = c.id),
  followed as (
    select e.*, l.outcome, l.reason, l.attempt, l.at,
      t.delivery_id is not null or coalesce(s.coming > coalesce(l.attempt, 0), false) as under_way
    from expected e left join last l using (unit_id, audience, recipient_id, channel, step, purpose)
    left join sending s using (unit_id, audience, recipient_id, channel, step, purpose)
    left join waiting t on t.delivery_id = l.id and t.attempt > l.attempt),
  judged as (
    select f.*, outcome in ('later', 'unknown') as unsettled,
      not under_way and (outcome is null and not faulty or outcome in ('later', 'unknown')
        and (attempt < ${ATTEMPTS_MOST} or reason = 'merge-pending')) as lost
    from followed f, w)`;

const CLAIMED_BY = `j.at + interval '${COMMIT_MS_MAX} milliseconds'`;

/**
 * A drop is no loss only where its reason is true: who was dropped as answered has an answer, and so on. `j` is the row; its
 * time was read a moment before the answers were.
 */
const GROUNDLESS = `j.outcome = 'dropped' and not case j.reason
  when 'cancelled' then w.status = 'cancelled' when 'expired' then j.at >= date_trunc('milliseconds', w.expires_at)
  when 'answered' then exists (select from answers a where a.warning_id = w.id and a.unit_id = j.unit_id and a.at <= ${CLAIMED_BY}
    and case j.audience when 'people' then a.household_id is null and a.kind <> 'cannot act' else a.household_id = j.recipient_id end)
  when 'cannot-act' then exists (select from answers a where a.warning_id = w.id and a.unit_id = j.unit_id
    and a.person_id = j.recipient_id and a.kind = 'cannot act' and a.at <= ${CLAIMED_BY})
  when 'superseded' then w.status = 'superseded' else false end`;

const DELIVERY_LINE = `format('unit %s, %s %s by %s, %s %s: %s', j.unit_id, j.audience, j.recipient_id, j.channel, j.purpose,
  j.step, coalesce(j.outcome || ' ' || coalesce(j.reason, ''), 'nothing'))`;

/** 1. No lost delivery: each has an outcome that is final and true, or is under way at this moment, while the cell lives. */
export async function findLostDeliveries(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with ${EXPECTED},
     weighed as (select j.*, ${GROUNDLESS} as groundless from judged j, w)
     select count(*)::int as planned,
       ${countOf("outcome in ('handed off', 'merged')")} as sent,
       ${countOf("outcome = 'failed'")} as failed,
       ${countOf("outcome = 'dropped'")} as dropped,
       ${countOf('unsettled and not under_way and not lost')} as unknown,
       ${countOf('unsettled and under_way')} as again,
       ${countOf('outcome is null and under_way')} as "underWay",
       ${countOf('lost')} as missing,
       ${countOf('groundless')} as groundless,
       ${firstOf(DELIVERY_LINE, 'lost or groundless')} as first
     from weighed j`,
    [warningId],
  );
  return mergeFindings(findingOf(row), await findUnopened(sql, warningId));
}

/** Units that stayed closed although the superior had opened them, and no letter that opens them waits. */
async function findUnopened(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select count(*)::int as unopened, (array_agg(format('unit %s was never opened', u.id)))[1:${SHOWN_MOST}] as first
     from units u
     left join unit_states s on s.warning_id = $1 and s.unit_id = u.id
     left join unit_states above on above.warning_id = $1 and above.unit_id = u.parent_id
     join warnings w on w.id = $1
     where ${IN_SCOPE} and s.opened_at is null
       and (u.parent_id is null or (above.state->>'descended')::boolean)
       and (w.status = 'open' or w.ended_at > coalesce(above.opened_at, w.issued_at) + interval '10 seconds')
       and not exists (select from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1 and i.unit_id = u.id)`,
    [warningId],
  );
  return findingOf(row);
}

/** 1. Deliveries that we hold handed off and that the far side has never seen: our word alone is no proof. */
export async function findUnseenHandOffs(
  sql: Sql,
  warningId: number,
  taken: readonly TakenAttempt[],
): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select count(*)::int as unseen,
       (array_agg(format('delivery %s attempt %s was handed off to nobody', d.id, d.attempt)))[1:${SHOWN_MOST}] as first
     from deliveries d join warnings w on w.id = d.warning_id
     left join unnest($2::bigint[], $3::int[]) as f (id, attempt) on f.id = d.id and f.attempt = d.attempt
     -- Adopted: the provider was found to have an earlier attempt.
     left join unnest($2::bigint[], $3::int[]) as e (id, attempt) on d.reason like 'adopted-%' and e.id = d.id
       and e.attempt < d.attempt
     where e.id is null and d.warning_id = $1 and d.outcome = 'handed off' and d.purpose in ('rung', 'household') and f.id is null
       and (w.status <> 'open' or d.at < clock_timestamp() - interval '${UNSEEN_SECONDS_LEAST} seconds')`,
    [warningId, ...attemptColumns(taken)],
  );
  return findingOf(row);
}

/** 2. No unrecorded send: each attempt that a provider took stands with us, or is under way in a leased slice. */
export async function findUnrecordedSends(
  sql: Sql,
  warningId: number,
  taken: readonly TakenAttempt[],
): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select ${countOf('leased')} as "underWay", ${countOf('not leased')} as unrecorded,
       ${firstOf("format('delivery %s attempt %s', id, attempt)", 'not leased')} as first
     from (
       select f.id, f.attempt, exists (select from claims k join pages p on p.id = k.page_id
           where p.warning_id = $1 and k.settled_at is null
             and (k.page_id = f.id / ${DELIVERY_ID_STRIDE} or f.id = any(p.delivery_ids))) as leased
       from unnest($2::bigint[], $3::int[]) as f (id, attempt)
       left join deliveries d on d.id = f.id and d.attempt = f.attempt and d.warning_id = $1
       where d.outcome is null or d.outcome not in ('handed off', 'unknown')) strange`,
    [warningId, ...attemptColumns(taken)],
  );
  return mergeFindings({ counts: { taken: taken.length }, first: [] }, findingOf(row));
}

/**
 * 6. Bounded duplicates: a second message for one delivery only where an outcome was unknown, and flagged. In flight at a crash
 * was what a dead worker had claimed, and what broke off because the provider or the line to it died.
 */
export async function findUnflaggedDuplicates(
  sql: Sql,
  warningId: number,
  taken: readonly TakenAttempt[],
): Promise<Finding> {
  const repeated = repeatedDeliveries(taken);
  const [unflagged] = await sql.query<CountsRow>(
    `select count(*)::int as unflagged,
       (array_agg(format('delivery %s: %s messages, %s flags', id, messages, flags)))[1:${SHOWN_MOST}] as first
     from (
       select f.id, f.messages,
         -- A message that its provider reported as not arrived may be followed by another.
         (select count(*) from deliveries d where d.id = f.id and (d.possible_duplicate or exists (
           select from receipts r where r.delivery_id = d.id and r.attempt < d.attempt
             and r.state in ('undelivered', 'failed'))))::int as flags
       from unnest($1::bigint[], $2::int[]) as f (id, messages)) repeated
     where messages - 1 > flags`,
    [repeated.map((entry) => entry.deliveryId), repeated.map((entry) => entry.messages)],
  );
  const [flags] = await sql.query<CountsRow>(
    `select null as first,
       -- Of those that the provider said it did not have, none is a guess.
       (count(distinct id) filter (where possible_duplicate and outcome <> 'dropped'
         and reason is distinct from 'not-found'))::int as flags,
       ${countOf("outcome = 'unknown' and reason in ('lease-ran-out', 'connection')")} as "inFlightAtCrashes"
     from deliveries where warning_id = $1`,
    [warningId],
  );
  const duplicates = repeated.reduce((sum, entry) => sum + entry.messages - 1, 0);
  return mergeFindings(
    { counts: { duplicates }, first: [] },
    findingOf(unflagged),
    findingOf(flags),
    await findToldTwice(sql, warningId),
  );
}

/** 6. Whoever holds several posts is told once for a rung by each channel, and once of a cancel. */
async function findToldTwice(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select count(*)::int as "toldTwice",
       (array_agg(format('person %s by %s, %s %s: %s deliveries', recipient_id, channel, purpose, step, told)))[1:${SHOWN_MOST}] as first
     from (
       select recipient_id, purpose, step, channel, count(distinct id) as told from deliveries
       where warning_id = $1 and audience = 'people' and purpose in ('rung', 'cancel notice', 'change notice') and outcome = 'handed off'
       group by 1, 2, 3, 4 having count(distinct id) > 1) twice`,
    [warningId],
  );
  return findingOf(row);
}

function repeatedDeliveries(taken: readonly TakenAttempt[]) {
  const messages = new Map<number, number>();
  for (const entry of taken)
    messages.set(entry.deliveryId, (messages.get(entry.deliveryId) ?? 0) + entry.messages);
  return [...messages]
    .filter(([, count]) => count > 1)
    .map(([deliveryId, count]) => ({ deliveryId, messages: count }));
}

function attemptColumns(taken: readonly TakenAttempt[]): [number[], number[]] {
  return [taken.map((entry) => entry.deliveryId), taken.map((entry) => entry.attempt)];
}
