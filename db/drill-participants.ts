/** Real people who agreed to be told in a drill: in the live schema who they are, in the drill's own that nobody else there is real. */
import type { Instant } from '../domain/time.ts';
import type { Channel } from '../domain/rules.ts';
import type { Sql } from './database.ts';
import { inScope } from './warnings.ts';

/** Somebody of a list, as the live schema knows them. */
export type KnownPerson = {
  personId: number;
  reference: string;
  synthetic: boolean;
  /** Holds a post in the places of the scenario, or is on a roster there. */
  concerned: boolean;
  channels: { channel: Channel; address: string; fault: string | null }[];
  /** When they last wrote STOP to a drill. */
  stoppedAt: Instant | null;
};

/** The people of these references, and whether a warning over these areas concerns them. */
export async function findByReference(
  sql: Sql,
  references: readonly string[],
  areaIds: readonly number[],
): Promise<KnownPerson[]> {
  return sql.query<KnownPerson>(
    `select n.id as "personId", n.reference, n.synthetic,
       exists (select from posts p join units u on u.id = p.unit_id where p.person_id = n.id and p.held_from <= clock_timestamp()
         and (p.held_until is null or p.held_until > clock_timestamp()) and ${inScope('$2::int[]')})
         or exists (select from duties d join units u on u.id = d.unit_id where d.person_id = n.id and d.until_at > clock_timestamp()
           and ${inScope('$2::int[]')}) as concerned,
       coalesce((select json_agg(json_build_object('channel', c.channel, 'address', c.address, 'fault', c.fault) order by c.channel)
         from person_channels c where c.person_id = n.id), '[]') as channels,
       (select floor(extract(epoch from max(stopped_at)) * 1000)::float8 from drill_participants where person_id = n.id) as "stoppedAt"
     from people n where n.reference = any($1)`,
    [references, areaIds],
  );
}

/** `agreedOn`: a day such as 2026-11-20. */
export type Participant = { personId: number; agreedOn: string };

/** Another drill that such people agreed to, and that is not over; null where there is none. */
export async function readOtherWithPeople(sql: Sql): Promise<number | null> {
  const [row] = await sql.query<{ id: number }>(
    `select id from drills where with_people and ended_at is null`,
  );
  return row?.id ?? null;
}

/** Writes down who agreed to a drill. One index of PostgreSQL keeps a second such drill from being there at the same time. */
export async function insertParticipants(
  sql: Sql,
  drillId: number,
  people: readonly Participant[],
): Promise<void> {
  await sql.query('update drills set with_people = true where id = $1', [drillId]);
  await sql.query(
    `insert into drill_participants (drill_id, person_id, agreed_on)
     select $1, * from unnest($2::bigint[], $3::date[])`,
    [drillId, people.map(({ personId }) => personId), people.map(({ agreedOn }) => agreedOn)],
  );
}

export async function countParticipants(sql: Sql, drillId: number): Promise<number> {
  const [row] = await sql.query<{ people: number }>(
    'select count(*)::int as people from drill_participants where drill_id = $1',
    [drillId],
  );
  return row?.people ?? 0;
}

/**
 * In the schema of a drill that was just copied: those who agreed are real and have their own addresses back, of the channels by which
 * they can be told; the others of theirs are left out. Gives how many people.
 */
export async function admitParticipants(
  sql: Sql,
  live: string,
  drillId: number,
  channels: readonly Channel[],
): Promise<number> {
  const from = (table: string) => `"${live}".${table}`;
  await sql.query(
    `insert into drill_participants (drill_id, person_id, agreed_on)
     select a.drill_id, a.person_id, a.agreed_on from ${from('drill_participants')} a join people p on p.id = a.person_id
     where a.drill_id = $1 on conflict do nothing`,
    [drillId],
  );
  await sql.query(
    'delete from person_channels where person_id in (select person_id from drill_participants)',
  );
  await sql.query(
    `insert into person_channels (person_id, channel, address, fault, fault_at, proven_at)
     select c.person_id, c.channel, c.address, c.fault, c.fault_at, c.proven_at
     from ${from('person_channels')} c join drill_participants a on a.person_id = c.person_id where c.channel = any($1)`,
    [channels],
  );
  const rows = await sql.query(
    'update people set synthetic = false where id in (select person_id from drill_participants) returning id',
  );
  return rows.length;
}

/** True in the schema of a drill in which nobody is real but those who agreed: its login bears its name. */
export async function realOnlyByAgreement(sql: Sql): Promise<boolean> {
  const [row] = await sql.query<{ sure: boolean }>(
    `select current_user = current_schema()
       and not exists (select from people p where not p.synthetic
         and not exists (select from drill_participants a where a.person_id = p.id))
       and not exists (select from households where not synthetic) as sure`,
  );
  return row?.sure ?? false;
}

/** What a drill has proven of somebody's address: when they last provably had it in their hand, or that they want no more of it. */
export type ParticipantNews = {
  personId: number;
  channel: Channel;
  address: string;
  provenAt: Instant | null;
  stopped: boolean;
};

/**
 * Read in the drill's schema; of those who agreed, and of nobody else. An address has proven itself by an answer or by a receipt that the
 * message arrived, and by an answer on the page whose link and number stood in a message to it.
 */
export async function readParticipantNews(sql: Sql): Promise<ParticipantNews[]> {
  return sql.query<ParticipantNews>(
    `select c.person_id as "personId", c.channel, c.address, c.fault is not distinct from 'opted-out' as stopped,
       floor(extract(epoch from greatest(c.proven_at, (
         select max(r.at) from answers r join deliveries d on d.id = r.delivery_id and d.channel = c.channel
           and d.audience = 'people' and d.recipient_id = c.person_id and d.outcome = 'handed off'
         where r.person_id = c.person_id))) * 1000)::float8 as "provenAt"
     from person_channels c join people p on p.id = c.person_id and not p.synthetic
     join drill_participants a on a.person_id = c.person_id`,
  );
}

/** Notes in the live schema who wrote STOP; once. */
export async function markStopped(sql: Sql, drillId: number, personIds: readonly number[]): Promise<void> {
  await sql.query(
    `update drill_participants set stopped_at = clock_timestamp()
     where drill_id = $1 and person_id = any($2) and stopped_at is null`,
    [drillId, personIds],
  );
}
