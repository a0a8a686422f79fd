/** What counts as a drill's own delay, by reports of a warning over three villages. */
import { expect, test } from 'vitest';
import { beyondDelay } from './drill-delay.ts';
import { drillReport, type DrillReport } from './drill-report.ts';
import type { Tree } from './rehearsal/tree.ts';
import { MINUTE_MS } from './time.ts';
import { newUnit, type UnitState } from './unit.ts';

const START = Date.parse('2026-07-09T02:42:00+08:00');
const minute = (count: number) => START + count * MINUTE_MS;
const TOLERANCE_MINUTES = 2;

const tree: Tree = {
  units: ['村一', '村二', '村三'].map((name, unitId) => ({
    ...{ unitId, key: `1${unitId}`, name, tier: 'village', superiorId: null },
  })),
  subordinates: [[], [], []],
  posts: [],
  personKeys: new Uint32Array(),
  personChannels: new Uint8Array(),
  severalPosts: new Map(),
};

type Played = {
  bridgedAfter?: number;
  answered?: (number | null)[];
  rungs?: number;
  silent?: number;
  drill?: string;
  gaps?: number;
};

/** One answers, one answers and is passed over, one stays silent, unless it is said otherwise; minutes from the issue. */
function report({
  bridgedAfter = 9,
  answered = [3.4, 13.4, null],
  rungs = 7,
  silent = 6,
  drill = 'DR1',
  gaps = 0,
}: Played = {}): DrillReport {
  const units = answered.map((at, unitId): UnitState => ({
    ...newUnit({ unitId, tier: 'village', superiorId: null, subordinates: 0 }),
    ...{ openedAt: START, toldAt: minute(0.2), answeredAt: at === null ? null : minute(at) },
    ...(unitId > 0 && { silentAt: minute(silent + unitId / 10), bridgedAt: minute(silent + 5 - unitId) }),
  }));
  return drillReport({
    source: { kind: 'drill', id: drill, scenario: 'one', seed: 1, speed: 60, ended: 'played', people: 0 },
    title: { zh: '一', en: 'One' },
    startAt: START,
    tree,
    verdicts: [
      {
        ...{ expectation: { bridged: { where: '村二', within: '15m' } }, met: true },
        ...{ measure: 'minutes', wanted: 15, was: bridgedAfter },
      },
    ],
    interruptions: Array.from({ length: gaps }, () => ({
      ...{ kind: 'processes gone' as const, atMinute: 4, seconds: 7.5 },
    })),
    warnings: [
      {
        ...{ hazard: '11B03', areas: [0], people: [] },
        run: {
          ...{ scope: Uint8Array.from([1, 1, 1]), units },
          warning: { name: 'rain', at: START, endsAt: minute(27), end: 'expired', rules: { level: 'red' } },
          counts: {
            ...{
              messages: { rung: rungs },
              dropped: 0,
              failed: 0,
              afterEnd: 0,
              lateAnswers: 0,
              households: 0,
            },
            ...{ householdsToldAt: null, corrections: 0, correctedAt: null },
          },
        },
      },
    ],
  });
}

const against = (disturbed: Played) => beyondDelay(report(), report(disturbed), TOLERANCE_MINUTES);

test('its number, the interruptions that it names and instants within the tolerance are its own delay', () => {
  expect(against({ drill: 'DR2', gaps: 2 })).toEqual([]);
  // On the other side of looks at 4 and 15 minutes, and in another order.
  expect(against({ answered: [4.6, 12.1, null], silent: 7, bridgedAfter: 10 })).toEqual([]);
});

test('instants beyond the tolerance are not, and curves show when it was', () => {
  expect(against({ bridgedAfter: 12 })).toEqual(['expectations.0.wasMinutes: 9 | 12']);
  expect(against({ answered: [3.4, 17.9, null] })).toEqual([
    'score.points: 75 | 63',
    'score.parts.1.percent: 66.7 | 33.3',
    'warnings.0.tiers.0.answeredWithin.half: 13.4 | 17.9',
  ]);
  expect(against({ answered: [10.4, 13.4, null] })).toEqual([
    'rain village at minute 6: more than 2 minutes apart',
    'rain village at minute 7: more than 2 minutes apart',
    'rain village at minute 8: more than 2 minutes apart',
    'rain village at minute 10: more than 2 minutes apart',
  ]);
  expect(against({ silent: 9 })).toContainEqual(
    expect.stringContaining('warnings.0.silentUnits.0.sinceMinute'),
  );
});

test('counts are the same to the letter, however late', () => {
  expect(against({ rungs: 8 })).toEqual(['warnings.0.messages.rung: 7 | 8']);
  expect(against({ answered: [3.4, 13.4, 26.9] }).join('\n')).toContain('answered: 2 | 3');
});
