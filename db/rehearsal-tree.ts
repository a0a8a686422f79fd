/** The whole tree and its people as a rehearsal reads them: no address, only by which channels somebody can be reached. */
import type { Channel } from '../domain/rules.ts';
import type { Instant } from '../domain/time.ts';
import type { Sql } from './database.ts';

export type RegisteredUnit = {
  unitId: number;
  code: string | null;
  name: string;
  tier: string;
  superiorId: number | null;
};

/** All units, superiors before those below them. */
export async function readAllUnits(sql: Sql): Promise<RegisteredUnit[]> {
  return sql.query(
    `select id as "unitId", code, name, tier, parent_id as "superiorId" from units order by cardinality(path), code, id`,
  );
}

/** The moment of `readPostsOf`. */
const AT = 'coalesce(to_timestamp($2::float8 / 1000), clock_timestamp())';

export type RegisteredPost = { unitId: number; reference: string; channels: Channel[] };

/**
 * Who stands for a post in these units now, by unit and rank: whoever is on duty, else the holder; with the channels that have no known fault, or had none at `knownAt`: what a
 * drill has found out since is not known to its rehearsal, which has the roster of that moment as well.
 */
export async function readPostsOf(
  sql: Sql,
  unitIds: readonly number[],
  knownAt: Instant | null = null,
): Promise<RegisteredPost[]> {
  return sql.query(
    `with on_duty as materialized (
       select distinct on (unit_id, rank) unit_id, rank, person_id from duties
       where unit_id = any($1) and from_at <= ${AT} and until_at > ${AT}
       order by unit_id, rank, from_at desc, id desc),
     standing as (
       select p.unit_id, p.rank, p.id, p.person_id from posts p
       where p.unit_id = any($1) and p.held_from <= clock_timestamp()
         and (p.held_until is null or p.held_until > clock_timestamp())
         and not exists (select from on_duty d where d.unit_id = p.unit_id and d.rank = p.rank)
       union all
       select unit_id, rank, 0, person_id from on_duty)
     select s.unit_id as "unitId", pe.reference,
       array(select c.channel from person_channels c where c.person_id = pe.id
         and (c.fault is null or c.fault_at > to_timestamp($2::float8 / 1000))) as channels
     from standing s join people pe on pe.id = s.person_id
     order by s.unit_id, s.rank, s.id`,
    [unitIds, knownAt],
  );
}

/** Under which addresses made-up people are reached, those that have no known fault; `reference` is the person's. Real ones play themselves. */
export async function readAddressesOf(
  sql: Sql,
  references: readonly string[],
): Promise<{ reference: string; channel: Channel; address: string }[]> {
  return sql.query(
    `select pe.reference, c.channel, c.address from people pe join person_channels c on c.person_id = pe.id
     where pe.reference = any($1) and pe.synthetic and c.fault is null`,
    [references],
  );
}

/**
 * Everybody whom the roster concerns, for each unit: who is on duty at any hour, and for whom they stand. `reference` is the person's.
 */
export async function readRoster(sql: Sql): Promise<{ reference: string; unitId: number }[]> {
  return sql.query(
    `select distinct pe.reference, s.unit_id as "unitId" from (
       select unit_id, person_id from duties
       union all
       select p.unit_id, p.person_id from posts p join duties d on d.unit_id = p.unit_id and d.rank = p.rank
       where p.held_from <= clock_timestamp() and (p.held_until is null or p.held_until > clock_timestamp())) s
     join people pe on pe.id = s.person_id order by pe.reference, s.unit_id`,
  );
}

/** The households of these units. */
export async function readHouseholdsOf(
  sql: Sql,
  unitIds: readonly number[],
): Promise<{ unitId: number; channel: Channel; address: string }[]> {
  return sql.query(
    `select unit_id as "unitId", channel, address from households where unit_id = any($1) order by id`,
    [unitIds],
  );
}
