/**
 * The unit machine: the whole cascade in one pure function.
 *
 * A unit is one node of the administrative tree while one warning runs. It knows nothing of other units but that it may
 * have a superior and some subordinates; units act on each other only by messages. `advance` takes a unit, one message,
 * the warning's rules and the time, and gives back the unit as it is now, what to send, and messages for others. The same
 * function runs in the `step` activity, in the property tests and in rehearsals.
 *
 * The life of a unit:
 *
 *     waiting ──opened──► open ──answered──► answered          (an answer may also come first: waiting ► answered)
 *                          ▲                    │
 *                          └────cannot act──────┘              (what was received cannot be done: the ladder goes on)
 *
 * and from each of these `cancelled`, `superseded` or `expired` ends it. While it is open it climbs its ladder, a rung at a time: a rung
 * begins by a send, its deadline counts from the first hand-off to a channel, and the next rung begins when the deadline
 * passes, when every delivery of the rung is exhausted, or when none was handed off in time. While nobody could answer,
 * because the intake of answers was out, no deadline passes (within `EXTENSION_MS_MAX`); all other timers run on. In the quiet
 * hours of a low level no rung follows another, but for *cannot act*: somebody is awake then.
 *
 * Where the rules want it, *received* is the first of two stages: the unit is reminded until it says *done*, and its superior
 * hears when it does not.
 *
 * Messages of one instant give the same path in any order between units; within one unit `messageOrder` sorts them, and
 * of a person's words the one spoken last counts, whenever it arrives.
 */
import { EXTENSION_MS_MAX, extensionMs, type Outage } from './outages.ts';
import { quietUntil } from './quiet-hours.ts';
import type { Ending } from './revisions.ts';
import type { Channel, Rules } from './rules.ts';
import type { TierId } from './tiers.ts';
import type { Instant } from './time.ts';

export type UnitId = number;

export type AnswerKind = 'received' | 'done' | 'cannot act';

/** Everything the machine remembers of a unit. Plain JSON. Instants are milliseconds, null where it has not happened. */
export type UnitState = {
  readonly unitId: UnitId;
  readonly tier: TierId;
  readonly superiorId: UnitId | null;
  /** How many units of this warning stand directly below. */
  readonly subordinates: number;
  readonly status: 'waiting' | 'open' | 'answered';
  readonly ended: Ending | null;
  readonly openedAt: Instant | null;
  /** The first hand-off of any delivery of any rung. */
  readonly toldAt: Instant | null;
  readonly answeredAt: Instant | null;
  readonly cannotActAt: Instant | null;
  /** First said that it is done. */
  readonly doneAt: Instant | null;
  /** Reminders that it is not done yet. */
  readonly doneReminders: number;
  /** The superior was told that it is not done in time. */
  readonly overdueAt: Instant | null;
  /** When the word was spoken that counts now: the last one, in whatever order words arrive. */
  readonly heardAt: Instant | null;
  /** First passed a deadline without an answer, or was reported to its superior. It stays when an answer comes later. */
  readonly silentAt: Instant | null;
  /** Place in the ladder: -1 before the first rung, `ladder.length` past the last. */
  readonly rung: number;
  /** Deliveries of this rung that have not finally failed; null until the first is heard of. */
  readonly outstanding: number | null;
  /** By how much outages of answer intake have extended this rung's `answerBy`, and those of the rungs before. */
  readonly extendedMs: number;
  readonly extendedBeforeMs: number;
  /** This unit is a rung behind a bridge: the superior it reports to instead of the silent one. */
  readonly reportsTo: UnitId | null;
  /** Whom bridges have pointed it to, one behind the other: `reportsTo` is the last. */
  readonly bridgedTo: readonly UnitId[];
  readonly bridgedAt: Instant | null;
  /** How many of its superior and those behind it were told of its silence, nearest first. */
  readonly silenceTold: number;
  /** The same for *cannot act*. */
  readonly helpTold: number;
  readonly descended: boolean;
  readonly silentBelow: number;
  readonly silentBelowTold: number;
  readonly digests: number;
  readonly concludedBelow: number;
  readonly concluded: boolean;
  readonly endReportSent: boolean;
  /** An answer to the superseded warning stands for this one: its people are to hear of the change, or a page for them is written. */
  readonly changeNotice: 'due' | 'written' | null;
  /** From when its second stage runs, where that is not `answeredAt`: an answer carried over counts from when it came here. */
  readonly receivedAt: Instant | null;
  readonly timers: Timers;
};

/** When something is due; null where nothing is. */
export type Timers = {
  /** The current rung must have been handed to a channel by then. */
  readonly handOffBy: Instant | null;
  /** The current rung must have been answered by then. */
  readonly answerBy: Instant | null;
  /** Subordinates are opened by then, whether this unit has answered or not. */
  readonly descendAt: Instant | null;
  readonly digestAt: Instant | null;
  readonly endReportAt: Instant | null;
  /** What was received must be done by then. */
  readonly doneBy: Instant | null;
  /** Households that have not answered by then are called on. */
  readonly doorAt: Instant | null;
};

export type Message =
  | { kind: 'cancelled' }
  /** Another warning took the place of this one. */
  | { kind: 'superseded' }
  | { kind: 'expired' }
  /** `carried`: said of the superseded warning, and it stands for this one. */
  | { kind: 'answered'; at: Instant; answer: 'received' | 'done'; carried?: true }
  | { kind: 'cannot act'; at: Instant }
  /** So many deliveries were planned for a rung's send; 0 where nobody can be reached by it. */
  | { kind: 'planned'; rung: number; deliveries: number }
  | { kind: 'handed off'; rung: number; at: Instant }
  /** One delivery of the rung has finally failed. */
  | { kind: 'exhausted'; rung: number }
  | { kind: 'opened' }
  /** The households of this unit are being told since then. */
  | { kind: 'households told'; at: Instant }
  /**
   * The superior is silent: this unit is opened if it was not, and reports to the last of `bridgedTo` from now on: the
   * superior's superior, or whoever stands behind a bridge there. It is empty where nobody stands above.
   */
  | { kind: 'past you'; bridgedTo: readonly UnitId[] }
  | { kind: 'subordinate silent'; unitId: UnitId }
  | { kind: 'subordinate cannot act'; unitId: UnitId }
  | { kind: 'subordinate overdue'; unitId: UnitId }
  | { kind: 'subordinate concluded'; unitId: UnitId }
  /** Some timer may be due; with the outages of answer intake while the warning runs, if there were any. */
  | { kind: 'deadline'; outages?: readonly Outage[] };

export type Send =
  | { kind: 'rung'; rung: number; who: 'principal' | 'deputies' | 'everyone'; by: Channel[] }
  /** To people who were told by a silent superior's tier: report past it. */
  | { kind: 'bridge notice'; number: number; who: 'principal'; by: Channel[] }
  /** To a superior: which units below are silent. */
  | { kind: 'digest'; number: number; who: 'principal'; by: Channel[] }
  | { kind: 'end report'; who: 'principal'; by: Channel[] }
  /** To a unit that has received and not yet done. */
  | { kind: 'done reminder'; number: number; who: 'principal'; by: Channel[] }
  /** To a group's leader: the households that have not answered, to be called on. */
  | { kind: 'door to door'; who: 'principal'; by: Channel[] }
  /** To whoever was told of the superseded warning, by the channels they were told by: what has changed; nothing is asked. */
  | { kind: 'change notice'; who: 'told before'; by: Channel[] };

/** A message for other units, addressed by relation; the caller knows the tree. */
export type Outgoing =
  { to: 'subordinates'; message: Message } | { to: 'unit'; unitId: UnitId; message: Message };

export type Advanced = { unit: UnitState; sends: Send[]; messages: Outgoing[] };

/** A unit of a warning before anything happened to it. */
export function newUnit(input: {
  unitId: UnitId;
  tier: TierId;
  superiorId: UnitId | null;
  subordinates: number;
}): UnitState {
  // Each field by name: spread from a row of the database, the object has no fast shape, and a city has 100,000 of them.
  return {
    unitId: input.unitId,
    tier: input.tier,
    superiorId: input.superiorId,
    subordinates: input.subordinates,
    status: 'waiting',
    ended: null,
    openedAt: null,
    toldAt: null,
    answeredAt: null,
    cannotActAt: null,
    doneAt: null,
    doneReminders: 0,
    overdueAt: null,
    heardAt: null,
    silentAt: null,
    rung: -1,
    outstanding: null,
    extendedMs: 0,
    extendedBeforeMs: 0,
    reportsTo: null,
    bridgedTo: [],
    bridgedAt: null,
    silenceTold: 0,
    helpTold: 0,
    descended: false,
    silentBelow: 0,
    silentBelowTold: 0,
    digests: 0,
    concludedBelow: 0,
    concluded: false,
    endReportSent: false,
    changeNotice: null,
    receivedAt: null,
    timers: NO_TIMERS,
  };
}

const NO_TIMERS: Timers = {
  handOffBy: null,
  answerBy: null,
  descendAt: null,
  digestAt: null,
  endReportAt: null,
  doneBy: null,
  doorAt: null,
};

const TIMERS = Object.keys(NO_TIMERS) as (keyof Timers)[];

/** When the unit next needs a `deadline` message; null where nothing is due. */
export function nextDeadline(unit: UnitState): Instant | null {
  // Asked after every transition: a list of the timers would be made each time.
  let next: Instant | null = null;
  for (const name of TIMERS) {
    const at = unit.timers[name];
    if (at !== null && (next === null || at < next)) next = at;
  }
  return next;
}

/** A digest tells of what has happened already: where its time came in a pause, it goes when the pause ends. */
export const UNMOVED_TIMERS: readonly (keyof Timers)[] = ['digestAt'];

/**
 * The unit with its timers later by what a pause took of their time: all of it, or of a unit that was opened within it the rest. The
 * replay of a record moves them so; db/pauses.ts does it to all units at once.
 */
export function movedByPause(unit: UnitState, { from, until }: { from: Instant; until: Instant }): UnitState {
  if (unit.ended !== null) return unit;
  const lost = until - Math.max(from, unit.openedAt ?? 0);
  const moved = Object.entries(unit.timers).map(([name, at]) => [
    name,
    at === null || UNMOVED_TIMERS.includes(name as keyof Timers) ? at : at + lost,
  ]);
  return { ...unit, timers: Object.fromEntries(moved) as Timers };
}

const ORDER: readonly Message['kind'][] = [
  'cancelled',
  'superseded',
  'expired',
  'answered',
  'cannot act',
  'planned',
  'handed off',
  'exhausted',
  'opened',
  'households told',
  'past you',
  'subordinate silent',
  'subordinate cannot act',
  'subordinate overdue',
  'subordinate concluded',
  'deadline',
];

/**
 * Which of several messages of one instant a unit takes first: what stops a send comes before what causes one.
 * A message of a lower number is taken first.
 */
export function messageOrder(kind: Message['kind']): number {
  return ORDER.indexOf(kind);
}

/** One message, one transition. Pure; throws only where the caller broke its contract. */
export function advance(unit: UnitState, message: Message, rules: Rules, now: Instant): Advanced {
  const turn = new Turn(unit, rules, now);
  turn.take(message);
  return { unit: turn.unit, sends: turn.sends, messages: turn.messages };
}

/** The work of one `advance`: it gathers what comes out while the unit changes. */
class Turn {
  /** A copy of our own: the one that was given stays as it was. */
  readonly unit: UnitState;
  readonly sends: Send[] = [];
  readonly messages: Outgoing[] = [];
  private readonly rules: Rules;
  private readonly now: Instant;

  constructor(unit: UnitState, rules: Rules, now: Instant) {
    this.unit = { ...unit };
    this.rules = rules;
    this.now = now;
  }

  take(message: Message): void {
    switch (message.kind) {
      case 'cancelled':
      case 'superseded':
      case 'expired':
        return this.end(message.kind);
      case 'answered':
        return this.answered(message.at, message.answer, message.carried ?? false);
      case 'cannot act':
        return this.cannotAct(message.at);
      case 'planned':
        return this.planned(message.rung, message.deliveries);
      case 'handed off':
        return this.handedOff(message.rung, message.at);
      case 'exhausted':
        return this.exhausted(message.rung);
      case 'opened':
        return this.opened();
      case 'households told':
        return this.householdsTold(message.at);
      case 'past you':
        return this.pastYou(message.bridgedTo);
      case 'subordinate silent':
      case 'subordinate overdue':
        return this.troubleBelow(this.rules.digest.windowMs);
      case 'subordinate cannot act':
        return this.troubleBelow(this.rules.digest.urgentWindowMs);
      case 'subordinate concluded':
        this.change({ concludedBelow: this.unit.concludedBelow + 1 });
        return this.concludeIfComplete();
      case 'deadline':
        return this.deadline(message.outages ?? []);
      default:
        // A letter of another version, or a damaged one: the step puts it aside and goes on.
        throw new TypeError(`no such message: ${(message satisfies never as Message).kind}`);
    }
  }

  // ── opening and descending ──────────────────────────────────────────────────────────────────────────────

  private opened(): void {
    if (this.unit.openedAt !== null || this.unit.ended) return;
    const wait = this.rules.descendWaitMs[this.unit.tier];
    this.change({ openedAt: this.now });
    if (this.rules.endReport.tiers.includes(this.unit.tier) && !this.unit.concluded) {
      this.setTimers({ endReportAt: this.now + this.rules.endReport.afterMs });
    }
    if (wait === undefined || this.unit.heardAt !== null) this.descend();
    else this.setTimers({ descendAt: this.now + wait });
    if (this.unit.status !== 'waiting') return this.noticeChange();
    this.change({ status: 'open' });
    this.takeRung(0);
  }

  private descend(): void {
    if (this.unit.descended) return;
    this.change({ descended: true });
    this.setTimers({ descendAt: null });
    this.tellSubordinates({ kind: 'opened' });
  }

  // ── the ladder ──────────────────────────────────────────────────────────────────────────────────────────

  /** Begins a rung; a rung that sends to nobody waits all the same. Past the last one the unit stays open, and silent. */
  private takeRung(index: number): void {
    const { extendedMs, extendedBeforeMs } = this.unit;
    this.change({ rung: Math.min(index, this.rules.ladder.length), outstanding: null });
    this.change({ extendedMs: 0, extendedBeforeMs: extendedBeforeMs + extendedMs });
    this.setTimers({ handOffBy: null, answerBy: null });
    const rung = this.rules.ladder[index];
    if (!rung) return this.markSilent();
    if (rung.tellSuperior) this.tellSuperior();
    if (rung.bridge) this.bridge();
    if (rung.who === 'nobody') {
      this.setTimers({ answerBy: this.now + rung.waitMs });
    } else {
      this.setTimers({ handOffBy: this.now + this.rules.handOffMaxMs });
      this.sends.push({ kind: 'rung', rung: index, who: rung.who, by: rung.by });
    }
  }

  private planned(rung: number, deliveries: number): void {
    if (!this.climbing(rung)) return;
    this.change({ outstanding: (this.unit.outstanding ?? 0) + deliveries });
    if (this.unit.outstanding === 0) this.climb();
  }

  private handedOff(rung: number, at: Instant): void {
    if (this.unit.toldAt === null || at < this.unit.toldAt) this.change({ toldAt: at });
    if (!this.climbing(rung)) return;
    const waitMs = this.rules.ladder[rung]?.waitMs ?? 0;
    const known = this.unit.timers.answerBy;
    const answerBy = Math.min(known === null ? Infinity : known - this.unit.extendedMs, at + waitMs);
    // What was extended is extended anew when it comes due, from the hand-off that is now the first.
    this.change({ extendedMs: 0 });
    this.setTimers({ handOffBy: null, answerBy });
  }

  private exhausted(rung: number): void {
    if (!this.climbing(rung)) return;
    // Below zero where the news overtook the plan.
    this.change({ outstanding: (this.unit.outstanding ?? 0) - 1 });
    if (this.unit.outstanding === 0) this.climb();
  }

  /** The next rung; in quiet hours it waits for their end. */
  private climb(): void {
    const until = quietUntil(this.rules.quietHours, this.now);
    if (until === null) this.takeRung(this.unit.rung + 1);
    else this.setTimers({ handOffBy: null, answerBy: until });
  }

  /** True where the unit still wants an answer and stands on this rung: news of an earlier rung changes no timer. */
  private climbing(rung: number): boolean {
    return this.unit.status === 'open' && !this.unit.ended && this.unit.rung === rung;
  }

  private markSilent(): void {
    if (this.unit.silentAt === null) this.change({ silentAt: this.now });
  }

  private tellSuperior(): void {
    this.markSilent();
    this.tellSilence();
  }

  /** Each unit from the superior to the one it reports to hears once that this one is silent. */
  private tellSilence(): void {
    const untold = this.superiors().slice(this.unit.silenceTold);
    this.change({ silenceTold: this.unit.silenceTold + untold.length });
    for (const unitId of untold) this.tell(unitId, { kind: 'subordinate silent', unitId: this.unit.unitId });
  }

  /** The same for *cannot act*. */
  private tellHelp(): void {
    const untold = this.superiors().slice(this.unit.helpTold);
    this.change({ helpTold: this.unit.helpTold + untold.length });
    for (const unitId of untold)
      this.tell(unitId, { kind: 'subordinate cannot act', unitId: this.unit.unitId });
  }

  /** Reaches past this silent unit in both directions: those below report to the one above, who hears of it. */
  private bridge(): void {
    this.markSilent();
    if (this.unit.bridgedAt !== null) return;
    this.change({ bridgedAt: this.now, descended: true });
    this.setTimers({ descendAt: null });
    this.tellSuperior();
    if (this.passed()) this.setTimers({ digestAt: null });
    this.tellSubordinates({ kind: 'past you', bridgedTo: this.superiors() });
  }

  private pastYou(bridgedTo: readonly UnitId[]): void {
    if (this.unit.ended) return;
    const further = bridgedTo.length > this.unit.bridgedTo.length;
    if (further) this.reportFurther(bridgedTo);
    if (this.unit.openedAt === null) return this.opened();
    // Who is opened in this instant has no message yet that a notice would have to correct.
    if (!further || this.unit.status !== 'open' || this.unit.openedAt === this.now) return;
    const by = this.rules.ladder[0]?.by ?? [];
    this.sends.push({ kind: 'bridge notice', number: bridgedTo.length - 1, who: 'principal', by });
  }

  /** What the silent superior had been told is told to the one behind it, or nobody would ever act on it. */
  private reportFurther(bridgedTo: readonly UnitId[]): void {
    this.change({ bridgedTo, reportsTo: bridgedTo.at(-1) ?? null });
    if (this.unit.status !== 'answered') {
      if (this.unit.silenceTold > 0) this.tellSilence();
      if (this.unit.helpTold > 0) this.tellHelp();
    }
    // Whoever is bridged past in turn hands the new address on, so that nobody reports to a silent unit.
    if (this.unit.bridgedAt !== null)
      this.tellSubordinates({ kind: 'past you', bridgedTo: this.superiors() });
  }

  // ── answers ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Answers count in every state: before the first send, on any rung, and, recorded as late, after the end. An answer
   * given before the *cannot act* that stands does not lift it, though it may arrive later.
   */
  private answered(at: Instant, answer: 'received' | 'done', carried: boolean): void {
    const { heardAt, status, answeredAt, receivedAt } = this.unit;
    if (carried && this.unit.changeNotice === null) this.change({ changeNotice: 'due' });
    if (answer === 'done') this.change({ doneAt: Math.min(this.unit.doneAt ?? Infinity, at) });
    const first = Math.min(answeredAt ?? Infinity, at);
    const received = Math.min(receivedAt ?? answeredAt ?? Infinity, carried ? this.now : at);
    this.change({ answeredAt: first, receivedAt: received === first ? null : received });
    if (heardAt !== null && status !== 'answered' && at <= heardAt) return;
    this.change({ status: 'answered', heardAt: Math.max(heardAt ?? at, at) });
    this.setTimers({ handOffBy: null, answerBy: null });
    if (this.unit.ended) return;
    this.awaitDone();
    if (this.unit.openedAt !== null) this.descend();
    this.noticeChange();
    this.concludeIfComplete();
  }

  /** Who answered the superseded warning hears of the change, unless this one's own message has reached them already. */
  private noticeChange(): void {
    const { changeNotice, status, openedAt, toldAt } = this.unit;
    if (changeNotice !== 'due' || status !== 'answered' || openedAt === null || toldAt !== null) return;
    this.change({ changeNotice: 'written' });
    this.sends.push({ kind: 'change notice', who: 'told before', by: [] });
  }

  /** The second stage: what was received is to be done in time, from the moment it was received, or carried over. */
  private awaitDone(): void {
    const { done } = this.rules;
    const { doneAt, answeredAt, cannotActAt, receivedAt, heardAt, doneReminders, overdueAt, timers } =
      this.unit;
    if (!done?.tiers.includes(this.unit.tier) || answeredAt === null || heardAt === null) return;
    if (doneAt !== null) return this.setTimers({ doneBy: null });
    if (overdueAt !== null || (doneReminders > 0 && timers.doneBy !== null)) return;
    const doneBy =
      doneReminders === 0
        ? Math.max(receivedAt ?? answeredAt, cannotActAt ?? answeredAt) + done.withinMs
        : heardAt + done.againMs;
    this.setTimers({ doneBy });
  }

  private notDone(): void {
    const { done } = this.rules;
    if (!done) return;
    const { doneReminders, superiorId, unitId, reportsTo } = this.unit;
    if (doneReminders < done.remindersMost) {
      this.sends.push({ kind: 'done reminder', number: doneReminders, who: 'principal', by: done.by });
      this.change({ doneReminders: doneReminders + 1 });
      return this.setTimers({ doneBy: this.now + done.againMs });
    }
    this.change({ overdueAt: this.now });
    this.setTimers({ doneBy: null });
    const superior = reportsTo ?? superiorId;
    if (superior !== null) this.tell(superior, { kind: 'subordinate overdue', unitId });
  }

  /** Households have a time of their own: who has not answered by then is called on, door to door. */
  private householdsTold(at: Instant): void {
    const { doors } = this.rules;
    if (!doors || this.unit.ended || this.unit.timers.doorAt !== null) return;
    this.setTimers({ doorAt: at + doors.afterMs });
  }

  /** A person was heard and needs help: the superior hears at once, those below wait no longer, the next rung begins. */
  private cannotAct(at: Instant): void {
    const { heardAt, status, timers } = this.unit;
    this.change({ cannotActAt: Math.min(this.unit.cannotActAt ?? Infinity, at) });
    if (this.unit.ended) return;
    if (status === 'answered' && heardAt !== null && at < heardAt) return;
    const again = status !== 'answered' && heardAt !== null;
    this.change({
      status: this.unit.openedAt === null ? 'waiting' : 'open',
      heardAt: Math.max(heardAt ?? at, at),
    });
    this.setTimers({ doneBy: null });
    this.tellHelp();
    if (this.unit.openedAt === null) return;
    this.descend();
    // Said twice, it does not skip a rung that has reached nobody yet: the help called first must get its time.
    if (again && (at <= heardAt || timers.handOffBy !== null)) return;
    if (this.unit.rung < this.rules.ladder.length) this.takeRung(this.unit.rung + 1);
  }

  // ── what is heard from below ────────────────────────────────────────────────────────────────────────────

  /** The first trouble starts the digest's window; all that comes within it stands in one message. */
  private troubleBelow(windowMs: number): void {
    this.change({ silentBelow: this.unit.silentBelow + 1 });
    if (this.unit.ended || this.passed()) return;
    // Never a hard stop, which would lose what comes after it: past the regular ones each window is twice the last.
    const slower = 2 ** Math.max(0, this.unit.digests + 1 - this.rules.digest.regular);
    const digestAt = Math.min(this.unit.timers.digestAt ?? Infinity, this.now + windowMs * slower);
    this.setTimers({ digestAt });
  }

  private sendDigest(): void {
    this.setTimers({ digestAt: null });
    if (this.unit.silentBelow === this.unit.silentBelowTold) return;
    this.sends.push({
      kind: 'digest',
      number: this.unit.digests,
      who: 'principal',
      by: this.rules.digest.by,
    });
    this.change({ silentBelowTold: this.unit.silentBelow, digests: this.unit.digests + 1 });
  }

  /** A unit is concluded once: it has answered, and everything below it is concluded. */
  private concludeIfComplete(): void {
    if (this.unit.concluded || this.unit.ended || this.unit.status !== 'answered') return;
    if (this.unit.concludedBelow < this.unit.subordinates) return;
    this.change({ concluded: true });
    if (this.unit.superiorId !== null) {
      this.tell(this.unit.superiorId, { kind: 'subordinate concluded', unitId: this.unit.unitId });
    }
    if (this.rules.endReport.tiers.includes(this.unit.tier)) this.sendEndReport();
  }

  private sendEndReport(): void {
    this.setTimers({ endReportAt: null });
    if (this.unit.endReportSent) return;
    this.change({ endReportSent: true });
    this.sends.push({ kind: 'end report', who: 'principal', by: this.rules.endReport.by });
  }

  // ── time and the end ────────────────────────────────────────────────────────────────────────────────────

  private deadline(outages: readonly Outage[]): void {
    if (this.unit.ended) return;
    if (this.due('answerBy')) this.extend(outages);
    if (this.due('descendAt')) this.descend();
    if (this.due('handOffBy')) this.climb();
    else if (this.due('answerBy')) {
      this.markSilent();
      this.climb();
    }
    if (this.due('doneBy')) this.notDone();
    if (this.due('doorAt')) {
      this.setTimers({ doorAt: null });
      this.sends.push({ kind: 'door to door', who: 'principal', by: this.rules.doors?.by ?? [] });
    }
    if (this.due('digestAt')) this.sendDigest();
    if (this.due('endReportAt')) this.sendEndReport();
  }

  /** Puts the rung's deadline off by what the intake of answers was out since the rung's time runs. */
  private extend(outages: readonly Outage[]): void {
    const { timers, extendedMs, extendedBeforeMs, rung } = this.unit;
    if (timers.answerBy === null || outages.length === 0) return;
    const deadline = timers.answerBy - extendedMs;
    const from = deadline - (this.rules.ladder[rung]?.waitMs ?? 0);
    const mostMs = EXTENSION_MS_MAX - extendedBeforeMs;
    const extended = extensionMs({ from, deadline }, outages, this.now, mostMs);
    this.change({ extendedMs: extended });
    this.setTimers({ answerBy: deadline + extended });
  }

  private due(timer: keyof Timers): boolean {
    const at = this.unit.timers[timer];
    return at !== null && at <= this.now;
  }

  private end(how: Ending): void {
    if (this.unit.ended) return;
    this.change({ ended: how, timers: NO_TIMERS });
  }

  // ── small words ─────────────────────────────────────────────────────────────────────────────────────────

  /** Its superior, and behind bridges those further up; it reports to the last. */
  private superiors(): UnitId[] {
    return this.unit.superiorId === null ? [] : [this.unit.superiorId, ...this.unit.bridgedTo];
  }

  /** True where those below report past this unit: their trouble is another's to hear. */
  private passed(): boolean {
    return this.unit.bridgedAt !== null && this.unit.superiorId !== null;
  }

  private tell(unitId: UnitId, message: Message): void {
    this.messages.push({ to: 'unit', unitId, message });
  }

  private tellSubordinates(message: Message): void {
    if (this.unit.subordinates > 0) this.messages.push({ to: 'subordinates', message });
  }

  private change(changes: Partial<UnitState>): void {
    Object.assign(this.unit, changes);
  }

  private setTimers(timers: Partial<Timers>): void {
    this.change({ timers: { ...this.unit.timers, ...timers } });
  }
}
