/** Deliveries one by one, as an operator looks for them: the last attempt of each, dead letters, and what tries them again. */
import type { Audience } from '../domain/store.ts';
import type { Outcome } from '../domain/delivery.ts';
import type { Purpose } from '../domain/guard.ts';
import { joinJson, jsonTexts, type Sql } from './database.ts';

export type DeliveryRow = {
  deliveryId: number;
  attempt: number;
  cellId: number;
  pageId: number;
  unitId: number;
  /** The path of names from the top. */
  path: string[];
  code: string | null;
  audience: Audience;
  recipientId: number;
  recipient: string;
  channel: string;
  /** As it is now; null where the recipient no longer has this channel. */
  address: string | null;
  /** What is wrong with the address now. */
  fault: string | null;
  purpose: Purpose;
  step: number;
  outcome: Outcome;
  reason: string | null;
  sender: string | null;
  /** What the provider reported last, with its code. */
  receipt: string | null;
  receiptCode: string | null;
  possibleDuplicate: boolean;
  at: number;
  /** Another attempt waits, or is being made. */
  underWay: boolean;
  /** The unit, or the household itself, has answered, and nothing since says that it cannot be done. */
  answered: boolean;
};

/**
 * `failed`: no message, and no further attempt. `unknown`: it may have arrived. A provider that reports a failure after it had
 * taken the message counts as well.
 */
export type DeliveryKind = 'all' | 'failed' | 'unknown';

const KINDS: Readonly<Record<DeliveryKind, string>> = {
  all: 'true',
  failed: `(l.outcome in ('failed', 'later') or r.state in ('failed', 'undelivered')) and not f.under_way`,
  unknown: `l.outcome = 'unknown' and not f.under_way`,
};

/** The last attempts of a warning's deliveries, newest first. */
export async function readDeliveries(
  sql: Sql,
  input: {
    warningId: number;
    unitId: number | null;
    deliveryId: number | null;
    kind: DeliveryKind;
    most: number;
  },
): Promise<DeliveryRow[]> {
  return sql.query<DeliveryRow>(
    `with last as (
       select distinct on (id) * from deliveries
       where warning_id = $1 and ($2::int is null or unit_id = $2) and ($3::bigint is null or id = $3)
       order by id, attempt desc)
     select l.id as "deliveryId", l.attempt, l.cell_id as "cellId", l.page_id as "pageId", l.unit_id as "unitId", u.code,
       array(select a.name from unnest(u.path) with ordinality as step (id, place) join units a on a.id = step.id
             order by step.place) as path,
       l.audience, l.recipient_id as "recipientId", coalesce(p.name, h.name, '') as recipient, l.channel,
       coalesce(c.address, case when h.channel = l.channel then h.address end) as address,
       coalesce(c.fault, h.fault) as fault, l.purpose, l.step, l.outcome, l.reason, l.sender, r.state as receipt,
       r.code as "receiptCode", l.possible_duplicate as "possibleDuplicate",
       floor(extract(epoch from l.at) * 1000)::float8 as at, f.under_way as "underWay",
       coalesce(said.kind <> 'cannot act', false) as answered
     from last l join units u on u.id = l.unit_id
     left join people p on l.audience = 'people' and p.id = l.recipient_id
     left join person_channels c on c.person_id = p.id and c.channel = l.channel
     left join households h on l.audience = 'households' and h.id = l.recipient_id
     left join lateral (
       select state, code from receipts x where x.delivery_id = l.id and x.attempt = l.attempt
       order by x.at desc limit 1) r on true
     cross join lateral (
       select exists (select from retries t where t.delivery_id = l.id)
         or exists (select from pages g where g.cell_id = l.cell_id and g.ended_at is null and l.id = any(g.delivery_ids))
         as under_way) f
     left join lateral (
       select kind from answers a where a.warning_id = $1 and a.unit_id = l.unit_id
         and case l.audience when 'people' then a.household_id is null else a.household_id = l.recipient_id end
       order by a.at desc, a.kind = 'cannot act' desc limit 1) said on true
     where ${KINDS[input.kind]}
     order by l.at desc, l.id desc limit $4`,
    [input.warningId, input.unitId, input.deliveryId, input.most],
  );
}

/**
 * Puts one more attempt of each delivery before its cell, due now. The key by which people of several posts get one message is
 * free for it: else it would be merged into the attempt that failed.
 */
export async function putRetries(sql: Sql, deliveries: readonly DeliveryRow[]): Promise<void> {
  const ids = deliveries.map(({ deliveryId }) => deliveryId);
  await sql.query(
    `insert into retries (delivery_id, attempt, cell_id, page_id, unit_id, recipient_id, due_at)
     select d.id, d.attempt + 1, d.cell_id, d.page_id, d.unit_id, d.recipient_id, clock_timestamp()
     from deliveries d join unnest($1::bigint[], $2::smallint[]) as t (id, attempt) on t.id = d.id and t.attempt = d.attempt
     on conflict do nothing`,
    [ids, deliveries.map(({ attempt }) => attempt)],
  );
  await sql.query('update message_keys set outcome = null, at = null where delivery_id = any($1)', [ids]);
  await hastenCells(sql, [...new Set(deliveries.map(({ cellId }) => cellId))]);
}

/** A letter on which the machine threw, put aside. */
export type DeadLetter = {
  letterId: number;
  cellId: number;
  unitId: number | null;
  path: string[];
  code: string | null;
  /** What the letter says: `answered`, `handed off` … */
  kind: string;
  reason: string;
  at: number;
  /** Its unit has ended with its warning. */
  ended: boolean;
};

/** Dead letters of a warning, newest first. */
export async function readDeadLetters(
  sql: Sql,
  input: { warningId: number; unitId: number | null; letterId: number | null; most: number },
): Promise<DeadLetter[]> {
  return sql.query<DeadLetter>(
    `select d.id as "letterId", d.cell_id as "cellId", d.unit_id as "unitId", u.code, d.body->>'kind' as kind, d.reason,
       array(select a.name from unnest(u.path) with ordinality as step (id, place) join units a on a.id = step.id
             order by step.place) as path,
       floor(extract(epoch from d.at) * 1000)::float8 as at, coalesce(s.ended is not null, false) as ended
     from dead_letters d join cells c on c.id = d.cell_id left join units u on u.id = d.unit_id
     left join unit_states s on s.warning_id = c.warning_id and s.unit_id = d.unit_id
     where c.warning_id = $1 and ($2::int is null or d.unit_id = $2) and ($3::bigint is null or d.id = $3)
     order by d.id desc limit $4`,
    [input.warningId, input.unitId, input.letterId, input.most],
  );
}

/** Puts a dead letter back before its cell, and takes the flag from its unit where no other letter of it lies aside. */
export async function putBackLetter(sql: Sql, letterId: number, priority: number): Promise<void> {
  const [letter] = await sql.query<{ cell_id: number; unit_id: number | null }>(
    `with back as (delete from dead_letters where id = $1 returning cell_id, unit_id, body)
     insert into inbox (cell_id, unit_id, priority, body) select cell_id, unit_id, $2, body from back
     returning cell_id, unit_id`,
    [letterId, priority],
  );
  if (!letter) return;
  // When it is due next is written by the step that takes the letter.
  await sql.query(
    `update unit_states set faulty = false where cell_id = $1 and unit_id = $2
       and not exists (select from dead_letters where cell_id = $1 and unit_id = $2)`,
    [letter.cell_id, letter.unit_id],
  );
}

/** Writes into each cell's audit what an operator had done again, and why. */
export async function auditRetry(
  sql: Sql,
  entries: readonly { cellId: number; body: unknown }[],
): Promise<void> {
  await sql.query(
    `insert into audit (cell_id, at, body)
     select t.cell_id, clock_timestamp(), t.body from unnest($1::bigint[], ${jsonTexts('$2')}) as t (cell_id, body)`,
    [entries.map(({ cellId }) => cellId), joinJson(entries.map(({ body }) => body))],
  );
}

async function hastenCells(sql: Sql, cellIds: readonly number[]): Promise<void> {
  await sql.query(
    'update cells set next_deadline = least(next_deadline, clock_timestamp()) where id = any($1)',
    [cellIds],
  );
}
