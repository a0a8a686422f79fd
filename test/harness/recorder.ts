/**
 * Watches every transition of a run and keeps what the properties are about: each unit's path, its sends, whom it told,
 * and what reached it from outside. The guard stands here too, because it reads the same facts.
 */
import type { Letter, TurnResult } from '../../domain/cascade.ts';
import type { Rules } from '../../domain/rules.ts';
import type { Instant } from '../../domain/time.ts';
import type { advance, Message, Outgoing, Send, UnitId, UnitState } from '../../domain/unit.ts';
import type { World } from './world.ts';

export type Fact = { at: Instant; cannotAct: boolean };

export type SendRecord = { unitId: UnitId; at: Instant; send: Send; dropped: boolean };

export type RungRecord = { rung: number; at: Instant; deliveries: number };

export type TellRecord = { from: UnitId; to: UnitId; at: Instant; kind: Message['kind'] };

/** A letter of a channel or a person, and when it reached the inbox. */
export type Arrival = { at: Instant; message: Message };

/** All of one unit's run. */
export type Life = {
  path: string[];
  rungs: RungRecord[];
  sends: SendRecord[];
  /** What it told to units above. */
  tells: TellRecord[];
  /** What it was told from below. */
  troubles: TellRecord[];
  arrivals: Arrival[];
  facts: Fact[];
  /** When it came to stand as answered, and when it no longer did. */
  turns: { at: Instant; to: 'answered' | 'reopened' }[];
  /** As it stood when it ended, and after all that came later. */
  last: UnitState | null;
  final: UnitState | null;
  endedAt: Instant;
};

export type History = {
  world: World;
  lives: ReadonlyMap<UnitId, Life>;
  /** When the warning ended by the facts. */
  endsAt: Instant;
  atRest: boolean;
  /** What no transition may do, seen while it was done. */
  faults: string[];
  /** Units that would wait for ever: something is left to do, and no timer stands for it. */
  stuck: string[];
};

export class Recorder {
  private readonly world: World;
  private readonly real: typeof advance;
  private readonly lives = new Map<UnitId, Life>();
  private readonly faults: string[] = [];
  private readonly stuck: string[] = [];
  private endsAt: Instant = Infinity;

  constructor(world: World, machine: typeof advance) {
    this.world = world;
    this.real = machine;
    for (const unitId of world.places.keys()) this.lives.set(unitId, newLife());
  }

  /** The machine under test, watched. */
  readonly machine: typeof advance = (unit, message, rules, now) => {
    const result = this.real(unit, message, rules, now);
    this.watch(unit, result.unit, now);
    for (const send of result.sends) this.sent(unit.unitId, send, now);
    for (const outgoing of result.messages) this.told(unit.unitId, outgoing, now);
    return result;
  };

  history(units: ReadonlyMap<UnitId, UnitState>, atRest: boolean): History {
    for (const [unitId, unit] of units) {
      const life = this.life(unitId);
      life.final = unit;
      life.last ??= unit;
      life.path = inOrder(life.path);
    }
    return {
      world: this.world,
      lives: this.lives,
      endsAt: this.endsAt,
      atRest,
      faults: this.faults,
      stuck: this.stuck,
    };
  }

  // ── facts and the guard ─────────────────────────────────────────────────────────────────────────────────

  fact(unitId: UnitId, fact: Fact): void {
    this.life(unitId).facts.push(fact);
  }

  warningEnds(at: Instant): void {
    this.endsAt = Math.min(this.endsAt, at);
  }

  /** True where the guard drops the message: the same facts, and the same rule, as `domain/guard.ts`. */
  guarded(unitId: UnitId, purpose: Send['kind'], now: Instant): boolean {
    if (this.endsAt <= now) return true;
    return (purpose === 'rung' || purpose === 'bridge notice') && standsAnswered(this.life(unitId).facts);
  }

  arrived({ unitId, message }: Letter, at: Instant): void {
    this.life(unitId).arrivals.push({ at, message });
  }

  planned(unitId: UnitId, rung: number, deliveries: number): void {
    for (const record of this.life(unitId).rungs) if (record.rung === rung) record.deliveries = deliveries;
  }

  dead(dead: TurnResult['dead']): void {
    for (const { letter, reason } of dead) {
      this.faults.push(`unit ${letter.unitId} failed on ${letter.message.kind}: ${reason}`);
    }
  }

  // ── transitions ─────────────────────────────────────────────────────────────────────────────────────────

  private watch(before: UnitState, after: UnitState, now: Instant): void {
    if (before === after) return;
    const life = this.life(after.unitId);
    const note = (what: string) => life.path.push(`${now} ${what}`);
    if (after.rung !== before.rung) {
      note(`rung ${after.rung} begun`);
      life.rungs.push({ rung: after.rung, at: now, deliveries: 0 });
      if (after.rung !== before.rung + 1)
        this.faults.push(`unit ${after.unitId} skipped from rung ${before.rung} to ${after.rung}`);
    }
    if (after.openedAt !== before.openedAt) note('opened');
    if (after.silentAt !== before.silentAt) note('silent');
    if (after.bridgedAt !== before.bridgedAt) note('bridged');
    if (after.concluded !== before.concluded) note('concluded');
    if (after.reportsTo !== before.reportsTo) note(`reports to ${after.reportsTo}`);
    if (after.status !== before.status && after.ended === null) {
      if (after.status === 'answered') life.turns.push({ at: now, to: 'answered' });
      else if (before.status === 'answered') life.turns.push({ at: now, to: 'reopened' });
      note(`now ${after.status}`);
    }
    if (after.ended !== before.ended) {
      note(`ended: ${after.ended}`);
      life.last = before;
      life.endedAt = now;
    }
    this.onlyRises(before, after);
    const missing = missingTimer(after, this.world.rules);
    if (missing !== null) this.stuck.push(`unit ${after.unitId} at ${now}: ${missing}`);
  }

  private onlyRises(before: UnitState, after: UnitState): void {
    const fault = (what: string) => this.faults.push(`unit ${after.unitId}: ${what}`);
    for (const key of ['openedAt', 'silentAt', 'bridgedAt', 'ended'] as const) {
      if (before[key] !== null && after[key] !== before[key]) fault(`${key} changed`);
    }
    for (const key of ['toldAt', 'answeredAt', 'cannotActAt'] as const) {
      if (before[key] !== null && (after[key] === null || after[key] > before[key]))
        fault(`${key} moved later`);
    }
    for (const key of ['concluded', 'descended', 'endReportSent'] as const) {
      if (before[key] && !after[key]) fault(`${key} was taken back`);
    }
    if (after.ended && Object.values(after.timers).some((at) => at !== null))
      fault('a timer is set after the end');
  }

  private sent(unitId: UnitId, send: Send, now: Instant): void {
    const life = this.life(unitId);
    const dropped = this.guarded(unitId, send.kind, now);
    life.sends.push({ unitId, at: now, send, dropped });
    if (!dropped) life.path.push(`${now} sends ${keyOf(send)}`);
  }

  private told(from: UnitId, outgoing: Outgoing, now: Instant): void {
    const life = this.life(from);
    const { message } = outgoing;
    if (outgoing.to === 'subordinates') {
      life.path.push(`${now} tells subordinates ${message.kind}`);
      return;
    }
    life.path.push(`${now} tells ${outgoing.unitId} ${message.kind}`);
    const record = { from, to: outgoing.unitId, at: now, kind: message.kind };
    life.tells.push(record);
    if (message.kind !== 'subordinate concluded') this.life(outgoing.unitId).troubles.push(record);
  }

  private life(unitId: UnitId): Life {
    const life = this.lives.get(unitId);
    if (!life) throw new RangeError(`no unit ${unitId} in this world`);
    return life;
  }
}

/** What a unit waits for without a timer; null where each thing left to do has one. */
function missingTimer({ timers, ...unit }: UnitState, { ladder, endReport }: Rules): string | null {
  if (unit.ended) return null;
  const climbs = unit.status === 'open' && unit.rung < ladder.length;
  if (climbs && timers.handOffBy === null && timers.answerBy === null)
    return `rung ${unit.rung} has no deadline`;
  if (unit.openedAt === null) return null;
  if (!unit.descended && timers.descendAt === null) return 'those below are never opened';
  const reports = endReport.tiers.includes(unit.tier) && !unit.endReportSent;
  if (reports && timers.endReportAt === null) return 'the end report is never due';
  const passed = unit.bridgedAt !== null && unit.superiorId !== null;
  const untold = unit.silentBelow > unit.silentBelowTold && !passed;
  return untold && timers.digestAt === null ? 'trouble below is never told' : null;
}

/** What makes a send one of its kind: two with the same key would be one message, and the second be lost. */
export function keyOf(send: Send): string {
  if (send.kind === 'rung') return `rung ${send.rung}`;
  return 'number' in send ? `${send.kind} ${send.number}` : send.kind;
}

/** The last word counts; of two in one millisecond *cannot act* does. */
export function standsAnswered(facts: readonly Fact[]): boolean {
  let last: Fact | null = null;
  for (const fact of facts) {
    if (!last || fact.at > last.at || (fact.at === last.at && fact.cannotAct)) last = fact;
  }
  return last !== null && !last.cannotAct;
}

function newLife(): Life {
  return {
    path: [],
    rungs: [],
    sends: [],
    tells: [],
    troubles: [],
    arrivals: [],
    facts: [],
    turns: [],
    last: null,
    final: null,
    endedAt: Infinity,
  };
}

/**
 * A path with its entries in order. Of one instant's changes of address only the furthest counts: two bridges of one
 * instant may reach a unit one by one or at once.
 */
function inOrder(path: readonly string[]): string[] {
  const entries = new Map<string, string>();
  for (const entry of path) {
    const address = /^(\d+ (?:reports to|sends bridge notice)) /.exec(entry);
    entries.set(address?.[1] ?? entry, entry);
  }
  return [...entries.values()].sort();
}
