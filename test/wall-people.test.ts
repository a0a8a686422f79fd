/**
 * The channels of a drill that real people agreed to, with every mixture of warning and person: an Exercise to somebody real leaves by the
 * account of drills, an Exercise to somebody made up by the stand-ins, and nothing else leaves at all.
 */
import { createServer, type AddressInfo, type Server } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSmsBack } from '../channels/sms-back.ts';
import { configuredSenders, readConfig, SENDER_ADDRESSES } from '../config.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { KINDS, type WarningKind } from '../domain/kinds.ts';
import type { OutgoingMessage } from '../domain/ports.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';
import { createChannels } from '../worker/channels.ts';

const ADDRESSES: Record<Channel, string> = {
  sms: '+12025550101',
  voice: '+12025550101',
  email: 'p1@people.example',
  loudspeaker: 'device-1',
  chat: '+12025550101',
  push: 'topic-1',
};

type Mixture = { kind: WarningKind; synthetic: boolean; told: boolean };

const mixtures = fc.record<Mixture>({
  kind: fc.constantFrom(...KINDS),
  synthetic: fc.boolean(),
  /** It tells of a step and a speed. */
  told: fc.boolean(),
});

/** A far side that notes whoever as much as connects. */
type FarSide = { server: Server; port: number; connections: number };

let standIns: FarSide;
let account: FarSide;
let database: Database;
let created: ReturnType<typeof createChannels>;

beforeAll(async () => {
  standIns = await farSide();
  account = await farSide();
  database = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/nowhere', schema: 'nowhere' });
  const bound = (side: FarSide, channels: 'sandbox' | 'drill') => {
    const config = readConfig(environment(side.port, channels));
    expect(configuredSenders(config)).toHaveLength(8);
    return { ...config, serves: 'exercise' as const };
  };
  created = createChannels(bound(standIns, 'sandbox'), database, () => undefined, bound(account, 'drill'));
});
afterAll(async () => {
  await created.close();
  await database.close();
  for (const { server } of [standIns, account])
    await new Promise<void>((resolve) => server.close(() => resolve()));
});

describe('through the channels of a drill', () => {
  it.each(CHANNELS)('%s', async (channel) => {
    const port = created.channels.find((one) => one.channel === channel);
    if (!port) throw new RangeError(`no ${channel}`);
    const left = new Set<string>();
    await fc.assert(
      fc.asyncProperty(mixtures, async (mixture) => {
        const before = [account.connections, standIns.connections];
        await port.send(messageOf(channel, mixture));
        const [byAccount, byStandIns] = [
          account.connections > (before[0] ?? 0),
          standIns.connections > (before[1] ?? 0),
        ];
        const exercise = mixture.kind === 'exercise';
        if (byAccount) expect(mixture).toMatchObject({ kind: 'exercise', synthetic: false });
        if (byStandIns) expect(mixture).toMatchObject({ kind: 'exercise', synthetic: true });
        if (exercise && (byAccount || byStandIns)) left.add(byAccount ? 'account' : 'stand-ins');
      }),
      { numRuns: 60 },
    );
    // What may leave does: a wall that stops everything proves nothing.
    expect([...left].sort()).toEqual(['account', 'stand-ins']);
  });
});

it('what is said back by the account of drills is of no actual warning', async () => {
  const url = `http://127.0.0.1:${account.port}`;
  const back = createSmsBack({ url, secret: 'a secret of the tests', live: 'agreed' });
  for (const [kind, leaves] of [
    ['actual', false],
    ['exercise', true],
    [null, true],
  ] as const) {
    const before = account.connections;
    back.say({ to: ADDRESSES.sms, text: '收到', kind, replyId: `back-${kind}` });
    if (leaves) await expect.poll(() => account.connections).toBeGreaterThan(before);
    else expect(account.connections).toBe(before);
  }
  await back.close();
});

async function farSide(): Promise<FarSide> {
  const side: FarSide = {
    port: 0,
    connections: 0,
    server: createServer((socket) => {
      side.connections += 1;
      socket.on('error', () => undefined);
      socket.destroy();
    }),
  };
  await new Promise<void>((resolve) => side.server.listen(0, '127.0.0.1', resolve));
  side.port = (side.server.address() as AddressInfo).port;
  return side;
}

function environment(port: number, channels: 'sandbox' | 'drill'): Record<string, string> {
  const secret = 'a secret of the tests';
  return {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere',
    FENGHUO_SECRET: 'a secret of the tests, of no use elsewhere',
    FENGHUO_CHANNELS: channels,
    ...Object.fromEntries(SENDER_ADDRESSES.map((name) => [name, `http://127.0.0.1:${port}`])),
    FENGHUO_SMTP_URL: `smtp://127.0.0.1:${port}`,
    FENGHUO_GATEWAY_SECRET: secret,
    FENGHUO_VOICE_GATEWAY_SECRET: secret,
    FENGHUO_LOUDSPEAKER_SECRET: secret,
    FENGHUO_CHAT_ROBOT_SECRET: secret,
    FENGHUO_NTFY_TOKEN: secret,
    FENGHUO_TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    FENGHUO_TWILIO_AUTH_TOKEN: secret,
    FENGHUO_TWILIO_FROM: '+15005550006',
  };
}

function messageOf(channel: Channel, { kind, synthetic, told }: Mixture): OutgoingMessage {
  return {
    ...{ deliveryId: '1024', attempt: 1, warningId: '1', level: 'red', language: 'zh' },
    ...{ kind, synthetic, address: ADDRESSES[channel] },
    ...{ subject: '暴雨', text: '暴雨红色预警', parameters: { text: '暴雨红色预警', number: '1234' } },
    exercise: told ? { step: 'rung 0', speed: 1 } : null,
  };
}
