import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OutgoingMessage, SendResult, SenderPort } from '../domain/ports.ts';
import type { TwilioSenderOptions } from './twilio-account.ts';
import { createTwilioInbound } from './twilio-inbound.ts';
import { createTwilioSmsSender, validitySeconds } from './twilio-sms.ts';
import { createTwilioVoiceSender } from './twilio-voice.ts';

const ACCOUNT = { accountSid: `AC${'0'.repeat(32)}`, authToken: 'a token of the tests' };
const FROM = '+15005550006';

const MESSAGE: OutgoingMessage = {
  deliveryId: '42',
  attempt: 2,
  warningId: '7',
  level: 'red',
  kind: 'exercise',
  synthetic: true,
  address: '+12025550142',
  language: 'en',
  subject: '',
  text: '[EXERCISE] Reply 1 4821.',
  parameters: {},
  exercise: { step: 'rung 0', speed: 60 },
};

const failed = (reason: string): SendResult => ({ outcome: 'failed', reason });
const later = (reason: string): SendResult => ({ outcome: 'later', reason });
const unknown = (reason: string): SendResult => ({ outcome: 'unknown', reason });

type Seen = {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  form: Record<string, string[]>;
};

let server: Server;
let apiUrl: string;
let seen: Seen[];
let answer: (response: ServerResponse) => void;
const senders: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  seen = [];
  answer = says(201, { sid: 'SM1' });
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const fields = new URLSearchParams(Buffer.concat(chunks).toString());
      const form = Object.fromEntries([...new Set(fields.keys())].map((name) => [name, fields.getAll(name)]));
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, form });
      answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await Promise.all(senders.splice(0).map((sender) => sender.close()));
});

function says(status: number, body: unknown): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

function create(kind: 'sms' | 'voice', change: Partial<TwilioSenderOptions> = {}): SenderPort {
  const make = kind === 'sms' ? createTwilioSmsSender : createTwilioVoiceSender;
  const sender = make({
    ...ACCOUNT,
    apiUrl,
    from: FROM,
    publicUrl: 'https://fenghuo.example/',
    live: false,
    ...change,
  });
  senders.push(sender);
  return sender;
}

describe.each(['sms', 'voice'] as const)('%s', (kind) => {
  const ANSWERS: readonly [status: number, body: unknown, result: SendResult][] = [
    [201, { sid: 'SM1' }, { outcome: 'handed off', providerId: 'SM1' }],
    [200, { sid: 'SM1' }, { outcome: 'handed off', providerId: 'SM1' }],
    [201, {}, unknown('answer-unreadable')],
    [201, '<html>', unknown('answer-unreadable')],
    [201, '', unknown('answer-unreadable')],
    [400, { code: 21211, message: 'no', status: 400 }, failed('bad-contact')],
    [400, { code: 21610, status: 400 }, failed('opted-out')],
    [400, { code: 12, status: 400 }, failed('rejected')],
    [400, '<html>', failed('rejected')],
    [401, { code: 20003, status: 401 }, later('config')],
    [429, { code: 20429, status: 429 }, later('throttled')],
    [429, '', later('throttled')],
    [500, '', unknown('server-error')],
    [503, { code: 20503, status: 503 }, unknown('server-error')],
  ];
  test.each(ANSWERS)('%s %j', async (status, body, result) => {
    answer = says(status, body);
    expect(await create(kind).send(MESSAGE)).toEqual(result);
    // The library repeats nothing by itself.
    expect(seen).toHaveLength(1);
  });

  test('nobody listens: nothing was sent', async () => {
    await new Promise((resolve) => server.close(resolve));
    expect(await create(kind).send(MESSAGE)).toEqual(later('connection'));
  });

  test('the connection is cut instead of an answer', async () => {
    answer = (response) => response.destroy();
    expect(await create(kind).send(MESSAGE)).toEqual(unknown('connection'));
    expect(seen).toHaveLength(1);
  });

  test('the answer does not come in time', async () => {
    answer = () => {};
    expect(await create(kind, { messageTimeoutMs: 200 }).send(MESSAGE)).toEqual(unknown('timeout'));
  });

  test('what still waits for a connection was not sent, and never is', async () => {
    answer = () => {};
    const sender = create(kind, { messageTimeoutMs: 300, concurrency: 1 });
    const ids = Array.from({ length: 20 }, (_, index) => String(index));
    const results = await Promise.all(ids.map((deliveryId) => sender.send({ ...MESSAGE, deliveryId })));
    const waited = ids.filter((_, index) => results[index]?.outcome === 'later');
    expect(waited.length).toBeGreaterThan(0);
    answer = says(201, { sid: 'SM1' });
    expect(await sender.send({ ...MESSAGE, deliveryId: 'last' })).toMatchObject({ outcome: 'handed off' });
    const sent = seen.map(({ form }) => /status\/(\w+)\./.exec(form['StatusCallback']?.[0] ?? '')?.[1]);
    expect(sent).toContain('last');
    expect(waited.filter((deliveryId) => sent.includes(deliveryId))).toEqual([]);
  });

  test('proves itself, to the account', async () => {
    await create(kind, { apiUrl: `${apiUrl}/base/` }).send(MESSAGE);
    const path = `/base/2010-04-01/Accounts/${ACCOUNT.accountSid}/${kind === 'sms' ? 'Messages' : 'Calls'}.json`;
    expect(seen[0]).toMatchObject({ method: 'POST', url: path });
    const credentials = Buffer.from(`${ACCOUNT.accountSid}:${ACCOUNT.authToken}`).toString('base64');
    expect(seen[0]?.headers.authorization).toBe(`Basic ${credentials}`);
  });

  test.each([
    [{ kind: 'actual', exercise: null }, 'synthetic-recipient'],
    [{ synthetic: false }, 'exercise-on-live-channel'],
  ] as const)('live, refuses %j before it connects', async (change, reason) => {
    expect(await create(kind, { live: true }).send({ ...MESSAGE, ...change })).toEqual(failed(reason));
    expect(seen).toEqual([]);
  });

  test('an actual message never goes to a stand-in', async () => {
    const actual: OutgoingMessage = { ...MESSAGE, kind: 'actual', synthetic: false, exercise: null };
    expect(await create(kind).send(actual)).toEqual(failed('actual-on-a-stand-in'));
    expect(seen).toEqual([]);
  });

  test('live, tells Twilio nothing of an Exercise', async () => {
    const actual: OutgoingMessage = { ...MESSAGE, kind: 'actual', synthetic: false, exercise: null };
    await create(kind, { live: true }).send(actual);
    expect(seen[0]?.form['StatusCallback']).toEqual([
      'https://fenghuo.example/twilio/status/42.2#rc=4&rp=ct,rt,5xx',
    ]);
  });

  test('refuses mainland China', () => {
    expect(create(kind).refuses('+8610020000001')).toBe('other-sender');
    expect(create(kind).refuses('+12025550142')).toBeNull();
  });
});

describe('a message', () => {
  test('says where its callbacks go, and until when it may be tried', async () => {
    await create('sms').send({ ...MESSAGE, expiresAt: Date.now() + 90_500 });
    const { ValidityPeriod: [validity] = [], ...form } = seen[0]?.form ?? {};
    expect(form).toEqual({
      To: [MESSAGE.address],
      From: [FROM],
      Body: [MESSAGE.text],
      StatusCallback: [
        'https://fenghuo.example/twilio/status/42.2?warning=7&step=rung+0&speed=60#rc=4&rp=ct,rt,5xx',
      ],
    });
    expect(Number(validity)).toBeGreaterThan(80);
    expect(Number(validity)).toBeLessThanOrEqual(90);
  });

  test('goes out by a messaging service where one is configured', async () => {
    const service = `MG${'1'.repeat(32)}`;
    await create('sms', { from: service }).send(MESSAGE);
    expect(seen[0]?.form).toMatchObject({ MessagingServiceSid: [service] });
    expect(seen[0]?.form).not.toHaveProperty('From');
  });

  test.each([
    [undefined, 36_000],
    [100_000_000, 36_000],
    [60_999, 60],
    [999, 1],
    [-5, 1],
  ])('that ends in %s ms may be tried for %s s', (left, seconds) => {
    expect(validitySeconds(left === undefined ? undefined : 5_000 + left, 5_000)).toBe(seconds);
  });
});

test('a call asks for its words at our web, and for the kind of listener', async () => {
  await create('voice').send(MESSAGE);
  expect(seen[0]?.form).toEqual({
    To: [MESSAGE.address],
    From: [FROM],
    Url: ['https://fenghuo.example/twilio/voice/42.2?warning=7&step=rung+0&speed=60#rc=4&rp=ct,rt,5xx'],
    StatusCallback: [
      'https://fenghuo.example/twilio/status/42.2?warning=7&step=rung+0&speed=60#rc=4&rp=ct,rt,5xx',
    ],
    StatusCallbackEvent: ['initiated', 'ringing', 'answered', 'completed'],
    MachineDetection: ['Enable'],
    Timeout: ['40'],
    TimeLimit: ['300'],
  });
});

describe('an earlier attempt is looked for', () => {
  const listed = (age: number, change: object = {}) => ({
    sid: 'SM7',
    to: MESSAGE.address,
    from: FROM,
    body: MESSAGE.text,
    direction: 'outbound-api',
    date_created: new Date(Date.now() - age).toUTCString().replace('GMT', '+0000'),
    ...change,
  });
  const lists = (...messages: object[]) => says(200, { messages, calls: messages });
  const earlier = { ...MESSAGE, earlierAt: Date.now() - 60_000 };

  test.each(['sms', 'voice'] as const)('by %s, by recipient and time', async (kind) => {
    const sender = create(kind);
    answer = lists(listed(65_000));
    expect(await sender.find?.(earlier, 1)).toEqual({ providerId: 'SM7' });
    expect(seen[0]?.url).toContain(`To=${encodeURIComponent(MESSAGE.address)}`);
    answer = lists(listed(120_000));
    expect(await sender.find?.(earlier, 1)).toBeNull();
    // The same text on an earlier rung, a moment before, is known to be another message.
    answer = lists(listed(65_000));
    expect(await sender.find?.({ ...earlier, otherIds: ['SM7'] }, 1)).toBeNull();
    answer = lists();
    expect(await sender.find?.(earlier, 1)).toBeNull();
  });

  test('by its text, whatever a trial account puts before it; what came in is not what went out', async () => {
    const sender = create('sms');
    answer = lists(listed(1_000, { body: `Sent from a trial account - ${MESSAGE.text}` }));
    expect(await sender.find?.(earlier, 1)).toEqual({ providerId: 'SM7' });
    answer = lists(listed(1_000, { body: 'something else' }), listed(1_000, { direction: 'inbound' }));
    expect(await sender.find?.(earlier, 1)).toBeNull();
  });

  test.each([
    ['an error', says(500, '')],
    ['nothing readable', says(200, '<html>')],
    ['silence', (response: ServerResponse) => void response.destroy()],
  ])('%s is no answer', async (_name, says) => {
    answer = says;
    for (const kind of ['sms', 'voice'] as const)
      expect(await create(kind).find?.(earlier, 1)).toBe('unknown');
  });

  test('a call of which the time is not known cannot be told from another', async () => {
    answer = lists(listed(1_000));
    expect(await create('voice').find?.(MESSAGE, 1)).toBe('unknown');
    expect(await create('sms').find?.(MESSAGE, 1)).toEqual({ providerId: 'SM7' });
  });
});

test('what came in is listed over all pages, the oldest first', async () => {
  const inbound = (sid: string) => ({
    sid,
    from: '+12025550142',
    body: `text of ${sid}`,
    direction: 'inbound',
  });
  const next_page_uri = `/2010-04-01/Accounts/${ACCOUNT.accountSid}/Messages.json?PageToken=more`;
  answer = (response) =>
    seen.length === 1
      ? says(200, {
          messages: [inbound('SM3'), { ...inbound('SM0'), direction: 'outbound-api' }],
          next_page_uri,
        })(response)
      : says(200, { messages: [inbound('SM2'), inbound('SM1')], next_page_uri: null })(response);
  const list = createTwilioInbound({ ...ACCOUNT, apiUrl, from: FROM });
  senders.push(list);
  const found = await list.since(Date.UTC(2026, 6, 1, 8));
  expect(found.map(({ id }) => id)).toEqual(['SM1', 'SM2', 'SM3']);
  expect(found[0]).toEqual({ id: 'SM1', from: '+12025550142', text: 'text of SM1' });
  const [first, second] = seen.map(({ url }) => new URL(url, apiUrl).searchParams);
  expect(first?.get('DateSent>')).toBe('2026-07-01T08:00:00Z');
  expect(first?.get('To')).toBe(FROM);
  expect(second?.get('PageToken')).toBe('more');
});

test('more than can be listed is said, so that nothing is passed over', async () => {
  const next_page_uri = `/2010-04-01/Accounts/${ACCOUNT.accountSid}/Messages.json?PageToken=more`;
  answer = says(200, { messages: [], next_page_uri });
  const list = createTwilioInbound({ ...ACCOUNT, apiUrl, from: FROM });
  senders.push(list);
  await expect(list.since(0)).rejects.toThrow('more came in than can be listed');
  expect(seen).toHaveLength(201);
});
