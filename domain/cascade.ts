/**
 * One turn of a cell: letters in, transitions, sends and letters out.
 *
 * It is a generator, so that the very same lines run over PostgreSQL (`activities/step.ts` answers each need by a query),
 * over memory in the property tests, and in virtual time: `turnCell` says what it needs to know, the driver tells it.
 * Letters between units of one cell are delivered inside the turn, wave by wave; letters to other cells, and what is
 * past the limit, come out and go to inboxes.
 */
import {
  advance,
  messageOrder,
  nextDeadline,
  type Message,
  type Send,
  type UnitId,
  type UnitState,
} from './unit.ts';
import type { Outage } from './outages.ts';
import type { Rules } from './rules.ts';
import type { Instant } from './time.ts';

export type Letter = { unitId: UnitId; message: Message };

export type UnitSend = { unitId: UnitId; send: Send };

/** What the turn must know before it goes on; the driver answers with the matching `Supply`. */
export type Need =
  /** The states of these units; a unit of another cell is left out of the answer. */
  | { kind: 'units'; unitIds: UnitId[] }
  /** The units of this warning directly below each of these. */
  | { kind: 'subordinates'; unitIds: UnitId[] }
  /** How many deliveries each send comes to: the people it can reach. The driver keeps whom it found. */
  | { kind: 'recipients'; sends: UnitSend[] }
  /**
   * Units of this cell with a timer due and no letter waiting, at most so many; and where there are any, the outages of
   * answer intake since the warning was issued.
   */
  | { kind: 'due'; most: number };

export type Supply =
  | { kind: 'units'; units: UnitState[] }
  | { kind: 'subordinates'; subordinates: ReadonlyMap<UnitId, readonly UnitId[]> }
  | { kind: 'recipients'; deliveries: number[] }
  | { kind: 'due'; unitIds: UnitId[]; outages: readonly Outage[] };

export type TurnResult = {
  changed: UnitState[];
  /** For other cells, and for this one where the limit was reached. */
  letters: Letter[];
  /** Letters on which `advance` threw; whom the unit reports to has been told that it is silent. */
  dead: { letter: Letter; reason: string }[];
  /** All letters taken, in the order they were taken: with the rules and `now`, the whole input of the turn. */
  taken: Letter[];
};

/**
 * Takes the letters, then what is due, until nothing is left or `most` letters were taken.
 * `machine` is for tests that watch the transitions, or break them on purpose; @default `advance`.
 */
export function* turnCell(
  letters: readonly Letter[],
  input: { rules: Rules; now: Instant; most: number; machine?: typeof advance },
): Generator<Need, TurnResult, Supply> {
  const turn = new CellTurn(letters, input);
  yield* turn.deliver(letters, input.most);
  if (turn.left.length === 0) {
    const due = yield* ask({ kind: 'due', most: Math.max(0, input.most - turn.taken.length) }, 'due');
    yield* turn.deliver(
      due.unitIds.map((unitId) => ({ unitId, message: deadlineWith(due.outages) })),
      input.most,
    );
  }
  return turn.result();
}

class CellTurn {
  readonly taken: Letter[] = [];
  left: Letter[] = [];
  private readonly units = new Map<UnitId, UnitState>();
  private readonly changed = new Set<UnitId>();
  private readonly foreign = new Set<UnitId>();
  private readonly abroad: Letter[] = [];
  private readonly dead: { letter: Letter; reason: string }[] = [];
  private readonly rules: Rules;
  private readonly now: Instant;
  private readonly machine: typeof advance;
  private readonly given: ReadonlySet<Letter>;

  constructor(given: readonly Letter[], input: { rules: Rules; now: Instant; machine?: typeof advance }) {
    this.given = new Set(given);
    this.rules = input.rules;
    this.now = input.now;
    this.machine = input.machine ?? advance;
  }

  result(): TurnResult {
    const changed = [...this.changed]
      .map((unitId) => this.units.get(unitId))
      .filter((unit) => unit !== undefined);
    return { changed, letters: [...this.abroad, ...this.left], dead: this.dead, taken: this.taken };
  }

  *deliver(letters: readonly Letter[], most: number): Generator<Need, void, Supply> {
    let wave = [...letters];
    while (wave.length > 0) {
      const room = Math.max(0, most - this.taken.length);
      const inOrder = wave.sort(byOrder);
      yield* this.load(inOrder.slice(0, room));
      const outcome = this.advanceAll(inOrder.slice(0, room));
      const planned = yield* this.plan(outcome.sends);
      const below = yield* this.lettersBelow(outcome.below);
      const next = [...outcome.letters, ...below, ...planned];
      if (room === 0) {
        this.left.push(...inOrder);
        return;
      }
      wave = [...inOrder.slice(room), ...next];
    }
  }

  private *load(letters: readonly Letter[]): Generator<Need, void, Supply> {
    const missing = new Set<UnitId>();
    for (const { unitId } of letters) {
      if (!this.units.has(unitId) && !this.foreign.has(unitId)) missing.add(unitId);
    }
    if (missing.size === 0) return;
    const supply = yield* ask({ kind: 'units', unitIds: [...missing] }, 'units');
    for (const unit of supply.units) {
      this.units.set(unit.unitId, unit);
      missing.delete(unit.unitId);
    }
    for (const unitId of missing) this.foreign.add(unitId);
  }

  private advanceAll(letters: readonly Letter[]) {
    const out = { sends: [] as UnitSend[], below: [] as Letter[], letters: [] as Letter[] };
    for (const letter of letters) {
      const unit = this.units.get(letter.unitId);
      if (!unit) {
        // Sent on, a letter that came here for a unit that is not here would come back: the tree was changed meanwhile.
        if (this.given.has(letter)) this.dead.push({ letter, reason: 'the unit is not of this cell' });
        else this.abroad.push(letter);
        continue;
      }
      this.taken.push(letter);
      try {
        const { unit: after, sends, messages } = this.machine(unit, letter.message, this.rules, this.now);
        this.units.set(unit.unitId, after);
        this.changed.add(unit.unitId);
        for (const send of sends) out.sends.push({ unitId: unit.unitId, send });
        for (const outgoing of messages) {
          if (outgoing.to === 'unit')
            out.letters.push({ unitId: outgoing.unitId, message: outgoing.message });
          else out.below.push({ unitId: unit.unitId, message: outgoing.message });
        }
      } catch (error) {
        this.dead.push({ letter, reason: error instanceof Error ? error.message : String(error) });
        const reportsTo = unit.reportsTo ?? unit.superiorId;
        if (reportsTo !== null) {
          out.letters.push({
            unitId: reportsTo,
            message: { kind: 'subordinate silent', unitId: unit.unitId },
          });
        }
      }
    }
    return out;
  }

  private *plan(sends: UnitSend[]): Generator<Need, Letter[], Supply> {
    if (sends.length === 0) return [];
    const { deliveries } = yield* ask({ kind: 'recipients', sends }, 'recipients');
    return sends.flatMap(({ unitId, send }, index): Letter[] =>
      send.kind === 'rung'
        ? [{ unitId, message: { kind: 'planned', rung: send.rung, deliveries: deliveries[index] ?? 0 } }]
        : [],
    );
  }

  private *lettersBelow(below: Letter[]): Generator<Need, Letter[], Supply> {
    if (below.length === 0) return [];
    const unitIds = [...new Set(below.map((letter) => letter.unitId))];
    const { subordinates } = yield* ask({ kind: 'subordinates', unitIds }, 'subordinates');
    return below.flatMap(({ unitId, message }) =>
      (subordinates.get(unitId) ?? []).map((subordinate) => ({ unitId: subordinate, message })),
    );
  }
}

/** The earliest timer among these units; null where none is set. */
export function earliestDeadline(units: Iterable<UnitState>): Instant | null {
  let earliest: Instant | null = null;
  for (const unit of units) {
    const at = nextDeadline(unit);
    if (at !== null && (earliest === null || at < earliest)) earliest = at;
  }
  return earliest;
}

/** What stops a send comes before what causes one; of one unit's letters of a kind the earlier word comes first. */
function byOrder(one: Letter, other: Letter): number {
  return (
    messageOrder(one.message.kind) - messageOrder(other.message.kind) ||
    one.unitId - other.unitId ||
    spokenAt(one.message) - spokenAt(other.message)
  );
}

function spokenAt(message: Message): Instant {
  return 'at' in message ? message.at : 0;
}

/** With the outages, so that the audit holds all that the transition was decided by. */
function deadlineWith(outages: readonly Outage[]): Message {
  return outages.length > 0 ? { kind: 'deadline', outages } : { kind: 'deadline' };
}

function* ask<Kind extends Need['kind']>(
  need: Need & { kind: Kind },
  kind: Kind,
): Generator<Need, Supply & { kind: Kind }, Supply> {
  const supply = yield need;
  if (supply.kind !== kind) throw new TypeError(`the driver answered ${supply.kind} where ${kind} was asked`);
  return supply as Supply & { kind: Kind };
}
