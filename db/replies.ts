/** Answers in words: whom a number may answer for, and replies taken once each with the answers they are. */
import type { WarningKind } from '../domain/kinds.ts';
import type { Audience } from '../domain/store.ts';
import { ACTS, columns, stored, type AnswerAct } from './answers.ts';
import type { Sql } from './database.ts';
import { unitsOf } from './duties.ts';

/** A reply with what it came to; `act` is null where it is no answer to any warning. */
export type ReplyRow = { id: string; verdict: string; act: AnswerAct | null };

/** What became of a reply that was new. `units` is empty where it is no answer, or where its warning takes none any more. */
export type TakenReply = {
  id: string;
  units: string[];
  /** When it was taken, in milliseconds. */
  at: number;
  /** Whose word it is; null where it is nobody's. */
  by: string | null;
};

/**
 * Takes replies of a provider, each once by its id, with the answers they are; gives those that were new. No two of
 * `replies` may be of one person: words of one person are stored one after another.
 */
export async function takeReplies(
  sql: Sql,
  replies: readonly ReplyRow[],
  graceMs: number,
): Promise<Map<string, TakenReply>> {
  const acts = replies.flatMap(({ id, act }) => (act ? [{ id, act }] : []));
  const rows = await sql.query<{ id: string; unit: string | null; at: number; by: string | null }>(
    `with taken as (
       -- In the order of ids, so that two pushes of the same replies never wait for each other.
       insert into replies (provider_id, verdict)
       select r.id, r.verdict from unnest($13::text[], $14::text[]) as r (id, verdict) order by r.id
       on conflict do nothing returning provider_id),
     ${ACTS},
     named as (
       select acts.*, r.id from acts join unnest($15::text[]) with ordinality as r (id, act) using (act)),
     admitted as (select * from named where id in (select provider_id from taken)),
     ${stored('admitted', '$12')}
     select t.provider_id as id, c.name as unit, now.ms as at, coalesce(p.name, h.name) as by
     from now, taken t left join named n on n.id = t.provider_id
     left join concerned c using (act)
     left join people p on p.id = n.person_id
     left join households h on h.id = n.household_id
     order by c.depth, c.unit_id`,
    [
      ...columns(acts.map(({ act }) => act)),
      graceMs,
      replies.map((reply) => reply.id),
      replies.map((reply) => reply.verdict),
      acts.map(({ id }) => id),
    ],
    'take-replies',
  );
  const taken = new Map<string, TakenReply>();
  for (const { id, unit, at, by } of rows) {
    const reply = taken.get(id) ?? { id, units: [], at, by };
    if (unit !== null) reply.units.push(unit);
    taken.set(id, reply);
  }
  return taken;
}

export type ReplyCandidate = {
  address: string;
  warningId: number;
  audience: Audience;
  recipientId: number;
  language: 'zh' | 'en';
  kind: WarningKind;
  hazard: string;
  level: string;
  open: boolean;
  /** Whether a message of this warning that asks for an answer has gone out to them. */
  told: boolean;
};

/** Whom numbers may answer for: people and households of these addresses in warnings of this kind that still take answers. */
export async function findReplyCandidates(
  sql: Sql,
  addresses: readonly string[],
  kind: WarningKind,
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
       select id, issued_at, kind, hazard, level, status = 'open' and expires_at > clock_timestamp() as open from warnings
       where coalesce(ended_at, expires_at) > clock_timestamp() - $2 * interval '1 millisecond' and kind = $3)
     select c.address, w.id as "warningId", 'people' as audience, c.person_id as "recipientId", n.language, w.kind, w.hazard,
       w.level, w.open, bool_or(${told('people', 'c.person_id', 'u.id')}) as told
     from person_channels c join people n on n.id = c.person_id cross join taking w
       cross join lateral (${unitsOf('c.person_id', 'w.issued_at')}) held join units u on u.id = held.unit_id
     where c.address = any($1) and ${concerns}
     group by c.address, w.id, w.kind, w.hazard, w.level, w.open, c.person_id, n.language
     union all
     select h.address, w.id, 'households', h.id, h.language, w.kind, w.hazard, w.level, w.open, ${told('households', 'h.id', 'h.unit_id')}
     from households h join units u on u.id = h.unit_id, taking w
     where h.address = any($1) and ${concerns}
     order by 2`,
    [addresses, graceMs, kind],
    'find-reply-candidates',
  );
}

/** A number that asked for no SMS, or for SMS again, and whose state that changed. */
export type OptedAddress = { address: string; language: 'zh' | 'en' };

/**
 * Marks numbers as opted out of SMS, or lifts that mark; gives those that were not so before. Other faults of a number stay: they
 * are not its person's to lift.
 */
export async function optAddresses(
  sql: Sql,
  addresses: readonly string[],
  to: 'out' | 'in',
): Promise<OptedAddress[]> {
  if (addresses.length === 0) return [];
  const [set, where] =
    to === 'out'
      ? [`fault = 'opted-out', fault_at = clock_timestamp()`, `fault is distinct from 'opted-out'`]
      : ['fault = null, fault_at = null', `fault = 'opted-out'`];
  return sql.query<OptedAddress>(
    `with own as (
       update person_channels set ${set} where address = any($1) and channel = 'sms' and ${where} returning address, person_id),
     homes as (
       update households set ${set} where address = any($1) and channel = 'sms' and ${where} returning address, language)
     select address, min(language) as language from (
       select o.address, p.language from own o join people p on p.id = o.person_id
       union all select address, language from homes) as changed
     group by address`,
    [addresses],
    `opt-addresses-${to}`,
  );
}

/**
 * Which of some numbers something may be said to now; it is counted as said, and what no longer counts is forgotten. Each may stand
 * once. Of two statements at the same moment each may let one more through: the bound keeps machines from talking without end,
 * no more.
 */
export async function takeBacks(
  sql: Sql,
  addresses: readonly string[],
  bound: { most: number; withinMs: number },
): Promise<Set<string>> {
  if (addresses.length === 0) return new Set();
  const rows = await sql.query<{ address: string }>(
    `with since as (select clock_timestamp() - $3::float8 * interval '1 millisecond' as at),
     forgotten as (delete from reply_backs b using since where b.address = any($1) and b.at <= since.at)
     insert into reply_backs (address)
     select a.address from unnest($1::text[]) as a (address), since
     where (select count(*) from reply_backs b where b.address = a.address and b.at > since.at) < $2
     returning address`,
    [addresses, bound.most, bound.withinMs],
    'take-backs',
  );
  return new Set(rows.map((row) => row.address));
}
