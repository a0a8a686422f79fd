/** A warning that ran over PostgreSQL, replayed from its own audit: the same state for every unit, every letter explained. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import { answerByReply } from '../operations/answers.ts';
import { pauseEverything, resumeEverything } from '../operations/pauses.ts';
import { replayWarning } from '../operations/replays.ts';
import { cancelWarning, issueWarning, viewWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import { recordingChannel, runUntilQuiet, TEST_KEYS } from './harness/local-cascade.ts';
import { plantSmallTree, type SmallTree } from './harness/small-tree.ts';

/** Five minutes in 83 ms: the ladder is climbed for real, and nothing moves a timer from outside. */
const SPEED = 3_600;
const PATIENCE_MS = 30_000;

let database: Database;
let tree: SmallTree;
const channels = () =>
  ['sms' as const, 'email' as const, 'voice' as const].map((channel) => recordingChannel(channel));

beforeEach(async () => {
  database = await testDatabase('replay');
  tree = await plantSmallTree(database);
});
afterEach(() => database.close());

async function issue(hours: number): Promise<number> {
  const request = { hazard: '暴雨', level: 'red', areas: ['城'], expires: `+${hours}h`, issuer: '城气象台' };
  return (await issueWarning(database, { ...request, speed: SPEED })).warningId;
}

async function reply(warningId: number, unit: string, word: string): Promise<void> {
  const person = tree.person(unit);
  const [row] = await database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [person],
  );
  const number = answerNumber(TEST_KEYS, warningId, recipientName('people', person));
  await answerByReply(database, TEST_KEYS, {
    id: `${unit}-${word}`,
    from: row?.address ?? '',
    text: `${word} ${number}`,
  });
}

/** Runs steps and pages until the warning is over. */
async function runToTheEnd(warningId: number): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  const carried = channels();
  for (;;) {
    await runUntilQuiet(database, warningId, carried);
    const { progress } = await viewWarning(database, warningId);
    if (progress.cellsOpen === 0) return;
    if (Date.now() > deadline) throw new Error('the warning does not come to its end');
    await wait(10);
  }
}

test('answers, silence, bridges, help and the expiry', async () => {
  const id = await issue(1);
  await runUntilQuiet(database, id, channels());
  await reply(id, '区', '1');
  await reply(id, '村一', '1');
  await reply(id, '组一', '3');
  await reply(id, '村一', '2');
  await runToTheEnd(id);
  const { replayed, differing } = await replayWarning(database, id);
  expect(differing).toEqual([]);
  expect(replayed.unexplained).toEqual([]);
  expect(replayed.units.size).toBe(8);
  const what = [...replayed.paths.values()].flat().map((entry) => entry.what);
  for (const step of ['status answered', 'rung 3', 'ended expired']) expect(what).toContain(step);
  expect(what.some((entry) => entry.startsWith('bridgedAt'))).toBe(true);
  expect(what.some((entry) => entry.startsWith('reportsTo'))).toBe(true);
});

test('a cancel half-way', async () => {
  const id = await issue(3);
  await runUntilQuiet(database, id, channels());
  await reply(id, '乡一', '1');
  await cancelWarning(database, id, '雨势减弱');
  await runToTheEnd(id);
  const { replayed, differing } = await replayWarning(database, id);
  expect(differing).toEqual([]);
  expect(replayed.unexplained).toEqual([]);
  expect([...replayed.units.values()].every(({ ended }) => ended === 'cancelled')).toBe(true);
});

test('a pause in the middle, of which the record says how long it was', async () => {
  const id = await issue(1);
  await runUntilQuiet(database, id, channels());
  await reply(id, '区', '1');
  await pauseEverything(database, { by: '王值班', reason: '误发核实' });
  await wait(300);
  await resumeEverything(database, { by: '李主任' });
  // Here the moved timers are all that a unit has; at the end none is left.
  const resumed = await replayWarning(database, id);
  expect(resumed.differing).toEqual([]);
  expect([...resumed.replayed.units.values()].some(({ timers }) => timers.answerBy !== null)).toBe(true);
  await runToTheEnd(id);
  const { replayed, differing } = await replayWarning(database, id);
  expect(differing).toEqual([]);
  expect(replayed.unexplained).toEqual([]);
  const what = [...replayed.paths.values()].flat().map((entry) => entry.what);
  for (const step of ['status answered', 'rung 3', 'ended expired']) expect(what).toContain(step);
});

test('a state that was changed by hand shows', async () => {
  const id = await issue(1);
  await runToTheEnd(id);
  await database.query(
    `update unit_states set state = (state::jsonb || '{"rung": 0}')::json where warning_id = $1 and unit_id = $2`,
    [id, tree.unit('乡一')],
  );
  const { differing } = await replayWarning(database, id);
  expect(differing.map(({ unitId }) => unitId)).toEqual([tree.unit('乡一')]);
});
