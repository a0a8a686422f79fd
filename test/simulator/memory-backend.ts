/** The store in memory: what operations/ and db/ do for forecasters, people and ringers. */
import { messageOrder, type Message } from '../../domain/unit.ts';
import type { Scheduler } from './scheduler.ts';
import { RING_AGAIN_MS, wantsRingAt, type Act, type Backend, type CellView } from './backend.ts';
import type { Link, Process } from './connection.ts';
import type { MemoryDatabase, Transaction } from './memory-database.ts';
import { cellOf, newLetter } from './memory-letters.ts';
import type { AnswerRow, WarningRow } from './memory-tables.ts';
import { memoryPageStore } from './memory-page-store.ts';
import { memoryStepStore } from './memory-step-store.ts';
import type { SimulatedWorld } from './world.ts';

/** A killed process's connection is noticed at once, or, with its machine gone, by idle_in_transaction_session_timeout. */
const IDLE_TIMEOUT_MS = 5_000;
const CELLS_MOST = 64;

export class MemoryBackend implements Backend {
  readonly db: MemoryDatabase;
  private readonly world: SimulatedWorld;
  private readonly link: Link;
  private readonly scheduler: Scheduler;

  constructor(db: MemoryDatabase) {
    this.db = db;
    this.world = db.world;
    this.link = db.link;
    this.scheduler = db.link.scheduler;
  }

  steps(process: Process) {
    return memoryStepStore(this.db, process);
  }

  pages(process: Process) {
    return memoryPageStore(this.db, process);
  }

  issue(process: Process): Promise<void> {
    const { db, world } = this;
    return db.transaction(process, 'office', async (tx) => {
      await tx.statement();
      // The forecaster looks before issuing again what may have been committed unheard.
      if (db.warning) return;
      const warning = warningOf(world, db.now);
      const roots = world.data.units.filter(
        (unit) => unit.cellUnitId === unit.unitId && world.inScope(unit.unitId),
      );
      const cells = roots.map((unit) => ({
        cellId: ++db.counters.cell,
        unitId: unit.unitId,
        status: 'open' as const,
        nextDeadline: warning.expiresAt,
        steppedAt: null,
        rungAt: null,
        ringAfter: null,
        noticesWritten: false,
      }));
      const waits = (unitId: number) =>
        world.data.rules.descendWaitMs[world.unit(unitId)?.tier ?? ''] !== undefined;
      const opened = cells.filter(
        ({ unitId }) => !world.unit(unitId)?.path.some((above) => above !== unitId && waits(above)),
      );
      await tx.statement();
      const letters = opened.map(({ cellId, unitId }) =>
        newLetter(db, { cellId, unitId, priority: messageOrder('opened'), body: { kind: 'opened' } }),
      );
      tx.write(() => {
        db.warning = warning;
        for (const cell of cells) db.cells.set(cell.cellId, cell);
        for (const letter of letters) db.inbox.set(letter.id, letter);
      });
    });
  }

  cancel(process: Process): Promise<boolean> {
    return this.end(process, 'cancelled');
  }

  supersede(process: Process): Promise<boolean> {
    return this.end(process, 'superseded');
  }

  private end(process: Process, how: 'cancelled' | 'superseded'): Promise<boolean> {
    const { db } = this;
    return db.transaction(process, 'office', async (tx) => {
      await tx.statement();
      const { warning } = db;
      if (!warning || warning.status !== 'open') return false;
      await tx.lock('warning');
      if (warning.status !== 'open') return false;
      const endedAt = db.now;
      tx.write(() => {
        warning.status = how;
        warning.endedAt = endedAt;
        warning.endCommittedAt = db.now;
      });
      await tx.statement();
      for (const { cellId } of db.cells.values()) {
        const letter = newLetter(db, { cellId, unitId: null, priority: 0, body: { kind: 'ended' } });
        tx.write(() => db.inbox.set(letter.id, letter));
      }
      return true;
    });
  }

  answer(process: Process, act: Act, lateMs: number): Promise<void> {
    return this.db.transaction(process, 'answer', async (tx) => {
      await tx.statement();
      this.storeAnswer(tx, act);
      if (lateMs > 0 && this.link.pauseShare > 0) {
        await new Promise<void>((resolve) => this.scheduler.after(lateMs, resolve));
        await tx.statement();
      }
    });
  }

  private storeAnswer(tx: Transaction, act: Act): void {
    const { db, world } = this;
    const { by, kind } = act;
    if (!db.warning) throw new RangeError('no such warning yet');
    if (by.audience !== 'vouched') {
      if (db.replies.has(act.actId)) return;
      tx.write(() => db.replies.add(act.actId));
    }
    const at = db.now;
    const unitIds =
      by.audience === 'vouched'
        ? [by.unitId]
        : by.audience === 'people'
          ? [...new Set(world.postsOf(by.recipientId))]
          : [world.household(by.recipientId)?.unitId ?? 0];
    for (const unitId of unitIds.filter((id) => world.inScope(id))) {
      const row: AnswerRow = {
        id: ++db.counters.answer,
        actId: act.actId,
        unitId,
        personId: by.audience === 'people' ? by.recipientId : null,
        householdId: by.audience === 'households' ? by.recipientId : null,
        kind,
        at,
        committedAt: Infinity,
      };
      tx.write(() => {
        row.committedAt = db.now;
        db.answers.push(row);
      });
      if (by.audience === 'households') continue;
      if (db.sabotage.repeatsUnheard && this.saidBefore(row)) continue;
      const cellId = cellOf(db, unitId);
      if (cellId === null) continue;
      const body: Message = kind === 'cannot act' ? { kind, at } : { kind: 'answered', answer: kind, at };
      const letter = newLetter(db, { cellId, unitId, priority: messageOrder(body.kind), body });
      tx.write(() => db.inbox.set(letter.id, letter));
    }
  }

  private saidBefore(row: AnswerRow): boolean {
    const own = this.db.answers.filter((one) => one.unitId === row.unitId && one.personId === row.personId);
    return row.personId !== null && own.at(-1)?.kind === row.kind;
  }

  poison(process: Process, unitId: number): Promise<void> {
    const { db } = this;
    return db.transaction(process, 'office', async (tx) => {
      await tx.statement();
      const cellId = cellOf(db, unitId);
      if (cellId === null) throw new RangeError('no such cell yet');
      const body = { kind: 'no such message' } as unknown as Message;
      const letter = newLetter(db, { cellId, unitId, priority: 5, body });
      tx.write(() => db.inbox.set(letter.id, letter));
    });
  }

  async ring(process: Process): Promise<number[]> {
    const session = this.link.open(process, 'ring');
    try {
      await this.link.trip(session);
      const { db } = this;
      const due = this.cells()
        .filter((cell) => !cell.locked && wantsRingAt(cell, db.now) <= db.now)
        .slice(0, CELLS_MOST)
        .map((cell) => cell.cellId);
      for (const cellId of due) {
        const cell = db.cells.get(cellId);
        if (cell) Object.assign(cell, { rungAt: db.now, ringAfter: db.now + RING_AGAIN_MS });
      }
      if (due.length > 0) db.version += 1;
      await this.link.trip(session);
      return due;
    } finally {
      this.link.close(session);
    }
  }

  cells(): CellView[] {
    const { db } = this;
    const mailed = new Set<number>();
    const urgent = new Set<number>();
    for (const row of db.inbox.values()) {
      mailed.add(row.cellId);
      if (row.priority === 0) urgent.add(row.cellId);
    }
    return [...db.cells.values()].map((cell) => ({
      cellId: cell.cellId,
      closed: cell.status === 'closed',
      mail: mailed.has(cell.cellId),
      nextDeadline: cell.nextDeadline,
      steppedAt: cell.steppedAt,
      rungAt: cell.rungAt,
      ringAfter: cell.ringAfter,
      urgent: urgent.has(cell.cellId),
      locked: db.lockHolder(`cell ${cell.cellId}`) !== undefined,
    }));
  }

  version(): number {
    return this.db.version;
  }

  processKilled(process: Process): void {
    const { db, scheduler } = this;
    if (db.open.size === 0) return;
    const survives = () => scheduler.chance(0.5);
    const noticedMs = scheduler.chance(0.8)
      ? scheduler.between(0, 20)
      : scheduler.between(1_000, IDLE_TIMEOUT_MS);
    const own = new Set([...db.open].filter((tx) => tx.session.process === process));
    for (const tx of own) if (tx.state === 'committing' && survives()) tx.apply();
    scheduler.after(noticedMs, () =>
      db.abandon(
        (tx) => own.has(tx),
        () => false,
      ),
    );
  }

  serverDown(): { aborted: number; committed: number } {
    return this.db.abandon(
      () => true,
      () => this.scheduler.chance(0.5),
    );
  }
}

/** What is left of a run, as `remainsInPostgres` reads it. */
export function remainsInMemory(db: MemoryDatabase, cells: CellView[]) {
  const deliveries = [...db.deliveries.values()]
    .sort((one, other) => one.deliveryId - other.deliveryId || one.attempt - other.attempt)
    .map(({ committedAt: _committedAt, ...row }) => row);
  const units = [...db.units.values()].sort((one, other) => one.state.unitId - other.state.unitId);
  const answers = [...db.answers].sort(
    (one, other) => one.at - other.at || one.unitId - other.unitId || one.id - other.id,
  );
  return {
    units: units.map(({ state, faulty }) => ({ state, faulty })),
    deliveries,
    answers: answers.map(({ unitId, personId, householdId, kind, at }) => ({
      unitId,
      personId,
      householdId,
      kind,
      at,
    })),
    cells,
    dead: db.deadLetters.length,
  };
}

function warningOf(world: SimulatedWorld, now: number): WarningRow {
  const { kind, level, rules, lastsMs } = world.data;
  return {
    warningId: 1,
    revision: 1,
    kind,
    hazard: '11B03',
    level,
    issuer: '城气象台',
    textZh: '暴雨红色预警。',
    textEn: 'Rainstorm, red.',
    speed: 1,
    status: 'open',
    issuedAt: now,
    expiresAt: now + lastsMs,
    endedAt: null,
    endCommittedAt: null,
    ...{ retracted: false, correctionZh: null, correctionEn: null, supersedesId: null, supersededById: null },
    ...{ chainId: 1, incidentId: null, asksAgain: null },
    rules,
  };
}
