/** The whole tree and its people as a rehearsal reads them: no address, only by which channels somebody can be reached. */
import type { Channel } from '../domain/rules.ts';
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

/** Who holds a post in these units now, by unit and rank, with the channels that have no known fault. */
export async function readPostsOf(sql: Sql, unitIds: readonly number[]): Promise<RegisteredPost[]> {
  return sql.query(
    `select p.unit_id as "unitId", pe.reference,
       array(select c.channel from person_channels c where c.person_id = pe.id and c.fault is null) as channels
     from posts p join people pe on pe.id = p.person_id
     where p.unit_id = any($1) and p.held_from <= clock_timestamp()
       and (p.held_until is null or p.held_until > clock_timestamp())
     order by p.unit_id, p.rank, p.id`,
    [unitIds],
  );
}
