/** The unit machine while nobody can answer: what waits, what does not, and for how long at most. */
import { expect, test } from 'vitest';
import { EXTENSION_MS_MAX, type Outage } from './outages.ts';
import type { Rules, Rung } from './rules.ts';
import { advance, newUnit, nextDeadline, type Message, type UnitState } from './unit.ts';

const MINUTE = 60_000;
const T0 = 1_000_000_000;
const at = (minute: number) => T0 + minute * MINUTE;

const RUNG: Rung = {
  name: 'a rung',
  who: 'principal',
  by: ['sms'],
  waitMs: 5 * MINUTE,
  tellSuperior: false,
  bridge: false,
};

const RULES: Rules = {
  pack: { id: 'example', version: 1 },
  level: 'red',
  ladder: [
    RUNG,
    { ...RUNG, who: 'deputies', tellSuperior: true },
    { ...RUNG, who: 'everyone', bridge: true },
  ],
  descendWaitMs: { township: 2 * MINUTE },
  handOffMaxMs: 2 * MINUTE,
  digest: { windowMs: MINUTE, urgentWindowMs: MINUTE, regular: 2, by: ['sms'] },
  endReport: { tiers: [], afterMs: 30 * MINUTE, by: ['email'] },
  households: { by: ['sms'] },
  retry: { laterMs: [MINUTE], unknownMs: MINUTE, attemptsMost: 3 },
};

/** Plays a township whose messages are handed off at once, from its opening to `minutes`; gives when each rung began. */
function play(
  outages: readonly Outage[],
  minutes: number,
): { rungs: number[]; unit: UnitState; opened: number | null } {
  let unit = newUnit({ unitId: 3, tier: 'township', superiorId: 2, subordinates: 2 });
  const rungs: number[] = [];
  let opened: number | null = null;
  const take = (message: Message, now: number) => {
    const result = advance(unit, message, RULES, now);
    unit = result.unit;
    if (result.messages.some((outgoing) => outgoing.to === 'subordinates')) opened ??= (now - T0) / MINUTE;
    for (const send of result.sends) {
      if (send.kind !== 'rung') continue;
      rungs.push((now - T0) / MINUTE);
      take({ kind: 'planned', rung: send.rung, deliveries: 1 }, now);
      take({ kind: 'handed off', rung: send.rung, at: now }, now);
    }
  };
  take({ kind: 'opened' }, T0);
  for (let next = nextDeadline(unit); next !== null && next <= at(minutes); next = nextDeadline(unit)) {
    const now = next;
    // As a step would read them then: what has not begun is not known, and what has not ended is open.
    const known = outages
      .filter(({ from }) => from < now)
      .map(({ from, until }) => ({ from, until: until !== null && until <= now ? until : null }));
    take(known.length > 0 ? { kind: 'deadline', outages: known } : { kind: 'deadline' }, now);
  }
  return { rungs, unit, opened };
}

test('without outages a rung begins every five minutes', () => {
  expect(play([], 30).rungs).toEqual([0, 5, 10]);
});

test('a unit has its five minutes of intake, however they are cut', () => {
  const outages = [
    { from: at(1), until: at(3) },
    { from: at(4), until: at(6) },
  ];
  expect(play(outages, 30).rungs).toEqual([0, 9, 14]);
});

test('while the intake is out no rung begins; after it the rest of the wait is left', () => {
  const { rungs } = play([{ from: at(4), until: at(11.5) }], 30);
  expect(rungs[1]).toBeGreaterThanOrEqual(12.5);
  // It is looked at again each time the rest, one minute, would be over if the intake had just come back.
  expect(rungs[1]).toBeLessThanOrEqual(13);
});

test('an outage in a later rung extends that one', () => {
  expect(play([{ from: at(6), until: at(8) }], 30).rungs).toEqual([0, 5, 12]);
});

test('those below are opened all the same: they must hear', () => {
  expect(play([{ from: at(1), until: null }], 10).opened).toBe(2);
});

test('the ladder never stops for ever: outages hold a unit up for ten minutes in all', () => {
  expect(EXTENSION_MS_MAX).toBe(10 * MINUTE);
  expect(play([{ from: at(-60), until: null }], 60).rungs).toEqual([0, 15, 20]);
  const inTwoRungs = [
    { from: at(1), until: at(7) },
    { from: at(12), until: null },
  ];
  expect(play(inTwoRungs, 60).rungs).toEqual([0, 11, 20]);
});

test('an earlier hand-off that is heard of late moves the deadline, which is extended anew', () => {
  let { unit } = play([{ from: at(1), until: null }], 6);
  expect(unit.rung).toBe(0);
  unit = advance(unit, { kind: 'handed off', rung: 0, at: at(-1) }, RULES, at(6)).unit;
  expect(unit.timers.answerBy).toBe(at(4));
  const outages = [{ from: at(1), until: at(7) }];
  unit = advance(unit, { kind: 'deadline', outages }, RULES, at(7)).unit;
  expect([unit.rung, unit.timers.answerBy]).toEqual([0, at(10)]);
});

test('who was heard is not waited for', () => {
  const { unit } = play([{ from: at(1), until: null }], 4);
  const answered = advance(unit, { kind: 'answered', at: at(4), answer: 'received' }, RULES, at(4)).unit;
  expect(answered.timers.answerBy).toBeNull();
});
