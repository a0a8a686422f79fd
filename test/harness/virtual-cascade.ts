/**
 * A whole cascade in memory and virtual time: the real `turnCell` over inboxes of any partition into cells.
 *
 * It behaves as PostgreSQL and the workers do, and settles what is a tie there by the documented rule: at one instant all
 * mail of all cells is taken before any deadline, and deadlines fire one by one. Within mail nothing is promised about
 * order: cells take turns at random, batches are shuffled, and a turn stops after `most` letters.
 */
import { turnCell, type Letter, type Need, type Supply } from '../../domain/cascade.ts';
import type { Ending } from '../../domain/revisions.ts';
import type { Instant } from '../../domain/time.ts';
import { advance, nextDeadline, newUnit, type UnitId, type UnitState } from '../../domain/unit.ts';
import { Agenda } from './agenda.ts';
import { shuffle, streamOf } from './random.ts';
import { Recorder, type History } from './recorder.ts';
import type { DeliveryModel, Word, World } from './world.ts';

export type Machine = typeof advance;

/** How one world is run: the part that must make no difference. */
export type Running = {
  /** The root of each unit's cell. */
  cellOf: ReadonlyMap<UnitId, UnitId>;
  /** Letters a turn takes at most: drawn anew for each turn. */
  most: () => number;
  random: () => number;
  shuffled: boolean;
  /** All deadlines of a cell that are due in one instant fire in one turn: then ties between deadlines are anybody's. */
  together: boolean;
};

type Happening =
  | { kind: 'letter'; letter: Letter }
  /** `saidAt` of the superseded warning, where it was carried over. */
  | { kind: 'word'; unitId: UnitId; word: Word; saidAt?: Instant }
  | { kind: 'attempt'; unitId: UnitId; rung: number; model: DeliveryModel }
  | { kind: 'timer'; unitId: UnitId }
  | { kind: 'end'; how: Ending };

/** No cascade of 200 units needs more turns; past it the machine does not come to rest. */
const TURNS_MAX = 200_000;

/** One cell, nothing shuffled, no limit: what the other runs are compared with. */
export function plainRunning(world: World): Running {
  return {
    cellOf: new Map([...world.places.keys()].map((unitId) => [unitId, 0])),
    most: () => 1_000,
    random: () => 0,
    shuffled: false,
    together: false,
  };
}

/** A random connected partition: each unit roots a cell of its own or belongs to its superior's. */
export function randomRunning(world: World, seed: number, together = false): Running {
  const random = streamOf(seed);
  const share = random() < 0.2 ? 1 : random();
  const cellOf = new Map<UnitId, UnitId>();
  for (const { unitId, superiorId } of world.places.values()) {
    const above = superiorId === null ? undefined : cellOf.get(superiorId);
    cellOf.set(unitId, above === undefined || random() < share ? unitId : above);
  }
  const limit = 1 + Math.floor(random() * 50);
  return { cellOf, most: () => 1 + Math.floor(random() * limit), random, shuffled: true, together };
}

export function runCascade(world: World, running: Running, machine: Machine = advance): History {
  return new VirtualCascade(world, running, machine).run();
}

class VirtualCascade {
  private readonly world: World;
  private readonly running: Running;
  private readonly recorder: Recorder;
  private readonly units = new Map<UnitId, UnitState>();
  private readonly agenda = new Agenda<Happening>();
  private readonly inboxes = new Map<UnitId, Letter[]>();
  private now: Instant = 0;
  private turns = 0;

  constructor(world: World, running: Running, machine: Machine) {
    this.world = world;
    this.running = running;
    this.recorder = new Recorder(world, machine);
    for (const { unitId, tier, superiorId, subordinates } of world.places.values()) {
      this.units.set(unitId, newUnit({ unitId, tier, superiorId, subordinates: subordinates.length }));
    }
  }

  run(): History {
    const { world } = this;
    for (const { unitId, superiorId } of world.places.values()) {
      if (superiorId === null)
        this.plan(world.startAt, { kind: 'letter', letter: { unitId, message: { kind: 'opened' } } });
    }
    for (const { unitId, at, word } of world.unasked) this.plan(at, { kind: 'word', unitId, word });
    for (const { unitId, at, saidAt, word } of world.carried)
      this.plan(at, { kind: 'word', unitId, word, saidAt });
    if (world.cancelAt !== null) this.plan(world.cancelAt, { kind: 'end', how: world.endsBy });
    this.plan(world.expiresAt, { kind: 'end', how: 'expired' });
    while (!this.agenda.empty && this.turns < TURNS_MAX) this.liveOneInstant();
    return this.recorder.history(this.units, this.turns < TURNS_MAX);
  }

  // ── one instant ─────────────────────────────────────────────────────────────────────────────────────────

  private liveOneInstant(): void {
    this.now = this.agenda.nextAt;
    const happenings = this.agenda.takeNext();
    const due = new Set<UnitId>();
    // Facts first: what the guard reads is committed before any step sees its letter.
    for (const { at, item } of happenings) {
      if (item.kind === 'word')
        this.hear(item.unitId, item.saidAt ?? at, item.word, item.saidAt !== undefined);
      else if (item.kind === 'end') this.end(item.how);
      else if (item.kind === 'timer') due.add(item.unitId);
    }
    for (const { item } of happenings) {
      if (item.kind === 'attempt') this.attempt(item.unitId, item.rung, item.model);
      else if (item.kind === 'letter') this.arrive(item.letter);
    }
    this.takeMail();
    for (let first = this.nextDue(due); first !== undefined; first = this.nextDue(due)) {
      this.fire(first, due);
      this.takeMail();
    }
  }

  private fire(first: UnitId, due: Set<UnitId>): void {
    const cell = this.cellOf(first);
    const mates = this.running.together
      ? shuffle(
          [...due].filter((unitId) => this.isDue(unitId) && this.cellOf(unitId) === cell),
          this.running.random,
        )
      : [first];
    for (const unitId of this.turn(cell, [], mates)) due.delete(unitId);
  }

  private hear(unitId: UnitId, at: Instant, word: Word, carried: boolean): void {
    this.recorder.fact(unitId, { at, cannotAct: word === 'cannot act' });
    this.arrive({
      unitId,
      message:
        word === 'cannot act'
          ? { kind: 'cannot act', at }
          : { kind: 'answered', at, answer: word, ...(carried && { carried }) },
    });
  }

  private arrive(letter: Letter): void {
    this.recorder.arrived(letter, this.now);
    this.post([letter]);
  }

  private end(how: Ending): void {
    this.recorder.warningEnds(this.now);
    this.post([...this.units.keys()].map((unitId): Letter => ({ unitId, message: { kind: how } })));
  }

  /** The moment at which a delivery would be handed to the channel: the guard looks at the facts once more. */
  private attempt(unitId: UnitId, rung: number, model: DeliveryModel): void {
    if (this.recorder.guarded(unitId, 'rung', this.now)) return;
    const exhausted: Letter = { unitId, message: { kind: 'exhausted', rung } };
    const settledAt = this.now + model.letterLagMs;
    if (model.outcome === 'exhausted') return this.letterAt(settledAt, exhausted);
    this.letterAt(settledAt, { unitId, message: { kind: 'handed off', rung, at: this.now } });
    if (model.bounceAfterMs !== null) this.letterAt(settledAt + model.bounceAfterMs, exhausted);
    for (const { afterMs, word } of model.words)
      this.plan(this.now + afterMs, { kind: 'word', unitId, word });
  }

  private letterAt(at: Instant, letter: Letter): void {
    if (at <= this.now) this.arrive(letter);
    else this.plan(at, { kind: 'letter', letter });
  }

  private takeMail(): void {
    const { random, shuffled } = this.running;
    while (this.inboxes.size > 0 && this.turns < TURNS_MAX) {
      const cells = [...this.inboxes.keys()];
      const cell = cells[Math.floor(random() * cells.length)] as UnitId;
      const batch = this.inboxes.get(cell) ?? [];
      this.inboxes.delete(cell);
      this.turn(cell, shuffled ? shuffle(batch, random) : batch, []);
    }
  }

  private nextDue(due: ReadonlySet<UnitId>): UnitId | undefined {
    let first: UnitId | undefined;
    for (const unitId of due)
      if (this.isDue(unitId) && (first === undefined || unitId < first)) first = unitId;
    return first;
  }

  private isDue(unitId: UnitId): boolean {
    const at = nextDeadline(this.unit(unitId));
    return at !== null && at <= this.now;
  }

  // ── one turn of one cell ────────────────────────────────────────────────────────────────────────────────

  /** Which of the units that were due were taken. */
  private turn(cell: UnitId, letters: Letter[], due: UnitId[]): UnitId[] {
    this.turns += 1;
    const { rules } = this.world;
    const most = this.running.most();
    const turn = turnCell(letters, { rules, now: this.now, most, machine: this.recorder.machine });
    let next = turn.next();
    while (!next.done) next = turn.next(this.supply(cell, next.value, due));
    for (const unit of next.value.changed) {
      this.units.set(unit.unitId, unit);
      const at = nextDeadline(unit);
      if (at !== null) this.plan(at, { kind: 'timer', unitId: unit.unitId });
    }
    this.recorder.dead(next.value.dead);
    this.post(next.value.letters);
    return due.slice(0, most);
  }

  private supply(cell: UnitId, need: Need, due: UnitId[]): Supply {
    switch (need.kind) {
      case 'units':
        return {
          kind: 'units',
          units: need.unitIds
            .filter((unitId) => this.cellOf(unitId) === cell)
            .map((unitId) => this.unit(unitId)),
        };
      case 'subordinates':
        return {
          kind: 'subordinates',
          subordinates: new Map(
            need.unitIds.map((unitId) => [unitId, this.world.places.get(unitId)?.subordinates ?? []]),
          ),
        };
      case 'recipients':
        return {
          kind: 'recipients',
          deliveries: need.sends.map(({ unitId, send }) =>
            send.kind === 'rung' ? this.send(unitId, send.rung) : 1,
          ),
        };
      case 'due':
        return { kind: 'due', unitIds: due.slice(0, need.most), outages: [] };
      default:
        return need satisfies never;
    }
  }

  /** Plans what the channel will do with each delivery of a rung; how many there are. */
  private send(unitId: UnitId, rung: number): number {
    const models = this.world.deliveries(unitId, rung);
    this.recorder.planned(unitId, rung, models.length);
    for (const model of models) {
      if (model.attemptAfterMs === null) continue;
      this.plan(this.now + model.attemptAfterMs, { kind: 'attempt', unitId, rung, model });
    }
    return models.length;
  }

  // ── small words ─────────────────────────────────────────────────────────────────────────────────────────

  /** What falls into the outage happens at its end; facts keep their own time. */
  private plan(at: Instant, item: Happening): void {
    const { outage } = this.world;
    const processedAt = outage && at >= outage.from && at < outage.to ? outage.to : at;
    this.agenda.add(Math.max(processedAt, this.now), { at, item });
  }

  private post(letters: readonly Letter[]): void {
    for (const letter of letters) {
      const cell = this.cellOf(letter.unitId);
      const inbox = this.inboxes.get(cell);
      if (inbox) inbox.push(letter);
      else this.inboxes.set(cell, [letter]);
    }
  }

  private unit(unitId: UnitId): UnitState {
    const unit = this.units.get(unitId);
    if (!unit) throw new RangeError(`no unit ${unitId} in this world`);
    return unit;
  }

  private cellOf(unitId: UnitId): UnitId {
    const cell = this.running.cellOf.get(unitId);
    if (cell === undefined) throw new RangeError(`unit ${unitId} has no cell`);
    return cell;
  }
}
