/**
 * Answers: the fact and the letters to the cells concerned, in one statement, so in one commit. What decides whether an
 * answer counts (tries of a link, ids of replies, the end of the grace) is decided in that same statement.
 */
import { messageOrder, type AnswerKind } from '../domain/unit.ts';
import type { Audience } from '../domain/store.ts';
import type { Sql } from './database.ts';
import { householdAnswered } from './chains.ts';
import { unitsOf } from './duties.ts';

/** What somebody said about a warning, and whose word it is: a person's, a household's, or that of who vouches for a unit. */
export type AnswerAct = {
  warningId: number;
  kind: AnswerKind;
  doneCount: number | null;
  via: 'page' | 'gateway' | 'command' | 'voice' | 'twilio' | 'desk';
  deliveryId: number | null;
  by:
    | { audience: Audience; recipientId: number }
    | { audience: 'vouched'; unitId: number; vouchedBy: string; how: string };
};

/** One unit's answer as it was recorded, in milliseconds of the database's clock. */
export type RecordedAnswer = { unitId: number; unit: string; at: number };

/** An instant in milliseconds. */
export const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

/** Vouched answers are written down whenever they are heard of; the others end with their warning's grace. */
const NO_GRACE_END = null;

/** The parameters $1 to $11 as rows, one for each act. */
export const ACTS = `acts as (
    select * from unnest($1::int[], $2::text[], $3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::int[],
      $9::text[], $10::text[], $11::smallint[]) with ordinality
      as t (warning_id, kind, done_count, via, delivery_id, person_id, household_id, unit_id, vouched_by, how, priority, act))`;

/**
 * Stores the acts of `admitted` for each unit concerned: a person's by their posts and duties, see `unitsOf`.
 * `graceMs` is the parameter with the grace.
 */
export function stored(admitted: string, graceMs: string): string {
  return `
  now as (select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as ms),
  concerned as (
    select a.act, a.warning_id, a.kind, a.done_count, a.via, a.delivery_id, a.person_id, a.household_id, a.vouched_by, a.how,
      a.priority, u.id as unit_id, u.name, cardinality(u.path) as depth, u.cell_unit_id,
      w.status = 'superseded' as superseded
    from ${admitted} a join warnings w on w.id = a.warning_id
    cross join lateral (
      (${unitsOf('a.person_id', 'w.issued_at')})
      union all select h.unit_id from households h where h.id = a.household_id
      union all select a.unit_id where a.unit_id is not null) held
    join units u on u.id = held.unit_id
    where (${graceMs}::float8 is null
        or clock_timestamp() <= coalesce(w.ended_at, w.expires_at) + ${graceMs} * interval '1 millisecond')
      and exists (select from warning_areas x join units au on au.id = x.unit_id
        where x.warning_id = a.warning_id and (x.unit_id = any(u.path) or u.id = any(au.path)))),
  facts as (
    insert into answers (warning_id, unit_id, person_id, household_id, kind, done_count, via, delivery_id, vouched_by, how, at)
    select warning_id, unit_id, person_id, household_id, kind, done_count, via, delivery_id, vouched_by, how,
      to_timestamp(now.ms / 1000) from concerned, now
  ),
  letters as (
    insert into inbox (cell_id, unit_id, priority, body)
    select c.id, case when a.household_id is null then a.unit_id end, a.priority,
      case when a.household_id is not null then ${householdAnswered('json_build_array(a.unit_id)')} else json_build_object(
        'kind', case when a.kind = 'cannot act' then a.kind else 'answered' end, 'answer', a.kind, 'at', now.ms) end
    from concerned a join cells c on c.warning_id = a.warning_id and c.unit_id = a.cell_unit_id, now
    -- A household has no state of its own: the fact is enough, unless it must be carried to another warning. The same person saying
    -- the same again may lift what another said in between, committed or not yet: the guard counts it, so the unit must hear of it.
    where a.household_id is null or a.superseded)`;
}

/** The parameters $1 to $11. */
export function columns(acts: readonly AnswerAct[]): unknown[] {
  const column = (value: (act: AnswerAct) => unknown) => acts.map(value);
  const recipient = (audience: Audience) =>
    column(({ by }) => (by.audience === audience ? by.recipientId : null));
  return [
    column((act) => act.warningId),
    column((act) => act.kind),
    column((act) => act.doneCount),
    column((act) => act.via),
    column((act) => act.deliveryId),
    recipient('people'),
    recipient('households'),
    column(({ by }) => (by.audience === 'vouched' ? by.unitId : null)),
    column(({ by }) => (by.audience === 'vouched' ? by.vouchedBy : null)),
    column(({ by }) => (by.audience === 'vouched' ? by.how : null)),
    column((act) => messageOrder(act.kind === 'cannot act' ? 'cannot act' : 'answered')),
  ];
}

/** Records an answer for one unit by somebody who vouches for it; none where the warning does not concern the unit. */
export async function storeVouchedAnswer(sql: Sql, act: AnswerAct): Promise<RecordedAnswer[]> {
  return sql.query<RecordedAnswer>(
    `with ${ACTS}, ${stored('acts', '$12')}
     select unit_id as "unitId", name as unit, now.ms as at from concerned, now`,
    [...columns([act]), NO_GRACE_END],
    'store-vouched-answer',
  );
}
