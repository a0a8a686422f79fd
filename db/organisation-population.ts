/** What the generator of synthetic groups, people and households reads before it writes by COPY. */
import type { Sql } from './database.ts';

/** Ids of areas, or everything. */
export type Area = readonly number[] | 'all';

export type ParentRow = { id: number; code: string | null; name: string; path: number[]; cellUnitId: number };

export type VacantUnit = {
  id: number;
  code: string | null;
  name: string;
  tier: string;
  parentId: number | null;
  parentCode: string | null;
};

/** Units of one tier inside the area that have no real unit below: to these synthetic ones may be added. */
export async function unitsToDivide(sql: Sql, tier: string, area: Area): Promise<ParentRow[]> {
  return sql.query<ParentRow>(
    `select u.id, u.code, u.name, u.path, u.cell_unit_id as "cellUnitId" from units u
     where u.tier = $1 and ($2::int[] is null or u.path && $2)
       and not exists (select from units below where below.parent_id = u.id and not below.synthetic)
     order by u.code, u.id`,
    [tier, idsOf(area)],
  );
}

/** The units below these: their parent, code and name. */
export async function namesBelow(
  sql: Sql,
  parentIds: readonly number[],
): Promise<{ parentId: number; code: string | null; name: string }[]> {
  return sql.query(`select parent_id as "parentId", code, name from units where parent_id = any ($1)`, [
    parentIds,
  ]);
}

/** Units of these tiers without a current post, inside the area or above it, so that its chain of command is whole. */
export async function unitsWithoutPost(
  sql: Sql,
  tiers: readonly string[],
  area: Area,
): Promise<VacantUnit[]> {
  return sql.query<VacantUnit>(
    `select u.id, u.code, u.name, u.tier, u.parent_id as "parentId", parent.code as "parentCode"
     from units u left join units parent on parent.id = u.parent_id
     where u.tier = any ($1)
       and ($2::int[] is null or u.path && $2
         or u.id in (select unnest(area.path) from units area where area.id = any ($2)))
       and not exists (select from posts p where p.unit_id = u.id and p.held_until is null)
     order by u.code, u.id`,
    [tiers, idsOf(area)],
  );
}

/** Units of one tier inside the area without a household. */
export async function unitsWithoutHousehold(sql: Sql, tier: string, area: Area): Promise<VacantUnit[]> {
  return sql.query<VacantUnit>(
    `select u.id, u.code, u.name, u.tier, u.parent_id as "parentId", parent.code as "parentCode"
     from units u left join units parent on parent.id = u.parent_id
     where u.tier = $1 and ($2::int[] is null or u.path && $2)
       and not exists (select from households h where h.unit_id = u.id)
     order by u.code, u.id`,
    [tier, idsOf(area)],
  );
}

/** Synthetic people that are there already, by reference. */
export async function syntheticPeople(sql: Sql): Promise<{ id: number; reference: string }[]> {
  return sql.query(`select id, reference from people where synthetic`);
}

/** Addresses of people that begin so, after this person, in the order of their ids. */
export async function addressesOfPeople(
  sql: Sql,
  prefix: string,
  afterId: number,
  most: number,
): Promise<{ id: number; address: string }[]> {
  return sql.query(
    `select person_id as id, address from person_channels
     where person_id > $2 and channel = 'sms' and starts_with(address, $1) order by person_id limit $3`,
    [prefix, afterId, most],
  );
}

/** Addresses of households that begin so, after this household, in the order of their ids. */
export async function addressesOfHouseholds(
  sql: Sql,
  prefix: string,
  afterId: number,
  most: number,
): Promise<{ id: number; address: string }[]> {
  return sql.query(
    `select id, address from households
     where id > $2 and starts_with(address, $1) order by id limit $3`,
    [prefix, afterId, most],
  );
}

/** Takes `count` ids in a row, the first of which is given back. Only while `lockOrganisationTables` keeps others out. */
export async function reserveIdRange(sql: Sql, table: 'units' | 'people', count: number): Promise<number> {
  const rows = await sql.query<{ last: number }>(
    `select setval(pg_get_serial_sequence($1, 'id'), nextval(pg_get_serial_sequence($1, 'id')) + $2 - 1) as last`,
    [table, Math.max(1, count)],
  );
  return (rows[0]?.last ?? 0) - Math.max(1, count) + 1;
}

function idsOf(area: Area): readonly number[] | null {
  return area === 'all' ? null : area;
}
