/** What Twilio may send, and what nobody else may: over HTTP and PostgreSQL, signed by Twilio's own library. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { riseReceipt, type ReceiptState } from '../domain/receipts.ts';
import { catchUpInbound } from '../operations/inbound-catch-up.ts';
import { cancelWarning } from '../operations/warnings.ts';
import { TEST_KEYS } from '../test/harness/local-cascade.ts';
import {
  bombard,
  callHook,
  forEach,
  forgeries,
  keyHook,
  planDeliveries,
  post,
  recuts,
  referenceOf,
  replyHook,
  sid,
  sign,
  statusHook,
  stored,
  validHooks,
  type Hook,
} from '../test/harness/twilio-webhooks.ts';
import { startCatchUp } from './catch-up.ts';
import { startAnswerSite, startLine, type AnswerSite, type Line } from './testing.ts';

let line: Line;
let site: AnswerSite;
let warningId: number;
let reference: string;

beforeAll(async () => {
  line = await startLine();
  site = await startAnswerSite('twilio', line.url);
});
afterAll(async () => {
  await site.stop();
  await line.close();
});
beforeEach(async () => {
  await site.database.query(
    `update warnings set status = 'cancelled', ended_at = clock_timestamp() - interval '2 days' where status = 'open'`,
  );
  await site.database.query('delete from receipts');
  // What was said to them in other tests.
  await site.database.query('delete from reply_backs');
  warningId = await site.issue();
  reference = await referenceOf(site, warningId, '村一');
});

const send = (hook: Hook) => post(site.url, sign(site.url, hook));

async function said(hook: Hook): Promise<string> {
  const response = await send(hook);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/xml/);
  return response.text();
}

const answered = () =>
  site.database.query<{ name: string; kind: string; via: string }>(
    `select p.name, a.kind, a.via from answers a join people p on p.id = a.person_id where a.warning_id = $1 order by a.id`,
    [warningId],
  );

it('a call that is a test says so, twice, in the language of whoever is called, and asks for nothing', async () => {
  const [person] = await site.database.query<{ id: number }>(`select id from people order by id limit 1`);
  const heard = await said(callHook(`test-${person?.id}-abc123.1`, 77));
  expect(heard.match(/【测试】这是/g)).toHaveLength(2);
  expect(heard).not.toContain('<Gather');
  await site.database.query(`update people set language = 'en' where id = $1`, [person?.id]);
  expect(await said(callHook(`test-${person?.id}-abc124.1`, 77))).toContain('contact test by');
  expect(await said(callHook('test-999999-abc.1', 77))).toContain('没有这条预警');
});

const receipts = () =>
  site.database.query<{ state: ReceiptState; code: string | null; class: string | null; sender: string }>(
    'select state, code, class, sender from receipts order by at',
  );

let numbers = 1_000_000;
const fresh = () => (numbers += 1);

async function replyOf(unit: string, text = '1') {
  const person = site.tree.person(unit);
  const [phone] = await site.database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [person],
  );
  const { number } = await site.means(warningId, person);
  return replyHook(fresh(), phone?.address ?? '', `${text} ${number}`);
}

describe('not accepted', () => {
  it('is anything that Twilio did not sign, or signed otherwise', async () => {
    for (const hook of [
      statusHook(reference, 'delivered'),
      await replyOf('村一'),
      keyHook(reference, fresh(), '1'),
    ]) {
      const before = await stored(site.database);
      for (const forged of forgeries(site.url, hook))
        expect((await post(site.url, forged)).status, JSON.stringify(forged)).toBe(403);
      expect(await stored(site.database)).toEqual(before);
      expect((await send(hook)).status).toBeLessThan(300);
      expect(await stored(site.database)).not.toEqual(before);
    }
  });

  it('is decided before the database is asked', async () => {
    const hook = statusHook(reference, 'delivered');
    await line.cut();
    try {
      expect((await post(site.url, { ...sign(site.url, hook), signature: null })).status).toBe(403);
      expect((await post(site.url, sign(site.url, hook, 'another token'))).status).toBe(403);
      // Twilio is asked to come again.
      expect((await send(hook)).status).toBe(503);
    } finally {
      await line.mend();
    }
    expect((await send(hook)).status).toBe(204);
    expect(await receipts()).toHaveLength(1);
  });

  it('is a huge body, or another method', async () => {
    const hook = statusHook(reference, 'delivered', { More: 'x'.repeat(70_000) });
    expect((await send(hook)).status).toBe(413);
    expect((await fetch(`${site.url}/twilio/inbound`)).status).toBe(404);
  });

  it('is the same signed text cut into other fields: it stores nothing twice', async () => {
    for (const hook of [
      statusHook(reference, 'delivered'),
      await replyOf('村一'),
      keyHook(reference, fresh(), '1'),
    ]) {
      expect((await send(hook)).status).toBeLessThan(300);
      const before = await stored(site.database);
      for (const recut of recuts(site.url, hook)) await post(site.url, recut);
      expect(await stored(site.database)).toEqual(before);
    }
  });

  it('is the larger part of a bombardment: nothing false, and nothing twice', async () => {
    const hooks = await validHooks(site, warningId, 300);
    const result = await bombard(site, hooks);
    expect(new Set(result.forgedStatuses)).toEqual(new Set([403]));
    expect(result.afterForged).toEqual({ receipts: 0, answers: 0, replies: 0 });
    expect([...new Set(result.validStatuses)].sort()).toEqual([200, 204]);
    expect(result.afterValid).toEqual({ receipts: 100, answers: 200, replies: 200 });
    expect(result.afterReplayed).toEqual(result.afterValid);
    expect(result.sent).toBe(1_500);
  });
});

describe('a state', () => {
  it('is stored with its class, of a message and of a call', async () => {
    await send(statusHook(reference, 'sent'));
    await send(statusHook(reference, 'undelivered', { ErrorCode: '30003' }));
    expect(await receipts()).toEqual([
      { state: 'sent', code: null, class: null, sender: 'twilio-sms' },
      { state: 'undelivered', code: '30003', class: 'handset-off', sender: 'twilio-sms' },
    ]);
    await site.database.query('delete from receipts');
    const call = (CallStatus: string, change = {}) => {
      const { fields } = callHook(reference, 7, { CallStatus, ...change });
      return send({ path: `/twilio/status/${reference}`, fields });
    };
    await call('ringing');
    await call('completed', { AnsweredBy: 'machine_start' });
    expect(await receipts()).toEqual([
      { state: 'sending', code: null, class: null, sender: 'twilio-voice' },
      { state: 'undelivered', code: 'machine_start', class: 'not-answered', sender: 'twilio-voice' },
    ]);
  });

  it('that nobody knows, or of no delivery of ours, is passed over', async () => {
    expect((await send(statusHook(reference, 'pending'))).status).toBe(204);
    expect((await send(statusHook('999999999999.1', 'sent'))).status).toBe(204);
    expect((await send(statusHook('nonsense', 'sent'))).status).toBe(204);
    expect(await receipts()).toEqual([]);
  });

  const SETS: readonly (readonly [states: readonly string[], end: ReceiptState])[] = [
    [['accepted', 'queued', 'sending', 'sent', 'delivered'], 'delivered'],
    [['queued', 'sending', 'sent', 'undelivered', 'delivered'], 'delivered'],
    [['queued', 'sending', 'sent', 'delivered', 'read'], 'read'],
  ];
  it.each(SETS)('of %j ends as %s in all 120 orders, each callback twice', async (states, end) => {
    const all = [...orders(states)];
    const deliveries = await planDeliveries(site, warningId, all.length);
    await forEach([...all.entries()], async ([place, order]) => {
      for (const status of order) {
        const hook = statusHook(`${deliveries[place]}.1`, status);
        const twice = await Promise.all([send(hook), send(hook)]);
        expect(twice.map((response) => response.status)).toEqual([204, 204]);
      }
    });
    const rows = await site.database.query<{ delivery: number; states: ReceiptState[] }>(
      `select delivery_id as delivery, array_agg(state order by at) as states from receipts
       where delivery_id = any($1::bigint[]) group by delivery_id`,
      [deliveries],
    );
    expect(rows).toHaveLength(120);
    expect(rows.every((row) => row.states.length === 5)).toBe(true);
    const ends = rows.map((row) => row.states.reduce<ReceiptState | null>(riseReceipt, null));
    expect(ends.filter((state) => state !== end)).toEqual([]);
  });
});

describe('a reply', () => {
  it('is an answer, once, and its sender hears so', async () => {
    const hook = await replyOf('村一');
    expect(await said(hook)).toMatch(/<Response><Message>【演练】.*收到.*【演练】<\/Message><\/Response>$/);
    expect(await said(hook)).toMatch(/<Response\/>$/);
    expect(await answered()).toEqual([{ name: '村一0', kind: 'received', via: 'twilio' }]);
  });

  it('of a stranger, or by no number, is heard in silence', async () => {
    expect(await said(replyHook(fresh(), '+12025550199', '1'))).toMatch(/<Response\/>$/);
    expect(await said(replyHook(fresh(), '22395', '1'))).toMatch(/<Response\/>$/);
    expect(await answered()).toEqual([]);
  });

  it('that could not be pushed is taken from the list, once, and never from before the first mark', async () => {
    const listed: { id: string; from: string; text: string }[] = [];
    const asked: number[] = [];
    const inbound = {
      since: async (instant: number) => {
        asked.push(instant);
        return listed;
      },
    };
    const message = ({ fields }: Hook) => ({
      id: fields['MessageSid'] ?? '',
      from: fields['From'] ?? '',
      text: fields['Body'] ?? '',
    });
    await site.database.query(`delete from liveness where name like 'mark %'`);
    const pushed = await replyOf('村一');
    listed.push(message(pushed));
    expect(await catchUpInbound(site.database, TEST_KEYS, inbound, 'exercise')).toBe(0);
    expect(asked).toEqual([]);
    await said(pushed);
    const lost = await replyOf('村二', '3');
    listed.push(message(lost));
    expect(await catchUpInbound(site.database, TEST_KEYS, inbound, 'exercise')).toBe(1);
    expect(await catchUpInbound(site.database, TEST_KEYS, inbound, 'exercise')).toBe(0);
    expect(await said(lost)).toMatch(/<Response\/>$/);
    expect(await answered()).toEqual([
      { name: '村一0', kind: 'received', via: 'twilio' },
      { name: '村二0', kind: 'cannot act', via: 'twilio' },
    ]);
    expect(asked).toHaveLength(2);
    expect(asked[1]).toBeGreaterThanOrEqual(asked[0] ?? Infinity);
  });

  it('stays to be listed where the list or the database fails', async () => {
    const lost = await replyOf('村一');
    const { MessageSid: id = '', From: from = '', Body: text = '' } = lost.fields;
    await catchUpInbound(site.database, TEST_KEYS, { since: async () => [] }, 'exercise');
    const failing = { since: () => Promise.reject(new Error('away')) };
    const [before] = await marks();
    await expect(catchUpInbound(site.database, TEST_KEYS, failing, 'exercise')).rejects.toThrow('away');
    expect(await marks()).toEqual([before]);
    expect(
      await catchUpInbound(site.database, TEST_KEYS, { since: async () => [{ id, from, text }] }, 'exercise'),
    ).toBe(1);
    expect(await marks()).not.toEqual([before]);
  });

  it('is looked for while the web serves: a list that cannot be read is told of once, and asked again', async () => {
    const lost = await replyOf('村一');
    const { MessageSid: id = '', From: from = '', Body: text = '' } = lost.fields;
    const log: string[] = [];
    let asked = 0;
    const inbound = {
      since: async () => {
        asked += 1;
        if (asked < 4) throw new TypeError('the list of +12025550101');
        return [{ id, from, text }];
      },
    };
    const catchUp = startCatchUp({
      ...{ database: site.database, keys: TEST_KEYS, inbound, serves: 'exercise' },
      log: (line) => log.push(line),
      everyMs: 10,
    });
    await vi.waitFor(async () => expect(await answered()).toHaveLength(1), 10_000);
    await vi.waitFor(() => expect(log).toHaveLength(2), 10_000);
    await catchUp.stop();
    expect(log).toEqual([
      "Twilio's list of replies cannot be read: TypeError",
      '1 replies that Twilio could not push were taken from its list.',
    ]);
  });

  const marks = () => site.database.query(`select at::text from liveness where name like 'mark %'`);
});

describe('a call', () => {
  it('hears the warning and which keys there are', async () => {
    const twiml = await said(callHook(reference, fresh()));
    expect(twiml).toMatch(/<Gather [^>]*numDigits="1"/);
    expect(twiml).toContain(
      `action="${site.url}/twilio/voice/${reference}/key?step=1#rc=4&amp;rp=ct,rt,5xx"`,
    );
    expect(twiml).toMatch(/<Say language="zh-CN">【演练】.*暴雨.*<\/Say>/);
    expect(twiml).toMatch(/请村一注意。收到请按1,重听请按2,无法执行请按3,按星号键重复。【演练】<\/Say>/);
    await site.database.query(`update people set language = 'en' where id = $1`, [site.tree.person('村一')]);
    try {
      expect(await said(callHook(reference, fresh()))).toMatch(
        /<Say language="en-US">\[EXERCISE\].*press 1/s,
      );
    } finally {
      await site.database.query(`update people set language = 'zh' where id = $1`, [
        site.tree.person('村一'),
      ]);
    }
  });

  it.each([
    ['1', 'received', '已收到'],
    ['3', 'cannot act', '无法执行'],
  ])('answers by the key %s: %s, once', async (key, kind, words) => {
    const hook = keyHook(reference, fresh(), key);
    for (let time = 0; time < 3; time++) expect(await said(hook)).toContain(words);
    expect(await answered()).toEqual([{ name: '村一0', kind, via: 'twilio' }]);
  });

  it.each(['2', '*', '7', '#', ''])('asks again after the key %j', async (key) => {
    const twiml = await said(keyHook(reference, fresh(), key, 2));
    expect(twiml).toContain('/key?step=3#');
    expect(twiml).toMatch(/【演练】.*暴雨/);
    expect(await answered()).toEqual([]);
  });

  it('ends after some questions, and with steps that nobody asked for', async () => {
    expect(await said(keyHook(reference, fresh(), '', 6))).toMatch(/没有收到按键.*<Hangup\/>/);
    for (const step of [0, 10, NaN]) {
      const { fields } = keyHook(reference, fresh(), '1');
      expect(await said({ path: `/twilio/voice/${reference}/key?step=${step}`, fields })).not.toContain(
        'Gather',
      );
    }
    expect(await answered()).toEqual([]);
  });

  it('two keys in one call are two answers, and the later one counts', async () => {
    const call = fresh();
    await said(keyHook(reference, call, '3', 1));
    await said(keyHook(reference, call, '1', 2));
    expect((await answered()).map(({ kind }) => kind)).toEqual(['cannot act', 'received']);
  });

  it.each(['machine_start', 'machine_end_beep', 'fax'])('taken by a %s is no answer', async (AnsweredBy) => {
    const twiml = await said(callHook(reference, fresh(), { AnsweredBy }));
    expect(twiml).toMatch(/暴雨.*自动留言.*<Hangup\/>/);
    expect(twiml).not.toContain('Gather');
    expect(await answered()).toEqual([]);
  });

  it('about a warning that is over says only that; a late key is written down', async () => {
    await cancelWarning(site.database, warningId, null);
    const twiml = await said(callHook(reference, fresh()));
    expect(twiml).toContain('已解除');
    expect(twiml).not.toContain('Gather');
    await said(keyHook(reference, fresh(), '1'));
    expect(await answered()).toHaveLength(1);
    await site.database.query(
      `update warnings set ended_at = clock_timestamp() - interval '2 days' where id = $1`,
      [warningId],
    );
    expect(await said(keyHook(reference, fresh(), '1'))).toContain('不再接受应答');
    expect(await answered()).toHaveLength(1);
  });

  it.each(['999999999999.1', 'nonsense', '1024.0'])(
    'about %s says that there is nothing',
    async (unknown) => {
      expect(await said(callHook(unknown, fresh()))).toContain('没有这条预警');
      expect(await said(keyHook(unknown, fresh(), '1'))).toContain('没有这条预警');
    },
  );

  it('without its id answers nothing', async () => {
    const { path, fields } = keyHook(reference, fresh(), '1');
    await said({ path, fields: { ...fields, CallSid: sid('SM', 5) } });
    expect(await answered()).toEqual([]);
  });
});

function* orders<Item>(items: readonly Item[]): Generator<Item[]> {
  if (items.length === 0) yield [];
  for (const [place, item] of items.entries())
    for (const rest of orders(items.toSpliced(place, 1))) yield [item, ...rest];
}
