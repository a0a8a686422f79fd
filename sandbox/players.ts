/**
 * The people of a drill: they do what a rehearsal of the same scenario and seed has them do, by the same functions, at the drill's
 * clock. Addresses that are not in the cast belong to the ordinary crowd. What is to come can be told again from the ledger, so that
 * a sandbox that was killed goes on where it was.
 */
import { storyMsAt, wallAt, type DrillClock } from '../domain/drill-clock.ts';
import type { Purpose } from '../domain/guard.ts';
import { cannotAct, wrongNumber } from '../domain/rehearsal/behaviour.ts';
import { placeInStory, type Cast, type CastHousehold, type CastPerson } from '../domain/rehearsal/cast.ts';
import { chanceOf } from '../domain/rehearsal/chance.ts';
import {
  isOut,
  lightAt,
  type Darkness,
  type Interval,
  type Outage,
} from '../domain/rehearsal/circumstances.ts';
import { responseTo, saysDoneAt, type Actor, type HeardMessage } from '../domain/rehearsal/response.ts';
import type { Channel } from '../domain/rules.ts';
import type { Instant } from '../domain/time.ts';
import type { UnitId } from '../domain/unit.ts';
import type { Answering, AnswerWays, Doing, Means } from './answering.ts';
import type { Arrival, Crowd } from './crowd.ts';
import type { LedgerAct, LedgerMessage } from './ledger.ts';
import { answerMeans, type AnswerMeans } from './people.ts';

/** A message a person has, and how they would answer it. */
type Reach = Omit<Doing['who'], 'kind'> & { means: Means; ways: AnswerWays };

type Player = Actor & { place: number; tiers: CastPerson['tiers'] };

type Member = { player: Player } | { household: CastHousehold };

/** What an earlier life of the sandbox left in the ledger. */
export type EarlierLife = {
  /** Messages to people of the cast, those that were taken back left out. */
  messages: readonly LedgerMessage[];
  acts: readonly (LedgerAct & { status: number | 'given-up' | null })[];
  /** When it was last seen alive. */
  diedAt: Instant;
  /** How a call is answered, or ends unanswered. */
  waysOf: (message: LedgerMessage) => AnswerWays;
};

export type Players = {
  notice(arrival: Arrival): void;
  /** True for the address of somebody in the cast: how their calls end is decided here. */
  plays(channel: Channel, address: string): boolean;
  /** Why the provider does not take a message to this address right now; null where it does. */
  refusal(channel: Channel, address: string): 'provider out' | 'wrong address' | null;
  /** What the ledger must keep of a message, so that a later life can answer it. */
  meansOf(message: Pick<Arrival, 'channel' | 'address' | 'text'>): AnswerMeans | null;
  /** Takes up what was still to come. */
  resume(earlier: EarlierLife): void;
};

/** What began to ring so shortly before the death may not have been reported. */
const REPORTED_AFTER_MS = 5_000;

/** `crowd` has everybody else. */
export function createPlayers(input: {
  cast: Cast;
  /** When the drill, or this sandbox, stood still. */
  gaps: DrillClock['gaps'];
  crowd: Pick<Crowd, 'notice'>;
  answering: Pick<Answering, 'after'>;
}): Players {
  return new Company(input);
}

class Company implements Players {
  private readonly cast: Cast;
  private readonly clock: DrillClock;
  private readonly crowd: Pick<Crowd, 'notice'>;
  private readonly answering: Pick<Answering, 'after'>;
  private readonly chance: ReturnType<typeof chanceOf>;
  private readonly darkness: Darkness;
  private readonly outages: readonly Outage[];
  private readonly members = new Map<string, Member>();
  /** Who has said what in which warning. */
  private readonly said = new Set<string>();
  private readonly reaches = new Map<string, Reach>();

  constructor({ cast, gaps, crowd, answering }: Parameters<typeof createPlayers>[0]) {
    this.cast = cast;
    this.clock = { ...cast, gaps };
    this.crowd = crowd;
    this.answering = answering;
    this.chance = chanceOf(cast.seed);
    this.outages = cast.outages.map((outage) => ({
      ...outage,
      units: outage.units && new Set(outage.units),
    }));
    this.darkness = darknessOf(cast.darkness);
    for (const household of cast.households) this.enrol(household.channel, household.address, { household });
    for (const [place, { key, unitId, manner, tiers, addresses }] of cast.people.entries()) {
      const behaviour = cast.manners[manner];
      if (!behaviour) throw new RangeError(`the cast has no manner ${manner}`);
      const player = { place, key, unitId, tiers, manner: behaviour };
      for (const [channel, address] of Object.entries(addresses))
        this.enrol(channel as Channel, address, { player });
    }
  }

  notice(arrival: Arrival): void {
    const member = this.memberOf(arrival.channel, arrival.address);
    if (!member) return this.crowd.notice(arrival);
    if ('household' in member) return this.noticeInTheDark(member.household.unitId, arrival);
    const { ways = {} } = arrival;
    const means = ways.voice ? { via: 'voice' as const } : this.meansOf(arrival);
    this.hear(member.player, { ...arrival, means, ways }, this.storyNow());
  }

  plays(channel: Channel, address: string): boolean {
    const member = this.memberOf(channel, address);
    return member !== undefined && 'player' in member;
  }

  refusal(channel: Channel, address: string): 'provider out' | 'wrong address' | null {
    const member = this.memberOf(channel, address);
    const unitId =
      member === undefined ? 0 : 'player' in member ? member.player.unitId : member.household.unitId;
    if (isOut(this.outages, channel, unitId, this.storyNow())) return 'provider out';
    if (member === undefined || !('player' in member)) return null;
    const { key, manner } = member.player;
    return wrongNumber(this.chance, key, channel, manner) ? 'wrong address' : null;
  }

  meansOf({ channel, address, text }: Pick<Arrival, 'channel' | 'address' | 'text'>): AnswerMeans | null {
    return channel !== 'voice' && this.plays(channel, address) ? answerMeans(channel, text() ?? '') : null;
  }

  resume({ messages, acts, diedAt, waysOf }: EarlierLife): void {
    const byDelivery = new Map(messages.map((message) => [message.deliveryId, message]));
    const acted = new Set<string>();
    for (const act of acts) {
      const message = byDelivery.get(act.deliveryId);
      const player = message && this.playerOf(message);
      if (!message || !player || act.status === 'given-up') continue;
      acted.add(`${act.deliveryId} ${act.kind}`);
      this.remember(player, act);
      const reach = reachOf(message, waysOf(message));
      if (act.status === null && reach) this.again(act, reach);
    }
    for (const message of messages) {
      const player = this.playerOf(message);
      if (!player) continue;
      const ways = waysOf(message);
      const means = message.channel === 'voice' ? { via: 'voice' as const } : (message.means ?? null);
      const heardAt = this.storyAt(Date.parse(message.at));
      this.hear(player, { ...message, means, ways }, heardAt, { acted, diedAt });
    }
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────────────

  private hear(
    player: Player,
    arrival: Pick<LedgerMessage, 'channel' | 'warningId' | 'deliveryId' | 'address' | 'step'> & {
      means: Means | null;
      ways: AnswerWays;
    },
    at: Instant,
    earlier: { acted: ReadonlySet<string>; diedAt: Instant } | null = null,
  ): void {
    const message = this.heardMessage(arrival);
    if (!message) return;
    const { means, ways, warningId, deliveryId, address } = arrival;
    const reach = means && { warningId, deliveryId, address, means, ways };
    if (reach && reach.means.via !== 'voice') this.reaches.set(keyOf(message.warning, player), reach);
    const response = responseTo(this.chance, player, message, { at, darkness: this.darkness });
    switch (response.kind) {
      case 'none':
        return;
      case 'reminded':
        return this.planDone(player, { warning: message.warning, reminder: message.step + 1 }, at);
      case 'rings out':
        if (earlier && this.wallOf(response.at) < earlier.diedAt - REPORTED_AFTER_MS) return;
        return this.when(response.at, () => {
          ways.unanswered?.();
          return null;
        });
      case 'answers': {
        const kind = cannotAct(this.chance, player.key, player.manner) ? 'cannot act' : 'received';
        if (!reach || earlier?.acted.has(`${deliveryId} ${kind}`)) return;
        ways.expected?.();
        return this.when(response.at, () =>
          this.answer(player, { ...reach, kind, warning: message.warning }, response.at),
        );
      }
      default:
        return response satisfies never;
    }
  }

  private noticeInTheDark(unitId: UnitId, arrival: Arrival): void {
    const at = this.storyNow();
    const lit = lightAt(this.darkness, unitId, at);
    if (lit === at) return this.crowd.notice(arrival);
    if (lit === Infinity) return;
    this.when(lit, () => {
      this.crowd.notice(arrival);
      return null;
    });
  }

  /** The step is such as `rung 2` or `bridge notice 1`; null where the message tells none, or is of no warning of the story. */
  private heardMessage({
    warningId,
    channel,
    step,
  }: Pick<LedgerMessage, 'warningId' | 'channel' | 'step'>): HeardMessage | null {
    const match = /^(.+) (\d+)$/.exec(step ?? '');
    const warning = placeInStory(this.cast.warnings, Number(warningId));
    if (!match || !this.cast.warnings[warning]) return null;
    return { warning, purpose: match[1] as Purpose, step: Number(match[2]), channel };
  }

  // ── words ───────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Once for each warning, but for *cannot act*; an old message's link leads to the warning that holds then. `at` is when it is said, or
   * was to be said in an earlier life: what held then counts, and not what has come since.
   */
  private answer(
    player: Player,
    { kind, warning, means, ways, ...who }: Reach & { kind: 'received' | 'cannot act'; warning: number },
    at: Instant,
  ): Doing | null {
    const current = this.current(warning, at);
    if (this.has(player, 'received', current)) return null;
    const word = `received ${keyOf(current, player)}`;
    if (kind === 'received' && !this.isOver(current, at)) {
      this.said.add(word);
      this.planDone(player, { warning: current, reminder: 0 }, at);
    }
    return { who: { ...who, kind }, means, ways, lost: () => this.said.delete(word) };
  }

  private planDone(player: Player, when: { warning: number; reminder: number }, at: Instant): void {
    const { warning } = when;
    if (!this.cast.warnings[warning]?.doneTiers.some((tier) => player.tiers.includes(tier))) return;
    const saysAt = saysDoneAt(this.chance, player, when, { at, darkness: this.darkness });
    if (saysAt === null) return;
    this.when(saysAt, () => {
      if (this.has(player, 'done', warning) || this.isOver(warning, saysAt)) return null;
      const reach = this.reachIn(player, warning);
      if (!reach) return null;
      const word = `done ${keyOf(warning, player)}`;
      this.said.add(word);
      const { means, ways, ...who } = reach;
      return { who: { ...who, kind: 'done' }, means, ways, lost: () => this.said.delete(word) };
    });
  }

  /** The same word once more: a reply by SMS as the same reply, which is taken once. */
  private again({ actId, kind }: LedgerAct, { means, ways, ...who }: Reach): void {
    this.answering.after(0, () => ({
      who: { ...who, kind },
      means,
      ways,
      ...(means.via === 'sms' && { actId }),
    }));
  }

  /** What was said in an earlier life, and what follows from it. */
  private remember(player: Player, { warningId, kind, at }: LedgerAct): void {
    const saidAt = this.storyAt(Date.parse(at));
    const told = placeInStory(this.cast.warnings, Number(warningId));
    const warning = kind === 'done' ? told : this.current(told, saidAt);
    if (kind === 'cannot act' || this.isOver(warning, saidAt)) return;
    this.said.add(`${kind} ${keyOf(warning, player)}`);
    if (kind === 'received') this.planDone(player, { warning, reminder: 0 }, saidAt);
  }

  private has(player: Player, word: 'received' | 'done', warning: number): boolean {
    for (let one: number | null = warning; one !== null; one = this.cast.warnings[one]?.carries ?? null)
      if (this.said.has(`${word} ${keyOf(one, player)}`)) return true;
    return false;
  }

  /** The newest message of the warning that can be answered, or of one whose answers stand for it. */
  private reachIn(player: Player, warning: number): Reach | null {
    for (let one: number | null = warning; one !== null; one = this.cast.warnings[one]?.carries ?? null) {
      const reach = this.reaches.get(keyOf(one, player));
      if (reach) return reach;
    }
    return null;
  }

  // ── the story's clock ───────────────────────────────────────────────────────────────────────────────────

  private when(at: Instant, begin: () => Doing | null): void {
    this.answering.after(Math.max(0, this.wallOf(at) - Date.now()), begin);
  }

  private storyNow(): Instant {
    return this.storyAt(Date.now());
  }

  private storyAt(wall: Instant): Instant {
    return this.clock.storyStartAt + storyMsAt(this.clock, wall);
  }

  private wallOf(story: Instant): Instant {
    return wallAt(this.clock, story - this.clock.storyStartAt);
  }

  private current(warning: number, now: Instant): number {
    let current = warning;
    for (;;) {
      const successor: number | null = this.cast.warnings[current]?.successor ?? null;
      if (successor === null || now < (this.cast.warnings[successor]?.at ?? Infinity)) return current;
      current = successor;
    }
  }

  private isOver(warning: number, now: Instant): boolean {
    return now >= (this.cast.warnings[warning]?.endsAt ?? Infinity);
  }

  // ── the cast ────────────────────────────────────────────────────────────────────────────────────────────

  /** Of two who share an address the first counts. */
  private enrol(channel: Channel, address: string, member: Member): void {
    const key = `${channel} ${address}`;
    const known = this.members.get(key);
    if (!known || 'household' in known) this.members.set(key, member);
  }

  private memberOf(channel: Channel, address: string): Member | undefined {
    return this.members.get(`${channel} ${address}`);
  }

  private playerOf({ channel, address }: Pick<LedgerMessage, 'channel' | 'address'>): Player | null {
    const member = this.memberOf(channel, address);
    return member && 'player' in member ? member.player : null;
  }
}

function reachOf(message: LedgerMessage, ways: AnswerWays): Reach | null {
  const { warningId, deliveryId, address, channel } = message;
  const means = channel === 'voice' ? { via: 'voice' as const } : message.means;
  return means ? { warningId, deliveryId, address, means, ways } : null;
}

function darknessOf(parts: Cast['darkness']): Darkness {
  const darkness = new Map<UnitId, Interval[]>();
  for (const { unitId, from, to } of parts)
    darkness.set(unitId, [...(darkness.get(unitId) ?? []), { from, to }]);
  return darkness;
}

function keyOf(warning: number, { place }: Player): string {
  return `${warning} ${place}`;
}
