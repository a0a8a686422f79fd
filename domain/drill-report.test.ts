/** Reports of a small warning whose every figure can be counted by hand; and what two of them have in common. */
import { describe, expect, test } from 'vitest';
import { DrillPeople, followUps, tallyChannels, type DrillEvent } from './drill-people.ts';
import { observedBehaviour } from './drill-behaviour.ts';
import { compareReports } from './drill-compare.ts';
import { drillReport, type DrillReport } from './drill-report.ts';
import { parseReport } from './drill-report-file.ts';
import { pointsOf, scoreOf, SCORE_WEIGHTS } from './drill-score.ts';
import type { Verdict } from './rehearsal/expectations.ts';
import type { Tree } from './rehearsal/tree.ts';
import type { RunRecord } from './rehearsal/warning-run.ts';
import { MINUTE_MS } from './time.ts';
import { newUnit, type UnitState } from './unit.ts';

const START = Date.parse('2026-07-09T02:42:00+08:00');
const minute = (count: number) => START + count * MINUTE_MS;

/** A city with two villages under it; the third village is of another warning. */
const tree: Tree = {
  units: [
    { unitId: 0, key: '1', name: '城', tier: 'city', superiorId: null },
    { unitId: 1, key: '11', name: '村一', tier: 'village', superiorId: 0 },
    { unitId: 2, key: '12', name: '村二', tier: 'village', superiorId: 0 },
    { unitId: 3, key: '13', name: '村三', tier: 'village', superiorId: 0 },
  ],
  subordinates: [[1, 2, 3], [], [], []],
  posts: [],
  personKeys: new Uint32Array(),
  personChannels: new Uint8Array(),
  severalPosts: new Map(),
};

const unit = (unitId: number, state: Partial<UnitState>): UnitState => ({
  ...newUnit({
    unitId,
    tier: tree.units[unitId]?.tier ?? '',
    superiorId: unitId === 0 ? null : 0,
    subordinates: 0,
  }),
  openedAt: START,
  ...state,
});

const COUNTS = {
  ...{ messages: { rung: 4 }, dropped: 1, failed: 1, afterEnd: 0, lateAnswers: 0, households: 0 },
  ...{ householdsToldAt: null, corrections: 0, correctedAt: null },
};

/** The city answers after 1 minute; village one after 12, told after 2; village two is told and stays silent. */
const STATES = [
  unit(0, { toldAt: minute(0.5), answeredAt: minute(1) }),
  unit(1, { toldAt: minute(2), silentAt: minute(7), answeredAt: minute(12), bridgedAt: minute(9) }),
  unit(2, { toldAt: minute(3), silentAt: minute(8) }),
];

function recorded(states: readonly (UnitState | undefined)[], scope = [1, 1, 1, 0]): RunRecord {
  return {
    warning: {
      name: 'rain',
      at: START,
      endsAt: minute(60),
      end: 'expired',
      rules: { level: 'red' },
    },
    scope: Uint8Array.from(scope),
    units: [...states],
    counts: COUNTS,
  };
}

const VERDICT: Verdict = {
  expectation: { answered: { tier: 'village', percent: 90, within: '15m' } },
  ...{ met: false, measure: 'percent', wanted: 90, was: 50 },
};

function report(
  states: readonly (UnitState | undefined)[],
  more: {
    scope?: number[];
    areas?: number[];
    verdicts?: Verdict[];
    people?: DrillPeople;
    real?: ReadonlySet<number>;
  } = {},
): DrillReport {
  return drillReport({
    source: { kind: 'rehearsal', scenario: 'small', seed: 1, whatIfs: [], people: 'made up' },
    title: { zh: '小', en: 'small' },
    startAt: START,
    tree,
    warnings: [
      {
        run: recorded(states, more.scope),
        hazard: '11B03',
        areas: more.areas ?? [1, 2],
        people: more.people?.all ?? [],
        ...(more.real && { real: more.real }),
      },
    ],
    verdicts: more.verdicts ?? [VERDICT],
  });
}

function heard(...events: Omit<DrillEvent, 'unitId'>[]): DrillPeople {
  const people = new DrillPeople();
  for (const event of events) people.hear({ unitId: 1, ...event });
  return people;
}

describe('the report of a warning', () => {
  const [warning] = report(STATES).warnings;
  const village = warning?.tiers.find(({ tier }) => tier === 'village');

  test('every unit is in one phase at every moment, and the phases are those of its times', () => {
    const at = (minutes: number) => village?.over[warning?.minutes.indexOf(minutes) ?? -1]?.phases;
    expect(at(0)).toEqual({ answered: 0, silent: 0, told: 0, opened: 2, unopened: 0 });
    expect(at(5)).toEqual({ answered: 0, silent: 0, told: 2, opened: 0, unopened: 0 });
    expect(at(10)).toEqual({ answered: 0, silent: 2, told: 0, opened: 0, unopened: 0 });
    expect(at(60)).toEqual({ answered: 1, silent: 1, told: 0, opened: 0, unopened: 0 });
    for (const { over, units } of warning?.tiers ?? [])
      for (const { phases } of over)
        expect(Object.values(phases).reduce((sum, count) => sum + count)).toBe(units);
  });

  test('names the silent and the bridged, with their time and what stands above them', () => {
    expect(warning?.silentUnits).toEqual([
      { key: '12', name: '村二', above: '城', tier: 'village', within: ['1'], sinceMinute: 8, told: true },
    ]);
    expect(warning?.bridges.map(({ key, atMinute }) => [key, atMinute])).toEqual([['11', 9]]);
    expect(warning?.areas.map(({ name }) => name)).toEqual(['村一', '村二']);
  });

  test('what it writes as JSON it reads again, and nothing else', () => {
    const whole = report(STATES);
    expect(parseReport(JSON.stringify(whole))).toEqual({ report: whole });
    const faulty = (change: object) => parseReport(JSON.stringify({ ...whole, ...change }));
    expect(faulty({ warnings: [{ ...whole.warnings[0], tiers: 'many' }] })).toMatchObject({
      fault: expect.stringContaining('warnings.0.tiers') as string,
    });
    expect(faulty({ format: 'another 7' })).toMatchObject({
      fault: expect.stringContaining('another 7') as string,
    });
    expect(parseReport('{}')).toHaveProperty('fault');
    expect(parseReport('no JSON')).toHaveProperty('fault');
  });
});

describe('the score', () => {
  test('is the weighted mean of its shares, and every tier counts alike', () => {
    const { score } = report(STATES);
    // City 100 and villages 100; city 100 and villages 50, twice; one expectation, not met.
    expect(score.parts).toEqual([
      { part: 'reachedIn10', percent: 100, weight: SCORE_WEIGHTS.reachedIn10 },
      { part: 'answeredIn15', percent: 75, weight: SCORE_WEIGHTS.answeredIn15 },
      { part: 'answeredAtEnd', percent: 75, weight: SCORE_WEIGHTS.answeredAtEnd },
      { part: 'goals', percent: 0, weight: SCORE_WEIGHTS.goals },
    ]);
    expect(score.points).toBe(65);
    expect(pointsOf(score.parts)).toBe(score.points);
  });

  test('without expectations the other shares take their weight; with nothing at all it is 0', () => {
    const { score } = report(STATES, { verdicts: [] });
    expect(score.parts.at(-1)).toEqual({ part: 'goals', percent: null, weight: 20 });
    expect(score.points).toBe(Math.round((100 * 20 + 75 * 60) / 80));
    expect(scoreOf([], []).points).toBe(0);
  });

  test('that somebody is silent or passed over is no goal: where all answer, nothing is lost by it', () => {
    const shown: Verdict[] = [
      { ...VERDICT, expectation: { silent: { atLeast: 1, after: '10m' } } },
      { ...VERDICT, expectation: { bridged: { where: '村一', within: '10m' } } },
    ];
    expect(report(STATES, { verdicts: shown }).score).toEqual(report(STATES, { verdicts: [] }).score);
    const most: Verdict = { ...VERDICT, expectation: { silent: { atMost: 1, after: '10m' } } };
    expect(report(STATES, { verdicts: [...shown, most] }).score.parts.at(-1)?.percent).toBe(0);
  });

  test('a warning that ended early is looked at when it ended', () => {
    const over = [
      { reached: 0, answered: 0 },
      { reached: 4, answered: 2 },
    ];
    const { parts } = scoreOf([{ units: 4, minutes: [0, 3], over }], []);
    expect(parts.map(({ percent }) => percent)).toEqual([100, 50, 50, null]);
  });

  test('the fifteenth minute belongs to the first fifteen', () => {
    const answeredAfter = (minutes: number) =>
      report([STATES[0], unit(1, { answeredAt: minute(minutes) }), STATES[2]]).score.parts[1]?.percent;
    expect([answeredAfter(15), answeredAfter(15.1)]).toEqual([75, 50]);
  });

  test('an answer that still stands counts as reached, though nothing was sent', () => {
    const carried = report([unit(0, { answeredAt: minute(-5) }), ...STATES.slice(1)]);
    expect(carried.score.parts[0]?.percent).toBe(100);
    expect(carried.warnings[0]?.tiers[0]?.told).toBe(0);
  });
});

describe('people', () => {
  const asked = { kind: 'handed off', channel: 'sms' } as const;

  test('the first answer counts, for the channel it came by, from the last message of it', () => {
    const people = heard(
      { ...asked, personId: 1, at: minute(0) },
      { ...asked, personId: 1, at: minute(5) },
      { kind: 'answered', personId: 1, channel: 'sms', at: minute(6.5) },
      { kind: 'answered', personId: 1, channel: 'voice', at: minute(8) },
    );
    const [all] = tallyChannels(people.all, () => 'village', ['village']);
    expect(all).toEqual({
      ...{ channel: 'sms', tier: null, handedOff: 2, failed: 0, answered: 1, medianMinutes: 1.5 },
    });
  });

  test('real ones stand apart: what they did is no part of how the channels do among the simulated', () => {
    const people = heard(
      { ...asked, personId: 1, at: minute(0) },
      { kind: 'answered', personId: 1, channel: 'sms', at: minute(6) },
      { ...asked, personId: 2, at: minute(1) },
      { kind: 'answered', personId: 2, channel: 'sms', at: minute(3) },
      { ...asked, personId: 3, at: minute(1) },
    );
    const [apart] = report(STATES, { people, real: new Set([2, 3, 9]) }).warnings;
    const sms = { channel: 'sms', tier: null, failed: 0 };
    expect(apart?.channels[0]).toEqual({ ...sms, handedOff: 1, answered: 1, medianMinutes: 6 });
    expect(apart?.real).toMatchObject({
      ...{ told: 2, answered: 1 },
      units: [{ key: '11', name: '村一', above: '城', told: 2, answered: 1, afterMinute: 3 }],
    });
    expect(apart?.real?.channels[0]).toEqual({ ...sms, handedOff: 2, answered: 1, medianMinutes: 2 });
    const [together] = report(STATES, { people }).warnings;
    expect(together?.real).toBeNull();
    expect(together?.channels[0]?.handedOff).toBe(3);
    // The units went as they went, whoever answered for them.
    expect(together?.tiers).toEqual(apart?.tiers);
  });

  test('a report of an earlier version, which did not know of real people, can be read', () => {
    const whole = report(STATES);
    const earlier = { ...whole, warnings: whole.warnings.map(({ real: _real, ...warning }) => warning) };
    expect(parseReport(JSON.stringify(earlier))).toEqual({ report: whole });
  });

  test('to be followed up are wrong addresses, and those who were told and never answered', () => {
    const people = heard(
      { kind: 'failed', personId: 1, channel: 'sms', at: START, failure: 'wrong address' },
      { ...asked, personId: 1, channel: 'email', at: START },
      { kind: 'answered', personId: 1, channel: 'email', at: minute(1) },
      { ...asked, personId: 2, at: START },
      { kind: 'failed', personId: 3, channel: 'voice', at: START, failure: 'not taken' },
    );
    expect(followUps(people.all)).toEqual([
      { personId: 1, unitId: 1, reason: 'wrong address', channels: ['sms'] },
      { personId: 2, unitId: 1, reason: 'never answered', channels: ['sms'] },
    ]);
  });

  test('what was observed becomes behaviour; a message that was overtaken was not ignored', () => {
    const people = new DrillPeople();
    const tell = (personId: number, channel: 'sms' | 'voice', at: number) =>
      people.hear({ kind: 'handed off', personId, unitId: 1, channel, at: minute(at) });
    const answer = (
      personId: number,
      channel: 'sms' | 'voice',
      at: number,
      kind: DrillEvent['kind'] = 'answered',
    ) => people.hear({ kind, personId, unitId: 1, channel, at: minute(at) });
    for (const personId of [1, 2, 3, 4, 5]) tell(personId, 'sms', 0);
    // The fifth is called before they could have seen the text; two others do not see it in five minutes.
    tell(5, 'voice', 0.5);
    answer(5, 'voice', 1, 'cannot act');
    answer(1, 'sms', 2);
    answer(2, 'sms', 4);
    for (const personId of [3, 4]) tell(personId, 'voice', 5);
    for (const personId of [3, 4]) answer(personId, 'voice', 5.5);
    people.hear({ kind: 'done', personId: 1, unitId: 1, channel: null, at: minute(32) });
    const watched = people.all.map((person) => ({ ...person, until: minute(60) }));
    const [all, village] = observedBehaviour(watched, () => 'village', ['village', 'group'], ['village']);
    expect(all).toMatchObject({ told: 5, answered: 5 });
    expect(village?.behaviour).toEqual({
      tiers: ['village'],
      ...{ neverAnswers: 0, cannotAct: 20, wrongNumbers: 0 },
      // Of five texts one was overtaken; of the other four half were answered.
      notices: { sms: 50, voice: 100 },
      done: { percent: 25, delay: 'usual' },
    });
  });
});

describe('two reports beside each other', () => {
  const better = STATES.map((state, place) => (place === 2 ? unit(2, { answeredAt: minute(4) }) : state));

  test('who is newly heard and newly silent, and what that did to the tier', () => {
    const [there] = compareReports(report(STATES), report(better)).warnings;
    expect(there?.newlyHeard.map(({ key }) => key)).toEqual(['12']);
    expect(there?.newlySilent).toEqual([]);
    const [city, village] = there?.tiers ?? [];
    expect(city?.course).toBe('same');
    expect(village?.course).toBe('better');
    expect(village?.changes.answeredAtEnd).toEqual({ before: 50, after: 100, course: 'better' });
    expect(village?.changes.silentAtEnd).toEqual({ before: 50, after: 0, course: 'better' });
    // Nine tenths had never answered: any time at all is better.
    expect(village?.changes.nineTenths).toEqual({ before: null, after: 12, course: 'better' });
    const [back] = compareReports(report(better), report(STATES)).warnings;
    expect(back?.newlySilent.map(({ key }) => key)).toEqual(['12']);
    expect(back?.tiers[1]?.course).toBe('worse');
  });

  test('with itself nothing has changed', () => {
    const { points, warnings, expectations } = compareReports(report(STATES), report(STATES));
    expect(points.course).toBe('same');
    expect(warnings[0]).toMatchObject({ newlySilent: [], newlyHeard: [], stillSilent: 1 });
    expect(warnings[0]?.tiers.every(({ course }) => course === 'same')).toBe(true);
    expect(expectations).toEqual([
      { expectation: VERDICT.expectation, goal: true, before: false, after: false },
    ]);
  });

  test('a unit that the other does not concern is neither better nor worse', () => {
    const elsewhere = report([STATES[0], STATES[1], undefined, unit(3, { silentAt: minute(8) })], {
      scope: [1, 1, 0, 1],
      areas: [1, 3],
    });
    const [there] = compareReports(report(STATES), elsewhere).warnings;
    expect(there).toMatchObject({
      newlySilent: [],
      newlyHeard: [],
      stillSilent: 0,
      elsewhere: { before: 1, after: 1 },
    });
  });

  test('what is expected is matched by what it says, whatever it advises', () => {
    const met = { ...VERDICT, met: true, expectation: { ...VERDICT.expectation, metWith: ['earlier=2h'] } };
    const { expectations } = compareReports(report(STATES), report(better, { verdicts: [met] }));
    expect(expectations).toMatchObject([{ before: false, after: true }]);
  });
});
