/** What came of a drill's messages to its people, person by person and channel by channel. Pure. */
import type { Purpose } from './guard.ts';
import { CHANNELS, type Channel } from './rules.ts';
import type { TierId } from './tiers.ts';
import { MINUTE_MS, type Instant } from './time.ts';
import type { UnitId } from './unit.ts';

/** Messages that ask for an answer. */
export const ASKING: ReadonlySet<Purpose> = new Set<Purpose>(['rung', 'bridge notice']);

/** One thing that happened between the engine and a person; of answers, `channel` is null where they came by no message. */
export type DrillEvent = {
  kind: 'handed off' | 'failed' | 'answered' | 'cannot act' | 'done';
  personId: number;
  unitId: UnitId;
  channel: Channel | null;
  at: Instant;
  /** Why it failed: the address does not work, nobody took the call, no provider took the message. */
  failure?: 'wrong address' | 'not taken' | 'not sent';
};

/** How one channel served one person. */
export type ChannelTrial = {
  handedOff: number;
  failed: number;
  wrongAddress: boolean;
  /** When messages were handed off before the person's first answer, in order. */
  askedAt: Instant[];
};

export type DrilledPerson = {
  personId: number;
  /** The unit of their first message. */
  unitId: UnitId;
  by: Partial<Record<Channel, ChannelTrial>>;
  /** Their first answer; `afterMs` counts from the last message by the same channel, null where there was none. */
  answered: { at: Instant; channel: Channel | null; afterMs: number | null; cannotAct: boolean } | null;
  doneAt: Instant | null;
};

/** The people of a drill; events come in the order of time. */
export class DrillPeople {
  private readonly people = new Map<number, DrilledPerson>();

  hear({ kind, personId, unitId, channel, at, failure }: DrillEvent): void {
    const person = this.person(personId, unitId);
    if (kind === 'done') person.doneAt ??= at;
    if (kind === 'answered' || kind === 'cannot act' || kind === 'done') {
      if (person.answered) return;
      const askedAt = channel === null ? undefined : person.by[channel]?.askedAt.at(-1);
      const afterMs = askedAt === undefined ? null : at - askedAt;
      person.answered = { at, channel, afterMs, cannotAct: kind === 'cannot act' };
      return;
    }
    if (channel === null) return;
    const trial = (person.by[channel] ??= { handedOff: 0, failed: 0, wrongAddress: false, askedAt: [] });
    if (kind === 'failed') {
      trial.failed += 1;
      trial.wrongAddress ||= failure === 'wrong address';
      return;
    }
    trial.handedOff += 1;
    if (!person.answered) trial.askedAt.push(at);
  }

  get all(): DrilledPerson[] {
    return [...this.people.values()];
  }

  private person(personId: number, unitId: UnitId): DrilledPerson {
    const known = this.people.get(personId);
    if (known) return known;
    const person: DrilledPerson = { personId, unitId, by: {}, answered: null, doneAt: null };
    this.people.set(personId, person);
    return person;
  }
}

/** How a channel did in a tier, or in all (`tier` null). `channel` null: answers that came by no message, such as by telephone. */
export type ChannelTally = {
  channel: Channel | null;
  tier: TierId | null;
  handedOff: number;
  failed: number;
  /** People whose first answer came by it. */
  answered: number;
  /** Minutes from the last message to the answer: half were quicker. */
  medianMinutes: number | null;
};

/** For each channel that was used all tiers together, then tier by tier from the top. */
export function tallyChannels(
  people: readonly DrilledPerson[],
  tierOf: (unitId: UnitId) => TierId,
  tiers: readonly TierId[],
): ChannelTally[] {
  return [...CHANNELS, null].flatMap((channel) => {
    const all = tally(people, channel, null);
    if (all.handedOff + all.failed + all.answered === 0) return [];
    const parts = tiers.map((tier) =>
      tally(
        people.filter(({ unitId }) => tierOf(unitId) === tier),
        channel,
        tier,
      ),
    );
    return [all, ...parts.filter((part) => part.handedOff + part.failed + part.answered > 0)];
  });
}

function tally(people: readonly DrilledPerson[], channel: Channel | null, tier: TierId | null): ChannelTally {
  const total = (of: (trial: ChannelTrial) => number) =>
    channel === null
      ? 0
      : people.reduce((sum, { by }) => sum + (by[channel] === undefined ? 0 : of(by[channel])), 0);
  const answers = people.flatMap(({ answered }) => (answered?.channel === channel ? [answered] : []));
  const after = answers.flatMap(({ afterMs }) => (afterMs === null ? [] : [afterMs]));
  return {
    channel,
    tier,
    handedOff: total(({ handedOff }) => handedOff),
    failed: total(({ failed }) => failed),
    answered: answers.length,
    medianMinutes: after.length === 0 ? null : minutesOf(quantile(after, 0.5)),
  };
}

/** The smallest value that so great a share lies at or below. */
export function quantile(values: readonly number[], share: number): number {
  const inOrder = [...values].sort((one, other) => one - other);
  return inOrder[Math.max(0, Math.ceil(share * inOrder.length) - 1)] ?? 0;
}

/** Minutes with one decimal. */
export function minutesOf(ms: number): number {
  return Math.round(ms / (MINUTE_MS / 10)) / 10;
}

/** Why somebody is to be followed up. */
export type FollowUpReason = 'never answered' | 'wrong address';

export type FollowUp = {
  personId: number;
  unitId: UnitId;
  reason: FollowUpReason;
  /** The channels it is about: those that did not work, or those that were tried. */
  channels: Channel[];
};

/** Those whose address does not work, then those who were told and never answered; a person may be both. */
export function followUps(people: readonly DrilledPerson[]): FollowUp[] {
  const found = people.flatMap(({ personId, unitId, by, answered }): FollowUp[] => {
    const where = (has: (trial: ChannelTrial) => boolean) =>
      CHANNELS.filter((channel) => by[channel] !== undefined && has(by[channel]));
    const wrong = where(({ wrongAddress }) => wrongAddress);
    const told = where(({ handedOff }) => handedOff > 0);
    return [
      ...(wrong.length > 0 ? [{ personId, unitId, reason: 'wrong address' as const, channels: wrong }] : []),
      ...(answered === null && told.length > 0
        ? [{ personId, unitId, reason: 'never answered' as const, channels: told }]
        : []),
    ];
  });
  const order: readonly FollowUpReason[] = ['wrong address', 'never answered'];
  return found.sort((one, other) => order.indexOf(one.reason) - order.indexOf(other.reason));
}
