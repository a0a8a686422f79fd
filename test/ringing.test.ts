/** Who is rung when: once for what waits, not while it rests, and at once when a warning ends. */
import { afterAll, beforeEach, expect, it } from 'vitest';
import { stepCell } from '../activities/step.ts';
import type { Database } from '../db/database.ts';
import { ringableCells } from '../db/ringing.ts';
import { createStepStore } from '../db/step-store.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import { plantSmallTree } from './harness/small-tree.ts';

const KIND = 'exercise';
const LETTER = `insert into inbox (cell_id, unit_id, priority, body)
  select id, unit_id, 2, '{"kind":"deadline"}' from cells where id = any($1)`;

let database: Database;
let warningId: number;

beforeEach(async () => {
  await database?.close();
  database = await testDatabase('ringing');
  await plantSmallTree(database);
  ({ warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '城气象台' },
  }));
});
afterAll(() => database.close());

const ring = async () =>
  (await ringableCells(database, { kind: KIND, most: 99 })).map(({ cellId }) => cellId).sort((a, b) => a - b);
const cells = async () =>
  (await database.query<{ id: number }>('select id from cells order by id')).map(({ id }) => id);
const step = (cellId: number) =>
  stepCell(createStepStore(database), { cellId, withCounts: false, serves: KIND });
const rest = (until: string, rung = `- interval '1 hour'`) =>
  database.query(
    `update cells set rung_at = clock_timestamp() ${rung}, ring_after = clock_timestamp() ${until}`,
  );

it('a cell with mail is rung once, and again when its step has not come for five seconds', async () => {
  const rung = await ring();
  expect(rung.length).toBeGreaterThan(0);
  expect(await ring()).toEqual([]);
  const [row] = await database.query<{ seconds: number }>(
    'select distinct extract(epoch from ring_after - rung_at)::float8 as seconds from cells where rung_at is not null',
  );
  expect(row?.seconds).toBeCloseTo(5, 2);
  await rest(`- interval '1 millisecond'`);
  expect(await ring()).toEqual(rung);
});

it('a cell rests after its step, twice as long as that took, and says so to whoever waits in it', async () => {
  const [first = 0] = await ring();
  const before = await database.query<{ at: number }>(
    `select extract(epoch from clock_timestamp()) * 1000 as at`,
  );
  const began = Number(before[0]?.at);
  const result = await step(first);
  const [row] = await database.query<{ ring: number; stepped: number }>(
    `select (extract(epoch from ring_after) * 1000)::float8 as ring, (extract(epoch from stepped_at) * 1000)::float8 as stepped
     from cells where id = $1`,
    [first],
  );
  const rests = (row?.ring ?? 0) - (row?.stepped ?? 0);
  expect(rests).toBeGreaterThan(0);
  expect(rests).toBeLessThanOrEqual(2 * ((row?.stepped ?? 0) - began) + 1);
  // What came meanwhile is no reason to step at once; it is one to come back when the rest is over.
  await database.query(LETTER, [[first]]);
  await rest(`+ interval '1 minute'`);
  expect(await ring()).not.toContain(first);
  await rest(`- interval '1 millisecond'`);
  expect(await ring()).toContain(first);
  expect(result.known && result.more).toBe(false);
});

it('the end of a warning waits for no rest', async () => {
  for (const cellId of await ring()) await step(cellId);
  const all = await cells();
  await rest(`+ interval '1 minute'`);
  expect(await ring()).toEqual([]);
  await cancelWarning(database, warningId, null);
  const rung = await ring();
  expect(rung.length).toBeGreaterThan(0);
  expect(await ring()).toEqual([]);
  // A ring may get lost: it comes again within a second.
  await rest(`+ interval '1 minute'`, `- interval '801 milliseconds'`);
  expect(await ring()).toEqual(rung);
  for (const cellId of rung) await step(cellId);
  const [row] = await database.query<{ resting: number }>(
    'select count(*)::int as resting from cells where ring_after > stepped_at and id = any($1)',
    [rung],
  );
  expect(row?.resting).toBe(0);
  expect(all).toEqual(expect.arrayContaining(rung));
});
