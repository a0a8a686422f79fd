/**
 * Claims: the right to send a slice of a page until a lease runs out. The page's row is locked while a slice is chosen, so
 * that any number of workers may send one page, and a page may be run twice.
 */
import { guard, type AnswerFact, type Purpose } from '../domain/guard.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { WarningStatus } from '../domain/revisions.ts';
import type { Channel, Rules } from '../domain/rules.ts';
import type { Audience, Claimed, ClaimedDelivery, ClaimedSlice, PageHead } from '../domain/store.ts';
import { chainSendsForMs, findInLaterScope, readTold, toldKey, type Told } from './chains.ts';
import type { Database, Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import { noteMisdirected } from './kinds.ts';
import { findTakenAlong, readCompanions, takeCompanions } from './combined.ts';
import { hasSeveralUnits } from './duties.ts';
import { YIELDS } from './live-first.ts';
import { PAUSED } from './pauses.ts';
import { readMessageFacts, takeMessageKeys, type Member } from './recipients.ts';

type PageRow = {
  id: number;
  cell_id: number;
  warning_id: number;
  kind: WarningKind;
  revision: number;
  purpose: Purpose;
  step: number;
  channel: Channel;
  audience: Audience;
  size: number;
  ended: boolean;
};

/**
 * While everything is paused, open pages look again so often, at the warning's own speed: each look is a few events of a workflow's
 * history.
 */
const PAUSED_LOOK_MS = 5_000;
const PAUSED_LOOK_MS_LEAST = 250;

/** A slice of a superseded warning is settled long before its lease ends; who waits for it looks again so often. */
const CHAIN_LOOK_MS = 250;

/** Claims the next free slice; see `PageStore.claim`. */
export async function claimSlice(
  database: Database,
  pageId: number,
  input: { serves: WarningKind; most: number; leaseMs: number; closedForMs?: number },
): Promise<Claimed> {
  return database.transaction(async (sql) => {
    const page = await lockPage(sql, pageId);
    if (!page || page.ended) return { kind: 'ended' };
    if (page.kind !== input.serves) {
      const { warning_id: warningId, kind } = page;
      await noteMisdirected(sql, { what: 'page', subject: pageId, warningId, kind, served: input.serves });
      return { kind: 'misdirected' };
    }
    const [taken] = await sql.query<{ next: number; wait_ms: number | null; paused: boolean }>(
      `select coalesce(max(first + size), 0)::int as next,
         (extract(epoch from min(lease_until) filter (where settled_at is null) - clock_timestamp()) * 1000)::float8
           as wait_ms, ${PAUSED} or ($2 and ${YIELDS}) as paused
       from claims where page_id = $1`,
      [pageId, page.kind === 'exercise'],
      'claims-taken',
    );
    if (taken?.paused) return { kind: 'wait', waitMs: await pausedLookMs(sql, page.warning_id) };
    const chainMs = page.revision > 1 ? await chainSendsForMs(sql, page.cell_id) : null;
    if (chainMs !== null) return { kind: 'wait', waitMs: Math.min(CHAIN_LOOK_MS, Math.max(0, chainMs)) };
    const { closedForMs = 0 } = input;
    if (closedForMs > 0 && (await stillSends(sql, page.warning_id)))
      return { kind: 'wait', waitMs: closedForMs };
    const first = taken?.next ?? 0;
    if (first >= page.size) return { kind: 'wait', waitMs: Math.max(0, Math.ceil(taken?.wait_ms ?? 0)) };
    const size = Math.min(input.most, page.size - first);
    await sql.query(
      `insert into claims (page_id, first, size, lease_until)
       values ($1, $2, $3, clock_timestamp() + $4 * interval '1 millisecond')`,
      [pageId, first, size, input.leaseMs],
      'insert-claim',
    );
    return { kind: 'slice', slice: await readSlice(sql, page, first, size, { takeKeys: true }) };
  });
}

async function pausedLookMs(sql: Sql, warningId: number): Promise<number> {
  const [row] = await sql.query<{ speed: number }>('select speed from warnings where id = $1', [warningId]);
  return Math.max(PAUSED_LOOK_MS_LEAST, PAUSED_LOOK_MS / (row?.speed ?? 1));
}

/** Of a warning that has ended, pages are claimed whatever the channel does: the guard drops what is left. */
async function stillSends(sql: Sql, warningId: number): Promise<boolean> {
  const rows = await sql.query(
    `select from warnings where id = $1 and status = 'open' and expires_at > clock_timestamp()`,
    [warningId],
    'still-sends',
  );
  return rows.length > 0;
}

/** The slices of a page whose lease ran out unsettled. */
export async function abandonedSlices(
  database: Database,
  pageId: number,
  serves: WarningKind,
): Promise<ClaimedSlice[]> {
  return database.transaction(async (sql) => {
    const rows = await sql.query<{ first: number; size: number }>(
      `select first, size from claims
       where page_id = $1 and settled_at is null and lease_until < clock_timestamp() order by first`,
      [pageId],
      'abandoned-slices',
    );
    if (rows.length === 0) return [];
    const page = await lockPage(sql, pageId);
    if (!page || page.kind !== serves) return [];
    const slices: ClaimedSlice[] = [];
    for (const row of rows) slices.push(await readSlice(sql, page, row.first, row.size, { takeKeys: false }));
    return slices;
  });
}

async function lockPage(sql: Sql, pageId: number): Promise<PageRow | null> {
  const [page] = await sql.query<PageRow>(
    `select id, cell_id, warning_id, (select kind from warnings where id = pages.warning_id) as kind, revision, purpose, step,
       channel, audience, size, ended_at is not null as ended
     from pages where id = $1 for no key update`,
    [pageId],
    'lock-page',
  );
  return page ?? null;
}

async function readSlice(
  sql: Sql,
  page: PageRow,
  first: number,
  size: number,
  options: { takeKeys: boolean },
): Promise<ClaimedSlice> {
  const members = await readMembers(sql, page, first, size);
  const { now, others, ...warning } = await readWarning(sql, page.warning_id);
  const answers = await readAnswers(sql, page.warning_id, members);
  const head = pageHead(page);
  const facts = await readMessageFacts(sql, head, members, warning.issuedAt);
  const chain = await readChainFacts(sql, head, warning.status, members);
  const dropped = members.map((member, index) => {
    const reason = guard({
      purpose: page.purpose,
      warning,
      now,
      recipientId: member.recipientId,
      answers: answers.get(member.unitId) ?? [],
      needless: chain.needless(member),
    });
    const { digest, doors } = facts[index] ?? {};
    return reason ?? ((digest ?? doors)?.count === 0 ? ('no-longer-needed' as const) : null);
  });
  const goes = members.filter((member, index) => dropped[index] === null && member.keyed);
  const throttled = await readThrottled(sql, page, members, warning.throttle);
  const keys = options.takeKeys ? await takeMessageKeys(sql, head, goes) : new Map<number, null>();
  const rest = members.filter((member, index) => dropped[index] === null && !member.keyed);
  const combined = others && options.takeKeys ? await combine(sql, head, rest) : NOTHING_COMBINED;
  const deliveries = members.map((member, index): ClaimedDelivery => ({
    ...member,
    bridge: null,
    digest: null,
    report: null,
    doors: null,
    throttledMs: throttled.get(member.recipientId) ?? 0,
    ...facts[index],
    units: facts[index]?.units ?? [],
    toldBefore: chain.told.get(toldKey(member.unitId, member.recipientId)) ?? null,
    carried:
      page.audience === 'households' &&
      (answers.get(member.unitId) ?? []).some(
        (answer) => answer.householdId === member.recipientId && answer.carried === true,
      ),
    drop: dropped[index] ?? null,
    companions: combined.companions.get(member.deliveryId) ?? [],
    mergedInto: keys.get(member.deliveryId) ?? combined.along.get(member.deliveryId) ?? null,
  }));
  return { page: head, first, now, warning, deliveries };
}

/** What only the earlier warnings of a chain know of the members; nothing is asked where there are none. */
async function readChainFacts(sql: Sql, page: PageHead, status: WarningStatus, members: readonly Member[]) {
  const told = page.revision > 1 ? await readTold(sql, page, members) : new Map<string, Told>();
  const later =
    page.purpose === 'cancel notice' && status === 'superseded'
      ? await findInLaterScope(
          sql,
          page.warningId,
          members.map(({ unitId }) => unitId),
        )
      : new Set<number>();
  const needless = ({ unitId, recipientId }: Member) =>
    page.purpose === 'change notice'
      ? told.get(toldKey(unitId, recipientId))?.here !== true
      : later.has(unitId);
  return { told, needless };
}

type Combined = {
  along: Awaited<ReturnType<typeof findTakenAlong>>;
  companions: Awaited<ReturnType<typeof readCompanions>>;
};

const NOTHING_COMBINED: Combined = { along: new Map(), companions: new Map() };

/** While several warnings are open: what goes along with another's message, and what others go along with. */
async function combine(sql: Sql, page: PageHead, members: readonly Member[]): Promise<Combined> {
  const ids = members.map((member) => member.deliveryId);
  if (page.audience !== 'people' || page.purpose !== 'rung') return NOTHING_COMBINED;
  const along = await findTakenAlong(sql, ids);
  const goes = members.filter((member) => !along.has(member.deliveryId));
  await takeCompanions(sql, page, goes);
  return { along, companions: await readCompanions(sql, ids) };
}

function pageHead(page: PageRow): PageHead {
  return {
    pageId: page.id,
    cellId: page.cell_id,
    warningId: page.warning_id,
    revision: page.revision,
    purpose: page.purpose,
    step: page.step,
    channel: page.channel,
    audience: page.audience,
  };
}

async function readMembers(sql: Sql, page: PageRow, first: number, size: number): Promise<Member[]> {
  const recipient =
    page.audience === 'people'
      ? `left join people r on r.id = m.recipient_id
         left join person_channels a on a.person_id = m.recipient_id and a.channel = $5`
      : `left join households r on r.id = m.recipient_id
         left join lateral (select r.address, r.fault where r.channel = $5) a on true`;
  const rows = await sql.query<{
    delivery_id: number;
    attempt: number;
    unit_id: number;
    recipient_id: number;
    address: string | null;
    language: 'zh' | 'en' | null;
    synthetic: boolean | null;
    possible_duplicate: boolean;
    heard_of: ClaimedDelivery['heardOf'];
    earlier_at: number | null;
    given_up: boolean;
    other_ids: string[] | null;
    keyed: boolean;
  }>(
    `select coalesce(m.delivery_id, $1::bigint * $4 + $2 + m.place - 1) as delivery_id, coalesce(m.attempt, 1) as attempt,
       m.unit_id, m.recipient_id, case when a.fault is null then a.address end as address, r.language, r.synthetic,
       m.delivery_id is not null and (
         select true from deliveries d where d.id = m.delivery_id and d.outcome = 'unknown' limit 1) is true
         as possible_duplicate,
       -- Only for a repeated attempt: what its provider has reported of an earlier one.
       case when m.delivery_id is not null then (
         select json_build_object('providerId', r.provider_id, 'sender', r.sender) from receipts r
         where r.delivery_id = m.delivery_id and r.attempt < m.attempt
           and r.state not in ('undelivered', 'failed') limit 1) end as heard_of,
       m.delivery_id is not null and exists (
         select from receipt_exhaustions x where x.delivery_id = m.delivery_id) as given_up,
       case when m.delivery_id is not null then (
         select extract(epoch from max(d.at)) * 1000 from deliveries d where d.id = m.delivery_id) end::float8 as earlier_at,
       case when m.delivery_id is not null then (
         select array_agg(d.provider_id) from deliveries d
         where d.warning_id = $6 and d.unit_id = m.unit_id and d.recipient_id = m.recipient_id and d.channel = $5
           and d.id <> m.delivery_id and d.provider_id is not null) end as other_ids,
       ${page.audience === 'people' ? hasSeveralUnits('m.recipient_id') : 'false'}
         as keyed
     from pages g,
       unnest(g.recipients[$2 + 1 : $2 + $3], g.unit_ids[$2 + 1 : $2 + $3], g.delivery_ids[$2 + 1 : $2 + $3],
         g.attempts[$2 + 1 : $2 + $3]) with ordinality as m (recipient_id, unit_id, delivery_id, attempt, place)
       ${recipient}
     where g.id = $1 order by m.place`,
    [page.id, first, size, DELIVERY_ID_STRIDE, page.channel, page.warning_id],
    `read-members-${page.audience}`,
  );
  return rows.map((row) => ({
    deliveryId: row.delivery_id,
    attempt: row.attempt,
    unitId: row.unit_id,
    recipientId: row.recipient_id,
    address: row.address,
    language: row.language ?? 'zh',
    synthetic: row.synthetic ?? true,
    possibleDuplicate: row.possible_duplicate,
    heardOf: row.heard_of,
    earlierAt: row.earlier_at,
    givenUp: row.given_up,
    otherIds: row.other_ids,
    keyed: row.keyed,
  }));
}

/** How long until each of these people may have another message by this channel; only those who must wait are named. */
async function readThrottled(
  sql: Sql,
  page: PageRow,
  members: readonly Member[],
  throttle: Rules['throttle'] | null,
): Promise<Map<number, number>> {
  if (!throttle || page.audience !== 'people' || page.purpose === 'cancel notice') return new Map();
  const rows = await sql.query<{ recipient_id: number; wait_ms: number }>(
    // By the units, because deliveries are found by warning and unit; the window is short, and so is the list of warnings.
    `select recipient_id, wait_ms from (
       select d.recipient_id, row_number() over latest as nth,
         (extract(epoch from d.at + $6 * interval '1 millisecond' - clock_timestamp()) * 1000)::float8 as wait_ms
       from warnings w join deliveries d on d.warning_id = w.id and d.unit_id = any($1)
       where w.expires_at > clock_timestamp() - interval '1 day' and d.recipient_id = any($2) and d.audience = 'people'
         and d.channel = $3 and d.outcome = 'handed off' and d.at > clock_timestamp() - $6 * interval '1 millisecond'
         and w.kind = (select kind from warnings where id = $4)
       window latest as (partition by d.recipient_id order by d.at desc)) sent
     where nth = $5 and wait_ms > 0`,
    [
      [...new Set(members.map((member) => member.unitId))],
      [...new Set(members.map((member) => member.recipientId))],
      page.channel,
      page.warning_id,
      throttle.messages,
      throttle.withinMs,
    ],
    'read-throttled',
  );
  return new Map(rows.map((row) => [row.recipient_id, Math.ceil(row.wait_ms)]));
}

async function readWarning(sql: Sql, warningId: number) {
  const [row] = await sql.query<ClaimedSlice['warning'] & { now: number; issuedAt: number; others: boolean }>(
    `select status, revision, kind, hazard, level, issuer, text_zh as "textZh", text_en as "textEn", speed,
       coalesce(end_text_zh, case when retracted then correction_zh end) as "endTextZh",
       coalesce(end_text_en, case when retracted then correction_en end) as "endTextEn",
       rules->'retry' as retry, rules->'throttle' as throttle,
       exists (select from warnings o where o.status = 'open' and o.kind = warnings.kind and o.id <> warnings.id) as others,
       (extract(epoch from issued_at) * 1000)::float8 as "issuedAt",
       (extract(epoch from expires_at) * 1000)::float8 as "expiresAt",
       floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now
     from warnings where id = $1`,
    [warningId],
    'read-warning',
  );
  if (!row) throw new RangeError(`warning ${warningId} is not there`);
  return row;
}

/** The facts that the guard reads, by unit: what people have answered up to this moment. */
async function readAnswers(
  sql: Sql,
  warningId: number,
  members: readonly Member[],
): Promise<Map<number, AnswerFact[]>> {
  const rows = await sql.query<AnswerFact>(
    `select unit_id as "unitId", person_id as "personId", household_id as "householdId", kind,
       (extract(epoch from at) * 1000)::float8 as at, carried_from is not null as carried
     from answers where warning_id = $1 and unit_id = any($2)
       -- Somebody was at a household's door, and nobody there: that is no answer.
       and (household_id is null or how is distinct from 'nobody there')`,
    [warningId, [...new Set(members.map((member) => member.unitId))]],
    'read-answers',
  );
  const byUnit = new Map<number, AnswerFact[]>();
  for (const row of rows) {
    const known = byUnit.get(row.unitId);
    if (known) known.push(row);
    else byUnit.set(row.unitId, [row]);
  }
  return byUnit;
}
