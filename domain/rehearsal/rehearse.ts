/**
 * A rehearsal: the story of a scenario in virtual time. The cascade is the real one (`turnCell`, `advance`, `guard`,
 * `consequence`); people, channels and what goes wrong are drawn by seed. Nothing is started and nothing is sent.
 *
 * What it leaves out, and a run on the real stack has: the limit of messages to one person (`throttle`), one message for several
 * warnings, attempts whose outcome is unknown, outages of our own processes.
 */
import type { UnitSend } from '../cascade.ts';
import { consequence } from '../delivery.ts';
import { ASKING, type DrillEvent } from '../drill-people.ts';
import { CHANNELS, type Channel } from '../rules.ts';
import type { Instant } from '../time.ts';
import type { UnitId } from '../unit.ts';
import { Agenda } from './agenda.ts';
import { cannotAct, wrongNumber, type Manner } from './behaviour.ts';
import { chanceOf, type Chance } from './chance.ts';
import { isOut, Senders, type Darkness, type Outage } from './circumstances.ts';
import { holders, mergeKey, queueOf, stepOf, type Happening, type Message, type Word } from './messages.ts';
import { responseTo, saysDoneAt, type Actor } from './response.ts';
import { channelBit, homeOf, type PersonId, type Tree } from './tree.ts';
import { SAID, WarningRun, type RehearsedWarning, type UnitWitness } from './warning-run.ts';

export type RehearsalInput = {
  tree: Tree;
  warnings: readonly RehearsedWarning[];
  mannerOf: (unitId: UnitId) => Manner;
  darkness: Darkness;
  outages: readonly Outage[];
  senders: Readonly<Record<Channel, { perSecond: number; delaySeconds: number }>>;
  householdsPerGroup: number;
  seed: number;
  /** Hears what came of messages that ask for an answer, in the order of time; for reports. */
  witness?: (run: WarningRun, event: DrillEvent) => void;
  /** Hears of every change of a unit. */
  unitWitness?: UnitWitness;
};

/** How far it is: the virtual time, and what has happened. */
export type RehearsalProgress = { now: Instant; happenings: number };

/**
 * What happens within a tick happens at its end, together: as in a run, where the ringer looks for mail ten times a second. Ten times
 * fewer turns for a city.
 */
const TICK_MS = 100;
/** How often the caller hears of it. */
const HAPPENINGS_BETWEEN = 5_000;

/** Rehearses; yields now and then, so that the caller can show that it lives. */
export function* rehearse(input: RehearsalInput): Generator<RehearsalProgress, WarningRun[]> {
  return yield* new Rehearsal(input).run();
}

class Rehearsal {
  private readonly input: RehearsalInput;
  private readonly runs: WarningRun[];
  private readonly agenda = new Agenda<Happening>();
  private readonly chance: Chance;
  private readonly senders: Senders;
  /** Who holds several posts gets one message of a kind for all of them. */
  private readonly merged = new Set<string>();
  private now: Instant = 0;

  constructor(input: RehearsalInput) {
    this.input = input;
    this.runs = input.warnings.map(
      (warning, index) => new WarningRun(index, warning, input.tree, input.unitWitness),
    );
    this.chance = chanceOf(input.seed);
    this.senders = new Senders(input.senders);
  }

  *run(): Generator<RehearsalProgress, WarningRun[]> {
    for (const run of this.runs) {
      this.add(run.warning.at, { kind: 'begin', run });
      this.add(run.warning.endsAt, { kind: 'end', run });
    }
    let happenings = 0;
    let shown = 0;
    while (this.agenda.nextAt < Infinity) {
      this.now = this.agenda.nextAt;
      const together = this.agenda.takeNext();
      happenings += together.length;
      for (const happening of together) this.happen(happening);
      for (const run of this.runs) if (run.waiting) this.turn(run);
      if (happenings - shown >= HAPPENINGS_BETWEEN) {
        shown = happenings;
        yield { now: this.now, happenings };
      }
    }
    return this.runs;
  }

  /** Virtual time has whole ticks. */
  private add(at: Instant, happening: Happening): void {
    this.agenda.add(Math.ceil(at / TICK_MS) * TICK_MS, happening);
  }

  private happen(happening: Happening): void {
    switch (happening.kind) {
      case 'begin':
        return this.begin(happening.run);
      case 'end':
        return this.end(happening.run);
      case 'timer':
        return this.timer(happening.run, happening.unitId);
      case 'attempt':
        return this.attempt(happening.message);
      case 'retry':
        return this.queue(happening.message);
      case 'rang out':
        return this.exhausted(happening.message, 'not taken');
      case 'word':
        return happening.word === 'done' ? this.done(happening) : this.word(happening);
      default:
        return happening satisfies never;
    }
  }

  private begin(run: WarningRun): void {
    const { predecessor } = run.warning;
    const before = predecessor === null ? undefined : this.runs[predecessor.index];
    if (before && predecessor?.answersStand) run.carry(before);
    run.open();
  }

  private timer(run: WarningRun, unitId: UnitId): void {
    const again = run.timer(unitId, this.now);
    if (again !== null) this.add(again, { kind: 'timer', run, unitId });
  }

  private turn(run: WarningRun): void {
    const opened = run.turn(
      this.now,
      (sends) => this.plan(run, sends),
      (at, unitId) => this.add(at, { kind: 'timer', run, unitId }),
    );
    const { householdsPerGroup } = this.input;
    if (householdsPerGroup === 0 || opened.length === 0) return;
    const { rules } = run.warning;
    const households = opened.length * householdsPerGroup;
    run.counts.households += households;
    run.counts.householdsToldAt = this.senders.turn(
      this.now,
      rules.households.by[0] ?? 'sms',
      'households',
      households,
    );
    if (!rules.doors) return;
    for (const unitId of opened) run.post({ unitId, message: { kind: 'households told', at: this.now } });
    if (run.waiting) this.turn(run);
  }

  /** Whoever was told, or may have been, hears of the end; a message for each channel they were told by. */
  private end(run: WarningRun): void {
    if (run.endedAt !== null) return;
    run.end(this.now);
    if (run.warning.end !== 'cancelled' && run.warning.end !== 'retracted') return;
    const { counts } = run;
    counts.corrections = counts.households;
    counts.correctedAt = this.now;
    if (counts.households > 0)
      counts.correctedAt = this.senders.turn(this.now, 'sms', 'households', counts.households);
    for (const channel of CHANNELS) {
      const bit = channelBit(channel);
      let told = 0;
      for (const by of run.toldBy) if ((by & bit) !== 0) told += 1;
      if (told === 0) continue;
      counts.corrections += told;
      counts.correctedAt = Math.max(
        counts.correctedAt,
        this.senders.turn(this.now, channel, queueOf(run), told),
      );
    }
  }

  // ── sends ───────────────────────────────────────────────────────────────────────────────────────────────

  private plan(run: WarningRun, sends: readonly UnitSend[]): number[] {
    const { tree } = this.input;
    return sends.map(({ unitId, send }) => {
      let deliveries = 0;
      // A change goes to exactly those who were told before, by the channels they were told by.
      const change = send.who === 'told before';
      const told = change ? this.runs[run.warning.predecessor?.index ?? -1]?.toldBy : undefined;
      for (const person of holders(tree, unitId, send.who)) {
        const reachable = (change ? told?.[person] : tree.personChannels[person]) ?? 0;
        for (const channel of change ? CHANNELS : send.by) {
          if ((reachable & channelBit(channel)) === 0) continue;
          deliveries += 1;
          this.queue({
            run,
            unitId,
            person,
            channel,
            purpose: send.kind,
            step: stepOf(send),
            attempt: 1,
          });
        }
      }
      return deliveries;
    });
  }

  private queue(message: Message): void {
    const at = this.senders.turn(this.now, message.channel, queueOf(message.run));
    this.add(at, { kind: 'attempt', message });
  }

  private attempt(message: Message): void {
    const { run, unitId, person, channel, purpose } = message;
    const { now } = this;
    const drop = run.guarded(purpose, unitId, person, now);
    if (drop !== null) {
      run.counts.dropped += 1;
      // Whoever cannot act is not asked again, so this rung has nobody to wait for.
      if (drop === 'cannot-act' && purpose === 'rung')
        run.post({ unitId, message: { kind: 'exhausted', rung: message.step } });
      return;
    }
    if (this.rides(message)) return this.handedOff(message, false);
    const { key, manner, unitId: home } = this.actor(person, unitId);
    if (isOut(this.input.outages, channel, home, now)) return this.refused(message);
    if (wrongNumber(this.chance, key, channel, manner)) return this.exhausted(message, 'wrong address');
    this.handedOff(message, true);
  }

  /** True where another message of the same kind has gone to the same person, for another of their posts. */
  private rides(message: Message): boolean {
    return this.input.tree.severalPosts.has(message.person) && this.merged.has(mergeKey(message));
  }

  /** No provider takes it: tried again by the rule pack, or given up. */
  private refused(message: Message): void {
    const { retry } = message.run.warning.rules;
    const then = consequence({ outcome: 'later', reason: 'session-refused' }, message.attempt, retry);
    if (then.kind !== 'retry') return this.exhausted(message, 'not sent');
    const again = { ...message, attempt: message.attempt + 1 };
    this.add(this.now + then.afterMs, { kind: 'retry', message: again });
  }

  private exhausted(message: Message, reason: DrillEvent['failure']): void {
    const { run, unitId, purpose, step } = message;
    run.counts.failed += 1;
    this.tell(message, 'failed', reason);
    if (purpose === 'rung') run.post({ unitId, message: { kind: 'exhausted', rung: step } });
  }

  private handedOff(message: Message, ownMessage: boolean): void {
    const { run, unitId, person, channel, purpose, step } = message;
    const { counts } = run;
    if (purpose === 'rung') run.post({ unitId, message: { kind: 'handed off', rung: step, at: this.now } });
    run.toldBy[person] = (run.toldBy[person] ?? 0) | channelBit(channel);
    if (!ownMessage) return;
    if (this.input.tree.severalPosts.has(person)) this.merged.add(mergeKey(message));
    counts.messages[purpose] = (counts.messages[purpose] ?? 0) + 1;
    this.tell(message, 'handed off');
    if (run.endedAt !== null) counts.afterEnd += 1;
    this.arrive(message);
  }

  // ── people ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The message is at the person's: noticed or not, answered or not. */
  private arrive(message: Message): void {
    const { run, unitId, person, channel } = message;
    const heard = { ...message, warning: run.index };
    const response = responseTo(this.chance, this.actor(person, unitId), heard, this.here);
    switch (response.kind) {
      case 'none':
        return;
      case 'rings out':
        return this.add(response.at, { kind: 'rang out', message });
      case 'reminded':
        return this.planDone(message, message.step + 1);
      case 'answers':
        return this.add(response.at, { kind: 'word', run, person, unitId, word: 'received', by: channel });
      default:
        return response satisfies never;
    }
  }

  /** A person answers: once for each warning, but for *cannot act*; an old message's link leads to the warning that holds now. */
  private word({ run: heardOf, person, unitId, by }: Word): void {
    const run = this.current(heardOf);
    if (run.endedAt !== null || !run.begun || run.scope[unitId] !== 1) {
      heardOf.counts.lateAnswers += 1;
      return;
    }
    if (((run.said[person] ?? 0) & SAID.received) !== 0) return;
    const at = this.now;
    const { key, manner } = this.actor(person, unitId);
    const helpless = cannotAct(this.chance, key, manner);
    const said = helpless ? 'cannot act' : 'answered';
    this.input.witness?.(run, { kind: said, personId: person, unitId, channel: by, at });
    if (!helpless) run.said[person] = (run.said[person] ?? 0) | SAID.received;
    for (const own of this.postsOf(run, person, unitId)) {
      const kind = helpless ? 'cannot act' : 'received';
      run.fact({ unitId: own, personId: person, householdId: null, kind, at });
      run.post({
        unitId: own,
        message: helpless ? { kind: 'cannot act', at } : { kind: 'answered', at, answer: 'received' },
      });
    }
    if (!helpless) this.planDone({ run, person, unitId }, 0);
  }

  private planDone(who: { run: WarningRun; person: PersonId; unitId: UnitId }, reminder: number): void {
    const { run, person, unitId } = who;
    const tiers = run.warning.rules.done?.tiers;
    const { units, severalPosts } = this.input.tree;
    const held = severalPosts.get(person) ?? [unitId];
    if (!held.some((own) => tiers?.includes(units[own]?.tier ?? ''))) return;
    const when = { warning: run.index, reminder };
    const at = saysDoneAt(this.chance, this.actor(person, unitId), when, this.here);
    if (at !== null) this.add(at, { kind: 'word', run, person, unitId, word: 'done', by: null });
  }

  private done({ run, person, unitId }: { run: WarningRun; person: PersonId; unitId: UnitId }): void {
    if (run.endedAt !== null || ((run.said[person] ?? 0) & SAID.done) !== 0) return;
    run.said[person] = (run.said[person] ?? 0) | SAID.done;
    this.input.witness?.(run, { kind: 'done', personId: person, unitId, channel: null, at: this.now });
    for (const own of this.postsOf(run, person, unitId)) {
      run.fact({ unitId: own, personId: person, householdId: null, kind: 'done', at: this.now });
      run.post({ unitId: own, message: { kind: 'answered', at: this.now, answer: 'done' } });
    }
  }

  private current(run: WarningRun): WarningRun {
    let current = run;
    while (current.warning.successor !== null && current.endedAt !== null) {
      const next = this.runs[current.warning.successor];
      if (!next) return current;
      current = next;
    }
    return current;
  }

  private postsOf(run: WarningRun, person: PersonId, unitId: UnitId): readonly UnitId[] {
    const several = this.input.tree.severalPosts.get(person);
    return several ? several.filter((own) => run.scope[own] === 1) : [unitId];
  }

  private tell(message: Message, kind: DrillEvent['kind'], failure?: DrillEvent['failure']): void {
    const { run, person: personId, unitId, channel, purpose } = message;
    if (!this.input.witness || !ASKING.has(purpose)) return;
    this.input.witness(run, {
      kind,
      personId,
      unitId,
      channel,
      at: this.now,
      ...(failure && { failure }),
    });
  }

  private actor(person: PersonId, unitId: UnitId): Actor {
    const { tree, mannerOf } = this.input;
    const home = homeOf(tree, person, unitId);
    return { key: tree.personKeys[person] ?? 0, unitId: home, manner: mannerOf(home) };
  }

  private get here(): { at: Instant; darkness: Darkness } {
    return { at: this.now, darkness: this.input.darkness };
  }
}
