import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import { unansweredResult } from './http-exchange.ts';
import { createSmsGatewayChannel, gatewayResult } from './sms-gateway.ts';

const SECRET = 'a secret of the gateway';

const MESSAGE: OutgoingMessage = {
  deliveryId: '42',
  attempt: 2,
  warningId: '7',
  kind: 'exercise',
  synthetic: true,
  address: '+8610020000001',
  language: 'zh',
  subject: '',
  text: '收到请回复 1 4821。',
  parameters: { text: '收到请回复 1 4821。', number: '4821' },
  exercise: { step: 'rung 0', speed: 60 },
  level: 'red',
};

const later = (reason: string): SendResult => ({ outcome: 'later', reason });
const failed = (reason: string): SendResult => ({ outcome: 'failed', reason });
const unknown = (reason: string): SendResult => ({ outcome: 'unknown', reason });
const handedOff: SendResult = { outcome: 'handed off', providerId: 'g-1' };

type Seen = {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
};

let server: Server;
let url: string;
let seen: Seen[];
let connections: number;
let answer: (response: ServerResponse) => void;
const channels: SenderPort[] = [];

beforeEach(async () => {
  seen = [];
  connections = 0;
  answer = says(200, { code: 'OK', messageId: 'g-1' });
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, headers } = request;
      seen.push({ method, url: request.url, headers, body: Buffer.concat(chunks).toString() });
      answer(response);
    });
  });
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await Promise.all(channels.splice(0).map((channel) => channel.close()));
});

function says(status: number, body: unknown): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

function createChannel(change: Partial<Parameters<typeof createSmsGatewayChannel>[0]> = {}): SenderPort {
  const channel = createSmsGatewayChannel({
    url,
    secret: SECRET,
    signature: '重庆市气象台',
    live: false,
    ...change,
  });
  channels.push(channel);
  return channel;
}

describe('what the gateway answers decides', () => {
  const ANSWERS: readonly [status: number, body: unknown, result: SendResult][] = [
    [200, { code: 'OK', messageId: 'g-1' }, handedOff],
    [202, { code: 'OK', messageId: 'g-1' }, handedOff],
    [200, { code: 'OK' }, unknown('answer-unreadable')],
    [200, { code: 'OK', messageId: '' }, unknown('answer-unreadable')],
    [200, { code: 'OK', messageId: 12 }, unknown('answer-unreadable')],
    [200, {}, unknown('answer-unreadable')],
    [200, null, unknown('answer-unreadable')],
    [200, '<html>', unknown('answer-unreadable')],
    [200, '', unknown('answer-unreadable')],
    [302, '', unknown('answer-unreadable')],
    [200, 'x'.repeat(100_000), unknown('connection')],
    [200, { code: 'THROTTLED' }, later('throttled')],
    [400, { code: 'THROTTLED' }, later('throttled')],
    [429, '', later('throttled')],
    [429, { code: 'WHATEVER' }, later('throttled')],
    [200, { code: 'BAD_NUMBER' }, failed('bad-contact')],
    [400, { code: 'BAD_NUMBER' }, failed('bad-contact')],
    [200, { code: 'LANDLINE' }, failed('landline')],
    [200, { code: 'OPTED_OUT' }, failed('opted-out')],
    [200, { code: 'QUOTA_USED_UP' }, later('provider-out')],
    [200, { code: 'FILTERED' }, failed('filtered')],
    [200, { code: 'NO_SUCH_TEMPLATE' }, failed('rejected')],
    [400, '', failed('rejected')],
    [404, '<html>', failed('rejected')],
    [401, { code: 'UNAUTHORIZED' }, later('config')],
    [403, '', later('config')],
    [500, '', unknown('server-error')],
    [502, '<html>', unknown('server-error')],
    [503, { code: 'THROTTLED' }, unknown('server-error')],
  ];

  test.each(ANSWERS)('%s %j', async (status, body, result) => {
    answer = says(status, body);
    expect(await createChannel().send(MESSAGE)).toEqual(result);
    expect(seen).toHaveLength(1);
  });

  test('an error that carries an id is no acceptance', () => {
    expect(gatewayResult({ status: 500, json: { code: 'OK', messageId: 'g-1' } })).toEqual(
      unknown('server-error'),
    );
  });
});

describe('where nothing was answered, the request decides', () => {
  test.each([
    [false, false, later('connection')],
    [false, true, later('timeout')],
    [true, false, unknown('connection')],
    [true, true, unknown('timeout')],
  ])('begun: %s, timed out: %s', (begun, timedOut, result) => {
    expect(unansweredResult(begun, timedOut)).toEqual(result);
  });

  test('nobody listens', async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await createChannel().send(MESSAGE)).toEqual(later('connection'));
  });

  test('the connection is cut instead of an answer', async () => {
    answer = (response) => response.destroy();
    expect(await createChannel().send(MESSAGE)).toEqual(unknown('connection'));
    expect(seen).toHaveLength(1);
  });

  test('the connection is cut in the middle of an answer', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('{"code":"OK"', () => response.destroy());
    };
    expect(await createChannel().send(MESSAGE)).toEqual(unknown('connection'));
  });

  test('the answer does not come in time', async () => {
    answer = () => {};
    expect(await createChannel({ messageTimeoutMs: 200 }).send(MESSAGE)).toEqual(unknown('timeout'));
  });

  test('messages that still waited for a connection were not sent, and never are', async () => {
    answer = () => {};
    const channel = createChannel({ messageTimeoutMs: 200, concurrency: 1 });
    const ids = Array.from({ length: 20 }, (_, index) => String(index));
    const results = await Promise.all(ids.map((deliveryId) => channel.send({ ...MESSAGE, deliveryId })));
    const waited = ids.filter((_, index) => results[index]?.outcome === 'later');
    expect(waited.length).toBeGreaterThan(0);
    expect(results[0]).toEqual(unknown('timeout'));
    answer = says(200, { code: 'OK', messageId: 'g-1' });
    expect(await channel.send({ ...MESSAGE, deliveryId: 'last' })).toEqual(handedOff);
    const sent = seen.map(({ body }) => (JSON.parse(body) as { reference: string }).reference);
    expect(sent).toContain('last.2');
    expect(waited.filter((deliveryId) => sent.includes(`${deliveryId}.2`))).toEqual([]);
  });
});

describe('a request', () => {
  test('carries template, signature, parameters and the reference of delivery and attempt', async () => {
    await createChannel({ url: `${url}/base/` }).send(MESSAGE);
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/base/sms/send' });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      templateId: 'fenghuo-exercise-zh',
      signature: '重庆市气象台',
      to: '+8610020000001',
      parameters: { text: '收到请回复 1 4821。', number: '4821' },
      reference: '42.2',
      warningId: '7',
      exercise: { step: 'rung 0', speed: 60 },
    });
  });

  test('names the template as the provider calls it', async () => {
    await createChannel({ templates: { 'exercise-zh': 'SMS_154950909' } }).send(MESSAGE);
    expect(JSON.parse(seen[0]?.body ?? '')).toMatchObject({ templateId: 'SMS_154950909' });
  });

  test('says nothing of an Exercise where it is none', async () => {
    await createChannel({ live: true }).send({
      ...MESSAGE,
      kind: 'actual',
      synthetic: false,
      exercise: null,
    });
    const body = JSON.parse(seen[0]?.body ?? '') as Record<string, unknown>;
    expect(body).toMatchObject({ templateId: 'fenghuo-actual-zh' });
    expect(body).not.toHaveProperty('exercise');
  });

  test('is signed with its time', async () => {
    await createChannel().send(MESSAGE);
    const { headers, body } = seen[0] as Seen;
    const timestamp = String(headers['x-gateway-timestamp']);
    expect(Math.abs(Date.now() - Number(timestamp))).toBeLessThan(60_000);
    expect(headers['x-gateway-signature']).toBe(
      createHmac('sha256', SECRET).update(`${timestamp}.${body}`).digest('hex'),
    );
  });
});

describe('an earlier attempt is looked for by its reference', () => {
  const LISTINGS: readonly [status: number, body: unknown, found: unknown][] = [
    [200, { messages: [{ messageId: 'g-7', reference: '42.1' }] }, { providerId: 'g-7' }],
    [200, { messages: [] }, null],
    [200, { messages: [{}] }, 'unknown'],
    [200, '<html>', 'unknown'],
    [503, { messages: [] }, 'unknown'],
  ];
  test.each(LISTINGS)('%s %j', async (status, body, found) => {
    answer = says(status, body);
    expect(await createChannel().find?.(MESSAGE, 1)).toEqual(found);
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/sms/messages?reference=42.1' });
  });

  test('a gateway that does not answer cannot be asked', async () => {
    answer = (response) => response.destroy();
    expect(await createChannel().find?.(MESSAGE, 1)).toBe('unknown');
  });
});

test('connections are kept, and not more than the concurrency', async () => {
  const channel = createChannel({ concurrency: 4 });
  const results = await Promise.all(Array.from({ length: 200 }, () => channel.send(MESSAGE)));
  expect(results.every(({ outcome }) => outcome === 'handed off')).toBe(true);
  expect(connections).toBe(4);
});

describe('a live channel', () => {
  const REFUSED: readonly [name: string, change: Partial<OutgoingMessage>, reason: string][] = [
    ['a synthetic recipient', { kind: 'actual', exercise: null }, 'synthetic-recipient'],
    ['an Exercise', { synthetic: false }, 'exercise-on-live-channel'],
    ['both', {}, 'synthetic-recipient'],
  ];
  test.each(REFUSED)('refuses %s before it connects', async (_name, change, reason) => {
    expect(await createChannel({ live: true }).send({ ...MESSAGE, ...change })).toEqual(failed(reason));
    expect(connections).toBe(0);
  });

  test('takes an actual message to a real person', async () => {
    const actual: OutgoingMessage = { ...MESSAGE, kind: 'actual', synthetic: false, exercise: null };
    expect(await createChannel({ live: true }).send(actual)).toEqual(handedOff);
  });
});
