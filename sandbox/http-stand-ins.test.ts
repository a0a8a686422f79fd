/** Our senders by HTTP against their stand-ins: what the far side takes, what it refuses, and what it pushes back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createChatRobot, type ChatRobotShape } from '../channels/chat-robot.ts';
import { createLoudspeaker } from '../channels/loudspeaker.ts';
import { createNtfy } from '../channels/ntfy.ts';
import { createSmsGatewayChannel } from '../channels/sms-gateway.ts';
import { createVoiceGateway } from '../channels/voice-gateway.ts';
import type { SenderPort } from '../domain/ports.ts';
import { waitUntil } from '../runtime/processes.ts';
import type { FaultPlan } from './faults.ts';
import { ledgerMessages, readLedger, type LedgerMessage } from './ledger.ts';
import { gatewaySignature } from './reply-push.ts';
import { startSandbox, type Sandbox } from './sandbox.ts';
import { outgoing, smsParameters, startWebStandIn, type WebStandIn } from './testing.ts';

const SECRETS = { voice: 'voice', loudspeaker: 'horns', robot: 'SECrobot', ntfyToken: 'tk_1' };
const GATEWAY_SECRET = 'a secret of the gateway';

let directory: string;
let web: WebStandIn;
let sandbox: Sandbox;
const senders: SenderPort[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fenghuo-http-'));
  web = await startWebStandIn();
});

afterEach(async () => {
  await Promise.all(senders.splice(0).map((sender) => sender.close()));
  await sandbox.stop();
  await web.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function start(answersShare: number, faults: FaultPlan = {}): Promise<string> {
  sandbox = await startSandbox({
    directory,
    repliesUrl: `${web.url}/replies`,
    secret: GATEWAY_SECRET,
    seed: '1',
    http: { port: 0, secrets: SECRETS },
    faults,
    model: {
      neverAnswersShare: 0,
      cannotActShare: 0,
      wokenShare: { voice: answersShare, sms: answersShare },
    },
    log: () => undefined,
  });
  return sandbox.httpUrl ?? '';
}

function open(sender: SenderPort): SenderPort {
  senders.push(sender);
  return sender;
}

const ROBOT_PATHS: Record<ChatRobotShape, string> = {
  dingtalk: '/robot/send?access_token=t',
  wecom: '/cgi-bin/webhook/send?key=SECrobot',
  feishu: '/open-apis/bot/v2/hook/h-1',
};

const robotOf = (url: string, shape: ChatRobotShape, secret = SECRETS.robot) =>
  createChatRobot({ shape, url: `${url}${ROBOT_PATHS[shape]}`, secret, live: false });

async function ledger(): Promise<LedgerMessage[]> {
  const messages: LedgerMessage[] = [];
  for await (const message of ledgerMessages(directory)) if (message) messages.push(message);
  return messages;
}

/** What was pushed to a path of ours; fails where a push is not signed by `secret`. */
function pushedTo(path: string, secret: string): Record<string, unknown>[] {
  return web.others
    .filter((push) => push.path === path)
    .flatMap(({ headers, body }) => {
      const timestamp = String(headers['x-gateway-timestamp']);
      const { 'x-gateway-signature': signature } = gatewaySignature(secret, timestamp, body);
      expect(headers['x-gateway-signature']).toBe(signature);
      return JSON.parse(body) as Record<string, unknown>[];
    });
}

describe('each stand-in takes what our sender makes of a message', () => {
  const CASES: readonly [
    name: string,
    channel: string,
    address: string,
    make: (url: string) => SenderPort,
  ][] = [
    [
      'voice',
      'voice',
      '+8610020000001',
      (url) => createVoiceGateway({ url, secret: SECRETS.voice, live: false }),
    ],
    [
      'horns',
      'loudspeaker',
      'horn-7',
      (url) => createLoudspeaker({ url, secret: SECRETS.loudspeaker, live: false }),
    ],
    ['ntfy', 'push', 'topic_1', (url) => createNtfy({ url, token: SECRETS.ntfyToken, live: false })],
    ['dingtalk', 'chat', '+8610020000001', (url) => robotOf(url, 'dingtalk')],
    ['wecom', 'chat', '+8610020000001', (url) => robotOf(url, 'wecom')],
    ['feishu', 'chat', 'ou_1', (url) => robotOf(url, 'feishu')],
  ];
  test.each(CASES)('%s', async (_name, channel, address, make) => {
    const sender = open(make(await start(0)));
    const message = outgoing({
      deliveryId: '42',
      attempt: 2,
      address,
      text: '转移',
      parameters: { text: '转移' },
    });
    expect(await sender.send(message)).toMatchObject({ outcome: 'handed off' });
    expect(await ledger()).toMatchObject([
      {
        channel,
        reference: '42.2',
        deliveryId: '42',
        attempt: 2,
        warningId: '7',
        step: 'rung 0',
        speed: 100_000,
      },
    ]);
    expect((await ledger())[0]?.address).toBe(channel === 'chat' ? address.replace('+86', '') : address);
  });

  const STRANGERS: readonly [name: string, make: (url: string) => SenderPort][] = [
    ['voice', (url) => createVoiceGateway({ url, secret: 'another', live: false })],
    ['horns', (url) => createLoudspeaker({ url, secret: 'another', live: false })],
    ['ntfy', (url) => createNtfy({ url, live: false })],
    ['dingtalk', (url) => robotOf(url, 'dingtalk', 'another')],
    ['feishu', (url) => robotOf(url, 'feishu', 'another')],
  ];
  test.each(STRANGERS)('%s refuses what is signed by somebody else', async (_name, make) => {
    const sender = open(make(await start(0)));
    expect(await sender.send(outgoing({ deliveryId: '42' }))).toEqual({ outcome: 'later', reason: 'config' });
    expect(await ledger()).toEqual([]);
  });
});

describe('a call', () => {
  const call = (url: string) => open(createVoiceGateway({ url, secret: SECRETS.voice, live: false }));
  const message = outgoing({ deliveryId: '42', address: '+8610020000001', parameters: { text: '转移' } });

  test('that is taken brings a receipt and the key that was pressed, which stands in the ledger', async () => {
    const result = await call(await start(1)).send(message);
    const [key] = await waitUntil(
      () => pushedTo('/keys', SECRETS.voice).length > 0 && pushedTo('/keys', SECRETS.voice),
      {
        deadlineMs: 10_000,
        what: 'a key',
      },
    );
    expect(key).toMatchObject({
      callId: result.outcome === 'handed off' ? result.providerId : '',
      reference: '42.1',
      step: 1,
      key: '1',
    });
    await waitUntil(() => pushedTo('/receipts', SECRETS.voice).length > 0, {
      deadlineMs: 10_000,
      what: 'a receipt',
    });
    expect(pushedTo('/receipts', SECRETS.voice)).toMatchObject([
      { reference: '42.1', state: 'delivered', sender: 'voice-gateway' },
    ]);
    const acts = await waitUntil(
      async () => {
        const { acts } = await readLedger(directory);
        return acts[0]?.status === 200 && acts;
      },
      { deadlineMs: 10_000, what: 'the act' },
    );
    expect(acts).toMatchObject([{ via: 'voice', kind: 'received', deliveryId: '42' }]);
  });

  test('that nobody takes brings a receipt that says so, and no key', async () => {
    await call(await start(0)).send(message);
    await waitUntil(() => pushedTo('/receipts', SECRETS.voice).length > 0, {
      deadlineMs: 10_000,
      what: 'a receipt',
    });
    const [receipt] = pushedTo('/receipts', SECRETS.voice);
    expect(receipt).toMatchObject({ reference: '42.1', state: 'failed', sender: 'voice-gateway' });
    expect(receipt?.['code']).toMatch(/^(2|5|10)$/);
    expect(pushedTo('/keys', SECRETS.voice)).toEqual([]);
  });
});

describe('receipts of SMS', () => {
  const sms = () =>
    open(createSmsGatewayChannel({ url: sandbox.gatewayUrl, secret: GATEWAY_SECRET, live: false }));
  const message = outgoing({ deliveryId: '42', address: '+8610020000001', parameters: smsParameters() });

  test.each([
    [{ lateMs: 0 }, 'delivered', 'DELIVRD'],
    [{ lateMs: 5, undeliveredShare: 1, code: 'MK:0001' }, 'undelivered', 'MK:0001'],
  ])('by the fault plan %j', async (receipts, state, code) => {
    await start(0, { sms: { receipts } });
    await sms().send(message);
    await waitUntil(() => web.others.length > 0, { deadlineMs: 10_000, what: 'a receipt' });
    expect(pushedTo('/receipts', GATEWAY_SECRET)).toMatchObject([
      { reference: '42.1', state, code, sender: 'sms-gateway' },
    ]);
  });

  test('do not come unless they are asked for', async () => {
    await start(1);
    await sms().send(message);
    await waitUntil(() => web.taken().size > 0, { deadlineMs: 10_000, what: 'the reply' });
    expect(web.others).toEqual([]);
  });
});

test('a call is found by its reference where the gateway lists its calls', async () => {
  const url = await start(0);
  const options = { url, secret: SECRETS.voice, live: false };
  const voice = open(createVoiceGateway({ ...options, listPath: '/voice/calls' }));
  const message = outgoing({ deliveryId: '7', address: '+8610020000001' });
  expect(await voice.find?.(message, 1)).toBeNull();
  const result = await voice.send(message);
  expect(result).toMatchObject({ outcome: 'handed off' });
  expect(await voice.find?.(message, 1)).toEqual({
    providerId: result.outcome === 'handed off' ? result.providerId : '',
  });
  expect(await voice.find?.(message, 2)).toBeNull();
  expect(open(createVoiceGateway(options))).not.toHaveProperty('find');
  const elsewhere = open(createVoiceGateway({ ...options, listPath: '/nowhere' }));
  expect(await elsewhere.find?.(message, 1)).toBe('unknown');
});

describe('recall', () => {
  const sent = (deliveryId: number, providerId: string) => ({ deliveryId, attempt: 1, providerId });
  const idOf = async (sender: SenderPort, deliveryId: number) => {
    const result = await sender.send(
      outgoing({ deliveryId: String(deliveryId), address: '+861391000' + deliveryId }),
    );
    return result.outcome === 'handed off' ? result.providerId : '';
  };

  test('a call that rings ends, one that was taken does not, and who signs wrongly gets no word', async () => {
    const url = await start(0);
    const options = { url, secret: SECRETS.voice, live: false, recallPath: '/voice/recall' };
    const voice = open(createVoiceGateway(options));
    const callId = await idOf(voice, 1);
    expect(await voice.recall?.(sent(1, callId))).toBe('recalled');
    expect((await readLedger(directory)).recalled).toEqual(new Set(['1.1']));
    expect(await voice.recall?.(sent(1, 'voice-of-nobody'))).toBe('too late');
    const forged = open(createVoiceGateway({ ...options, secret: 'another' }));
    expect(await forged.recall?.(sent(1, callId))).toBe('unknown');
  });

  test('an SMS waits in the queue until it is taken back or goes out', async () => {
    await start(0, { sms: { queuedMs: 600_000 } });
    const options = { url: sandbox.gatewayUrl, secret: GATEWAY_SECRET, live: false };
    const gateway = open(createSmsGatewayChannel({ ...options, recallPath: '/sms/recall' }));
    const waiting = await idOf(gateway, 1);
    sandbox.setFaults({});
    const gone = await idOf(gateway, 2);
    expect(await gateway.recall?.(sent(1, waiting))).toBe('recalled');
    expect(await gateway.recall?.(sent(1, waiting))).toBe('too late');
    expect(await gateway.recall?.(sent(2, gone))).toBe('too late');
    expect(open(createSmsGatewayChannel(options))).not.toHaveProperty('recall');
  });
});
