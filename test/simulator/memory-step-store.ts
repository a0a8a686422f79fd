/** The step's port over the memory database: what db/step-store.ts does, statement by statement. */
import type { Letter } from '../../domain/cascade.ts';
import { groupPages, isFirstWord } from '../../domain/pages.ts';
import type { Ending } from '../../domain/revisions.ts';
import { CHANNELS, type Channel } from '../../domain/rules.ts';
import type {
  CellLeft,
  CellRest,
  InboxLetter,
  LockedCell,
  PlannedPage,
  StepStore,
  StepTransaction,
  TierCount,
} from '../../domain/store.ts';
import { messageOrder, newUnit, nextDeadline, type UnitId, type UnitState } from '../../domain/unit.ts';
import type { Process } from './connection.ts';
import type { MemoryDatabase, Transaction } from './memory-database.ts';
import { cellOf, newLetter } from './memory-letters.ts';
import {
  DELIVERY_ID_STRIDE,
  addressKey,
  deliveryKey,
  type CellRow,
  type InboxRow,
  type PageRow,
  type RetryRow,
  type UnitRow,
  type WarningRow,
} from './memory-tables.ts';

export function memoryStepStore(db: MemoryDatabase, process: Process): StepStore {
  return {
    step: (cellId, work) =>
      db.transaction(process, 'step', async (tx) => {
        await tx.statement();
        await tx.lock(`cell ${cellId}`);
        await tx.statement();
        const cell = db.cells.get(cellId);
        const { warning } = db;
        if (!cell || !warning) return null;
        const { warningId, kind, revision, status, issuedAt, expiresAt, rules } = warning;
        const locked: LockedCell = {
          cellId,
          rootUnitId: cell.unitId,
          status: cell.status,
          noticesWritten: cell.noticesWritten,
          answering: [],
          now: db.now,
          warning: { warningId, kind, revision, status, issuedAt, expiresAt, rules },
        };
        return work(locked, new MemoryStep(db, tx, cell, locked));
      }),
  };
}

/** Outcomes of messages that left, or may have. */
const POSSIBLY_TOLD: ReadonlySet<string> = new Set(['handed off', 'unknown', 'merged']);

class MemoryStep implements StepTransaction {
  private readonly db: MemoryDatabase;
  private readonly tx: Transaction;
  private readonly cell: CellRow;
  private readonly locked: LockedCell;
  private readonly taken = new Set<number>();
  private readonly put: InboxRow[] = [];
  private readonly saved = new Map<UnitId, UnitRow>();
  private readonly written: PageRow[] = [];
  private readonly retried = new Set<RetryRow>();

  constructor(db: MemoryDatabase, tx: Transaction, cell: CellRow, locked: LockedCell) {
    this.db = db;
    this.tx = tx;
    this.cell = cell;
    this.locked = locked;
  }

  async noteMisdirected(): Promise<void> {
    await this.tx.statement();
  }

  async takeInbox(most: number): Promise<InboxLetter[]> {
    await this.tx.statement();
    const { db, cell } = this;
    const cursor = db.sabotage.inboxByCursor ? (db.cursors.get(cell.cellId) ?? 0) : 0;
    const rows = this.mail()
      .filter((row) => row.id > cursor)
      .sort((one, other) => one.priority - other.priority || one.id - other.id)
      .slice(0, most)
      .sort((one, other) => one.id - other.id);
    for (const row of rows) this.taken.add(row.id);
    this.tx.write(() => {
      for (const row of rows) db.inbox.delete(row.id);
      db.cursors.set(cell.cellId, Math.max(cursor, ...rows.map((row) => row.id)));
    });
    return rows.map(({ unitId, body }) => ({ unitId, body }) as InboxLetter);
  }

  async putLetters(letters: readonly Letter[]): Promise<void> {
    if (letters.length === 0) return;
    await this.tx.statement();
    const { db } = this;
    for (const { unitId, message } of letters) {
      const cellId = cellOf(db, unitId);
      if (cellId === null) continue;
      const row = newLetter(db, { cellId, unitId, priority: messageOrder(message.kind), body: message });
      this.put.push(row);
      this.tx.write(() => db.inbox.set(row.id, row));
    }
  }

  async loadUnits(unitIds: readonly UnitId[]): Promise<UnitState[]> {
    await this.tx.statement();
    return unitIds.flatMap((unitId) => {
      const row = this.unit(unitId);
      if (row) return row.cellId === this.cell.cellId ? [row.state] : [];
      const unit = this.db.world.unit(unitId);
      if (!unit || unit.cellUnitId !== this.cell.unitId || !this.db.world.inScope(unitId)) return [];
      const subordinates = this.db.world.subordinates(unitId).length;
      return [newUnit({ unitId, tier: unit.tier, superiorId: unit.parentId, subordinates })];
    });
  }

  async saveUnits(units: readonly UnitState[]): Promise<void> {
    if (units.length === 0) return;
    await this.tx.statement();
    const { db, cell, locked } = this;
    for (const state of units) {
      const row = { cellId: cell.cellId, state, nextAt: nextDeadline(state), faulty: false };
      this.saved.set(state.unitId, row);
      this.tx.write(() => {
        const before = db.units.get(state.unitId);
        row.faulty ||= before?.faulty ?? false;
        db.units.set(state.unitId, row);
        db.watch?.unitsSaved(before?.state ?? null, state, locked.now);
      });
    }
  }

  async loadSubordinates(unitIds: readonly UnitId[]): Promise<Map<UnitId, UnitId[]>> {
    await this.tx.statement();
    return new Map(unitIds.map((unitId) => [unitId, this.db.world.subordinates(unitId)]));
  }

  async dueUnits(most: number): Promise<UnitId[]> {
    await this.tx.statement();
    const waiting = new Set(this.mail().map((row) => row.unitId));
    if (waiting.has(null)) return [];
    return this.unitRows()
      .filter((row) => row.nextAt !== null && row.nextAt <= this.locked.now && !waiting.has(row.state.unitId))
      .sort((one, other) => (one.nextAt ?? 0) - (other.nextAt ?? 0))
      .slice(0, most)
      .map((row) => row.state.unitId);
  }

  /** Nobody's answer goes through a web process here that could be away. */
  async intakeOutages() {
    await this.tx.statement();
    return [];
  }

  async unendedUnits(most: number): Promise<UnitId[]> {
    await this.tx.statement();
    return this.unitRows()
      .filter((row) => row.state.ended === null)
      .slice(0, most)
      .map((row) => row.state.unitId);
  }

  async findReachable(
    sends: readonly { unitId: UnitId; rankFrom: number; rankTo: number; channels: readonly Channel[] }[],
  ) {
    await this.tx.statement();
    return sends.flatMap((send, index) =>
      this.db.world.holders(send.unitId, send.rankFrom, send.rankTo).flatMap((person) =>
        CHANNELS.filter((channel) => person.addresses[channel] !== undefined)
          .filter((channel) => !this.db.faulty.has(addressKey('people', person.personId, channel)))
          .filter((channel) => send.channels.includes(channel))
          .sort()
          .map((channel) => ({ index, unitId: send.unitId, personId: person.personId, channel })),
      ),
    );
  }

  async findHouseholds(unitIds: readonly UnitId[], channels: readonly Channel[]) {
    if (unitIds.length === 0) return [];
    await this.tx.statement();
    return this.db.world.households
      .filter(({ unitId, channel }) => unitIds.includes(unitId) && channels.includes(channel))
      .filter(
        ({ householdId, channel }) => !this.db.faulty.has(addressKey('households', householdId, channel)),
      )
      .map(({ householdId, unitId, channel }) => ({ householdId, unitId, channel }));
  }

  async writePages(pages: readonly PlannedPage[]): Promise<void> {
    const { db, cell, locked } = this;
    for (const { purpose, step, channel, audience, deliveries } of pages) {
      await this.tx.statement();
      const pageId = ++db.counters.page;
      const members = deliveries.map(({ unitId, recipientId, again }, place) => ({
        unitId,
        recipientId,
        deliveryId: again?.deliveryId ?? pageId * DELIVERY_ID_STRIDE + place,
        attempt: again?.attempt ?? 1,
        again: again !== undefined,
      }));
      const head = { pageId, cellId: cell.cellId, revision: locked.warning.revision };
      const page = { ...head, purpose, step, channel, audience, members, writtenAt: db.now, endedAt: null };
      this.written.push(page);
      this.tx.write(() => {
        db.pages.set(pageId, page);
        db.claims.set(pageId, []);
        db.watch?.pageWritten(page);
      });
    }
  }

  async takeRetries(which: 'due' | 'all', most: number): Promise<PlannedPage[]> {
    await this.tx.statement();
    const { db } = this;
    const rows = this.retries()
      .filter((row) => which === 'all' || row.dueAt <= this.locked.now)
      .sort((one, other) => one.dueAt - other.dueAt)
      .slice(0, most)
      .sort((one, other) => one.deliveryId - other.deliveryId);
    for (const row of rows) this.retried.add(row);
    this.tx.write(() => {
      for (const row of rows) db.retries.delete(deliveryKey(row.deliveryId, row.attempt));
    });
    return groupPages(
      rows.map(({ deliveryId, attempt, unitId, recipientId, pageId }) => {
        const { purpose, step, channel, audience } = db.pages.get(pageId) as PageRow;
        const delivery = { unitId, recipientId, again: { deliveryId, attempt } };
        return { purpose, step, channel, audience, delivery };
      }),
    );
  }

  async findPossiblyTold(): Promise<PlannedPage[]> {
    await this.tx.statement();
    const told = new Map<
      string,
      {
        recipientId: number;
        audience: PageRow['audience'];
        channel: Channel;
        unitId: number;
      }
    >();
    for (const row of this.db.deliveries.values()) {
      if (row.cellId !== this.cell.cellId || row.purpose === 'cancel notice') continue;
      if (!POSSIBLY_TOLD.has(row.outcome)) continue;
      if (this.db.warning?.status === 'superseded' && this.db.world.keptByUpdate(row.unitId)) continue;
      const key = `${row.recipientId} ${row.audience} ${row.channel}`;
      const unitId = Math.min(told.get(key)?.unitId ?? Infinity, row.unitId);
      told.set(key, { recipientId: row.recipientId, audience: row.audience, channel: row.channel, unitId });
    }
    const rows = [...told.values()].sort(
      (one, other) =>
        one.recipientId - other.recipientId ||
        compare(one.audience, other.audience) ||
        compare(one.channel, other.channel),
    );
    return groupPages(
      rows.map(({ recipientId, audience, channel, unitId }) => ({
        purpose: 'cancel notice',
        step: 0,
        channel,
        audience,
        delivery: { unitId, recipientId },
      })),
    );
  }

  /** The simulated warning supersedes nothing. */
  async findToldBefore() {
    await this.tx.statement();
    return [];
  }

  async chainSettled(): Promise<boolean> {
    await this.tx.statement();
    return true;
  }

  async carryAnswers(): Promise<void> {
    await this.tx.statement();
  }

  async answerWriters(): Promise<string[]> {
    await this.tx.statement();
    return [];
  }

  async markExpired(): Promise<Ending> {
    await this.tx.statement();
    const { db } = this;
    const { warning } = db;
    if (warning?.status === 'open') await this.expire(warning);
    await this.tx.statement();
    const over = warning?.status;
    return (over === 'cancelled' || over === 'superseded') && !db.sabotage.cancelOverlooked
      ? over
      : 'expired';
  }

  private async expire(warning: WarningRow): Promise<void> {
    await this.tx.lock('warning');
    if (warning.status !== 'open' || warning.expiresAt > this.db.now) return;
    this.tx.write(() => {
      warning.status = 'expired';
      warning.endedAt = warning.expiresAt;
    });
  }

  async putDeadLetters(dead: readonly { letter: Letter; reason: string }[]): Promise<void> {
    if (dead.length === 0) return;
    await this.tx.statement();
    const { db } = this;
    for (const { letter, reason } of dead) {
      const at = db.now;
      const row = this.unit(letter.unitId);
      if (row?.cellId === this.cell.cellId) {
        const faulty = { ...row, faulty: true, nextAt: null };
        this.saved.set(letter.unitId, faulty);
        this.tx.write(() => db.units.set(letter.unitId, faulty));
      }
      this.tx.write(() => db.deadLetters.push({ unitId: letter.unitId, reason, at }));
    }
  }

  async appendAudit(): Promise<void> {
    await this.tx.statement();
  }

  async rest(pagesMost: number): Promise<CellRest> {
    await this.tx.statement();
    const units = this.unitRows();
    const mail = this.mail().length > 0;
    const nextDeadline = least(units.map((row) => row.nextAt));
    const unended = units.some((row) => row.state.ended === null);
    const nextRetry = least(this.retries().map((row) => row.dueAt));
    await this.tx.statement();
    const pages = [...this.db.pages.values(), ...this.written]
      .filter((page) => page.cellId === this.cell.cellId && page.endedAt === null)
      .sort(
        (one, other) =>
          Number(one.purpose === 'household') - Number(other.purpose === 'household') ||
          Number(isFirstWord(other)) - Number(isFirstWord(one)) ||
          one.pageId - other.pageId,
      )
      .slice(0, pagesMost)
      .map(({ pageId, channel, members, purpose, step }) => ({
        pageId,
        channel,
        size: members.length,
        purpose,
        step,
      }));
    return { mail, nextDeadline, nextRetry, unended, openPages: pages, now: this.db.now };
  }

  async countTiers(): Promise<TierCount[]> {
    await this.tx.statement();
    return [];
  }

  async leave(input: CellLeft): Promise<void> {
    await this.tx.statement();
    const { cell, db } = this;
    const steppedAt = db.now;
    this.tx.write(() => {
      cell.steppedAt = steppedAt;
      cell.nextDeadline = input.nextDeadline;
      cell.ringAfter = input.ringAfter;
      cell.status = input.closed ? 'closed' : 'open';
      cell.noticesWritten = input.noticesWritten;
    });
  }

  // ── what this transaction sees ──────────────────────────────────────────────────────────────────────────

  private mail(): InboxRow[] {
    const rows = this.put.filter((row) => row.cellId === this.cell.cellId);
    for (const row of this.db.inbox.values()) {
      if (row.cellId === this.cell.cellId && !this.taken.has(row.id)) rows.push(row);
    }
    return rows;
  }

  private unit(unitId: UnitId): UnitRow | undefined {
    return this.saved.get(unitId) ?? this.db.units.get(unitId);
  }

  private unitRows(): UnitRow[] {
    const rows = [...this.saved.values()];
    for (const [unitId, row] of this.db.units) {
      if (row.cellId === this.cell.cellId && !this.saved.has(unitId)) rows.push(row);
    }
    return rows;
  }

  private retries(): RetryRow[] {
    return [...this.db.retries.values()].filter(
      (row) => row.cellId === this.cell.cellId && !this.retried.has(row),
    );
  }
}

function least(values: (number | null)[]): number | null {
  let smallest: number | null = null;
  for (const value of values) if (value !== null && (smallest === null || value < smallest)) smallest = value;
  return smallest;
}

/** As C.UTF-8 sorts plain words. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
