/** What a person gets of several warnings, of attempts nobody knows the end of, and of addresses that do not work, over real PostgreSQL. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { stepCell } from '../activities/step.ts';
import type { Database } from '../db/database.ts';
import { createStepStore } from '../db/step-store.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import type { SendResult } from '../domain/ports.ts';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerByLink } from '../operations/answer-links.ts';
import { answerByReply } from '../operations/answers.ts';
import { DEFAULT_RULE_PACK } from '../operations/rule-packs.ts';
import { takeReceipts } from '../operations/receipts.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import {
  makeDeadlinesDue,
  recordingChannel,
  runUntilQuiet,
  TEST_KEYS,
  type RecordingChannel,
} from './harness/local-cascade.ts';
import { holdPost, plantSmallTree, type SmallTree, anotherIncident } from './harness/small-tree.ts';

let database: Database;
let tree: SmallTree;
let sms: RecordingChannel;
let email: RecordingChannel;

beforeEach(async () => {
  await database?.close();
  database = await testDatabase('channels-cascade');
  tree = await plantSmallTree(database);
  sms = recordingChannel('sms');
  email = recordingChannel('email');
});
afterAll(() => database.close());

const REQUEST = { level: '红', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' };

async function issue(hazard = '暴雨'): Promise<number> {
  await anotherIncident(database);
  const { warningId } = await issueWarning(database, { ...REQUEST, hazard });
  return warningId;
}

const run = (warningId: number) => runUntilQuiet(database, warningId, [sms, email]);

/** Writes a warning's pages without sending any. */
async function stepOnly(warningId: number): Promise<void> {
  const steps = createStepStore(database);
  for (let more = true; more;) {
    more = false;
    const cells = await database.query<{ id: number }>('select id from cells where warning_id = $1', [
      warningId,
    ]);
    for (const { id } of cells)
      if ((await stepCell(steps, { cellId: id, withCounts: false, serves: 'exercise' })).took > 0)
        more = true;
  }
}

async function addressOf(personId: number): Promise<string> {
  const [row] = await database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [personId],
  );
  return row?.address ?? '';
}

const to = async (personId: number) => {
  const address = await addressOf(personId);
  return sms.messages.filter((message) => message.address === address);
};

async function outcomes(warningId: number, personId: number) {
  const rows = await database.query<{ attempt: number; outcome: string; reason: string; flagged: boolean }>(
    `select attempt, outcome, reason, possible_duplicate as flagged from deliveries
     where warning_id = $1 and recipient_id = $2 and audience = 'people' and channel = 'sms' order by id, attempt`,
    [warningId, personId],
  );
  return rows.map(({ attempt, outcome, reason, flagged }) =>
    [attempt, outcome, reason, flagged ? 'flagged' : '']
      .filter((word) => word !== null && word !== '')
      .join(' '),
  );
}

describe('one person, several warnings', () => {
  it('gets one message for both, and answers each by its own number', async () => {
    const [rain, slide] = [await issue('暴雨'), await issue('大风')];
    await stepOnly(slide);
    await run(rain);
    await run(slide);
    const village = tree.person('村一');
    const messages = await to(village);
    expect(messages).toHaveLength(1);
    const [text = ''] = messages.map((message) => message.text);
    expect(text).toContain('暴雨');
    expect(text).toContain('大风');
    // Each part is an Exercise's, at both its ends.
    for (const part of text.split('\n\n')) expect(part).toMatch(/^【演练】.*【演练】$/s);
    expect(await outcomes(rain, village)).toEqual(['1 handed off']);
    await makeDeadlinesDue(database, slide, []);
    await run(slide);
    expect((await outcomes(slide, village)).at(-1)).toMatch(/merged$/);
    for (const warningId of [rain, slide]) {
      const number = answerNumber(TEST_KEYS, warningId, recipientName('people', village));
      expect(text).toContain(number);
      const reply = { id: `r${warningId}`, from: await addressOf(village), text: `1 ${number}` };
      expect(await answerByReply(database, TEST_KEYS, reply)).toBe('recorded');
    }
  });

  it('gets the second by itself where the first never went', async () => {
    sms = recordingChannel('sms', ({ text }) =>
      text.includes('暴雨')
        ? { outcome: 'failed', reason: 'filtered' }
        : { outcome: 'handed off', providerId: 'p' },
    );
    const [rain, slide] = [await issue('暴雨'), await issue('大风')];
    await stepOnly(slide);
    await run(rain);
    await run(slide);
    await makeDeadlinesDue(database, slide, []);
    await run(slide);
    expect((await outcomes(slide, tree.person('村一'))).at(-1)).toMatch(/handed off$/);
  });

  it('gets two where a post more makes the other one not theirs alone', async () => {
    await holdPost(database, tree.unit('组一'), tree.person('村一'), 0);
    const [rain, slide] = [await issue('暴雨'), await issue('大风')];
    await stepOnly(slide);
    await run(rain);
    await run(slide);
    expect(await to(tree.person('村一'))).toHaveLength(2);
  });
});

describe('an attempt whose end nobody knows', () => {
  const lost: SendResult = { outcome: 'unknown', reason: 'timeout' };

  async function again(warningId: number): Promise<string[]> {
    await run(warningId);
    await makeDeadlinesDue(database, warningId, []);
    await run(warningId);
    return outcomes(warningId, tree.person('村一'));
  }

  it('is adopted when a receipt of it has come', async () => {
    sms = recordingChannel('sms', () => lost);
    const warningId = await issue();
    await run(warningId);
    const [message] = await to(tree.person('村一'));
    const receipt = {
      state: 'delivered' as const,
      code: null,
      reason: null,
      sender: 'any',
      providerId: 'p7',
    };
    await takeReceipts(
      database,
      [{ ...receipt, deliveryId: Number(message?.deliveryId), attempt: 1 }],
      'exercise',
    );
    expect(await again(warningId)).toEqual(['1 unknown timeout', '2 handed off adopted-by-receipt']);
    expect(await to(tree.person('村一'))).toHaveLength(1);
  });

  it('is adopted when the provider has it', async () => {
    sms = { ...recordingChannel('sms', () => lost), find: async () => ({ providerId: 'p9' }) };
    expect(await again(await issue())).toEqual(['1 unknown timeout', '2 handed off adopted-by-listing']);
  });

  it('goes again, flagged, when the provider has not, or cannot be asked', async () => {
    sms = { ...recordingChannel('sms', () => lost), find: async () => 'unknown' as const };
    expect(await again(await issue())).toEqual(['1 unknown timeout', '2 unknown timeout flagged']);
    expect(await to(tree.person('村一'))).toHaveLength(2);
  });

  it('does not go again where the rule pack wants it quiet', async () => {
    sms = recordingChannel('sms', () => lost);
    const warningId = await issue();
    await database.query(`update warnings set rules = jsonb_set(rules, '{retry,whenUnknown}', '"quiet"')`);
    expect(await again(warningId)).toEqual(['1 unknown timeout', '2 failed not-repeated flagged']);
    expect(await to(tree.person('村一'))).toHaveLength(1);
  });
});

describe('an address that does not work', () => {
  it('is not used, and the next rung begins at once', async () => {
    const village = tree.person('村一');
    await database.query(
      `update person_channels set fault = 'opted-out', fault_at = clock_timestamp() where person_id = $1 and channel = 'sms'`,
      [village],
    );
    const warningId = await issue();
    await run(warningId);
    expect(await to(village)).toHaveLength(0);
    expect(email.messages).toHaveLength(1);
  });

  it('is not used either when it stopped working between the plan and the send', async () => {
    const warningId = await issue();
    await stepOnly(warningId);
    const village = tree.person('村一');
    await database.query(
      `update person_channels set fault = 'opted-out', fault_at = clock_timestamp() where person_id = $1 and channel = 'sms'`,
      [village],
    );
    await run(warningId);
    expect(await outcomes(warningId, village)).toEqual(['1 failed no-address']);
  });
});

it('a person has no more messages in a while than the rule pack allows; what is above waits', async () => {
  const [first, second] = [await issue('暴雨'), await issue('大风')];
  await database.query(
    `update warnings set rules = rules || '{"throttle":{"messages":1,"withinMs":600000}}'`,
  );
  await run(first);
  await run(second);
  const village = tree.person('村一');
  expect(await outcomes(second, village)).toEqual(['1 later person-throttled']);
  const [retry] = await database.query<{ minutes: number }>(
    `select extract(epoch from due_at - clock_timestamp()) / 60 as minutes from retries r join cells c on c.id = r.cell_id
     where c.warning_id = $1 and r.recipient_id = $2`,
    [second, village],
  );
  expect(Number(retry?.minutes)).toBeGreaterThan(9);
  expect(Number(retry?.minutes)).toBeLessThanOrEqual(10);
});

describe('the second stage and the doors', () => {
  const rules = JSON.stringify({
    done: { tiers: ['village'], withinMs: 3_600_000, againMs: 1_800_000, remindersMost: 1, by: ['sms'] },
    doors: { afterMs: 1_200_000, by: ['sms'] },
  });

  async function answer(warningId: number, unit: string, word: string): Promise<void> {
    const personId = tree.person(unit);
    const number = answerNumber(TEST_KEYS, warningId, recipientName('people', personId));
    const from = await addressOf(personId);
    await answerByReply(database, TEST_KEYS, { id: `${unit} ${word}`, from, text: `${word} ${number}` });
    await run(warningId);
  }

  const steps = () => sms.messages.map((message) => message.exercise?.step ?? '');

  it('reminds who has received until it is done, and then tells the superior', async () => {
    const warningId = await issue();
    await database.query('update warnings set rules = rules || $1::jsonb', [rules]);
    await run(warningId);
    for (const unit of ['村一', '乡一', '组一', '区', '城']) await answer(warningId, unit, '1');
    await makeDeadlinesDue(database, warningId, ['doneBy']);
    await run(warningId);
    const [reminder] = sms.messages.filter((message) => message.exercise?.step === 'done reminder 0');
    expect(reminder?.text).toContain('尚未报告落实');
    await makeDeadlinesDue(database, warningId, ['doneBy']);
    await run(warningId);
    await makeDeadlinesDue(database, warningId, ['digestAt']);
    await run(warningId);
    const [digest] = sms.messages.filter((message) => message.exercise?.step === 'digest 0');
    expect(digest?.address).toBe(await addressOf(tree.person('乡一')));
    expect(digest?.text).toContain('村一');
    expect(steps().filter((step) => step.startsWith('done'))).toEqual(['done reminder 0']);
  });

  it('sends the group’s leader to the households that have not answered', async () => {
    const warningId = await issue();
    await database.query('update warnings set rules = rules || $1::jsonb', [rules]);
    await run(warningId);
    const [household] = await database.query<{ id: number; address: string }>(
      'select id, address from households where unit_id = $1 order by id limit 1',
      [tree.unit('组一')],
    );
    const number = answerNumber(TEST_KEYS, warningId, recipientName('households', household?.id ?? 0));
    await answerByReply(database, TEST_KEYS, {
      id: 'h',
      from: household?.address ?? '',
      text: `1 ${number}`,
    });
    await makeDeadlinesDue(database, warningId, ['doorAt']);
    await run(warningId);
    const [doors, ...more] = sms.messages.filter((message) => message.exercise?.step === 'door to door 0');
    expect(more).toEqual([]);
    expect(doors?.address).toBe(await addressOf(tree.person('组一')));
    expect(doors?.text).toContain('2户未应答');
    expect(doors?.text).not.toContain('户一1');
    expect(doors?.text).toContain('户一2、户一3');
  });
});

describe('a channel whose senders are all closed', () => {
  it('begins no attempt while the warning is open, and goes on when it opens', async () => {
    let closedMs = 60_000;
    sms = { ...recordingChannel('sms'), closedForMs: async () => closedMs };
    const warningId = await issue();
    await run(warningId);
    const village = tree.person('村一');
    expect(await outcomes(warningId, village)).toEqual([]);
    closedMs = 0;
    await run(warningId);
    expect(await outcomes(warningId, village)).toEqual(['1 handed off']);
  });

  it('holds up nothing when the warning has ended', async () => {
    sms = { ...recordingChannel('sms'), closedForMs: async () => 60_000 };
    const warningId = await issue();
    await run(warningId);
    await cancelWarning(database, warningId, 'over');
    await run(warningId);
    expect(await outcomes(warningId, tree.person('村一'))).toEqual(['1 dropped cancelled']);
    const open = await database.query('select from pages where warning_id = $1 and ended_at is null', [
      warningId,
    ]);
    expect(open).toEqual([]);
  });
});

it('an address that the provider calls wrong is marked at once, and not tried again by the next warning', async () => {
  const village = tree.person('村一');
  const address = await addressOf(village);
  sms = recordingChannel('sms', (message) =>
    message.address === address
      ? { outcome: 'failed', reason: 'bad-contact' }
      : { outcome: 'handed off', providerId: 'p' },
  );
  await run(await issue());
  const [row] = await database.query<{ fault: string }>(
    `select fault from person_channels where person_id = $1 and channel = 'sms'`,
    [village],
  );
  expect(row?.fault).toBe('bad-contact');
  await run(await issue('大风'));
  expect(await to(village)).toHaveLength(1);
});

describe('the link of the answer page', () => {
  const links = /http:\/\/answers\.example\/a\/(\S+)/;

  it('stands in an SMS beside the words that answer it, first and last of which are the mark, where the channel may hold it', async () => {
    sms = Object.assign(recordingChannel('sms'), { links: (address: string) => address.endsWith('1') });
    const id = await issue();
    await run(id);
    const withLink = sms.messages.filter(({ text }) => links.test(text));
    expect(withLink.length).toBeGreaterThan(0);
    for (const { address, text } of sms.messages) {
      expect(links.test(text), text).toBe(address.endsWith('1'));
      expect(text).toMatch(/^【演练】[\s\S]*回复 1 \d{4}[\s\S]*【演练】$/);
    }
    const [message] = withLink;
    const token = links.exec(message?.text ?? '')?.[1] ?? '';
    const number = /回复 1 (\d{4})/.exec(message?.text ?? '')?.[1] ?? '';
    expect(
      await answerByLink(database, TEST_KEYS, { token, number, answer: 'received', doneCount: null }),
    ).toMatchObject({ kind: 'recorded' });
  });

  it('is how a push asks for an answer, with the number', async () => {
    const person = tree.person('村一');
    await database.query('update person_channels set channel = $2 where person_id = $1 and channel = $3', [
      ...[person, 'push', 'email'],
    ]);
    const push = Object.assign(recordingChannel('push'), { links: () => true });
    const folder = mkdtempSync(join(tmpdir(), 'fenghuo-push-'));
    const rulePackFile = join(folder, 'push.yaml');
    const shipped = readFileSync(DEFAULT_RULE_PACK, 'utf8');
    const first = 'name: tell, who: principal, by: [sms]';
    writeFileSync(
      rulePackFile,
      shipped.replaceAll(first, first.replace('[sms]', '[push]')).replace(/^id: .*$/m, 'id: push-first'),
    );
    const { warningId } = await issueWarning(database, { ...REQUEST, hazard: '暴雨', rulePackFile });
    await runUntilQuiet(database, warningId, [sms, email, push]);
    rmSync(folder, { recursive: true });
    expect(push.messages).toHaveLength(1);
    expect(push.messages[0]?.text).toMatch(links);
    expect(push.messages[0]?.text).toMatch(/编号 \d{4}/);
  });
});
