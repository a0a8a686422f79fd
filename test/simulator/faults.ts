/** Faults that strike between any two events, drawn from the seed; only those that really hit are counted. */
import type { Instant } from '../../domain/time.ts';
import type { Backend } from './backend.ts';
import type { Link, Process } from './connection.ts';
import type { FarSide } from './far-side.ts';
import type { FaultKind } from './fault-kinds.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimulatedTemporal } from './temporal.ts';
import type { Worker, Workers } from './workers.ts';
import type { SimulatedWorld } from './world.ts';

export class FaultCounts {
  readonly byKind: Record<string, number> = {};

  hit(kind: string, times = 1): void {
    if (times > 0) this.byKind[kind] = (this.byKind[kind] ?? 0) + times;
  }
}

/** A seed's faults at most: more would leave no warning to watch. */
const STRIKES_MOST = 16;
const POISON_MOST = 2;
const HOUR_MS = 3_600_000;

export class Faults {
  /** When the last fault is over, as far as is known. */
  calmAt: Instant;
  /** Letters that no machine understands: those that were written, and those that may have been. */
  readonly poisoned = { surely: 0, atMost: 0 };
  private readonly world: SimulatedWorld;
  private readonly scheduler: Scheduler;
  private readonly link: Link;
  private readonly backend: Backend;
  private readonly farSide: FarSide;
  private readonly temporal: SimulatedTemporal;
  private readonly workers: Workers;
  private readonly office: Process;
  private readonly counts: FaultCounts;
  private readonly until: Instant;
  private strikes = 0;
  private postgresBackAt: Instant = 0;
  private providerBackAt: Instant = 0;

  constructor(input: {
    world: SimulatedWorld;
    link: Link;
    backend: Backend;
    farSide: FarSide;
    temporal: SimulatedTemporal;
    workers: Workers;
    office: Process;
    counts: FaultCounts;
  }) {
    this.world = input.world;
    this.link = input.link;
    this.scheduler = input.link.scheduler;
    this.backend = input.backend;
    this.farSide = input.farSide;
    this.temporal = input.temporal;
    this.workers = input.workers;
    this.office = input.office;
    this.counts = input.counts;
    const { startAt, faultsUntilMs, faultKinds } = input.world.data;
    this.until = startAt + faultsUntilMs;
    this.calmAt = this.until;
    if (faultKinds.includes('doorbell lost')) this.temporal.doorbellsLost = 0.3;
    if (faultKinds.includes('page run twice')) this.temporal.pagesRunTwice = 0.3;
    this.scheduler.at(this.until, () => {
      this.temporal.doorbellsLost = 0;
      this.temporal.pagesRunTwice = 0;
    });
  }

  /** Between two events: mostly nothing. */
  strike(): void {
    if (this.strikes >= STRIKES_MOST || this.scheduler.now >= this.until) return;
    if (!this.scheduler.chance(this.world.data.hazard)) return;
    const kind = this.scheduler.pick(this.world.data.faultKinds);
    if (kind === undefined) return;
    this.strikes += 1;
    this.apply(kind);
  }

  /** How long an answer's commit takes longer than its insert. */
  answerLateMs(): number {
    if (this.scheduler.now >= this.until || !this.world.data.faultKinds.includes('answer committed late'))
      return 0;
    if (this.link.pauseShare === 0 || !this.scheduler.chance(0.3)) return 0;
    this.counts.hit('answer committed late');
    return this.scheduler.between(20, 2_500);
  }

  private apply(kind: FaultKind): void {
    const { scheduler } = this;
    switch (kind) {
      case 'worker killed':
        return this.killOne();
      case 'all workers gone':
        return this.killAll();
      case 'postgres restart':
        return this.postgresDown(kind, scheduler.between(20, 2_000));
      case 'postgres away':
        return this.postgresDown(kind, scheduler.between(5_000, 60_000));
      case 'temporal away':
        this.counts.hit(kind);
        this.temporal.awayUntil = this.during(scheduler.between(500, 90_000));
        return;
      case 'loop dropped':
        return this.dropLoop();
      case 'clock jump':
        return this.jumpClock();
      case 'poison letter':
        return this.poison();
      case 'provider away':
        return this.providerAway();
      case 'doorbell lost':
      case 'page run twice':
      case 'answer committed late':
        return;
      default:
        return kind satisfies never;
    }
  }

  private during(ms: number): Instant {
    const until = this.scheduler.now + ms;
    this.calmAt = Math.max(this.calmAt, until);
    return until;
  }

  private killOne(): void {
    const worker = this.scheduler.pick(this.workers.alive);
    if (!worker) return;
    this.counts.hit('worker killed');
    this.kill(worker, this.scheduler.between(200, 8_000));
  }

  private killAll(): void {
    if (this.workers.alive.length === 0) return;
    this.counts.hit('all workers gone');
    const ms = this.scheduler.between(20_000, 5 * 60_000);
    for (const worker of [...this.workers.alive]) this.kill(worker, ms + this.scheduler.between(0, 1_000));
  }

  private kill(worker: Worker, backMs: number): void {
    for (const session of this.link.sessions)
      if (session.process === worker) this.counts.hit(`killed during ${session.use}`);
    this.workers.kill(worker);
    this.scheduler.at(this.during(backMs), () => this.workers.start());
  }

  private postgresDown(kind: FaultKind, ms: number): void {
    this.counts.hit(kind);
    this.link.breakAll();
    const { aborted, committed } = this.backend.serverDown();
    this.counts.hit('transaction lost with the server', aborted);
    this.counts.hit('commit that nobody heard of', committed);
    this.link.away = true;
    this.postgresBackAt = Math.max(this.postgresBackAt, this.during(ms));
    this.scheduler.at(this.postgresBackAt, () => {
      if (this.scheduler.now >= this.postgresBackAt) this.link.away = false;
    });
  }

  private dropLoop(): void {
    const run = this.scheduler.pick([...this.temporal.runs.values()].filter((one) => one.loop !== null));
    if (!run) return;
    this.counts.hit('loop dropped');
    this.temporal.dropLoop(run);
  }

  private jumpClock(): void {
    const worker = this.scheduler.pick(this.workers.alive);
    if (!worker) return;
    this.counts.hit('clock jump');
    worker.clockOffMs = this.scheduler.between(-3 * HOUR_MS, 3 * HOUR_MS);
  }

  private poison(): void {
    const unit = this.scheduler.pick(
      this.world.data.units.filter(({ unitId }) => this.world.inScope(unitId)),
    );
    if (!unit || this.poisoned.atMost >= POISON_MOST || this.link.away) return;
    this.poisoned.atMost += 1;
    this.backend.poison(this.office, unit.unitId).then(
      () => {
        this.poisoned.surely += 1;
        this.counts.hit('poison letter');
      },
      () => undefined,
    );
  }

  private providerAway(): void {
    this.counts.hit('provider away');
    this.farSide.away = this.scheduler.chance(0.5) ? 'later' : 'hang';
    this.providerBackAt = Math.max(this.providerBackAt, this.during(this.scheduler.between(1_000, 40_000)));
    this.scheduler.at(this.providerBackAt, () => {
      if (this.scheduler.now >= this.providerBackAt) this.farSide.away = null;
    });
  }
}
