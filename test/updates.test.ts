/** Updates of a warning over PostgreSQL: who hears what, whose answer stands, and that two at once do not both win. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stepCell } from '../activities/step.ts';
import { run as fenghuo } from '../cli/testing.ts';
import { storeVisits } from '../db/doors.ts';
import { createPageStore } from '../db/page-store.ts';
import type { Database } from '../db/database.ts';
import { createStepStore } from '../db/step-store.ts';
import { answerNumber, answerToken, recipientName } from '../domain/links.ts';
import type { OutgoingMessage } from '../domain/ports.ts';
import { answerByLink, openAnswerLink } from '../operations/answer-links.ts';
import { answerByCommand, answerByReply } from '../operations/answers.ts';
import { judge } from '../operations/referee.ts';
import { updateExercise, type UpdateRequest } from '../operations/updates.ts';
import {
  cancelWarning,
  endExercise,
  issueWarning,
  viewWarning,
  type WarningRequest,
} from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import {
  makeDeadlinesDue,
  recordingChannel,
  runUntilQuiet,
  TEST_KEYS,
  type RecordingChannel,
} from './harness/local-cascade.ts';
import { holdingCommit } from './harness/slow-commit.ts';
import { plantSmallTree, type SmallTree } from './harness/small-tree.ts';

let database: Database;
let tree: SmallTree;
let sms: RecordingChannel;
let channels: RecordingChannel[];

beforeEach(async () => {
  database = await testDatabase('updates');
  tree = await plantSmallTree(database);
  everSaid = [];
  sms = recordingChannel('sms');
  channels = [sms, recordingChannel('email'), recordingChannel('voice')];
});
afterEach(async () => {
  expect(await broken()).toEqual([]);
  await database.close();
});

/** Every warning is judged, but for what its people did: there is no ledger of acts here. */
const broken = async () => {
  const rows = await database.query<{ id: number }>('select id from warnings order by id');
  const faults = [];
  for (const { id } of rows) {
    const invariants = await judge(database, id, { attempts: attempts(id), arrivals: new Map(), acts: [] });
    faults.push(
      ...invariants.filter(({ number, holds }) => !holds && number !== 3).map((fault) => ({ id, ...fault })),
    );
  }
  return faults;
};

/** How often each attempt was taken by a channel. */
const attempts = (warningId: number) => {
  const taken = new Map<string, number>();
  const messages = [...everSaid, ...channels.flatMap((channel) => channel.messages)];
  for (const { deliveryId, attempt } of messages.filter((one) => one.warningId === String(warningId))) {
    const reference = `${deliveryId}.${attempt}`;
    taken.set(reference, (taken.get(reference) ?? 0) + 1);
  }
  return taken;
};

const request = (level: string, more: Partial<WarningRequest> = {}): WarningRequest => ({
  ...{ hazard: '暴雨', level, areas: ['城'], expires: '+6h', issuer: '城气象台' },
  ...more,
});

const issue = async (level = 'orange', areas = ['城']) =>
  (await issueWarning(database, request(level, { areas }))).warningId;

const run = (warningId: number) => runUntilQuiet(database, warningId, channels);

/** Steps every cell once: pages are written, and nothing is sent. */
const stepOnce = async (warningId: number) => {
  const cells = await database.query<{ id: number }>('select id from cells where warning_id = $1', [
    warningId,
  ]);
  const store = createStepStore(database);
  for (const { id } of cells) await stepCell(store, { cellId: id, withCounts: false, serves: 'exercise' });
};

/** What was said since it was asked last. */
const said = () => {
  const messages = sms.messages.splice(0);
  everSaid.push(...messages);
  return messages;
};

let everSaid: OutgoingMessage[];

const addressOf = async (unit: string, rank = 0) => {
  const [row] = await database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [tree.person(unit, rank)],
  );
  return row?.address ?? '';
};

const to = async (messages: readonly OutgoingMessage[], unit: string, rank = 0) => {
  const address = await addressOf(unit, rank);
  return messages.filter((message) => message.address === address).map((message) => message.text);
};

const update = async (warningId: number, request: UpdateRequest) =>
  (await updateExercise(database, warningId, request)).after.warningId;

/** A person's reply with the number of that warning's message. */
const reply = async (warningId: number, unit: string, answer = '1') => {
  const number = answerNumber(TEST_KEYS, warningId, recipientName('people', tree.person(unit)));
  const id = `r${warningId}-${unit}-${answer}-${Math.random()}`;
  return answerByReply(database, TEST_KEYS, {
    ...{ id, from: await addressOf(unit), text: `${answer} ${number}` },
  });
};

const householdReply = async (warningId: number, name: string, by = database) => {
  const [row] = await database.query<{ id: number; address: string }>(
    'select id, address from households where name = $1',
    [name],
  );
  const number = answerNumber(TEST_KEYS, warningId, recipientName('households', row?.id ?? 0));
  const sent = { id: `h${warningId}-${name}`, from: row?.address ?? '', text: `1 ${number}` };
  return answerByReply(by, TEST_KEYS, sent);
};

const householdsHeard = async (warningId: number) => {
  const rows = await database.query<{ name: string }>(
    'select h.name from answers a join households h on h.id = a.household_id where a.warning_id = $1 order by h.name',
    [warningId],
  );
  return rows.map(({ name }) => name);
};

const cellsOpen = async (warningIds: readonly number[]) => {
  const open = `select from cells where warning_id = any($1) and status = 'open'`;
  return (await database.query(open, [warningIds])).length;
};

const stateOf = async (warningId: number, unit: string) => {
  const [row] = await database.query<{ status: string; ended: string | null; rung: number }>(
    'select status, ended, rung from unit_states where warning_id = $1 and unit_id = $2',
    [warningId, tree.unit(unit)],
  );
  return row ?? null;
};

describe('an upgrade', () => {
  it('stops the old warning at once, leads with the change, and asks everybody anew', async () => {
    const before = await issue('orange');
    await run(before);
    await reply(before, '村一');
    await run(before);
    said();
    const after = await update(before, { level: 'red' });
    await makeDeadlinesDue(database, before);
    await run(before);
    expect(said()).toEqual([]);
    expect(await stateOf(before, '村二')).toMatchObject({ ended: 'superseded' });
    await run(after);
    const messages = said();
    for (const unit of ['区', '村一', '村二']) {
      const [text, ...more] = await to(messages, unit);
      expect(text).toMatch(/^【演练】变更:橙色→红色。城气象台.*暴雨红色预警信号.*回复 1 \d{4}/);
      expect(more).toEqual([]);
    }
    expect(await stateOf(after, '村一')).toMatchObject({ status: 'open', rung: 0 });
    const { warning } = await viewWarning(database, after);
    expect(warning).toMatchObject({ supersedesId: before, revision: 2, chainId: before, asksAgain: true });
  });

  it('says nothing of a change to whom nothing can have reached', async () => {
    const before = await issue('orange');
    const after = await update(before, { level: 'red' });
    await run(before);
    await run(after);
    const messages = said();
    expect(await to(messages, '村一')).toHaveLength(1);
    expect((await to(messages, '村一'))[0]).toMatch(/^【演练】城气象台/);
  });
});

describe('a downgrade', () => {
  it('carries answers over, tells those who gave them, and asks the others on', async () => {
    const before = await issue('red');
    await run(before);
    await reply(before, '村一');
    await run(before);
    said();
    const after = await update(before, { level: 'orange' });
    await run(before);
    await run(after);
    const messages = said();
    expect(await to(messages, '村一')).toEqual([
      expect.stringMatching(/^【演练】变更:红色→橙色。.*此前的应答继续有效,无需再次应答。【演练】$/),
    ]);
    expect(await stateOf(after, '村一')).toMatchObject({ status: 'answered', rung: -1 });
    expect((await to(messages, '村二'))[0]).toMatch(/^【演练】变更:红色→橙色。.*回复 1 \d{4}/);
    const carried = await database.query(
      'select a.kind, a.at = o.at as same from answers a join answers o on o.id = a.carried_from where a.warning_id = $1',
      [after],
    );
    expect(carried).toEqual([{ kind: 'received', same: true }]);
  });

  it('carries a late word over as well', async () => {
    const before = await issue('red');
    await run(before);
    const after = await update(before, { level: 'orange' });
    await run(after);
    expect(await reply(before, '村二')).toBe('recorded');
    await run(before);
    await run(after);
    expect(await stateOf(after, '村二')).toMatchObject({ status: 'answered' });
  });

  it('carries what households say late, by reply and at their doors, through every warning of the chain', async () => {
    const before = await issue('red');
    await run(before);
    expect(await householdReply(before, '户一1')).toBe('recorded');
    const between = await update(before, { level: 'orange' });
    // What was said while the update was being written saw the old warning open, and has no letter.
    await database.query(
      `insert into answers (warning_id, unit_id, household_id, kind, via, at)
       select $1, unit_id, id, 'received', 'gateway', clock_timestamp() from households where name = '户二1'`,
      [before],
    );
    await run(before);
    await run(between);
    expect(await householdsHeard(between)).toEqual(['户一1', '户二1']);
    const after = await update(between, { level: 'yellow' });
    await run(between);
    await run(after);
    expect(await householdReply(before, '户一2')).toBe('recorded');
    const visits = {
      warningId: before,
      unitId: tree.unit('组二'),
      deliveryId: 1,
      leader: '组二长',
      rest: null,
    };
    const [there] = await database.query<{ id: number }>(`select id from households where name = '户二2'`);
    await storeVisits(database, { ...visits, reached: [there?.id ?? 0], nobody: [] });
    await run(before);
    await run(between);
    const all = ['户一1', '户一2', '户二1', '户二2'];
    expect(await householdsHeard(between)).toEqual(all);
    expect(await householdsHeard(after)).toEqual(all);
    // No unit has said a word by that.
    expect((await stateOf(after, '组二'))?.status).not.toBe('answered');
  });

  it('carries what a household said to the open warning and what commits after its cell has stepped', async () => {
    const before = await issue('red');
    await run(before);
    const slow = holdingCommit(database);
    const said = householdReply(before, '户一1', slow.database);
    await slow.stored;
    const between = await update(before, { level: 'orange' });
    await run(before);
    await run(between);
    const after = await update(between, { level: 'yellow' });
    const chain = [before, between, after];
    for (const warningId of chain) await run(warningId);
    slow.commit();
    expect(await said).toBe('recorded');
    // The cells of both have waited for it; nobody has said anything since.
    for (const warningId of chain) await run(warningId);
    expect(await householdsHeard(after)).toEqual(['户一1']);
    expect(await cellsOpen([before, between])).toBe(0);
  });

  it('carries nothing where the text asks for something else', async () => {
    const before = await issue('red');
    await run(before);
    await reply(before, '村一');
    const after = await update(before, { level: 'orange', textZh: '请转移到学校。' });
    await reply(before, '村二');
    await run(before);
    await run(after);
    expect(await stateOf(after, '村一')).toMatchObject({ status: 'open' });
    expect(await stateOf(after, '村二')).toMatchObject({ status: 'open' });
    expect(await database.query('select from answers where warning_id = $1', [after])).toEqual([]);
  });
});

describe('another area', () => {
  it('tells those it leaves out that it is over, and new ones the whole', async () => {
    const before = await issue('red', ['城/区/乡一']);
    await run(before);
    said();
    const after = await update(before, { areas: ['城/区/乡二'] });
    await run(before);
    const over = said();
    expect(await to(over, '村一')).toEqual([
      '【演练】城气象台已将村一移出暴雨红色预警范围(W1)。此前消息不再有效。【演练】',
    ]);
    expect(await to(over, '区')).toEqual([]);
    expect(over.filter((message) => /^\+8610000\d\d$/.test(message.address))).toHaveLength(3);
    await run(after);
    const messages = said();
    expect((await to(messages, '村二'))[0]).toMatch(/^【演练】城气象台/);
    expect((await to(messages, '区'))[0]).toMatch(/^【演练】变更:/);
    expect(await to(messages, '村一')).toEqual([]);
  });

  it('tells nobody that it is over whom a third warning takes in again', async () => {
    const first = await issue('red', ['城/区/乡一']);
    await run(first);
    said();
    const second = await update(first, { areas: ['城/区/乡二'] });
    const third = await update(second, { areas: ['城/区'] });
    await run(first);
    await run(second);
    expect(said()).toEqual([]);
    await run(third);
    expect((await to(said(), '村一'))[0]).toMatch(/^【演练】变更:/);
  });
});

describe('a cancel of an update', () => {
  it('reaches everybody the chain has told, and nobody else', async () => {
    const before = await issue('red');
    await run(before);
    const told = new Set(said().map((message) => message.address));
    const after = await update(before, { level: 'orange' });
    await run(before);
    await cancelWarning(database, after, null);
    await run(after);
    const notices = said();
    expect(new Set(notices.map((message) => message.address))).toEqual(told);
    expect(notices.every((message) => message.text.includes('解除暴雨橙色预警信号'))).toBe(true);
  });

  it('retracts with the correction that was written before', async () => {
    const warningId = await issue('red');
    await run(warningId);
    said();
    await endExercise(database, warningId, { reason: '误操作', retracted: true });
    await run(warningId);
    expect((await to(said(), '村一'))[0]).toMatch(/系误发,现予撤销/);
  });

  it('reaches whom a worker had in hand when it died, although nobody has settled its slice', async () => {
    const before = await issue('red');
    await stepOnce(before);
    const [page] = await database.query<{ id: number }>(
      `select id from pages where warning_id = $1 and purpose = 'rung' and channel = 'sms' order by id limit 1`,
      [before],
    );
    const input = { serves: 'exercise', most: 1, leaseMs: 1_000 } as const;
    const claimed = await createPageStore(database).claim(page?.id ?? 0, input);
    if (claimed.kind !== 'slice') throw new Error(claimed.kind);
    await database.query(`update claims set lease_until = clock_timestamp() - interval '1 minute'`);
    const after = await update(before, { level: 'orange' });
    await cancelWarning(database, after, null);
    await run(after);
    const reached = said();
    expect(reached.map(({ address }) => address)).toEqual(
      claimed.slice.deliveries.map(({ address }) => address),
    );
    expect(reached[0]?.text).toContain('解除');
    await run(before);
  });

  it('waits for slices of the superseded warning that may still go out', async () => {
    const before = await issue('red');
    await run(before);
    const after = await update(before, { level: 'orange' });
    await database.query(
      `with p as (insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids)
         select id, $1, 1, 'rung', 1, 'sms', 'people', 1, '{1}', array[unit_id] from cells
         where warning_id = $1 and unit_id = $2 returning id)
       insert into claims (page_id, first, size, lease_until) select id, 0, 1, clock_timestamp() + interval '3 seconds' from p`,
      [before, tree.unit('区')],
    );
    const [cell] = await database.query<{ id: number }>(
      'select id from cells where warning_id = $1 and unit_id = $2',
      [after, tree.unit('区')],
    );
    const step = () =>
      stepCell(createStepStore(database), { cellId: cell?.id ?? 0, withCounts: false, serves: 'exercise' });
    const { openPages } = await step();
    const claim = () =>
      createPageStore(database).claim(openPages[0]?.pageId ?? 0, {
        serves: 'exercise',
        most: 10,
        leaseMs: 1_000,
      });
    expect(await claim()).toMatchObject({ kind: 'wait' });
    await database.query('update claims set settled_at = clock_timestamp() where settled_at is null');
    expect(await claim()).toMatchObject({ kind: 'slice' });
    await database.query('delete from claims where page_id in (select id from pages where step = 1)');
    await database.query('delete from pages where step = 1');
  });
});

describe('the link of a superseded message', () => {
  it('shows the warning that counts now, and its answer counts for that one', async () => {
    const before = await issue('orange');
    await run(before);
    const [message] = said().filter((one) => one.text.includes('村一'));
    const after = await update(before, { level: 'red' });
    const token = answerToken(TEST_KEYS, Number(message?.deliveryId));
    const link = await openAnswerLink(database, TEST_KEYS, token);
    expect(link).toMatchObject({ warningId: after, level: 'red', status: 'open' });
    const number = answerNumber(TEST_KEYS, before, recipientName('people', tree.person('村一')));
    const form = { token, number, answer: 'received' as const, doneCount: null };
    expect(await answerByLink(database, TEST_KEYS, form)).toMatchObject({ kind: 'recorded' });
    await run(after);
    expect(await stateOf(after, '村一')).toMatchObject({ status: 'answered' });
    expect(await to(said(), '村一')).toEqual([]);
    await run(before);
  });

  it('counts for its own warning where the new one does not concern its owner', async () => {
    const before = await issue('red', ['城/区/乡一']);
    await run(before);
    const [message] = said().filter((one) => one.text.includes('村一'));
    await update(before, { areas: ['城/区/乡二'] });
    const token = answerToken(TEST_KEYS, Number(message?.deliveryId));
    expect(await openAnswerLink(database, TEST_KEYS, token)).toMatchObject({
      warningId: before,
      status: 'superseded',
    });
    const number = answerNumber(TEST_KEYS, before, recipientName('people', tree.person('村一')));
    const form = { token, number, answer: 'received' as const, doneCount: null };
    expect(await answerByLink(database, TEST_KEYS, form)).toMatchObject({ kind: 'recorded' });
    await run(before);
    expect(await stateOf(before, '村一')).toMatchObject({ status: 'answered', ended: 'superseded' });
  });
});

describe('two updates at once', () => {
  it('gives the second a refusal that names the successor', async () => {
    const before = await issue('orange');
    const results = await Promise.allSettled([
      update(before, { level: 'red' }),
      update(before, { level: 'yellow' }),
    ]);
    const won = results.find((result) => result.status === 'fulfilled');
    const lost = results.find((result) => result.status === 'rejected');
    expect(lost?.reason).toMatchObject({
      code: 'superseded',
      message: expect.stringContaining(`W${won?.value}`) as string,
    });
    await expect(cancelWarning(database, before, null)).rejects.toMatchObject({ code: 'superseded' });
  });
});

describe('repeated reds', () => {
  it('are one incident, and the second calls everyone at once and tells the superior with the next rung', async () => {
    const first = await issue('red');
    await run(first);
    expect(await to(said(), '村一', 1)).toEqual([]);
    const second = await issue('red', ['城/区/乡一']);
    await run(second);
    const messages = said();
    expect((await to(messages, '村一', 1))[0]).toContain('暴雨红色');
    const { warning } = await viewWarning(database, second);
    expect(warning.incidentId).toBe(first);
    expect(warning.rules.ladder.slice(0, 2)).toMatchObject([
      { who: 'everyone', tellSuperior: false },
      { tellSuperior: true },
    ]);
    expect(messages.filter(({ text }) => text.includes('未应答'))).toEqual([]);
    await answerByCommand(database, {
      ...{ warningId: second, unit: '村一', answer: 'received', doneCount: null },
      ...{ vouchedBy: '值班员', how: '电话' },
    });
  });
});

describe('an Exercise that says it is none', () => {
  const refused = { code: 'exercise-denied' };

  it('is neither issued nor told in an update or at its end', async () => {
    const denial = '注意,这不是演练!';
    await expect(issueWarning(database, request('red', { textZh: denial }))).rejects.toMatchObject(refused);
    await expect(
      issueWarning(database, request('red', { textEn: 'This is not a drill.' })),
    ).rejects.toMatchObject(refused);
    expect(await database.query('select id from warnings')).toEqual([]);
    const id = await issue('red');
    await expect(update(id, { textZh: denial })).rejects.toMatchObject(refused);
    await expect(
      endExercise(database, id, { reason: null, retracted: false, textZh: denial }),
    ).rejects.toMatchObject(refused);
    expect(await viewWarning(database, id)).toMatchObject({ warning: { status: 'open' } });
  });
});

describe('the timeline', () => {
  const show = async (warningId: number, lang: string) =>
    (await fenghuo(['warning', 'show', `W${warningId}`, '--lang', lang], environment())).stdout;
  const environment = () => ({
    DATABASE_URL: process.env['DATABASE_URL'],
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_SECRET: 'x'.repeat(32),
  });
  const report = async (warningId: number, lang: string) => {
    const directory = mkdtempSync(join(tmpdir(), 'fenghuo-timeline-'));
    const file = join(directory, 'report.html');
    await fenghuo(['audit', 'export', `W${warningId}`, '--out', file, '--lang', lang], environment());
    const text = readFileSync(file, 'utf8');
    rmSync(directory, { recursive: true });
    return text;
  };

  it('shows what replaced what, answers that stand, late ones, and the end, in both languages', async () => {
    const before = await issue('red');
    await run(before);
    await reply(before, '村一');
    await run(before);
    const after = await update(before, { level: 'orange' });
    await reply(before, '村二');
    await run(before);
    await run(after);
    await endExercise(database, after, { reason: '误发', retracted: true });
    await reply(after, '乡一');
    await run(after);
    for (const [lang, first, second] of [
      [
        'zh',
        ['发布', `被接替 +W${after}`, '已应 +村居 +村一', '迟应 +村居 +村二'],
        [`接替 +W${before}`, '沿用 +村居 +村一', '撤销', '迟应 +乡镇 +乡一'],
      ],
      [
        'en',
        ['issued', `replaced +W${after}`, 'answered +village +村一', 'late +village +村二'],
        [`replaces +W${before}`, 'carried +village +村一', 'withdrawn', 'late +township +乡一'],
      ],
    ] as const) {
      for (const words of first)
        expect(await show(before, lang)).toMatch(new RegExp(`\\d ${words}`.replace(' ', ' +')));
      for (const words of second)
        expect(await show(after, lang)).toMatch(new RegExp(`\\d ${words}`.replace(' ', ' +')));
    }
    const zh = await report(after, 'zh');
    for (const words of ['2 个应答继续有效', '预警撤销', '结束告知共', '结束后的 1 个应答'])
      expect(zh).toContain(words);
    expect(await report(before, 'zh')).toContain(`被 W${after} 接替`);
    expect(await report(before, 'en')).toContain(`its place was taken by W${after}`);
    expect(await report(after, 'en')).toContain('2 answers to the warning before stand');
  });

  it('shows an expiry while pages wait, and that nothing of them went out', async () => {
    const warningId = await issue('red');
    await stepOnce(warningId);
    const waiting = await database.query('select from pages where ended_at is null');
    expect(waiting.length).toBeGreaterThan(0);
    await database.query('update warnings set expires_at = clock_timestamp() where id = $1', [warningId]);
    await run(warningId);
    expect(said()).toEqual([]);
    expect(await show(warningId, 'zh')).toMatch(/\d +到期/);
    expect(await show(warningId, 'en')).toMatch(/\d +expired/);
    expect(await report(warningId, 'zh')).toContain('预警失效');
    await expect(update(warningId, { level: 'orange' })).rejects.toMatchObject({ code: 'not-open' });
  });
});
