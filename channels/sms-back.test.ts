/** What is said back by the gateway: signed, of its own reference, and never across the wall between drills and people. */
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { waitUntil } from '../runtime/processes.ts';
import { createSmsBack, type SmsBack } from './sms-back.ts';
import { says, startScriptedHttp, type ScriptedHttp } from './testing.ts';

const SECRET = 'a gateway secret of the tests';

let gateway: ScriptedHttp;
let back: SmsBack;

beforeEach(async () => {
  gateway = await startScriptedHttp();
  gateway.answer = says(200, { code: 'OK', messageId: 'm' });
});
afterEach(async () => {
  await back.close();
  await gateway.stop();
});

const open = (live: boolean) => {
  back = createSmsBack({ url: `${gateway.url}/api/`, secret: SECRET, signature: '城气象台', live });
};
const words = { to: '+8610000000001', text: '已记录', replyId: 'reply-7' } as const;

it('is one signed message under the reference of the reply', async () => {
  open(false);
  back.say({ ...words, kind: 'exercise' });
  await back.close();
  const [request] = gateway.seen;
  expect(request?.url).toBe('/api/sms/send');
  expect(request?.json()).toMatchObject({
    ...{ to: words.to, reference: 'back.reply-7', signature: '城气象台', templateId: 'fenghuo-back' },
    parameters: { text: '已记录' },
  });
  const timestamp = String(request?.headers['x-gateway-timestamp']);
  const signature = createHmac('sha256', SECRET).update(`${timestamp}.${request?.body}`).digest('hex');
  expect(request?.headers['x-gateway-signature']).toBe(signature);
  expect(back.unsaid()).toBe(0);
});

it.each([
  [false, 'actual', 0],
  [false, 'exercise', 1],
  [false, null, 1],
  [true, 'actual', 1],
  [true, 'exercise', 0],
  [true, null, 1],
] as const)('live: %s, of a warning that is: %s – %i said', async (live, kind, said) => {
  open(live);
  back.say({ ...words, kind });
  await back.close();
  expect(gateway.seen).toHaveLength(said);
  expect(back.unsaid()).toBe(1 - said);
});

it('is not tried again where the gateway does not take it', async () => {
  gateway.answer = says(503, {});
  open(false);
  for (let turn = 0; turn < 20; turn += 1) back.say({ ...words, kind: null });
  await waitUntil(() => back.unsaid() === 20 || null, { deadlineMs: 10_000, what: 'all to be refused' });
  expect(gateway.seen).toHaveLength(20);
});

it('never keeps more than a flood waiting', () => {
  gateway.answer = () => undefined;
  open(false);
  for (let turn = 0; turn < 40_000; turn += 1) back.say({ ...words, kind: null });
  expect(back.unsaid()).toBeGreaterThan(9_000);
  return gateway.stop().then(() => startScriptedHttp().then((fresh) => void (gateway = fresh)));
});

it('takes its turn of the rate before each, and is left unsaid where none comes', async () => {
  const turns: string[] = [];
  back = createSmsBack({
    ...{ url: gateway.url, secret: SECRET, live: false },
    turn: async (text) => {
      turns.push(text);
      if (text === '三') throw new Error('PostgreSQL is away');
      return text === '一';
    },
  });
  for (const text of ['一', '二', '三']) back.say({ ...words, text, kind: 'exercise' });
  await waitUntil(async () => (turns.length === 3 && back.unsaid() === 2 ? true : null), {
    ...{ deadlineMs: 5_000, what: 'all three to have asked for a turn' },
  });
  await back.close();
  expect(gateway.seen.map((request) => request.json())).toMatchObject([{ parameters: { text: '一' } }]);
});
