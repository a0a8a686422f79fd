/** What comes in by the doors of one kind counts for no warning of the other: replies, keys, receipts, and what was asked for back. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { FROM_THE_BEGINNING } from '../activities/recall.ts';
import { createRecallStore } from '../db/recalls.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import { KINDS, type WarningKind } from '../domain/kinds.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel, runUntilQuiet, TEST_KEYS } from '../test/harness/local-cascade.ts';
import { pastTriggers } from '../test/harness/office.ts';
import { plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { answerByReplies, type GatewayReply } from './answers.ts';
import { catchUpInbound } from './inbound-catch-up.ts';
import { answerByKey } from './key-answers.ts';
import { takeReceipts } from './receipts.ts';
import { issueWarning } from './warnings.ts';

const OTHER: Record<WarningKind, WarningKind> = { exercise: 'actual', actual: 'exercise' };

let database: Database;
let tree: SmallTree;
let warningId: number;
let deliveryId: number;

beforeAll(async () => {
  database = await testDatabase('doors-of-kinds');
  tree = await plantSmallTree(database);
});
afterAll(() => database.close());
beforeEach(async () => {
  await pastTriggers(
    database,
    `update warnings set status = 'cancelled', ended_at = clock_timestamp() - interval '2 days'`,
  );
});

/** A warning of a kind that was told to everybody; how it came to be is not what this is about. */
async function told(kind: WarningKind): Promise<void> {
  const request = { hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '城气象台' };
  ({ warningId } = await issueWarning(database, request));
  const byGateway = () => ({
    ...{ outcome: 'handed off' as const, providerId: 'p' },
    sender: 'sms-gateway',
  });
  await runUntilQuiet(database, warningId, [recordingChannel('sms', byGateway), recordingChannel('email')]);
  await pastTriggers(database, 'update warnings set kind = $2 where id = $1', [warningId, kind]);
  const [delivery] = await database.query<{ id: number }>(
    `select id from deliveries where warning_id = $1 and recipient_id = $2 and audience = 'people' and channel = 'sms'`,
    [warningId, tree.person('村一')],
  );
  deliveryId = delivery?.id ?? 0;
}

let ids = 0;

async function reply(code = true): Promise<GatewayReply> {
  const person = tree.person('村一');
  const [row] = await database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [person],
  );
  const number = answerNumber(TEST_KEYS, warningId, recipientName('people', person));
  return { id: `r${(ids += 1)}`, from: row?.address ?? '', text: code ? `1 ${number}` : '1' };
}

const take = async (one: GatewayReply, serves: WarningKind) =>
  (await answerByReplies(database, TEST_KEYS, [one], { via: 'gateway', serves }))[0];

const answers = async () =>
  (await database.query('select from answers where warning_id = $1', [warningId])).length;

describe.each(KINDS)('of an %s warning', (kind) => {
  beforeEach(() => told(kind));

  it('a reply counts by its own door, with its number and without; by the other it says nothing', async () => {
    for (const code of [true, false]) {
      expect(await take(await reply(code), OTHER[kind])).toEqual({
        ...{ verdict: 'nothing open', sayBack: null, kind: null },
      });
      expect(await answers()).toBe(0);
    }
    for (const code of [true, false])
      expect(await take(await reply(code), kind)).toMatchObject({ verdict: 'recorded', kind });
    expect(await answers()).toBe(2);
  });

  it('a reply is not taken for repeated because the other door gave another one the same id', async () => {
    const one = await reply();
    await take(one, OTHER[kind]);
    expect(await take(one, kind)).toMatchObject({ verdict: 'recorded' });
    expect(await take(one, kind)).toMatchObject({ verdict: 'repeated' });
  });

  it('a key counts by its own door', async () => {
    const press = { deliveryId, callId: `c${warningId}`, step: 1, key: '1', via: 'voice' as const };
    expect(await answerByKey(database, { ...press, serves: OTHER[kind] })).toBe('no such delivery');
    expect(await answers()).toBe(0);
    expect(await answerByKey(database, { ...press, serves: kind })).toBe('recorded');
    expect(await answers()).toBe(1);
  });

  it('a receipt counts by its own door, and marks no address by the other', async () => {
    const receipt = {
      ...{ deliveryId, attempt: 1, code: null, sender: 'sms-gateway', providerId: 'p' },
      ...{ state: 'failed' as const, reason: 'bad-contact' as const },
    };
    const faults = () => database.query(`select from person_channels where fault = 'bad-contact'`);
    const letters = () =>
      database.query(
        `select from inbox i join cells c on c.id = i.cell_id where c.warning_id = $1 and i.body->>'kind' = 'exhausted'`,
        [warningId],
      );
    expect(await takeReceipts(database, [receipt], OTHER[kind])).toBe(0);
    expect([await faults(), await letters()]).toEqual([[], []]);
    expect(await takeReceipts(database, [receipt], kind)).toBe(1);
    expect((await faults()).length).toBeGreaterThan(0);
    expect((await letters()).length).toBeGreaterThan(0);
    await database.query('update person_channels set fault = null, fault_at = null');
  });

  it('what was not pushed is listed from each account’s own watermark', async () => {
    await database.query(`delete from liveness where name like 'mark %'`);
    const nothing = { since: async () => [] };
    await catchUpInbound(database, TEST_KEYS, nothing, kind);
    const before = await database.query(`select name, at::text from liveness where name like 'mark %'`);
    await catchUpInbound(database, TEST_KEYS, nothing, OTHER[kind]);
    const after = await database.query(`select name, at::text from liveness where name like 'mark %'`);
    expect(after).toEqual(expect.arrayContaining(before));
    const lost = await reply();
    const inbound = { since: async () => [lost] };
    expect(await catchUpInbound(database, TEST_KEYS, inbound, OTHER[kind])).toBe(1);
    expect(await answers()).toBe(0);
    expect(await catchUpInbound(database, TEST_KEYS, inbound, kind)).toBe(1);
    expect(await answers()).toBe(1);
  });

  it('a message is asked for back by the workers of its kind alone, though both have a sender of that name', async () => {
    await pastTriggers(
      database,
      `update warnings set status = 'cancelled', ended_at = clock_timestamp() where id = $1`,
      [warningId],
    );
    const store = (serves: WarningKind) => createRecallStore(database, { serves, senders: ['sms-gateway'] });
    await store(kind).wish(FROM_THE_BEGINNING);
    expect(await store(OTHER[kind]).take(1_000)).toEqual([]);
    expect((await store(kind).take(1_000)).map((recall) => recall.deliveryId)).toContain(deliveryId);
  });
});
