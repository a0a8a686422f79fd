/**
 * Temporal as far as the cells lean on it: one run a cell, its loop on some worker, signals, timers, activities with
 * heartbeats and retries. Everything a loop hears passes through here, and waits while Temporal is away.
 */
import { sendPage, type SendPageResult } from '../../activities/send-page.ts';
import { stepCell, type StepResult } from '../../activities/step.ts';
import type { OpenPage } from '../../domain/store.ts';
import { CellLoop, type CellPorts } from '../../workflows/cell-loop.ts';
import { KEYS } from './far-side.ts';
import type { FaultCounts } from './faults.ts';
import type { Scheduler } from './scheduler.ts';
import type { Worker } from './workers.ts';

const STEP_AGAIN_MS = { first: 100, most: 5_000 };
const PAGE_AGAIN_MS = { first: 200, most: 5_000 };
const HEARTBEAT_TIMEOUT_MS = 4_000;
/** Until another worker takes over the loops of a killed one. */
const RESUME_MS = 12_000;

type Run = {
  readonly cellId: number;
  /** Counts the loops of this run: what belongs to an earlier one is heard by nobody. */
  epoch: number;
  host: Worker | null;
  loop: CellLoop | null;
  /** A signal that no loop has taken. */
  rung: boolean;
  waiters: { condition: () => boolean; wake: () => void; woken: boolean }[];
  steps: number;
};

export class SimulatedTemporal {
  /** Nothing comes in, goes out or is timed before this instant. */
  awayUntil = 0;
  /** Share of signals that are lost on their way; faults set it. */
  doorbellsLost = 0;
  readonly runs = new Map<number, Run>();
  workers: readonly Worker[] = [];
  /** Strikes at moments that belong to Temporal. */
  strike: () => void = () => undefined;
  /** A loop threw: it never should. */
  onBroken: (cellId: number, error: unknown) => void = () => undefined;
  /** Share of pages that another attempt runs at the same time; faults set it. */
  pagesRunTwice = 0;
  private readonly scheduler: Scheduler;
  private readonly counts: FaultCounts;
  private readonly leavesAfterSteps: number;
  private homeless: (() => void)[] = [];

  constructor(scheduler: Scheduler, counts: FaultCounts, leavesAfterSteps: number) {
    this.scheduler = scheduler;
    this.counts = counts;
    this.leavesAfterSteps = leavesAfterSteps;
  }

  get away(): boolean {
    return this.scheduler.now < this.awayUntil;
  }

  /** What the ringer calls. Rejects while Temporal is away. */
  signalWithStart(worker: Worker, cellId: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.scheduler.after(this.scheduler.between(1, 20), () => {
        this.strike();
        if (this.away) {
          this.counts.hit('ring refused by temporal');
          if (worker.alive) reject(new Error('Temporal does not answer'));
          return;
        }
        if (this.scheduler.chance(this.doorbellsLost)) this.counts.hit('doorbell lost');
        else this.ring(cellId);
        if (worker.alive) resolve();
      });
    });
  }

  /** Conditions are looked at again after each event. */
  settle(): void {
    for (const run of this.runs.values()) {
      if (run.waiters.length === 0) continue;
      for (const waiter of run.waiters) {
        if (!waiter.woken && waiter.condition()) {
          waiter.woken = true;
          this.deliver(run, this.scheduler.between(1, 5), waiter.wake);
        }
      }
    }
  }

  workerKilled(worker: Worker): void {
    for (const run of this.runs.values()) {
      if (run.host === worker) this.drop(run, this.scheduler.between(0, RESUME_MS));
    }
  }

  /** The loop is taken from its worker, as by a full cache or a lost connection: what it had under way goes on unheard. */
  dropLoop(run: Run): void {
    this.drop(run, this.scheduler.between(0, 2_000));
  }

  workerStarted(): void {
    const waiting = this.homeless;
    this.homeless = [];
    for (const run of waiting) run();
  }

  private ring(cellId: number): void {
    const run = this.runs.get(cellId);
    if (!run) {
      const fresh: Run = { cellId, epoch: 0, host: null, loop: null, rung: false, waiters: [], steps: 0 };
      this.runs.set(cellId, fresh);
      this.scheduler.after(this.scheduler.between(5, 60), () => this.host(fresh));
      return;
    }
    run.rung = true;
    if (run.loop) {
      const { epoch } = run;
      this.deliver(run, this.scheduler.between(1, 30), () => {
        if (run.epoch !== epoch) return;
        run.rung = false;
        run.loop?.ring();
      });
    }
  }

  private drop(run: Run, resumeMs: number): void {
    run.epoch += 1;
    run.host = null;
    run.loop = null;
    run.waiters = [];
    const { epoch } = run;
    this.scheduler.after(resumeMs, () => {
      if (run.epoch === epoch) this.host(run);
    });
  }

  /** Gives the run to a worker, which starts the loop anew: it held nothing that matters. */
  private host(run: Run): void {
    const { epoch } = run;
    this.whenBack(() => {
      if (run.epoch !== epoch || run.loop) return;
      const worker = this.scheduler.pick(this.workers);
      if (!worker) {
        this.homeless.push(() => this.host(run));
        return;
      }
      run.epoch += 1;
      run.host = worker;
      run.rung = false;
      run.steps = 0;
      const loop = new CellLoop(this.portsOf(run, worker));
      run.loop = loop;
      const hosted = run.epoch;
      loop.run().then(
        (how) => this.ended(run, hosted, how),
        (error: unknown) => this.onBroken(run.cellId, error),
      );
    });
  }

  /** The run is over, unless a signal came in before Temporal heard of it: then it goes on. */
  private ended(run: Run, epoch: number, how: 'closed' | 'left'): void {
    if (run.epoch !== epoch) return;
    this.deliver(run, this.scheduler.between(1, 10), () => {
      if (run.epoch !== epoch) return;
      if (how === 'left') this.counts.hit('continued as new');
      if (how === 'left' || run.rung) this.drop(run, this.scheduler.between(1, 50));
      else this.runs.delete(run.cellId);
    });
  }

  // ── what a loop sees ────────────────────────────────────────────────────────────────────────────────────

  private portsOf(run: Run, worker: Worker): CellPorts {
    const { epoch } = { epoch: run.epoch };
    return {
      step: ({ withCounts }) => this.localStep(run, epoch, worker, withCounts),
      serves: () => true,
      sendPage: (page) => this.activity(run, epoch, page),
      sleep: (ms) => new Promise((resolve) => this.hear(run, epoch, ms, resolve)),
      waitUntil: (condition, ms) =>
        new Promise((resolve) => {
          const waiter = { condition, woken: false, wake: () => this.wake(run, epoch, waiter, resolve) };
          run.waiters.push(waiter);
          this.scheduler.after(ms, () => {
            if (waiter.woken || run.epoch !== epoch) return;
            waiter.woken = true;
            this.deliver(run, 0, waiter.wake);
          });
        }),
      now: () => this.scheduler.now + worker.clockOffMs,
      shouldLeave: () => run.steps >= this.leavesAfterSteps,
      show: () => undefined,
    };
  }

  private wake(run: Run, epoch: number, waiter: Run['waiters'][number], resolve: () => void): void {
    if (run.epoch !== epoch) return;
    run.waiters.splice(run.waiters.indexOf(waiter), 1);
    resolve();
  }

  /** Runs beside the loop, on its worker, until it succeeds. */
  private async localStep(run: Run, epoch: number, worker: Worker, withCounts: boolean): Promise<StepResult> {
    run.steps += 1;
    for (let waitMs = STEP_AGAIN_MS.first; ; waitMs = Math.min(2 * waitMs, STEP_AGAIN_MS.most)) {
      let result: StepResult | null = null;
      try {
        result = await stepCell(worker.steps, { cellId: run.cellId, withCounts, serves: worker.serves });
      } catch {
        // Tried again, calmly.
      }
      const heard = result;
      await new Promise<void>((resolve) => this.hear(run, epoch, heard ? 0 : waitMs, resolve));
      if (heard) return heard;
    }
  }

  /** A page's activity: attempt after attempt, each on some worker, until one comes back. */
  private activity(run: Run, epoch: number, page: OpenPage): Promise<SendPageResult> {
    return new Promise((resolve) => {
      const done = (result: SendPageResult) =>
        this.hear(run, epoch, this.scheduler.between(1, 5), () => resolve(result));
      this.dispatch(run, epoch, page, 1, done);
      if (!this.scheduler.chance(this.pagesRunTwice)) return;
      this.scheduler.after(this.scheduler.between(0, 5_000), () => {
        if (run.epoch !== epoch) return;
        this.counts.hit('page run twice');
        this.dispatch(run, epoch, page, 1, () => undefined);
      });
    });
  }

  private dispatch(
    run: Run,
    epoch: number,
    page: OpenPage,
    attempt: number,
    done: (result: SendPageResult) => void,
  ): void {
    this.scheduler.after(this.scheduler.between(1, 30), () =>
      this.whenBack(() => {
        this.strike();
        // Nobody waits for it any more: the loop that asked is gone, and its successor asks anew.
        if (run.epoch !== epoch) return;
        const worker = this.scheduler.pick(this.workers);
        if (!worker) {
          this.homeless.push(() => this.dispatch(run, epoch, page, attempt, done));
          return;
        }
        let over = false;
        const again = (afterMs: number) => {
          if (over) return;
          over = true;
          this.scheduler.after(afterMs, () => this.dispatch(run, epoch, page, attempt + 1, done));
        };
        this.heartbeats(worker, () => over, again);
        this.attempt(worker, page).then(
          (result) => {
            if (over) return;
            over = true;
            done(result);
          },
          () => again(Math.min(PAGE_AGAIN_MS.first * 2 ** (attempt - 1), PAGE_AGAIN_MS.most)),
        );
      }),
    );
  }

  private attempt(worker: Worker, page: OpenPage): Promise<SendPageResult> {
    const { scheduler } = this;
    const dependencies = {
      store: worker.pages,
      serves: worker.serves,
      channel: worker.channels[page.channel],
      keys: KEYS,
      publicUrl: 'http://answers.example',
      monotonic: () => scheduler.now,
      pause: (ms: number) =>
        new Promise<void>((resolve) => {
          scheduler.after(ms, () => {
            if (worker.alive) resolve();
          });
        }),
    };
    return sendPage(dependencies, page.pageId);
  }

  /** A worker that is gone sends none; Temporal notices after the time-out. */
  private heartbeats(worker: Worker, over: () => boolean, timedOut: (afterMs: number) => void): void {
    const look = () => {
      if (over()) return;
      if (!worker.alive) return timedOut(0);
      this.scheduler.after(HEARTBEAT_TIMEOUT_MS, look);
    };
    this.scheduler.after(HEARTBEAT_TIMEOUT_MS, look);
  }

  // ── the way to a loop ───────────────────────────────────────────────────────────────────────────────────

  private hear(run: Run, epoch: number, ms: number, resolve: () => void): void {
    this.scheduler.after(ms, () =>
      this.whenBack(() => {
        if (run.epoch === epoch) resolve();
      }),
    );
  }

  private deliver(_run: Run, ms: number, wake: () => void): void {
    this.scheduler.after(ms, () => this.whenBack(wake));
  }

  private whenBack(run: () => void): void {
    if (!this.away) return run();
    this.scheduler.at(this.awayUntil + this.scheduler.between(1, 200), () => this.whenBack(run));
  }
}
