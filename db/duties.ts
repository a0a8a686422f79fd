/**
 * Duties: who stands for a post at which hours. Outside of them its holder does. Everything that asks whom to tell or to
 * telephone asks here, at the moment of sending.
 */
import type { Sql } from './database.ts';

/**
 * SQL for the id of the person who stands for a post at a moment: who is on duty then, else its holder. `post` names a row with
 * `unit_id`, `rank` and `person_id`. Of duties that overlap the one that began last counts.
 */
export function standsFor(post: string, at = 'clock_timestamp()'): string {
  return `coalesce((select d.person_id from duties d where d.unit_id = ${post}.unit_id and d.rank = ${post}.rank
    and d.from_at <= ${at} and d.until_at > ${at} order by d.from_at desc, d.id desc limit 1), ${post}.person_id)`;
}

/**
 * SQL for the units a person answers for in a warning, as rows of `unit_id`: those of the posts they held when it was issued, and
 * those they have been on duty for since. Who was told while on duty may answer after it.
 */
export function unitsOf(person: string, issuedAt: string): string {
  return `select post.unit_id from posts post where post.person_id = ${person} and post.held_from <= ${issuedAt}
      and (post.held_until is null or post.held_until > ${issuedAt})
    union select duty.unit_id from duties duty where duty.person_id = ${person} and duty.until_at > ${issuedAt}
      and duty.from_at <= clock_timestamp()`;
}

/** SQL for the duties of this hour in a unit whose post nobody held when the warning was issued. */
export function dutiesOfVacantPosts(unitId: string, issuedAt: string): string {
  return `(select distinct on (duty.rank) duty.rank, duty.person_id from duties duty where duty.unit_id = ${unitId}
    and duty.from_at <= clock_timestamp() and duty.until_at > clock_timestamp() and not exists (
      select from posts post where post.unit_id = duty.unit_id and post.rank = duty.rank and post.held_from <= ${issuedAt}
        and (post.held_until is null or post.held_until > ${issuedAt}))
    order by duty.rank, duty.from_at desc, duty.id desc)`;
}

/** SQL for whether a person may be told for several units at once, by posts or as a stand-in of these days. */
export function hasSeveralUnits(person: string): string {
  return `(select count(*) from posts post where post.person_id = ${person}) + (select count(*) from duties duty
    where duty.person_id = ${person} and duty.until_at > clock_timestamp() - interval '1 day') > 1`;
}

/** Who stands for a post, and whether by the roster. */
export type Standing = { personId: number; name: string; byDuty: boolean };

/** Who stands for the post of this rank (0 the principal) at a moment in milliseconds; null where nobody does. */
export async function onDuty(sql: Sql, unitId: number, rank: number, at: number): Promise<Standing | null> {
  const [row] = await sql.query<Standing>(
    `select p.id as "personId", p.name, s.by_duty as "byDuty"
     from (
       select person_id, true as by_duty, from_at as since, id from duties
       where unit_id = $1 and rank = $2 and from_at <= to_timestamp($3::float8 / 1000)
         and until_at > to_timestamp($3::float8 / 1000)
       union all
       select person_id, false, held_from, id from posts
       where unit_id = $1 and rank = $2 and held_from <= to_timestamp($3::float8 / 1000)
         and (held_until is null or held_until > to_timestamp($3::float8 / 1000))) s
     join people p on p.id = s.person_id
     order by s.by_duty desc, s.since desc, s.id desc limit 1`,
    [unitId, rank, at],
    'on-duty',
  );
  return row ?? null;
}

export type Duty = { unitId: number; rank: number; personId: number; from: number; until: number };

export type ListedDuty = Duty & {
  /** The path of names from the top. */
  path: string[];
  code: string | null;
  tier: string;
  name: string;
  /** The telephone number, where there is one that can be used. */
  phone: string | null;
};

/** The duties at a moment in milliseconds, the highest units first; of one unit and all below it where one is named. */
export async function readDuties(
  sql: Sql,
  input: { at: number; unitId: number | null; most: number },
): Promise<ListedDuty[]> {
  return sql.query<ListedDuty>(
    `select d.unit_id as "unitId", d.rank, d.person_id as "personId", u.code, u.tier, p.name,
       (extract(epoch from d.from_at) * 1000)::float8 as "from", (extract(epoch from d.until_at) * 1000)::float8 as until,
       array(select a.name from unnest(u.path) with ordinality as step (id, place) join units a on a.id = step.id
             order by step.place) as path,
       ${phoneOf('p.id')} as phone
     from duties d join units u on u.id = d.unit_id join people p on p.id = d.person_id
     where d.from_at <= to_timestamp($1::float8 / 1000) and d.until_at > to_timestamp($1::float8 / 1000)
       and ($2::int is null or u.path @> array[$2::int])
     order by cardinality(u.path), u.code, u.id, d.rank, d.from_at limit $3`,
    [input.at, input.unitId, input.most],
  );
}

/** SQL for the number at which a person can be telephoned: a landline as well as a mobile; none that is known to be wrong. */
export function phoneOf(personId: string): string {
  return `(select c.address from person_channels c where c.person_id = ${personId} and c.channel in ('voice', 'sms')
    and c.fault is distinct from 'bad-contact' order by c.channel desc limit 1)`;
}

/** The duties of these units that are not over yet. */
export async function dutiesAhead(sql: Sql, unitIds: readonly number[]): Promise<(Duty & { id: number })[]> {
  return sql.query(
    `select id, unit_id as "unitId", rank, person_id as "personId",
       (extract(epoch from from_at) * 1000)::float8 as "from", (extract(epoch from until_at) * 1000)::float8 as until
     from duties where unit_id = any($1) and until_at > clock_timestamp()`,
    [unitIds],
  );
}

/** Takes duties back: those under way end now and stay on record, those to come are deleted. */
export async function endDuties(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql.query('delete from duties where id = any($1) and from_at >= clock_timestamp()', [ids]);
  await sql.query('update duties set until_at = clock_timestamp() where id = any($1)', [ids]);
}

export async function insertDuties(sql: Sql, duties: readonly Duty[]): Promise<void> {
  await sql.query(
    `insert into duties (unit_id, rank, person_id, from_at, until_at)
     select t.unit_id, t.rank, t.person_id, to_timestamp(t.from_ms / 1000), to_timestamp(t.until_ms / 1000)
     from unnest($1::int[], $2::smallint[], $3::bigint[], $4::float8[], $5::float8[])
       as t (unit_id, rank, person_id, from_ms, until_ms)`,
    [
      duties.map((duty) => duty.unitId),
      duties.map((duty) => duty.rank),
      duties.map((duty) => duty.personId),
      duties.map((duty) => duty.from),
      duties.map((duty) => duty.until),
    ],
  );
}

/** A person a roster may mean: by reference, by an address, or by name among those with a post in the unit. */
export type RosterPerson = { word: string; unitId: number | null; personId: number };

/** Who these words can mean. `unitId` is set where only a name was given, and says for which unit it holds. */
export async function findRosterPeople(
  sql: Sql,
  words: readonly string[],
  unitIds: readonly number[],
): Promise<RosterPerson[]> {
  return sql.query<RosterPerson>(
    `select reference as word, null::int as "unitId", id as "personId" from people where reference = any($1)
     union
     select address, null, person_id from person_channels where address = any($1)
     union
     select p.name, o.unit_id, p.id from people p join posts o on o.person_id = p.id and o.held_until is null
     where p.name = any($1) and o.unit_id = any($2)`,
    [words, unitIds],
  );
}
