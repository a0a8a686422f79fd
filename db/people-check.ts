/** What is wrong with the contacts: people without a channel, numbers shared, doubled people, faulty addresses, what was never proven. */
import type { Sql } from './database.ts';

/** `$1` is a unit with all below it, or null for everything. Only people who hold a post there now. */
const HELD = `held as (
  select p.person_id, p.unit_id, p.rank from posts p join units u on u.id = p.unit_id
  where p.held_until is null and ($1::int is null or u.path @> array[$1::int]))`;

const PLACE = (unitId: string) => `(select string_agg(a.name, '/' order by step.depth)
  from units u cross join lateral unnest(u.path) with ordinality as step (id, depth) join units a on a.id = step.id
  where u.id = ${unitId})`;

/** Somebody with a post, and where: the first of their units. */
export type CheckedPerson = { personId: number; name: string; place: string; unitId: number };

const PERSON = `h.person_id as "personId", pe.name, h.unit_id as "unitId", ${PLACE('h.unit_id')} as place`;

/** One row for each person: their highest unit. */
const ONCE = `(select person_id, min(unit_id) as unit_id from held group by person_id)`;

/** People with a post and no channel at all. */
export async function peopleWithoutChannel(sql: Sql, unitId: number | null): Promise<CheckedPerson[]> {
  return sql.query<CheckedPerson>(
    `with ${HELD} select ${PERSON} from ${ONCE} h join people pe on pe.id = h.person_id
     where not exists (select from person_channels c where c.person_id = h.person_id) order by h.unit_id, h.person_id`,
    [unitId],
  );
}

/** People who share a telephone number with others: `address` once for each of them. */
export async function sharedNumbers(
  sql: Sql,
  unitId: number | null,
): Promise<(CheckedPerson & { address: string })[]> {
  return sql.query(
    `with ${HELD},
     numbers as (select distinct c.person_id, c.address from person_channels c join held h on h.person_id = c.person_id
                 where c.channel in ('sms', 'voice')),
     shared as (select address from numbers group by address having count(*) > 1)
     select ${PERSON}, n.address from numbers n join shared using (address)
     join ${ONCE} h on h.person_id = n.person_id join people pe on pe.id = n.person_id
     order by n.address, h.person_id`,
    [unitId],
  );
}

/** People of one name with posts in the same unit: most likely one person twice. */
export async function doubledPeople(sql: Sql, unitId: number | null): Promise<CheckedPerson[]> {
  return sql.query<CheckedPerson>(
    `with ${HELD},
     doubled as (
       select h.unit_id, pe.name from held h join people pe on pe.id = h.person_id
       group by h.unit_id, pe.name having count(distinct h.person_id) > 1)
     select distinct ${PERSON} from held h join people pe on pe.id = h.person_id
     join doubled d on d.unit_id = h.unit_id and d.name = pe.name
     order by h.unit_id, pe.name, h.person_id`,
    [unitId],
  );
}

/** Addresses that cannot be used any more, and why. */
export async function faultyAddresses(
  sql: Sql,
  unitId: number | null,
): Promise<(CheckedPerson & { channel: string; address: string; fault: string })[]> {
  return sql.query(
    `with ${HELD} select ${PERSON}, c.channel, c.address, c.fault
     from person_channels c join ${ONCE} h on h.person_id = c.person_id join people pe on pe.id = c.person_id
     where c.fault is not null order by h.unit_id, h.person_id, c.channel`,
    [unitId],
  );
}

/** Numbers for text messages that do not look like a mobile of mainland China: some may be landlines. */
export async function oddMobiles(
  sql: Sql,
  unitId: number | null,
): Promise<(CheckedPerson & { address: string })[]> {
  return sql.query(
    `with ${HELD} select ${PERSON}, c.address
     from person_channels c join ${ONCE} h on h.person_id = c.person_id join people pe on pe.id = c.person_id
     where c.channel = 'sms' and c.fault is null and not pe.synthetic and c.address !~ '^\\+861[3-9]'
     order by h.unit_id, h.person_id`,
    [unitId],
  );
}

export type Proven = {
  /** Addresses of people with a post. */
  addresses: number;
  /** Nobody has ever shown that they had it in their hand. */
  neverProven: number;
  /** When the one that was proven longest ago was proven, in milliseconds; null where none was. */
  oldestAt: number | null;
};

/** How much is known of who can really be reached. */
export async function countProven(sql: Sql, unitId: number | null): Promise<Proven> {
  const [row] = await sql.query<Proven>(
    `with ${HELD}
     select count(*)::int as addresses, (count(*) filter (where c.proven_at is null))::int as "neverProven",
       floor(extract(epoch from min(c.proven_at)) * 1000)::float8 as "oldestAt"
     from person_channels c where c.person_id in (select person_id from held)`,
    [unitId],
  );
  return row ?? { addresses: 0, neverProven: 0, oldestAt: null };
}

/** Somebody a word may mean, with their addresses by channel. */
export type FoundPerson = {
  personId: number;
  reference: string;
  name: string;
  language: 'zh' | 'en';
  synthetic: boolean;
  channels: { channel: string; address: string; fault: string | null }[];
};

/** Who these words mean: references or addresses; else a name. */
export async function findPeople(sql: Sql, words: readonly string[], most: number): Promise<FoundPerson[]> {
  return sql.query<FoundPerson>(
    `select p.id as "personId", p.reference, p.name, p.language, p.synthetic,
       coalesce((select json_agg(json_build_object('channel', c.channel, 'address', c.address, 'fault', c.fault)
         order by c.channel) from person_channels c where c.person_id = p.id), '[]') as channels
     from people p
     where p.reference = any($1) or p.name = any($1)
       or p.id in (select person_id from person_channels where address = any($1))
     order by p.id limit $2`,
    [words, most],
  );
}

/** The language of a person; null where there is no such person. */
export async function readLanguage(sql: Sql, personId: number): Promise<'zh' | 'en' | null> {
  const [row] = await sql.query<{ language: 'zh' | 'en' }>('select language from people where id = $1', [
    personId,
  ]);
  return row?.language ?? null;
}
