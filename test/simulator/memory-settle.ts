/** Settling a slice in the memory database, as db/settlements.ts does it. */
import { classOf } from '../../domain/results.ts';
import { notAfter, type PageHead, type SettledSlice } from '../../domain/store.ts';
import type { MemoryDatabase, Transaction } from './memory-database.ts';
import { newLetter } from './memory-letters.ts';
import { addressKey, cellLetterPriority, deliveryKey, type ClaimRow } from './memory-tables.ts';

export async function settle(db: MemoryDatabase, tx: Transaction, sent: SettledSlice): Promise<void> {
  const { page, first } = sent;
  await tx.statement();
  if (!db.sabotage.settlementUnlocked) await tx.lock(`page ${page.pageId}`);
  await tx.lock(`claim ${page.pageId} ${first}`);
  const claims = db.claims.get(page.pageId) ?? [];
  const mine = claims.find((row) => row.first === first);
  if (!mine || mine.settledAt !== null) return;
  const settledAt = db.now;
  tx.write(() => (mine.settledAt = settledAt));
  const settled = notAfter(sent, settledAt);
  const { letter } = settled;
  await insertOutcomes(db, tx, settled);
  await insertRetries(db, tx, settled);
  await settleKeys(db, tx, settled);
  await markFaultyAddresses(db, tx, settled);
  const ended = await endPage(db, tx, page.pageId, mine);
  if (!ended && letter.handedOff.length === 0 && letter.exhausted.length === 0) return;
  await tx.statement();
  const row = newLetter(db, {
    cellId: page.cellId,
    unitId: null,
    priority: cellLetterPriority(letter),
    body: letter,
  });
  tx.write(() => db.inbox.set(row.id, row));
}

async function endPage(
  db: MemoryDatabase,
  tx: Transaction,
  pageId: number,
  mine: ClaimRow,
): Promise<boolean> {
  await tx.statement();
  const done = (db.claims.get(pageId) ?? []).filter((row) => row === mine || row.settledAt !== null);
  const size = done.reduce((sum, row) => sum + row.size, 0);
  const whole = db.pages.get(pageId);
  if (!whole || whole.members.length !== size) return false;
  await tx.lock(`page ${pageId}`);
  const endedAt = db.now;
  tx.write(() => (whole.endedAt = endedAt));
  return true;
}

async function insertOutcomes(db: MemoryDatabase, tx: Transaction, settled: SettledSlice): Promise<void> {
  await tx.statement();
  const { pageId, cellId, audience, purpose, step, channel } = settled.page;
  for (const settlement of settled.settlements) {
    const { deliveryId, attempt, unitId, recipientId, outcome, reason, possibleDuplicate, at } = settlement;
    const key = deliveryKey(deliveryId, attempt);
    if (db.deliveries.has(key)) continue;
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

async function markFaultyAddresses(
  db: MemoryDatabase,
  tx: Transaction,
  settled: SettledSlice,
): Promise<void> {
  const { audience, channel } = settled.page;
  const faulty = settled.settlements.filter(({ reason }) => classOf(reason ?? '')?.address !== undefined);
  if (faulty.length === 0) return;
  await tx.statement();
  for (const recipientId of [...new Set(faulty.map((one) => one.recipientId))].sort((a, b) => a - b)) {
    const key = addressKey(audience, recipientId, channel);
    await tx.lock(`address ${key}`);
    tx.write(() => db.faulty.add(key));
  }
}

/** One message per person, revision, rung and channel. */
export function messageKey(page: PageHead, personId: number): string {
  return [page.revision, page.purpose, page.step, page.channel, personId].join('|');
}
