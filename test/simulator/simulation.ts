/** One seed from the issue to rest: the world, the store, Temporal, workers, people and faults, and what the watch saw. */
import type { Backend } from './backend.ts';
import { Link, type Process } from './connection.ts';
import { FarSide, People, numberOf, type Taken } from './far-side.ts';
import { FaultCounts, Faults } from './faults.ts';
import { MemoryBackend } from './memory-backend.ts';
import { MemoryDatabase, type Sabotage } from './memory-database.ts';
import { Scheduler } from './scheduler.ts';
import { SimulatedTemporal } from './temporal.ts';
import { judgeEnd } from './verdict.ts';
import { Watch, type Violation } from './watch.ts';
import { Workers, type Wrap } from './workers.ts';
import { worldOf, type SimulatedWorld, type SimulatedWorldData } from './world.ts';

export type SeedOptions = {
  /** Changes the seed's world. */
  world?: Partial<SimulatedWorldData>;
  /** A build that is broken on purpose. */
  wrap?: () => Wrap;
  sabotage?: Sabotage;
  /** Takes answers without asking for the message's number. */
  numbersUnchecked?: boolean;
  /** Another store than the one in memory; it is given the link of the run. @default memory */
  backend?: (world: SimulatedWorld, link: Link) => Backend;
};

export type SeedResult = {
  seed: number;
  virtualMs: number;
  events: number;
  faults: Record<string, number>;
  violations: Violation[];
  ledger: Taken[];
  latestMs: number;
  lockTimeouts: number;
};

/** With the last fault and the expiry behind it, a run that is not at rest after this never will be. */
const REST_WITHIN_MS = 20 * 60_000;
/** What is under way beside the cells, such as a second attempt at a page, still ends. */
const STRAGGLERS_MS = 40_000;
const LOOK_OUT_EVERY_MS = 10_000;
/** After the faults, what they left behind has this long to be made good. */
const RECOVERY_MS = 60_000;

export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedResult> {
  const simulation = new Simulation(worldOf(seed, options.world), options);
  return simulation.run();
}

export class Simulation {
  readonly world: SimulatedWorld;
  readonly backend: Backend;
  readonly farSide: FarSide;
  private readonly options: SeedOptions;
  private readonly scheduler: Scheduler;
  private readonly link: Link;
  private readonly counts = new FaultCounts();
  private readonly temporal: SimulatedTemporal;
  private readonly workers: Workers;
  private readonly people: People;
  private readonly faults: Faults;
  private readonly watch: Watch | null = null;
  private readonly memory: MemoryDatabase | null = null;
  private readonly office: Process = { name: 'web', alive: true };
  private readonly failures: Violation[] = [];
  /** Acts of the forecaster that are still to come. */
  private plans = 0;
  private restAt: number | null = null;

  constructor(world: SimulatedWorld, options: SeedOptions) {
    const { data } = world;
    this.world = world;
    this.options = options;
    this.scheduler = new Scheduler(data.seed, data.startAt);
    this.link = new Link(this.scheduler, data);
    if (options.backend) this.backend = options.backend(world, this.link);
    else {
      this.memory = new MemoryDatabase(world, this.link, options.sabotage);
      this.watch = new Watch(this.memory);
      this.memory.watch = this.watch;
      this.backend = new MemoryBackend(this.memory);
    }
    this.farSide = new FarSide(world, this.link, this.counts);
    this.temporal = new SimulatedTemporal(this.scheduler, this.counts, data.leavesAfterSteps);
    const { link, backend, farSide, temporal, counts, office } = this;
    const { sliceMost } = data;
    this.workers = new Workers({ link, backend, farSide, temporal, sliceMost, wrap: options.wrap?.() ?? {} });
    this.people = new People(world, this.scheduler, (act, number) => void this.takeAnswer(act, number));
    this.faults = new Faults({
      world,
      link,
      backend,
      farSide,
      temporal,
      workers: this.workers,
      office,
      counts,
    });
    this.connect();
  }

  async run(): Promise<SeedResult> {
    const { data } = this.world;
    for (let worker = 0; worker < data.workers; worker += 1) this.workers.start();
    this.people.speakUnasked();
    this.plan(0, () => this.backend.issue(this.office));
    if (data.cancelAfterMs !== null)
      this.plan(data.cancelAfterMs, () => this.backend.cancel(this.office).then(() => undefined));
    if (data.update !== null)
      this.plan(data.update.afterMs, () => this.backend.supersede(this.office).then(() => undefined));
    if (this.watch) this.lookOut();
    await this.scheduler.run(() => this.finished());
    this.judge();
    return {
      seed: data.seed,
      virtualMs: this.scheduler.now - data.startAt,
      events: this.scheduler.events,
      faults: this.counts.byKind,
      violations: [...this.failures, ...(this.watch?.violations ?? [])],
      ledger: this.farSide.ledger,
      latestMs: this.watch?.latestMs ?? 0,
      lockTimeouts: this.memory?.lockTimeouts ?? 0,
    };
  }

  private connect(): void {
    const { temporal, workers, faults, link } = this;
    temporal.workers = workers.alive;
    temporal.strike = () => faults.strike();
    link.strike = () => faults.strike();
    temporal.onBroken = (cellId, error) => this.fail(0, `the loop of cell ${cellId} threw: ${String(error)}`);
    workers.onKilled = (worker) => temporal.workerKilled(worker);
    workers.onStarted = () => temporal.workerStarted();
    this.farSide.onTaken = (entry, message) => {
      this.watch?.taken(entry, message);
      const recipient = recipientOf(this.world, entry.address);
      if (recipient) this.people.hear(message, recipient);
    };
  }

  /** A person does not give up: what was not taken is said again. */
  private async takeAnswer(act: Parameters<Backend['answer']>[1], number: string): Promise<void> {
    const right = number === numberOf(act.by) || (this.options.numbersUnchecked ?? false);
    if (!right) {
      this.people.pending -= 1;
      return;
    }
    try {
      await this.backend.answer(this.office, act, this.faults.answerLateMs());
      this.people.pending -= 1;
    } catch {
      this.scheduler.after(this.scheduler.between(2_000, 20_000), () => void this.takeAnswer(act, number));
    }
  }

  private plan(afterMs: number, act: () => Promise<void>): void {
    this.plans += 1;
    const tryIt = () => {
      act().then(
        () => (this.plans -= 1),
        () => this.scheduler.after(this.scheduler.between(1_000, 10_000), tryIt),
      );
    };
    this.scheduler.after(afterMs, tryIt);
  }

  private lookOut(): void {
    this.scheduler.after(LOOK_OUT_EVERY_MS, () => {
      if (this.scheduler.now > this.faults.calmAt + RECOVERY_MS) this.watch?.checkLate();
      this.lookOut();
    });
  }

  /** Asked before each event: conditions of loops and looks of ringers are brought up to date here too. */
  private finished(): boolean {
    this.temporal.settle();
    this.workers.arm();
    const { now } = this.scheduler;
    if (!this.atRest()) {
      this.restAt = null;
      const { startAt, lastsMs } = this.world.data;
      if (now < Math.max(startAt + lastsMs, this.faults.calmAt) + REST_WITHIN_MS) return false;
      this.fail(7, 'not at rest long after the end');
      return true;
    }
    this.restAt ??= now;
    return now >= this.restAt + STRAGGLERS_MS;
  }

  private atRest(): boolean {
    if (this.temporal.runs.size > 0 || this.plans > 0 || this.people.pending > 0) return false;
    if (this.scheduler.now < this.faults.calmAt) return false;
    return this.backend.cells().every((cell) => cell.closed && !cell.mail);
  }

  private judge(): void {
    if (!this.memory || !this.watch) return;
    judgeEnd({
      db: this.memory,
      watch: this.watch,
      ledger: this.farSide.ledger,
      deeds: this.people.deeds,
      calmAt: this.faults.calmAt,
      poisoned: this.faults.poisoned,
    });
  }

  private fail(invariant: number, what: string): void {
    this.failures.push({ invariant, what, at: this.scheduler.now });
  }
}

type Recipient = { audience: 'people' | 'households'; recipientId: number };

const recipients = new WeakMap<SimulatedWorld, Map<string, Recipient>>();

/** Whose address it is: the far side knows no more. */
function recipientOf(world: SimulatedWorld, address: string): Recipient | undefined {
  let known = recipients.get(world);
  if (!known) {
    known = new Map();
    for (const { personId, addresses } of world.data.people)
      for (const one of Object.values(addresses))
        known.set(one, { audience: 'people', recipientId: personId });
    for (const { householdId, address: one } of world.data.households)
      known.set(one, { audience: 'households', recipientId: householdId });
    recipients.set(world, known);
  }
  return known.get(address);
}
