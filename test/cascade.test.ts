/** Step and pages over real PostgreSQL: what one warning sends, to whom, and what stops it. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { answerByLink } from '../operations/answer-links.ts';
import { answerByReply } from '../operations/answers.ts';
import { cancelWarning, issueWarning, viewWarning } from '../operations/warnings.ts';
import type { Database } from '../db/database.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import { testDatabase } from './database.ts';
import {
  makeDeadlinesDue,
  recordingChannel,
  runUntilQuiet,
  TEST_KEYS,
  type RecordingChannel,
} from './harness/local-cascade.ts';
import { appoint, holdPost, plantSmallTree, type SmallTree } from './harness/small-tree.ts';

let database: Database;
let tree: SmallTree;
let sms: RecordingChannel;
let email: RecordingChannel;

beforeEach(async () => {
  await database?.close();
  database = await testDatabase('cascade');
  tree = await plantSmallTree(database);
  sms = recordingChannel('sms');
  email = recordingChannel('email');
});
afterAll(() => database.close());

const REQUEST = { hazard: '暴雨', level: '红', areas: ['城'], expires: '+6h', issuer: '城气象台' };

async function issue(areas: string[] = ['城']): Promise<number> {
  const { warningId } = await issueWarning(database, { ...REQUEST, areas });
  await runUntilQuiet(database, warningId, [sms, email]);
  return warningId;
}

/** The person's answer by reply, as the gateway would push it. */
async function reply(personId: number, warningId: number, text = '1'): Promise<void> {
  const [row] = await database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [personId],
  );
  const number = answerNumber(TEST_KEYS, warningId, recipientName('people', personId));
  const id = `${personId}-${warningId}-${text}`;
  expect(
    await answerByReply(database, TEST_KEYS, { id, from: row?.address ?? '', text: `${text} ${number}` }),
  ).toBe('recorded');
}

/** Messages of the ladder; end reports and digests have timers of their own. */
const rungs = (channel: RecordingChannel) =>
  channel.messages.filter((message) => message.exercise?.step.startsWith('rung'));

const standing = async (warningId: number) => (await viewWarning(database, warningId)).tiers;

describe('a red warning', () => {
  it('reaches every principal and every household of the tree at once, marked as an Exercise at both ends', async () => {
    await issue();
    expect(sms.messages).toHaveLength(8 + 6);
    expect(email.messages).toHaveLength(0);
    for (const { text } of sms.messages) expect(text).toMatch(/^【演练】.*【演练】$/s);
  });

  it('for one township reaches those above it and nobody beside it', async () => {
    const id = await issue(['区/乡一']);
    expect(sms.messages).toHaveLength(5 + 3);
    const tiers = await standing(id);
    expect(tiers.map(({ tier, units, told }) => [tier, units, told])).toEqual([
      ['city', 1, 1],
      ['district', 1, 1],
      ['township', 1, 1],
      ['village', 1, 1],
      ['group', 1, 1],
      ['household', 3, 3],
    ]);
  });

  it('climbs the ladder where nobody answers: e-mail, deputies, the superior told, bridging', async () => {
    const id = await issue(['区/乡一']);
    await makeDeadlinesDue(database, id);
    await runUntilQuiet(database, id, [sms, email]);
    expect(rungs(email)).toHaveLength(5);
    await makeDeadlinesDue(database, id);
    await runUntilQuiet(database, id, [sms, email]);
    const deputies = sms.messages.filter((message) => message.exercise?.step === 'rung 2');
    expect(deputies).toHaveLength(5);
    await makeDeadlinesDue(database, id, ['digestAt']);
    await runUntilQuiet(database, id, [sms, email]);
    const digests = sms.messages.filter((message) => message.exercise?.step.startsWith('digest'));
    expect(digests).toHaveLength(4);
    expect(digests.map(({ text }) => text).join()).toContain('村一');
    await makeDeadlinesDue(database, id, ['answerBy']);
    await runUntilQuiet(database, id, [sms, email]);
    const bridged = sms.messages.filter((message) => message.exercise?.step === 'rung 3');
    expect(bridged).toHaveLength(10);
    expect(bridged.map(({ text }) => text).join()).toContain('请直接向');
    const tiers = await standing(id);
    expect(tiers.slice(0, 5).every((tier) => tier.silent === 1 && tier.escalated === 1)).toBe(true);
  });

  it('chases nobody who has answered, whatever rung they stand on', async () => {
    const id = await issue(['区/乡一']);
    await reply(tree.person('村一'), id);
    await runUntilQuiet(database, id, [sms, email]);
    await makeDeadlinesDue(database, id);
    await runUntilQuiet(database, id, [sms, email]);
    expect(rungs(email)).toHaveLength(4);
    expect(rungs(email).some((message) => message.text.includes('村一负责'))).toBe(false);
    const village = (await standing(id)).find((tier) => tier.tier === 'village');
    expect(village).toMatchObject({ answered: 1, silent: 0, escalated: 0 });
  });

  it('drops at the claim what an answer made needless after the page was written', async () => {
    const { warningId } = await issueWarning(database, { ...REQUEST, areas: ['区/乡一'] });
    await reply(tree.person('乡一'), warningId);
    await runUntilQuiet(database, warningId, [sms, email]);
    expect(sms.messages).toHaveLength(4 + 3);
  });

  it('takes an answer by link only with the number of the message', async () => {
    const id = await issue(['区/乡一']);
    await makeDeadlinesDue(database, id);
    await runUntilQuiet(database, id, [sms, email]);
    const message = email.messages[0];
    const token = /\/a\/(\S+)/.exec(message?.text ?? '')?.[1] ?? '';
    const number = message?.parameters['number'] ?? '';
    const wrong = number === '0000' ? '0001' : '0000';
    const act = { token, answer: 'received' as const, doneCount: null };
    expect(await answerByLink(database, TEST_KEYS, { ...act, number: wrong })).toMatchObject({
      kind: 'wrong number',
      triesLeft: 4,
    });
    expect(await answerByLink(database, TEST_KEYS, { ...act, number })).toMatchObject({ kind: 'recorded' });
  });
});

describe('one person with several posts', () => {
  it('is told once for a rung, in words that name all units, and answers once for all', async () => {
    const person = await appoint(database, tree.unit('组二'), '兼任', 2);
    await database.query('delete from posts where unit_id = $1 and rank = 0', [tree.unit('乡二')]);
    await database.query('delete from posts where unit_id = $1 and rank = 0', [tree.unit('城')]);
    await holdPost(database, tree.unit('乡二'), person, 0);
    await holdPost(database, tree.unit('城'), person, 0);
    const id = await issue();
    await makeDeadlinesDue(database, id);
    const [{ address } = { address: '' }] = await database.query<{ address: string }>(
      `select address from person_channels where person_id = $1 and channel = 'sms'`,
      [person],
    );
    // The merged delivery is asked again a moment later what became of the other; by then both units count as told.
    await database.query(`update retries set due_at = clock_timestamp() - interval '1 second'`);
    await runUntilQuiet(database, id, [sms, email]);
    const own = sms.messages.filter(
      (message) => message.address === address && message.exercise?.step === 'rung 0',
    );
    expect(own).toHaveLength(1);
    expect(own[0]?.text).toMatch(/城、乡二/);
    await reply(person, id);
    await runUntilQuiet(database, id, [sms, email]);
    const rows = await database.query(
      `select unit_id from unit_states where warning_id = $1 and status = 'answered' order by unit_id`,
      [id],
    );
    expect(rows).toHaveLength(3);
  });
});

describe('failing channels', () => {
  it('go to the next rung at once where a contact is bad, and try a throttled one again', async () => {
    sms = recordingChannel('sms', (message) =>
      message.text.includes('乡一回复')
        ? { outcome: 'failed', reason: 'bad-contact' }
        : { outcome: 'handed off', providerId: 'x' },
    );
    await issue(['区/乡一']);
    expect(email.messages).toHaveLength(1);
    expect(email.messages[0]?.text).toContain('乡一');
  });

  it('send an unknown outcome again, flagged, a bounded number of times', async () => {
    sms = recordingChannel('sms', (message) =>
      message.text.includes('乡一回复')
        ? { outcome: 'unknown', reason: 'timeout' }
        : { outcome: 'handed off', providerId: 'x' },
    );
    const id = await issue(['区/乡一']);
    for (let round = 0; round < 6; round += 1) {
      await database.query(`update retries set due_at = clock_timestamp() - interval '1 second'`);
      await runUntilQuiet(database, id, [sms, email]);
    }
    const rows = await database.query<{ attempt: number; possible_duplicate: boolean }>(
      `select attempt, possible_duplicate from deliveries where outcome = 'unknown' order by attempt`,
    );
    expect(rows.map((row) => [row.attempt, row.possible_duplicate])).toEqual([
      [1, false],
      [2, true],
      [3, true],
      [4, true],
    ]);
    expect(email.messages).toHaveLength(1);
  });
});

describe('a cancel', () => {
  it('stops what is pending and reaches exactly those not provably unsent', async () => {
    const id = await issue(['区/乡一']);
    await makeDeadlinesDue(database, id);
    const told = new Set(sms.messages.map((message) => message.address));
    await cancelWarning(database, id, '误报');
    await runUntilQuiet(database, id, [sms, email]);
    expect(email.messages).toHaveLength(0);
    const notices = sms.messages.filter((message) => message.exercise?.step.startsWith('cancel notice'));
    expect(new Set(notices.map((message) => message.address))).toEqual(told);
    expect(notices).toHaveLength(told.size);
    const view = await viewWarning(database, id);
    expect(view.settled).toBe(true);
  });

  it('before anything was sent sends nothing at all', async () => {
    const { warningId } = await issueWarning(database, REQUEST);
    await cancelWarning(database, warningId, null);
    await runUntilQuiet(database, warningId, [sms, email]);
    expect(sms.messages).toHaveLength(0);
    expect((await viewWarning(database, warningId)).settled).toBe(true);
  });

  it('is refused the second time', async () => {
    const id = await issue();
    await cancelWarning(database, id, null);
    await expect(cancelWarning(database, id, null)).rejects.toMatchObject({ refusal: 'conflict' });
  });
});

describe('the expiry', () => {
  it('ends every unit and lets nothing leave after it', async () => {
    const { warningId } = await issueWarning(database, REQUEST);
    await database.query(
      `update warnings set issued_at = issued_at - interval '7 hours', expires_at = expires_at - interval '7 hours'`,
    );
    await runUntilQuiet(database, warningId, [sms, email]);
    expect(sms.messages).toHaveLength(0);
    const view = await viewWarning(database, warningId);
    expect(view.warning.status).toBe('expired');
    expect(view.settled).toBe(true);
  });
});
