/** The referee on who may be told: nobody real by an Exercise (4), nobody outside the authority or after the end (5). */
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import {
  COMMIT_MS_MAX,
  countOf,
  findingOf,
  firstOf,
  IN_SCOPE,
  SHOWN_MOST,
  type CountsRow,
  type Finding,
  type TakenAttempt,
} from './referee.ts';

/** The expiry is on the page's own clock; its instants are kept in milliseconds. */
const EXPIRY_MS_MAX = 1;

/** A message that left within its slice's lease may be noted by the far side so much later. */
const NOTED_MS_MAX = 5_000;

/** 4. No live send from a drill: nothing of an Exercise went to a person who is not synthetic. */
export async function findLiveSends(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select (select (kind = 'exercise')::int from warnings where id = $1) as exercise, count(d.id)::int as "toRealPeople",
       (array_agg(format('delivery %s to %s %s', d.id, d.audience, d.recipient_id)))[1:${SHOWN_MOST}] as first
     from deliveries d join warnings w on w.id = d.warning_id and w.kind = 'exercise'
     left join people p on d.audience = 'people' and p.id = d.recipient_id
     left join households h on d.audience = 'households' and h.id = d.recipient_id
     where d.warning_id = $1 and d.outcome in ('handed off', 'unknown') and not coalesce(p.synthetic, h.synthetic, false)`,
    [warningId],
  );
  return findingOf(row);
}

/**
 * 5a. No send after the end: what the far side has, but for the all-clear, is of slices that were claimed before the warning
 * had ended, and came within their lease. `inFlight` are those that came after the end all the same.
 */
export async function findSendsAfterEnd(
  sql: Sql,
  warningId: number,
  taken: readonly TakenAttempt[],
): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with w as (
       select *, least(ended_at, expires_at) as over_at, least(ended_at, expires_at) + interval '1 millisecond'
         * case when ended_at < expires_at then ${COMMIT_MS_MAX} else ${EXPIRY_MS_MAX} end as known_at
       from warnings where id = $1),
     sent as (
       select f.id, f.attempt, k.claimed_at, w.over_at, w.known_at,
         coalesce(to_timestamp(f.last_at / 1000), d.at) as came_at,
         k.lease_until + ${NOTED_MS_MAX} * interval '1 millisecond' as came_by
       from unnest($2::bigint[], $3::int[], $4::float8[]) as f (id, attempt, last_at)
       join deliveries d on d.id = f.id and d.attempt = f.attempt and d.warning_id = $1 and d.purpose <> 'cancel notice'
       join pages p on p.id = d.page_id
       join claims k on k.page_id = d.page_id and
         coalesce(array_position(p.delivery_ids, d.id) - 1, d.id % ${DELIVERY_ID_STRIDE}) between k.first and k.first + k.size - 1
       cross join w),
     weighed as (
       select *, came_at > over_at and (claimed_at > known_at or came_at > came_by) as late,
         came_at > over_at and claimed_at <= known_at and came_at <= came_by as in_flight from sent)
     select ${countOf('late')} as late, ${countOf('in_flight')} as "inFlight",
       ${firstOf(
         "format('delivery %s attempt %s, claimed %s ms after the end', id, attempt, round(extract(epoch from claimed_at - over_at) * 1000))",
         'late',
       )} as first
     from weighed`,
    [
      warningId,
      taken.map((entry) => entry.deliveryId),
      taken.map((entry) => entry.attempt),
      taken.map((entry) => entry.lastAt),
    ],
  );
  return findingOf(row);
}

/**
 * 5b. No send outside authority, as far as there is any yet: whoever was sent anything holds a post of a unit that the warning
 * concerns, as posts were held at issue, was on duty for one since, or is a household of such a unit.
 */
export async function findSendsOutside(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with concerned as materialized (select u.id from units u where ${IN_SCOPE})
     select count(*)::int as outside,
       (array_agg(format('delivery %s to %s %s, unit %s', d.id, d.audience, d.recipient_id, d.unit_id)))[1:${SHOWN_MOST}] as first
     from deliveries d join warnings w on w.id = d.warning_id
     left join concerned c on c.id = d.unit_id
     where d.warning_id = $1 and d.outcome in ('handed off', 'unknown') and (c.id is null or not case d.audience
       when 'people' then exists (select from posts p where p.unit_id = d.unit_id and p.person_id = d.recipient_id
         and p.held_from <= w.issued_at and (p.held_until is null or p.held_until > w.issued_at))
         or exists (select from duties t where t.unit_id = d.unit_id and t.person_id = d.recipient_id
         and t.until_at > w.issued_at and t.from_at <= d.at)
       else exists (select from households h where h.id = d.recipient_id and h.unit_id = d.unit_id) end)`,
    [warningId],
  );
  return findingOf(row);
}
