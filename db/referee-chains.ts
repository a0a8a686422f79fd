/**
 * The referee on revisions: nobody hears of an end or a change who need not, everybody who must does, a new warning never overtakes
 * what it supersedes, and carried answers are those that were given. Chains are walked by its own queries.
 */
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import {
  COMMIT_MS_MAX,
  countOf,
  findingOf,
  firstOf,
  IN_SCOPE,
  type CountsRow,
  type Finding,
} from './referee.ts';

/** A warning is over for so long before missing all-clears are missed, and an all-clear under way is seen as such. */
const NOTICE_SECONDS_MAX = 60;

/**
 * `w` the warning, `chain` the warnings up to it, `later` those behind it, `kept` the units that these have, and since when everybody can
 * know it: of what took its place, nobody speaks before its commit.
 */
const CHAIN = `
  w as (select *, coalesce(chain_id, id) as first_id from warnings where id = $1),
  chain as materialized (select c.id from w join warnings c on coalesce(c.chain_id, c.id) = w.first_id and c.id <= w.id),
  later as materialized (
    select c.id, case when c.supersedes_id = w.id then c.issued_at else c.issued_at + interval '${COMMIT_MS_MAX} milliseconds' end as since
    from w join warnings c on coalesce(c.chain_id, c.id) = w.first_id and c.id > w.id),
  concerned as materialized (select u.id from units u where ${IN_SCOPE}),
  kept as materialized (
    select u.id, min(l.since) as since from units u join (later l join warning_areas a on a.warning_id = l.id
      join units au on au.id = a.unit_id) on a.unit_id = any(u.path) or u.id = any(au.path) group by u.id)`;

/**
 * 1, 5. The end of a cancelled warning, or of a superseded one for those its successors leave out: everybody whom the chain has told, or
 * may have, has a message of it or a drop with its reason, and nobody else has one. Who is taken in again by a later successor may have had
 * one before.
 */
export async function findWrongEnds(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with ${CHAIN},
     told as (
       -- What a dead worker had is settled later than it can have gone out.
       select d.audience, d.recipient_id, d.channel, max(d.at) filter (where d.reason is distinct from 'lease-ran-out') as at,
         max(coalesce(k.since, 'infinity')) filter (where c.id is not null) as due_until
       from deliveries d left join concerned c on c.id = d.unit_id left join kept k on k.id = d.unit_id where d.warning_id in (select id from chain) and d.purpose <> 'cancel notice'
         and d.outcome in ('handed off', 'unknown', 'merged') group by 1, 2, 3),
     said as (
       select d.audience, d.recipient_id, d.channel, max(d.at) as at, min(own.claimed_at) as claimed_at,
         bool_or(own.claimed_at is not null) as sent
       from deliveries d left join lateral (
         select s.claimed_at from pages p join claims s on s.page_id = p.id
           and coalesce(array_position(p.delivery_ids, d.id) - 1, d.id % ${DELIVERY_ID_STRIDE}) between s.first and s.first + s.size - 1
         where p.id = d.page_id and d.warning_id = $1 and d.outcome in ('handed off', 'unknown')) own on true
       where d.warning_id in (select id from chain) and d.purpose = 'cancel notice' group by 1, 2, 3),
     over as (
       select status in ('cancelled', 'superseded') as ends, ended_at < clock_timestamp() - interval '${NOTICE_SECONDS_MAX} seconds'
         or not exists (select from cells c where c.warning_id = $1 and c.status = 'open') as settled from w),
     weighed as (
       select coalesce(t.audience, s.audience) as audience, coalesce(t.recipient_id, s.recipient_id) as recipient_id,
         o.ends and o.settled and coalesce(t.due_until = 'infinity', false) and (s.at is null or s.at < t.at) as silent,
         coalesce(s.sent, false) and (not o.ends or coalesce(s.claimed_at > t.due_until, t.due_until is null)) as needless,
         coalesce(s.sent, false) as sent
       from over o cross join told t full join said s using (audience, recipient_id, channel))
     select ${countOf('sent')} as ends, ${countOf('silent')} as "endUnsaid", ${countOf('needless')} as "endNeedless",
       ${firstOf("format('%s %s: end %s', audience, recipient_id, case when silent then 'not said' else 'said for nothing' end)", 'silent or needless')} as first
     from weighed`,
    [warningId],
  );
  return findingOf(row);
}

/** 5. Revision 2 never overtakes 1: no slice was claimed while one of a superseded warning in the same cell could still go out. */
export async function findOvertaking(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with ${CHAIN}
     select count(*)::int as overtaking, (array_agg(format('page %s was sent before page %s was settled', k.page_id, o.page_id)))[1:5] as first
     from claims k join pages p on p.id = k.page_id and p.warning_id = $1 join cells c on c.id = p.cell_id
     join cells oc on oc.unit_id = c.unit_id and oc.warning_id in (select id from chain where id <> $1)
     join pages op on op.cell_id = oc.id join claims o on o.page_id = op.id
     where o.claimed_at < k.claimed_at and o.lease_until > k.claimed_at and coalesce(o.settled_at, 'infinity') > k.claimed_at`,
    [warningId],
  );
  return findingOf(row);
}

/**
 * 3, 8. An answer that stands for this warning was given to the one it supersedes, word by word, and only where no new one is asked for;
 * and of those that were given before, none is missing. A word that came late for an earlier warning is carried from cell to cell, and may
 * find this one over.
 */
export async function findWrongCarries(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with ${CHAIN},
     carried as (
       select a.id, o.id is null or w.asks_again is distinct from false as falsely
       from w join answers a on a.warning_id = w.id and a.carried_from is not null
       left join answers o on o.id = a.carried_from and o.warning_id = w.supersedes_id
         and (o.unit_id, o.kind, o.at) = (a.unit_id, a.kind, a.at)
         and (o.person_id, o.household_id, o.done_count, o.vouched_by) is not distinct from
           (a.person_id, a.household_id, a.done_count, a.vouched_by)),
     missing as (
       select o.id from w join answers o on o.warning_id = w.supersedes_id and not w.asks_again and o.at < w.issued_at
         and o.unit_id in (select id from concerned)
       where not exists (select from answers a where a.warning_id = w.id and a.carried_from = o.id)
         and not exists (
           with recursive given as (
             select o.warning_id, o.carried_from
             union all select b.warning_id, b.carried_from from given g join answers b on b.id = g.carried_from)
           select from given g join warnings next on next.supersedes_id = g.warning_id
           where g.carried_from is null and next.issued_at <= o.at))
     select (select count(*) from carried)::int as carried, (select count(*) from carried where falsely)::int as "carriedFalsely",
       (select count(*) from missing)::int as uncarried,
       (select (array_agg(format('answer %s', id)))[1:5] from (select id from carried where falsely union all select id from missing) f)
         as first`,
    [warningId],
  );
  return findingOf(row);
}

/** 1. Whose answer stands hears of the change, by each channel they were told by, unless this warning's own message reached them. */
export async function findUnnoticed(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with ${CHAIN},
     standing as (
       select s.unit_id from unit_states s join cells c on c.id = s.cell_id
       where s.warning_id = $1 and s.state->>'changeNotice' = 'written' and not exists (
         select from pages p where p.cell_id = c.id and p.purpose = 'change notice' and p.ended_at is null)),
     told as (
       select distinct d.unit_id, d.recipient_id, d.channel from deliveries d
       where d.warning_id in (select id from chain where id <> $1) and d.unit_id in (select unit_id from standing)
         and d.audience = 'people' and d.purpose <> 'cancel notice' and d.outcome = 'handed off'),
     weighed as (
       select t.*, not exists (select from deliveries d where d.warning_id = $1 and d.recipient_id = t.recipient_id
         and d.audience = 'people' and d.channel = t.channel and d.purpose in ('change notice', 'rung')) as unnoticed
       from told t)
     select count(*)::int as changes, ${countOf('unnoticed')} as unnoticed,
       ${firstOf("format('unit %s, person %s by %s', unit_id, recipient_id, channel)", 'unnoticed')} as first
     from weighed`,
    [warningId],
  );
  return findingOf(row);
}
