/** Whatever of a drill is killed and whenever: its report is that of one that was left alone, but for its own delay. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DrillReport } from '../domain/drill-report.ts';
import { differing, gapsIn, openKilledSite, type Kill, type KilledSite } from './harness/drill-killed.ts';
import { streamOf } from './harness/random.ts';

const SEED = 20261123;
const VICTIMS = ['conductor', 'worker', 'web', 'sandbox'] as const;
/** Minutes of the story between which somebody is killed: at the very beginning, in the ladder, around and after the update. */
const TIMES = [
  [0, 1],
  [1, 18],
  [19, 27],
] as const;

const PLAYED_WITHIN_MS = 300_000;

let killed: KilledSite;
let whole: DrillReport;

beforeAll(async () => {
  killed = await openKilledSite('drill-run-killed-long');
  ({ report: whole } = await killed.play([]));
}, PLAYED_WITHIN_MS);
afterAll(() => killed?.close());

test('the story is one in which something happens', () => {
  expect(whole.warnings[0]?.bridges.map(({ name }) => name).sort()).toEqual(['乡二', '村二']);
  expect(whole.expectations.map(({ met }) => met)).toEqual([true, true, true, true]);
});

const random = streamOf(SEED);
const cases = VICTIMS.map((what): [string, Kill[]] => [
  what,
  TIMES.map(([from, to]) => ({ what, atMinute: Math.round((from + (to - from) * random()) * 10) / 10 })),
]);

test.each(cases)(
  'the %s, three times',
  async (_what, kills) => {
    const { report, row } = await killed.play(kills);
    expect(gapsIn(report)).toBe(kills.length);
    expect(differing(whole, report), JSON.stringify({ kills, named: report.interruptions })).toEqual([]);
    expect(await killed.site.wrongs(row)).toEqual([]);
  },
  PLAYED_WITHIN_MS,
);
