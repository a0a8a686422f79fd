/**
 * Answers: the fact and the letters to the cells concerned, in one statement, so in one commit. What decides whether an
 * answer counts (tries of a link, ids of replies, the end of the grace) is decided in that same statement.
 */
import { messageOrder, type AnswerKind } from '../domain/unit.ts';
import type { Audience } from '../domain/store.ts';
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';

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

const MS = (instant: string) => `floor(extract(epoch from ${instant}) * 1000)::float8`;

/** A delivery's page, and its place there from 1. */
const pageOf = (deliveryId: number) => Math.floor(deliveryId / DELIVERY_ID_STRIDE);
const placeOf = (deliveryId: number) => (deliveryId % DELIVERY_ID_STRIDE) + 1;

/** Vouched answers are written down whenever they are heard of; the others end with their warning's grace. */
const NO_GRACE_END = null;

/** The parameters $1 to $11 as rows, one for each act. */
const ACTS = `acts as (
    select * from unnest($1::int[], $2::text[], $3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::int[],
      $9::text[], $10::text[], $11::smallint[]) with ordinality
      as t (warning_id, kind, done_count, via, delivery_id, person_id, household_id, unit_id, vouched_by, how, priority, act))`;

/**
 * Stores the acts of `admitted` for each unit concerned: a person's by the posts they held when the warning was issued.
 * `graceMs` is the parameter with the grace.
 */
function stored(admitted: string, graceMs: string): string {
  return `
  now as (select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as ms),
  concerned as (
    select a.act, a.warning_id, a.kind, a.done_count, a.via, a.delivery_id, a.person_id, a.household_id, a.vouched_by, a.how,
      a.priority, u.id as unit_id, u.name, cardinality(u.path) as depth, u.cell_unit_id
    from ${admitted} a join warnings w on w.id = a.warning_id
    cross join lateral (
      select distinct p.unit_id from posts p where p.person_id = a.person_id and p.held_from <= w.issued_at
        and (p.held_until is null or p.held_until > w.issued_at)
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
    select c.id, a.unit_id, a.priority, json_build_object(
      'kind', case when a.kind = 'cannot act' then a.kind else 'answered' end, 'answer', a.kind, 'at', now.ms)
    from concerned a join cells c on c.warning_id = a.warning_id and c.unit_id = a.cell_unit_id, now
    -- A household has no state of its own: the fact is enough. The same person saying the same again may lift what another
    -- said in between, committed or not yet: the guard counts it, so the unit must hear of it.
    where a.household_id is null)`;
}

function columns(acts: readonly AnswerAct[]): unknown[] {
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

/** Whose link it is: what its number is made from. */
export type LinkOwner = { deliveryId: number; warningId: number; audience: Audience; recipientId: number };

/**
 * The owners of some links; none for a delivery that was never planned. What was sent stands in `deliveries`, under the link's own
 * id. A page holds its thousand recipients in one value, and opening that for one of them takes 31 to 36 µs of PostgreSQL's
 * time, half of what storing the answer takes; so it is opened only for what has not been settled yet.
 */
export async function findLinkOwners(sql: Sql, deliveryIds: readonly number[]): Promise<LinkOwner[]> {
  return sql.query<LinkOwner>(
    `select l.id as "deliveryId", coalesce(d.warning_id, p.warning_id) as "warningId",
       coalesce(d.audience, p.audience) as audience, coalesce(d.recipient_id, p.recipients[l.place]) as "recipientId"
     from unnest($1::bigint[], $2::bigint[], $3::int[]) as l (id, page_id, place)
     left join lateral (
       select warning_id, audience, recipient_id from deliveries where id = l.id order by attempt limit 1) d on true
     left join pages p on d.recipient_id is null and p.id = l.page_id and p.size >= l.place
     where coalesce(d.warning_id, p.warning_id) is not null`,
    [deliveryIds, deliveryIds.map(pageOf), deliveryIds.map(placeOf)],
    'find-link-owners',
  );
}

/** What stands on the page after an answer. */
export type RecordedLink = Pick<
  LinkRow,
  'warningId' | 'kind' | 'hazard' | 'level' | 'issuer' | 'endsAt' | 'language' | 'units'
> & {
  /** When this answer was recorded. */
  at: number;
  /** What they had said first, before this answer. */
  firstAt: number | null;
  firstKind: AnswerKind | null;
};

/** What became of the answer through a link: `closed` after too many wrong numbers, `too late` where the warning takes none now. */
export type LinkRecord = ({ outcome: 'recorded' } & RecordedLink) | { outcome: 'closed' | 'too late' };

type RecordRow = Omit<RecordedLink, 'units'> & { act: number; tries: number; unit: string | null };

/**
 * Stores answers through links whose number was right, all in one commit; gives what became of each, in their order. A wrong
 * number of one of the links that is being counted is waited for, and if it was the last one allowed the answer is refused. Links
 * without wrong numbers have no row here, so the many lock nothing.
 */
export async function storeLinkAnswers(
  sql: Sql,
  acts: readonly AnswerAct[],
  limits: { triesMax: number; graceMs: number },
): Promise<LinkRecord[]> {
  const rows = await sql.query<RecordRow>(
    `with ${ACTS},
     tried as (
       -- In the order of ids, so that two of these never wait for each other.
       select delivery_id, tries from answer_tries where delivery_id = any($5::bigint[]) order by delivery_id for share),
     admitted as (
       select acts.* from acts left join tried using (delivery_id) where coalesce(tried.tries, 0) < $13),
     ${stored('admitted', '$12')}
     select acts.act, coalesce(tried.tries, 0) as tries, w.id as "warningId", w.kind, w.hazard, w.level, w.issuer,
       ${MS('coalesce(w.ended_at, w.expires_at)')} as "endsAt", coalesce(p.language, h.language, 'zh') as language,
       c.name as unit, now.ms as at, ${MS('said.at')} as "firstAt", said.kind as "firstKind"
     from now, acts join warnings w on w.id = acts.warning_id
     left join tried using (delivery_id)
     left join concerned c using (act)
     left join people p on p.id = acts.person_id
     left join households h on h.id = acts.household_id
     left join lateral (
       select a.at, a.kind from answers a where a.warning_id = c.warning_id and a.unit_id = c.unit_id
         and (a.person_id = c.person_id or a.household_id = c.household_id)
       order by a.at, a.id limit 1) said on true
     order by acts.act, c.depth, c.unit_id`,
    [...columns(acts), limits.graceMs, limits.triesMax],
    'store-link-answers',
  );
  const records = acts.map((): LinkRecord => ({ outcome: 'too late' }));
  for (const { act, tries, unit, ...row } of rows) {
    const record = records[act - 1];
    if (tries >= limits.triesMax) records[act - 1] = { outcome: 'closed' };
    else if (unit !== null && record) records[act - 1] = withUnit(record, row, unit);
  }
  return records;
}

/** One more unit of the same answer; of what they said before, the first. */
function withUnit(record: LinkRecord, row: Omit<RecordedLink, 'units'>, unit: string): LinkRecord {
  if (record.outcome !== 'recorded') return { outcome: 'recorded', ...row, units: [unit] };
  const earlier = row.firstAt !== null && (record.firstAt === null || row.firstAt < record.firstAt);
  const { firstAt, firstKind } = earlier ? row : record;
  return { ...record, firstAt, firstKind, units: [...record.units, unit] };
}

/**
 * Counts a wrong number of a link; gives how many there are now, null where the link was closed before or takes no answers any
 * more. One at a time for each link: of many at once no more than `triesMax` are counted.
 */
export async function countWrongNumber(
  sql: Sql,
  link: LinkOwner,
  limits: { triesMax: number; graceMs: number },
): Promise<number | null> {
  const [row] = await sql.query<{ tries: number }>(
    `insert into answer_tries as t (delivery_id, tries)
     select $1, 1 from warnings w where w.id = $2
       and clock_timestamp() <= coalesce(w.ended_at, w.expires_at) + $4::float8 * interval '1 millisecond'
     on conflict (delivery_id) do update set tries = t.tries + 1 where t.tries < $3
     returning t.tries`,
    [link.deliveryId, link.warningId, limits.triesMax, limits.graceMs],
    'count-wrong-number',
  );
  return row?.tries ?? null;
}

/** A reply with what it came to; `act` is null where it is no answer to any warning. */
export type ReplyRow = { id: string; verdict: string; act: AnswerAct | null };

/**
 * Takes replies of a gateway, each once by its id, with the answers they are; gives the ids that were new. No two of
 * `replies` may be of one person: words of one person are stored one after another.
 */
export async function takeReplies(
  sql: Sql,
  replies: readonly ReplyRow[],
  graceMs: number,
): Promise<Set<string>> {
  const acts = replies.flatMap(({ id, act }) => (act ? [{ id, act }] : []));
  const rows = await sql.query<{ id: string }>(
    `with taken as (
       -- In the order of ids, so that two pushes of the same replies never wait for each other.
       insert into replies (provider_id, verdict)
       select r.id, r.verdict from unnest($13::text[], $14::text[]) as r (id, verdict) order by r.id
       on conflict do nothing returning provider_id),
     ${ACTS},
     admitted as (
       select acts.* from acts join unnest($15::text[]) with ordinality as r (id, act) using (act)
       where r.id in (select provider_id from taken)),
     ${stored('admitted', '$12')}
     select provider_id as id from taken`,
    [
      ...columns(acts.map(({ act }) => act)),
      graceMs,
      replies.map((reply) => reply.id),
      replies.map((reply) => reply.verdict),
      acts.map(({ id }) => id),
    ],
    'take-replies',
  );
  return new Set(rows.map((row) => row.id));
}

/** A link's delivery: whose it is, the warning's words, and what its recipient has said so far. Instants in milliseconds. */
export type LinkRow = {
  warningId: number;
  audience: Audience;
  recipientId: number;
  language: 'zh' | 'en';
  /** The recipient's units in this warning, the highest first. */
  units: string[];
  kind: 'exercise' | 'actual';
  hazard: string;
  level: string;
  issuer: string;
  textZh: string;
  textEn: string;
  status: 'open' | 'cancelled' | 'expired';
  endsAt: number;
  now: number;
  /** Wrong numbers entered so far. */
  tries: number;
  firstAt: number | null;
  firstKind: AnswerKind | null;
  lastAt: number | null;
  lastKind: AnswerKind | null;
  lastCount: number | null;
};

/** What a link shows; null where there is no such delivery. Every part is found by an index: answers of a city are many. */
export async function findLink(sql: Sql, deliveryId: number): Promise<LinkRow | null> {
  const [row] = await sql.query<LinkRow>(
    `with d as (
       select w.id as warning_id, p.audience, p.recipients[$2] as recipient_id, w.issued_at, w.kind, w.hazard, w.level,
         w.issuer, w.text_zh, w.text_en, w.status, coalesce(w.ended_at, w.expires_at) as ends_at
       from pages p join warnings w on w.id = p.warning_id where p.id = $1 and p.size >= $2),
     held as (
       select p.unit_id from d join posts p on d.audience = 'people' and p.person_id = d.recipient_id
         and p.held_from <= d.issued_at and (p.held_until is null or p.held_until > d.issued_at)
       union select h.unit_id from d join households h on d.audience = 'households' and h.id = d.recipient_id),
     said as (
       select a.id, a.at, a.kind, a.done_count from d join answers a on a.warning_id = d.warning_id
         and a.unit_id = any(array(select unit_id from held))
         and case d.audience when 'people' then a.person_id else a.household_id end = d.recipient_id)
     select d.warning_id as "warningId", d.audience, d.recipient_id as "recipientId", d.kind, d.hazard, d.level, d.issuer,
       d.text_zh as "textZh", d.text_en as "textEn", d.status, ${MS('d.ends_at')} as "endsAt",
       ${MS('clock_timestamp()')} as now,
       coalesce(case d.audience when 'people' then (select language from people where id = d.recipient_id)
         else (select language from households where id = d.recipient_id) end, 'zh') as language,
       array(select u.name from held h join units u on u.id = h.unit_id
         where exists (select from warning_areas x join units au on au.id = x.unit_id
           where x.warning_id = d.warning_id and (x.unit_id = any(u.path) or u.id = any(au.path)))
         order by cardinality(u.path), u.id) as units,
       coalesce((select tries from answer_tries where delivery_id = $3), 0) as tries,
       ${MS('first.at')} as "firstAt", first.kind as "firstKind",
       ${MS('last.at')} as "lastAt", last.kind as "lastKind", last.done_count as "lastCount"
     from d
     left join lateral (select at, kind from said order by at, id limit 1) first on true
     left join lateral (select at, kind, done_count from said order by at desc, id desc limit 1) last on true`,
    [pageOf(deliveryId), placeOf(deliveryId), deliveryId],
    'find-link',
  );
  return row ?? null;
}

export type ReplyCandidate = {
  address: string;
  warningId: number;
  audience: Audience;
  recipientId: number;
  open: boolean;
  /** Whether a message of this warning that asks for an answer has gone out to them. */
  told: boolean;
};

/** Whom numbers may answer for: people and households of these addresses in warnings that still take answers. */
export async function findReplyCandidates(
  sql: Sql,
  addresses: readonly string[],
  graceMs: number,
): Promise<ReplyCandidate[]> {
  // A scalar subquery, because PostgreSQL answers `exists` from a hash of all deliveries: 10.8 ms a push instead of 0.2.
  const told = (audience: Audience, recipient: string, unit: string) => `(
    select true from deliveries d where d.warning_id = w.id and d.unit_id = ${unit} and d.recipient_id = ${recipient}
      and d.audience = '${audience}' and d.purpose in ('rung', 'bridge notice', 'household')
      and d.outcome in ('handed off', 'merged', 'unknown') limit 1) is true`;
  const concerns = `exists (select from warning_areas a join units au on au.id = a.unit_id
    where a.warning_id = w.id and (a.unit_id = any(u.path) or u.id = any(au.path)))`;
  return sql.query<ReplyCandidate>(
    `with taking as (
       select id, issued_at, status = 'open' and expires_at > clock_timestamp() as open from warnings
       where coalesce(ended_at, expires_at) > clock_timestamp() - $2 * interval '1 millisecond')
     select c.address, w.id as "warningId", 'people' as audience, c.person_id as "recipientId", w.open,
       bool_or(${told('people', 'c.person_id', 'p.unit_id')}) as told
     from person_channels c join posts p on p.person_id = c.person_id join units u on u.id = p.unit_id, taking w
     where c.address = any($1) and p.held_from <= w.issued_at and (p.held_until is null or p.held_until > w.issued_at)
       and ${concerns}
     group by c.address, w.id, c.person_id, w.open
     union all
     select h.address, w.id, 'households', h.id, w.open, ${told('households', 'h.id', 'h.unit_id')}
     from households h join units u on u.id = h.unit_id, taking w
     where h.address = any($1) and ${concerns}`,
    [addresses, graceMs],
    'find-reply-candidates',
  );
}

/** True where a statement failed for a value in it (SQLSTATE 22, 23): without that value it would not. */
export function isDataFault(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^2[23]/.test(code);
}
