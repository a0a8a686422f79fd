/** The first administrator of an installation: told once, again when nobody could log in any more, never beside one who can. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { authenticate, listOperators } from '../operations/operators.ts';
import { testDatabase } from '../test/database.ts';
import { pastTriggers } from '../test/harness/office.ts';
import { createContext } from './context.ts';
import { tellFirstOperator } from './first-operator.ts';
import { keepingWriter } from './testing.ts';

let database: Database;
beforeAll(async () => {
  database = await testDatabase('first_operator');
});
afterAll(() => database.close());

/** What is told, and the token in it. */
async function tell(): Promise<{ said: string; token: string }> {
  const stderr = keepingWriter();
  const context = createContext({ stdout: keepingWriter(), stderr, env: {} }, { output: 'text', lang: 'zh' });
  await tellFirstOperator(context, {
    DATABASE_URL: process.env['DATABASE_URL'] ?? '',
    FENGHUO_SCHEMA: database.schema,
  });
  return { said: stderr.text(), token: /fenghuo_\S+/.exec(stderr.text())?.[0] ?? '' };
}

it('is told where nobody could log in, and only there', async () => {
  const first = await tell();
  expect(first.said).toContain('首位管理员为管理员,令牌只显示这一次');
  expect(await authenticate(database, first.token)).toMatchObject({ name: '管理员', grants: [] });
  expect((await tell()).said).toBe('');
  await pastTriggers(
    database,
    `update operator_tokens set issued_at = issued_at - interval '40 days', expires_at = now() - interval '1 day'`,
  );
  await expect(authenticate(database, first.token)).rejects.toMatchObject({ code: 'token-expired' });
  const second = await tell();
  expect(await authenticate(database, second.token)).toMatchObject({ name: '管理员' });
  expect(await listOperators(database)).toHaveLength(1);
});

it('comes once where two ask at the same time', async () => {
  await pastTriggers(database, 'delete from operator_tokens');
  await pastTriggers(database, 'delete from operators');
  const both = await Promise.allSettled([tell(), tell(), tell()]);
  const tokens = both.filter((one) => one.status === 'fulfilled' && one.value.token !== '');
  expect(tokens).toHaveLength(1);
});
