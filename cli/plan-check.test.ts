/** Whom `warning plan` refuses, by name and reason, and that `warning issue` names them and goes on. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { testDatabase } from '../test/database.ts';
import { appoint, plantSmallTree } from '../test/harness/small-tree.ts';
import { run, type Ran } from './testing.ts';

let database: Database;
let env: Record<string, string>;

beforeAll(async () => {
  database = await testDatabase('cli_plan_check');
  env = {
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_SECRET: 'x'.repeat(32),
  };
  const tree = await plantSmallTree(database);
  const mute = await appoint(database, tree.unit('村二'), '无号', 2);
  await database.query('delete from person_channels where person_id = $1', [mute]);
});
afterAll(() => database.close());

const REQUEST = ['--hazard', '暴雨', '--level', 'red', '--expires', '+6h', '--area'];
const fenghuo = (...argv: string[]): Promise<Ran> => run(argv, env);

test('a plan names who is refused and why; with --check it ends with 7', async () => {
  const plain = await fenghuo('warning', 'plan', ...REQUEST, '城', '--lang', 'en');
  expect(plain.code).toBe(0);
  expect(plain.stdout).toMatch(/Refused.*1 people[\s\S]*无号.*no address the rules use/);
  expect((await fenghuo('warning', 'plan', ...REQUEST, '城', '--check')).code).toBe(7);
  expect((await fenghuo('warning', 'plan', ...REQUEST, '区/乡一', '--check')).code).toBe(0);
});

test('a unit that nobody can be reached in ends the check with 7 as well', async () => {
  const [group] = await database.query<{ id: number }>(`select id from units where name = '组二'`);
  await database.query('update posts set held_until = clock_timestamp() where unit_id = $1', [group?.id]);
  expect((await fenghuo('warning', 'plan', ...REQUEST, '组二', '--check')).code).toBe(7);
});

test('issuing goes on, and names them with the reason why it does', async () => {
  const issued = await fenghuo('warning', 'issue', ...REQUEST, '城', '--lang', 'en');
  expect(issued).toMatchObject({ code: 0, stdout: expect.stringContaining('W1') as unknown });
  expect(issued.stderr).toMatch(/无号.*no address the rules use[\s\S]*never held back/);
  const quiet = await fenghuo('warning', 'issue', ...REQUEST, '区/乡一', '--lang', 'en');
  expect(quiet.stderr).not.toContain('Refused');
  const told = await database.query('select 1 from warnings');
  expect(told).toHaveLength(2);
});
