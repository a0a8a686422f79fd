/** One warning of a rehearsal: its units, its facts, and the turns of the real cascade over them. */
import { turnCell, type Letter, type Need, type Supply, type UnitSend } from '../cascade.ts';
import { guard, type AnswerFact, type DropReason, type Purpose } from '../guard.ts';
import type { Ending } from '../revisions.ts';
import type { Rules } from '../rules.ts';
import type { StoryEnd } from '../scenario-story.ts';
import { rootsCell, TIERS } from '../tiers.ts';
import type { Instant } from '../time.ts';
import { newUnit, nextDeadline, type UnitId, type UnitState } from '../unit.ts';
import { scopeOf, type PersonId, type Tree } from './tree.ts';

/** A warning of the story with everything found that it names. */
export type RehearsedWarning = {
  name: string;
  at: Instant;
  endsAt: Instant;
  end: StoryEnd;
  /** The warning that takes its place; null where none does. */
  successor: number | null;
  /** The warning in whose place it came, and whether answers to that stand for this one. */
  predecessor: { index: number; answersStand: boolean } | null;
  rules: Rules;
  areas: readonly UnitId[];
};

/** What a turn needs of the rehearsal around it: who is reached by sends. Gives back how many deliveries each comes to. */
export type Plan = (sends: readonly UnitSend[]) => number[];

/** Everything that is counted while a warning runs. */
export type Counts = {
  /** Messages handed over, by purpose. */
  messages: Partial<Record<Purpose, number>>;
  dropped: number;
  failed: number;
  /** Handed over although the warning had ended: must stay 0. */
  afterEnd: number;
  lateAnswers: number;
  households: number;
  householdsToldAt: Instant | null;
  corrections: number;
  correctedAt: Instant | null;
};

/** Words a person has said in this warning. */
export const SAID = { received: 1, done: 2 } as const;

const LOWEST_OFFICIAL = TIERS.findLast(({ role }) => role === 'official')?.id ?? '';

/** What is reported of a warning, whether it was rehearsed or is on record. */
export type RunRecord = {
  warning: Pick<RehearsedWarning, 'name' | 'at' | 'endsAt'> & {
    end: StoryEnd | 'open';
    rules: Pick<Rules, 'level'>;
  };
  scope: Uint8Array;
  units: readonly (UnitState | undefined)[];
  counts: Counts;
};

/** Hears of a unit's change: as it was, as it is. */
export type UnitWitness = (run: WarningRun, before: UnitState, after: UnitState, now: Instant) => void;

export class WarningRun {
  readonly index: number;
  readonly warning: RehearsedWarning;
  readonly scope: Uint8Array;
  /** At the place of their id; a unit that nothing has happened to is not there. */
  readonly units: (UnitState | undefined)[];
  readonly said: Uint8Array;
  /** By which channels a person was told, a bit each. */
  readonly toldBy: Uint8Array;
  readonly counts: Counts;
  endedAt: Instant | null = null;
  begun = false;
  private readonly tree: Tree;
  private readonly witness: UnitWitness | null;
  private readonly subordinates: (readonly UnitId[])[] | null;
  private readonly timerAt: Float64Array;
  private readonly facts = new Map<UnitId, AnswerFact[]>();
  private mail: Letter[] = [];
  private due: UnitId[] = [];

  constructor(index: number, warning: RehearsedWarning, tree: Tree, witness: UnitWitness | null = null) {
    this.witness = witness;
    this.index = index;
    this.warning = warning;
    this.tree = tree;
    this.scope = scopeOf(tree, warning.areas);
    const whole = this.scope.every((inside) => inside === 1);
    this.subordinates = whole
      ? null
      : tree.subordinates.map((below) => below.filter((unitId) => this.scope[unitId] === 1));
    this.units = new Array<UnitState | undefined>(tree.units.length);
    this.timerAt = new Float64Array(tree.units.length).fill(Infinity);
    this.said = new Uint8Array(tree.personKeys.length);
    this.toldBy = new Uint8Array(tree.personKeys.length);
    this.counts = {
      messages: {},
      dropped: 0,
      failed: 0,
      afterEnd: 0,
      lateAnswers: 0,
      households: 0,
      householdsToldAt: null,
      corrections: 0,
      correctedAt: null,
    };
  }

  /**
   * The letters that open a warning, by the rule of `publishWarning`: every cell's root at once where no tier above it has to be
   * waited for.
   */
  open(): void {
    this.begun = true;
    const waits = (unitId: UnitId | null): boolean => {
      if (unitId === null) return false;
      const unit = this.tree.units[unitId];
      if (!unit) return false;
      return this.warning.rules.descendWaitMs[unit.tier] !== undefined || waits(unit.superiorId);
    };
    for (const { unitId, tier, superiorId } of this.tree.units) {
      if (this.scope[unitId] === 1 && rootsCell(tier) && !waits(superiorId))
        this.post({ unitId, message: { kind: 'opened' } });
    }
  }

  end(at: Instant): void {
    this.endedAt = at;
    for (const unit of this.units)
      if (unit) this.post({ unitId: unit.unitId, message: { kind: this.ending } });
  }

  /** A retraction is a cancel with a correction of its own. */
  private get ending(): Ending {
    return this.warning.end === 'retracted' ? 'cancelled' : this.warning.end;
  }

  /** What was said of the superseded warning stands for this one, which asks for nothing else. */
  carry(before: WarningRun): void {
    for (const [unitId, facts] of before.facts) {
      if (this.scope[unitId] !== 1) continue;
      for (const fact of facts) this.fact({ ...fact, carried: true });
      const last = facts.at(-1);
      if (!last || last.kind === 'cannot act') continue;
      const answer = facts.some(({ kind }) => kind === 'done') ? 'done' : 'received';
      this.post({ unitId, message: { kind: 'answered', at: last.at, answer, carried: true } });
    }
    this.said.set(before.said);
  }

  post(letter: Letter): void {
    this.mail.push(letter);
  }

  /** A timer that was planned goes off; gives back when to ask again where it was moved meanwhile. */
  timer(unitId: UnitId, now: Instant): Instant | null {
    const unit = this.units[unitId];
    const at = unit ? nextDeadline(unit) : null;
    this.timerAt[unitId] = at !== null && at > now ? at : Infinity;
    if (at === null || at > now) return at;
    this.due.push(unitId);
    return null;
  }

  get waiting(): boolean {
    return this.mail.length > 0 || this.due.length > 0;
  }

  fact(fact: AnswerFact): void {
    const known = this.facts.get(fact.unitId);
    if (known) known.push(fact);
    else this.facts.set(fact.unitId, [fact]);
  }

  /** The guard of a send, over the facts of this rehearsal. */
  guarded(purpose: Purpose, unitId: UnitId, recipientId: PersonId, now: Instant): DropReason | null {
    return guard({
      purpose,
      warning: {
        status: this.endedAt === null ? 'open' : this.ending,
        // An end that nobody has spoken yet stops nothing: only the real expiry is known beforehand.
        expiresAt: this.warning.end === 'expired' ? this.warning.endsAt : Infinity,
      },
      now,
      recipientId,
      answers: this.facts.get(unitId) ?? [],
    });
  }

  /**
   * One turn of the real cascade with all letters and timers of this instant; `timers` hears when a unit is next due. Gives back the
   * units of the lowest official tier that were opened: their households are told.
   */
  turn(now: Instant, plan: Plan, timers: (at: Instant, unitId: UnitId) => void): UnitId[] {
    const { mail, due } = this;
    this.mail = [];
    this.due = [];
    const turn = turnCell(mail, { rules: this.warning.rules, now, most: Infinity });
    let next = turn.next();
    while (!next.done) next = turn.next(this.supply(next.value, due, plan));
    const opened: UnitId[] = [];
    for (const unit of next.value.changed) {
      const { unitId } = unit;
      if (unit.tier === LOWEST_OFFICIAL && unit.openedAt !== null && this.units[unitId]?.openedAt == null)
        opened.push(unitId);
      this.witness?.(this, this.unit(unitId), unit, now);
      this.units[unitId] = unit;
      const at = nextDeadline(unit);
      if (at !== null && at < (this.timerAt[unitId] ?? Infinity)) {
        this.timerAt[unitId] = at;
        timers(Math.max(at, now), unitId);
      }
    }
    const [dead] = next.value.dead;
    if (dead) throw new Error(`the cascade failed on ${dead.letter.message.kind}: ${dead.reason}`);
    return opened;
  }

  subordinatesOf(unitId: UnitId): readonly UnitId[] {
    return (this.subordinates ?? this.tree.subordinates)[unitId] ?? [];
  }

  private supply(need: Need, due: readonly UnitId[], plan: Plan): Supply {
    switch (need.kind) {
      case 'units':
        return { kind: 'units', units: need.unitIds.map((unitId) => this.unit(unitId)) };
      case 'subordinates':
        return {
          kind: 'subordinates',
          subordinates: new Map(need.unitIds.map((unitId) => [unitId, this.subordinatesOf(unitId)])),
        };
      case 'recipients':
        return { kind: 'recipients', deliveries: plan(need.sends) };
      case 'due':
        return { kind: 'due', unitIds: [...due], outages: [] };
      default:
        return need satisfies never;
    }
  }

  private unit(unitId: UnitId): UnitState {
    const known = this.units[unitId];
    if (known) return known;
    const place = this.tree.units[unitId];
    if (!place) throw new RangeError(`no unit ${unitId} in this tree`);
    return newUnit({
      unitId,
      tier: place.tier,
      superiorId: place.superiorId,
      subordinates: this.subordinatesOf(unitId).length,
    });
  }
}
