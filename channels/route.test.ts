/** One channel of several senders: who is tried, in which order, and when nobody else may be. */
import { describe, expect, test } from 'vitest';
import type { SenderPort, SendResult } from '../domain/ports.ts';
import { RESULT_CLASSES, classOf, resultOf, type ResultClass } from '../domain/results.ts';
import type { SenderDesk } from '../domain/routing.ts';
import { routeSenders } from './route.ts';
import { exerciseMessage } from './testing.ts';

type Options = {
  result?: SendResult;
  refuses?: ResultClass | null;
  live?: boolean;
  throws?: boolean;
  find?: SenderPort['find'];
};

/** What was asked of a channel whose senders behave like this, and of its desk. */
function channelOf(
  senders: Record<string, Options>,
  desk: Partial<Record<'closed' | 'refused', readonly string[]>> & { claimMost?: number | null } = {},
) {
  const tried: string[] = [];
  const heard: [id: string, outcome: string, othersCanCarry: boolean][] = [];
  const closed: string[] = [];
  const ports = Object.entries(senders).map(([id, options]): SenderPort => ({
    id,
    channel: 'sms',
    live: options.live ?? false,
    concurrency: 4,
    messageTimeoutMs: 1_000,
    refuses: () => options.refuses ?? null,
    send: async () => {
      tried.push(id);
      if (options.throws) throw new TypeError('a fault');
      return options.result ?? { outcome: 'handed off', providerId: `${id}-1` };
    },
    ...(options.find && { find: options.find }),
    close: async () => void closed.push(id),
  }));
  const keeper: SenderDesk = {
    closedForMs: (id) => (desk.closed?.includes(id) ? 500 : 0),
    admit: (id) => (desk.refused?.includes(id) ? Promise.resolve(false) : true),
    waitMostMs: () => 0,
    claimMost: () => desk.claimMost ?? null,
    heard: (id, result, others) => void heard.push([id, result.outcome, others]),
  };
  const channel = routeSenders({ channel: 'sms', live: false, senders: ports, desk: keeper });
  return { channel, tried, heard, closed, send: () => channel.send(exerciseMessage()) };
}

const carriedBy = (sender: string): SendResult => ({
  outcome: 'handed off',
  providerId: `${sender}-1`,
  sender,
});

test('the first sender takes it, and is named', async () => {
  const { send, tried, heard } = channelOf({ one: {}, two: {} });
  expect(await send()).toEqual(carriedBy('one'));
  expect([tried, heard]).toEqual([['one'], [['one', 'handed off', true]]]);
});

test('a sender hears whether another could have carried the message', async () => {
  const { send, heard } = channelOf({ one: {}, two: { refuses: 'other-sender' } });
  await send();
  expect(heard).toEqual([['one', 'handed off', false]]);
  const beside = channelOf({ one: {}, two: {} }, { closed: ['two'] });
  await beside.send();
  expect(beside.heard).toEqual([['one', 'handed off', true]]);
});

describe('each class of result by the first sender', () => {
  test.each(RESULT_CLASSES)('%s', async (name) => {
    const { send, tried, heard } = channelOf({ one: { result: resultOf(name) }, two: {} });
    const result = await send();
    const elsewhere = classOf(name)?.elsewhere === true;
    expect(tried).toEqual(elsewhere ? ['one', 'two'] : ['one']);
    expect(result).toEqual(elsewhere ? carriedBy('two') : { ...resultOf(name), sender: 'one' });
    expect(heard[0]).toEqual(['one', resultOf(name).outcome, true]);
  });

  test.each(['connection', 'throttled', 'timeout'])('unknown by %s never goes to another', async (reason) => {
    const { send, tried } = channelOf({ one: { result: { outcome: 'unknown', reason } }, two: {} });
    expect(await send()).toEqual({ outcome: 'unknown', reason, sender: 'one' });
    expect(tried).toEqual(['one']);
  });

  test('a sender that fails itself may have sent it', async () => {
    const { send, tried } = channelOf({ one: { throws: true }, two: {} });
    expect(await send()).toEqual({ outcome: 'unknown', reason: 'defect', sender: 'one' });
    expect(tried).toEqual(['one']);
  });
});

test('what can be tried again says more than what is final for one sender', async () => {
  const later = { result: resultOf('throttled') };
  const final = { result: resultOf('filtered') };
  expect(await channelOf({ one: later, two: final }).send()).toMatchObject({ reason: 'throttled' });
  expect(await channelOf({ one: final, two: later }).send()).toMatchObject({ reason: 'throttled' });
  expect(await channelOf({ one: final, two: final }).send()).toMatchObject({
    outcome: 'failed',
    sender: 'two',
  });
});

describe('who is not asked', () => {
  test.each([
    ['cannot carry it', { one: { refuses: 'other-sender' as const }, two: {} }, {}],
    ['is of the other kind', { one: { live: true }, two: {} }, {}],
    ['is closed', { one: {}, two: {} }, { closed: ['one'] }],
    ['has no turn in time', { one: {}, two: {} }, { refused: ['one'] }],
  ])('whoever %s', async (_why, senders, desk) => {
    const { send, tried } = channelOf(senders, desk);
    expect(await send()).toEqual(carriedBy('two'));
    expect(tried).toEqual(['two']);
  });
});

describe('where nobody is asked', () => {
  test.each([
    ['there is none', {}, {}, resultOf('channel-not-configured')],
    ['all are closed', { one: {}, two: {} }, { closed: ['one', 'two'] }, resultOf('no-sender')],
    ['none has a turn in time', { one: {} }, { refused: ['one'] }, resultOf('no-sender')],
    ['all refuse', { one: { refuses: 'landline' as const } }, {}, resultOf('landline')],
    [
      'the able one is closed',
      { one: { refuses: 'landline' as const }, two: {} },
      { closed: ['two'] },
      resultOf('no-sender'),
    ],
    [
      'all are of the other kind',
      { one: { live: true } },
      {},
      { outcome: 'failed' as const, reason: 'synthetic-recipient' },
    ],
  ])('because %s', async (_why, senders, desk, result) => {
    const { send, tried } = channelOf(senders, desk);
    expect(await send()).toEqual(result);
    expect(tried).toEqual([]);
  });
});

test('the time of an attempt is that of all its senders, and none begins that could outlast it', () => {
  expect(channelOf({ one: {}, two: {} }).channel.messageTimeoutMs).toBe(4_000);
  expect(channelOf({}).channel.messageTimeoutMs).toBe(1_000);
});

test('a channel is closed for as long as the first of its senders', async () => {
  expect(await channelOf({ one: {}, two: {} }, { closed: ['one'] }).channel.closedForMs?.()).toBe(0);
  expect(await channelOf({ one: {}, two: {} }, { closed: ['one', 'two'] }).channel.closedForMs?.()).toBe(500);
  expect(await channelOf({}).channel.closedForMs?.()).toBe(0);
});

test('what is of use to claim is known only where each sender is limited', () => {
  expect('claimMost' in channelOf({ one: {} }).channel).toBe(false);
  expect('claimMost' in channelOf({}).channel).toBe(false);
  expect(channelOf({ one: {}, two: {} }, { claimMost: 6 }).channel.claimMost?.()).toBe(6);
});

describe('an earlier attempt is looked for', () => {
  const found = async () => ({ providerId: 'p-1' });
  const none = async () => null;
  const silent = async () => 'unknown' as const;
  test.each([
    [
      'at whoever has it',
      { one: { find: none }, two: { find: found } },
      { providerId: 'p-1', sender: 'two' },
    ],
    ['at all of them', { one: { find: none }, two: { find: none } }, null],
    ['in vain where one cannot be asked', { one: { find: none }, two: { find: silent } }, 'unknown'],
    ['in vain where one has no list', { one: { find: none }, two: {} }, 'unknown'],
    [
      'at those that could have carried it',
      { one: { find: none }, two: { refuses: 'other-sender' as const } },
      null,
    ],
  ])('%s', async (_how, senders, result) => {
    expect(await channelOf(senders).channel.find?.(exerciseMessage(), 1)).toEqual(result);
  });

  test('by nobody where none can be asked', () => {
    expect('find' in channelOf({ one: {} }).channel).toBe(false);
  });
});

test('closes all its senders', async () => {
  const { channel, closed } = channelOf({ one: {}, two: {} });
  await channel.close();
  expect(closed).toEqual(['one', 'two']);
});
