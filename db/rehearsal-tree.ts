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

export type RegisteredPost = { unitId: number; reference: string; channels: Channel[] };

/**
 * Who holds a post in these units now, by unit and rank, with the channels that have no known fault, or had none at `knownAt`: what a
 * drill has found out since is not known to its rehearsal.
 */
export async function readPostsOf(
  sql: Sql,
  unitIds: readonly number[],
  knownAt: Instant | null = null,
): Promise<RegisteredPost[]> {
  return sql.query(
    `select p.unit_id as "unitId", pe.reference,
       array(select c.channel from person_channels c where c.person_id = pe.id
         and (c.fault is null or c.fault_at > to_timestamp($2::float8 / 1000))) as channels
     from posts p join people pe on pe.id = p.person_id
     where p.unit_id = any($1) and p.held_from <= clock_timestamp()
       and (p.held_until is null or p.held_until > clock_timestamp())
     order by p.unit_id, p.rank, p.id`,
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
