/** People, their addresses and their posts, as imports read and write them. */
import type { Sql } from './database.ts';

export type PersonRow = {
  id: number;
  reference: string;
  name: string;
  language: string;
  synthetic: boolean;
  /** Address by channel. */
  addresses: Record<string, string>;
};

export type PostRow = { id: number; unitId: number; personId: number; title: string; rank: number };

export type HeldPost = PostRow & { personName: string };

/** People known by one of these references or reached at one of these addresses. */
export async function peopleByReferenceOrAddress(
  sql: Sql,
  references: readonly string[],
  addresses: readonly string[],
): Promise<PersonRow[]> {
  return sql.query<PersonRow>(
    `select p.id, p.reference, p.name, p.language, p.synthetic,
       coalesce((select json_object_agg(c.channel, c.address) from person_channels c where c.person_id = p.id), '{}') as addresses
     from people p
     where p.reference = any ($1) or p.id in (select person_id from person_channels where address = any ($2))
     order by p.id`,
    [references, addresses],
  );
}

/** The posts held at present in these units, or by these people anywhere. */
export async function currentPosts(
  sql: Sql,
  unitIds: readonly number[],
  personIds: readonly number[],
): Promise<HeldPost[]> {
  return sql.query<HeldPost>(
    `select p.id, p.unit_id as "unitId", p.person_id as "personId", p.title, p.rank, holder.name as "personName"
     from posts p join people holder on holder.id = p.person_id
     where p.held_until is null and (p.unit_id = any ($1) or p.person_id = any ($2)) order by p.id`,
    [unitIds, personIds],
  );
}

/** Gives up these people's references, which now name others; their rows stay for what they answered. */
export async function retireReferences(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql.query(`update people set reference = 'former ' || id where id = any ($1)`, [ids]);
}

export type NewPerson = { reference: string; name: string; language: string; synthetic: boolean };

/** Inserts people; gives back their ids by reference. */
export async function insertPeople(sql: Sql, people: readonly NewPerson[]): Promise<Map<string, number>> {
  const rows = await sql.query<{ id: number; reference: string }>(
    `insert into people (reference, name, language, synthetic)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bool[]) returning id, reference`,
    [
      people.map((person) => person.reference),
      people.map((person) => person.name),
      people.map((person) => person.language),
      people.map((person) => person.synthetic),
    ],
  );
  return new Map(rows.map(({ id, reference }) => [reference, id]));
}

export type ChangedPerson = NewPerson & { id: number };

/** Writes what an import says about people who are known. */
export async function updatePeople(sql: Sql, people: readonly ChangedPerson[]): Promise<void> {
  await sql.query(
    `update people p
     set reference = t.reference, name = t.name, language = t.language, synthetic = t.synthetic
     from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bool[]) as t (id, reference, name, language, synthetic)
     where p.id = t.id`,
    [
      people.map((person) => person.id),
      people.map((person) => person.reference),
      people.map((person) => person.name),
      people.map((person) => person.language),
      people.map((person) => person.synthetic),
    ],
  );
}

export type PersonChannel = { personId: number; channel: string; address: string };

/** Takes these addresses from these people. */
export async function deleteChannels(
  sql: Sql,
  channels: readonly Omit<PersonChannel, 'address'>[],
): Promise<void> {
  await sql.query(
    `delete from person_channels c using unnest($1::bigint[], $2::text[]) as t (person_id, channel)
     where c.person_id = t.person_id and c.channel = t.channel`,
    [channels.map(({ personId }) => personId), channels.map(({ channel }) => channel)],
  );
}

/** Gives people these addresses, in place of what they had on the same channel; what was wrong with those is forgotten. */
export async function putChannels(sql: Sql, channels: readonly PersonChannel[]): Promise<void> {
  await sql.query(
    `insert into person_channels (person_id, channel, address)
     select * from unnest($1::bigint[], $2::text[], $3::text[])
     on conflict (person_id, channel) do update set address = excluded.address, fault = null, fault_at = null,
       proven_at = null`,
    [
      channels.map(({ personId }) => personId),
      channels.map(({ channel }) => channel),
      channels.map(({ address }) => address),
    ],
  );
}

/** PostgreSQL's clock: one instant for a handover, so that a post is vacant at no moment and held twice at none. */
export async function handoverInstant(sql: Sql): Promise<string> {
  const rows = await sql.query<{ at: string }>('select clock_timestamp()::text as at');
  return rows[0]?.at ?? '';
}

/** Ends posts; they are kept, because warnings look back at who held them. */
export async function endPosts(sql: Sql, ids: readonly number[], at: string): Promise<void> {
  await sql.query('update posts set held_until = $2 where id = any ($1)', [ids, at]);
}

/** Begins posts. */
export async function beginPosts(sql: Sql, posts: readonly Omit<PostRow, 'id'>[], at: string): Promise<void> {
  await sql.query(
    `insert into posts (unit_id, person_id, title, rank, held_from)
     select t.unit_id, t.person_id, t.title, t.rank, $5::timestamptz
     from unnest($1::int[], $2::bigint[], $3::text[], $4::smallint[]) as t (unit_id, person_id, title, rank)`,
    [
      posts.map((post) => post.unitId),
      posts.map((post) => post.personId),
      posts.map((post) => post.title),
      posts.map((post) => post.rank),
      at,
    ],
  );
}
