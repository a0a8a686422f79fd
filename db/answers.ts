/** Answers: the fact and the letters to the cells concerned, in one statement, so in one commit. */
import type { AnswerKind } from '../domain/unit.ts';
import { messageOrder } from '../domain/unit.ts';
import type { Audience } from '../domain/store.ts';
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';

export type AnswerAct = {
  warningId: number;
  kind: AnswerKind;
  doneCount: number | null;
  via: 'page' | 'gateway' | 'command';
  deliveryId: number | null;
};

/** The answer as it was recorded: at the first act of this person the time is the first answer's for ever. */
export type RecordedAnswer = { unitId: number; unit: string; at: number };

const UNITS_OF_PERSON = `select distinct u.id, u.name, u.cell_unit_id
  from warnings w join posts p on p.person_id = $2 and p.held_from <= w.issued_at
    and (p.held_until is null or p.held_until > w.issued_at)
  join units u on u.id = p.unit_id
  where w.id = $1 and exists (select from warning_areas a join units au on au.id = a.unit_id
    where a.warning_id = $1 and (a.unit_id = any(u.path) or u.id = any(au.path)))`;

const STORE = `
  now as (select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as ms),
  stored as (
    insert into answers (warning_id, unit_id, person_id, kind, done_count, via, delivery_id, vouched_by, how, at)
    select $1, concerned.id, $2, $3, $4, $5, $6, $7, $8, to_timestamp(now.ms / 1000) from concerned, now
    returning unit_id
  ),
  letters as (
    insert into inbox (cell_id, unit_id, priority, body)
    select c.id, concerned.id, $9, json_build_object('kind', case when $3 = 'cannot act' then $3 else 'answered' end,
      'answer', $3::text, 'at', now.ms)
    from concerned join cells c on c.warning_id = $1 and c.unit_id = concerned.cell_unit_id, now
    -- The same person saying the same again moves nothing; it is kept all the same.
    where $2::bigint is null or $3 is distinct from (
      select kind from answers where warning_id = $1 and unit_id = concerned.id and person_id = $2
      order by id desc limit 1)
    returning unit_id
  )
  select concerned.id as "unitId", concerned.name as unit, now.ms as at from stored join concerned on concerned.id = unit_id, now`;

/** Records a person's answer for each of their units in the warning, by the posts they held when it was issued. */
export async function storePersonAnswer(
  sql: Sql,
  personId: number,
  act: AnswerAct,
): Promise<RecordedAnswer[]> {
  return sql.query<RecordedAnswer>(
    `with concerned as (${UNITS_OF_PERSON}), ${STORE}`,
    values(act, personId, null, null),
    'store-person-answer',
  );
}

/** Records an answer for one unit by somebody who vouches for it, from the command line. */
export async function storeVouchedAnswer(
  sql: Sql,
  unitId: number,
  act: AnswerAct & { vouchedBy: string; how: string },
): Promise<RecordedAnswer[]> {
  return sql.query<RecordedAnswer>(
    `with concerned as (
       select u.id, u.name, u.cell_unit_id from units u where u.id = $10
         and exists (select from warning_areas a join units au on au.id = a.unit_id
           where a.warning_id = $1 and (a.unit_id = any(u.path) or u.id = any(au.path)))), ${STORE}`,
    [...values(act, null, act.vouchedBy, act.how), unitId],
    'store-vouched-answer',
  );
}

function values(
  act: AnswerAct,
  personId: number | null,
  vouchedBy: string | null,
  how: string | null,
): unknown[] {
  const order = messageOrder(act.kind === 'cannot act' ? 'cannot act' : 'answered');
  return [act.warningId, personId, act.kind, act.doneCount, act.via, act.deliveryId, vouchedBy, how, order];
}

/** Records a household's answer: it has no state of its own, the fact is enough. */
export async function storeHouseholdAnswer(
  sql: Sql,
  householdId: number,
  act: AnswerAct,
): Promise<RecordedAnswer[]> {
  return sql.query<RecordedAnswer>(
    `insert into answers (warning_id, unit_id, household_id, kind, done_count, via, delivery_id)
     select $1, h.unit_id, h.id, $3, $4, $5, $6 from households h where h.id = $2
     returning unit_id as "unitId", (select name from units where id = unit_id) as unit,
       floor(extract(epoch from at) * 1000)::float8 as at`,
    [act.warningId, householdId, act.kind, act.doneCount, act.via, act.deliveryId],
    'store-household-answer',
  );
}

export type DeliveryOwner = {
  warningId: number;
  audience: Audience;
  recipientId: number;
  unitId: number;
  purpose: string;
};

/** Whom a delivery was written for; null where there is no such delivery. */
export async function findDeliveryOwner(sql: Sql, deliveryId: number): Promise<DeliveryOwner | null> {
  const [row] = await sql.query<DeliveryOwner>(
    `select warning_id as "warningId", audience, purpose, recipients[$2] as "recipientId", unit_ids[$2] as "unitId"
     from pages where id = $1 and size >= $2`,
    [Math.floor(deliveryId / DELIVERY_ID_STRIDE), (deliveryId % DELIVERY_ID_STRIDE) + 1],
    'find-delivery-owner',
  );
  return row ?? null;
}

/** The first answer that stands for a recipient in a warning; null where there is none. */
export async function findFirstAnswer(
  sql: Sql,
  owner: Pick<DeliveryOwner, 'warningId' | 'audience' | 'recipientId'>,
): Promise<{ at: number; kind: AnswerKind } | null> {
  const whose = owner.audience === 'people' ? 'person_id' : 'household_id';
  const [row] = await sql.query<{ at: number; kind: AnswerKind }>(
    `select floor(extract(epoch from at) * 1000)::float8 as at, kind from answers
     where warning_id = $1 and ${whose} = $2 order by id limit 1`,
    [owner.warningId, owner.recipientId],
  );
  return row ?? null;
}

/** Counts a wrong number for a link; gives the number of wrong ones so far. */
export async function countWrongTry(sql: Sql, deliveryId: number): Promise<number> {
  const [row] = await sql.query<{ tries: number }>(
    `insert into answer_tries as t (delivery_id, tries) values ($1, 1)
     on conflict (delivery_id) do update set tries = t.tries + 1 returning tries`,
    [deliveryId],
  );
  return row?.tries ?? 1;
}

export async function readWrongTries(sql: Sql, deliveryId: number): Promise<number> {
  const [row] = await sql.query<{ tries: number }>('select tries from answer_tries where delivery_id = $1', [
    deliveryId,
  ]);
  return row?.tries ?? 0;
}

export type ReplyCandidate = { warningId: number; audience: Audience; recipientId: number; open: boolean };

/** Whom a number may answer for: people and households with this address in warnings that still take answers. */
export async function findReplyCandidates(
  sql: Sql,
  address: string,
  graceMs: number,
): Promise<ReplyCandidate[]> {
  return sql.query<ReplyCandidate>(
    `with taking as (
       select id, issued_at, status = 'open' and expires_at > clock_timestamp() as open from warnings
       where coalesce(ended_at, expires_at) > clock_timestamp() - $2 * interval '1 millisecond')
     select distinct w.id as "warningId", 'people' as audience, p.person_id as "recipientId", w.open
     from person_channels c join posts p on p.person_id = c.person_id join units u on u.id = p.unit_id, taking w
     where c.address = $1 and p.held_from <= w.issued_at and (p.held_until is null or p.held_until > w.issued_at)
       and exists (select from warning_areas a join units au on au.id = a.unit_id
         where a.warning_id = w.id and (a.unit_id = any(u.path) or u.id = any(au.path)))
     union all
     select w.id, 'households', h.id, w.open
     from households h join units u on u.id = h.unit_id, taking w
     where h.address = $1 and exists (select from warning_areas a where a.warning_id = w.id and a.unit_id = any(u.path))`,
    [address, graceMs],
    'find-reply-candidates',
  );
}

/** Takes a gateway's reply once; false where it was taken before. */
export async function takeReply(sql: Sql, providerId: string, verdict: string): Promise<boolean> {
  const rows = await sql.query(
    'insert into replies (provider_id, verdict) values ($1, $2) on conflict do nothing returning provider_id',
    [providerId, verdict],
  );
  return rows.length > 0;
}
