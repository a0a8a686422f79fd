/** The duty desk: who is called first, and that no two officers call the same. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel, runUntilQuiet } from '../test/harness/local-cascade.ts';
import { plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { CHANNELS } from '../domain/rules.ts';
import { answerByCommand } from './answers.ts';
import { listLines, recordCall, takeLine } from './calls.ts';
import { cancelWarning, issueWarning, listSilentUnits } from './warnings.ts';

let database: Database;
let tree: SmallTree;
let red: number;
let yellow: number;

const channels = CHANNELS.map((channel) => recordingChannel(channel));

beforeAll(async () => {
  database = await testDatabase('calls');
  tree = await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.query('truncate calls, duties');
  await database.query('update person_channels set fault = null, fault_at = null');
  await database.query(`update warnings set status = 'cancelled', ended_at = clock_timestamp()`);
  yellow = await silent('yellow', '区/乡一');
  red = await silent('red', '区/乡二');
});

/** A warning all of whose units are silent. */
async function silent(level: string, area: string): Promise<number> {
  const { warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level, areas: [area], expires: '+6h', issuer: '城气象台' },
  });
  await runUntilQuiet(database, warningId, channels);
  await database.query(
    `update unit_states s set silent_at = clock_timestamp() - interval '1 minute' * cardinality(u.path)
     from units u where u.id = s.unit_id and s.warning_id = $1`,
    [warningId],
  );
  return warningId;
}

const all = { warningId: null, most: 50 };
const named = (lines: readonly { path: string[]; level: string }[]) =>
  lines.map(({ path, level }) => `${level} ${path.at(-1) ?? ''}`);
const takeAs = (officer: string) => takeLine(database, { warningId: null, officer });
const record = (
  callId: number,
  outcome: Parameters<typeof recordCall>[1]['outcome'],
  doneCount: number | null = null,
) => recordCall(database, { callId, outcome, doneCount });

it('lists silent units by level, then tier, over all open warnings or one', async () => {
  expect(named(await listLines(database, all))).toEqual([
    ...['red 城', 'red 区', 'red 乡二', 'red 村二', 'red 组二'],
    // Yellow waits for each tier before the next is told.
    'yellow 城',
  ]);
  expect(named(await listLines(database, { ...all, warningId: yellow }))).toEqual(['yellow 城']);
  await cancelWarning(database, red, null);
  expect(named(await listLines(database, all))[0]).toBe('yellow 城');
});

it('of the same level and tier, who has been silent for longer comes first', async () => {
  await database.query(
    `update unit_states set silent_at = clock_timestamp() - interval '1 hour' where warning_id = $1 and unit_id = $2`,
    [red, tree.unit('区')],
  );
  const another = await silent('red', '区/乡一');
  await database.query(
    `update unit_states set silent_at = clock_timestamp() where warning_id = $1 and unit_id = $2`,
    [another, tree.unit('区')],
  );
  const districts = (await listLines(database, all)).filter(({ path }) => path.at(-1) === '区');
  expect(districts.map(({ warningId }) => warningId)).toEqual([red, another]);
});

it('never gives two officers the same line, however many ask at once', async () => {
  const officers = Array.from({ length: 8 }, (_, number) => `值班员${number}`);
  const taken = await Promise.all(officers.map(takeAs));
  const lines = taken.flatMap((call) => (call ? [`${call.warningId} ${call.unitId}`] : []));
  expect(lines).toHaveLength(6);
  expect(new Set(lines).size).toBe(6);
  expect(await takeAs('晚来的')).toBeNull();
});

it('gives an officer the line again that lies open before them, and another officer the next', async () => {
  const first = await takeAs('王');
  expect(await takeAs('王')).toMatchObject({ callId: first?.callId, takenBy: '王' });
  const second = await takeAs('李');
  expect(named(first && second ? [first, second] : [])).toEqual(['red 城', 'red 区']);
  expect((await listLines(database, all)).slice(0, 3).map(({ takenBy }) => takenBy)).toEqual([
    '王',
    '李',
    null,
  ]);
});

it('frees a line after five minutes; what was heard on it counts all the same', async () => {
  const first = await takeAs('王');
  await database.query(`update calls set taken_until = clock_timestamp() - interval '1 second'`);
  const again = await takeAs('李');
  expect(again?.unitId).toBe(first?.unitId);
  await record(first?.callId ?? 0, 'received');
  expect(named(await listLines(database, all))[0]).toBe('red 区');
});

it('makes what was heard the answer of the unit, vouched for by the officer, and takes the line off the list', async () => {
  const call = await takeAs('王值班');
  await record(call?.callId ?? 0, 'done', 35);
  const [answer] = await database.query(
    'select kind, done_count, via, vouched_by, how, unit_id from answers where warning_id = $1',
    [red],
  );
  expect(answer).toEqual({
    ...{ kind: 'done', done_count: 35, via: 'desk', vouched_by: '王值班', how: 'telephone' },
    unit_id: tree.unit('城'),
  });
  expect(named(await listLines(database, all))[0]).toBe('red 区');
  await runUntilQuiet(database, red, channels);
  const silentUnits = await listSilentUnits(database, red);
  expect(silentUnits.map(({ path }) => path.at(-1))).not.toContain('城');
  await expect(record(call?.callId ?? 0, 'received')).rejects.toMatchObject({
    code: 'call-recorded',
    refusal: 'conflict',
  });
  await expect(record(99_999, 'received')).rejects.toMatchObject({ refusal: 'notFound' });
});

it('takes a unit off the list when it answers by itself, before any step has seen it', async () => {
  await answerByCommand(database, {
    ...{ warningId: red, unit: '城', answer: 'cannot act', doneCount: null, vouchedBy: '李', how: '对讲机' },
  });
  expect(named(await listLines(database, all))[0]).toBe('red 区');
});

it('calls the deputy when nobody answers, and the first one again only after a rest', async () => {
  const called: (string | undefined)[] = [];
  for (let round = 0; round < 2; round += 1) {
    const call = await takeAs('王');
    called.push(call?.people.find(({ personId }) => personId === call.personId)?.name);
    await record(call?.callId ?? 0, 'no answer');
  }
  expect(called).toEqual(['城0', '城1']);
  expect(named([(await takeAs('王')) ?? { path: [], level: '' }])).toEqual(['red 区']);
  await database.query(
    `update calls set ended_at = ended_at - interval '6 minutes' where outcome = 'no answer'`,
  );
  expect(named([(await takeAs('李')) ?? { path: [], level: '' }])).toEqual(['red 城']);
});

it('does not use a wrong number again, neither for calls nor for messages', async () => {
  const call = await takeAs('王');
  await record(call?.callId ?? 0, 'wrong number');
  expect(
    await database.query(`select channel, fault from person_channels where person_id = $1 order by channel`, [
      tree.person('城'),
    ]),
  ).toEqual([
    { channel: 'email', fault: null },
    { channel: 'sms', fault: 'bad-contact' },
  ]);
  const again = await takeAs('王');
  expect(again?.unitId).toBe(call?.unitId);
  expect(again?.personId).toBe(tree.person('城', 1));
});

it('gives another line to who gave one back, and that one to others', async () => {
  const call = await takeAs('王');
  await record(call?.callId ?? 0, 'given back');
  expect(named([(await takeAs('王')) ?? { path: [], level: '' }])).toEqual(['red 区']);
  expect((await takeAs('李'))?.unitId).toBe(call?.unitId);
});

it('calls who is on duty at this hour instead of the holder', async () => {
  await database.query(
    `insert into duties (unit_id, rank, person_id, from_at, until_at)
     values ($1, 0, $2, clock_timestamp() - interval '1 hour', clock_timestamp() + interval '1 hour')`,
    [tree.unit('城'), tree.person('组一')],
  );
  expect((await takeAs('王'))?.personId).toBe(tree.person('组一'));
});

it('refuses a count with anything but done, and an officer without a name', async () => {
  const call = await takeAs('王');
  await expect(record(call?.callId ?? 0, 'received', 3)).rejects.toMatchObject({ code: 'call-count' });
  await expect(takeAs(' ')).rejects.toMatchObject({ code: 'officer' });
});

it('has nothing to do where everybody has still time', async () => {
  await cancelWarning(database, red, null);
  await database.query('update unit_states set silent_at = null where warning_id = $1', [yellow]);
  expect(await listLines(database, all)).toEqual([]);
  expect(await takeAs('王')).toBeNull();
});
