/** What all senders by HTTP have in common, and what each asks of its vendor; the tables of their results row by row. */
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import { createChatRobot, type ChatRobotShape } from './chat-robot.ts';
import { createLoudspeaker } from './loudspeaker.ts';
import { createNtfy } from './ntfy.ts';
import { exerciseMessage, says, startScriptedHttp, type ScriptedHttp } from './testing.ts';
import { createVoiceGateway } from './voice-gateway.ts';

const SECRET = 'a secret of the vendor';

type Common = { live: boolean; messageTimeoutMs?: number };

const SENDERS = {
  'voice-gateway': (common: Common) =>
    createVoiceGateway({
      url: http.url,
      secret: SECRET,
      templates: { 'call-exercise-zh': 'TTS_7' },
      ...common,
    }),
  loudspeaker: (common: Common) => createLoudspeaker({ url: `${http.url}/v1/`, secret: SECRET, ...common }),
  dingtalk: (common: Common) => robot('dingtalk', '/robot/send?access_token=t', common),
  wecom: (common: Common) => robot('wecom', '/cgi-bin/webhook/send?key=k', common),
  feishu: (common: Common) => robot('feishu', '/open-apis/bot/v2/hook/h', common),
  ntfy: (common: Common) => createNtfy({ url: http.url, token: 'tk_1', ...common }),
};

function robot(shape: ChatRobotShape, path: string, common: Common): SenderPort {
  return createChatRobot({ shape, url: `${http.url}${path}`, secret: SECRET, ...common });
}

type Name = keyof typeof SENDERS;
const NAMES = Object.keys(SENDERS) as Name[];

const later = (reason: string): SendResult => ({ outcome: 'later', reason });
const failed = (reason: string): SendResult => ({ outcome: 'failed', reason });
const unknown = (reason: string): SendResult => ({ outcome: 'unknown', reason });
const taken = (providerId: string): SendResult => ({ outcome: 'handed off', providerId });

let http: ScriptedHttp;
const opened: SenderPort[] = [];

beforeEach(async () => {
  http = await startScriptedHttp();
});

afterEach(async () => {
  await http.stop();
  await Promise.all(opened.splice(0).map((sender) => sender.close()));
});

function open(name: Name, common: Partial<Common> = {}): SenderPort {
  const sender = SENDERS[name]({ live: false, ...common });
  opened.push(sender);
  return sender;
}

const TABLES: Record<Name, readonly [status: number, body: unknown, result: SendResult][]> = {
  'voice-gateway': [
    [200, { code: 'OK', callId: 'c-1' }, taken('c-1')],
    [200, { code: 'OK' }, unknown('answer-unreadable')],
    [200, { code: 'THROTTLED' }, later('throttled')],
    [200, { code: 'NUMBER_LIMIT' }, later('throttled')],
    [200, { code: 'LINES_BUSY' }, later('server-busy')],
    [200, { code: 'QUOTA_USED_UP' }, later('provider-out')],
    [200, { code: 'BAD_NUMBER' }, failed('bad-contact')],
    [200, { code: 'OPTED_OUT' }, failed('opted-out')],
    [200, { code: 'FILTERED' }, failed('filtered')],
    [200, { code: 'NO_SUCH_TEMPLATE' }, failed('rejected')],
    [401, '', later('config')],
    [404, '', failed('rejected')],
  ],
  loudspeaker: [
    [200, { code: 'OK', broadcastId: 'b-1' }, taken('b-1')],
    [200, { code: 'NO_SUCH_DEVICE' }, failed('bad-contact')],
    [200, { code: 'DEVICE_OFFLINE' }, later('temporary')],
    [200, { code: 'DEVICE_BUSY' }, later('temporary')],
    [200, { code: 'THROTTLED' }, later('throttled')],
    [200, { code: 'TEXT_TOO_LONG' }, failed('rejected')],
    [403, '', later('config')],
    [400, '', failed('rejected')],
  ],
  dingtalk: [
    [200, { errcode: 0, errmsg: 'ok' }, taken('42.2')],
    [200, { errcode: 310000 }, later('config')],
    [200, { errcode: 300001 }, later('config')],
    [200, { errcode: 400102 }, later('config')],
    [200, { errcode: 130101 }, later('throttled')],
    [200, { errcode: 410100 }, later('throttled')],
    [200, { errcode: 430102 }, failed('filtered')],
    [200, { errcode: 40035 }, failed('rejected')],
    [200, { errcode: -1 }, unknown('server-error')],
    [404, '', later('config')],
  ],
  wecom: [
    [200, { errcode: 0, errmsg: 'ok' }, taken('42.2')],
    [200, { errcode: 93000 }, later('config')],
    [200, { errcode: 45009 }, later('throttled')],
    [200, { errcode: 40008 }, failed('rejected')],
    [200, { errcode: -1 }, unknown('server-error')],
  ],
  feishu: [
    [200, { code: 0, msg: 'success' }, taken('42.2')],
    [200, { code: 19021 }, later('config')],
    [200, { code: 19024 }, later('config')],
    [200, { code: 19001 }, later('config')],
    [200, { code: 11232 }, later('throttled')],
    [200, { code: 9499 }, failed('rejected')],
    [400, { code: 9499 }, failed('rejected')],
  ],
  ntfy: [
    [200, { id: 'n-1', event: 'message' }, taken('n-1')],
    [200, {}, unknown('answer-unreadable')],
    [401, { code: 40101 }, later('config')],
    [403, { code: 40301 }, later('config')],
    [404, { code: 40401 }, later('config')],
    [400, { code: 40009 }, failed('bad-contact')],
    [400, { code: 40017 }, failed('rejected')],
    [413, { code: 41303 }, failed('rejected')],
    [429, { code: 42901 }, later('throttled')],
    [429, { code: 42908 }, later('provider-out')],
  ],
};

describe.each(NAMES)('%s', (name) => {
  const ADDRESSES: Partial<Record<Name, string>> = { loudspeaker: 'horn-7', feishu: 'ou_1', ntfy: 'topic_1' };
  const message = (change: Partial<OutgoingMessage> = {}) =>
    exerciseMessage({ address: ADDRESSES[name] ?? '+8610020000001', ...change });

  test.each(TABLES[name])('answered %s %j', async (status, body, result) => {
    http.answer = says(status, body);
    expect(await open(name).send(message())).toEqual(result);
    expect(http.seen).toHaveLength(1);
  });

  test.each([
    [429, '', later('throttled')],
    [500, '', unknown('server-error')],
    [200, '<html>', unknown('answer-unreadable')],
  ])('answered by what stands before it: %s %j', async (status, body, result) => {
    http.answer = says(status, body);
    expect(await open(name).send(message())).toEqual(result);
  });

  test('where nothing is answered, the request decides', async () => {
    http.answer = (response) => response.destroy();
    expect(await open(name).send(message())).toEqual(unknown('connection'));
    http.answer = () => {};
    expect(await open(name, { messageTimeoutMs: 100 }).send(message())).toEqual(unknown('timeout'));
    await http.stop();
    expect(await open(name).send(message())).toEqual(later('connection'));
  });

  test('live, refuses what is of an Exercise before it connects', async () => {
    expect(await open(name, { live: true }).send(message())).toEqual(failed('synthetic-recipient'));
    expect(await open(name, { live: true }).send(message({ synthetic: false }))).toEqual(
      failed('exercise-on-live-channel'),
    );
    expect(http.seen).toEqual([]);
  });

  test('live, says nothing of ours beside the message', async () => {
    const actual = message({ kind: 'actual', synthetic: false, exercise: null });
    await open(name, { live: true }).send(actual);
    const [{ headers, body } = { headers: {}, body: '' }] = http.seen;
    expect(Object.keys(headers).filter((header) => header.startsWith('x-fenghuo'))).toEqual([]);
    expect(body).not.toContain('"exercise"');
  });

  test('takes its own addresses only', () => {
    const sender = open(name);
    expect(sender.refuses(message().address)).toBeNull();
    const bad = name === 'voice-gateway' ? null : 'bad-contact';
    expect(sender.refuses('"></at> all')).toBe(bad);
  });
});

describe('a request', () => {
  const request = async (name: Name, change: Partial<OutgoingMessage> = {}) => {
    await open(name).send(exerciseMessage(change));
    const seen = http.seen.at(-1);
    if (!seen) throw new Error('nothing was asked');
    return seen;
  };
  const base64 = (key: string, text: string) => createHmac('sha256', key).update(text).digest('base64');
  const isNow = (ms: number) => Math.abs(Date.now() - ms) < 60_000;

  test('for a call carries template, parameters and the reference, signed', async () => {
    const { url, headers, body, json } = await request('voice-gateway');
    expect(url).toBe('/voice/call');
    expect(json()).toEqual({
      templateId: 'TTS_7',
      to: '+8610020000001',
      parameters: { text: '【演练】请立即转移。【演练】', number: '4821' },
      reference: '42.2',
      warningId: '7',
      exercise: { step: 'rung 0', speed: 60 },
    });
    const timestamp = String(headers['x-gateway-timestamp']);
    expect(headers['x-gateway-signature']).toBe(
      createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex'),
    );
  });

  test('for a call names the template by kind and language where nothing else is configured', async () => {
    expect((await request('voice-gateway', { language: 'en' })).json()).toMatchObject({
      templateId: 'fenghuo-call-exercise-en',
    });
  });

  test.each([
    ['red', 1],
    ['orange', 2],
    ['yellow', 3],
    ['blue', 4],
  ] as const)('for a loudspeaker: %s has priority %s', async (level, priority) => {
    const { url, json } = await request('loudspeaker', { address: 'horn-7', level });
    expect(url).toBe('/v1/broadcasts');
    expect(json()).toMatchObject({ deviceId: 'horn-7', priority, text: '【演练】请立即转移。【演练】' });
  });

  test('to DingTalk is signed in its address, and names its person without +86', async () => {
    const { url, json } = await request('dingtalk');
    const query = new URL(url ?? '', 'http://robot').searchParams;
    const timestamp = query.get('timestamp') ?? '';
    expect(query.get('access_token')).toBe('t');
    expect(isNow(Number(timestamp))).toBe(true);
    expect(query.get('sign')).toBe(base64(SECRET, `${timestamp}\n${SECRET}`));
    expect(json()).toEqual({
      msgtype: 'text',
      text: { content: '@10020000001 【演练】请立即转移。【演练】' },
      at: { atMobiles: ['10020000001'], isAtAll: false },
    });
  });

  test('to WeCom has its key and no signature', async () => {
    const { url, json } = await request('wecom');
    expect(url).toBe('/cgi-bin/webhook/send?key=k');
    expect(json()).toEqual({
      msgtype: 'text',
      text: { content: '【演练】请立即转移。【演练】', mentioned_mobile_list: ['10020000001'] },
    });
  });

  test('to Feishu is signed in its body, in seconds', async () => {
    const body = (await request('feishu', { address: 'ou_1' })).json();
    const timestamp = String(body['timestamp']);
    expect(isNow(Number(timestamp) * 1000)).toBe(true);
    expect(body).toEqual({
      timestamp,
      sign: base64(`${timestamp}\n${SECRET}`, ''),
      msg_type: 'text',
      content: { text: '<at user_id="ou_1"></at> 【演练】请立即转移。【演练】' },
    });
  });

  test.each([
    ['red', 5],
    ['yellow', 4],
    ['blue', 3],
  ] as const)('to ntfy: %s has priority %s, in the person’s topic', async (level, priority) => {
    const { headers, json } = await request('ntfy', { address: 'topic_1', level });
    expect(headers.authorization).toBe('Bearer tk_1');
    expect(json()).toEqual({
      topic: 'topic_1',
      title: '【演练】暴雨红色预警 濯水镇【演练】',
      message: '【演练】请立即转移。【演练】',
      priority,
    });
  });
});
