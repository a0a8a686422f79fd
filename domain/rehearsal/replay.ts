/**
 * Replays a recorded run. The audit keeps every letter that a step took, in order, with the step's time; with the tree and the
 * warning's rules that is the whole input of every transition, so that the same machine must give the same path for every unit.
 * Letters between units are in the record too: each must have been written by a unit before, or the record is not what happened.
 */
import type { Letter } from '../cascade.ts';
import type { Rules } from '../rules.ts';
import { rootsCell, type TierId } from '../tiers.ts';
import { readLetter, type RecordedLetter } from '../step-record.ts';
import type { Instant } from '../time.ts';
import { advance, movedByPause, newUnit, type Message, type UnitId, type UnitState } from '../unit.ts';

/** The units of a warning: those in its areas and on the way down to them, with those of them directly below each. */
export type ReplayTree = ReadonlyMap<
  UnitId,
  { tier: TierId; superiorId: UnitId | null; subordinates: readonly UnitId[] }
>;

/**
 * What one step took, as the audit has it: its body, and its time; or that everything stood still, once for each cell. Records stand in
 * the order of their numbers.
 */
export type StepRecord = { now: Instant; letters?: readonly RecordedLetter[] | null; paused?: Span | null };

/** From the beginning of a pause, or of the gap of a drill, until its end. */
type Span = { from: Instant; until: Instant };

export type Replayed = {
  /** Units that anything happened to. */
  units: ReadonlyMap<UnitId, UnitState>;
  /** What happened to each unit, in order. */
  paths: ReadonlyMap<UnitId, readonly PathEntry[]>;
  /** Letters between units that no unit had written. */
  unexplained: Letter[];
  /** Letters that units wrote and no step took. */
  untaken: Letter[];
};

export type PathEntry = { at: Instant; what: string };

/** Message kinds that come from outside of the machine: people, channels, the clock, the warning's end. */
const FROM_OUTSIDE: ReadonlySet<Message['kind']> = new Set([
  'cancelled',
  'superseded',
  'expired',
  'answered',
  'cannot act',
  'planned',
  'handed off',
  'exhausted',
  'households told',
  'deadline',
]);

/** Fields whose change is a step on a unit's path. */
const ON_THE_PATH = [
  'status',
  'rung',
  'openedAt',
  'toldAt',
  'silentAt',
  'bridgedAt',
  'reportsTo',
  'concluded',
  'overdueAt',
  'ended',
] as const satisfies readonly (keyof UnitState)[];

export type PathField = (typeof ON_THE_PATH)[number];

/** What a transition changed of a unit's path. */
export function changesBetween(
  before: UnitState,
  after: UnitState,
): { field: PathField; value: UnitState[PathField] }[] {
  return ON_THE_PATH.filter((field) => before[field] !== after[field]).map((field) => ({
    field,
    value: after[field],
  }));
}

/** Replays the records of one warning. Throws a RangeError where one names a unit that the tree has not. */
export function replay(tree: ReplayTree, rules: Rules, records: readonly StepRecord[]): Replayed {
  const player = new Player(tree, rules);
  for (const { now, letters, paused } of records) {
    if (paused) player.pause(paused);
    for (const letter of letters ?? []) player.take(readLetter(letter), now);
  }
  return player.replayed();
}

class Player {
  private readonly tree: ReplayTree;
  private readonly rules: Rules;
  private readonly units = new Map<UnitId, UnitState>();
  private readonly paths = new Map<UnitId, PathEntry[]>();
  private readonly unexplained: Letter[] = [];
  /** Letters under way, and how many of each. */
  private readonly underWay = new Map<string, { letter: Letter; count: number }>();
  private readonly pauses = new Set<string>();

  constructor(tree: ReplayTree, rules: Rules) {
    this.tree = tree;
    this.rules = rules;
  }

  take(letter: Letter, now: Instant): void {
    this.explain(letter);
    const before = this.unit(letter.unitId);
    try {
      const { unit, messages } = advance(before, letter.message, this.rules, now);
      this.units.set(unit.unitId, unit);
      this.note(before, unit, now);
      for (const outgoing of messages) {
        const to =
          outgoing.to === 'unit' ? [outgoing.unitId] : (this.tree.get(letter.unitId)?.subordinates ?? []);
        for (const unitId of to) this.write({ unitId, message: outgoing.message });
      }
    } catch {
      // A dead letter, as in the turn: whom the unit reports to hears that it is silent.
      const reportsTo = before.reportsTo ?? before.superiorId;
      if (reportsTo !== null)
        this.write({ unitId: reportsTo, message: { kind: 'subordinate silent', unitId: before.unitId } });
    }
  }

  /** A pause moves the timers of all units at its end, when no step runs. */
  pause({ from, until }: Span): void {
    const key = `${from} ${until}`;
    if (this.pauses.has(key)) return;
    this.pauses.add(key);
    for (const [unitId, unit] of this.units) this.units.set(unitId, movedByPause(unit, { from, until }));
  }

  replayed(): Replayed {
    const untaken = [...this.underWay.values()].flatMap(({ letter, count }) =>
      Array.from({ length: count }, () => letter),
    );
    return { units: this.units, paths: this.paths, unexplained: this.unexplained, untaken };
  }

  private write(letter: Letter): void {
    const key = keyOf(letter);
    const known = this.underWay.get(key);
    if (known) known.count += 1;
    else this.underWay.set(key, { letter, count: 1 });
  }

  private explain(letter: Letter): void {
    if (FROM_OUTSIDE.has(letter.message.kind)) return;
    const key = keyOf(letter);
    const known = this.underWay.get(key);
    if (known && known.count > 1) known.count -= 1;
    else if (known) this.underWay.delete(key);
    else if (!this.opensCell(letter)) this.unexplained.push(letter);
  }

  /** The letter that opens a cell comes with the warning, and once more from the tier above. */
  private opensCell({ unitId, message }: Letter): boolean {
    const place = this.tree.get(unitId);
    return (
      message.kind === 'opened' && place !== undefined && (place.superiorId === null || rootsCell(place.tier))
    );
  }

  private note(before: UnitState, after: UnitState, at: Instant): void {
    for (const { field, value } of changesBetween(before, after)) {
      const path = this.paths.get(after.unitId);
      const entry = { at, what: `${field} ${value}` };
      if (path) path.push(entry);
      else this.paths.set(after.unitId, [entry]);
    }
  }

  private unit(unitId: UnitId): UnitState {
    const known = this.units.get(unitId);
    if (known) return known;
    const place = this.tree.get(unitId);
    if (!place) throw new RangeError(`unit ${unitId} is not of this warning`);
    const { tier, superiorId, subordinates } = place;
    return newUnit({ unitId, tier, superiorId, subordinates: subordinates.length });
  }
}

/** The same for the same letter, whatever order a database gives the keys back in. */
function keyOf({ unitId, message }: Letter): string {
  return `${unitId} ${JSON.stringify(Object.entries(message).sort(([one], [other]) => (one < other ? -1 : 1)))}`;
}
