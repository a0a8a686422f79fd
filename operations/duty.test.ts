/** The duty roster as offices keep it: in, with its faults by line, and out. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { testDatabase } from '../test/database.ts';
import { plantSmallTree } from '../test/harness/small-tree.ts';
import { importDuties, listDuties, parseMinute } from './duty.ts';

const HEADER = '单位,顺位,值班人,开始,结束\n';

let database: Database;
beforeAll(async () => {
  database = await testDatabase('duty');
  await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(() => database.query('truncate duties'));

const importing = (lines: string) => importDuties({ database, file: `${HEADER}${lines}` });

async function faultsOf(lines: string): Promise<readonly string[]> {
  const error: unknown = await importing(lines).catch((thrown: unknown) => thrown);
  if (!(error instanceof FenghuoError)) throw new Error('the file was not refused', { cause: error });
  return error.details;
}

test('a roster names units by code or path, and people by reference, number or name', async () => {
  const lines = `900101001000,正职,村一1,2099-07-09 08:00,2099-07-09 20:00
城/区/乡一,副职1,+8610000000005,2099-07-09T08:00:00+08:00,2099/7/10 8:00
`;
  expect(await importing(lines)).toMatchObject({ added: 2, ended: 0, unchanged: 0 });
  const { duties } = await listDuties(database, { at: '2099-07-09 12:00', most: 9 });
  expect(duties.map(({ path, rank, name }) => [path.at(-1), rank, name])).toEqual([
    ['乡一', 1, '乡一0'],
    ['村一', 0, '村一1'],
  ]);
  expect((await listDuties(database, { at: '2099-07-09 21:00', unit: '乡一', most: 9 })).duties).toHaveLength(
    1,
  );
});

test('again it changes nothing; what is no longer listed for a unit ends, other units keep theirs', async () => {
  const one = '900101001000,正职,村一1,2099-07-09 08:00,2099-07-09 20:00\n';
  const two = '900102001000,正职,村二1,2099-07-09 08:00,2099-07-09 20:00\n';
  await importing(one + two);
  expect(await importing(one + two)).toMatchObject({ added: 0, ended: 0, unchanged: 2 });
  const later = '900101001000,正职,村一1,2099-07-10 08:00,2099-07-10 20:00\n';
  expect(await importing(later)).toMatchObject({ added: 1, ended: 1, unchanged: 0 });
  expect((await listDuties(database, { at: '2099-07-09 12:00', most: 9 })).duties).toHaveLength(1);
});

test('every fault is said by its line, and nothing is half applied', async () => {
  const faults = await faultsOf(`1,正职,村一1,2099-07-09 08:00,2099-07-09 20:00
900101001000,boss,村一1,2099-07-09 08:00,2099-07-09 20:00
900101001000,正职,无此人,2099-07-09 08:00,2099-07-09 20:00
900101001000,正职,村一1,tomorrow,2099-07-09 20:00
900101001000,正职,村一1,2099-07-09 20:00,2099-07-09 08:00
900101001000,正职,村一1,2099-07-09 08:00,2099-09-09 20:00
900101001000,正职,村一1,2099-07-09 08:00,2099-07-09 20:00
900101001000,正职,村一0,2099-07-09 19:00,2099-07-10 08:00
`);
  expect(faults.map((fault) => fault.slice(0, 7))).toEqual(
    [2, 3, 4, 5, 6, 7, 9].map((line) => `line ${line},`),
  );
  expect(faults.at(-1)).toContain('line 8 has this post at the same hours');
  expect(await database.query('select 1 from duties')).toEqual([]);
});

describe('a time of a roster', () => {
  test.each([
    ['2026-07-09 08:00', '2026-07-09T00:00:00.000Z'],
    ['2026/7/9 8:05', '2026-07-09T00:05:00.000Z'],
    ['２０２６年７月９日 20:00', '2026-07-09T12:00:00.000Z'],
    ['2026-07-09 24:00', '2026-07-09T16:00:00.000Z'],
    ['2026-07-09T08:00:00+08:00', '2026-07-09T00:00:00.000Z'],
    ['2026-07-09T08:00:30Z', '2026-07-09T08:00:30.000Z'],
  ])('%s', (cell, instant) => {
    expect(parseMinute(cell)).toEqual({ value: Date.parse(instant) });
  });

  test.each(['', '8:00', '2026-02-30 08:00', '2026-07-09', '2026-07-09 25:00'])('"%s" is none', (cell) => {
    expect(parseMinute(cell)).toHaveProperty('fault');
  });
});
