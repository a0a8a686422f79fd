/** What a warning would reach if it were issued now: units, people and addresses of its area. Nothing is written. */
import type { AnswerRule } from '../domain/capabilities.ts';
import { CHANNELS, perChannel, type Channel } from '../domain/rules.ts';
import type { Sql } from './database.ts';
import { inScope } from './warnings.ts';

/** Whom one rung of the ladder sends to, by one channel; ranks from 0, the principal. */
export type RungReach = { rung: number; rankFrom: number; rankTo: number; channel: Channel };

export type TierReach = {
  tier: string;
  units: number;
  /** Units that no rung of the ladder can reach. */
  unreachable: number;
  /** People with a post in the tier, once each. */
  people: number;
  /** Messages of the first rung. */
  first: number;
} & ChannelCounts;

/** Those with an address that can be used, by channel. */
export type ChannelCounts = Record<Channel, number>;

/** The units of the areas, and who stands for their posts at this hour: whoever is on duty, else the holder. The roster is read once. */
const STANDING = `
  scope as materialized (
    select u.id, u.tier, u.code, u.name, u.path from units u where ${inScope('$1::int[]')}),
  on_duty as materialized (
    select distinct on (unit_id, rank) unit_id, rank, person_id from duties
    where from_at <= clock_timestamp() and until_at > clock_timestamp() order by unit_id, rank, from_at desc, id desc),
  standing as materialized (
    select s.id as unit_id, p.rank, p.person_id from scope s
    join posts p on p.unit_id = s.id and p.held_from <= clock_timestamp()
      and (p.held_until is null or p.held_until > clock_timestamp())
    where not exists (select from on_duty d where d.unit_id = p.unit_id and d.rank = p.rank)
    union all
    select d.unit_id, d.rank, d.person_id from on_duty d join scope s on s.id = d.unit_id)`;

const REACH = `${STANDING},
  held as materialized (
    select s.tier, s.id as unit_id, p.person_id, p.rank, c.channel
    from standing p join scope s on s.id = p.unit_id
    left join person_channels c on c.person_id = p.person_id and c.fault is null),
  rungs as (
    select * from unnest($2::smallint[], $3::smallint[], $4::smallint[], $5::text[]) as r (rung, rank_from, rank_to, channel)),
  reached as materialized (
    select distinct r.rung, h.tier, h.unit_id, h.person_id, h.channel
    from held h join rungs r on h.rank between r.rank_from and r.rank_to and h.channel = r.channel)`;

/** The official tiers of these areas: units, people, addresses. */
export async function readTierReach(
  sql: Sql,
  areaIds: readonly number[],
  rungs: readonly RungReach[],
): Promise<TierReach[]> {
  return sql.query<TierReach>(
    `with ${REACH},
     people as (
       select tier, count(distinct person_id) as people,
         ${CHANNELS.map((channel) => `count(distinct person_id) filter (where channel = '${channel}') as ${channel}`).join(', ')}
       from held group by tier),
     told as (
       select tier, count(distinct unit_id) as units, count(*) filter (where rung = 0) as first from reached group by tier)
     select s.tier, count(*) as units, count(*) - coalesce(min(t.units), 0) as unreachable,
       coalesce(min(p.people), 0) as people, ${CHANNELS.map((channel) => `coalesce(min(p.${channel}), 0) as ${channel}`).join(', ')},
       coalesce(min(t.first), 0) as first
     from scope s left join people p on p.tier = s.tier left join told t on t.tier = s.tier
     group by s.tier`,
    bound(areaIds, rungs),
  );
}

/** Messages of the first rung, by tier and channel. */
export async function readFirstMessages(
  sql: Sql,
  areaIds: readonly number[],
  rungs: readonly RungReach[],
): Promise<{ tier: string; channel: Channel; messages: number }[]> {
  return sql.query(
    `with ${REACH} select tier, channel, count(*) as messages from reached where rung = 0 group by tier, channel`,
    bound(areaIds, rungs),
  );
}

/** People who stand for a post anywhere in these areas, each counted once whatever posts they hold. */
export async function countPeopleConcerned(sql: Sql, areaIds: readonly number[]): Promise<number> {
  const [row] = await sql.query<{ people: number }>(
    `with ${STANDING} select count(distinct person_id) as people from standing`,
    [areaIds],
  );
  return row?.people ?? 0;
}

export type UnreachedUnit = { code: string | null; tier: string; place: string; holders: number };

/** Units of these areas that no rung can reach, the highest first. `holders`: people with a post there all the same. */
export async function readUnreachedUnits(
  sql: Sql,
  input: { areaIds: readonly number[]; rungs: readonly RungReach[]; most: number },
): Promise<UnreachedUnit[]> {
  return sql.query<UnreachedUnit>(
    `with ${REACH}
     select s.code, s.tier,
       (select string_agg(a.name, '/' order by step.depth)
        from unnest(s.path) with ordinality as step (id, depth) join units a on a.id = step.id) as place,
       (select count(distinct person_id) from held h where h.unit_id = s.id) as holders
     from scope s where not exists (select from reached r where r.unit_id = s.id)
     order by cardinality(s.path), s.code, s.id limit $6`,
    [...bound(input.areaIds, input.rungs), input.most],
  );
}

export type HouseholdReach = { units: number; unreachable: number } & ChannelCounts;

/** Households of these areas, and how many of them have one of these channels. */
export async function readHouseholdReach(
  sql: Sql,
  areaIds: readonly number[],
  channels: readonly Channel[],
): Promise<HouseholdReach> {
  const [row] = await sql.query<HouseholdReach>(
    `select count(*) as units,
       ${CHANNELS.map((channel) => `count(*) filter (where h.channel = '${channel}' and h.fault is null) as ${channel}`).join(', ')},
       count(*) filter (where not h.channel = any($2) or h.fault is not null) as unreachable
     from households h join units u on u.id = h.unit_id where ${inScope('$1::int[]')}`,
    [areaIds, channels],
  );
  return row ?? { units: 0, unreachable: 0, ...perChannel(() => 0) };
}

/** Why a person could not answer: has no address that the ladder uses, none that still works, or none that brings anything back. */
export type CannotAnswerReason = 'no address' | 'all addresses faulty' | 'one way only';

export type PersonWithoutAnswer = { name: string; place: string; tier: string; reason: CannotAnswerReason };

/**
 * People to whom the ladder sends and who could not answer in any way, those of the highest units first; `total` of all of them.
 * `answers` says for each channel and beginning of an address whether an answer can come back.
 */
export async function readPeopleWithoutAnswer(
  sql: Sql,
  input: {
    areaIds: readonly number[];
    rungs: readonly RungReach[];
    answers: readonly AnswerRule[];
    most: number;
  },
): Promise<{ total: number; people: PersonWithoutAnswer[] }> {
  const { answers } = input;
  const rows = await sql.query<PersonWithoutAnswer & { total: number }>(
    `with ${STANDING},
     rungs as (
       select * from unnest($2::smallint[], $3::smallint[], $4::smallint[], $5::text[]) as r (rung, rank_from, rank_to, channel)),
     answering as materialized (
       select * from unnest($7::text[], $8::text[], $9::bool[]) as a (channel, prefix, answers)),
     asked as materialized (
       select distinct p.person_id, r.channel
       from standing p join rungs r on p.rank between r.rank_from and r.rank_to),
     ways as (
       select a.person_id, count(c.person_id) as addresses, count(c.person_id) filter (where c.fault is null) as sound,
         coalesce(bool_or(c.fault is null and (
           select w.answers from answering w where w.channel = c.channel and starts_with(c.address, w.prefix)
           order by char_length(w.prefix) desc limit 1)), false) as answers
       from asked a left join person_channels c on c.person_id = a.person_id and c.channel = a.channel
       group by a.person_id),
     mute as materialized (
       select person_id, count(*) over () as total,
         case when addresses = 0 then 'no address' when sound = 0 then 'all addresses faulty' else 'one way only' end as reason
       from ways where not answers),
     placed as (
       select distinct on (m.person_id) m.*, s.tier, s.path, s.code
       from mute m join standing h on h.person_id = m.person_id join scope s on s.id = h.unit_id
       order by m.person_id, cardinality(s.path), s.code)
     select m.total, m.reason, e.name, m.tier, (
         select string_agg(a.name, '/' order by step.depth)
         from unnest(m.path) with ordinality as step (id, depth) join units a on a.id = step.id) as place
     from placed m join people e on e.id = m.person_id
     order by cardinality(m.path), m.code, e.name limit $6`,
    [
      ...bound(input.areaIds, input.rungs),
      input.most,
      answers.map(({ channel }) => channel),
      answers.map(({ prefix }) => prefix),
      answers.map((rule) => rule.answers),
    ],
  );
  return {
    total: rows[0]?.total ?? 0,
    people: rows.map(({ name, place, tier, reason }) => ({ name, place, tier, reason })),
  };
}

/** The longest name of a unit in these areas: the message that names it is the longest of all. */
export async function readLongestName(sql: Sql, areaIds: readonly number[]): Promise<string> {
  const [row] = await sql.query<{ name: string }>(
    `select u.name from units u where ${inScope('$1::int[]')} order by char_length(u.name) desc, u.id limit 1`,
    [areaIds],
  );
  return row?.name ?? '';
}

function bound(areaIds: readonly number[], rungs: readonly RungReach[]): unknown[] {
  return [
    areaIds,
    rungs.map(({ rung }) => rung),
    rungs.map(({ rankFrom }) => rankFrom),
    rungs.map(({ rankTo }) => rankTo),
    rungs.map(({ channel }) => channel),
  ];
}
