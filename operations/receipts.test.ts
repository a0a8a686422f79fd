/** What providers report of messages, and what follows from it in PostgreSQL: once, in whatever order it comes. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { DELIVERY_ID_STRIDE } from '../db/pages.ts';
import type { OutgoingMessage } from '../domain/ports.ts';
import type { Receipt, ReceiptState } from '../domain/receipts.ts';
import type { ResultClass } from '../domain/results.ts';
import { testDatabase } from '../test/database.ts';
import { makeDeadlinesDue, recordingChannel, runUntilQuiet } from '../test/harness/local-cascade.ts';
import { holdPost, plantSmallTree, type SmallTree, anotherIncident } from '../test/harness/small-tree.ts';
import { takeReceipts as takeReceiptsOf } from './receipts.ts';
import { judge } from './referee.ts';
import { cancelWarning, issueWarning } from './warnings.ts';

let database: Database;
let tree: SmallTree;
let warningId: number;

const takeReceipts = (of: Database, receipts: readonly Receipt[]) => takeReceiptsOf(of, receipts, 'exercise');

const channels = () => [recordingChannel('sms'), recordingChannel('email'), recordingChannel('voice')];

beforeAll(async () => {
  database = await testDatabase('receipts');
  tree = await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.query(
    `update warnings set status = 'cancelled', ended_at = clock_timestamp() - interval '2 days'`,
  );
  await database.query('update person_channels set fault = null, fault_at = null, proven_at = null');
  await database.query('update households set fault = null, fault_at = null, proven_at = null');
  await anotherIncident(database);
  ({ warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['城/区'],
    expires: '+6h',
    issuer: '城气象台',
  }));
  await runUntilQuiet(database, warningId, channels());
});

function receipt(
  deliveryId: number,
  state: ReceiptState,
  reason: ResultClass | null = null,
  attempt = 1,
): Receipt {
  return { deliveryId, attempt, state, code: null, reason, sender: 'sms-gateway', providerId: 'p' };
}

/** The first delivery to the principal of a unit, or to a household. */
async function deliveryTo(recipientId: number, audience = 'people'): Promise<number> {
  const [row] = await database.query<{ id: number }>(
    `select id from deliveries where warning_id = $1 and recipient_id = $2 and audience = $3 order by id limit 1`,
    [warningId, recipientId, audience],
  );
  return row?.id ?? 0;
}

/** A page of `size` messages to one person that nobody has sent yet; gives its delivery ids. */
async function planPage(size: number, unit = '村一'): Promise<number[]> {
  const [page] = await database.query<{ id: number }>(
    `insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids)
     select c.id, $1, 1, 'rung', 0, 'sms', 'people', $2::int, array_fill($3::bigint, array[$2::int]), array_fill($4::int, array[$2::int])
     from cells c join units u on u.cell_unit_id = c.unit_id where c.warning_id = $1 and u.id = $4 returning id`,
    [warningId, size, tree.person(unit), tree.unit(unit)],
  );
  return Array.from({ length: size }, (_, place) => (page?.id ?? 0) * DELIVERY_ID_STRIDE + place);
}

const letters = () =>
  database.query<{ unit: string; body: object }>(
    `select u.name as unit, i.body from inbox i join units u on u.id = i.unit_id join cells c on c.id = i.cell_id
     where c.warning_id = $1 order by u.id`,
    [warningId],
  );

const retries = () =>
  database.query<{ delivery_id: number; attempt: number; seconds: number }>(
    `select delivery_id, attempt, round(extract(epoch from due_at - clock_timestamp()), -1)::int as seconds
     from retries r join cells c on c.id = r.cell_id where c.warning_id = $1 order by delivery_id`,
    [warningId],
  );

async function addressOf(person: number) {
  const [row] = await database.query<{ fault: string | null; dated: boolean; proven: boolean }>(
    `select fault, fault_at is not null as dated, proven_at is not null as proven from person_channels
     where person_id = $1 and channel = 'sms'`,
    [person],
  );
  return row;
}

function* orders<Item>(items: readonly Item[]): Generator<Item[]> {
  if (items.length === 0) yield [];
  for (const [place, item] of items.entries())
    for (const rest of orders(items.toSpliced(place, 1))) yield [item, ...rest];
}

describe('what follows from a final failure', () => {
  it.each<[ResultClass | null, { retrySeconds: number | null; movesOn: boolean; fault: string | null }]>([
    ['handset-off', { retrySeconds: 300, movesOn: true, fault: null }],
    ['carrier-unknown', { retrySeconds: 30, movesOn: false, fault: null }],
    ['validity-passed', { retrySeconds: 30, movesOn: false, fault: null }],
    ['throttled', { retrySeconds: 30, movesOn: false, fault: null }],
    ['bad-contact', { retrySeconds: null, movesOn: true, fault: 'bad-contact' }],
    ['landline', { retrySeconds: null, movesOn: true, fault: 'landline' }],
    ['opted-out', { retrySeconds: null, movesOn: true, fault: 'opted-out' }],
    ['filtered', { retrySeconds: null, movesOn: true, fault: null }],
    ['rejected', { retrySeconds: null, movesOn: true, fault: null }],
    [null, { retrySeconds: null, movesOn: true, fault: null }],
  ])('of the class %s', async (reason, { retrySeconds, movesOn, fault }) => {
    const person = tree.person('村一');
    const deliveryId = await deliveryTo(person);
    expect(await takeReceipts(database, [receipt(deliveryId, 'undelivered', reason)])).toBe(1);
    expect(await retries()).toEqual(
      retrySeconds === null ? [] : [{ delivery_id: deliveryId, attempt: 2, seconds: retrySeconds }],
    );
    expect(await letters()).toEqual(movesOn ? [{ unit: '村一', body: { kind: 'exhausted', rung: 0 } }] : []);
    expect(await addressOf(person)).toEqual({ fault, dated: fault !== null, proven: false });
  });

  it('is the next rung, and the attempt after', async () => {
    const deliveryId = await deliveryTo(tree.person('村一'));
    await takeReceipts(database, [receipt(deliveryId, 'undelivered', 'handset-off')]);
    const next = channels();
    await runUntilQuiet(database, warningId, next);
    const rungOne = next.flatMap(({ messages }) => messages.map((message) => message.exercise?.step));
    expect(rungOne).toContain('rung 1');
    await makeDeadlinesDue(database, warningId, []);
    const again = channels();
    await runUntilQuiet(database, warningId, again);
    expect(again.flatMap(({ messages }) => messages)).toMatchObject([
      { deliveryId: String(deliveryId), attempt: 2 },
    ]);
  });

  it('hastens the cell', async () => {
    await database.query(`update cells set next_deadline = null where warning_id = $1`, [warningId]);
    const deliveryId = await deliveryTo(tree.person('村一'));
    await takeReceipts(database, [receipt(deliveryId, 'failed', 'carrier-unknown')]);
    const hastened = await database.query(
      `select 1 from cells c join retries r on r.cell_id = c.id and r.due_at = c.next_deadline where c.warning_id = $1`,
      [warningId],
    );
    expect(hastened).toHaveLength(1);
  });

  it('is at most as many attempts as the class allows, and one letter in all', async () => {
    const deliveryId = await deliveryTo(tree.person('村一'));
    for (const attempt of [1, 2, 3]) {
      expect(await takeReceipts(database, [receipt(deliveryId, 'undelivered', 'handset-off', attempt)])).toBe(
        1,
      );
      expect((await retries()).map((retry) => retry.attempt)).toEqual(attempt < 3 ? [attempt + 1] : []);
      await database.query('delete from retries');
    }
    expect(await letters()).toHaveLength(1);
  });

  it('is nothing where a later attempt is planned, under way or made', async () => {
    const [planned, underWay, made] = await planPage(3);
    if (!planned || !underWay || !made) throw new RangeError('three deliveries');
    await database.query(
      `insert into retries (delivery_id, attempt, cell_id, page_id, unit_id, recipient_id, due_at)
       select $1, 2, cell_id, id, unit_ids[1], recipients[1], clock_timestamp() from pages where id = $2`,
      [planned, Math.floor(planned / DELIVERY_ID_STRIDE)],
    );
    await database.query(
      `insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids,
         delivery_ids, attempts)
       select cell_id, warning_id, revision, purpose, step, channel, audience, 1, recipients[1:1], unit_ids[1:1],
         array[$2::bigint], array[2::smallint] from pages where id = $1`,
      [Math.floor(underWay / DELIVERY_ID_STRIDE), underWay],
    );
    await database.query(
      `insert into deliveries select $1, 2, page_id, warning_id, cell_id, unit_id, recipient_id, audience, purpose, step,
         channel, 'handed off', null, 'q', false, clock_timestamp() from deliveries where warning_id = $2 limit 1`,
      [made, warningId],
    );
    await takeReceipts(
      database,
      [planned, underWay, made].map((deliveryId) => receipt(deliveryId, 'failed', 'handset-off')),
    );
    expect(await retries()).toMatchObject([{ delivery_id: planned, attempt: 2 }]);
    expect(await letters()).toEqual([]);
  });

  it('is nothing once the message has arrived', async () => {
    const person = tree.person('村一');
    const deliveryId = await deliveryTo(person);
    await takeReceipts(database, [receipt(deliveryId, 'delivered')]);
    await takeReceipts(database, [receipt(deliveryId, 'undelivered', 'handset-off')]);
    expect([await retries(), await letters()]).toEqual([[], []]);
    expect(await addressOf(person)).toEqual({ fault: null, dated: false, proven: true });
  });

  it('is taken back where the message arrives after all', async () => {
    const person = tree.person('村一');
    const deliveryId = await deliveryTo(person);
    await takeReceipts(database, [receipt(deliveryId, 'undelivered', 'handset-off')]);
    expect(await retries()).toHaveLength(1);
    await takeReceipts(database, [receipt(deliveryId, 'delivered')]);
    expect(await retries()).toEqual([]);
    expect(await addressOf(person)).toMatchObject({ proven: true });
  });

  it('leaves the attempt that settles an unknown outcome', async () => {
    const [deliveryId = 0] = await planPage(1);
    const unknown = recordingChannel('sms', () => ({ outcome: 'unknown', reason: 'timeout' }));
    await runUntilQuiet(database, warningId, [unknown, recordingChannel('email'), recordingChannel('voice')]);
    await takeReceipts(database, [receipt(deliveryId, 'failed', 'rejected'), receipt(deliveryId, 'read')]);
    expect(await retries()).toMatchObject([{ delivery_id: deliveryId, attempt: 2 }]);
  });

  it('is no message any more once the warning has ended, but the address is marked', async () => {
    const person = tree.person('村一');
    const deliveryId = await deliveryTo(person);
    await cancelWarning(database, warningId, null);
    await database.query('delete from inbox');
    await takeReceipts(database, [receipt(deliveryId, 'failed', 'bad-contact')]);
    expect([await retries(), await letters()]).toEqual([[], []]);
    expect(await addressOf(person)).toMatchObject({ fault: 'bad-contact' });
  });

  it('of a household is a mark at its number, and moves nobody', async () => {
    const [household] = await database.query<{ id: number }>('select id from households order by id limit 1');
    const deliveryId = await deliveryTo(household?.id ?? 0, 'households');
    await takeReceipts(database, [receipt(deliveryId, 'failed', 'bad-contact')]);
    const marked = await database.query('select id, fault from households where fault is not null');
    expect(marked).toEqual([{ id: household?.id, fault: 'bad-contact' }]);
    expect([await retries(), await letters()]).toEqual([[], []]);
  });
});

describe('a person of two posts, told by one message', () => {
  beforeAll(() => holdPost(database, tree.unit('乡二'), tree.person('村二'), 0));
  afterAll(() =>
    database.query('delete from posts where unit_id = $1 and person_id = $2', [
      tree.unit('乡二'),
      tree.person('村二'),
    ]),
  );

  const winner = async () => {
    const [row] = await database.query<{ id: number }>(
      `select id from deliveries where warning_id = $1 and recipient_id = $2 and outcome = 'handed off' and channel = 'sms'`,
      [warningId, tree.person('村二')],
    );
    return row?.id ?? 0;
  };

  it('moves both units on where it failed', async () => {
    await makeDeadlinesDue(database, warningId, []);
    await runUntilQuiet(database, warningId, channels());
    await takeReceipts(database, [receipt(await winner(), 'failed', 'bad-contact')]);
    expect((await letters()).map(({ unit }) => unit).sort()).toEqual(['乡二', '村二'].sort());
  });

  it('is really sent again, and not taken for its own second message', async () => {
    await makeDeadlinesDue(database, warningId, []);
    await runUntilQuiet(database, warningId, channels());
    const deliveryId = await winner();
    await takeReceipts(database, [receipt(deliveryId, 'failed', 'carrier-unknown')]);
    await makeDeadlinesDue(database, warningId, []);
    const again = channels();
    await runUntilQuiet(database, warningId, again);
    expect(again.flatMap(({ messages }) => messages)).toMatchObject([
      { deliveryId: String(deliveryId), attempt: 2 },
    ]);
  });
});

describe('in every order', () => {
  const five = (last: Pick<Receipt, 'state' | 'reason'>) =>
    [
      ...(['accepted', 'queued', 'sending', 'sent'] as const).map((state) => ({ state, reason: null })),
      last,
    ] as const;

  it.each<[ReceiptState, ResultClass | null, { letters: number; retries: number }]>([
    ['delivered', null, { letters: 0, retries: 0 }],
    ['read', null, { letters: 0, retries: 0 }],
    ['undelivered', 'bad-contact', { letters: 120, retries: 0 }],
    ['undelivered', 'handset-off', { letters: 120, retries: 120 }],
    ['failed', 'carrier-unknown', { letters: 0, retries: 120 }],
  ])('of five with %s at the end, each doubled, before our own row: %s', async (state, reason, expected) => {
    const all = [...orders(five({ state, reason }))];
    const deliveryIds = await planPage(all.length);
    const fresh = await Promise.all(
      all.map(async (order, place) => {
        const own = order.map((one) => receipt(deliveryIds[place] ?? 0, one.state, one.reason));
        let taken = 0;
        for (const one of own) taken += await takeReceipts(database, [one, one]);
        return taken + (await takeReceipts(database, own.toReversed()));
      }),
    );
    expect(fresh.filter((taken) => taken !== 5)).toEqual([]);
    expect({ letters: (await letters()).length, retries: (await retries()).length }).toEqual(expected);
  });

  it('of pushes at the same time each is stored once', async () => {
    const deliveryIds = await planPage(50);
    const push = deliveryIds.flatMap((id) => [
      receipt(id, 'sent'),
      receipt(id, 'undelivered', 'handset-off'),
      receipt(id, 'failed', 'bad-contact'),
    ]);
    const taken = await Promise.all(
      Array.from({ length: 8 }, (_, turn) =>
        takeReceipts(database, turn % 2 === 0 ? push : push.toReversed()),
      ),
    );
    expect(taken.reduce((sum, one) => sum + one, 0)).toBe(150);
    expect(await letters()).toHaveLength(50);
  });
});

describe('the referee', () => {
  const broken = async (sent: readonly OutgoingMessage[]) => {
    const attempts = new Map(sent.map(({ deliveryId, attempt }) => [`${deliveryId}.${attempt}`, 1]));
    const invariants = await judge(database, warningId, { attempts, arrivals: new Map(), acts: [] });
    return invariants.filter(({ holds }) => !holds).map(({ number }) => number);
  };

  it('takes an attempt after a failed one for what it is, and turns red where no receipt asked for it', async () => {
    const sent: OutgoingMessage[] = [];
    const run = async () => {
      const now = channels();
      await runUntilQuiet(database, warningId, now);
      sent.push(...now.flatMap(({ messages }) => messages));
    };
    await anotherIncident(database);
    ({ warningId } = await issueWarning(database, {
      ...{ hazard: '暴雨', level: 'red', areas: ['城/区'], expires: '+6h', issuer: '城气象台' },
    }));
    await run();
    const deliveryId = await deliveryTo(tree.person('村一'));
    await takeReceipts(database, [receipt(deliveryId, 'undelivered', 'handset-off')]);
    await run();
    await makeDeadlinesDue(database, warningId, []);
    await run();
    expect(sent.filter((message) => message.deliveryId === String(deliveryId))).toHaveLength(2);
    expect(await broken(sent)).toEqual([]);
    await database.query('delete from receipts where delivery_id = $1', [deliveryId]);
    expect(await broken(sent)).toEqual([6, 7, 8]);
  });
});

it('that overtakes the answer to its own send, which is then unknown, asks for one more attempt', async () => {
  const [deliveryId] = await planPage(1);
  const sms = recordingChannel('sms', async (message) => {
    await takeReceipts(database, [receipt(Number(message.deliveryId), 'failed', 'carrier-unknown')]);
    return { outcome: 'unknown', reason: 'timeout' };
  });
  await runUntilQuiet(database, warningId, [sms, recordingChannel('email'), recordingChannel('voice')]);
  expect(sms.messages).toMatchObject([{ deliveryId: String(deliveryId), attempt: 1 }]);
  expect(await retries()).toMatchObject([{ delivery_id: deliveryId, attempt: 2 }]);
});

it('is passed over where there was never such a delivery', async () => {
  const [deliveryId] = await planPage(1);
  const never = [(deliveryId ?? 0) + 1, (deliveryId ?? 0) + DELIVERY_ID_STRIDE * 1_000_000, 7];
  expect(
    await takeReceipts(
      database,
      never.map((id) => receipt(id, 'failed', 'bad-contact')),
    ),
  ).toBe(0);
  expect(await takeReceipts(database, [])).toBe(0);
});
