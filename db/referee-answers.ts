/** The referee on answers: none false (3), none lost and none that regresses (8). */
import type { Channel } from '../domain/rules.ts';
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import {
  countOf,
  findingOf,
  firstOf,
  IN_SCOPE,
  mergeFindings,
  SHOWN_MOST,
  type CountsRow,
  type Finding,
} from './referee.ts';

/** What a person did at the far side, as its ledger has it; `thanked` where our side said that it was taken. */
export type Act = {
  actId: string;
  /** The message that was answered: it says whose act it is. */
  deliveryId: number;
  address: string;
  /** By a reply, or by a link. */
  via: Channel;
  kind: 'received' | 'done' | 'cannot act';
  /** Milliseconds. */
  at: number;
  thanked: boolean;
};

/** The far side's clock and PostgreSQL's are those of one machine, read at different moments. */
const CLOCKS_MS_MAX = 1_000;

/** The stored ways of answers as the far side knows them. Twilio carries both replies and keys; a key is pressed on a delivery. */
const VIA = `case when vouched_by is not null then 'vouched' when via = 'page' then 'email'
  when via = 'gateway' or via = 'twilio' and delivery_id is null then 'sms' when via = 'twilio' then 'voice' else via end`;

/**
 * `acted`: acts with the recipient of the message that was answered. One by SMS counts where the push of that very reply was
 * taken as an answer; the stand-in of Twilio names a reply by a hash. `said`: acts as they were stored; one that concerns several
 * units is one act; of a chain of warnings it belongs to the one whose message was answered, whichever it counts for. `visits` and `pressed`: those of one delivery, by its link or a key.
 */
const ACTS = `
  chain as (select c.id from warnings w join warnings c on coalesce(c.chain_id, c.id) = coalesce(w.chain_id, w.id) where w.id = $1),
  members as (
    select p.id * ${DELIVERY_ID_STRIDE} + m.place - 1 as delivery_id, p.audience, m.recipient_id
    from pages p, unnest(p.recipients) with ordinality as m (recipient_id, place)
    where p.warning_id = $1 and p.delivery_ids is null),
  acted as (
    select f.*, m.audience, m.recipient_id, f.via = 'sms' or f.status_ok as thanked
    from unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::float8[], $8::boolean[])
      as f (act_id, delivery_id, address, via, kind, at_ms, status_ok)
    join members m using (delivery_id)
    left join replies r on f.via = 'sms' and r.provider_id in (f.act_id, 'SM' || md5(f.act_id))
    where f.via in ('email', 'voice') or r.verdict = 'recorded'),
  own as (
    select a.*, row_number() over (partition by via, audience, recipient_id, kind order by at_ms) as nth from acted a
    where exists (select from person_channels c
        where a.audience = 'people' and c.person_id = a.recipient_id and c.address = a.address)
      or exists (select from households h
        where a.audience = 'households' and h.id = a.recipient_id and h.address = a.address)),
  said as (
    select *, row_number() over (partition by via, audience, recipient_id, kind order by at_ms) as nth
    from (
      select min(id) as id, ${VIA} as via, kind, delivery_id,
        case when household_id is null then 'people' else 'households' end as audience,
        coalesce(household_id, person_id) as recipient_id,
        extract(epoch from at)::float8 * 1000 as at_ms,
        bool_and(coalesce(trim(vouched_by), '') <> '' and coalesce(trim(how), '') <> '') as vouched
      from answers a where carried_from is null and a.warning_id in (select id from chain)
        and coalesce((select g.warning_id from pages g where g.id = a.delivery_id / ${DELIVERY_ID_STRIDE}), a.warning_id) = $1
      group by via, kind, delivery_id, person_id, household_id, at, vouched_by, how) grouped),
  visits as (
    select via, delivery_id, audience, recipient_id, kind, min(at_ms) as at_ms from own where via in ('email', 'voice')
    group by 1, 2, 3, 4, 5),
  pressed as (
    select via, delivery_id, audience, recipient_id, kind, min(id) as id from said where via in ('email', 'voice')
    group by 1, 2, 3, 4, 5)`;

const LOST = 'coalesce(s.id, e.id) is null';

/**
 * 3. No false answer. One by SMS is one reply: the n-th stored needs n such acts before it. One by link or by key is of the very
 * delivery whose link or call it was; pressed twice it is stored twice. One that somebody vouches for says who, and how they know.
 */
export async function findFalseAnswers(sql: Sql, warningId: number, acts: readonly Act[]): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with ${ACTS},
     traced as (
       select s.*, case s.via when 'vouched' then s.vouched
         when 'sms' then o.at_ms <= s.at_ms + ${CLOCKS_MS_MAX} else e.at_ms <= s.at_ms + ${CLOCKS_MS_MAX} end is true as genuine
       from said s
       left join own o on s.via = 'sms' and o.via = 'sms' and o.audience = s.audience and o.recipient_id = s.recipient_id
         and o.kind = s.kind and o.nth = s.nth
       left join visits e on e.via = s.via and e.delivery_id = s.delivery_id and e.audience = s.audience
         and e.recipient_id = s.recipient_id and e.kind = s.kind)
     select (select count(*) from answers where warning_id = $1)::int as answers, ${countOf("via <> 'vouched'")} as acts,
       ${countOf("via = 'vouched' and vouched")} as vouched, ${countOf('not genuine')} as "falseAnswers",
       ${firstOf(`format('answer %s by %s of %s %s is nobody''s act', id, via, audience, recipient_id)`, 'not genuine')} as first
     from traced`,
    [warningId, ...actColumns(acts)],
  );
  return mergeFindings(findingOf(row), await findForeignAnswers(sql, warningId));
}

/**
 * 3. Nobody answers for a unit in which they held no post when the warning was issued and were not on duty since, or which it does
 * not concern; who vouches by a link stood one above, or, for a household, in its unit.
 */
async function findForeignAnswers(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with concerned as materialized (select u.id from units u where ${IN_SCOPE})
     select count(*)::int as "notTheirs",
       (array_agg(format('answer %s for unit %s is not theirs to give', a.id, a.unit_id)))[1:${SHOWN_MOST}] as first
     from answers a join warnings w on w.id = a.warning_id left join concerned c on c.id = a.unit_id
     where a.warning_id = $1 and a.carried_from is null and (c.id is null
       or a.person_id is not null and not exists (select from posts p where p.person_id = a.person_id and p.unit_id = a.unit_id
         and p.held_from <= w.issued_at and (p.held_until is null or p.held_until > w.issued_at))
         and not exists (select from duties d where d.person_id = a.person_id and d.unit_id = a.unit_id
         and d.until_at > w.issued_at and d.from_at <= a.at)
       or a.household_id is not null and not exists (
         select from households h where h.id = a.household_id and h.unit_id = a.unit_id)
       or a.via = 'page' and a.vouched_by is not null and not exists (
         select from pages g cross join lateral (
           select p.unit_id from posts p where p.person_id = g.recipients[a.delivery_id % ${DELIVERY_ID_STRIDE} + 1]
             and p.held_from <= w.issued_at and (p.held_until is null or p.held_until > w.issued_at)
           union all select d.unit_id from duties d where d.person_id = g.recipients[a.delivery_id % ${DELIVERY_ID_STRIDE} + 1]
             and d.until_at > w.issued_at and d.from_at <= a.at) p
         join units u on u.id = a.unit_id
         where g.id = a.delivery_id / ${DELIVERY_ID_STRIDE} and g.audience = 'people'
           and p.unit_id = any(u.path) and (p.unit_id <> a.unit_id or a.household_id is not null)))`,
    [warningId],
  );
  return findingOf(row);
}

/** 8a. Whoever was thanked for an answer has it stored. */
export async function findLostAnswers(sql: Sql, warningId: number, acts: readonly Act[]): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with ${ACTS}
     select count(*)::int as thanked, ${countOf(LOST)} as "lostAnswers",
       ${firstOf("format('act %s by %s was thanked for and is not stored', o.act_id, o.via)", LOST)} as first
     from own o
     left join said s on o.via = 'sms' and s.via = 'sms' and s.audience = o.audience and s.recipient_id = o.recipient_id
       and s.kind = o.kind and s.nth = o.nth
     left join pressed e on e.via = o.via and e.delivery_id = o.delivery_id and e.audience = o.audience
       and e.recipient_id = o.recipient_id and e.kind = o.kind
     where o.thanked`,
    [warningId, ...actColumns(acts)],
  );
  return findingOf(row);
}

/**
 * 8b. States only rise: a unit stands as the last word of its people says, on no lower rung than it was told by, opened and told
 * since no later than its messages say. Units that have mail are passed over, and those that were put aside as faulty.
 */
export async function findRegressions(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with words as (
       select distinct on (unit_id) unit_id, kind as last, at as last_at,
         min(at) filter (where kind <> 'cannot act') over (partition by unit_id) as first_at
       from answers where warning_id = $1 and household_id is null
       order by unit_id, at desc, kind = 'cannot act' desc),
     told as (
       select unit_id, max(step) as rung, min(at) filter (where outcome in ('handed off', 'merged')) as told_at
       from deliveries where warning_id = $1 and purpose = 'rung' group by unit_id),
     busy as (
       select c.id as cell_id, i.unit_id from cells c join inbox i on i.cell_id = c.id where c.warning_id = $1),
     stand as (
       select s.*, w.last, w.last_at, w.first_at, t.rung as told_rung, t.told_at as first_told_at, v.ended_at
       from unit_states s join warnings v on v.id = s.warning_id
       left join words w using (unit_id) left join told t using (unit_id)
       where s.warning_id = $1 and not s.faulty and s.unit_id not in (select unit_id from busy where unit_id is not null)
         and s.cell_id not in (select cell_id from busy where unit_id is null)),
     weighed as (
       select unit_id, case
         when status = 'answered' and first_at is null then 'has answered by nobody''s word'
         when last <> 'cannot act' and status <> 'answered' then 'has lost its answer'
         when first_at is distinct from answered_at
           and abs(extract(epoch from first_at - answered_at)) > 0.001 then 'has lost the time of its answer'
         when last = 'cannot act' and status = 'answered' and ended is null then 'has lost that it cannot act'
         when told_rung > rung then 'has fallen back on its ladder'
         when told_rung is not null and opened_at is null then 'is no longer open'
         when first_told_at is not null and (told_at is null or told_at > first_told_at + interval '1 millisecond')
           then 'has lost when it was told' end as fault
       from stand)
     select count(*)::int as states, ${countOf('fault is not null')} as regressed,
       ${firstOf("format('unit %s %s', unit_id, fault)", 'fault is not null')} as first
     from weighed`,
    [warningId],
  );
  return mergeFindings(findingOf(row), await findRevivals(sql, warningId));
}

/** 8c. An outcome that is final is the last: no attempt follows it, but where a receipt says that the message did not arrive. */
async function findRevivals(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select count(*)::int as revived,
       (array_agg(format('delivery %s has an attempt %s after its end', d.id, d.attempt)))[1:${SHOWN_MOST}] as first
     from deliveries d where d.warning_id = $1 and d.attempt > 1 and exists (
       select from deliveries e where e.id = d.id and e.attempt < d.attempt
         and e.outcome in ('handed off', 'merged', 'failed', 'dropped')
         and not exists (select from receipts r where r.delivery_id = e.id and r.attempt = e.attempt
           and r.state in ('undelivered', 'failed')))`,
    [warningId],
  );
  return findingOf(row);
}

function actColumns(acts: readonly Act[]): unknown[] {
  const column = (value: (act: Act) => unknown) => acts.map(value);
  return [
    column((act) => act.actId),
    column((act) => act.deliveryId),
    column((act) => act.address),
    column((act) => act.via),
    column((act) => act.kind),
    column((act) => act.at),
    column((act) => act.thanked),
  ];
}
