import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import twilio from 'twilio';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createTwilioInbound } from '../channels/twilio-inbound.ts';
import { messageReport, TWILIO_CODES } from '../channels/twilio-results.ts';
import { createTwilioSmsSender } from '../channels/twilio-sms.ts';
import { createTwilioVoiceSender } from '../channels/twilio-voice.ts';
import type { OutgoingMessage, SenderPort } from '../domain/ports.ts';
import { resultOf, type ResultClass } from '../domain/results.ts';
import type { FaultPlan } from './faults.ts';
import { readLedger } from './ledger.ts';
import type { PeopleModel } from './people.ts';
import { startSandbox, type Sandbox, type SandboxOptions } from './sandbox.ts';
import { outgoing } from './testing.ts';

const ACCOUNT = { accountSid: `AC${'7'.repeat(32)}`, authToken: 'a token of the tests' };
const FROM = '+15005550006';

const EAGER: PeopleModel = {
  neverAnswersShare: 0,
  cannotActShare: 0,
  wokenShare: { sms: 1, voice: 1 },
  householdAnswersShare: 1,
  medianDelayMinutes: 1,
  delaySigma: 0.5,
  delayMinutesMost: 5,
};
const SILENT: Partial<PeopleModel> = { wokenShare: { sms: 0, voice: 0 }, householdAnswersShare: 0 };

type Callback = { path: string; fields: Record<string, string>; valid: boolean };

let directory: string;
let web: { server: Server; url: string; callbacks: Callback[]; status: number; says(path: string): string };
let running: { stop(): Promise<void> }[];

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'fenghuo-twilio-'));
  web = { server: createServer(), url: '', callbacks: [], status: 200, says: () => '' };
  web.server.on('request', (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const fields = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
      const signature = String(incoming.headers['x-twilio-signature']);
      const valid = twilio.validateRequest(ACCOUNT.authToken, signature, `${web.url}${incoming.url}`, fields);
      web.callbacks.push({ path: incoming.url ?? '', fields, valid });
      response.writeHead(web.status).end(web.says(incoming.url ?? ''));
    });
  });
  await new Promise<void>((resolve) => web.server.listen(0, '127.0.0.1', resolve));
  web.url = `http://127.0.0.1:${(web.server.address() as AddressInfo).port}`;
  running = [];
});

afterEach(async () => {
  await Promise.all(running.map((part) => part.stop()));
  web.server.closeAllConnections();
  await new Promise((resolve) => web.server.close(resolve));
  rmSync(directory, { recursive: true });
});

async function start(change: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({
    directory,
    repliesUrl: `${web.url}/replies`,
    secret: 'a secret of the gateway',
    seed: 'seed',
    log: () => {},
    model: SILENT,
    twilio: { ...ACCOUNT, inboundUrl: `${web.url}/twilio/inbound#rc=1&rp=5xx`, port: 0 },
    ...change,
  });
  running.push(sandbox);
  return sandbox;
}

function senderTo(sandbox: Sandbox, kind: 'sms' | 'voice', messageTimeoutMs = 10_000): SenderPort {
  const create = kind === 'sms' ? createTwilioSmsSender : createTwilioVoiceSender;
  const sender = create({
    ...ACCOUNT,
    apiUrl: sandbox.twilio?.url,
    from: FROM,
    publicUrl: web.url,
    live: false,
    messageTimeoutMs,
  });
  running.unshift({ stop: () => sender.close() });
  return sender;
}

function messageFor(deliveryId: number, change: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return outgoing({
    deliveryId: String(deliveryId),
    address: `+1202555${String(deliveryId).padStart(4, '0')}`,
    text: `[EXERCISE] Reply 1 4821. ${deliveryId}`,
    ...change,
  });
}

const statuses = (reference: string) =>
  web.callbacks
    .filter((callback) => callback.path.startsWith(`/twilio/status/${reference}?`))
    .map(({ fields }) => fields['MessageStatus'] ?? fields['CallStatus']);

const idle = (sandbox: Sandbox) => vi.waitFor(() => expect(sandbox.twilio?.waiting()).toBe(0), 10_000);

const MENU = (key: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><Response><Gather action="${key}" actionOnEmptyResult="true"><Say>menu</Say></Gather></Response>`;

describe('a message', () => {
  test('is in the ledger with all that was told, and is listed, shown, and no other account’s', async () => {
    const sandbox = await start();
    const sms = senderTo(sandbox, 'sms');
    const message = messageFor(1, { attempt: 3 });
    const sent = await sms.send(message);
    expect(sent).toEqual({
      outcome: 'handed off',
      providerId: expect.stringMatching(/^SM[0-9a-f]{32}$/) as string,
    });
    expect((await readLedger(directory)).attempts).toEqual(new Map([['1.3', 1]]));
    expect(await sms.find?.(message, 3)).toEqual({ providerId: 'providerId' in sent ? sent.providerId : '' });
    expect(await sms.find?.(messageFor(2), 1)).toBeNull();
    expect(sandbox.twilio?.get('providerId' in sent ? sent.providerId : '')).toMatchObject({
      reference: '1.3',
      warningId: '7',
      exercise: { step: 'rung 0', speed: 100_000 },
    });
    const bare = await request(`${sandbox.twilio?.url}/2010-04-01/Accounts/${ACCOUNT.accountSid}.json`);
    expect(bare.statusCode).toBe(401);
    expect(await bare.body.json()).toMatchObject({ code: 20003, status: 401 });
    const stranger = createTwilioSmsSender({
      ...{ ...ACCOUNT, authToken: 'another token', apiUrl: sandbox.twilio?.url },
      ...{ from: FROM, publicUrl: web.url, live: false },
    });
    running.unshift({ stop: () => stranger.close() });
    expect(await stranger.send(message)).toEqual({ outcome: 'later', reason: 'config' });
  });

  test('is reported in all its states, in order and signed', async () => {
    const sandbox = await start();
    await senderTo(sandbox, 'sms').send(messageFor(1));
    await idle(sandbox);
    expect(statuses('1.1')).toEqual(['accepted', 'queued', 'sending', 'sent', 'delivered']);
    expect(web.callbacks.every(({ valid }) => valid)).toBe(true);
  });

  test('is still listed after the sandbox was started again', async () => {
    const first = await start();
    await senderTo(first, 'sms').send(messageFor(1));
    await first.stop();
    running = running.filter((part) => part !== first);
    expect(await senderTo(await start(), 'sms').find?.(messageFor(1), 1)).toMatchObject({
      providerId: expect.stringMatching(/^SM/) as string,
    });
  });

  test('can be recalled until it is sent', async () => {
    const sandbox = await start();
    const client = twilio(ACCOUNT.accountSid, ACCOUNT.authToken);
    expect(client.accountSid).toBe(ACCOUNT.accountSid);
    const url = `${sandbox.twilio?.url}/2010-04-01/Accounts/${ACCOUNT.accountSid}`;
    const authorization = `Basic ${Buffer.from(`${ACCOUNT.accountSid}:${ACCOUNT.authToken}`).toString('base64')}`;
    const post = async (resource: string, form: Record<string, string>) => {
      const answer = await request(`${url}/${resource}.json`, {
        method: 'POST',
        headers: { authorization },
        body: new URLSearchParams(form).toString(),
      });
      return (await answer.body.json()) as { sid: string; status: string };
    };
    const { sid } = await post('Messages', { To: '+12025550101', From: FROM, Body: 'x' });
    await vi.waitFor(() => expect(sandbox.twilio?.get(sid)?.status).toBe('delivered'));
    expect(await post(`Messages/${sid}`, { Status: 'canceled' })).toMatchObject({ code: 30409, status: 400 });
    const call = await post('Calls', { To: '+12025550101', From: FROM, Url: `${web.url}/x`, Timeout: '60' });
    expect((await post(`Calls/${call.sid}`, { Status: 'canceled' })).status).toBe('canceled');
  });
});

describe('recall', () => {
  test('a call that rings ends, and nobody hears it; one that has ended, or is not known, is too late', async () => {
    const sandbox = await start();
    const voice = senderTo(sandbox, 'voice');
    const result = await voice.send(messageFor(1, { exercise: { step: 'rung 0', speed: 1 } }));
    const providerId = result.outcome === 'handed off' ? result.providerId : '';
    const call = { deliveryId: 1, attempt: 1, providerId };
    await vi.waitFor(() => expect(sandbox.twilio?.get(providerId)?.status).toBe('ringing'));
    expect(await voice.recall?.(call)).toBe('recalled');
    expect((await readLedger(directory)).recalled).toEqual(new Set(['1.1']));
    await vi.waitFor(() => expect(statuses('1.1').at(-1)).toBe('canceled'));
    const unknown = { ...call, providerId: `CA${'0'.repeat(32)}` };
    expect(await voice.recall?.(unknown)).toBe('too late');
    await sandbox.stop();
    expect(await voice.recall?.(call)).toBe('unknown');
  });

  test('an SMS cannot be taken back', async () => {
    expect(senderTo(await start(), 'sms')).not.toHaveProperty('recall');
  });
});

describe('faults', () => {
  test.each(TWILIO_CODES)('code %s: refused at once, or heard of later', async (code) => {
    const reason = messageReport('failed', code)?.reason as ResultClass;
    const plan: FaultPlan = { twilio: { refused: [{ share: 1, code: Number(code) }] } };
    const sandbox = await start({ faults: plan });
    const sms = senderTo(sandbox, 'sms');
    expect(await sms.send(messageFor(1))).toEqual(resultOf(reason));
    expect(await senderTo(sandbox, 'voice').send(messageFor(2))).toEqual(resultOf(reason));
    expect((await readLedger(directory)).attempts.size).toBe(0);
    sandbox.setFaults({ twilio: { undelivered: [{ share: 1, code: Number(code) }] } });
    expect(await sms.send(messageFor(3))).toMatchObject({ outcome: 'handed off' });
    await idle(sandbox);
    expect(statuses('3.1')).toEqual(['accepted', 'queued', 'sending', 'sent', 'undelivered']);
    expect(web.callbacks.at(-1)?.fields['ErrorCode']).toBe(code);
    expect(sandbox.stats().faultsHit).toEqual({
      [`twilio refused ${code}`]: 2,
      [`twilio undelivered ${code}`]: 1,
    });
  });

  const TABLE: readonly [faults: FaultPlan['twilio'], outcome: string, recorded: number][] = [
    [{ throttledShare: 1 }, 'later throttled', 0],
    [{ serverErrorShare: 1 }, 'unknown server-error', 0],
    [{ hangShare: 1 }, 'unknown timeout', 0],
    [{ answerHeldShare: 1 }, 'unknown timeout', 1],
    [{ answerLostShare: 1 }, 'unknown connection', 1],
    [{ badNumberShare: 1 }, 'failed bad-contact', 0],
  ];
  test.each(TABLE)('%j: %s', async (faults, outcome, recorded) => {
    const sandbox = await start({ faults: { twilio: faults ?? {} } });
    for (const kind of ['sms', 'voice'] as const) {
      const result = await senderTo(sandbox, kind, 500).send(messageFor(kind === 'sms' ? 1 : 2));
      expect('reason' in result ? `${result.outcome} ${result.reason}` : result.outcome).toBe(outcome);
    }
    expect((await readLedger(directory)).attempts.size).toBe(2 * recorded);
  });

  test('a throttled request is told when to come again', async () => {
    const sandbox = await start({ faults: { twilio: { throttledShare: 1 } } });
    const answer = await request(
      `${sandbox.twilio?.url}/2010-04-01/Accounts/${ACCOUNT.accountSid}/Messages.json`,
      {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${ACCOUNT.accountSid}:${ACCOUNT.authToken}`).toString('base64')}`,
        },
        body: 'To=%2B12025550101',
      },
    );
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '1']);
    await answer.body.dump();
  });

  test('callbacks come five-fold and in any order, or not at all', async () => {
    const callbacks = { copies: 5, lateMs: 30, shuffled: true };
    const sandbox = await start({ faults: { twilio: { callbacks, callbacksMissingShare: 0.5 } } });
    const sms = senderTo(sandbox, 'sms');
    for (let id = 1; id <= 20; id++) await sms.send(messageFor(id));
    await idle(sandbox);
    const heard = Array.from({ length: 20 }, (_, index) => statuses(`${index + 1}.1`));
    const told = heard.filter((states) => states.length > 0);
    expect(told.length).toBeGreaterThan(3);
    expect(told.length).toBeLessThan(17);
    for (const states of told) {
      expect(states).toHaveLength(25);
      expect(new Set(states).size).toBe(5);
    }
    const inOrder = (states: (string | undefined)[]) =>
      states.lastIndexOf('accepted') < states.indexOf('delivered');
    expect(told.every(inOrder)).toBe(false);
    expect(web.callbacks.every(({ valid }) => valid)).toBe(true);
  });
});

describe('people', () => {
  test('reply by SMS, signed, and stand in the list even where the push is lost', async () => {
    const sandbox = await start({ model: EAGER, faults: { twilio: { repliesMissingShare: 0.5 } } });
    const sms = senderTo(sandbox, 'sms');
    for (let id = 1; id <= 20; id++) await sms.send(messageFor(id));
    await vi.waitFor(() => expect(sandbox.stats().acts).toBe(20), 10_000);
    await vi.waitFor(() => expect(sandbox.stats().people).toEqual({ toCome: 0, onTheirWay: 0 }), 10_000);
    const pushed = web.callbacks.filter((callback) => callback.path === '/twilio/inbound');
    expect(pushed.length).toBeGreaterThan(3);
    expect(pushed.length).toBeLessThan(17);
    expect(pushed.every(({ valid, fields }) => valid && fields['Body'] === '1 4821')).toBe(true);
    const list = createTwilioInbound({ ...ACCOUNT, apiUrl: sandbox.twilio?.url, from: FROM });
    running.unshift({ stop: () => list.close() });
    const inbound = await list.since(Date.now() - 60_000);
    expect(new Set(inbound.map(({ id }) => id)).size).toBe(20);
    expect(await list.since(Date.now() + 60_000)).toEqual([]);
  });

  test('a push that fails is repeated as the URL asks, under the same id', async () => {
    const sandbox = await start();
    web.status = 503;
    expect(await sandbox.twilio?.reply({ id: 'r1', from: '+12025550101', text: '1' })).toBe(503);
    const ids = web.callbacks.map(({ fields }) => fields['MessageSid']);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  test('take calls, have them repeated, and press their key', async () => {
    const sandbox = await start({ model: EAGER });
    web.says = (path) =>
      path.startsWith('/twilio/voice') ? MENU('/key') : path === '/key' ? MENU('/key') : '';
    const voice = senderTo(sandbox, 'voice');
    for (let id = 1; id <= 40; id++)
      expect(await voice.send(messageFor(id))).toMatchObject({ outcome: 'handed off' });
    await vi.waitFor(() => expect(sandbox.stats().people).toEqual({ toCome: 0, onTheirWay: 0 }), 10_000);
    await idle(sandbox);
    const pressed = new Map<string, string>();
    for (const { path, fields } of web.callbacks)
      if (path === '/key' && fields['Digits'] !== '')
        pressed.set(fields['To'] ?? '', `${pressed.get(fields['To'] ?? '') ?? ''}${fields['Digits']}`);
    expect([...new Set(pressed.values())].sort()).toEqual(['*1', '1', '21']);
    expect(pressed.size).toBe(40);
    expect(statuses('1.1')).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
    expect((await readLedger(directory)).acts.map(({ via, status }) => `${via} ${status}`)).toEqual(
      Array.from({ length: 40 }, () => 'voice 200'),
    );
    expect(web.callbacks.every(({ valid }) => valid)).toBe(true);
  });

  test('do not take every call: voicemail, silence, a busy line, nobody', async () => {
    const sandbox = await start();
    web.says = (path) => (path.startsWith('/twilio/voice') ? MENU('/key') : '<Response><Hangup/></Response>');
    const voice = senderTo(sandbox, 'voice');
    for (let id = 1; id <= 40; id++) await voice.send(messageFor(id));
    await vi.waitFor(() => expect(web.callbacks.length).toBeGreaterThan(120), 10_000);
    await idle(sandbox);
    const ends = new Map<string, number>();
    for (let id = 1; id <= 40; id++) {
      const last = web.callbacks.findLast(({ path }) => path.startsWith(`/twilio/status/${id}.1?`))?.fields;
      const end = `${last?.['CallStatus']} ${last?.['AnsweredBy'] ?? ''}`.trim();
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    expect([...ends.keys()].sort()).toEqual([
      'busy',
      'completed human',
      'completed machine_start',
      'no-answer',
    ]);
    expect(web.callbacks.some(({ path, fields }) => path === '/key' && fields['Digits'] !== '')).toBe(false);
    expect((await readLedger(directory)).acts).toEqual([]);
  });
});

describe('an accepted message whose answer is lost', () => {
  const COUNT = 300;
  const TRIES_MOST = 4;
  const WAYS = [
    ['callbacks', {}],
    ['the list', { callbacksMissingShare: 1 }],
    ['neither', { callbacksMissingShare: 1 }],
  ] as const;
  const CASES = WAYS.flatMap(([way, faults]) => [0.05, 0.2, 1].map((share) => [share, way, faults] as const));

  test.each(CASES)('%d, reconciled by %s: the far side has each message', async (share, way, faults) => {
    const sandbox = await start({ faults: { twilio: { ...faults, answerLostShare: share } } });
    const sms = senderTo(sandbox, 'sms');
    const adopted = { callbacks: 0, list: 0 };
    const tries: number[] = [];
    for (let from = 1; from <= COUNT; from += 50)
      await Promise.all(Array.from({ length: 50 }, (_, index) => deliver(from + index)));
    const { attempts, deliveries, messages } = await readLedger(directory);
    const duplicates = messages.sms - deliveries.size;
    process.stdout.write(
      `answers lost ${share * 100} %, reconciled by ${way}: ${deliveries.size} of ${COUNT} arrived, ` +
        `${Math.round((duplicates / COUNT) * 10_000)} duplicates per 10,000 sends, adopted by callback ` +
        `${adopted.callbacks}, by listing ${adopted.list}, tries at most ${Math.max(...tries)}\n`,
    );
    expect(deliveries.size).toBe(COUNT);
    expect([...attempts.values()].every((count) => count === 1)).toBe(true);
    expect(Math.max(...tries)).toBeLessThanOrEqual(TRIES_MOST);
    if (way !== 'neither') expect(duplicates).toBe(0);

    async function deliver(id: number): Promise<void> {
      for (let attempt = 1; ; attempt++) {
        const message = messageFor(id, { attempt });
        const result = await sms.send(message);
        if (result.outcome === 'handed off' || attempt === TRIES_MOST) return void tries.push(attempt);
        expect(result).toEqual({ outcome: 'unknown', reason: 'connection' });
        if (way === 'callbacks') {
          await vi.waitFor(() => expect(statuses(`${id}.${attempt}`)).toContain('delivered'), 10_000);
          adopted.callbacks += 1;
          return void tries.push(attempt);
        }
        const found =
          way === 'the list' ? await sms.find?.({ ...message, earlierAt: Date.now() }, attempt) : null;
        if (found) {
          adopted.list += 1;
          return void tries.push(attempt);
        }
      }
    }
  });
});
