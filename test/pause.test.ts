/** A pause in the middle of a warning, over real PostgreSQL: nothing leaves, no deadline passes, and nobody loses time by it. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { pausedSince } from '../db/pauses.ts';
import { readWatchFacts } from '../db/watchdog.ts';
import { CHANNELS } from '../domain/rules.ts';
import { pauseEverything, resumeEverything } from '../operations/pauses.ts';
import { answerByCommand } from '../operations/answers.ts';
import { cancelWarning, issueWarning, viewWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import { makeDeadlinesDue, recordingChannel, runUntilQuiet } from './harness/local-cascade.ts';
import { plantSmallTree } from './harness/small-tree.ts';

const BY = { by: '王值班', reason: '误发核实' };
const MINUTE_MS = 60_000;

let database: Database;
let warningId: number;
let channels: ReturnType<typeof recordingChannel>[];

beforeAll(async () => {
  database = await testDatabase('pause');
  await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.query('truncate pauses');
  channels = CHANNELS.map((channel) => recordingChannel(channel));
  warningId = await issue();
});

async function issue(): Promise<number> {
  const issued = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' },
  });
  return issued.warningId;
}

const run = () => runUntilQuiet(database, warningId, channels);
const sent = () => channels.reduce((sum, { messages }) => sum + messages.length, 0);
const resume = () => resumeEverything(database, { by: '李主任' });

/** The pause began so long ago, as far as anybody can tell. */
const backdate = (ms: number) =>
  database.query(`update pauses set began_at = began_at - $1 * interval '1 millisecond'`, [ms]);

type Timers = Record<string, number | null>;

async function timers(): Promise<Map<string, Timers>> {
  const rows = await database.query<{ name: string; timers: Timers; next: number | null }>(
    `select u.name, s.state->'timers' as timers, (extract(epoch from s.next_at) * 1000)::float8 as next
     from unit_states s join units u on u.id = s.unit_id where s.warning_id = $1`,
    [warningId],
  );
  return new Map(rows.map(({ name, timers: all, next }) => [name, { ...all, next }]));
}

const rungs = async () =>
  (
    await database.query<{ rung: number }>('select rung from unit_states where warning_id = $1', [warningId])
  ).map(({ rung }) => rung);

it('sends nothing of a warning that is issued while everything is paused, and all of it afterwards', async () => {
  await pauseEverything(database, BY);
  await run();
  expect(sent()).toBe(0);
  expect((await viewWarning(database, warningId)).paused).toMatchObject(BY);
  await resume();
  await run();
  expect(sent()).toBeGreaterThan(5);
  expect((await viewWarning(database, warningId)).paused).toBeNull();
});

it('lets no deadline pass, however long it lasts, and gives each unit back the time it had', async () => {
  await run();
  const before = await timers();
  const told = sent();
  await pauseEverything(database, BY);
  await makeDeadlinesDue(database, warningId);
  await run();
  expect(await rungs()).toEqual((await rungs()).map(() => 0));
  expect(sent()).toBe(told);

  // As if it had begun an hour ago, with the timers as they were.
  await backdate(60 * MINUTE_MS);
  await restore(before);
  const { since, until } = await resume();
  expect(until - since).toBeGreaterThanOrEqual(60 * MINUTE_MS);
  const after = await timers();
  for (const [unit, { answerBy }] of before) {
    const opened = await openedAt(unit);
    expect(after.get(unit)?.['answerBy'], unit).toBe((answerBy ?? 0) + until - Math.max(since, opened));
    expect(after.get(unit)?.['next'], unit).toBe(Math.min(...timersOf(after.get(unit) ?? {})));
  }
  await run();
  expect(await rungs()).toEqual((await rungs()).map(() => 0));
  expect(sent()).toBe(told);
});

it('goes on by itself: the cells are due at once, and who is silent then is chased', async () => {
  await run();
  const told = sent();
  await pauseEverything(database, BY);
  await resume();
  const due = await database.query(
    `select from cells where warning_id = $1 and next_deadline <= clock_timestamp()`,
    [warningId],
  );
  expect(due).toHaveLength(2);
  await makeDeadlinesDue(database, warningId);
  await run();
  expect(sent()).toBeGreaterThan(told);
});

it('takes answers all the while, and holds even the all-clear back', async () => {
  await run();
  await pauseEverything(database, BY);
  await answerByCommand(database, {
    ...{ warningId, unit: '区/乡一', answer: 'received', doneCount: null, vouchedBy: '李', how: '电话' },
  });
  await run();
  const view = await viewWarning(database, warningId);
  expect(view.tiers.find(({ tier }) => tier === 'township')?.answered).toBe(1);
  const told = sent();
  await cancelWarning(database, warningId, null);
  await run();
  expect(sent()).toBe(told);
  await resume();
  await run();
  expect(sent()).toBeGreaterThan(told);
});

it('is one at a time, with names and a reason, and writes into the audit what it took', async () => {
  await run();
  await expect(resume()).rejects.toMatchObject({ code: 'not-paused', refusal: 'conflict' });
  await expect(pauseEverything(database, { ...BY, reason: ' ' })).rejects.toMatchObject({ refusal: 'usage' });
  await pauseEverything(database, BY);
  const again = await Promise.allSettled([
    pauseEverything(database, { ...BY, by: '李' }),
    pausedSince(database),
  ]);
  expect(again).toMatchObject([{ status: 'rejected', reason: { code: 'already-paused' } }, { value: BY }]);
  await resume();
  expect(await database.query('select began_by, ended_by, reason from pauses')).toEqual([
    { began_by: '王值班', ended_by: '李主任', reason: '误发核实' },
  ]);
  const audited = await database.query(
    `select from audit a join cells c on c.id = a.cell_id where c.warning_id = $1 and a.body->'paused' is not null`,
    [warningId],
  );
  expect(audited).toHaveLength(2);
});

it('is no trouble that a watchdog shouts of', async () => {
  await pauseEverything(database, BY);
  await run();
  await database.query(`update pages set written_at = written_at - interval '1 hour'`);
  await database.query(
    `update claims set claimed_at = claimed_at - interval '1 hour', settled_at = settled_at - interval '1 hour'`,
  );
  const standingPages = async () =>
    (await readWatchFacts(database, 1_000)).standing.filter(({ pages }) => pages > 0);
  expect(await standingPages()).toEqual([]);
  await resume();
  expect(await standingPages()).toEqual([]);
  await database.query(`update pauses set ended_at = ended_at - interval '1 minute'`);
  expect(await standingPages()).not.toEqual([]);
});

/** Puts the timers back as they were. */
async function restore(before: Map<string, Timers>): Promise<void> {
  for (const [unit, { next, ...kept }] of before) {
    await database.query(
      `update unit_states s set state = jsonb_set(s.state::jsonb, '{timers}', $3::jsonb)::json,
         next_at = to_timestamp($4::float8 / 1000) from units u
       where u.id = s.unit_id and u.name = $2 and s.warning_id = $1`,
      [warningId, unit, JSON.stringify(kept), next],
    );
  }
}

async function openedAt(unit: string): Promise<number> {
  const [row] = await database.query<{ at: number }>(
    `select floor(extract(epoch from s.opened_at) * 1000)::float8 as at from unit_states s join units u on u.id = s.unit_id
     where s.warning_id = $1 and u.name = $2`,
    [warningId, unit],
  );
  return row?.at ?? 0;
}

function timersOf(timers: Timers): number[] {
  return Object.entries(timers).flatMap(([name, at]) => (name === 'next' || at === null ? [] : [at]));
}
