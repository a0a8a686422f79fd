/** What a forecaster types, from an empty database to a cancelled warning, against PostgreSQL. No worker runs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { beat } from '../db/liveness.ts';
import { testDatabase } from '../test/database.ts';
import { run, type Ran } from './testing.ts';

const TREE = fileURLToPath(new URL('../scenarios/chongqing-units.csv', import.meta.url));
const PEOPLE = `单位编码,姓名,岗位,顺位,手机,邮箱
500000000000,市一,市指挥长,正职,13800138001,city@example.com
500114000000,区一,区指挥长,正职,13800138002,district@example.com
500114112000,镇一,镇长,正职,13800138003,
500114112000,镇二,副镇长,副职1,13800138004,town@example.com
`;
const REQUEST = ['--hazard', '暴雨', '--level', 'red', '--area', '黔江区/濯水镇', '--expires', '+6h'];

const directory = mkdtempSync(join(tmpdir(), 'fenghuo-cli-'));
let database: Database;
let env: Record<string, string>;

beforeAll(async () => {
  database = await testDatabase('cli_main');
  env = {
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_SECRET: 'x'.repeat(32),
  };
});

afterAll(async () => {
  await database.close();
  rmSync(directory, { recursive: true });
});

const fenghuo = (...argv: string[]): Promise<Ran> => run(argv, env);
const json = async (...argv: string[]): Promise<unknown> => {
  const ran = await fenghuo(...argv, '--json');
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  return JSON.parse(ran.stdout) as unknown;
};
const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

describe.sequential('a night at the command line', () => {
  test('an empty installation says what to do next, on standard error', async () => {
    expect(await fenghuo('warning', 'list')).toMatchObject({ code: 0, stdout: '' });
    expect((await fenghuo('warning', 'list')).stderr).toContain('npx fenghuo warning plan');
    expect((await fenghuo('org', 'show')).stderr).toContain('npx fenghuo org import');
    expect(await fenghuo('migrate')).toMatchObject({ code: 0, stdout: '' });
    expect(JSON.parse((await fenghuo('warning', 'list', '--json')).stdout)).toEqual([]);
  });

  test('a schema without tables says so', async () => {
    const ran = await run(['warning', 'list'], { ...env, FENGHUO_SCHEMA: 'test_cli_never_made' });
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('npx fenghuo migrate');
  });

  test('the tree is imported, and once more changes nothing', async () => {
    expect((await fenghuo('org', 'import', TREE)).stdout).toContain('12340 added');
    expect(await json('org', 'import', TREE)).toMatchObject({ added: 0, unchanged: 12_340 });
  });

  test('a faulty file changes nothing; its lines come back with the reasons', async () => {
    const faulty = file('faulty.csv', '编码,名称,上级编码,层级\n1,甲,999,村\n2,乙,,星系\n');
    const errors = join(directory, 'errors.csv');
    const ran = await fenghuo('org', 'import', faulty, '--errors', errors);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain('line 3');
    expect(readFileSync(errors, 'utf8')).toContain('星系');
    const inJson = await fenghuo('org', 'import', faulty, '--errors', errors, '--json');
    expect(JSON.parse(inJson.stderr)).toMatchObject({ error: { code: 'import' } });
    expect(await fenghuo('org', 'import', faulty, '--errors', faulty)).toMatchObject({ code: 2 });
    expect(readFileSync(faulty, 'utf8')).toContain('999');
  });

  test('a file that is not there is said by name', async () => {
    const ran = await fenghuo('org', 'import', '/nowhere.csv');
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('/nowhere.csv cannot be read (ENOENT)');
  });

  test('people are imported, listed with masked numbers, and checked', async () => {
    expect((await fenghuo('people', 'import', file('people.csv', PEOPLE))).stdout).toContain('4 added');
    const list = await fenghuo('people', 'list', '黔江区/濯水镇');
    expect(list.stdout).toContain('138****8003');
    expect(list.stdout).not.toContain('13800138003');
    const check = await fenghuo('people', 'check', '--area', '濯水镇', '--most', '3', '--check');
    expect(check).toMatchObject({ code: 7 });
    expect(check.stdout).toContain('no post is held');
  });

  test('synthetic people are made only where that is said', async () => {
    expect(await fenghuo('people', 'generate')).toMatchObject({ code: 2, stdout: '' });
    const made = [
      'people',
      'generate',
      '--synthetic',
      '--under',
      '濯水镇',
      '--groups',
      '1',
      '--households',
      '5',
    ];
    const population = await json(...made, '--households-under', '濯水镇');
    expect(population).toMatchObject({ synthetic: true, groups: 9 });
  });

  test('the export is what import reads, without synthetic units', async () => {
    const { stdout } = await fenghuo('org', 'export');
    expect(stdout.trim().split('\r\n')).toHaveLength(12_341);
    expect(await json('org', 'show', '500114112000')).toMatchObject({ unit: { name: '濯水镇' } });
  });

  test('a plan says whom it tells, whom it cannot, what it costs and by when; nothing is written', async () => {
    const plan = await fenghuo('warning', 'plan', ...REQUEST);
    expect(plan).toMatchObject({ code: 0 });
    expect(plan.stdout).toMatch(/^township +1 +2 +2 +1 +2 +1 +0$/m);
    expect(plan.stdout).toContain('Answer due: 5 min');
    expect(plan.stdout).toContain('after 12 min');
    expect(plan.stdout).toMatch(/SMS to officials, Chinese: \d parts/);
    expect(await json('warning', 'list')).toEqual([]);
    const everywhere = await json('warning', 'plan', ...REQUEST, '--area', '万州区');
    expect(everywhere).toMatchObject({ unreachable: { total: 663, units: expect.any(Array) as unknown } });
    expect((everywhere as { unreachable: { units: unknown[] } }).unreachable.units).toHaveLength(20);
  });

  test.each<[string, string[], number, string]>([
    ['an unknown unit', ['--area', '濯水阵'], 3, '濯水镇'],
    ['a name of many', ['--area', '第一组'], 2, 'Name the unit above'],
    ['an unknown hazard', ['--hazard', '地震'], 2, 'Known are'],
    ['an expiry that has passed', ['--expires', '2020-01-01T00:00:00+08:00'], 2, 'has passed'],
    ['a time without offset', ['--expires', '2030-01-01T00:00:00'], 2, 'is not a time'],
    ['an actual warning', ['--actual'], 4, 'Nobody is logged in'],
    ['a text that is no UTF-8', ['--text-file', '/bin/ls'], 2, 'not UTF-8'],
    ['a rule pack that is none', ['--rules', TREE], 2, 'rule pack'],
  ])('%s is refused before anything is written', async (_name, more, code, sentence) => {
    const ran = await fenghuo('warning', 'issue', ...REQUEST, ...more);
    expect(ran).toMatchObject({ code, stdout: '' });
    expect(ran.stderr).toContain(sentence);
    expect(await json('warning', 'list')).toEqual([]);
  });

  test('a warning is issued; that no worker is alive is said at once', async () => {
    const ran = await fenghuo('warning', 'issue', ...REQUEST);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('W1 issued: rainstorm, red warning (exercise)');
    expect(ran.stdout).toMatch(/Expires {2}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00 \(in 6 h\)/);
    expect(ran.stderr).toContain('npx fenghuo warning watch W1');
    expect(ran.stderr).toContain('No worker is alive');
  });

  test('with a worker alive it is not said', async () => {
    await beat(database, 'worker exercise 1');
    const issued = await run(['warning', 'issue', ...REQUEST, '--json'], env);
    expect(issued.stderr).toBe('');
    expect(JSON.parse(issued.stdout)).toMatchObject({
      id: 'W2',
      kind: 'exercise',
      level: 'red',
      areas: ['濯水镇'],
    });
  });

  test('list, show and jsonl', async () => {
    const lines = (await fenghuo('warning', 'list', '-o', 'jsonl')).stdout.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['W2', 'W1']);
    expect((await fenghuo('warning', 'list', '--lang', 'zh')).stdout).toMatch(/W1 +演练 +红色 +暴雨 +生效中/);
    expect((await fenghuo('warning', 'show', 'w1')).stdout).toContain(
      '[EXERCISE] rainstorm, red warning  W1 open',
    );
    expect(await json('warning', 'show', '1')).toMatchObject({ warning: { id: 'W1' }, coverage: 0 });
    expect(await fenghuo('warning', 'show', 'W99')).toMatchObject({ code: 3 });
    expect(await fenghuo('warning', 'show', 'twelve')).toMatchObject({ code: 2 });
  });

  test('silent units come with whom to phone, masked unless asked', async () => {
    expect((await fenghuo('silent', 'W1')).stderr).toContain('No unit of W1 is silent');
    await database.query(
      `insert into unit_states (warning_id, unit_id, cell_id, tier, status, silent_at, told_at, rung, state)
       select 1, u.id, c.id, u.tier, 'open', clock_timestamp() - interval '90 seconds', clock_timestamp(), 1, '{}'
       from units u join cells c on c.warning_id = 1 and c.unit_id = u.cell_unit_id
       where u.code in ('500114112000', '500114000000')`,
    );
    const silent = await fenghuo('silent', 'W1', '--lang', 'zh');
    const lines = silent.stdout.split('\n');
    expect(lines[1]).toMatch(/^区县 .*黔江区 .*01:3\d .*138\*\*\*\*8002 区一/);
    expect(lines[2]).toMatch(/^乡镇 .*濯水镇 .*138\*\*\*\*8003 镇一/);
    expect(silent.stdout).not.toContain('13800138003');
    expect((await fenghuo('silent', 'W1', '--numbers')).stdout).toContain('+8613800138003');
    expect((await fenghuo('silent', 'W1', '--most', '1')).stderr).toContain('Only the first 1');
    const items = (await fenghuo('silent', 'W1', '-o', 'jsonl')).stdout.trim().split('\n');
    expect(JSON.parse(items[1] ?? '')).toMatchObject({ code: '500114112000', phoneNext: { name: '镇一' } });
  });

  test('an answer is recorded with who vouches for it', async () => {
    const ran = await fenghuo(
      ...['answer', '--warning', 'W1', '--unit', '黔江区/濯水镇', '--done', '35'],
      ...['--vouched-by', '王值班', '--how', '电话核实'],
    );
    expect(ran.stdout).toMatch(/^W1 濯水镇: done, recorded .*\+08:00\n$/);
    const [row] = await database.query('select kind, done_count, vouched_by, how from answers');
    expect(row).toEqual({ kind: 'done', done_count: 35, vouched_by: '王值班', how: '电话核实' });
    const other = ['answer', '--warning', 'W1', '--unit', '万州区', '--vouched-by', 'a', '--how', 'b'];
    expect(await fenghuo(...other)).toMatchObject({ code: 3 });
  });

  test('a watch ends with 8 when its time is over', async () => {
    const ran = await fenghuo('warning', 'watch', 'W1', '--timeout', '0s');
    expect(ran.code).toBe(8);
    expect(ran.stdout).toMatch(/W1 open \| city told 0 answered 0 of 1/);
  });

  test('a warning is cancelled once', async () => {
    expect((await fenghuo('warning', 'cancel', 'W1', '--reason', '雨停')).stdout).toMatch(
      /^W1 cancelled at /,
    );
    expect(await fenghuo('warning', 'cancel', 'W1')).toMatchObject({ code: 5, stdout: '' });
    expect((await fenghuo('warning', 'show', 'W1')).stdout).toContain('Reason: 雨停');
  });

  test('a watch of an ended warning judges its coverage: 7 below what was asked', async () => {
    await database.query(`delete from inbox`);
    await database.query(`update cells set status = 'closed' where warning_id = 1`);
    const below = await fenghuo('warning', 'watch', 'W1', '--coverage', '95');
    expect(below.code).toBe(7);
    expect(below.stderr).toContain('95 % were asked for');
    expect(await json('warning', 'watch', 'W1')).toMatchObject({
      warning: { id: 'W1', status: 'cancelled' },
    });
  });
});
