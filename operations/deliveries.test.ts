/** Single messages of a warning: found by what came of them, and sent once more where that makes sense. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import type { OutgoingMessage, SendResult } from '../domain/ports.ts';
import { CHANNELS } from '../domain/rules.ts';
import { testDatabase } from '../test/database.ts';
import { makeDeadlinesDue, recordingChannel, runUntilQuiet } from '../test/harness/local-cascade.ts';
import { holdPost, plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { answerByCommand } from './answers.ts';
import { listDeliveries, parseDeliveryName, retryDelivery, retryFailed } from './deliveries.ts';
import { cancelWarning, issueWarning } from './warnings.ts';

let database: Database;
let tree: SmallTree;
let warningId: number;
let respond: (message: OutgoingMessage) => SendResult;

const taken: SendResult = { outcome: 'handed off', providerId: 'p' };
const rejected: SendResult = { outcome: 'failed', reason: 'rejected' };
const channels = CHANNELS.map((channel) => recordingChannel(channel, (message) => respond(message)));

beforeAll(async () => {
  database = await testDatabase('deliveries');
  tree = await plantSmallTree(database);
  // One person of two posts: their messages have a key.
  await holdPost(database, tree.unit('村一'), tree.person('乡一'), 2);
});
afterAll(() => database.close());
beforeEach(async () => {
  for (const { messages } of channels) messages.length = 0;
  await database.query('update person_channels set fault = null');
  ({ warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' },
  }));
});

const run = () => runUntilQuiet(database, warningId, channels);
const list = (kind: 'all' | 'failed' | 'unknown' | 'dead', unit?: string) =>
  listDeliveries(database, { warningId, kind, most: 200, ...(unit === undefined ? {} : { unit }) });
const retry = (deliveryId: number) =>
  retryDelivery(database, { warningId, name: { deliveryId }, by: '王值班', reason: '网关已恢复' });
const arrived = () => channels.reduce((sum, { messages }) => sum + messages.length, 0);

/** The delivery of the first rung to a unit's principal. */
async function deliveryTo(unit: string): Promise<number> {
  const { deliveries } = await list('all', unit);
  const own = deliveries.filter(
    ({ recipientId, purpose, step }) => recipientId === tree.person(unit) && purpose === 'rung' && step === 0,
  );
  return own[0]?.deliveryId ?? 0;
}

it('lists what failed, what is unknown and what was handed over, with masked addresses', async () => {
  respond = ({ address }) =>
    address.endsWith('1')
      ? rejected
      : address.endsWith('5')
        ? { outcome: 'unknown', reason: 'timeout' }
        : taken;
  await run();
  for (let attempt = 0; attempt < 6; attempt += 1) {
    await makeDeadlinesDue(database, warningId, []);
    await run();
  }
  const failed = (await list('failed')).deliveries;
  expect(failed.length).toBeGreaterThan(0);
  expect(
    failed.every(
      ({ outcome, reason, address }) =>
        outcome === 'failed' && reason === 'rejected' && address?.includes('****'),
    ),
  ).toBe(true);
  const unknown = (await list('unknown')).deliveries;
  expect(unknown.every(({ outcome, attempt }) => outcome === 'unknown' && attempt > 1)).toBe(true);
  expect(unknown.length).toBeGreaterThan(0);
  const all = (await list('all')).deliveries;
  expect(all.length).toBeGreaterThan(failed.length + unknown.length);
  expect(new Set((await list('all', '乡一')).deliveries.map(({ unitId }) => unitId))).toEqual(
    new Set([tree.unit('乡一')]),
  );
  const [two] = await database.query<{ count: number }>(
    `select count(*)::int as count from deliveries where warning_id = $1`,
    [warningId],
  );
  expect(two?.count).toBeGreaterThan(all.length);
});

it('sends a failed delivery again as its next attempt, in the same commit as the audit says so', async () => {
  respond = () => rejected;
  await run();
  const deliveryId = await deliveryTo('村一');
  respond = () => taken;
  const before = arrived();
  expect(await retry(deliveryId)).toEqual({ retried: 1, refused: 0 });
  await expect(retry(deliveryId)).rejects.toMatchObject({
    code: 'not-again',
    message: expect.stringContaining('under way') as unknown,
  });
  await run();
  expect(arrived()).toBe(before + 1);
  expect((await list('all', '村一')).deliveries.find((row) => row.deliveryId === deliveryId)).toMatchObject({
    ...{ outcome: 'handed off', attempt: 2, possibleDuplicate: false },
  });
  const audited = await database.query<{ retried: unknown }>(
    `select a.body->'retried' as retried from audit a join cells c on c.id = a.cell_id
     where c.warning_id = $1 and a.body->'retried' is not null`,
    [warningId],
  );
  expect(audited).toEqual([{ retried: { by: '王值班', reason: '网关已恢复', deliveries: [deliveryId] } }]);
});

it('sends to a person of several posts as well, whose message has a key', async () => {
  respond = () => rejected;
  await run();
  respond = () => taken;
  const deliveryId = await deliveryTo('乡一');
  await retry(deliveryId);
  await run();
  const messages = channels.flatMap((channel) => channel.messages);
  expect(
    messages.filter((message) => message.deliveryId === String(deliveryId)).map(({ attempt }) => attempt),
  ).toEqual([1, 2]);
});

it('does not make the unit give up twice: one that fails again counts once', async () => {
  // The first rung goes by one channel; of the two of the second, one fails and one is taken.
  respond = () => taken;
  await run();
  await makeDeadlinesDue(database, warningId, ['answerBy']);
  await run();
  const state = async () =>
    (
      await database.query<{ rung: number; outstanding: number }>(
        `select rung, (state->>'outstanding')::int as outstanding from unit_states where warning_id = $1 and unit_id = $2`,
        [warningId, tree.unit('组一')],
      )
    )[0];
  const before = await state();
  const { deliveries } = await list('all', '组一');
  const last = deliveries.find(({ step, purpose }) => purpose === 'rung' && step === before?.rung);
  // As if it had failed, and the unit knew.
  await database.query(`update deliveries set outcome = 'failed', reason = 'rejected' where id = $1`, [
    last?.deliveryId,
  ]);
  await database.query(
    `update unit_states set state = jsonb_set(state::jsonb, '{outstanding}', to_jsonb($3::int))::json where warning_id = $1 and unit_id = $2`,
    [warningId, tree.unit('组一'), (before?.outstanding ?? 0) - 1 || 1],
  );
  const known = await state();
  respond = () => rejected;
  await retry(last?.deliveryId ?? 0);
  await run();
  expect(await state()).toEqual(known);
});

it.each<[string, (deliveryId: number) => Promise<unknown>, string]>([
  [
    'that was handed over',
    async (id) => database.query(`update deliveries set outcome = 'handed off' where id = $1`, [id]),
    'duplicate',
  ],
  [
    'that was left out',
    async (id) =>
      database.query(`update deliveries set outcome = 'dropped', reason = 'answered' where id = $1`, [id]),
    'on purpose',
  ],
  ['whose unit has answered', async () => answer('received'), '村一 has answered'],
  [
    'whose address is faulty',
    async () => database.query(`update person_channels set fault = 'bad-contact'`),
    'people import',
  ],
])('refuses a delivery %s', async (_name, make, words) => {
  respond = () => rejected;
  await run();
  const deliveryId = await deliveryTo('村一');
  await make(deliveryId);
  const sends = arrived();
  await expect(retry(deliveryId)).rejects.toMatchObject({
    refusal: 'conflict',
    message: expect.stringContaining(words) as unknown,
  });
  expect(await database.query('select 1 from retries where delivery_id = $1', [deliveryId])).toEqual([]);
  expect(arrived()).toBe(sends);
});

it('sends again where a provider reported later that it did not arrive, or the unit said that it cannot', async () => {
  respond = () => taken;
  await run();
  const deliveryId = await deliveryTo('村一');
  await database.query(
    `insert into receipts (delivery_id, attempt, state, code, sender) values ($1, 1, 'undelivered', '30003', 'twilio-sms')`,
    [deliveryId],
  );
  const [row] = (await list('failed', '村一')).deliveries;
  expect(row).toMatchObject({
    deliveryId,
    outcome: 'handed off',
    receipt: 'undelivered',
    receiptCode: '30003',
  });
  await answer('cannot act');
  expect(await retry(deliveryId)).toEqual({ retried: 1, refused: 0 });
});

it('sends all that failed and may go, and counts the others', async () => {
  respond = () => rejected;
  await run();
  await answer('received');
  const failed = (await list('failed')).deliveries;
  const ofAnswered = failed.filter(
    ({ unitId, audience }) => unitId === tree.unit('村一') && audience === 'people',
  );
  expect(await retryFailed(database, { warningId, by: '王值班', reason: '网关已恢复' })).toEqual({
    ...{ retried: failed.length - ofAnswered.length, refused: ofAnswered.length },
  });
  expect(await retryFailed(database, { warningId, by: '王值班', reason: '再试' })).toMatchObject({
    retried: 0,
  });
});

it('puts a dead letter back, and its unit goes on', async () => {
  respond = () => taken;
  await run();
  const unitId = tree.unit('村一');
  await database.query(
    `insert into dead_letters (cell_id, unit_id, body, reason)
     select cell_id, unit_id, json_build_object('kind', 'answered', 'answer', 'received', 'at', 1), 'TypeError'
     from unit_states where warning_id = $1 and unit_id = $2`,
    [warningId, unitId],
  );
  await database.query(
    `update unit_states set faulty = true, next_at = null where warning_id = $1 and unit_id = $2`,
    [warningId, unitId],
  );
  const { dead, deliveries } = await list('dead');
  expect(dead).toMatchObject([{ unitId, kind: 'answered', reason: 'TypeError' }]);
  expect(deliveries).toEqual([]);
  const name = parseDeliveryName(`L${dead[0]?.letterId ?? 0}`);
  await retryDelivery(database, { warningId, name, by: '王值班', reason: '已修复' });
  await run();
  expect(
    await database.query(`select status, faulty from unit_states where warning_id = $1 and unit_id = $2`, [
      warningId,
      unitId,
    ]),
  ).toEqual([{ status: 'answered', faulty: false }]);
  await expect(
    retryDelivery(database, { warningId, name, by: '王值班', reason: '已修复' }),
  ).rejects.toMatchObject({
    refusal: 'notFound',
  });
});

it('refuses what is not there, what has no reason, and anything of a warning that has ended', async () => {
  respond = () => rejected;
  await run();
  const deliveryId = await deliveryTo('村一');
  await expect(retry(999)).rejects.toMatchObject({ code: 'no-such-delivery', refusal: 'notFound' });
  await expect(retryFailed(database, { warningId, by: '王值班', reason: ' ' })).rejects.toMatchObject({
    refusal: 'usage',
  });
  await expect(list('all', '无此村')).rejects.toMatchObject({ refusal: 'notFound' });
  await cancelWarning(database, warningId, null);
  await expect(retry(deliveryId)).rejects.toMatchObject({ code: 'warning-ended', refusal: 'conflict' });
  await expect(retryFailed(database, { warningId, by: '王值班', reason: '再试' })).rejects.toMatchObject({
    code: 'warning-ended',
  });
  expect(() => parseDeliveryName('X7')).toThrow('no delivery');
});

function answer(kind: 'received' | 'cannot act') {
  return answerByCommand(database, {
    ...{ warningId, unit: '乡一/村一', answer: kind, doneCount: null, vouchedBy: '李', how: '电话' },
  });
}
