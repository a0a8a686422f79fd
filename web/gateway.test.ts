/** What an SMS gateway may push, and what it may not: over HTTP and PostgreSQL. */
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
