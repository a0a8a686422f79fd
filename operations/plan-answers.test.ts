/** Whom a plan refuses because no answer of theirs could ever come back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { testDatabase } from '../test/database.ts';
import { appoint, plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { answersOf, planWarning } from './plan.ts';

const REQUEST = { hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '市气象台' };

let database: Database;
let tree: SmallTree;

beforeAll(async () => {
  database = await testDatabase('plan answers');
  tree = await plantSmallTree(database);
  const give = async (name: string, channels: [channel: string, address: string, fault?: string][]) => {
    const id = await appoint(database, tree.unit('村一'), name, 2);
    await database.query('delete from person_channels where person_id = $1', [id]);
    for (const [channel, address, fault = null] of channels)
      await database.query(
        'insert into person_channels (person_id, channel, address, fault) values ($1, $2, $3, $4)',
        [id, channel, address, fault],
      );
  };
  await give('无号', []);
  await give('只喇叭', [['loudspeaker', 'horn-7']]);
  await give('停机', [
    ['sms', '+8610020000001', 'bad-contact'],
    ['email', 'x@people.example', 'bad-contact'],
  ]);
  await give('海外', [['sms', '+12025550101']]);
  await give('海外有邮', [
    ['sms', '+12025550102'],
    ['email', 'y@people.example'],
  ]);
  await give('停机有邮', [
    ['sms', '+8610020000002', 'landline'],
    ['email', 'z@people.example'],
  ]);
});

afterAll(() => database.close());

it('names each with the reason, and nobody who has any way', async () => {
  const { cannotAnswer } = await planWarning(database, REQUEST, ['smtp', 'sms-gateway']);
  expect(cannotAnswer.total).toBe(4);
  expect(Object.fromEntries(cannotAnswer.people.map(({ name, reason }) => [name, reason]))).toEqual({
    无号: 'no address',
    只喇叭: 'no address',
    停机: 'all addresses faulty',
    海外: 'one way only',
  });
  expect(cannotAnswer.people[0]).toMatchObject({ place: '城/区/乡一/村一', tier: 'village' });
});

it('takes another country’s numbers where a sender hears them', async () => {
  const { cannotAnswer } = await planWarning(database, REQUEST, ['smtp', 'sms-gateway', 'twilio-sms']);
  expect(cannotAnswer.people.map(({ name }) => name)).not.toContain('海外');
});

it('does not count addresses that are faulty as ways to tell somebody', async () => {
  const { tiers } = await planWarning(database, REQUEST, ['smtp', 'sms-gateway']);
  const village = tiers.find(({ tier }) => tier === 'village');
  // Two principals and two deputies with both channels; the two abroad by SMS, those of them and of the faulty with mail.
  expect(village).toMatchObject({ people: 10, sms: 6, email: 6, voice: 0, loudspeaker: 1 });
});

it('asks the roster: who is on duty counts, and not whom they stand for', async () => {
  const name = '替班';
  const stranger = await appoint(database, tree.unit('村二'), name, 3);
  await database.query('delete from posts where person_id = $1', [stranger]);
  await database.query('delete from person_channels where person_id = $1', [stranger]);
  const duty = [tree.unit('村一'), 2, stranger];
  const before = await planWarning(database, REQUEST, ['smtp', 'sms-gateway']);
  // Rank 2 of 村一 is held by six people; the roster has one stand for them all.
  await database.query(
    `insert into duties (unit_id, rank, person_id, from_at, until_at)
     values ($1, $2, $3, clock_timestamp() - interval '1 hour', clock_timestamp() + interval '1 hour')`,
    duty,
  );
  const { cannotAnswer, people } = await planWarning(database, REQUEST, ['smtp', 'sms-gateway']);
  expect(cannotAnswer.people).toEqual([
    { name, place: '城/区/乡一/村一', tier: 'village', reason: 'no address' },
  ]);
  expect(people).toBe(before.people - 5);
  await database.query('delete from duties where person_id = $1', [stranger]);
  expect(await planWarning(database, REQUEST, ['smtp', 'sms-gateway'])).toMatchObject({
    people: before.people,
    cannotAnswer: before.cannotAnswer,
  });
});

it('judges a channel that nobody configured here by all senders there are', () => {
  const smsAbroad = (senders: string[]) =>
    answersOf(senders).find(({ channel, prefix }) => channel === 'sms' && prefix === '')?.answers;
  expect(smsAbroad(['smtp', 'sms-gateway'])).toBe(false);
  expect(smsAbroad(['smtp'])).toBe(true);
});
