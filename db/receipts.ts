/**
 * Receipts as PostgreSQL keeps them, and what follows from them: another attempt, a letter, a mark at the address. They name
 * delivery and attempt, so the page alone says whose they are: a receipt may come before the slice it belongs to is settled.
 */
import type { Purpose } from '../domain/guard.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { Receipt, ReceiptState } from '../domain/receipts.ts';
import type { AddressFault, ResultClass } from '../domain/results.ts';
import type { Channel, Rules } from '../domain/rules.ts';
import type { Audience } from '../domain/store.ts';
import type { Sql } from './database.ts';
import { pageOf, placeOf } from './pages.ts';

/** An attempt and one of its states. */
export type ReceiptKey = { deliveryId: number; attempt: number; state: ReceiptState };

/**
 * Stores each receipt of a warning of this kind once, in one order for all, so that two pushes of the same never wait for each other;
 * gives the new ones.
 */
export async function insertReceipts(
  sql: Sql,
  receipts: readonly Receipt[],
  kind: WarningKind,
): Promise<ReceiptKey[]> {
  const column = (value: (receipt: Receipt) => unknown) => receipts.map(value);
  return sql.query<ReceiptKey>(
    `insert into receipts (delivery_id, attempt, state, code, class, sender, provider_id)
     select r.delivery_id, r.attempt, r.state, r.code, r.class, r.sender, r.provider_id
     from unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
       $9::int[]) as r (delivery_id, attempt, state, code, class, sender, provider_id, page_id, place)
     where exists (
       select from pages p join warnings w on w.id = p.warning_id
       where p.id = r.page_id and p.size >= r.place and w.kind = $10)
     order by 1, 2, 3
     on conflict do nothing
     returning delivery_id as "deliveryId", attempt, state`,
    [
      column((receipt) => receipt.deliveryId),
      column((receipt) => receipt.attempt),
      column((receipt) => receipt.state),
      column((receipt) => receipt.code),
      column((receipt) => receipt.reason),
      column((receipt) => receipt.sender),
      column((receipt) => receipt.providerId),
      column((receipt) => pageOf(receipt.deliveryId)),
      column((receipt) => placeOf(receipt.deliveryId)),
      kind,
    ],
    'insert-receipts',
  );
}

/** Whose a delivery is, by its page. */
export type DeliveryPlace = {
  deliveryId: number;
  pageId: number;
  cellId: number;
  warningId: number;
  revision: number;
  unitId: number;
  recipientId: number;
  audience: Audience;
  purpose: Purpose;
  step: number;
  channel: Channel;
};

/** The places of deliveries. A page's arrays are opened only for what is not settled yet; see `findLinkOwners`. */
export async function readPlaces(sql: Sql, deliveryIds: readonly number[]): Promise<DeliveryPlace[]> {
  return sql.query<DeliveryPlace>(
    `select l.id as "deliveryId", p.id as "pageId", p.cell_id as "cellId", p.warning_id as "warningId", p.revision,
       case when d.unit_id is null then p.unit_ids[l.place] else d.unit_id end as "unitId",
       case when d.unit_id is null then p.recipients[l.place] else d.recipient_id end as "recipientId",
       p.audience, p.purpose, p.step, p.channel
     from unnest($1::bigint[], $2::bigint[], $3::int[]) as l (id, page_id, place)
     join pages p on p.id = l.page_id
     left join lateral (
       select unit_id, recipient_id from deliveries where id = l.id order by attempt limit 1) d on true`,
    [deliveryIds, deliveryIds.map(pageOf), deliveryIds.map(placeOf)],
    'read-places',
  );
}

/** What is known of a delivery whose attempt failed. */
export type FailedDelivery = {
  deliveryId: number;
  /** Every receipt of it so far, in the order in which they came. */
  receipts: { attempt: number; state: ReceiptState; reason: ResultClass | null }[];
  /** The last attempt that was made, is under way or is planned; 0 where none is known yet. */
  attemptLast: number;
  /** Whether the warning still sends. */
  open: boolean;
  speed: number;
  retry: Rules['retry'];
};

export async function readFailed(sql: Sql, deliveryIds: readonly number[]): Promise<FailedDelivery[]> {
  return sql.query<FailedDelivery>(
    `select l.id as "deliveryId", known.receipts, w.speed, w.rules->'retry' as retry,
       w.status = 'open' and w.expires_at > clock_timestamp() as open,
       greatest(
         (select max(attempt) from deliveries where id = l.id),
         (select max(attempt) from retries where delivery_id = l.id),
         -- Taken out of the retries and not settled yet.
         (select max(a.attempt) from pages g, unnest(g.delivery_ids, g.attempts) as a (id, attempt)
          where g.cell_id = p.cell_id and g.ended_at is null and a.id = l.id), 0)::int as "attemptLast"
     from unnest($1::bigint[], $2::bigint[]) as l (id, page_id)
     join pages p on p.id = l.page_id join warnings w on w.id = p.warning_id
     cross join lateral (
       select json_agg(json_build_object('attempt', attempt, 'state', state, 'reason', class) order by at) as receipts
       from receipts where delivery_id = l.id) known`,
    [deliveryIds, deliveryIds.map(pageOf)],
    'read-failed-deliveries',
  );
}

/** Marks deliveries as given up; gives those that were not before. */
export async function insertExhaustions(sql: Sql, deliveryIds: readonly number[]): Promise<Set<number>> {
  const rows = await sql.query<{ id: number }>(
    `insert into receipt_exhaustions (delivery_id) select * from unnest($1::bigint[]) order by 1
     on conflict do nothing returning delivery_id as id`,
    [deliveryIds],
    'insert-exhaustions',
  );
  return new Set(rows.map((row) => row.id));
}

/** Units told by the message of another of the person's posts: what becomes of that one has become of theirs. */
export async function findMerged(
  sql: Sql,
  places: readonly DeliveryPlace[],
): Promise<{ warningId: number; unitId: number; step: number }[]> {
  return sql.query(
    `select d.warning_id as "warningId", d.unit_id as "unitId", d.step
     from unnest($1::int[], $2::bigint[], $3::text[], $4::int[], $5::text[]) as l (warning_id, person_id, purpose, step, channel)
     cross join lateral (
       select unit_id from posts p where p.person_id = l.person_id
       union select unit_id from duties d where d.person_id = l.person_id) o
     join deliveries d on d.warning_id = l.warning_id and d.unit_id = o.unit_id and d.recipient_id = l.person_id
       and d.audience = 'people' and d.purpose = l.purpose and d.step = l.step and d.channel = l.channel
       and d.outcome = 'merged'
     group by d.warning_id, d.unit_id, d.step, d.id`,
    [
      places.map((place) => place.warningId),
      places.map((place) => place.recipientId),
      places.map((place) => place.purpose),
      places.map((place) => place.step),
      places.map((place) => place.channel),
    ],
    'find-merged',
  );
}

/** A delivery that arrived or failed after all, or is made again, and may carry the messages of the person's other posts. */
export type ReopenedKey = DeliveryPlace & { outcome: 'handed off' | 'failed' | null };

/**
 * Writes what became of keyed messages where the person's other deliveries look: `failed`, or nothing yet, so that the delivery's
 * next attempt is not taken for a second message.
 */
export async function reopenKeys(sql: Sql, places: readonly ReopenedKey[]): Promise<void> {
  if (places.length === 0) return;
  await sql.query(
    `update message_keys k set outcome = l.outcome, at = null
     from unnest($1::bigint[], $2::int[], $3::int[], $4::text[], $5::int[], $6::text[], $7::bigint[], $8::text[])
       as l (delivery_id, warning_id, revision, purpose, step, channel, person_id, outcome)
     where k.warning_id = l.warning_id and k.revision = l.revision and k.purpose = l.purpose and k.step = l.step
       and k.channel = l.channel and k.person_id = l.person_id and k.delivery_id = l.delivery_id`,
    [
      places.map((place) => place.deliveryId),
      places.map((place) => place.warningId),
      places.map((place) => place.revision),
      places.map((place) => place.purpose),
      places.map((place) => place.step),
      places.map((place) => place.channel),
      places.map((place) => place.recipientId),
      places.map((place) => place.outcome),
    ],
    'reopen-keys',
  );
}

/** Asks for another attempt of each; cells that have closed ask for none. Each cell hears when to look at its clock. */
export async function insertReceiptRetries(
  sql: Sql,
  retries: readonly { place: DeliveryPlace; attempt: number; afterMs: number }[],
): Promise<void> {
  if (retries.length === 0) return;
  await sql.query(
    `with asked as (
       select r.*, clock_timestamp() + r.after_ms * interval '1 millisecond' as due_at
       from unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[], $5::int[], $6::bigint[], $7::float8[])
         as r (delivery_id, attempt, cell_id, page_id, unit_id, recipient_id, after_ms)),
     locked as (
       -- In the order of ids, so that two of these never wait for each other.
       select id from cells where id = any($3::bigint[]) and status = 'open' order by id for no key update),
     hastened as (
       update cells c set next_deadline = least(c.next_deadline, (select min(due_at) from asked where cell_id = c.id))
       where c.id in (select id from locked) returning c.id)
     insert into retries (delivery_id, attempt, cell_id, page_id, unit_id, recipient_id, due_at)
     select delivery_id, attempt, cell_id, page_id, unit_id, recipient_id, due_at from asked
     where cell_id in (select id from hastened)
     on conflict do nothing`,
    [
      retries.map((retry) => retry.place.deliveryId),
      retries.map((retry) => retry.attempt),
      retries.map((retry) => retry.place.cellId),
      retries.map((retry) => retry.place.pageId),
      retries.map((retry) => retry.place.unitId),
      retries.map((retry) => retry.place.recipientId),
      retries.map((retry) => retry.afterMs),
    ],
    'insert-receipt-retries',
  );
}

/**
 * Withdraws attempts that a receipt asked for and that another has made needless: the message has arrived. One that follows an
 * unknown outcome stays, for it settles what its unit was told. Gives their deliveries.
 */
export async function withdrawRetries(sql: Sql, deliveryIds: readonly number[]): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `delete from retries r where r.delivery_id = any($1)
       and exists (select from receipts f where f.delivery_id = r.delivery_id and f.attempt = r.attempt - 1
         and f.state in ('undelivered', 'failed'))
       and not exists (select from deliveries d where d.id = r.delivery_id and d.attempt = r.attempt - 1
         and d.outcome = 'unknown')
     returning r.delivery_id as id`,
    [deliveryIds],
    'withdraw-retries',
  );
  return rows.map((row) => row.id);
}

/** What receipts said of addresses: a fault, or, where it is null, that the message arrived. */
export async function markAddresses(
  sql: Sql,
  marks: readonly {
    place: Pick<DeliveryPlace, 'audience' | 'recipientId' | 'channel'>;
    fault: AddressFault | null;
  }[],
): Promise<void> {
  const parameters = (audience: Audience) => {
    // Once each, and in the order of ids, so that two of these never wait for each other; a fault counts more than a proof.
    const own = marks.filter(({ place }) => place.audience === audience);
    const once = new Map(
      own
        .sort((one, other) => Number(one.fault !== null) - Number(other.fault !== null))
        .map((mark) => [`${mark.place.recipientId} ${mark.place.channel}`, mark]),
    );
    const sorted = [...once.values()].sort((one, other) => one.place.recipientId - other.place.recipientId);
    return [
      sorted.map(({ place }) => place.recipientId),
      sorted.map(({ place }) => place.channel),
      sorted.map(({ fault }) => fault),
    ];
  };
  const set = `fault = coalesce(m.fault, a.fault),
    fault_at = case when m.fault is null then a.fault_at else clock_timestamp() end,
    proven_at = case when m.fault is null then clock_timestamp() else a.proven_at end`;
  const rows = 'unnest($1::bigint[], $2::text[], $3::text[]) as m (id, channel, fault)';
  // A proof is written once an hour: each message of a city's warning would write another.
  const news = `(m.fault is not null or a.proven_at is null or a.proven_at < clock_timestamp() - interval '1 hour')`;
  const people = parameters('people');
  if (people[0]?.length)
    await sql.query(
      `update person_channels a set ${set} from ${rows} where a.person_id = m.id and a.channel = m.channel and ${news}`,
      people,
      'mark-people',
    );
  const households = parameters('households');
  if (households[0]?.length)
    await sql.query(
      `update households a set ${set} from ${rows} where a.id = m.id and a.channel = m.channel and ${news}`,
      households,
      'mark-households',
    );
}
