/** A drill whose conductor is killed gives the report of one that was left alone, but for its own delay. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { differing, gapsIn, openKilledSite, type KilledSite } from './harness/drill-killed.ts';

let killed: KilledSite;

beforeAll(async () => {
  killed = await openKilledSite('drill-run-killed');
});
afterAll(() => killed?.close());

test('killed and resumed: the same report but for its own delay', async () => {
  const [{ report: whole }, { report: torn, row }] = await Promise.all([
    killed.play([]),
    killed.play([{ what: 'conductor', atMinute: 4.5 }]),
  ]);
  expect([gapsIn(whole), gapsIn(torn)]).toEqual([0, 1]);
  expect(differing(whole, torn)).toEqual([]);
  expect(await killed.site.wrongs(row)).toEqual([]);
  // The story is one in which something happens.
  expect(whole.warnings.map(({ bridges }) => bridges.map(({ name }) => name).sort())).toEqual([
    ['乡二', '村二'],
    ['乡二'],
  ]);
  expect(whole.expectations.map(({ met }) => met)).toEqual([true, true, true, true]);
});
