/** What a watchdog reads: signs of life, and work that waits, on real tables with times moved into the past. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel, runUntilQuiet } from '../test/harness/local-cascade.ts';
import { plantSmallTree } from '../test/harness/small-tree.ts';
import type { Database } from './database.ts';
import { insertSchedule, markRemoved } from './drill-schedules.ts';
import { feedSign } from '../domain/watchdog.ts';
import { beat, beatFor, beatIntake, endSign } from './liveness.ts';
import { readWatchFacts } from './watchdog.ts';

const WINDOW_MS = 20_000;
let database: Database;

beforeAll(async () => {
  database = await testDatabase('db/watchdog');
  await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(() => database.query('truncate warnings, liveness cascade'));

async function issue(): Promise<number> {
  const request = { hazard: '暴雨', level: 'red', areas: ['城'], issuer: '城气象台', expires: '+6h' };
  return (await issueWarning(database, request)).warningId;
}

async function standing() {
  const { standing: found } = await readWatchFacts(database, WINDOW_MS);
  return found.map(({ warningId, cells, pages }) => ({ warningId, cells, pages }));
}

/** Everything that happened so far happened so much earlier. */
async function age(seconds: number): Promise<void> {
  for (const [table, columns] of Object.entries({
    cells: ['stepped_at', 'next_deadline'],
    inbox: ['at'],
    pages: ['written_at', 'ended_at'],
    claims: ['claimed_at', 'settled_at', 'lease_until'],
  })) {
    const moved = columns.map((column) => `${column} = ${column} - $1 * interval '1 second'`).join(', ');
    await database.query(`update ${table} set ${moved}`, [seconds]);
  }
}

const CHANNELS = [recordingChannel('sms'), recordingChannel('email')];

test('an empty installation shows nothing', async () => {
  expect(await readWatchFacts(database, WINDOW_MS)).toMatchObject({
    workerAt: { exercise: null, actual: null },
    temporalAt: null,
    intakeAt: { exercise: null, actual: null },
    openWarnings: { exercise: 0, actual: 0 },
    standing: [],
  });
});

test('each sign of life is read by its name', async () => {
  await beat(database, 'worker exercise a:1');
  await beat(database, 'temporal');
  await beatIntake(database, 'exercise');
  const { now, workerAt, temporalAt, intakeAt } = await readWatchFacts(database, WINDOW_MS);
  expect(workerAt.actual).toBeNull();
  for (const at of [workerAt.exercise, temporalAt, intakeAt.exercise])
    expect(now - (at ?? 0)).toBeLessThan(5_000);
});

test('a feed is missed from when it should have been read again, until whoever reads it ends in good order', async () => {
  const sign = feedSign('https://weather.example/cap.atom');
  await beatFor(database, sign, 60_000);
  const { now, feeds } = await readWatchFacts(database, WINDOW_MS);
  expect(feeds.map(({ url }) => url)).toEqual(['https://weather.example/cap.atom']);
  expect(Math.abs((feeds[0]?.dueAt ?? 0) - now - 60_000)).toBeLessThan(5_000);
  await endSign(database, sign);
  expect((await readWatchFacts(database, WINDOW_MS)).feeds).toEqual([]);
});

test('schedules of drills count until they are removed, and whoever conducts them is seen', async () => {
  expect(await readWatchFacts(database, WINDOW_MS)).toMatchObject({
    drillServerAt: null,
    scheduledSince: null,
  });
  const schedule = {
    scenario: 'quickstart',
    story: '',
    cron: '0 14 * * 2',
    speed: 60,
    seed: null,
    createdBy: null,
  };
  const first = await insertSchedule(database, schedule);
  await beat(database, 'drill serve');
  const { now, drillServerAt, scheduledSince } = await readWatchFacts(database, WINDOW_MS);
  for (const at of [drillServerAt, scheduledSince]) expect(now - (at ?? 0)).toBeLessThan(5_000);
  await markRemoved(database, first);
  expect((await readWatchFacts(database, WINDOW_MS)).scheduledSince).toBeNull();
});

test('a warning that nobody steps stands still once its letters have waited for the window', async () => {
  const warningId = await issue();
  expect(await standing()).toEqual([]);
  await age(WINDOW_MS / 1_000 + 1);
  expect(await standing()).toEqual([{ warningId, cells: 2, pages: 0 }]);
  expect((await readWatchFacts(database, WINDOW_MS)).openWarnings).toEqual({ exercise: 1, actual: 0 });
  await database.query('update cells set stepped_at = clock_timestamp()');
  expect(await standing()).toEqual([]);
});

test('one at rest does not, however long its next deadline is away', async () => {
  const warningId = await issue();
  await runUntilQuiet(database, warningId, CHANNELS);
  await age(3_600);
  await database.query(`update cells set next_deadline = clock_timestamp() + interval '1 minute'`);
  expect(await standing()).toEqual([]);
  await database.query(`update cells set next_deadline = clock_timestamp() - interval '21 seconds'`);
  expect(await standing()).toEqual([{ warningId, cells: 2, pages: 0 }]);
});

test('pages that nobody claims stand still, half as long again as letters', async () => {
  const warningId = await issue();
  await runUntilQuiet(database, warningId, CHANNELS);
  await database.query('update pages set ended_at = null; delete from claims');
  await database.query(`update cells set next_deadline = null`);
  await age(WINDOW_MS / 1_000 + 1);
  expect(await standing()).toEqual([]);
  await age(WINDOW_MS / 1_000);
  const [found] = await standing();
  expect(found).toMatchObject({ warningId, cells: 0 });
  expect(found?.pages).toBeGreaterThan(0);
  // One page of each channel moved: the others have their turn after it.
  await database.query(
    'update pages set ended_at = clock_timestamp() where id in (select min(id) from pages group by channel)',
  );
  expect(await standing()).toEqual([]);
});

test('a late letter to a closed cell counts too', async () => {
  const warningId = await issue();
  await runUntilQuiet(database, warningId, CHANNELS);
  await cancelWarning(database, warningId, null);
  await runUntilQuiet(database, warningId, CHANNELS);
  expect((await readWatchFacts(database, WINDOW_MS)).openWarnings.exercise).toBe(0);
  await database.query(
    `insert into inbox (cell_id, priority, body) select id, 0, '{"kind":"ended"}' from cells where warning_id = $1 limit 1`,
    [warningId],
  );
  await age(60);
  expect(await standing()).toEqual([{ warningId, cells: 1, pages: 0 }]);
});
