/**
 * One person, several warnings: what is planned for a person by one channel, of several warnings, at one time goes in one message.
 * Whichever warning's message is claimed first takes the others along; theirs then end as merged into it.
 */
import type { Outcome } from '../domain/delivery.ts';
import type { ClaimedDelivery, Companion } from '../domain/store.ts';
import type { Sql } from './database.ts';
import { hasSeveralUnits } from './duties.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';

/** What is younger than this and still unsent goes along; what waits for longer waits for something else. */
const TOGETHER_SECONDS = 60;

type Found = Companion & { ownId: number };

type Merged = NonNullable<ClaimedDelivery['mergedInto']>;

/**
 * Takes along, for deliveries of one page, the first messages of other open warnings to the same people by the same channel that
 * nobody has claimed yet, but for updates: they must not overtake what they supersede. A page whose row is locked is passed over: then there are two messages, and nobody waits.
 */
export async function takeCompanions(
  sql: Sql,
  page: { warningId: number; channel: string },
  members: readonly { deliveryId: number; recipientId: number }[],
): Promise<void> {
  if (members.length === 0) return;
  await sql.query(
    `with others as materialized (
       select p.id, p.warning_id, p.recipients from pages p join warnings w on w.id = p.warning_id
       where w.id <> $1 and w.revision = 1 and w.status = 'open' and w.expires_at > clock_timestamp()
         and w.kind = (select kind from warnings where id = $1)
         and p.ended_at is null and p.purpose = 'rung' and p.audience = 'people' and p.channel = $2
         and p.delivery_ids is null and p.written_at > clock_timestamp() - interval '${TOGETHER_SECONDS} seconds'
         and p.recipients && $4::bigint[]
       for no key update of p skip locked),
     free as (
       select distinct on (o.warning_id, m.recipient_id) o.id * ${DELIVERY_ID_STRIDE} + m.place - 1 as delivery_id, o.warning_id, m.recipient_id
       from others o cross join lateral unnest(o.recipients) with ordinality as m (recipient_id, place)
       where m.recipient_id = any($4::bigint[])
         and not exists (select from claims c where c.page_id = o.id and m.place - 1 >= c.first and m.place - 1 < c.first + c.size)
         and not (${hasSeveralUnits('m.recipient_id')})
         and not exists (select from answers a where a.warning_id = o.warning_id and a.person_id = m.recipient_id))
     insert into combined (delivery_id, into_id)
     select f.delivery_id, own.id from free f
     join unnest($3::bigint[], $4::bigint[]) as own (id, recipient_id) on own.recipient_id = f.recipient_id
     on conflict do nothing`,
    [
      page.warningId,
      page.channel,
      members.map(({ deliveryId }) => deliveryId),
      members.map(({ recipientId }) => recipientId),
    ],
    'take-companions',
  );
}

/** What went along with a message before: another attempt at it says the same, but for warnings that have ended. */
export async function readCompanions(
  sql: Sql,
  deliveryIds: readonly number[],
): Promise<Map<number, Companion[]>> {
  const rows = await sql.query<Found>(
    `select c.into_id as "ownId", c.delivery_id as "deliveryId", w.id as "warningId", w.hazard, w.level, w.issuer,
       w.text_zh as "textZh", w.text_en as "textEn"
     from combined c join pages p on p.id = c.delivery_id / ${DELIVERY_ID_STRIDE} join warnings w on w.id = p.warning_id
     where c.into_id = any($1) and w.status = 'open' order by w.id`,
    [deliveryIds],
    'read-companions',
  );
  return byOwn(rows);
}

/**
 * Of these deliveries, those that another warning's message took along, and when that was handed off; null while it is under way.
 * Where that one never went, they go by themselves.
 */
export async function findTakenAlong(sql: Sql, deliveryIds: readonly number[]): Promise<Map<number, Merged>> {
  const rows = await sql.query<{ id: number; outcome: Outcome | null; at: number | null; open: boolean }>(
    `select c.delivery_id as id, d.outcome, (extract(epoch from d.at) * 1000)::float8 as at,
       d.outcome is null or exists (select from retries r where r.delivery_id = c.into_id) as open
     from combined c left join lateral (
       select outcome, at from deliveries where id = c.into_id order by outcome = 'handed off' desc, attempt desc limit 1) d on true
     where c.delivery_id = any($1)`,
    [deliveryIds],
    'taken-along',
  );
  const along = new Map<number, Merged>();
  for (const { id, outcome, at, open } of rows) {
    if (outcome === 'handed off') along.set(id, { outcome, at });
    else if (open) along.set(id, { outcome: null, at: null });
  }
  return along;
}

function byOwn(rows: readonly Found[]): Map<number, Companion[]> {
  const companions = new Map<number, Companion[]>();
  for (const { ownId, ...companion } of rows)
    companions.set(ownId, [...(companions.get(ownId) ?? []), companion]);
  return companions;
}
