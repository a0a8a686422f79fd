/** What gateways may push, and what they may not: over HTTP and PostgreSQL. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cancelWarning, viewWarning } from '../operations/warnings.ts';
import { recordingChannel, runUntilQuiet } from '../test/harness/local-cascade.ts';
import { waitUntil } from '../runtime/processes.ts';
import {
  GATEWAY_SECRET,
  sendRaw,
  startAnswerSite,
  startLine,
  type AnswerSite,
  type Line,
} from './testing.ts';

let line: Line;
let site: AnswerSite;
let warningId: number;

beforeAll(async () => {
  line = await startLine();
  site = await startAnswerSite('gateway', line.url);
});
afterAll(async () => {
  await site.stop();
  await line.close();
});
beforeEach(async () => {
  await site.database
    .query(`update warnings set status = 'cancelled', ended_at = clock_timestamp() - interval '2 days'
    where status = 'open'`);
  warningId = await site.issue();
});

const phoneOf = async (personId: number) =>
  (
    await site.database.query<{ address: string }>(
      `select address from person_channels where person_id = $1 and channel = 'sms'`,
      [personId],
    )
  )[0]?.address ?? '';

let ids = 0;
const freshId = () => `reply-${(ids += 1)}`;

/** A reply of a unit's principal with the number of this test's warning. */
async function replyOf(unit: string, text = '1', change: { id?: string; from?: string } = {}) {
  const person = site.tree.person(unit);
  const { number } = await site.means(warningId, person);
  return { id: freshId(), from: await phoneOf(person), text: `${text} ${number}`, ...change };
}

type Verdicts = { replies: { id: string | null; verdict: string }[] };

async function verdicts(replies: unknown[]): Promise<string[]> {
  const response = await site.push(replies);
  expect(response.status).toBe(200);
  return ((await response.json()) as Verdicts).replies.map(({ verdict }) => verdict);
}

const answered = (id = warningId) =>
  site.database.query<{ name: string; kind: string; late: boolean }>(
    `select coalesce(p.name, h.name) as name, a.kind, a.at > coalesce(w.ended_at, w.expires_at) as late
     from answers a join warnings w on w.id = a.warning_id
     left join people p on p.id = a.person_id left join households h on h.id = a.household_id
     where a.warning_id = $1 order by a.id`,
    [id],
  );

describe('a push is not accepted', () => {
  it('with a signature that is missing, forged, altered, cut, or of another body or time', async () => {
    const body = JSON.stringify([await replyOf('村一')]);
    const timestamp = String(Date.now());
    const good = createHmac('sha256', GATEWAY_SECRET).update(`${timestamp}.${body}`).digest('hex');
    for (const change of [
      { signature: '' },
      { signature: 'f'.repeat(64) },
      { signature: `${good}00` },
      { signature: `${good}zz` },
      { signature: good.slice(2) },
      { signature: good.toUpperCase() },
      { signature: good, body: body.replace('村', '镇').replace('"1 ', '"3 ') },
      { signature: good, body: `${body} ` },
      { signature: good, body: `\ufeff${body}` },
      { signature: good, timestamp: `${timestamp}0` },
      { signature: good, timestamp: String(Number(timestamp) + 1) },
      { secret: 'another secret of sixteen' },
    ]) {
      expect((await site.push([], { timestamp, body, ...change })).status).toBe(403);
    }
    expect(await answered()).toEqual([]);
    expect((await site.push([], { timestamp, body, signature: good })).status).toBe(200);
    expect(await answered()).toHaveLength(1);
  });

  it.each(['', 'now', '0', '1e13', '-1', 'NaN', 'Infinity'])('at the time "%s"', async (timestamp) => {
    expect((await site.push([await replyOf('村一')], { timestamp })).status).toBe(403);
    expect(await answered()).toEqual([]);
  });

  it.each([-301, 302])('%s seconds from now', async (seconds) => {
    const reply = await replyOf('村一');
    const timestamp = String(Date.now() + seconds * 1_000);
    expect((await site.push([reply], { timestamp })).status).toBe(403);
    expect(await answered()).toEqual([]);
  });

  it.each(['', 'null', '{}', '"1"', '{"replies":[]}', 'not JSON', '[', '[[]'])(
    'with the body %s',
    async (body) => {
      expect((await site.push([], { body })).status).toBe(400);
    },
  );

  it('with more than 1,000 replies', async () => {
    const replies = Array.from({ length: 1_001 }, () => ({ id: freshId(), from: '1', text: '1' }));
    expect((await site.push(replies)).status).toBe(400);
    expect(await verdicts(replies.slice(1))).toHaveLength(1_000);
  });

  it('with a huge body, with its length or without', async () => {
    expect((await site.push([], { body: `[${' '.repeat(1_000_000)}]` })).status).toBe(413);
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
    const heard = await sendRaw(site.url, [
      'POST /gateway/replies HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n',
      ...Array.from({ length: 64 }, () => chunk),
    ]);
    expect(heard).toMatch(/^HTTP\/1.1 413/);
  });

  it('by other methods', async () => {
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect((await fetch(`${site.url}/gateway/replies`, { method })).status).toBe(404);
  });
});

describe('a reply', () => {
  it('is taken once, however often it is pushed', async () => {
    const reply = await replyOf('村一');
    expect(await verdicts([reply])).toEqual(['recorded']);
    expect(await verdicts([reply, reply])).toEqual(['repeated', 'repeated']);
    expect(await answered()).toHaveLength(1);
  });

  it('is taken once where the very same push comes again', async () => {
    const body = JSON.stringify([await replyOf('村一')]);
    const timestamp = String(Date.now());
    for (let time = 0; time < 3; time += 1)
      expect((await site.push([], { body, timestamp })).status).toBe(200);
    expect(await answered()).toHaveLength(1);
  });

  it('is taken once of many pushes at the same time, in any order', async () => {
    const replies = [
      await replyOf('村一'),
      await replyOf('村二'),
      await replyOf('乡一'),
      await replyOf('乡二'),
    ];
    const pushes = Array.from({ length: 12 }, (_, turn) =>
      verdicts(turn % 2 === 0 ? replies : replies.toReversed()),
    );
    const all = (await Promise.all(pushes)).flat();
    expect(all.filter((verdict) => verdict === 'recorded')).toHaveLength(4);
    expect(all.filter((verdict) => verdict === 'repeated')).toHaveLength(44);
    expect(await answered()).toHaveLength(4);
  });

  it('of the same id in one push is taken once, and the first counts', async () => {
    const id = freshId();
    expect(await verdicts([await replyOf('村一', '1', { id }), await replyOf('村二', '3', { id })])).toEqual([
      'recorded',
      'repeated',
    ]);
    expect(await answered()).toMatchObject([{ name: '村一0', kind: 'received' }]);
  });

  it('that is malformed holds up none of its neighbours', async () => {
    const good = await replyOf('村一');
    expect(
      await verdicts([
        { ...good, id: 17 },
        { ...good, id: '' },
        { ...good, id: 'x\0y' },
        { ...good, id: '\ud800' },
        { ...good, id: 'x'.repeat(101) },
        { ...good, id: freshId(), from: 13_800_000_000 },
        { ...good, id: freshId(), text: null },
        null,
        [],
        good,
        { ...good, id: freshId(), text: '\0' },
        { ...good, id: freshId(), from: '\0\u{1F600}' },
        { ...good, id: freshId(), text: '收到'.repeat(10_000) },
      ]),
    ).toEqual([
      ...Array.from({ length: 9 }, () => 'malformed'),
      'recorded',
      'not understood',
      'nothing open',
      'not understood',
    ]);
    expect(await answered()).toHaveLength(1);
  });

  it.each([
    ['+86 …', (digits: string) => `+86 ${digits}`],
    ['+86-…-…', (digits: string) => `+86-${digits.slice(0, 3)}-${digits.slice(3)}`],
    ['86…', (digits: string) => `86${digits}`],
    ['0086…', (digits: string) => `0086${digits}`],
    ['… alone', (digits: string) => digits],
    ['… in groups', (digits: string) => `${digits.slice(0, 3)} ${digits.slice(3, 7)} ${digits.slice(7)}`],
    [
      'full-width digits',
      (digits: string) => digits.replace(/\d/g, (digit) => '０１２３４５６７８９'[Number(digit)] ?? ''),
    ],
  ])('counts from a number written as %s', async (_, write) => {
    const reply = await replyOf('村一');
    expect(await verdicts([{ ...reply, from: write(reply.from.replace('+86', '')) }])).toEqual(['recorded']);
  });

  it('from nobody, in no words, or to stop is no answer', async () => {
    const reply = await replyOf('村一');
    const other = (text: string) => ({ ...reply, id: freshId(), text });
    expect(
      await verdicts([
        { ...reply, id: freshId(), from: '+8619900000000' },
        other('我们正在开会'),
        other('td'),
        other(''),
      ]),
    ).toEqual(['nothing open', 'not understood', 'stop', 'not understood']);
    expect(await answered()).toEqual([]);
  });

  it('while PostgreSQL is away is not taken, and is when it is pushed again', async () => {
    const reply = await replyOf('村一');
    await line.cut();
    expect((await site.push([reply])).status).toBe(503);
    await line.mend();
    await waitUntil(async () => (await site.push([reply])).ok || null, {
      deadlineMs: 10_000,
      what: 'the web process to find PostgreSQL again',
    });
    expect(await answered()).toHaveLength(1);
  });
});

describe('which warning a reply means', () => {
  const plain = async (unit: string, text = '收到', rank = 0) => ({
    id: freshId(),
    from: await phoneOf(site.tree.person(unit, rank)),
    text,
  });

  it('needs no number where one is open for the sender and they were told', async () => {
    expect(await verdicts([await plain('村一')])).toEqual(['recorded']);
    expect(await answered()).toMatchObject([{ name: '村一0', kind: 'received' }]);
  });

  it('needs the number from who has not been told yet: they answer something else', async () => {
    expect(await verdicts([await plain('村一', '收到', 1)])).toEqual(['which warning']);
    expect(await answered()).toEqual([]);
  });

  it('needs the number where two are open', async () => {
    const first = warningId;
    const withFirst = await replyOf('村一');
    warningId = await site.issue({ hazard: '大风' });
    expect(await verdicts([await plain('村一')])).toEqual(['which warning']);
    expect(await verdicts([withFirst])).toEqual(['recorded']);
    expect(await answered(first)).toHaveLength(1);
    expect(await answered()).toEqual([]);
  });

  it('is none where the number is of another recipient or wrong', async () => {
    const own = await replyOf('村一');
    const others = await replyOf('村二', '1', { from: own.from });
    const wrong = (await site.means(warningId, site.tree.person('村一'))).wrong;
    expect(await verdicts([others, { ...own, text: `1 ${wrong}` }])).toEqual([
      'which warning',
      'which warning',
    ]);
    expect(await answered()).toEqual([]);
  });

  it('on a telephone that two people share is told by the number, and by it alone', async () => {
    const [one, other] = [site.tree.person('村一'), site.tree.person('村二')];
    const own = await phoneOf(other);
    const move = (address: string) =>
      site.database.query(
        `update person_channels set address = $2 where person_id = $1 and channel = 'sms'`,
        [other, address],
      );
    await move(await phoneOf(one));
    try {
      expect(await verdicts([await plain('村一')])).toEqual(['which warning']);
      expect(await verdicts([await replyOf('村二', '3'), await replyOf('村一')])).toEqual([
        'recorded',
        'recorded',
      ]);
      expect(await answered()).toMatchObject([
        { name: '村二0', kind: 'cannot act' },
        { name: '村一0', kind: 'received' },
      ]);
    } finally {
      await move(own);
    }
  });

  it('is a cancelled one within the grace, by its number: recorded as late', async () => {
    const reply = await replyOf('村一');
    await cancelWarning(site.database, warningId, null);
    expect(await verdicts([await plain('村一')])).toEqual(['which warning']);
    expect(await verdicts([reply])).toEqual(['recorded']);
    expect(await answered()).toMatchObject([{ name: '村一0', late: true }]);
    await runUntilQuiet(site.database, warningId, [recordingChannel('sms'), recordingChannel('email')]);
    expect((await viewWarning(site.database, warningId)).settled).toBe(true);
    await site.database.query(`update warnings set ended_at = ended_at - interval '24 hours' where id = $1`, [
      warningId,
    ]);
    expect(await verdicts([{ ...reply, id: freshId() }])).toEqual(['nothing open']);
  });

  it('of one sender follow each other as they were pushed', async () => {
    const replies = [await replyOf('村一', '3'), await replyOf('村一', '1'), await replyOf('村一', '2 ')];
    expect(await verdicts(replies)).toEqual(['recorded', 'recorded', 'recorded']);
    expect((await answered()).map(({ kind }) => kind)).toEqual(['cannot act', 'received', 'done']);
  });
});

describe('a receipt', () => {
  async function verdictsOf(kind: 'receipts' | 'keys', items: unknown[]): Promise<string[]> {
    const response = await site.push(items, {}, kind);
    expect(response.status).toBe(200);
    const body = (await response.json()) as Record<string, { verdict: string }[]>;
    return (body[kind] ?? []).map(({ verdict }) => verdict);
  }

  const deliveryTo = async (unit: string) => {
    const [row] = await site.database.query<{ id: number }>(
      `select id from deliveries where warning_id = $1 and recipient_id = $2 and audience = 'people' order by id limit 1`,
      [warningId, site.tree.person(unit)],
    );
    return row?.id ?? 0;
  };

  it('is stored once, with its class, and moves the unit on', async () => {
    const receipt = {
      id: 'r1',
      reference: `${await deliveryTo('村一')}.1`,
      state: 'undelivered',
      code: 'MK:0004',
    };
    expect(await verdictsOf('receipts', [receipt, receipt])).toEqual(['taken', 'taken']);
    expect(await verdictsOf('receipts', [receipt])).toEqual(['taken']);
    const stored = await site.database.query(
      'select state, code, class, sender from receipts where delivery_id = $1',
      [await deliveryTo('村一')],
    );
    expect(stored).toEqual([
      { state: 'undelivered', code: 'MK:0004', class: 'handset-off', sender: 'sms-gateway' },
    ]);
    const letters = await site.database.query(
      `select body->>'kind' as kind from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1`,
      [warningId],
    );
    expect(letters).toEqual([{ kind: 'exhausted' }]);
  });

  it('that is malformed holds up none of its neighbours', async () => {
    const good = { id: 'r2', reference: `${await deliveryTo('村二')}.1`, state: 'delivered', code: null };
    expect(
      await verdictsOf('receipts', [
        { ...good, id: 7 },
        { ...good, reference: '7' },
        { ...good, reference: 'back.x' },
        { ...good, reference: `${'9'.repeat(17)}.1` },
        { ...good, reference: '1024.99999' },
        { ...good, state: 'DELIVRD' },
        { ...good, code: 'x\0' },
        { ...good, sender: 'somebody' },
        null,
        good,
        { ...good, reference: '7.1' },
        { ...good, code: undefined, state: 'read' },
      ]),
    ).toEqual([...Array.from({ length: 9 }, () => 'malformed'), 'taken', 'taken', 'taken']);
  });

  it.each(['receipts', 'keys'] as const)('or key is not accepted unsigned: %s', async (kind) => {
    const receipt = { id: 'r3', reference: `${await deliveryTo('村一')}.1`, state: 'failed', code: '空号' };
    expect((await site.push([receipt], { signature: 'f'.repeat(64) }, kind)).status).toBe(403);
    expect((await site.push({}, {}, kind)).status).toBe(400);
    const many = Array.from({ length: 1_001 }, () => receipt);
    expect((await site.push(many, {}, kind)).status).toBe(400);
  });

  it('of a call goes with the key that was pressed', async () => {
    const reference = `${await deliveryTo('村一')}.1`;
    const key = (change: object) => ({
      id: 'k',
      callId: `call-${warningId}`,
      reference,
      step: 1,
      key: '1',
      ...change,
    });
    expect(
      await verdictsOf('keys', [
        key({ key: '2' }),
        key({ key: '*' }),
        key({ step: 2 }),
        key({ step: 2, key: '3' }),
        key({ step: 3, key: '3' }),
        key({ step: 1.5 }),
        key({ reference: 'x' }),
        key({ callId: 'another', reference: '7.1' }),
      ]),
    ).toEqual([
      'no answer',
      'no answer',
      'recorded',
      'repeated',
      'recorded',
      'malformed',
      'malformed',
      'no such delivery',
    ]);
    expect(await answered()).toMatchObject([
      { name: '村一0', kind: 'received', late: false },
      { name: '村一0', kind: 'cannot act', late: false },
    ]);
  });
});

describe('what is said back', () => {
  beforeEach(async () => {
    site.said.length = 0;
    await site.database.query('delete from reply_backs');
    await site.database.query('update person_channels set fault = null, fault_at = null');
  });

  it('names who was recorded, for which unit, and when, once for each reply', async () => {
    const reply = await replyOf('村一', '2 12');
    await verdicts([reply]);
    await verdicts([reply]);
    expect(site.said).toMatchObject([{ to: reply.from, replyId: reply.id, kind: 'exercise' }]);
    expect(site.said[0]?.text).toMatch(/^【演练】已记录:村一0\(村一\)于\d{4}年.*已落实,12人.*【演练】$/);
  });

  it('is in the language of who wrote', async () => {
    await site.database.query(`update people set language = 'en' where id = $1`, [site.tree.person('村二')]);
    await verdicts([await replyOf('村二')]);
    expect(site.said[0]?.text).toMatch(/^\[EXERCISE\]Recorded: 村二0 \(村二\) answered "received"/);
    await site.database.query(`update people set language = 'zh' where id = $1`, [site.tree.person('村二')]);
  });

  it('shows how to answer, and which warnings a reply could mean', async () => {
    const reply = await replyOf('村一');
    await verdicts([{ ...reply, id: freshId(), text: '我们正在开会' }]);
    await site.issue({ hazard: '大风' });
    await verdicts([{ ...reply, id: freshId(), text: '收到' }]);
    expect(site.said.map(({ text }) => text)).toEqual([
      expect.stringContaining('未能识别您的回复'),
      expect.stringContaining('您有2条预警'),
    ]);
    expect(site.said[1]?.text).toContain('暴雨红色、大风红色');
  });

  it('is nothing to numbers that nothing was sent to', async () => {
    await verdicts([
      { id: freshId(), from: '+8619900000000', text: '你好' },
      { id: freshId(), from: '+8619900000000', text: '收到' },
      { id: freshId(), from: '+8619900000000', text: 'TD' },
      { id: freshId(), from: 'x', text: '收到' },
    ]);
    expect(site.said).toEqual([]);
  });

  it('is at most three an hour to one number', async () => {
    const reply = await replyOf('村一');
    for (let turn = 0; turn < 5; turn += 1) await verdicts([{ ...reply, id: freshId() }]);
    expect(site.said).toHaveLength(3);
    await site.database.query(`update reply_backs set at = at - interval '1 hour'`);
    await verdicts([{ ...reply, id: freshId() }]);
    expect(site.said).toHaveLength(4);
  });
});

describe('who asks for no more SMS', () => {
  const faults = () =>
    site.database.query<{ channel: string; fault: string }>(
      `select channel, fault from person_channels where person_id = $1 and fault is not null`,
      [site.tree.person('村一')],
    );
  const says = async (text: string) =>
    verdicts([{ id: freshId(), from: await phoneOf(site.tree.person('村一')), text }]);

  beforeEach(async () => {
    site.said.length = 0;
    await site.database.query('delete from reply_backs');
    await site.database.query('update person_channels set fault = null, fault_at = null');
  });

  it('gets none, hears so once, and gets them again when they ask', async () => {
    expect(await says('退订')).toEqual(['stop']);
    expect(await faults()).toEqual([{ channel: 'sms', fault: 'opted-out' }]);
    expect(await says('TD')).toEqual(['stop']);
    expect(site.said.map(({ text, kind }) => [text.includes('已停止'), kind])).toEqual([[true, null]]);
    expect(await says('TY')).toEqual(['start']);
    expect(await faults()).toEqual([]);
    expect(await says('恢复')).toEqual(['start']);
    expect(site.said.slice(1).map(({ text }) => text.includes('已恢复'))).toEqual([true]);
  });

  it('may still answer, and a fault of another kind is not lifted', async () => {
    await says('STOP');
    expect(await says('收到')).toEqual(['recorded']);
    await site.database.query(
      `update person_channels set fault = 'bad-contact' where person_id = $1 and channel = 'sms'`,
      [site.tree.person('村一')],
    );
    expect(await says('START')).toEqual(['start']);
    expect(await faults()).toEqual([{ channel: 'sms', fault: 'bad-contact' }]);
  });

  it('is a household too', async () => {
    await verdicts([{ id: freshId(), from: '+861000011', text: 'TD' }]);
    const homes = () => site.database.query(`select name, fault from households where fault is not null`);
    expect(await homes()).toEqual([{ name: '户一1', fault: 'opted-out' }]);
    await verdicts([{ id: freshId(), from: '+861000011', text: 'TY' }]);
    expect(await homes()).toEqual([]);
  });
});
