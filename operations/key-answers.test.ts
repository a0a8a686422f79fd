/** Keys pressed on a call, where they meet the database; over HTTP they are tested in web/. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import { CHANNELS } from '../domain/rules.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel, runUntilQuiet, TEST_KEYS } from '../test/harness/local-cascade.ts';
import { plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { answerByReplies } from './answers.ts';
import { answerByKey, type KeyPress } from './key-answers.ts';
import { judge, type FarSideAct } from './referee.ts';
import { cancelWarning, issueWarning } from './warnings.ts';

let database: Database;
let tree: SmallTree;
let warningId: number;
let deliveryId: number;

beforeAll(async () => {
  database = await testDatabase('key-answers');
  tree = await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  ({ warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['区/乡一'],
    expires: '+6h',
    issuer: '城气象台',
  }));
  await runUntilQuiet(
    database,
    warningId,
    CHANNELS.map((channel) => recordingChannel(channel)),
  );
  const [row] = await database.query<{ id: number }>(
    `select id from deliveries where warning_id = $1 and recipient_id = $2 and audience = 'people'`,
    [warningId, tree.person('村一')],
  );
  deliveryId = row?.id ?? 0;
});

const press = (change: Partial<KeyPress> = {}) =>
  answerByKey(database, {
    ...{
      deliveryId,
      callId: `call-${warningId}`,
      step: 1,
      key: '1',
      via: 'voice' as const,
      serves: 'exercise',
    },
    ...change,
  });

const said = () =>
  database.query(
    `select unit_id, person_id, kind, via, delivery_id from answers where warning_id = $1 order by id`,
    [warningId],
  );

it('1 is received and 3 cannot act, by the person who was called', async () => {
  expect(await press()).toBe('recorded');
  expect(await press({ step: 2, key: '3', via: 'twilio' })).toBe('recorded');
  const own = { unit_id: tree.unit('村一'), person_id: tree.person('村一'), delivery_id: deliveryId };
  expect(await said()).toEqual([
    { ...own, kind: 'received', via: 'voice' },
    { ...own, kind: 'cannot act', via: 'twilio' },
  ]);
  const letters = await database.query(
    `select body->>'kind' as kind from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1 order by i.id`,
    [warningId],
  );
  expect(letters).toEqual([{ kind: 'answered' }, { kind: 'cannot act' }]);
});

it.each(['', '2', '*', '#', '0', '4', '9', '11', '13', ' 1', '１', 'toString', 'timeout'])(
  'the key "%s" is no answer, and the next one of the same question still counts',
  async (key) => {
    expect(await press({ key })).toBe('no answer');
    expect(await said()).toEqual([]);
    expect(await press()).toBe('recorded');
  },
);

it('counts once for each question of a call, however often and at the same time it is pushed', async () => {
  const verdicts = await Promise.all(Array.from({ length: 20 }, (_, turn) => press({ step: turn % 2 })));
  expect(verdicts.filter((verdict) => verdict === 'recorded')).toHaveLength(2);
  expect(verdicts.filter((verdict) => verdict === 'repeated')).toHaveLength(18);
  expect(await press({ callId: 'another' })).toBe('recorded');
  expect(await said()).toHaveLength(3);
});

it('is late within the grace, and too late after it', async () => {
  await cancelWarning(database, warningId, null);
  expect(await press()).toBe('recorded');
  await database.query(`update warnings set ended_at = ended_at - interval '25 hours' where id = $1`, [
    warningId,
  ]);
  expect(await press({ step: 2 })).toBe('too late');
  expect(await press({ step: 2 })).toBe('repeated');
  expect(await said()).toHaveLength(1);
});

it('is nobody’s where there was no such delivery', async () => {
  for (const id of [0, 7, deliveryId + 1_000_000 * 1_024])
    expect(await press({ deliveryId: id })).toBe('no such delivery');
});

it('is traced by the referee to the call it was pressed on, and a reply by Twilio to its sender', async () => {
  const by = async (unit: string, channel: string) => {
    const [row] = await database.query<{ id: number; address: string }>(
      `select d.id, c.address from deliveries d join person_channels c on c.person_id = d.recipient_id and c.channel = $3
       where d.warning_id = $1 and d.recipient_id = $2 and d.audience = 'people' order by d.id limit 1`,
      [warningId, tree.person(unit), channel],
    );
    return { deliveryId: String(row?.id), address: row?.address ?? '', at: new Date().toISOString() };
  };
  const called = await by('村一', 'sms');
  const wrote = await by('组一', 'sms');
  const acts: FarSideAct[] = [
    { ...called, actId: 'a', via: 'voice', kind: 'received', status: 200 },
    { ...wrote, actId: 'b', via: 'sms', kind: 'cannot act', status: 200 },
  ];
  expect(await press({ via: 'twilio' })).toBe('recorded');
  const number = answerNumber(TEST_KEYS, warningId, recipientName('people', tree.person('组一')));
  const sid = `SM${createHash('md5').update('b').digest('hex')}`;
  const reply = { id: sid, from: wrote.address, text: `3 ${number}` };
  expect(
    await answerByReplies(database, TEST_KEYS, [reply], { via: 'twilio', serves: 'exercise' }),
  ).toMatchObject([{ verdict: 'recorded' }]);
  const broken = async (seen: readonly FarSideAct[]) => {
    const sent = await database.query<{ reference: string }>(
      `select id || '.' || attempt as reference from deliveries where warning_id = $1 and outcome = 'handed off'`,
      [warningId],
    );
    const attempts = new Map(sent.map(({ reference }) => [reference, 1]));
    const invariants = await judge(database, warningId, { attempts, arrivals: new Map(), acts: seen });
    return invariants.filter(({ holds }) => !holds).map((invariant) => invariant.number);
  };
  expect(await broken(acts)).toEqual([]);
  expect(await broken([])).toEqual([3]);
  expect(await broken(acts.map((act) => ({ ...act, deliveryId: wrote.deliveryId })))).toEqual([3]);
  await database.query('delete from answers where warning_id = $1', [warningId]);
  expect(await broken(acts)).toEqual([8]);
});

it('whoever presses a key has the telephone in their hand', async () => {
  const provenAt = async () =>
    (
      await database.query<{ channel: string; proven: boolean }>(
        `select channel, proven_at > clock_timestamp() - interval '1 minute' as proven from person_channels
         where person_id = $1 order by 1`,
        [tree.person('村一')],
      )
    ).map(({ channel, proven }) => [channel, proven]);
  await database.query(
    `insert into person_channels (person_id, channel, address) values ($1, 'voice', '+8610000000099')
     on conflict (person_id, channel) do update set proven_at = null`,
    [tree.person('村一')],
  );
  await press({ key: '7' });
  expect(await provenAt()).toContainEqual(['voice', null]);
  await press();
  expect(await provenAt()).toEqual([
    ['email', null],
    ['sms', null],
    ['voice', true],
  ]);
});
