/**
 * PostgreSQL as far as the engine leans on it: transactions that commit whole or not at all, row locks with a time-out, ids
 * handed out at the insert and rows seen at the commit, one clock. What one statement sees is what had been committed when
 * it ran, and its own transaction's writes.
 */
import type { Instant } from '../../domain/time.ts';
import type { UnitId, UnitState } from '../../domain/unit.ts';
import { Unreachable, type Link, type Process, type Session, type Use } from './connection.ts';
import type {
  AnswerRow,
  CellRow,
  ClaimRow,
  DeliveryRow,
  InboxRow,
  KeyRow,
  PageRow,
  RetryRow,
  UnitRow,
  WarningRow,
} from './memory-tables.ts';
import type { SimulatedWorld } from './world.ts';

export const LOCK_TIMEOUT_MS = 3_000;
/** Builds of the store that are broken on purpose; the last four are as they once were. */
export type Sabotage = {
  /** Letters are read behind the highest id that was read. */
  inboxByCursor?: boolean;
  /** A leased slice is given to whoever asks. */
  leaseIgnored?: boolean;
  /** Two slices of a page are settled at once without the page's lock. */
  settlementUnlocked?: boolean;
  /** The key of a person's message is free again when an attempt was dropped, though an earlier one may have arrived. */
  keysFreed?: boolean;
  /** A step that waited for a cancel goes on as if the warning had expired. */
  cancelOverlooked?: boolean;
  /** A person's word that is like their last one reaches no inbox. */
  repeatsUnheard?: boolean;
};

/** What a checker hears of commits, while they happen. */
export type CommitWatch = {
  unitsSaved(before: UnitState | null, after: UnitState, now: Instant): void;
  pageWritten(page: PageRow): void;
};

export class MemoryDatabase {
  warning: WarningRow | null = null;
  readonly cells = new Map<number, CellRow>();
  readonly inbox = new Map<number, InboxRow>();
  readonly units = new Map<UnitId, UnitRow>();
  readonly pages = new Map<number, PageRow>();
  readonly claims = new Map<number, ClaimRow[]>();
  /** By `deliveryKey`. */
  readonly deliveries = new Map<number, DeliveryRow>();
  readonly retries = new Map<number, RetryRow>();
  readonly keys = new Map<string, KeyRow>();
  /** Addresses that a provider has called wrong, by `addressKey`. */
  readonly faulty = new Set<string>();
  readonly answers: AnswerRow[] = [];
  /** Replies that came in, once each: pushed again, they are only repeated. */
  readonly replies = new Set<number>();
  readonly deadLetters: { unitId: UnitId; reason: string; at: Instant }[] = [];
  readonly cursors = new Map<number, number>();
  readonly open = new Set<Transaction>();
  readonly world: SimulatedWorld;
  readonly link: Link;
  readonly sabotage: Sabotage;
  watch: CommitWatch | null = null;
  /** Rises with each commit. */
  version = 0;
  lockTimeouts = 0;
  readonly counters = { cell: 0, inbox: 0, page: 0, answer: 0 };
  private readonly locks = new Map<string, Lock>();

  constructor(world: SimulatedWorld, link: Link, sabotage: Sabotage = {}) {
    this.world = world;
    this.link = link;
    this.sabotage = sabotage;
  }

  get now(): Instant {
    return this.link.scheduler.now;
  }

  async transaction<T>(process: Process, use: Use, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const session = this.link.open(process, use);
    const tx = new Transaction(this, session);
    try {
      await this.link.trip(session);
      this.open.add(tx);
      const result = await work(tx);
      await tx.commit();
      return result;
    } catch (error) {
      tx.abort();
      throw error;
    } finally {
      this.link.close(session);
    }
  }

  lockHolder(key: string): Transaction | undefined {
    return this.locks.get(key)?.holder;
  }

  async lock(tx: Transaction, key: string): Promise<void> {
    const lock = this.locks.get(key);
    if (!lock) {
      this.locks.set(key, { holder: tx, waiting: [] });
      tx.held.push(key);
      return;
    }
    if (lock.holder === tx) return;
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { tx, resolve, reject, done: false };
      lock.waiting.push(waiter);
      tx.waiter = waiter;
      this.link.scheduler.after(LOCK_TIMEOUT_MS, () => {
        if (waiter.done) return;
        waiter.done = true;
        this.lockTimeouts += 1;
        if (tx.session.process.alive) reject(new Error('canceling statement due to lock timeout'));
      });
    });
  }

  release(tx: Transaction): void {
    for (const key of tx.held) {
      const lock = this.locks.get(key);
      if (!lock) continue;
      let next = lock.waiting.shift();
      while (next?.done) next = lock.waiting.shift();
      if (!next) {
        this.locks.delete(key);
        continue;
      }
      next.done = true;
      lock.holder = next.tx;
      next.tx.held.push(key);
      next.tx.waiter = null;
      if (next.tx.session.process.alive) next.resolve();
    }
    tx.held.length = 0;
  }

  /** Ends open transactions of a killed process, or of a server that went down; `survives` commits what was on its way. */
  abandon(of: (tx: Transaction) => boolean, survives: () => boolean): { aborted: number; committed: number } {
    const counts = { aborted: 0, committed: 0 };
    for (const tx of [...this.open]) {
      if (!of(tx)) continue;
      if (tx.state === 'committing' && survives()) {
        tx.apply();
        counts.committed += 1;
      } else {
        tx.abort();
        counts.aborted += 1;
      }
    }
    return counts;
  }
}

type Waiter = { tx: Transaction; resolve: () => void; reject: (error: Error) => void; done: boolean };
type Lock = { holder: Transaction; waiting: Waiter[] };

export class Transaction {
  state: 'open' | 'committing' | 'committed' | 'aborted' = 'open';
  readonly held: string[] = [];
  waiter: Waiter | null = null;
  readonly db: MemoryDatabase;
  readonly session: Session;
  private readonly effects: (() => void)[] = [];

  constructor(db: MemoryDatabase, session: Session) {
    this.db = db;
    this.session = session;
  }

  /** Before each statement: others may come in between. */
  statement(): Promise<void> | undefined {
    const { link } = this.db;
    if (this.state !== 'open') throw new Unreachable();
    if (link.pauseShare === 0 || !link.scheduler.chance(link.pauseShare)) return undefined;
    return link.trip(this.session).then(() => {
      if (this.state !== 'open') throw new Unreachable();
    });
  }

  async lock(key: string): Promise<void> {
    await this.db.lock(this, key);
    if (this.state !== 'open') throw new Unreachable();
  }

  /** What the commit does to the tables. */
  write(effect: () => void): void {
    this.effects.push(effect);
  }

  async commit(): Promise<void> {
    const { link } = this.db;
    if (this.state !== 'open') throw new Unreachable();
    this.state = 'committing';
    if (link.pauseShare > 0) {
      await new Promise<void>((resolve, reject) => {
        link.scheduler.after(link.latency(), () => {
          link.strike();
          if (this.state === 'committing') this.apply();
          if (!this.session.process.alive) return;
          if (this.session.broken) reject(new Unreachable());
          else resolve();
        });
      });
    } else this.apply();
    await link.trip(this.session);
  }

  apply(): void {
    this.state = 'committed';
    this.db.open.delete(this);
    for (const effect of this.effects) effect();
    this.db.version += 1;
    this.db.release(this);
  }

  abort(): void {
    if (this.state === 'committed' || this.state === 'aborted') return;
    this.state = 'aborted';
    this.db.open.delete(this);
    const { waiter } = this;
    if (waiter && !waiter.done) {
      waiter.done = true;
      if (this.session.process.alive) waiter.reject(new Unreachable());
    }
    this.db.release(this);
  }
}
