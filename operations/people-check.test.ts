/** Contact hygiene, and the test message to one person. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import type { OutgoingMessage, SendResult } from '../domain/ports.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel } from '../test/harness/local-cascade.ts';
import { appoint, plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { checkHygiene, isClean } from './people-check.ts';
import { testPerson } from './people-test.ts';

let database: Database;
let tree: SmallTree;

beforeAll(async () => {
  database = await testDatabase('people_check');
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.query('truncate units, people, posts, person_channels, households restart identity cascade');
  tree = await plantSmallTree(database);
});

const check = (area?: string) =>
  checkHygiene(database, { most: 50, ...(area === undefined ? {} : { area }) });
const kinds = async (area?: string) =>
  (await check(area)).findings.map(({ kind, name }) => `${kind}: ${name}`).sort();
const set = (person: number, channel: string, change: string) =>
  database.query(`update person_channels set ${change} where person_id = $1 and channel = $2`, [
    person,
    channel,
  ]);

describe('the check of contacts', () => {
  it('finds nothing where all is well, and says how much was never proven', async () => {
    const hygiene = await check();
    expect(isClean(hygiene)).toBe(true);
    expect(hygiene).toMatchObject({
      findings: [],
      units: { total: 0 },
      proven: { addresses: 32, neverProven: 32, oldestAt: null },
    });
    await set(tree.person('城'), 'sms', 'proven_at = clock_timestamp()');
    expect((await check()).proven).toMatchObject({
      neverProven: 31,
      oldestAt: expect.any(Number) as unknown,
    });
  });

  it('names people without a channel, shared numbers, people who stand there twice, faulty addresses', async () => {
    await database.query('delete from person_channels where person_id = $1', [tree.person('乡一')]);
    await set(tree.person('村一'), 'sms', `address = '+8610000000001'`);
    await set(tree.person('村一', 1), 'sms', `address = '+8610000000001'`);
    const again = await appoint(database, tree.unit('组一'), '又一人', 2);
    await database.query(`update people set name = '组一0' where id = $1`, [again]);
    await set(tree.person('组一', 1), 'email', `fault = 'bad-contact'`);
    expect(await kinds('乡一')).toEqual([
      ...['doubled: 组一0', 'doubled: 组一0', 'faulty address: 组一1', 'no channel: 乡一0'],
      ...['shared number: 村一0', 'shared number: 村一1'],
    ]);
    expect(await kinds('乡二')).toEqual([]);
    const hygiene = await check();
    expect(isClean(hygiene)).toBe(false);
    expect(hygiene.counts).toMatchObject({ doubled: 2, 'shared number': 3 });
    expect(JSON.stringify(hygiene)).not.toContain('10000000001');
  });

  it('takes a unit for out of reach where every address of it is faulty', async () => {
    for (const rank of [0, 1]) {
      await set(tree.person('村二', rank), 'sms', `fault = 'landline'`);
      await set(tree.person('村二', rank), 'email', `fault = 'bad-contact'`);
    }
    expect((await check()).units).toMatchObject({
      total: 1,
      units: [{ place: '城/区/乡二/村二', reason: 'no address' }],
    });
  });

  it('names landlines among the numbers for messages, of real people', async () => {
    await set(tree.person('村一'), 'sms', `address = '+862379224567'`);
    expect(await kinds()).toEqual([]);
    await database.query('update people set synthetic = false where id = $1', [tree.person('村一')]);
    expect(await kinds()).toEqual(['landline as mobile: 村一0']);
  });
});

describe('the test message', () => {
  const sent: OutgoingMessage[] = [];
  let result: SendResult = { outcome: 'handed off', providerId: 'p', sender: 'sms-gateway' };
  const channel = (name: 'sms' | 'email') =>
    recordingChannel(name, (message) => {
      sent.push(message);
      return result;
    });
  const channels = [channel('sms'), channel('email')];
  const test = (person: string, change: { channel?: string; live?: boolean } = {}) =>
    testPerson(database, { person, channels, live: false, issuer: '城气象台', ...change });

  beforeEach(() => {
    sent.length = 0;
    result = { outcome: 'handed off', providerId: 'p', sender: 'sms-gateway' };
  });

  it('goes by every channel of the person, marked first and last, without a warning', async () => {
    const tested = await test('村一0');
    expect(
      tested.results.map(({ channel, outcome, address }) => [channel, outcome, address.includes('***')]),
    ).toEqual([
      ['email', 'handed off', true],
      ['sms', 'handed off', true],
    ]);
    for (const { text, warningId, kind, exercise } of sent) {
      expect(text).toMatch(/^【测试】.*不是预警.*【测试】$/);
      expect({ warningId, kind, exercise }).toEqual({ warningId: '0', kind: 'exercise', exercise: null });
    }
    expect(new Set(sent.map(({ deliveryId }) => deliveryId)).size).toBeGreaterThan(0);
    expect(await database.query('select 1 from deliveries')).toEqual([]);
  });

  it('goes by one channel where that is asked for, in the language of the person', async () => {
    await database.query(`update people set language = 'en' where id = $1`, [tree.person('村一')]);
    expect((await test('村一0', { channel: 'sms' })).results).toHaveLength(1);
    expect(sent[0]?.text).toMatch(/^\[TEST\].*It is no warning.*\[TEST\]$/);
    await expect(test('村一0', { channel: 'voice' })).rejects.toMatchObject({
      refusal: 'notFound',
      message: expect.stringContaining('email, sms') as unknown,
    });
  });

  it('says the class of what did not work, and does not use a faulty address', async () => {
    result = { outcome: 'failed', reason: 'rejected' };
    await set(tree.person('村一'), 'email', `fault = 'bad-contact'`);
    expect((await test('村一0')).results).toMatchObject([
      { channel: 'email', outcome: 'not sent', reason: 'bad-contact' },
      { channel: 'sms', outcome: 'failed', reason: 'rejected' },
    ]);
    expect(sent).toHaveLength(1);
  });

  it('never leaves its world: real people by live channels, made-up ones by stand-ins', async () => {
    await expect(test('村一0', { live: true })).rejects.toMatchObject({ refusal: 'notPermitted' });
    await database.query('update people set synthetic = false where id = $1', [tree.person('村一')]);
    await expect(test('村一0')).rejects.toMatchObject({ refusal: 'notPermitted' });
    expect(sent).toEqual([]);
    await test('村一0', { live: true, channel: 'sms' });
    expect(sent).toMatchObject([{ kind: 'actual', synthetic: false, exercise: null }]);
  });

  it('asks again where a name means several people, or nobody', async () => {
    await appoint(database, tree.unit('组一'), '再来', 3);
    await database.query(`update people set name = '村一0' where name = '再来'`);
    await expect(test('村一0')).rejects.toMatchObject({ code: 'several-people', refusal: 'usage' });
    await expect(test('无此人')).rejects.toMatchObject({ code: 'unknown-person', refusal: 'notFound' });
    await expect(test('再来')).resolves.toMatchObject({ name: '村一0' });
  });
});
