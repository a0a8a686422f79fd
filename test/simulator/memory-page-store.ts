/** The page's port over the memory database: what db/claims.ts, db/recipients.ts and db/settlements.ts do. */
import { guard } from '../../domain/guard.ts';
import type { WarningKind } from '../../domain/kinds.ts';
import type { Claimed, ClaimedDelivery, ClaimedSlice, PageHead, PageStore } from '../../domain/store.ts';
import type { Process } from './connection.ts';
import type { MemoryDatabase, Transaction } from './memory-database.ts';
import { messageKey, settle } from './memory-settle.ts';
import { addressKey, DELIVERY_ID_STRIDE, deliveryKey, type ClaimRow, type PageRow } from './memory-tables.ts';

const DIGEST_NAMES_MAX = 6;

export function memoryPageStore(db: MemoryDatabase, process: Process): PageStore {
  return {
    claim: (pageId, input) => db.transaction(process, 'claim', (tx) => claim(db, tx, pageId, input)),
    abandoned: (pageId, serves) =>
      db.transaction(process, 'abandoned', (tx) => abandoned(db, tx, pageId, serves)),
    settle: (slice) => db.transaction(process, 'settle', (tx) => settle(db, tx, slice)),
  };
}

async function claim(
  db: MemoryDatabase,
  tx: Transaction,
  pageId: number,
  input: { serves: WarningKind; most: number; leaseMs: number },
): Promise<Claimed> {
  await tx.statement();
  await tx.lock(`page ${pageId}`);
  const page = db.pages.get(pageId);
  if (!page || page.endedAt !== null) return { kind: 'ended' };
  if (db.warning?.kind !== input.serves) return { kind: 'misdirected' };
  await tx.statement();
  const claims = db.claims.get(pageId) ?? [];
  const running = claims.filter((row) => row.settledAt === null);
  const first = Math.max(0, ...claims.map((row) => row.first + row.size));
  if (first >= page.members.length) {
    const [leased] = running;
    if (db.sabotage.leaseIgnored && leased) return slice(db, tx, page, leased, true);
    const waitMs = running.length > 0 ? Math.min(...running.map((row) => row.leaseUntil)) - db.now : 0;
    return { kind: 'wait', waitMs: Math.max(0, Math.ceil(waitMs)) };
  }
  const size = Math.min(input.most, page.members.length - first);
  await tx.statement();
  const row: ClaimRow = {
    pageId,
    first,
    size,
    leaseUntil: db.now + input.leaseMs,
    claimedAt: db.now,
    settledAt: null,
  };
  tx.write(() => db.claims.get(pageId)?.push(row));
  return slice(db, tx, page, row, true);
}

async function slice(
  db: MemoryDatabase,
  tx: Transaction,
  page: PageRow,
  row: ClaimRow,
  takeKeys: boolean,
): Promise<Claimed & { kind: 'slice' }> {
  return { kind: 'slice', slice: await readSlice(db, tx, page, row, takeKeys) };
}

async function abandoned(
  db: MemoryDatabase,
  tx: Transaction,
  pageId: number,
  serves: WarningKind,
): Promise<ClaimedSlice[]> {
  await tx.statement();
  const rows = (db.claims.get(pageId) ?? []).filter(
    (row) => row.settledAt === null && row.leaseUntil < db.now,
  );
  if (rows.length === 0) return [];
  await tx.lock(`page ${pageId}`);
  const page = db.pages.get(pageId);
  if (!page || db.warning?.kind !== serves) return [];
  const slices: ClaimedSlice[] = [];
  for (const row of rows) slices.push(await readSlice(db, tx, page, row, false));
  return slices;
}

async function readSlice(
  db: MemoryDatabase,
  tx: Transaction,
  page: PageRow,
  row: ClaimRow,
  takeKeys: boolean,
): Promise<ClaimedSlice> {
  await tx.statement();
  const members = page.members
    .slice(row.first, row.first + row.size)
    .map((member) => readMember(db, page, member));
  await tx.statement();
  const { warning, now } = db;
  if (!warning) throw new RangeError('the warning is not there');
  // As the statement saw it: the warning may change before the next one.
  const facts = { ...warning, endTextZh: null, endTextEn: null, retry: warning.rules.retry, throttle: null };
  await tx.statement();
  const answers = db.answers.slice();
  await tx.statement();
  const deliveries = members.map((member): ClaimedDelivery => {
    const beside = besideWarning(db, page, member);
    const reason = guard({
      purpose: page.purpose,
      warning: facts,
      now,
      recipientId: member.recipientId,
      answers: answers.filter((answer) => answer.unitId === member.unitId),
    });
    const drop = reason ?? (beside.digest?.count === 0 ? ('no-longer-needed' as const) : null);
    return {
      ...member,
      ...beside,
      doors: null,
      heardOf: null,
      throttledMs: 0,
      companions: [],
      toldBefore: null,
      carried: false,
      earlierAt: null,
      givenUp: false,
      drop,
      mergedInto: null,
    };
  });
  const head = pageHead(db, page);
  if (takeKeys) await takeMessageKeys(db, tx, head, deliveries);
  return { page: head, first: row.first, now, warning: facts, deliveries };
}

function pageHead(db: MemoryDatabase, page: PageRow): PageHead {
  const { pageId, cellId, revision, purpose, step, channel, audience } = page;
  return {
    pageId,
    cellId,
    warningId: db.warning?.warningId ?? 0,
    revision,
    purpose,
    step,
    channel,
    audience,
  };
}

function readMember(db: MemoryDatabase, page: PageRow, member: PageRow['members'][number]) {
  const { world } = db;
  const person = page.audience === 'people' ? world.person(member.recipientId) : undefined;
  const household = page.audience === 'households' ? world.household(member.recipientId) : undefined;
  return {
    deliveryId: member.deliveryId,
    attempt: member.attempt,
    unitId: member.unitId,
    recipientId: member.recipientId,
    address: db.faulty.has(addressKey(page.audience, member.recipientId, page.channel))
      ? null
      : (person?.addresses[page.channel] ?? (household?.channel === page.channel ? household.address : null)),
    language: (person ?? household)?.language ?? 'zh',
    synthetic: (person ?? household)?.synthetic ?? true,
    possibleDuplicate: member.again && unknownBefore(db, member),
    keyed: page.audience === 'people' && world.postsOf(member.recipientId).length > 1,
  };
}

function unknownBefore(
  db: MemoryDatabase,
  { deliveryId, attempt }: { deliveryId: number; attempt: number },
): boolean {
  for (let earlier = 1; earlier < attempt; earlier += 1)
    if (db.deliveries.get(deliveryKey(deliveryId, earlier))?.outcome === 'unknown') return true;
  return false;
}

function besideWarning(
  db: MemoryDatabase,
  page: PageRow,
  member: { unitId: number; recipientId: number; keyed: boolean },
) {
  const { world } = db;
  const name = (unitId: number | null) => (unitId === null ? '' : (world.unit(unitId)?.name ?? ''));
  const posts = member.keyed
    ? [...new Set(world.postsOf(member.recipientId))]
        .filter((unitId) => world.inScope(unitId))
        .sort((one, other) => world.depth(one) - world.depth(other) || one - other)
        .map(name)
    : [];
  const reportsTo = db.units.get(member.unitId)?.state.reportsTo ?? null;
  const silent = name(world.unit(member.unitId)?.parentId ?? null);
  return {
    units: posts.length > 0 ? posts : [name(member.unitId)],
    bridge: reportsTo === null ? null : { silent, reportsTo: name(reportsTo) },
    digest: page.purpose === 'digest' ? readDigest(db, member.unitId, name) : null,
    report: page.purpose === 'end report' ? readReport(db, member.unitId) : null,
  };
}

function readDigest(db: MemoryDatabase, unitId: number, name: (unitId: number) => string) {
  const silent = [...db.units.values()]
    .map((row) => row.state)
    .filter((state) => (state.reportsTo ?? state.superiorId) === unitId && state.status !== 'answered')
    .filter((state) => state.silentAt !== null || state.cannotActAt !== null)
    .sort((one, other) => (one.silentAt ?? Infinity) - (other.silentAt ?? Infinity));
  return {
    count: silent.length,
    names: silent.slice(0, DIGEST_NAMES_MAX).map((state) => name(state.unitId)),
  };
}

function readReport(db: MemoryDatabase, unitId: number) {
  const below = [...db.units.values()]
    .map((row) => row.state)
    .filter((state) => state.unitId !== unitId && db.world.unit(state.unitId)?.path.includes(unitId));
  return {
    units: below.length,
    answered: below.filter((state) => state.status === 'answered').length,
    silent: below.filter((state) => state.status !== 'answered' && state.silentAt !== null).length,
  };
}

async function takeMessageKeys(
  db: MemoryDatabase,
  tx: Transaction,
  page: PageHead,
  deliveries: ClaimedDelivery[],
): Promise<void> {
  if (page.purpose !== 'rung' && page.purpose !== 'cancel notice') return;
  const goes = deliveries
    .filter((delivery) => delivery.drop === null && delivery.keyed)
    .sort((one, other) => one.recipientId - other.recipientId);
  const own = new Map<string, number>();
  for (const delivery of goes) {
    const key = messageKey(page, delivery.recipientId);
    await tx.statement();
    await tx.lock(`key ${key}`);
    const known = db.keys.get(key);
    const holder = own.get(key) ?? (known?.outcome === 'dropped' ? undefined : known?.deliveryId);
    if (holder === undefined || (holder === delivery.deliveryId && (known?.outcome ?? null) === null)) {
      own.set(key, delivery.deliveryId);
      tx.write(() => db.keys.set(key, { deliveryId: delivery.deliveryId, outcome: null, at: null }));
    } else {
      await tx.statement();
      const winner = own.has(key) ? undefined : db.keys.get(key);
      const plannedAt = db.pages.get(Math.floor(delivery.deliveryId / DELIVERY_ID_STRIDE))?.writtenAt ?? 0;
      const at = winner?.at == null ? null : Math.max(winner.at, plannedAt);
      delivery.mergedInto = { outcome: winner?.outcome ?? null, at };
    }
  }
}
