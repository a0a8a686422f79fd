/** What the duty desk and an operator type: calls, duty, pause, delivery, people, against PostgreSQL. No worker runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { CHANNELS } from '../domain/rules.ts';
import { issueWarning } from '../operations/warnings.ts';
import { testDatabase } from '../test/database.ts';
import { recordingChannel, runUntilQuiet } from '../test/harness/local-cascade.ts';
import { plantSmallTree } from '../test/harness/small-tree.ts';
import { main } from './main.ts';
import { keepingWriter, run, type Ran } from './testing.ts';
import { width } from './width.ts';

const directory = mkdtempSync(join(tmpdir(), 'fenghuo-desk-'));
let database: Database;
let env: Record<string, string>;

beforeAll(async () => {
  database = await testDatabase('cli_desk');
  env = {
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_SECRET: 'x'.repeat(32),
  };
  await plantSmallTree(database);
});
afterAll(async () => {
  await database.close();
  rmSync(directory, { recursive: true });
});

const fenghuo = (...argv: string[]): Promise<Ran> => run(argv, env);

async function json(...argv: string[]): Promise<unknown> {
  const ran = await fenghuo(...argv, '--json');
  expect(ran, ran.stderr).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(ran.stdout) as unknown;
}

/** The widest line of a command at a terminal of 80 columns; standard input is none, so nothing asks for keys. */
async function widest(lang: string, ...argv: string[]): Promise<number> {
  const stdout = keepingWriter({ columns: 80, rows: 24 });
  await main([...argv, '--lang', lang], { stdout, stderr: keepingWriter(), env });
  return Math.max(...stdout.text().split('\n').map(width));
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

describe.sequential('a night at the desk', () => {
  test('before anything happens each says what to do next', async () => {
    expect(await fenghuo('calls')).toMatchObject({ code: 0, stdout: '' });
    expect((await fenghuo('calls', '--lang', 'zh')).stderr).toContain('没有需要打电话的单位');
    expect(await json('calls', 'next', '--officer', '王')).toEqual({ call: null });
    expect((await fenghuo('duty', 'list')).stderr).toContain('holders of the posts');
    expect(await fenghuo('resume', '--by', '王')).toMatchObject({ code: 5, stdout: '' });
    expect(await fenghuo('calls', 'W1')).toMatchObject({ code: 3 });
    expect(await fenghuo('delivery', 'list', 'W1')).toMatchObject({ code: 3 });
  });

  test('silent units are listed, most urgent first, numbers masked unless asked for', async () => {
    const { warningId } = await issueWarning(database, {
      ...{ hazard: '暴雨', level: 'red', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' },
    });
    const channels = CHANNELS.map((channel) =>
      recordingChannel(channel, () => ({ outcome: 'failed', reason: 'rejected' })),
    );
    await runUntilQuiet(database, warningId, channels);
    await database.query(`update unit_states set silent_at = clock_timestamp() - interval '90 seconds'`);
    const lines = (await fenghuo('calls')).stdout.split('\n');
    expect(lines[1]).toMatch(/^W1 +red +city +城 +01:3\d +100\*\*\*\*\d{4} 城0/);
    expect((await fenghuo('calls', 'W1', '--numbers', '--lang', 'zh')).stdout).toMatch(
      /红色 +市 +城 .*\+8610000000001 城0/,
    );
    expect(await json('calls', '--most', '2')).toMatchObject({
      ...{ warning: null, more: true },
      lines: [
        { warning: 'W1', level: 'red', tier: 'city', takenBy: null, phoneNext: { name: '城0', rank: 0 } },
        { tier: 'district' },
      ],
    });
  });

  test('an officer takes a line, calls, and records; another gets the next', async () => {
    const taken = (await json('calls', 'next', '--officer', '王', '--numbers')) as { call: { call: string } };
    expect(taken).toMatchObject({
      call: { tier: 'city', takenBy: '王', phoneNext: { phone: '+8610000000001' } },
    });
    const other = await fenghuo('calls', 'next', 'W1', '--officer', '李');
    expect(other.stdout).toContain('城 / 区');
    expect(other.stdout).toContain('****');
    expect(other.stderr).toContain('calls record');
    expect((await fenghuo('calls', '--officer', '李')).stdout).not.toMatch(/ city /);
    const { call } = taken.call;
    expect(await fenghuo('calls', 'record', call, '--outcome', 'maybe')).toMatchObject({ code: 2 });
    expect(await fenghuo('calls', 'record', call, '--outcome', 'received', '--count', '3')).toMatchObject({
      code: 2,
    });
    expect((await fenghuo('calls', 'record', call, '--outcome', 'done', '--count', '35')).stdout).toBe(
      'W1 城: done\n',
    );
    expect(await fenghuo('calls', 'record', call, '--outcome', 'received')).toMatchObject({ code: 5 });
    expect(await fenghuo('calls', 'record', '999', '--outcome', 'received')).toMatchObject({ code: 3 });
    expect((await fenghuo('calls')).stdout).not.toMatch(/ city /);
  });

  test('a roster is imported, and who is on duty is called', async () => {
    const roster = `单位,顺位,值班人,开始,结束
城/区/乡一,正职,乡一1,2020-01-01 00:00,2020-01-02 00:00
城/区/乡一,正职,乡一1,2099-01-01 00:00,2099-01-02 00:00
`;
    const path = file('roster.csv', roster);
    expect((await fenghuo('duty', 'import', path, '--dry-run')).stdout).toContain('1 added');
    expect((await fenghuo('duty', 'import', path)).stdout).toContain('1 added');
    expect(await json('duty', 'list', '--at', '2099-01-01 12:00')).toMatchObject({
      ...{ at: '2099-01-01T12:00:00+08:00', more: false },
      duties: [{ rank: 0, name: '乡一1', from: '2099-01-01T00:00:00+08:00' }],
    });
    expect(await fenghuo('duty', 'list', '--at', 'noon')).toMatchObject({ code: 2, stdout: '' });
    const faulty = file('faulty.csv', roster.replace('乡一1', '无此人'));
    const errors = join(directory, 'errors.csv');
    expect(await fenghuo('duty', 'import', faulty, '--errors', errors)).toMatchObject({ code: 2 });
  });

  test('everything is paused with a name and a reason, said wherever somebody looks, and goes on', async () => {
    expect(await fenghuo('pause', '--by', '王')).toMatchObject({ code: 2 });
    expect((await fenghuo('pause', '--by', '王', '--reason', '误发核实')).stdout).toMatch(
      /^PAUSED by 王 since .*误发核实/,
    );
    expect(await fenghuo('pause', '--by', '李', '--reason', 'x')).toMatchObject({ code: 5 });
    expect((await fenghuo('warning', 'show', 'W1')).stdout).toContain('PAUSED by 王');
    expect(await json('warning', 'show', 'W1')).toMatchObject({ paused: { by: '王', reason: '误发核实' } });
    const watched = await fenghuo('warning', 'watch', 'W1', '--timeout', '0s', '--lang', 'zh');
    expect(watched.stderr).toContain('已由 王 于');
    expect((await fenghuo('doctor')).stdout).toMatch(/paused .*王/);
    expect(await json('resume', '--by', '李')).toMatchObject({ paused: null, ended: { by: '王' } });
    expect(await json('warning', 'show', 'W1')).toMatchObject({ paused: null });
  });

  test('failed deliveries are listed and sent again', async () => {
    const listed = (await json('delivery', 'list', 'W1', '--failed')) as { deliveries: { id: string }[] };
    const [first] = listed.deliveries;
    expect(first).toMatchObject({
      outcome: 'failed',
      reason: 'rejected',
      recipient: { kind: expect.any(String) as unknown },
    });
    expect(JSON.stringify(listed)).not.toMatch(/\+86\d{8}/);
    expect(await fenghuo('delivery', 'list', 'W1', '--failed', '--dead')).toMatchObject({ code: 2 });
    expect((await fenghuo('delivery', 'list', 'W1', '--dead')).stderr).toContain('There is none such');
    const why = ['--by', '王值班', '--reason', '网关已恢复'];
    expect(await fenghuo('delivery', 'retry', 'W1', ...why)).toMatchObject({ code: 2 });
    expect(await fenghuo('delivery', 'retry', 'W1', '7', '--failed', ...why)).toMatchObject({ code: 2 });
    expect(await fenghuo('delivery', 'retry', 'W1', '7', ...why)).toMatchObject({ code: 3 });
    const unit = (await json('delivery', 'list', 'W1', '--unit', '乡一/村一')) as {
      deliveries: { id: string }[];
    };
    const id = unit.deliveries[0]?.id ?? '';
    expect((await fenghuo('delivery', 'retry', 'W1', id, ...why)).stdout).toContain('1 go again');
    expect(await fenghuo('delivery', 'retry', 'W1', id, ...why)).toMatchObject({ code: 5 });
    expect((await fenghuo('delivery', 'retry', 'W1', '--failed', ...why)).stdout).toMatch(/W1: \d+ go again/);
  });

  test('contacts are checked; only --check makes an exit code of it', async () => {
    expect(await fenghuo('people', 'check', '--check')).toMatchObject({ code: 0 });
    await database.query(
      `update person_channels set fault = 'bad-contact' where person_id = 1 and channel = 'sms'`,
    );
    expect(await fenghuo('people', 'check')).toMatchObject({ code: 0 });
    const checked = await fenghuo('people', 'check', '--area', '城', '--check', '--lang', 'zh');
    expect(checked.code).toBe(7);
    expect(checked.stdout).toMatch(/地址不可用 +城0 +城 +100\*\*\*\*0001 bad-contact/);
    expect(checked.stdout).toContain('从未验证');
    expect((await fenghuo('people', 'list', '城')).stdout).toContain('faulty');
  });

  test('a test without a configured channel says what came of it, and ends with 1', async () => {
    const tested = await fenghuo('people', 'test', '村一0', '--channel', 'sms');
    expect(tested.code).toBe(1);
    expect(tested.stdout).toMatch(/sms +100\*\*\*\*\d{4} +not now /);
    expect(await fenghuo('people', 'test', '村一0', '--channel', 'pigeon')).toMatchObject({ code: 2 });
    expect(await fenghuo('people', 'test', '无此人')).toMatchObject({ code: 3 });
    const live = await run(['people', 'test', '村一0'], { ...env, FENGHUO_CHANNELS: 'live' });
    expect(live.code).toBe(4);
  });

  test.each(['zh', 'en'])('in %s nothing is wider than a terminal of 80 columns', async (lang) => {
    const wide = `update units set name = '秀山土家族苗族自治县某某街道办事处第一社区居民委员会' where name = '村一'`;
    await database.query(wide);
    await database.query(`update people set name = '阿卜杜热西提·买买提' where name = '村一0'`);
    const roster = `单位,顺位,值班人,开始,结束\n900101001000,正职,村一1,2099-01-01 00:00,2099-01-02 00:00\n`;
    await fenghuo('duty', 'import', file('wide.csv', roster));
    for (const argv of [
      ...[
        ['calls', '--numbers'],
        ['calls', 'next', '--officer', '赵'],
        ['duty', 'list', '--at', '2099-01-01 12:00'],
      ],
      ...[
        ['delivery', 'list', 'W1'],
        ['people', 'check'],
        ['people', 'list', '900101001000'],
      ],
    ])
      expect(await widest(lang, ...argv), argv.join(' ')).toBeLessThanOrEqual(80);
  });
});

describe.sequential('senders by hand', () => {
  const why = ['--by', '王值班', '--reason', '网关维护'];
  test('before any worker ran there is none; then each is listed, closed for a while, and opened', async () => {
    await database.query('delete from senders');
    expect((await fenghuo('delivery', 'senders', '--lang', 'en')).stderr).toContain('No worker has used');
    expect(await fenghuo('delivery', 'open', 'sms-gateway', ...why)).toMatchObject({ code: 3 });
    await database.query(`insert into senders (id, channel, per_second) values ('sms-gateway', 'sms', 50)`);
    expect(await json('delivery', 'senders')).toMatchObject([
      { id: 'sms-gateway', channel: 'sms', perSecond: 50, open: true, closedForMs: 0 },
    ]);
    const closed = await json('delivery', 'close', 'sms-gateway', '--for', '2h', ...why);
    expect(closed).toMatchObject({ open: false, reason: 'by hand' });
    expect((closed as { closedForMs: number }).closedForMs).toBeGreaterThan(7_000_000);
    expect((await fenghuo('delivery', 'senders', '--lang', 'zh')).stdout).toContain('暂停');
    expect(await json('delivery', 'open', 'sms-gateway', ...why)).toMatchObject({ open: true, reason: null });
    expect(await fenghuo('delivery', 'open', 'sms-gateway', '--by', ' ', '--reason', 'x')).toMatchObject({
      code: 2,
    });
  });

  test('who did it and why stands in the record', async () => {
    const acts = await database.query<{
      kind: string;
      actor: string;
      body: { sender: string; reason: string };
    }>(`select kind, actor, body from audit where kind in ('open sender', 'close sender') order by id`);
    expect(acts.map(({ kind, actor, body }) => [kind, actor, body.sender, body.reason])).toEqual([
      ['close sender', '王值班', 'sms-gateway', '网关维护'],
      ['open sender', '王值班', 'sms-gateway', '网关维护'],
    ]);
  });
});
