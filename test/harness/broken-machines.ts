/**
 * Unit machines that are broken on purpose, each by one rule. The properties must find every one of them; a property that
 * finds none is no property. Those marked *was so* are bugs that the properties found in the machine's first form.
 */
import type { Rules } from '../../domain/rules.ts';
import type { Instant } from '../../domain/time.ts';
import { advance, type Advanced, type Message, type Timers, type UnitState } from '../../domain/unit.ts';
import type { Machine } from './virtual-cascade.ts';

export type BrokenMachine = { name: string; foundBy: string; machine: Machine };

const SAME_PATHS = 'same paths';
const CARRIED = 'a carried answer stands, and its people hear of the change once';

export const BROKEN_MACHINES: readonly BrokenMachine[] = [
  {
    name: 'a carried answer is forgotten, and the ladder starts',
    foundBy: CARRIED,
    machine: (unit, message, rules, now) =>
      message.kind === 'answered' && message.carried ? nothing(unit) : advance(unit, message, rules, now),
  },
  {
    name: 'whose answer was carried hears of no change',
    foundBy: CARRIED,
    machine: always((result) => ({
      ...result,
      sends: result.sends.filter(({ kind }) => kind !== 'change notice'),
    })),
  },
  {
    name: 'the change is told with each carried word anew',
    foundBy: CARRIED,
    machine: (unit, message, rules, now) => advance({ ...unit, changeNotice: null }, message, rules, now),
  },
  {
    name: 'every answer is taken for a carried one',
    foundBy: CARRIED,
    machine: (unit, message, rules, now) =>
      advance(unit, message.kind === 'answered' ? { ...message, carried: true } : message, rules, now),
  },
  {
    name: 'an update does not stop what it supersedes',
    foundBy: 'every unit ends',
    machine: (unit, message, rules, now) =>
      message.kind === 'superseded' ? nothing(unit) : advance(unit, message, rules, now),
  },
  {
    name: 'what was received counts as done',
    foundBy: 'what was received is reminded of until it is done',
    machine: always((result) => withTimers(result, { doneBy: null })),
  },
  {
    name: 'who has done it is reminded all the same',
    foundBy: 'what was received is reminded of until it is done',
    machine: after('answered', (result, unit) => withTimers(result, { doneBy: unit.timers.doneBy })),
  },
  {
    name: 'a deadline ignores the answer',
    foundBy: 'no send after an answer or the end',
    machine: after('answered', (result, unit) =>
      withTimers(result, { handOffBy: unit.timers.handOffBy, answerBy: unit.timers.answerBy }),
    ),
  },
  {
    name: 'the deadline counts from the beginning of the rung, not from the hand-off',
    foundBy: 'each rung begins when it must, never before',
    machine: (unit, message, rules, now) => {
      const result = advance(unit, message, rules, now);
      const begun = result.unit.rung !== unit.rung && result.unit.timers.handOffBy !== null;
      if (begun) return withTimers(result, { answerBy: now + (rules.ladder[result.unit.rung]?.waitMs ?? 0) });
      if (message.kind !== 'handed off' || unit.timers.answerBy === null) return result;
      return withTimers(result, { answerBy: unit.timers.answerBy });
    },
  },
  {
    name: 'the deadline comes a millisecond early',
    foundBy: 'each rung begins when it must, never before',
    machine: after('handed off', (result, unit) => {
      const { answerBy } = result.unit.timers;
      return answerBy === null || answerBy === unit.timers.answerBy
        ? result
        : withTimers(result, { answerBy: answerBy - 1 });
    }),
  },
  {
    name: 'exhausted deliveries are ignored',
    foundBy: 'each rung begins when it must, never before',
    machine: (unit, message, rules, now) =>
      message.kind === 'exhausted' ? nothing(unit) : advance(unit, message, rules, now),
  },
  {
    name: 'a hand-off of an earlier rung starts the deadline of this one',
    foundBy: 'each rung begins when it must, never before',
    machine: (unit, message, rules, now) =>
      advance(unit, message.kind === 'handed off' ? { ...message, rung: unit.rung } : message, rules, now),
  },
  {
    name: 'nobody notices that a rung is never handed off',
    foundBy: 'each rung begins when it must, never before',
    machine: always((result) => withTimers(result, { handOffBy: null })),
  },
  {
    name: 'a unit that is reopened begins no rung, and waits for ever',
    foundBy: 'nothing is left to do without a timer',
    machine: after('cannot act', (result, unit) => ({
      ...result,
      unit: { ...result.unit, rung: unit.rung, timers: unit.timers },
      sends: [],
    })),
  },
  {
    name: 'bridging is one-sided: those below are not told',
    foundBy: 'subordinates open when they must, never before',
    machine: always((result) => ({
      ...result,
      messages: result.messages.filter(({ message }) => message.kind !== 'past you'),
    })),
  },
  {
    name: 'a digest for each silent subordinate instead of one for the window',
    foundBy: 'one digest for a window, none early, none missing',
    machine: after('subordinate silent', (result, _unit, _rules, now) =>
      result.unit.timers.digestAt === null ? result : withTimers(result, { digestAt: now }),
    ),
  },
  {
    name: 'later trouble pushes the digest back',
    foundBy: 'one digest for a window, none early, none missing',
    machine: after('subordinate silent', (result, _unit, rules, now) =>
      result.unit.timers.digestAt === null
        ? result
        : withTimers(result, { digestAt: now + rules.digest.windowMs }),
    ),
  },
  {
    name: 'a cancel is ignored',
    foundBy: 'every unit ends',
    machine: (unit, message, rules, now) =>
      message.kind === 'cancelled' ? nothing(unit) : advance(unit, message, rules, now),
  },
  {
    name: 'timers run on after the end',
    foundBy: 'states only rise',
    machine: after('cancelled', (result, unit) => withTimers(result, unit.timers)),
  },
  {
    name: 'descend never times out',
    foundBy: 'subordinates open when they must, never before',
    machine: always((result) => withTimers(result, { descendAt: null })),
  },
  {
    name: 'those below wait although their superior has answered',
    foundBy: 'subordinates open when they must, never before',
    machine: after('answered', (result, unit) => ({
      ...result,
      unit: {
        ...result.unit,
        descended: unit.descended,
        timers: { ...result.unit.timers, descendAt: unit.timers.descendAt },
      },
      messages: result.messages.filter(({ message }) => message.kind !== 'opened'),
    })),
  },
  {
    name: 'the superior is not told of a silent unit',
    foundBy: 'whoever a unit reports to hears of its trouble',
    machine: always((result) => ({
      ...result,
      messages: result.messages.filter(({ message }) => message.kind !== 'subordinate silent'),
    })),
  },
  {
    name: 'the superior is told at each rung anew',
    foundBy: 'messages to one superior are bounded',
    machine: (unit, message, rules, now) => advance({ ...unit, silenceTold: 0 }, message, rules, now),
  },
  {
    name: '*cannot act* is taken for an answer',
    foundBy: 'the last word stands, the first time stays',
    machine: (unit, message, rules, now) =>
      advance(
        unit,
        message.kind === 'cannot act' ? { kind: 'answered', at: message.at, answer: 'received' } : message,
        rules,
        now,
      ),
  },
  {
    name: 'an answer clears the silence',
    foundBy: 'states only rise',
    machine: after('answered', (result) => ({ ...result, unit: { ...result.unit, silentAt: null } })),
  },
  {
    name: 'a repeated answer moves the time of the first',
    foundBy: 'states only rise',
    machine: after('answered', (result, _unit, _rules, now) => ({
      ...result,
      unit: { ...result.unit, answeredAt: now },
    })),
  },
  {
    name: 'a unit concludes without those below',
    foundBy: 'a unit concludes when all below it have',
    machine: (unit, message, rules, now) => {
      const result = advance({ ...unit, subordinates: 0 }, message, rules, now);
      return { ...result, unit: { ...result.unit, subordinates: unit.subordinates } };
    },
  },
  {
    name: 'what a superior counts depends on who speaks first',
    foundBy: SAME_PATHS,
    machine: (unit, message, rules, now) => {
      const result = advance(unit, message, rules, now);
      if (message.kind !== 'subordinate silent' || unit.silentBelow > 0 || message.unitId % 2 === 0)
        return result;
      return { ...result, unit: { ...result.unit, silentBelow: 2 } };
    },
  },
  {
    name: 'of two bridges of one instant the one that arrives last counts (was so)',
    foundBy: SAME_PATHS,
    machine: (unit, message, rules, now) => {
      const shorter = message.kind === 'past you' && message.bridgedTo.length < unit.bridgedTo.length;
      const result = advance(unit, message, rules, now);
      if (!shorter) return result;
      const reportsTo = message.bridgedTo.at(-1) ?? null;
      return { ...result, unit: { ...result.unit, bridgedTo: message.bridgedTo, reportsTo } };
    },
  },
  {
    name: 'who stands behind a bridge never hears what the silent superior was told (was so)',
    foundBy: 'whoever a unit reports to hears of its trouble',
    machine: after('past you', (result) => ({
      ...result,
      messages: result.messages.filter((outgoing) => outgoing.to !== 'unit'),
    })),
  },
  {
    name: 'the third bridge notice carries the number of the second (was so)',
    foundBy: 'sends are bounded, each is one of its kind',
    machine: always((result) => ({
      ...result,
      sends: result.sends.map((send) =>
        send.kind === 'bridge notice' ? { ...send, number: Math.min(send.number, 1) } : send,
      ),
    })),
  },
  {
    name: 'words count in the order they arrive, not as they were spoken (was so)',
    foundBy: 'the last word stands, the first time stays',
    machine: (unit, message, rules, now) => advance({ ...unit, heardAt: null }, message, rules, now),
  },
  {
    name: 'those below wait although their superior has said that he cannot act (was so)',
    foundBy: 'subordinates open when they must, never before',
    machine: after('cannot act', (result, unit) => ({
      ...result,
      unit: {
        ...result.unit,
        descended: unit.descended,
        timers: { ...result.unit.timers, descendAt: unit.timers.descendAt },
      },
      messages: result.messages.filter(({ message }) => message.kind !== 'opened'),
    })),
  },
];

type Break = (result: Advanced, unit: UnitState, rules: Rules, now: Instant) => Advanced;

/** The real machine, its result changed after each message. */
function always(change: Break): Machine {
  return (unit, message, rules, now) => change(advance(unit, message, rules, now), unit, rules, now);
}

/** The same for messages of one kind only. */
function after(kind: Message['kind'], change: Break): Machine {
  return (unit, message, rules, now) => {
    const result = advance(unit, message, rules, now);
    return message.kind === kind ? change(result, unit, rules, now) : result;
  };
}

function withTimers(result: Advanced, timers: Partial<Timers>): Advanced {
  return { ...result, unit: { ...result.unit, timers: { ...result.unit.timers, ...timers } } };
}

function nothing(unit: UnitState): Advanced {
  return { unit, sends: [], messages: [] };
}
