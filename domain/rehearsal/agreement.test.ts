import { expect, test } from 'vitest';
import { agreementOf, type StoryUnit, type UnitStory } from './agreement.ts';

const SECOND = 1_000;
const TOLERANCE = 60 * SECOND;

function story(change: Partial<UnitStory> = {}): UnitStory {
  return {
    status: 'answered',
    ...{ openedAt: 0, toldAt: SECOND, answeredAt: 200 * SECOND, cannotActAt: null },
    ...{ silentAt: null, bridgedAt: null, doneAt: null, overdueAt: null },
    ...{ rungs: [], reportsTo: null, heard: [{ who: 'principal', at: 200 * SECOND }] },
    ...change,
  };
}

/** A line of units, each the neighbour of the next. */
const LINE: StoryUnit[] = [1, 2, 3].map((unitId) => ({
  unitId,
  neighbours: [unitId - 1, unitId + 1],
}));

function compare(rehearsed: UnitStory[], played: UnitStory[]) {
  const numbered = (stories: UnitStory[]) => new Map(stories.map((each, place) => [place + 1, each]));
  return agreementOf(LINE, numbered(rehearsed), numbered(played), TOLERANCE);
}

const causes = (...stories: Parameters<typeof compare>) =>
  compare(...stories).differing.map(({ unitId, cause }) => [unitId, cause]);

test('instants within the tolerance are the same, and the largest difference is told', () => {
  const { differing, latest } = compare([story()], [story({ answeredAt: 259 * SECOND })]);
  expect(differing).toEqual([]);
  expect(latest.answeredAt).toBe(59 * SECOND);
  expect(causes([story()], [story({ answeredAt: 261 * SECOND })])).toEqual([[1, 'unexplained']]);
});

test('latencies of the rungs before an instant add up: the same way, and listed', () => {
  const rungs = [{ rung: 1, at: 100 * SECOND }];
  const at = (seconds: number) =>
    causes([story({ rungs })], [story({ rungs, answeredAt: seconds * SECOND })]);
  expect(at(259)).toEqual([]);
  expect(at(319)).toEqual([[1, 'later']]);
  expect(at(321)).toEqual([[1, 'unexplained']]);
  expect(at(139)).toEqual([[1, 'near a deadline']]);
  const another = { rungs, answeredAt: 319 * SECOND, status: 'open' as const };
  expect(causes([story({ rungs })], [story(another)])).toEqual([[1, 'unexplained']]);
});

test('an answer near a deadline may fall on its other side, and who depends on it follows', () => {
  const late = story({
    ...{ answeredAt: 310 * SECOND, silentAt: 300 * SECOND, rungs: [{ rung: 1, at: 300 * SECOND }] },
  });
  const early = story({ answeredAt: 290 * SECOND });
  const past = story({ reportsTo: 9 });
  expect(causes([late, past, story()], [early, story(), story()])).toEqual([
    [1, 'near a deadline'],
    [2, 'follows'],
  ]);
  // Not without somebody in between who differs.
  expect(causes([late, story(), past], [early, story(), story()])).toEqual([
    [1, 'near a deadline'],
    [3, 'unexplained'],
  ]);
});

test('what no latency explains is a fault', () => {
  const silent = story({ status: 'open', answeredAt: null, silentAt: 300 * SECOND, heard: [] });
  expect(causes([story()], [silent])).toEqual([[1, 'unexplained']]);
  expect(causes([story()], [])).toEqual([[1, 'unexplained']]);
  expect(causes([story()], [story({ heard: [{ who: 'deputy', at: 200 * SECOND }] })])).toHaveLength(1);
});

test('of two who answer together either may be heard first', () => {
  const heard = [
    { who: 'principal', at: 200 * SECOND },
    { who: 'deputy', at: 230 * SECOND },
  ];
  expect(causes([story({ heard })], [story({ heard: [...heard].reverse() })])).toEqual([]);
});
