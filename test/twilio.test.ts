/**
 * A warning to people outside mainland China, carried by Twilio alone: SMS, calls, callbacks, replies and keys, by its own library
 * and with its own signatures, while much of it goes wrong.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTwilioInbound } from '../channels/twilio-inbound.ts';
import { catchUpInbound } from '../operations/inbound-catch-up.ts';
import { issueWarning } from '../operations/warnings.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { broken, startStack, TWILIO, type Stack } from './harness/stack.ts';
import { waitUntil } from '../runtime/processes.ts';
import { answerKeys } from '../worker/channels.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack('twilio-whole', {
    twilio: true,
    model: { neverAnswersShare: 0.2, cannotActShare: 0.1, wokenShare: { sms: 0.5, voice: 0.8, email: 0 } },
    faults: {
      twilio: {
        answerLostShare: 0.2,
        throttledShare: 0.05,
        serverErrorShare: 0.05,
        refused: [{ share: 0.05, code: 21408 }],
        undelivered: [
          { share: 0.05, code: 30003 },
          { share: 0.05, code: 30008 },
        ],
        callbacksMissingShare: 0.3,
        repliesMissingShare: 0.2,
        callbacks: { copies: 5, lateMs: 500, shuffled: true },
      },
    },
  });
  const { database } = stack;
  await plantSmallTree(database);
  await database.query(
    `update person_channels set address = '+1202555' || lpad(person_id::text, 4, '0') where channel = 'sms'`,
  );
  await database.query(
    `insert into person_channels (person_id, channel, address)
     select person_id, 'voice', address from person_channels where channel = 'sms'`,
  );
  await database.query(`update households set address = '+1202554' || lpad(id::text, 4, '0')`);
});
afterAll(() => stack.stop());

it('reaches people by SMS and calls, and takes their replies and keys', async () => {
  const { database } = stack;
  const { warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['城'],
    issuer: '城气象台',
    expires: '+40m',
    speed: 150,
  });
  await stack.startWorker();
  const view = await stack.until(warningId, 'the warning to close', ({ settled }) => settled, 200_000);
  expect(view.tiers.reduce((sum, tier) => sum + tier.answered, 0)).toBeGreaterThan(0);
  const ledger = await stack.ledger(warningId);
  expect(ledger.messages.sms).toBeGreaterThan(10);
  expect(ledger.messages.voice).toBeGreaterThan(0);
  const senders = await database.query<{ sender: string }>(
    `select distinct sender from deliveries where warning_id = $1 and sender is not null and channel in ('sms', 'voice') order by 1`,
    [warningId],
  );
  expect(senders.map(({ sender }) => sender)).toEqual(['twilio-sms', 'twilio-voice']);
  const [heard] = await database.query<{ receipts: number; answers: number }>(
    `select (select count(*) from receipts)::int as receipts,
       (select count(*) from answers where warning_id = $1 and via = 'twilio')::int as answers`,
    [warningId],
  );
  expect(heard?.receipts).toBeGreaterThan(20);
  expect(heard?.answers).toBeGreaterThan(3);
  expect(broken(await stack.judge(warningId))).toEqual([]);
});

it('finds replies that could not be pushed in the list', async () => {
  const { database, sandbox, config } = stack;
  sandbox.setFaults({ twilio: { repliesMissingShare: 1 } });
  // Of the faults before, some numbers are known as wrong.
  await database.query('update person_channels set fault = null, fault_at = null');
  const { warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['城'],
    issuer: '城气象台',
    expires: '+10m',
    speed: 60,
  });
  // Households answer too, but not in person.
  const bySms = async () =>
    (await stack.ledger(warningId)).acts.filter(
      ({ via, address }) => via === 'sms' && address.startsWith('+1202555'),
    );
  const answers = () =>
    database.query<{ address: string }>(
      `select distinct c.address from answers a join person_channels c on c.person_id = a.person_id and c.channel = 'sms'
       where a.warning_id = $1 and a.delivery_id is null`,
      [warningId],
    );
  await waitUntil(async () => ((await bySms()).length > 1 ? true : null), {
    deadlineMs: 60_000,
    what: 'replies',
  });
  expect(await answers()).toEqual([]);
  const acted = new Set((await bySms()).map(({ address }) => address));
  const inbound = createTwilioInbound({ ...TWILIO, apiUrl: sandbox.twilio?.url, from: '+15005550006' });
  try {
    await waitUntil(
      async () => {
        await catchUpInbound(database, answerKeys(config), inbound, 'exercise');
        const taken = new Set((await answers()).map(({ address }) => address));
        return [...acted].every((address) => taken.has(address)) ? true : null;
      },
      { deadlineMs: 30_000, what: 'the replies to be answers' },
    );
    expect(await catchUpInbound(database, answerKeys(config), inbound, 'exercise')).toBeLessThan(acted.size);
  } finally {
    await inbound.close();
  }
});
