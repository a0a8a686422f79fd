/** Who stands for a post at a moment, by the roster and without it. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../test/database.ts';
import { appoint, plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import type { Database } from './database.ts';
import { dutiesAhead, endDuties, insertDuties, onDuty, readDuties, standsFor } from './duties.ts';

const HOUR_MS = 3_600_000;

let database: Database;
let tree: SmallTree;
let stranger: number;

beforeAll(async () => {
  database = await testDatabase('db/duties');
  tree = await plantSmallTree(database);
  stranger = await appoint(database, tree.unit('城'), '值班员', 9);
});
afterAll(() => database.close());
beforeEach(() => database.query('truncate duties'));

/** Puts somebody on duty for a unit, in hours from now. */
async function duty(unit: string, rank: number, personId: number, hours: [number, number]): Promise<void> {
  const [from, until] = hours.map((hour) => Date.now() + hour * HOUR_MS) as [number, number];
  await insertDuties(database, [{ unitId: tree.unit(unit), rank, personId, from, until }]);
}

/** Who would be sent to now, of each post of a unit: as the statements that plan and claim ask. */
const standing = async (unit: string) =>
  (
    await database.query<{ person: number }>(
      `select ${standsFor('p')} as person from posts p where p.unit_id = $1 order by p.rank`,
      [tree.unit(unit)],
    )
  ).map(({ person }) => person);

test('without a roster the holders stand for their posts', async () => {
  expect(await standing('村一')).toEqual([tree.person('村一'), tree.person('村一', 1)]);
  expect(await onDuty(database, tree.unit('村一'), 0, Date.now())).toEqual({
    ...{ personId: tree.person('村一'), name: '村一0', byDuty: false },
  });
  expect(await onDuty(database, tree.unit('村一'), 5, Date.now())).toBeNull();
});

test.each<[string, [number, number], boolean]>([
  ['under way', [-1, 1], true],
  ['over', [-2, -1], false],
  ['to come', [1, 2], false],
])('a duty that is %s: the one on duty stands for the post: %s', async (_name, hours, stands) => {
  await duty('村一', 0, stranger, hours);
  const expected = stands ? stranger : tree.person('村一');
  expect(await standing('村一')).toEqual([expected, tree.person('村一', 1)]);
  expect(await standing('村二')).toEqual([tree.person('村二'), tree.person('村二', 1)]);
  expect((await onDuty(database, tree.unit('村一'), 0, Date.now()))?.personId).toBe(expected);
});

test('of two who overlap the one who began last stands, and a moment of the past is judged by the roster of then', async () => {
  await duty('村一', 0, tree.person('乡一'), [-5, 5]);
  await duty('村一', 0, stranger, [-1, 1]);
  expect((await standing('村一'))[0]).toBe(stranger);
  const earlier = await onDuty(database, tree.unit('村一'), 0, Date.now() - 3 * HOUR_MS);
  expect(earlier).toMatchObject({ personId: tree.person('乡一'), byDuty: true });
});

test('a duty that is taken back while under way ends now and stays on record; one to come is gone', async () => {
  await duty('村一', 0, stranger, [-1, 1]);
  await duty('村一', 0, stranger, [1, 2]);
  const ahead = await dutiesAhead(database, [tree.unit('村一')]);
  await endDuties(
    database,
    ahead.map(({ id }) => id),
  );
  // PostgreSQL's clock counts microseconds, and this one only milliseconds.
  expect(await readDuties(database, { at: Date.now() + 1, unitId: null, most: 9 })).toEqual([]);
  expect(await readDuties(database, { at: Date.now() - 60_000, unitId: null, most: 9 })).toHaveLength(1);
  expect(await database.query('select 1 from duties')).toHaveLength(1);
});
