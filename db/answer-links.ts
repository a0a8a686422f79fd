/** Answers through links: whose a link is, what it shows, the answers themselves and the wrong numbers. */
import type { Purpose } from '../domain/guard.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { WarningStatus } from '../domain/revisions.ts';
import type { Audience } from '../domain/store.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { ACTS, columns, MS, stored, type AnswerAct } from './answers.ts';
import { newestOf } from './chains.ts';
import type { Sql } from './database.ts';
import { unitsOf } from './duties.ts';
import { pageOf, placeOf } from './pages.ts';

/**
 * Whose link it is: what its number is made from. An answer through it counts for the newest warning of its chain, which the page
 * shows; for its own where that does not concern its owner.
 */
export type LinkOwner = {
  deliveryId: number;
  warningId: number;
  newestId: number;
  audience: Audience;
  recipientId: number;
};

/**
 * The owners of some links; none for a delivery that was never planned. What was sent stands in `deliveries`, under the link's own
 * id. A page holds its thousand recipients in one value, and opening that for one of them takes 31 to 36 µs of PostgreSQL's
 * time, half of what storing the answer takes; so it is opened only for what has not been settled yet. With `kind` only those of
 * warnings of that kind.
 */
export async function findLinkOwners(
  sql: Sql,
  deliveryIds: readonly number[],
  kind: WarningKind | null = null,
): Promise<LinkOwner[]> {
  return sql.query<LinkOwner>(
    `select l.id as "deliveryId", coalesce(d.warning_id, p.warning_id) as "warningId",
       ${newestOf('coalesce(d.warning_id, p.warning_id)')} as "newestId",
       coalesce(d.audience, p.audience) as audience, coalesce(d.recipient_id, p.recipients[l.place]) as "recipientId"
     from unnest($1::bigint[], $2::bigint[], $3::int[]) as l (id, page_id, place)
     left join lateral (
       select warning_id, audience, recipient_id from deliveries where id = l.id order by attempt limit 1) d on true
     left join pages p on d.recipient_id is null and p.id = l.page_id and p.size >= l.place
     where coalesce(d.warning_id, p.warning_id) is not null
       and ($4::text is null or (select kind from warnings where id = coalesce(d.warning_id, p.warning_id)) = $4)`,
    [deliveryIds, deliveryIds.map(pageOf), deliveryIds.map(placeOf), kind],
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
    [link.deliveryId, link.newestId, limits.triesMax, limits.graceMs],
    'count-wrong-number',
  );
  return row?.tries ?? null;
}

/**
 * Wrong numbers of a link so far, held until the transaction ends, so that none is counted meanwhile; null where its warning takes
 * nothing any more.
 */
export async function holdTries(sql: Sql, link: LinkOwner, graceMs: number): Promise<number | null> {
  const [row] = await sql.query<{ tries: number }>(
    `with tried as (select tries from answer_tries where delivery_id = $1 for share)
     select coalesce((select tries from tried), 0) as tries from warnings w where w.id = $2
       and clock_timestamp() <= coalesce(w.ended_at, w.expires_at) + $3::float8 * interval '1 millisecond'`,
    [link.deliveryId, link.newestId, graceMs],
    'hold-tries',
  );
  return row?.tries ?? null;
}

/** A link's delivery: whose it is, the warning's words, and what its recipient has said so far. Instants in milliseconds. */
export type LinkRow = {
  deliveryId: number;
  purpose: Purpose;
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
  status: WarningStatus;
  endsAt: number;
  now: number;
  /** Wrong numbers entered so far. */
  tries: number;
  /** An official's units have others below them; there are other open warnings for this person. Both say where to look further. */
  hasBelow: boolean;
  hasOthers: boolean;
  firstAt: number | null;
  firstKind: AnswerKind | null;
  lastAt: number | null;
  lastKind: AnswerKind | null;
  lastCount: number | null;
};

/**
 * What a link shows: the newest warning of its chain, or its own where that one does not concern its owner, or `own` is asked for; null
 * where there is no such delivery. Every part is found by an index: answers of a city are many.
 */
export async function findLink(
  sql: Sql,
  deliveryId: number,
  show: 'newest' | 'own' = 'newest',
): Promise<LinkRow | null> {
  const [row] = await sql.query<LinkRow & { isOwn: boolean }>(
    `with d as (
       select w.id as warning_id, w.id = p.warning_id as is_own, p.purpose, p.audience, p.recipients[$2] as recipient_id, w.issued_at, w.kind, w.hazard,
         w.level, w.issuer, w.text_zh, w.text_en, w.status, coalesce(w.ended_at, w.expires_at) as ends_at
       from pages p join warnings w on w.id = case when $4 then ${newestOf('p.warning_id')} else p.warning_id end
       where p.id = $1 and p.size >= $2),
     held as (
       select o.unit_id from d cross join lateral (${unitsOf('d.recipient_id', 'd.issued_at')}) o where d.audience = 'people'
       union select h.unit_id from d join households h on d.audience = 'households' and h.id = d.recipient_id),
     said as (
       select a.id, a.at, a.kind, a.done_count from d join answers a on a.warning_id = d.warning_id
         and a.unit_id = any(array(select unit_id from held))
         and case d.audience when 'people' then a.person_id else a.household_id end = d.recipient_id)
     select $3::bigint as "deliveryId", d.is_own as "isOwn", d.purpose, d.warning_id as "warningId", d.audience, d.recipient_id as "recipientId",
       d.kind, d.hazard, d.level, d.issuer, d.text_zh as "textZh", d.text_en as "textEn", d.status, ${MS('d.ends_at')} as "endsAt",
       ${MS('clock_timestamp()')} as now,
       coalesce(case d.audience when 'people' then (select language from people where id = d.recipient_id)
         else (select language from households where id = d.recipient_id) end, 'zh') as language,
       array(select u.name from held h join units u on u.id = h.unit_id
         where exists (select from warning_areas x join units au on au.id = x.unit_id
           where x.warning_id = d.warning_id and (x.unit_id = any(u.path) or u.id = any(au.path)))
         order by cardinality(u.path), u.id) as units,
       coalesce((select tries from answer_tries where delivery_id = $3), 0) as tries,
       d.audience = 'people' and exists (
         select from units c where c.parent_id = any(array(select unit_id from held))) as "hasBelow",
       d.audience = 'people' and exists (
         select from warnings o cross join lateral (${unitsOf('d.recipient_id', 'o.issued_at')}) own
         join units u on u.id = own.unit_id
         where o.status = 'open' and o.id <> d.warning_id and o.kind = d.kind and exists (
           select from warning_areas x join units au on au.id = x.unit_id
           where x.warning_id = o.id and (x.unit_id = any(u.path) or u.id = any(au.path)))) as "hasOthers",
       ${MS('first.at')} as "firstAt", first.kind as "firstKind",
       ${MS('last.at')} as "lastAt", last.kind as "lastKind", last.done_count as "lastCount"
     from d
     left join lateral (select at, kind from said order by at, id limit 1) first on true
     left join lateral (select at, kind, done_count from said order by at desc, id desc limit 1) last on true`,
    [pageOf(deliveryId), placeOf(deliveryId), deliveryId, show === 'newest'],
    'find-link',
  );
  if (!row) return null;
  const { isOwn, ...link } = row;
  return isOwn || link.units.length > 0 ? link : findLink(sql, deliveryId, 'own');
}
