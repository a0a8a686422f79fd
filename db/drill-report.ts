/**
 * What the report of a warning reads: its units and their states, what came of its messages, who answered. Instants are milliseconds as
 * they were; whoever reports counts at the warning's speed.
 */
import type { DrillEvent } from '../domain/drill-people.ts';
import type { Purpose } from '../domain/guard.ts';
import type { Channel } from '../domain/rules.ts';
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import { inScope } from './warnings.ts';

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

export type ReportedUnit = {
  unitId: number;
  code: string | null;
  name: string;
  tier: string;
  superiorId: number | null;
  /** Its names from the top, where it has no code. */
  path: string[];
};

/** The units of these areas, below them and on the way down to them: superiors before those below. */
export async function readReportedUnits(sql: Sql, areaIds: readonly number[]): Promise<ReportedUnit[]> {
  return sql.query<ReportedUnit>(
    `select u.id as "unitId", u.code, u.name, u.tier, u.parent_id as "superiorId",
       case when u.code is null then array(select p.name from unnest(u.path) with ordinality as step (id, place)
         join units p on p.id = step.id order by step.place) else '{}' end as path
     from units u where ${inScope('$1::int[]')} order by cardinality(u.path), u.code, u.id`,
    [areaIds],
  );
}

/** Why a message failed, by the result class on record. */
const FAILURE = (
  reason: string,
) => `case when ${reason} in ('bad-contact', 'landline', 'opted-out', 'no-address')
  then 'wrong address' when ${reason} = 'not-answered' then 'not taken' else 'not sent' end`;

/**
 * Everything that happened between the engine and the people of a warning about messages that ask for an answer, in the order of time.
 * Answers that were carried over were given to another warning, and are left out.
 */
export async function readDrillEvents(sql: Sql, warningId: number): Promise<DrillEvent[]> {
  return sql.query<DrillEvent>(
    `with asked as (
       select id, attempt, unit_id, recipient_id, channel, outcome, reason, at from deliveries
       where warning_id = $1 and audience = 'people' and purpose in ('rung', 'bridge notice'))
     select kind, "personId", "unitId", channel, ${MS('at')} as at, failure from (
       select outcome as kind, recipient_id as "personId", unit_id as "unitId", channel, at,
         case when outcome = 'failed' then ${FAILURE('reason')} end as failure
       from asked where outcome in ('handed off', 'failed')
       union all
       -- What a provider reported afterwards; of several reports of an attempt the first.
       select 'failed', a.recipient_id, a.unit_id, a.channel, r.at, ${FAILURE('r.class')}
       from asked a join lateral (
         select at, class from receipts where delivery_id = a.id and attempt = a.attempt
           and state in ('undelivered', 'failed') order by at limit 1) r on true
       where a.outcome <> 'failed'
       union all
       select case n.kind when 'received' then 'answered' else n.kind end, n.person_id, n.unit_id,
         coalesce(
           (select d.channel from deliveries d where d.id = n.delivery_id order by d.attempt limit 1),
           (select p.channel from pages p where p.id = n.delivery_id / ${DELIVERY_ID_STRIDE}),
           case n.via when 'voice' then 'voice' when 'gateway' then 'sms' when 'page' then 'email' end),
         n.at, null
       from answers n where n.warning_id = $1 and n.person_id is not null and n.carried_from is null
     ) e order by at, kind desc`,
    [warningId],
  );
}

/** In a drill's schema: those who are no stand-ins. */
export async function readRealPeople(sql: Sql): Promise<number[]> {
  const rows = await sql.query<{ id: number }>('select id from people where not synthetic');
  return rows.map(({ id }) => id);
}

/**
 * In a drill's schema: how long after its page was written so great a share of the messages had been handed over, in milliseconds, and when
 * the first page was written of which some took that long. Pages that stood still in a gap are left out; null where nothing was sent.
 */
export async function readLateness(
  sql: Sql,
  share: number,
): Promise<{ lateMs: number; since: number } | null> {
  const [row] = await sql.query<{ lateMs: number | null; since: number }>(
    `with sent as (
       select p.written_at, d.at - p.written_at as late from deliveries d join pages p on p.id = d.id / ${DELIVERY_ID_STRIDE}
       where d.outcome = 'handed off' and d.attempt = 1 and d.purpose = 'rung' and d.audience = 'people'
         and not exists (select from drill_gaps g where g.from_at < d.at and g.until_at > p.written_at)),
     usual as (select percentile_disc($1::float8) within group (order by late) as late from sent)
     select (extract(epoch from u.late) * 1000)::float8 as "lateMs",
       (select ${MS('min(s.written_at)')} from sent s where s.late >= u.late) as since from usual u`,
    [share],
  );
  return row?.lateMs == null ? null : { lateMs: row.lateMs, since: row.since };
}

export type DrillCounts = {
  messages: { purpose: Purpose; count: number }[];
  dropped: number;
  failed: number;
  afterEnd: number;
  households: number;
  householdsToldAt: number | null;
  corrections: number;
  correctedAt: number | null;
};

/**
 * What was handed over, by purpose, and what was not. `afterEnd` are messages other than the word of the end that were handed over
 * after it; the referee judges which of them were on their way (`referee`).
 */
export async function readDrillCounts(sql: Sql, warningId: number): Promise<DrillCounts> {
  const [row] = await sql.query<DrillCounts>(
    `with d as (
       select d.audience, d.purpose, d.outcome, d.recipient_id, d.at, least(w.ended_at, w.expires_at) as over_at
       from deliveries d join warnings w on w.id = d.warning_id where d.warning_id = $1)
     select
       coalesce((select json_agg(m) from (select purpose, count(*)::int as count from d
         where audience = 'people' and outcome = 'handed off' and purpose <> 'cancel notice' group by purpose) m), '[]') as messages,
       (count(*) filter (where audience = 'people' and outcome = 'dropped'))::int as dropped,
       (count(*) filter (where audience = 'people' and outcome = 'failed'))::int as failed,
       (count(*) filter (where outcome = 'handed off' and purpose <> 'cancel notice' and at > over_at))::int as "afterEnd",
       (count(distinct recipient_id) filter (where purpose = 'household' and outcome = 'handed off'))::int as households,
       ${MS(`max(at) filter (where purpose = 'household' and outcome = 'handed off')`)} as "householdsToldAt",
       (count(*) filter (where purpose = 'cancel notice' and outcome in ('handed off', 'unknown')))::int as corrections,
       ${MS(`max(at) filter (where purpose = 'cancel notice' and outcome in ('handed off', 'unknown'))`)} as "correctedAt"
     from d`,
    [warningId],
  );
  return (
    row ?? {
      ...{ messages: [], dropped: 0, failed: 0, afterEnd: 0, households: 0, householdsToldAt: null },
      ...{ corrections: 0, correctedAt: null },
    }
  );
}

/** Times between two instants in which nothing could be answered, or everything stood still by somebody's word. */
export async function readInterruptions(
  sql: Sql,
  between: { from: number; to: number },
): Promise<{ kind: 'no answers taken' | 'paused'; from: number; to: number }[]> {
  return sql.query(
    `select kind, greatest($1, ${MS('began_at')}) as "from", least($2, ${MS('ended_at')}) as "to" from (
       select 'no answers taken' as kind, began_at, ended_at from intake_outages
       union all select 'paused', began_at, coalesce(ended_at, clock_timestamp()) from pauses) i
     where ended_at > to_timestamp($1::float8 / 1000) and began_at < to_timestamp($2::float8 / 1000) order by began_at`,
    [between.from, between.to],
  );
}

/** Who is to be followed up: their name, their post in the unit, and their addresses of today by channel, not masked. */
export type Contact = {
  personId: number;
  unitId: number;
  name: string;
  /** Made up: whoever answers for them is a stand-in. */
  synthetic: boolean;
  title: string | null;
  rank: number | null;
  addresses: Partial<Record<Channel, string>>;
};

export async function readContacts(
  sql: Sql,
  who: readonly { personId: number; unitId: number }[],
): Promise<Contact[]> {
  return sql.query<Contact>(
    `select p.id as "personId", t.unit_id as "unitId", p.name, p.synthetic, o.title, o.rank,
       coalesce((select json_object_agg(c.channel, c.address) from person_channels c where c.person_id = p.id), '{}') as addresses
     from (select distinct * from unnest($1::bigint[], $2::int[]) as t (person_id, unit_id)) t join people p on p.id = t.person_id
     left join lateral (select title, rank from posts where unit_id = t.unit_id and person_id = p.id order by held_from desc limit 1) o on true`,
    [who.map(({ personId }) => personId), who.map(({ unitId }) => unitId)],
  );
}

/** How the tree of a warning is peopled, on average: what a scenario grows where it has no people of its own. */
export async function readPopulation(
  sql: Sql,
  areaIds: readonly number[],
): Promise<{ deputies: number; groupsPerVillage: number; householdsPerGroup: number }> {
  const [row] = await sql.query<{ deputies: number; groupsPerVillage: number; householdsPerGroup: number }>(
    `with u as (select u.id, u.tier from units u where ${inScope('$1::int[]')})
     select
       coalesce(round((select count(*) from posts o join u on u.id = o.unit_id
         where o.rank > 0 and o.held_until is null)::numeric / nullif((select count(*) from u), 0)), 0)::int as deputies,
       coalesce(round((select count(*) from u where tier = 'group')::numeric
         / nullif((select count(*) from u where tier = 'village'), 0)), 0)::int as "groupsPerVillage",
       coalesce(round((select count(*) from households h join u on u.id = h.unit_id)::numeric
         / nullif((select count(*) from u where tier = 'group'), 0)), 0)::int as "householdsPerGroup"`,
    [areaIds],
  );
  return row ?? { deputies: 0, groupsPerVillage: 0, householdsPerGroup: 0 };
}

/** The warnings of a chain, the first one first. */
export async function readChain(sql: Sql, chainId: number): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    'select id from warnings where id = $1 or chain_id = $1 order by revision, id',
    [chainId],
  );
  return rows.map(({ id }) => id);
}
