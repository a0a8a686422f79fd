/** Worker processes: each steps cells, sends pages, and looks for cells to ring; killed, it comes back as a new process. */
import type { WarningKind } from '../../domain/kinds.ts';
import type { Instant } from '../../domain/time.ts';
import type { ChannelPort } from '../../domain/ports.ts';
import type { PageStore, StepStore } from '../../domain/store.ts';
import { CHANNELS, type Channel } from '../../domain/rules.ts';
import { wantsRingAt, type Backend } from './backend.ts';
import type { Link, Process } from './connection.ts';
import type { FarSide } from './far-side.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedTemporal } from './temporal.ts';

const LOOK_EVERY_MS = 100;
/** Looks that fail are all alike. */
const LOOK_EVERY_WHILE_AWAY_MS = 2_000;
/** Share of looks that two workers make at the same time. */
const TWO_LOOK = 0.2;

export type Worker = Process & {
  readonly steps: StepStore;
  readonly pages: PageStore;
  readonly channels: Record<Channel, ChannelPort>;
  readonly serves: WarningKind;
  /** How far the wall clock of its machine is off. */
  clockOffMs: number;
  looking: boolean;
};

/** Breaks the ports of a worker on purpose. */
export type Wrap = { pages?: (store: PageStore) => PageStore; steps?: (store: StepStore) => StepStore };

export class Workers {
  /** Called when a process ends, and when one begins. */
  onKilled: (worker: Worker) => void = () => undefined;
  onStarted: () => void = () => undefined;
  readonly alive: Worker[] = [];
  private readonly scheduler: Scheduler;
  private readonly link: Link;
  private readonly backend: Backend;
  private readonly farSide: FarSide;
  private readonly temporal: SimulatedTemporal;
  private readonly wrap: Wrap;
  private readonly sliceMost: number;
  private started = 0;
  private armedVersion = -1;
  private lookAt: Instant = Infinity;

  constructor(input: {
    link: Link;
    backend: Backend;
    farSide: FarSide;
    temporal: SimulatedTemporal;
    sliceMost: number;
    wrap: Wrap;
  }) {
    this.sliceMost = input.sliceMost;
    this.link = input.link;
    this.scheduler = input.link.scheduler;
    this.backend = input.backend;
    this.farSide = input.farSide;
    this.temporal = input.temporal;
    this.wrap = input.wrap;
  }

  start(): void {
    const process = { name: `worker ${++this.started}`, alive: true };
    const steps = this.backend.steps(process);
    const pages = cutFine(this.backend.pages(process), this.sliceMost);
    const worker: Worker = Object.assign(process, {
      steps: this.wrap.steps?.(steps) ?? steps,
      pages: this.wrap.pages?.(pages) ?? pages,
      channels: Object.fromEntries(
        CHANNELS.map((channel) => [channel, this.farSide.channel(process, channel)]),
      ) as Record<Channel, ChannelPort>,
      serves: this.farSide.serves,
      clockOffMs: 0,
      looking: false,
    });
    this.alive.push(worker);
    this.armedVersion = -1;
    this.onStarted();
  }

  kill(worker: Worker): void {
    worker.alive = false;
    this.alive.splice(this.alive.indexOf(worker), 1);
    this.backend.processKilled(worker);
    this.link.forget(worker);
    this.onKilled(worker);
  }

  /**
   * Ringers look every 100 ms. Looks that would find nothing are left out, and of all workers' looks of one moment the first,
   * sometimes two, are kept, so that hours of waiting cost nothing. Called after each event.
   */
  arm(): void {
    const version = this.backend.version();
    if (version === this.armedVersion) return;
    this.armedVersion = version;
    const { now } = this.scheduler;
    const wanted = Math.min(
      ...this.backend.cells().map((cell) => wantsRingAt(cell, cell.locked ? now + LOOK_EVERY_MS : now)),
    );
    if (wanted === Infinity || this.lookAt <= wanted + LOOK_EVERY_MS) return;
    const idle = this.alive.filter((worker) => !worker.looking);
    const worker = this.scheduler.pick(idle);
    if (!worker) return;
    this.armWorker(worker, Math.max(wanted, now));
    const second = this.scheduler.chance(TWO_LOOK) ? this.scheduler.pick(idle) : worker;
    if (second && second !== worker) this.armWorker(second, Math.max(wanted, now));
  }

  private armWorker(worker: Worker, wanted: Instant): void {
    const everyMs = this.link.away ? LOOK_EVERY_WHILE_AWAY_MS : LOOK_EVERY_MS;
    const lookAt = wanted + this.scheduler.between(0, everyMs - 1);
    this.lookAt = Math.min(this.lookAt, lookAt);
    this.scheduler.at(lookAt, () => {
      if (this.lookAt === lookAt) {
        this.lookAt = Infinity;
        this.armedVersion = -1;
      }
      if (!worker.alive || worker.looking) return;
      worker.looking = true;
      void this.look(worker);
    });
  }

  private async look(worker: Worker): Promise<void> {
    try {
      const cells = await this.backend.ring(worker);
      await Promise.all(
        cells.map((cellId) => this.temporal.signalWithStart(worker, cellId).catch(() => undefined)),
      );
    } catch {
      // Nothing that fails here is lost: the next look finds the same mail.
    }
    this.scheduler.after(LOOK_EVERY_MS, () => {
      worker.looking = false;
      this.armedVersion = -1;
    });
  }
}

/** Claims smaller slices than it is asked for. */
function cutFine(store: PageStore, sliceMost: number): PageStore {
  return {
    ...store,
    claim: (pageId, input) => store.claim(pageId, { ...input, most: Math.min(input.most, sliceMost) }),
  };
}
