/** What a message must say beside the warning, and the one-message-per-person keys. */
import type { Outcome } from '../domain/delivery.ts';
import type { Purpose } from '../domain/guard.ts';
import type { ClaimedDelivery, PageHead } from '../domain/store.ts';
import type { Sql } from './database.ts';
import { unitsOf } from './duties.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';

/** Silent units a digest names; the rest is a number. */
const DIGEST_NAMES_MAX = 6;

/** One message per person, whatever posts, holds for these. */
const KEYED: readonly Purpose[] = ['rung', 'cancel notice', 'change notice'];

export type Member = Omit<
  ClaimedDelivery,
  | 'units'
  | 'bridge'
  | 'digest'
  | 'report'
  | 'doors'
  | 'throttledMs'
  | 'companions'
  | 'drop'
  | 'mergedInto'
  | 'toldBefore'
  | 'carried'
>;

export type MessageFacts = Pick<ClaimedDelivery, 'units'> &
  Partial<Pick<ClaimedDelivery, 'bridge' | 'digest' | 'report' | 'doors'>>;

/** For each member: the names of the recipient's units, and what the page's purpose needs beside them. */
export async function readMessageFacts(
  sql: Sql,
  page: PageHead,
  members: readonly Member[],
  issuedAt: number,
): Promise<MessageFacts[]> {
  const units = await readUnitNames(sql, page.warningId, members);
  const several =
    page.audience === 'people' ? await readPostNames(sql, page.warningId, members, issuedAt) : new Map();
  const facts: MessageFacts[] = [];
  for (const member of members) {
    const unit = units.get(member.unitId);
    const names = (several.get(member.recipientId) as string[] | undefined) ?? [unit?.name ?? ''];
    const bridge = unit?.reports_to_name
      ? { silent: unit.superior_name ?? '', reportsTo: unit.reports_to_name }
      : null;
    facts.push({
      units: names,
      bridge,
      ...(page.purpose === 'digest' ? { digest: await readDigest(sql, page.warningId, member.unitId) } : {}),
      ...(page.purpose === 'end report'
        ? { report: await readReport(sql, page.warningId, member.unitId) }
        : {}),
      ...(page.purpose === 'door to door'
        ? { doors: await readDoors(sql, page.warningId, member.unitId) }
        : {}),
    });
  }
  return facts;
}

async function readUnitNames(sql: Sql, warningId: number, members: readonly Member[]) {
  const rows = await sql.query<{
    id: number;
    name: string;
    superior_name: string | null;
    reports_to_name: string | null;
  }>(
    // A scalar subquery is always a look-up. As a join, planned while the states were few, it read all of them for each slice.
    `select u.id, u.name, p.name as superior_name,
       (select r.name from units r where r.id = (
         select s.reports_to from unit_states s where s.warning_id = $1 and s.unit_id = u.id)) as reports_to_name
     from units u left join units p on p.id = u.parent_id
     where u.id = any($2)`,
    [warningId, [...new Set(members.map((member) => member.unitId))]],
    'unit-names',
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** For people of several posts: the names of all their units in this warning, the highest first. */
async function readPostNames(sql: Sql, warningId: number, members: readonly Member[], issuedAt: number) {
  const people = members.filter((member) => member.keyed).map((member) => member.recipientId);
  if (people.length === 0) return new Map<number, string[]>();
  const rows = await sql.query<{ person_id: number; names: string[] }>(
    `select p.person_id, array_agg(u.name order by cardinality(u.path), u.id) as names
     from unnest($2::bigint[]) as p (person_id)
     cross join lateral (${unitsOf('p.person_id', 'to_timestamp($3::float8 / 1000)')}) held
     join units u on u.id = held.unit_id
     where exists (select from warning_areas a join units au on au.id = a.unit_id
                   where a.warning_id = $1 and (a.unit_id = any(u.path) or u.id = any(au.path)))
     group by p.person_id`,
    [warningId, people, issuedAt],
    'post-names',
  );
  return new Map(rows.map((row) => [row.person_id, row.names]));
}

/** Units that report to this one and are silent or cannot act, as it is now. */
async function readDigest(sql: Sql, warningId: number, unitId: number) {
  const rows = await sql.query<{ name: string; count: number }>(
    `select u.name, count(*) over ()::int as count
     from (
       select id from units where parent_id = $2
       union all select unit_id from unit_states where warning_id = $1 and reports_to = $2) as below
     join units u on u.id = below.id
     join lateral (select * from unit_states x where x.warning_id = $1 and x.unit_id = below.id offset 0) s on true
     where coalesce(s.reports_to, u.parent_id) = $2 and (s.overdue_at is not null and s.done_at is null
       or s.status <> 'answered' and (s.silent_at is not null or s.state->>'cannotActAt' is not null))
     order by s.silent_at limit $3`,
    [warningId, unitId, DIGEST_NAMES_MAX],
    'read-digest',
  );
  return { count: rows[0]?.count ?? 0, names: rows.map((row) => row.name) };
}

/** Households of the unit that have not answered. */
async function readDoors(sql: Sql, warningId: number, unitId: number) {
  const rows = await sql.query<{ name: string; count: number }>(
    `select h.name, count(*) over ()::int as count from households h
     where h.unit_id = $2 and not exists (
       select from answers a where a.warning_id = $1 and a.unit_id = $2 and a.household_id = h.id)
     order by h.id limit $3`,
    [warningId, unitId, DIGEST_NAMES_MAX],
    'read-doors',
  );
  return { count: rows[0]?.count ?? 0, names: rows.map((row) => row.name) };
}

/** How the units below this one stand. */
async function readReport(sql: Sql, warningId: number, unitId: number) {
  const [row] = await sql.query<{ units: number; answered: number; silent: number }>(
    `select count(*)::int as units,
       (count(*) filter (where s.status = 'answered'))::int as answered,
       (count(*) filter (where s.status <> 'answered' and s.silent_at is not null))::int as silent
     from units u
     join lateral (select * from unit_states x where x.warning_id = $1 and x.unit_id = u.id offset 0) s on true
     where u.path @> array[$2::int] and u.id <> $2`,
    [warningId, unitId],
    'read-report',
  );
  return row ?? { units: 0, answered: 0, silent: 0 };
}

/**
 * Takes the key of one message per person, revision, rung and channel, for people of several posts. Whoever finds it taken
 * by another delivery gets that one's outcome; a key whose delivery was dropped is free again.
 */
export async function takeMessageKeys(
  sql: Sql,
  page: PageHead,
  members: readonly Member[],
): Promise<Map<number, { outcome: Outcome | null; at: number | null }>> {
  const merged = new Map<number, { outcome: Outcome | null; at: number | null }>();
  if (!KEYED.includes(page.purpose)) return merged;
  // One at a time and in the order of people, so that two cells cannot wait for each other's keys.
  for (const member of [...members].sort((one, other) => one.recipientId - other.recipientId)) {
    const key = [page.warningId, page.revision, page.purpose, page.step, page.channel, member.recipientId];
    const [own] = await sql.query(
      `insert into message_keys as k (warning_id, revision, purpose, step, channel, person_id, delivery_id)
       values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (warning_id, revision, purpose, step, channel, person_id) do update
         set delivery_id = excluded.delivery_id, outcome = null, at = null
         where k.outcome = 'dropped' or (k.delivery_id = excluded.delivery_id and k.outcome is null)
       returning delivery_id`,
      [...key, member.deliveryId],
      'take-message-key',
    );
    if (own) continue;
    const [winner] = await sql.query<{ outcome: Outcome | null; at: number | null }>(
      // Told before this delivery was planned, for another unit, counts from the plan on: its rung has its whole time.
      `select outcome, ceil(extract(epoch from case when at is not null then greatest(at, (
           select written_at from pages where id = $7)) end) * 1000)::float8 as at from message_keys
       where warning_id = $1 and revision = $2 and purpose = $3 and step = $4 and channel = $5 and person_id = $6`,
      [...key, Math.floor(member.deliveryId / DELIVERY_ID_STRIDE)],
      'read-message-key',
    );
    if (winner) merged.set(member.deliveryId, winner);
  }
  return merged;
}
