/** What a country's rules let a sender carry: parts, templates, repeats. The profiles are those that are shipped. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { routeSenders } from '../channels/route.ts';
import type { Database } from '../db/database.ts';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import type { SenderDesk } from '../domain/routing.ts';
import type { Channel } from '../domain/rules.ts';
import { outgoing } from '../sandbox/testing.ts';
import { testDatabase } from '../test/database.ts';
import { byCountry } from './channels.ts';

const MAINLAND = '+8613900000000';

let database: Database;
let carried: string[];

beforeAll(async () => {
  database = await testDatabase('worker channels');
});
afterAll(() => database.close());
beforeEach(() => {
  carried = [];
});

/** A sender that carries everything. One part is ten characters. */
function sender(id: string, channel: Channel, more: Partial<SenderPort> = {}): SenderPort {
  const plain: SenderPort = {
    ...{ id, channel, live: false, concurrency: 8, messageTimeoutMs: 1_000, refuses: () => null },
    send: async (): Promise<SendResult> => {
      carried.push(id);
      return { outcome: 'handed off', providerId: 'p' };
    },
    close: async () => undefined,
    ...more,
  };
  return byCountry(plain, { database, parts: (text) => Math.ceil(text.length / 10) });
}

const DESK: SenderDesk = {
  closedForMs: () => 0,
  admit: () => true,
  waitMostMs: () => 0,
  claimMost: () => null,
  heard: () => undefined,
};

const send = (channel: Channel, senders: SenderPort[], message: Partial<OutgoingMessage>) =>
  routeSenders({ channel, live: false, senders, desk: DESK }).send(
    outgoing({ deliveryId: '1', address: MAINLAND, ...message }),
  );

test('an SMS of more parts than its country allows is refused by name, and goes by a sender that may carry it', async () => {
  const gateway = sender('sms-gateway', 'sms', { byTemplate: true });
  const text = '雨'.repeat(600);
  expect(await send('sms', [gateway], { text })).toEqual({ outcome: 'failed', reason: 'too-long' });
  expect(carried).toEqual([]);
  const other = sender('a provider without limits', 'sms');
  expect(await send('sms', [gateway, other], { text })).toMatchObject({ outcome: 'handed off' });
  expect(carried).toEqual(['a provider without limits']);
  expect(await send('sms', [gateway], { text: '雨'.repeat(80) })).toMatchObject({ outcome: 'handed off' });
});

test('where texts must follow a template, a sender that has none carries nothing', async () => {
  const bare = sender('sms-gateway', 'sms');
  expect(await send('sms', [bare], {})).toEqual({ outcome: 'failed', reason: 'other-sender' });
  expect(await send('sms', [sender('sms-gateway', 'sms', { byTemplate: true })], {})).toMatchObject({
    outcome: 'handed off',
  });
});

test('the same text goes to one number as often as its country allows in a day, another text or number is counted apart', async () => {
  const voice = sender('voice-gateway', 'voice', { byTemplate: true });
  const results: string[] = [];
  for (let call = 0; call < 22; call += 1) {
    const result = await send('voice', [voice], { text: '转移' });
    results.push('reason' in result ? result.reason : result.outcome);
  }
  expect(results.filter((one) => one === 'handed off')).toHaveLength(20);
  expect(results.slice(-2)).toEqual(['repeated-too-often', 'repeated-too-often']);
  expect(await send('voice', [voice], { text: '解除' })).toMatchObject({ outcome: 'handed off' });
  expect(await send('voice', [voice], { text: '转移', address: '+8613900000001' })).toMatchObject({
    outcome: 'handed off',
  });
  await database.query(`update repeats set at = at - interval '1 day'`);
  expect(await send('voice', [voice], { text: '转移' })).toMatchObject({ outcome: 'handed off' });
});

test('while nobody can count, a limited text comes later, and the others go', async () => {
  const broken = { query: () => Promise.reject(new Error('away')) };
  const voice = byCountry(sender('voice-gateway', 'voice', { byTemplate: true }), {
    database: broken,
    parts: () => 1,
  });
  expect(await send('voice', [voice], {})).toEqual({
    outcome: 'later',
    reason: 'temporary',
    sender: voice.id,
  });
  expect(carried).toEqual([]);
});

test('a text may hold a link where whoever may carry it lets it', () => {
  const linksOf = (channel: Channel, senders: SenderPort[], address: string) =>
    routeSenders({ channel, live: false, senders, desk: DESK }).links?.(address);
  const twilio = sender('twilio-sms', 'sms');
  const gateway = sender('sms-gateway', 'sms', { byTemplate: true });
  expect(linksOf('sms', [twilio], '+12025550101')).toBe(true);
  expect(linksOf('sms', [twilio, gateway], '+12025550101')).toBe(false);
  expect(linksOf('sms', [twilio, gateway], MAINLAND)).toBe(false);
  expect(linksOf('push', [sender('ntfy', 'push')], 'topic_1')).toBe(true);
  expect(linksOf('chat', [sender('chat-robot', 'chat')], MAINLAND)).toBe(false);
  expect(linksOf('sms', [], MAINLAND)).toBe(false);
});
