/** The page's port over the memory database: what db/claims.ts, db/recipients.ts and db/settlements.ts do. */
import { guard } from '../../domain/guard.ts';
import type {
  Claimed,
  ClaimedDelivery,
  ClaimedSlice,
  PageHead,
  PageStore,
  SettledSlice,
} from '../../domain/store.ts';
import type { Process } from './connection.ts';
import {
  deliveryKey,
  type ClaimRow,
  type MemoryDatabase,
  type PageRow,
  type Transaction,
} from './memory-database.ts';
import { cellLetterPriority, newLetter } from './memory-step-store.ts';

const DIGEST_NAMES_MAX = 6;

export function memoryPageStore(db: MemoryDatabase, process: Process): PageStore {
  return {
    claim: (pageId, input) => db.transaction(process, 'claim', (tx) => claim(db, tx, pageId, input)),
    abandoned: (pageId) => db.transaction(process, 'abandoned', (tx) => abandoned(db, tx, pageId)),
    settle: (slice) => db.transaction(process, 'settle', (tx) => settle(db, tx, slice)),
  };
}

async function claim(
  db: MemoryDatabase,
  tx: Transaction,
  pageId: number,
  input: { most: number; leaseMs: number },
): Promise<Claimed> {
  await tx.statement();
  await tx.lock(`page ${pageId}`);
  const page = db.pages.get(pageId);
  if (!page || page.endedAt !== null) return { kind: 'ended' };
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

async function abandoned(db: MemoryDatabase, tx: Transaction, pageId: number): Promise<ClaimedSlice[]> {
  await tx.statement();
  const rows = (db.claims.get(pageId) ?? []).filter(
    (row) => row.settledAt === null && row.leaseUntil < db.now,
  );
  if (rows.length === 0) return [];
  await tx.lock(`page ${pageId}`);
  const page = db.pages.get(pageId);
  if (!page) return [];
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
  const facts = { ...warning, retry: warning.rules.retry };
  await tx.statement();
  const answers = db.answers.slice();
  await tx.statement();
  const deliveries = members.map((member): ClaimedDelivery => {
    const beside = besideWarning(db, page, member);
    const reason = guard({
      purpose: page.purpose,
      revision: page.revision,
      warning: facts,
      now,
      recipientId: member.recipientId,
      answers: answers.filter((answer) => answer.unitId === member.unitId),
    });
    const drop = reason ?? (beside.digest?.count === 0 ? ('no-longer-needed' as const) : null);
    return { ...member, ...beside, drop, mergedInto: null };
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
    address:
      person?.addresses[page.channel] ?? (household?.channel === page.channel ? household.address : null),
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

function messageKey(page: PageHead, personId: number): string {
  return [page.revision, page.purpose, page.step, page.channel, personId].join('|');
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
      delivery.mergedInto = { outcome: winner?.outcome ?? null, at: winner?.at ?? null };
    }
  }
}

// ── settling ────────────────────────────────────────────────────────────────────────────────────────────────

async function settle(db: MemoryDatabase, tx: Transaction, settled: SettledSlice): Promise<void> {
  const { page, first, letter } = settled;
  await tx.statement();
  if (!db.sabotage.settlementUnlocked) await tx.lock(`page ${page.pageId}`);
  await tx.lock(`claim ${page.pageId} ${first}`);
  const claims = db.claims.get(page.pageId) ?? [];
  const mine = claims.find((row) => row.first === first);
  if (!mine || mine.settledAt !== null) return;
  const settledAt = db.now;
  tx.write(() => (mine.settledAt = settledAt));
  await insertOutcomes(db, tx, settled);
  await insertRetries(db, tx, settled);
  await settleKeys(db, tx, settled);
  if (letter.handedOff.length > 0 || letter.exhausted.length > 0) {
    await tx.statement();
    const row = newLetter(db, {
      cellId: page.cellId,
      unitId: null,
      priority: cellLetterPriority(letter),
      body: letter,
    });
    tx.write(() => db.inbox.set(row.id, row));
  }
  await tx.statement();
  const done = claims.filter((row) => row === mine || row.settledAt !== null);
  const size = done.reduce((sum, row) => sum + row.size, 0);
  const whole = db.pages.get(page.pageId);
  if (!whole || whole.members.length !== size) return;
  await tx.lock(`page ${page.pageId}`);
  const endedAt = db.now;
  tx.write(() => (whole.endedAt = endedAt));
}

async function insertOutcomes(db: MemoryDatabase, tx: Transaction, settled: SettledSlice): Promise<void> {
  await tx.statement();
  const { pageId, cellId, audience, purpose, step, channel } = settled.page;
  for (const settlement of settled.settlements) {
    const { deliveryId, attempt, unitId, recipientId, outcome, reason, possibleDuplicate, at } = settlement;
    const key = deliveryKey(deliveryId, attempt);
    if (db.deliveries.has(key)) throw new Error(`duplicate key: delivery ${deliveryId} attempt ${attempt}`);
    const row = {
      deliveryId,
      attempt,
      pageId,
      cellId,
      unitId,
      recipientId,
      audience,
      purpose,
      step,
      channel,
    };
    tx.write(() => {
      db.deliveries.set(key, { ...row, outcome, reason, possibleDuplicate, at, committedAt: db.now });
    });
  }
}

async function insertRetries(db: MemoryDatabase, tx: Transaction, settled: SettledSlice): Promise<void> {
  const again = settled.settlements.filter((settlement) => settlement.retryAfterMs !== null);
  if (again.length === 0) return;
  await tx.statement();
  const { pageId, cellId } = settled.page;
  for (const { deliveryId, attempt, unitId, recipientId, retryAfterMs } of again) {
    const next = attempt + 1;
    const dueAt = db.now + (retryAfterMs ?? 0);
    tx.write(() => {
      const row = { deliveryId, attempt: next, cellId, pageId, unitId, recipientId, dueAt };
      db.retries.set(deliveryKey(deliveryId, next), row);
    });
  }
  await tx.statement();
  await tx.lock(`cell ${cellId}`);
  const cell = db.cells.get(cellId);
  const soonest = db.now + Math.min(...again.map((settlement) => settlement.retryAfterMs ?? 0));
  tx.write(() => {
    if (cell) cell.nextDeadline = Math.min(cell.nextDeadline ?? Infinity, soonest);
  });
}

async function settleKeys(db: MemoryDatabase, tx: Transaction, settled: SettledSlice): Promise<void> {
  const certain = settled.settlements.filter(
    ({ keyed, retryAfterMs, outcome }) => keyed && retryAfterMs === null && outcome !== 'merged',
  );
  if (certain.length === 0) return;
  await tx.statement();
  for (const { recipientId, deliveryId, outcome: last, possibleDuplicate, at } of certain) {
    const outcome = last === 'dropped' && possibleDuplicate && !db.sabotage.keysFreed ? 'unknown' : last;
    const key = messageKey(settled.page, recipientId);
    if (db.keys.get(key)?.deliveryId !== deliveryId) continue;
    await tx.lock(`key ${key}`);
    if (db.keys.get(key)?.deliveryId === deliveryId)
      tx.write(() => db.keys.set(key, { deliveryId, outcome, at }));
  }
}
