/** What people ask of the organisation: where a unit is, who stands for it, what is below it, who is out of reach. */
import type { Sql } from './database.ts';
import { UNIT_COLUMNS, type UnitRow } from './organisation-units.ts';

/** `place` is the path of names, from the top, with slashes between. */
export type PlacedUnit = UnitRow & { place: string };

const PLACE = `(select string_agg(a.name, '/' order by p.depth)
  from unnest(u.path) with ordinality p (id, depth) join units a on a.id = p.id)`;

/** The units of these codes. */
export async function unitsByCode(sql: Sql, codes: readonly string[]): Promise<PlacedUnit[]> {
  return sql.query<PlacedUnit>(
    `select ${UNIT_COLUMNS}, ${PLACE} as place from units u where u.code = any ($1)`,
    [codes],
  );
}

/** Units whose path of names ends with the last of these and has the others above it in this order, gaps allowed. */
export async function unitsByNames(
  sql: Sql,
  names: readonly string[],
  most: number,
): Promise<{ units: PlacedUnit[]; total: number }> {
  const pattern = `%${names.map((name) => `/${name.replace(/[\\%_]/g, '\\$&')}/`).join('%')}`;
  const rows = await sql.query<PlacedUnit & { total: number }>(
    `with found as materialized (
       select u.id from units u
       where u.name = $1
         and (select string_agg('/' || a.name || '/', '' order by p.depth)
              from unnest(u.path) with ordinality p (id, depth) join units a on a.id = p.id) like $2)
     select ${UNIT_COLUMNS}, ${PLACE} as place, (select count(*) from found) as total
     from units u where u.id in (select id from found order by id limit $3)
     order by u.code, u.id`,
    [names.at(-1) ?? '', pattern, most],
  );
  return { units: rows.map(({ total: _, ...unit }) => unit), total: rows[0]?.total ?? 0 };
}

/** Units whose name contains most of these parts, of equals the highest: for suggestions. */
export async function unitsLike(sql: Sql, parts: readonly string[], most: number): Promise<PlacedUnit[]> {
  const patterns = parts.map((part) => `%${part.replace(/[\\%_]/g, '\\$&')}%`);
  return sql.query<PlacedUnit>(
    `with found as materialized (
       select id from units where name like any ($1)
       order by (select count(*) from unnest($1::text[]) p (part) where name like p.part) desc,
         cardinality(path), code, id
       limit $2)
     select ${UNIT_COLUMNS}, ${PLACE} as place from units u where u.id in (select id from found) order by u.code, u.id`,
    [patterns, most],
  );
}

export type PostHolder = {
  postId: number;
  personId: number;
  name: string;
  title: string;
  rank: number;
  language: string;
  synthetic: boolean;
  channels: HeldChannel[];
};

/** An address, what is wrong with it, and when somebody last provably had it in their hand (milliseconds). */
export type HeldChannel = {
  channel: string;
  address: string;
  fault: string | null;
  provenAt: number | null;
};

/** Who holds a post in the unit now, the principal first. */
export async function postHolders(sql: Sql, unitId: number): Promise<PostHolder[]> {
  return sql.query<PostHolder>(
    `select p.id as "postId", holder.id as "personId", holder.name, p.title, p.rank, holder.language, holder.synthetic,
       coalesce((select json_agg(json_build_object('channel', c.channel, 'address', c.address, 'fault', c.fault,
           'provenAt', floor(extract(epoch from c.proven_at) * 1000)::float8) order by c.channel)
         from person_channels c where c.person_id = holder.id), '[]') as channels
     from posts p join people holder on holder.id = p.person_id
     where p.unit_id = $1 and p.held_until is null
     order by p.rank, p.id`,
    [unitId],
  );
}

export type TierCount = { tier: string; units: number; synthetic: number; unreachable: number };

/** For a unit, or for everything where it is null: units by tier, the unit itself included, with those out of reach. */
export async function countUnitsByTier(sql: Sql, unitId: number | null): Promise<TierCount[]> {
  return sql.query<TierCount>(
    `select u.tier, count(*) as units, count(*) filter (where u.synthetic) as synthetic,
       count(*) filter (where not exists (
         select from posts p join person_channels c on c.person_id = p.person_id and c.fault is null
         where p.unit_id = u.id and p.held_until is null)) as unreachable
     from units u where $1::int is null or u.path @> array[$1::int]
     group by u.tier`,
    [unitId],
  );
}

/** Households below a unit, or all where it is null. */
export async function countHouseholds(
  sql: Sql,
  unitId: number | null,
): Promise<{ all: number; synthetic: number }> {
  const rows = await sql.query<{ all: number; synthetic: number }>(
    `select count(*) as all, count(*) filter (where h.synthetic) as synthetic
     from households h join units u on u.id = h.unit_id
     where $1::int is null or u.path @> array[$1::int]`,
    [unitId],
  );
  return rows[0] ?? { all: 0, synthetic: 0 };
}

export type PeopleCount = { people: number; synthetic: number; posts: number; severalPosts: number };

/** People who hold a post now, the posts, and how many hold several. */
export async function countPeople(sql: Sql): Promise<PeopleCount> {
  const rows = await sql.query<PeopleCount>(
    `select count(*) as people, count(*) filter (where holder.synthetic) as synthetic,
       coalesce(sum(held.posts), 0)::bigint as posts, count(*) filter (where held.posts > 1) as "severalPosts"
     from (select person_id, count(*) as posts from posts where held_until is null group by person_id) held
       join people holder on holder.id = held.person_id`,
  );
  return rows[0] ?? { people: 0, synthetic: 0, posts: 0, severalPosts: 0 };
}

/** Units where nobody can be reached: no post is held, or none of the holders has an address that can be used. */
export async function unreachableUnits(
  sql: Sql,
  input: { unitId: number | null; most: number },
): Promise<(PlacedUnit & { holders: number })[]> {
  return sql.query(
    `select ${UNIT_COLUMNS}, ${PLACE} as place,
       (select count(*) from posts p where p.unit_id = u.id and p.held_until is null) as holders
     from units u
     where ($1::int is null or u.path @> array[$1::int])
       and not exists (
         select from posts p join person_channels c on c.person_id = p.person_id and c.fault is null
         where p.unit_id = u.id and p.held_until is null)
     order by cardinality(u.path), u.code, u.id limit $2`,
    [input.unitId, input.most],
  );
}

export type ExportedUnit = { code: string | null; name: string; parentCode: string | null; tier: string };

/** Units as an import file has them, those above first. */
export async function unitsForExport(sql: Sql, withSynthetic: boolean): Promise<ExportedUnit[]> {
  return sql.query<ExportedUnit>(
    `select u.code, u.name, parent.code as "parentCode", u.tier
     from units u left join units parent on parent.id = u.parent_id
     where $1 or not u.synthetic
     order by cardinality(u.path), u.code, u.id`,
    [withSynthetic],
  );
}
