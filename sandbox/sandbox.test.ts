import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createEmailChannel } from '../channels/email.ts';
import { createSmsGatewayChannel } from '../channels/sms-gateway.ts';
import type { ChannelPort, OutgoingMessage } from '../domain/ports.ts';
import { parseReply } from '../domain/reply.ts';
import type { Channel } from '../domain/rules.ts';
import type { FaultPlan } from './faults.ts';
import { ledgerMessages, readLedger, type LedgerMessage } from './ledger.ts';
import type { PeopleModel } from './people.ts';
import { startSandbox, type Sandbox, type SandboxOptions } from './sandbox.ts';
import { mailText, outgoing, smsParameters, startWebStandIn, type WebStandIn } from './testing.ts';

const SECRET = 'a secret of the gateway';

/** Everyone answers, and nobody cannot act. */
const EAGER: PeopleModel = {
  neverAnswersShare: 0,
  cannotActShare: 0,
  wokenShare: { sms: 1, email: 1 },
  householdAnswersShare: 1,
  medianDelayMinutes: 1,
  delaySigma: 0.5,
  delayMinutesMost: 5,
};

const SILENT: Partial<PeopleModel> = { wokenShare: { sms: 0, email: 0 }, householdAnswersShare: 0 };

let directory: string;
let web: WebStandIn;
let running: { stop(): Promise<void> }[];

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'fenghuo-sandbox-'));
  web = await startWebStandIn();
  running = [web];
});

afterEach(async () => {
  await Promise.all(running.map((part) => part.stop()));
  rmSync(directory, { recursive: true });
});

async function start(change: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({
    directory,
    repliesUrl: `${web.url}/replies`,
    secret: SECRET,
    seed: 'seed',
    log: () => {},
    model: SILENT,
    ...change,
  });
  running.push(sandbox);
  return sandbox;
}

function channelsTo(
  { smtpUrl, gatewayUrl }: Pick<Sandbox, 'smtpUrl' | 'gatewayUrl'>,
  messageTimeoutMs = 10_000,
) {
  const email = createEmailChannel({
    url: smtpUrl,
    from: 'w@fenghuo.example',
    live: false,
    messageTimeoutMs,
  });
  const sms = createSmsGatewayChannel({ url: gatewayUrl, secret: SECRET, live: false, messageTimeoutMs });
  running.unshift({ stop: async () => void (await Promise.all([email.close(), sms.close()])) });
  return { email, sms };
}

function messageFor(channel: Channel, deliveryId: string, change: Partial<OutgoingMessage> = {}) {
  return channel === 'email'
    ? outgoing({ deliveryId, text: mailText(web.url, deliveryId), ...change })
    : outgoing({ deliveryId, address: `+86100${deliveryId}`, parameters: smsParameters(), ...change });
}

async function sendMany(port: ChannelPort, count: number): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>();
  const ids = Array.from({ length: count }, (_, index) => String(index));
  await Promise.all(
    ids.map(async (id) => {
      const result = await port.send(messageFor(port.channel, id));
      outcomes.set(`${id}.1`, 'reason' in result ? `${result.outcome} ${result.reason}` : result.outcome);
    }),
  );
  return outcomes;
}

async function recorded(): Promise<(LedgerMessage | null)[]> {
  const messages = [];
  for await (const message of ledgerMessages(directory)) messages.push(message);
  return messages;
}

const BOTH = ['email', 'sms'] as const;

describe.each(BOTH)('%s', (name) => {
  test('is recorded before the sender hears of it, with all that the message told', async () => {
    const { [name]: port } = channelsTo(await start());
    const message = messageFor(name, '42', { attempt: 3 });
    expect(await port.send(message)).toMatchObject({ outcome: 'handed off' });
    const messages = await recorded();
    expect(messages).toEqual([
      {
        channel: name,
        reference: '42.3',
        deliveryId: '42',
        attempt: 3,
        warningId: '7',
        address: message.address,
        messageId: expect.stringMatching(/./) as string,
        at: expect.stringMatching(/Z$/) as string,
        bytes: expect.any(Number) as number,
        step: 'rung 0',
        speed: 100_000,
        fault: null,
      },
    ]);
  });

  test('that comes twice is recorded twice', async () => {
    const { [name]: port } = channelsTo(await start());
    await port.send(messageFor(name, '42'));
    await port.send(messageFor(name, '42'));
    expect((await readLedger(directory)).attempts).toEqual(new Map([['42.1', 2]]));
  });

  test('whose answer is lost is recorded once and unknown to the sender; the others are handed off', async () => {
    const faults: FaultPlan = { [name]: { answerLostShare: 0.2 } };
    const sandbox = await start({ faults });
    const { [name]: port } = channelsTo(sandbox);
    const outcomes = await sendMany(port, 300);
    const { attempts } = await readLedger(directory);
    const lost = [...outcomes].filter(([, outcome]) => outcome === 'unknown connection');
    expect(lost.length).toBeGreaterThan(30);
    expect(lost.length).toBeLessThan(90);
    expect(sandbox.stats().faultsHit).toEqual({ [`${name} answer lost`]: lost.length });
    expect([...outcomes.values()].filter((outcome) => outcome === 'handed off')).toHaveLength(
      300 - lost.length,
    );
    expect(attempts.size).toBe(300);
    expect([...attempts.values()].every((count) => count === 1)).toBe(true);
  });

  test('to an address that does not exist is refused each time, and not recorded', async () => {
    const faults: FaultPlan = { email: { badAddressShare: 1 }, sms: { badNumberShare: 1 } };
    const { [name]: port } = channelsTo(await start({ faults }));
    expect(await port.send(messageFor(name, '1'))).toEqual({ outcome: 'failed', reason: 'bad-contact' });
    expect(await port.send(messageFor(name, '1', { attempt: 2 }))).toEqual({
      outcome: 'failed',
      reason: 'bad-contact',
    });
    expect((await readLedger(directory)).attempts.size).toBe(0);
  });
});

describe('faults', () => {
  const TABLE: readonly [name: 'email' | 'sms', faults: FaultPlan, outcome: string, recorded: number][] = [
    ['email', { email: { replies: [{ share: 1, code: 421, text: '4.3.2 busy' }] } }, 'later server-busy', 0],
    ['email', { email: { replies: [{ share: 1, code: 450, text: '4.2.0 later' }] } }, 'later greylisted', 0],
    [
      'email',
      { email: { replies: [{ share: 1, code: 550, text: '5.1.1 nobody' }] } },
      'failed bad-contact',
      0,
    ],
    ['email', { email: { replies: [{ share: 1, code: 552, text: '5.2.2 full' }] } }, 'later mailbox-full', 0],
    ['email', { email: { replies: [{ share: 1, code: 535, text: '5.7.8 no' }] } }, 'later config', 0],
    ['email', { email: { tarpit: { share: 1, delayMs: 60_000 } } }, 'unknown timeout', 1],
    ['email', { email: { tarpit: { share: 1, delayMs: 1 } } }, 'handed off', 1],
    ['sms', { sms: { throttledShare: 1 } }, 'later throttled', 0],
    ['sms', { sms: { serverErrorShare: 1 } }, 'unknown server-error', 0],
    ['sms', { sms: { filteredShare: 1 } }, 'failed filtered', 0],
    ['sms', { sms: { hangShare: 1 } }, 'unknown timeout', 0],
  ];
  test.each(TABLE)('%s %j: %s', async (name, faults, outcome, recorded) => {
    const patient = !outcome.endsWith('timeout');
    const { [name]: port } = channelsTo(await start({ faults }), patient ? 10_000 : 500);
    expect([...(await sendMany(port, 1)).values()]).toEqual([outcome]);
    expect((await readLedger(directory)).attempts.size).toBe(recorded);
  });

  test('are changed while everything runs', async () => {
    const sandbox = await start();
    const { sms } = channelsTo(sandbox);
    const put = (body: string) => request(`${sandbox.gatewayUrl}/faults`, { method: 'PUT', body });
    expect((await put('{"sms":{"throttledShare":1}}')).statusCode).toBe(200);
    expect(await sms.send(messageFor('sms', '1'))).toMatchObject({ outcome: 'later' });
    expect((await put('{"sms":{"throttledShare":7}}')).statusCode).toBe(400);
    expect((await put('nonsense')).statusCode).toBe(400);
    expect(await sms.send(messageFor('sms', '2'))).toMatchObject({ outcome: 'later' });
    sandbox.setFaults({});
    expect(await sms.send(messageFor('sms', '3'))).toMatchObject({ outcome: 'handed off' });
  });
});

describe('the gateway', () => {
  test('tells what it took under a reference', async () => {
    const sandbox = await start({ faults: { sms: { answerLostShare: 1 } } });
    await channelsTo(sandbox).sms.send(messageFor('sms', '42'));
    const ask = async (reference: string) => {
      const answer = await request(`${sandbox.gatewayUrl}/sms/messages?reference=${reference}`);
      return (await answer.body.json()) as { messages: unknown[] };
    };
    const [message] = await recorded();
    expect(await ask('42.1')).toEqual({ messages: [{ messageId: message?.messageId, reference: '42.1' }] });
    expect(await ask('42.2')).toEqual({ messages: [] });
  });

  test('refuses what is not signed, or is no message', async () => {
    const sandbox = await start();
    const stranger = createSmsGatewayChannel({ url: sandbox.gatewayUrl, secret: 'another', live: false });
    running.unshift({ stop: () => stranger.close() });
    expect(await stranger.send(messageFor('sms', '1'))).toEqual({ outcome: 'later', reason: 'config' });
    const unsigned = await request(`${sandbox.gatewayUrl}/sms/send`, { method: 'POST', body: '{}' });
    expect(unsigned.statusCode).toBe(401);
    const headers = {
      'x-gateway-timestamp': '1',
      'x-gateway-signature': createHmac('sha256', SECRET).update('1.[]').digest('hex'),
    };
    const empty = await request(`${sandbox.gatewayUrl}/sms/send`, { method: 'POST', headers, body: '[]' });
    expect(empty.statusCode).toBe(400);
    expect((await readLedger(directory)).messages.sms).toBe(0);
  });

  test('counts what arrived, for each warning', async () => {
    const sandbox = await start();
    const { email, sms } = channelsTo(sandbox);
    await sms.send(messageFor('sms', '1'));
    await email.send(messageFor('email', '2'));
    await email.send(messageFor('email', '3', { warningId: '8' }));
    const ask = async (query: string) => {
      const answer = await request(`${sandbox.gatewayUrl}/ledger/stats${query}`);
      return answer.body.json();
    };
    expect(await ask('?warning=7')).toMatchObject({ warning: '7', messages: { sms: 1, email: 1 }, acts: 0 });
    expect(await ask('?warning=9')).toMatchObject({ messages: { sms: 0, email: 0 } });
    expect(await ask('')).toMatchObject({ warning: null, messages: { sms: 1, email: 2 } });
    expect(sandbox.stats('8')).toMatchObject({ messages: { sms: 0, email: 1 } });
  });
});

describe('people', () => {
  const acted = async (count: number) => {
    await vi.waitFor(async () => {
      const { acts } = await readLedger(directory);
      expect(acts.filter(({ status }) => status === 200)).toHaveLength(count);
    }, 10_000);
  };

  test('answer an SMS by a signed push that the reply grammar reads', async () => {
    const { sms } = channelsTo(await start({ model: EAGER }));
    await sms.send(messageFor('sms', '1'));
    await acted(1);
    const [push] = web.pushes;
    const timestamp = String(push?.headers['x-gateway-timestamp']);
    expect(push?.headers['x-gateway-signature']).toBe(
      createHmac('sha256', SECRET).update(`${timestamp}.${push?.body}`).digest('hex'),
    );
    const [reply] = push?.replies ?? [];
    expect(reply).toMatchObject({ from: '+861001', text: '1 4821' });
    expect(parseReply(reply?.text ?? '')).toEqual({ answer: 'received', count: null, code: '4821' });
  });

  test('answer a mail by opening its link and sending the form with the number', async () => {
    const { email } = channelsTo(await start({ model: EAGER }));
    await email.send(messageFor('email', '1'));
    await acted(1);
    const path = '/a/1.abcdefghijklmnop';
    expect(web.visits).toEqual([
      { method: 'GET', path, form: {} },
      { method: 'POST', path, form: { number: '4821', answer: 'received' } },
    ]);
  });

  test.each(BOTH)('say by %s that they cannot act, where the model says so', async (name) => {
    const { [name]: port } = channelsTo(await start({ model: { ...EAGER, cannotActShare: 1 } }));
    await port.send(messageFor(name, '1'));
    await acted(1);
    if (name === 'sms') expect(web.pushes[0]?.replies[0]?.text).toBe('3 4821');
    else expect(web.visits.at(-1)?.form).toEqual({ number: '4821', answer: 'cannot' });
    expect((await readLedger(directory)).acts[0]?.kind).toBe('cannot act');
  });

  test('answer one warning once, also after the sandbox was started again', async () => {
    const first = await start({ model: EAGER });
    const before = channelsTo(first);
    await before.sms.send(messageFor('sms', '1'));
    await acted(1);
    await before.sms.send(messageFor('sms', '1', { attempt: 2 }));
    await before.sms.send(messageFor('sms', '1', { warningId: '8' }));
    await acted(2);
    await first.stop();
    const second = await start({ model: EAGER });
    const after = channelsTo(second);
    await after.sms.send(messageFor('sms', '1', { attempt: 3 }));
    await after.sms.send(messageFor('sms', '1', { warningId: '9' }));
    await acted(3);
    expect(second.stats().people).toEqual({ toCome: 0, onTheirWay: 0 });
    expect(second.stats()).toMatchObject({ messages: { sms: 5 }, acts: 3 });
    expect((await readLedger(directory)).acts.map(({ warningId }) => warningId)).toEqual(['7', '8', '9']);
  });

  test('who found nobody there are heard when the web process is back', async () => {
    web.status = 503;
    const { email, sms } = channelsTo(await start({ model: EAGER }));
    await Promise.all([sendMany(sms, 50), sendMany(email, 10)]);
    await vi.waitFor(() => {
      expect(web.pushes.length).toBeGreaterThan(1);
      expect(web.visits.length).toBeGreaterThan(1);
    }, 10_000);
    const { port } = new URL(web.url);
    await web.stop();
    web = await startWebStandIn(Number(port));
    running.push(web);
    await acted(60);
    expect(web.taken().size).toBe(50);
    expect(web.visits.filter(({ method }) => method === 'POST')).toHaveLength(10);
  });

  test('whom the page refuses do not try again', async () => {
    web.status = 410;
    const { email } = channelsTo(await start({ model: EAGER }));
    await email.send(messageFor('email', '1'));
    await vi.waitFor(async () => expect((await readLedger(directory)).acts[0]?.status).toBe(410), 10_000);
    expect(web.visits).toHaveLength(1);
  });

  test('have no answer to a message that asks for none', async () => {
    const sandbox = await start({ model: EAGER });
    const { email, sms } = channelsTo(sandbox);
    await email.send(messageFor('email', '1', { text: '解除暴雨红色预警信号' }));
    await sms.send(messageFor('sms', '2', { parameters: { text: '解除暴雨红色预警信号' } }));
    expect(sandbox.stats()).toMatchObject({
      messages: { sms: 1, email: 1 },
      people: { toCome: 0, onTheirWay: 0 },
    });
  });

  test('who have not answered yet are forgotten when the sandbox stops, also while nobody takes their answers', async () => {
    web.status = 503;
    const sandbox = await start({ model: EAGER });
    const { sms, email } = channelsTo(sandbox);
    const slow = { exercise: { step: 'rung 0', speed: 1 } };
    await sms.send(messageFor('sms', '1', slow));
    await sms.send(messageFor('sms', '2'));
    await email.send(messageFor('email', '3'));
    await vi.waitFor(() => expect(sandbox.stats().people).toEqual({ toCome: 1, onTheirWay: 2 }), 10_000);
    await sandbox.stop();
    expect(sandbox.stats().people).toEqual({ toCome: 0, onTheirWay: 0 });
    expect((await readLedger(directory)).acts.map(({ status }) => status)).toEqual([null, null]);
  });
});

describe('a sandbox', () => {
  test('whose port is taken says so and leaves nothing running', async () => {
    const first = await start();
    const smtpPort = Number(new URL(first.smtpUrl).port);
    await expect(start({ directory: path.join(directory, 'other'), smtpPort })).rejects.toThrow('EADDRINUSE');
    const { email } = channelsTo(first);
    expect(await email.send(messageFor('email', '1'))).toMatchObject({ outcome: 'handed off' });
  });

  test('that is killed has recorded everything that a sender heard of', { timeout: 60_000 }, async () => {
    const child = await startChild();
    const { email, sms } = channelsTo(child.urls, 5_000);
    const heard: string[] = [];
    const sendOn = async (port: ChannelPort, loop: number) => {
      for (let index = 0; !child.ended(); index++) {
        const deliveryId = `${loop}-${index}`;
        const { outcome } = await port.send(messageFor(port.channel, deliveryId));
        if (outcome === 'handed off') heard.push(`${deliveryId}.1`);
        if (heard.length >= 500) child.kill();
      }
    };
    await Promise.all([email, email, email, sms, sms, sms].map(sendOn));
    expect(heard.length).toBeGreaterThanOrEqual(500);
    const { attempts, tornLines } = await readLedger(directory);
    expect(heard.filter((reference) => !attempts.has(reference))).toEqual([]);
    expect(tornLines).toBeLessThanOrEqual(1);
  });
});

/** A sandbox in a process of its own. */
async function startChild() {
  const options = { directory, repliesUrl: web.url, secret: SECRET, seed: 'seed', model: SILENT };
  const script = `
    import { startSandbox } from ${JSON.stringify(new URL('sandbox.ts', import.meta.url).href)};
    const { smtpUrl, gatewayUrl } = await startSandbox({ ...${JSON.stringify(options)}, log: () => {} });
    process.stdout.write(JSON.stringify({ smtpUrl, gatewayUrl }));`;
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push({ stop: async () => void child.kill('SIGKILL') });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    urls: JSON.parse(line.toString()) as Pick<Sandbox, 'smtpUrl' | 'gatewayUrl'>,
    ended: () => child.exitCode !== null || child.signalCode !== null,
    kill: () => void child.kill('SIGKILL'),
  };
}
