/**
 * Every way to a channel's send, with every mixture of warning, person and side: only an Exercise at a stand-in, and an actual warning to
 * somebody who is not made up at a live sender, ever leave. The far side is a server that notes whoever as much as connects.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendPage } from '../activities/send-page.ts';
import { createSmsBack } from '../channels/sms-back.ts';
import { configuredSenders, readConfig } from '../config.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { KINDS, type WarningKind } from '../domain/kinds.ts';
import type { ChannelPort, OutgoingMessage } from '../domain/ports.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';
import type { ClaimedSlice, SettledSlice } from '../domain/store.ts';
import { createChannels } from '../worker/channels.ts';
import { TEST_KEYS } from './harness/local-cascade.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const REFUSALS = ['synthetic-recipient', 'exercise-on-live-channel', 'actual-on-a-stand-in'];
const ADDRESSES: Record<Channel, string> = {
  sms: '+12025550101',
  voice: '+12025550101',
  email: 'p1@people.example',
  loudspeaker: 'device-1',
  chat: '+12025550101',
  push: 'topic-1',
};

type Mixture = { kind: WarningKind; synthetic: boolean; drill: boolean };

const mixtures = fc.record<Mixture>({
  kind: fc.constantFrom(...KINDS),
  synthetic: fc.boolean(),
  /** It tells of a drill's step and speed. */
  drill: fc.boolean(),
});

/** The rule, said once more and by itself. */
function mayLeave({ kind, synthetic, drill }: Mixture, side: WarningKind): boolean {
  return side === 'exercise' ? kind === 'exercise' : kind === 'actual' && !synthetic && !drill;
}

let farSide: Server;
let connections = 0;
let database: Database;
const sides = {} as Record<WarningKind, ReturnType<typeof createChannels>>;

beforeAll(async () => {
  farSide = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    socket.destroy();
  });
  await new Promise<void>((resolve) => farSide.listen(0, '127.0.0.1', resolve));
  const { port } = farSide.address() as AddressInfo;
  // Rates and circuits are PostgreSQL's; this is about none of them.
  database = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/nowhere', schema: 'nowhere' });
  for (const serves of KINDS) {
    const config = readConfig(environment(port, serves));
    expect(configuredSenders(config)).toHaveLength(8);
    sides[serves] = createChannels({ ...config, serves }, database, () => undefined);
  }
});
afterAll(async () => {
  await Promise.all(KINDS.map((kind) => sides[kind].close()));
  await database.close();
  await new Promise<void>((resolve) => farSide.close(() => resolve()));
});

describe('through the channels of a worker', () => {
  it.each(KINDS.flatMap((side) => CHANNELS.map((channel) => [channel, side] as const)))(
    '%s, serving %s warnings',
    async (channel, side) => {
      const port = sides[side].channels.find((one) => one.channel === channel);
      if (!port) throw new RangeError(`no ${channel}`);
      let left = 0;
      await fc.assert(
        fc.asyncProperty(mixtures, async (mixture) => {
          const before = connections;
          const result = await port.send(messageOf(channel, mixture));
          const refused = 'reason' in result && REFUSALS.includes(result.reason);
          if (connections > before) left += 1;
          expect(refused).toBe(!mayLeave(mixture, side));
          if (refused) expect(connections).toBe(before);
        }),
        { numRuns: 60 },
      );
      // What may leave does: a wall that stops everything proves nothing.
      expect(left).toBeGreaterThan(0);
    },
  );
});

describe('through a page', () => {
  it('whatever its worker serves, and whichever side its channel is wired to', async () => {
    const left = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        mixtures,
        fc.constantFrom(...KINDS),
        fc.constantFrom(...KINDS),
        async (mixture, serves, side) => {
          const sent: OutgoingMessage[] = [];
          await sendPage(
            {
              store: storeOf(sliceOf(mixture)),
              ...{ serves, channel: unguarded(side, sent), keys: TEST_KEYS },
              ...{ publicUrl: 'https://answers.example', monotonic: () => performance.now() },
              pause: async () => undefined,
            },
            1,
          );
          // A page's warning says what it is; the channel hears of a drill by that alone.
          const may = mixture.kind === serves && mayLeave({ ...mixture, drill: false }, side);
          expect(sent.length).toBe(may ? 1 : 0);
          for (const message of sent) left.add(`${message.kind} ${side}`);
        },
      ),
      { numRuns: 200 },
    );
    expect([...left].sort()).toEqual(['actual actual', 'exercise exercise']);
  });
});

describe('through what is said back', () => {
  it.each(KINDS)('to those who wrote, by the web process that serves %s warnings', async (side) => {
    const { port } = farSide.address() as AddressInfo;
    const back = createSmsBack({
      url: `http://127.0.0.1:${port}`,
      secret: 'a secret of the tests',
      signature: '气象台',
      live: side === 'actual',
    });
    for (const kind of KINDS) {
      const before = connections;
      back.say({ to: '+12025550101', text: '收到', kind, replyId: `${side}-${kind}` });
      if (kind === side) await expect.poll(() => connections).toBeGreaterThan(before);
      else expect(connections).toBe(before);
    }
    await back.close();
  });
});

it('there is no other way: vendors are reached through the composition root alone, which wants a bound configuration', () => {
  const files = ['activities', 'cli', 'db', 'domain', 'operations', 'runtime', 'web', 'worker', 'workflows']
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(folder, file),
      ),
    )
    .filter((file) => file.endsWith('.ts') && !/(\.test|testing)\.ts$/.test(file));
  const importing = (what: RegExp) =>
    files
      .filter((file) => what.test(readFileSync(join(ROOT, file), 'utf8')))
      .map((file) => relative('.', file))
      .sort();
  // Mail to whoever is on duty is of no warning.
  expect(importing(/from '\.\.\/channels\/(?!operator-mail)/)).toEqual([
    'worker/channels.ts',
    'worker/doors.ts',
  ]);
  expect(importing(/\bcreateChannels\b/)).toEqual([
    'cli/people.ts',
    'worker/channels.ts',
    'worker/send-thread.ts',
  ]);
});

function environment(port: number, serves: WarningKind): Record<string, string> {
  const url = `http://127.0.0.1:${port}`;
  const secret = 'a secret of the tests';
  return {
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere',
    FENGHUO_SECRET: 'a secret of the tests, of no use elsewhere',
    FENGHUO_CHANNELS: serves === 'actual' ? 'live' : 'sandbox',
    FENGHUO_SMTP_URL: `smtp://127.0.0.1:${port}`,
    FENGHUO_GATEWAY_URL: url,
    FENGHUO_GATEWAY_SECRET: secret,
    FENGHUO_VOICE_GATEWAY_URL: url,
    FENGHUO_VOICE_GATEWAY_SECRET: secret,
    FENGHUO_LOUDSPEAKER_URL: url,
    FENGHUO_LOUDSPEAKER_SECRET: secret,
    FENGHUO_CHAT_ROBOT_URL: `${url}/robot/send?access_token=t`,
    FENGHUO_CHAT_ROBOT_SECRET: secret,
    FENGHUO_NTFY_URL: url,
    FENGHUO_NTFY_TOKEN: secret,
    FENGHUO_TWILIO_API_URL: url,
    FENGHUO_TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    FENGHUO_TWILIO_AUTH_TOKEN: secret,
    FENGHUO_TWILIO_FROM: '+15005550006',
  };
}

function messageOf(channel: Channel, { kind, synthetic, drill }: Mixture): OutgoingMessage {
  return {
    ...{ deliveryId: '1024', attempt: 1, warningId: '1', level: 'red', language: 'zh' },
    ...{ kind, synthetic, address: ADDRESSES[channel] },
    ...{ subject: '暴雨', text: '暴雨红色预警', parameters: { text: '暴雨红色预警', number: '1234' } },
    exercise: drill ? { step: 'rung 0', speed: 60 } : null,
  };
}

/** A channel that would send anything: what does not come to it was kept back before. */
function unguarded(side: WarningKind, sent: OutgoingMessage[]): ChannelPort {
  return {
    channel: 'sms',
    live: side === 'actual',
    concurrency: 1,
    messageTimeoutMs: 1_000,
    send: async (message) => {
      sent.push(message);
      return { outcome: 'handed off', providerId: 'p' };
    },
    close: async () => undefined,
  };
}

/** One page with one message, as PostgreSQL's store gives it: to whoever serves its kind. */
function storeOf(slice: ClaimedSlice) {
  let settled = 0;
  return {
    abandoned: async () => [],
    claim: async (_pageId: number, { serves }: { serves: WarningKind }) => {
      if (serves !== slice.warning.kind) return { kind: 'misdirected' } as const;
      return settled > 0 ? ({ kind: 'ended' } as const) : ({ kind: 'slice', slice } as const);
    },
    settle: async ({ settlements }: SettledSlice) => {
      settled += settlements.length;
    },
  };
}

function sliceOf({ kind, synthetic }: Mixture): ClaimedSlice {
  const now = Date.now();
  return {
    page: {
      ...{ pageId: 1, cellId: 1, warningId: 1, revision: 1, purpose: 'rung', step: 0 },
      ...{ channel: 'sms', audience: 'people' },
    },
    ...{ first: 0, now },
    warning: {
      ...{
        kind,
        status: 'open',
        hazard: '11B03',
        level: 'red',
        issuer: '气象台',
        textZh: '暴雨',
        textEn: 'rain',
      },
      ...{ endTextZh: null, endTextEn: null, speed: 1, expiresAt: now + 3_600_000, throttle: null },
      retry: { laterMs: [1_000], unknownMs: 1_000, attemptsMost: 3 },
    },
    deliveries: [
      {
        ...{
          deliveryId: 1024,
          attempt: 1,
          unitId: 1,
          recipientId: 1,
          address: ADDRESSES.sms,
          language: 'zh',
        },
        ...{ synthetic, units: ['乡一'], possibleDuplicate: false, drop: null, bridge: null, digest: null },
        ...{ report: null, doors: null, throttledMs: 0, heardOf: null, givenUp: false, earlierAt: null },
        ...{ companions: [], keyed: false, mergedInto: null, toldBefore: null, carried: false },
      },
    ],
  };
}
