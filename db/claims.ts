/**
 * Claims: the right to send a slice of a page until a lease runs out. The page's row is locked while a slice is chosen, so
 * that any number of workers may send one page, and a page may be run twice.
 */
import { guard, type AnswerFact, type Purpose } from '../domain/guard.ts';
import type { Channel } from '../domain/rules.ts';
import type { Audience, Claimed, ClaimedDelivery, ClaimedSlice, PageHead } from '../domain/store.ts';
import type { Database, Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';
import { readMessageFacts, takeMessageKeys, type Member } from './recipients.ts';

type PageRow = {
  id: number;
  cell_id: number;
  warning_id: number;
  revision: number;
  purpose: Purpose;
  step: number;
  channel: Channel;
  audience: Audience;
  size: number;
  ended: boolean;
};

/** Claims the next free slice; see `PageStore.claim`. */
export async function claimSlice(
  database: Database,
  pageId: number,
  input: { most: number; leaseMs: number },
): Promise<Claimed> {
  return database.transaction(async (sql) => {
    const page = await lockPage(sql, pageId);
    if (!page || page.ended) return { kind: 'ended' };
    const [taken] = await sql.query<{ next: number; wait_ms: number | null }>(
      `select coalesce(max(first + size), 0)::int as next,
         (extract(epoch from min(lease_until) filter (where settled_at is null) - clock_timestamp()) * 1000)::float8
           as wait_ms
       from claims where page_id = $1`,
      [pageId],
      'claims-taken',
    );
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

/** The slices of a page whose lease ran out unsettled. */
export async function abandonedSlices(database: Database, pageId: number): Promise<ClaimedSlice[]> {
  return database.transaction(async (sql) => {
    const rows = await sql.query<{ first: number; size: number }>(
      `select first, size from claims
       where page_id = $1 and settled_at is null and lease_until < clock_timestamp() order by first`,
      [pageId],
      'abandoned-slices',
    );
    if (rows.length === 0) return [];
    const page = await lockPage(sql, pageId);
    if (!page) return [];
    const slices: ClaimedSlice[] = [];
    for (const row of rows) slices.push(await readSlice(sql, page, row.first, row.size, { takeKeys: false }));
    return slices;
  });
}

async function lockPage(sql: Sql, pageId: number): Promise<PageRow | null> {
  const [page] = await sql.query<PageRow>(
    `select id, cell_id, warning_id, revision, purpose, step, channel, audience, size, ended_at is not null as ended
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
  const { now, ...warning } = await readWarning(sql, page.warning_id);
  const answers = await readAnswers(sql, page.warning_id, members);
  const head = pageHead(page);
  const facts = await readMessageFacts(sql, head, members, warning.issuedAt);
  const dropped = members.map((member, index) => {
    const reason = guard({
      purpose: page.purpose,
      revision: page.revision,
      warning,
      now,
      recipientId: member.recipientId,
      answers: answers.get(member.unitId) ?? [],
    });
    return reason ?? (facts[index]?.digest?.count === 0 ? ('no-longer-needed' as const) : null);
  });
  const goes = members.filter((member, index) => dropped[index] === null && member.keyed);
  const keys = options.takeKeys ? await takeMessageKeys(sql, head, goes) : new Map<number, null>();
  const deliveries = members.map((member, index): ClaimedDelivery => ({
    ...member,
    bridge: null,
    digest: null,
    report: null,
    ...facts[index],
    units: facts[index]?.units ?? [],
    drop: dropped[index] ?? null,
    mergedInto: keys.get(member.deliveryId) ?? null,
  }));
  return { page: head, first, now, warning, deliveries };
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
         left join lateral (select r.address where r.channel = $5) a on true`;
  const rows = await sql.query<{
    delivery_id: number;
    attempt: number;
    unit_id: number;
    recipient_id: number;
    address: string | null;
    language: 'zh' | 'en' | null;
    synthetic: boolean | null;
    possible_duplicate: boolean;
    keyed: boolean;
  }>(
    `select coalesce(m.delivery_id, $1::bigint * $4 + $2 + m.place - 1) as delivery_id, coalesce(m.attempt, 1) as attempt,
       m.unit_id, m.recipient_id, a.address, r.language, r.synthetic,
       m.delivery_id is not null and (
         select true from deliveries d where d.id = m.delivery_id and d.outcome = 'unknown' limit 1) is true
         as possible_duplicate,
       ${page.audience === 'people' ? '(select count(*) from posts p where p.person_id = m.recipient_id) > 1' : 'false'}
         as keyed
     from pages g,
       unnest(g.recipients[$2 + 1 : $2 + $3], g.unit_ids[$2 + 1 : $2 + $3], g.delivery_ids[$2 + 1 : $2 + $3],
         g.attempts[$2 + 1 : $2 + $3]) with ordinality as m (recipient_id, unit_id, delivery_id, attempt, place)
       ${recipient}
     where g.id = $1 order by m.place`,
    [page.id, first, size, DELIVERY_ID_STRIDE, page.channel],
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
    keyed: row.keyed,
  }));
}

async function readWarning(sql: Sql, warningId: number) {
  const [row] = await sql.query<ClaimedSlice['warning'] & { now: number; issuedAt: number }>(
    `select status, revision, kind, hazard, level, issuer, text_zh as "textZh", text_en as "textEn", speed,
       rules->'retry' as retry,
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
       (extract(epoch from at) * 1000)::float8 as at
     from answers where warning_id = $1 and unit_id = any($2)`,
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
