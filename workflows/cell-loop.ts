/**
 * The loop of one cell: step, run the pages that are open, wait for a doorbell, a deadline or a page's end.
 *
 * It is written against ports, so that Temporal (cell.ts) and the simulator run the very same lines. It holds nothing that
 * matters: every fact is PostgreSQL's, so losing it, running it twice or starting it anew changes no path of any unit.
 */
import type { SendPageResult } from '../activities/send-page.ts';
import type { StepResult } from '../activities/step.ts';
import { isFirstWord } from '../domain/pages.ts';
import type { OpenPage, TierCount } from '../domain/store.ts';

/** What the loop needs of the world around it. */
export type CellPorts = {
  step(input: { withCounts: boolean }): Promise<StepResult>;
  /** One attempt at a page; rejects only where the loop itself is being ended. */
  sendPage(page: OpenPage): Promise<SendPageResult>;
  /** False for pages that no queue serves. */
  serves(page: OpenPage): boolean;
  sleep(ms: number): Promise<void>;
  /** Resolves when the condition holds, or after so long. */
  waitUntil(condition: () => boolean, ms: number): Promise<void>;
  now(): number;
  /** The history has grown long: leave, and let a new run go on. `idle`: no page is under way, so nothing is waited for. */
  shouldLeave(idle: boolean): boolean;
  /** Counts per tier have been read anew. */
  show(status: CellStatus): void;
};

export type CellStatus = {
  steps: number;
  /** Letters taken in all. */
  took: number;
  openPages: number;
  nextInMs: number | null;
  closed: boolean;
  tiers: TierCount[];
};

/** What shares a queue. */
export type Lane = 'officials' | 'households';

export function laneOf(page: OpenPage): Lane {
  return page.purpose === 'household' ? 'households' : 'officials';
}

/** Longest silence before a step looks on its own; the ringer of every worker looks far more often. */
const IDLE_MS = 60_000;
/** The counts per tier cost a query over all units of the cell, so they are read at most this often. */
const COUNTS_EVERY_MS = 5_000;
/**
 * Pages of one cell under way at once in each lane, and again as many that tell something for the first time: neither many households
 * nor many reminders keep a first word to officials from starting.
 */
const PAGES_MOST = 8;
/** How long a run that leaves waits for its pages; leases make it safe to leave them behind. */
const LEAVE_WAIT_MS = 10_000;

export class CellLoop {
  status: CellStatus = { steps: 0, took: 0, openPages: 0, nextInMs: null, closed: false, tiers: [] };
  private readonly ports: CellPorts;
  private readonly running = new Map<number, string>();
  private rung = false;
  private leaving = false;
  private countedAt = 0;

  constructor(ports: CellPorts) {
    this.ports = ports;
  }

  /** Mail waits, or something is overdue. */
  ring(): void {
    this.rung = true;
  }

  /** Runs until the cell is closed, or until the history has grown long: then `left` is to be continued by a new run. */
  async run(): Promise<'closed' | 'left'> {
    for (;;) {
      this.rung = false;
      const withCounts = this.ports.now() - this.countedAt >= COUNTS_EVERY_MS;
      const result = await this.ports.step({ withCounts });
      this.note(result);
      if (result.closed && this.running.size === 0 && !this.rung) return 'closed';
      if (this.ports.shouldLeave(this.running.size === 0)) {
        await this.leave();
        return 'left';
      }
      for (const page of result.openPages) this.start(page);
      if (!result.more)
        await this.ports.waitUntil(() => this.rung, Math.min(result.nextInMs ?? IDLE_MS, IDLE_MS));
    }
  }

  private note(result: StepResult): void {
    const { openPages, nextInMs, closed } = result;
    this.status = {
      steps: this.status.steps + 1,
      took: this.status.took + result.took,
      openPages: openPages.length,
      nextInMs,
      closed,
      tiers: result.tiers ?? this.status.tiers,
    };
    if (!result.tiers) return;
    this.countedAt = this.ports.now();
    this.ports.show(this.status);
  }

  /** Runs a page to its end beside the loop. */
  private start(page: OpenPage): void {
    if (!this.ports.serves(page) || this.running.has(page.pageId)) return;
    const place = `${laneOf(page)} ${isFirstWord(page)}`;
    if ([...this.running.values()].filter((other) => other === place).length >= PAGES_MOST) return;
    this.running.set(page.pageId, place);
    void this.sendToEnd(page);
  }

  /** A page's end leaves a letter for the cell, and the ringer rings for it; many ends come to one step. */
  private async sendToEnd(page: OpenPage): Promise<void> {
    try {
      while (!this.leaving) {
        const result = await this.ports.sendPage(page);
        if (result.ended) return;
        if (result.againInMs > 0) await this.ports.sleep(result.againInMs);
      }
    } catch {
      // Ended from outside: the page stays open, and the next step lists it again.
      await this.ports.sleep(IDLE_MS);
      this.ring();
    } finally {
      this.running.delete(page.pageId);
      // The step that took the letter closed the cell before this result was here.
      if (this.status.closed) this.ring();
    }
  }

  private async leave(): Promise<void> {
    this.leaving = true;
    await this.ports.waitUntil(() => this.running.size === 0, LEAVE_WAIT_MS);
  }
}
