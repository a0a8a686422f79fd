/** The record as PostgreSQL keeps it: chained by the database itself, and not to be changed by the application. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendRecord } from '../db/audit.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { testDatabase } from './database.ts';

let owner: Database;
let application: Database;
beforeAll(async () => {
  owner = await testDatabase('audit');
  application = openDatabase({ url: process.env['DATABASE_URL'] ?? '', schema: owner.schema });
});
afterAll(async () => {
  await application.close();
  await owner.close();
});

const line = { kind: 'pause', warningId: null, actor: '值班 甲', body: { reason: 'a\nb' } };

describe('the chain', () => {
  test('holds the hash of each line and of the one before it', async () => {
    await appendRecord(application, line);
    await appendRecord(application, { ...line, actor: null });
    const rows = await application.query<{ text: string; hash: string; position: number }>(
      `select audit_text(coalesce(lag(hash) over (order by position), sha256('')), audit) as text, position,
         encode(hash, 'hex') as hash from audit where chain = 'acts' order by position`,
    );
    expect(rows.map(({ position }) => position)).toEqual([1, 2]);
    for (const { text, hash } of rows) expect(createHash('sha256').update(text).digest('hex')).toBe(hash);
    expect(rows[1]?.text.startsWith(rows[0]?.hash ?? '-')).toBe(true);
    expect(rows[0]?.text).toContain('"pause" "值班 甲" {"reason":"a\\nb"}');
  });

  test('does not fork when many write to it at once', async () => {
    const warningId = 7;
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        application.transaction((sql) => appendRecord(sql, { ...line, warningId, body: index })),
      ),
    );
    const [chain] = await application.query(
      `select count(*)::int as lines, max(position)::int as last, count(distinct position)::int as places
       from audit where chain = 'acts-7'`,
    );
    expect(chain).toEqual({ lines: 40, last: 40, places: 40 });
  });
});

describe('the application', () => {
  test.each([
    'update audit set body = $$1$$::json',
    'delete from audit',
    'truncate audit',
    'insert into audit (chain, kind, body, position) values ($$acts$$, $$x$$, $$1$$, 1)',
    'insert into audit (chain, kind, body, hash) values ($$acts$$, $$x$$, $$1$$, $$x$$)',
    'update audit_heads set position = 0',
    'delete from audit_heads',
    'truncate audit_heads',
    'update answers set kind = $$done$$',
    'delete from answers',
    'truncate answers',
    'update deliveries set outcome = $$failed$$',
    'delete from deliveries',
    'update receipts set state = $$read$$',
    'delete from receipts',
    'delete from anchors',
    'alter table audit disable trigger all',
    'set session_replication_role = replica',
    'drop trigger audit_append_only on audit',
    'create table mine (id int)',
    'create or replace function audit_chain() returns trigger language plpgsql as $$begin return new; end$$',
  ])('may not: %s', async (statement) => {
    await expect(application.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  test.each(['update audit set at = at', 'delete from audit', 'truncate audit', 'delete from audit_heads'])(
    'nor may the owner while the triggers fire: %s',
    async (statement) => {
      await expect(owner.query(statement)).rejects.toThrow(/append-only/);
    },
  );
});

describe('a login that is a member of the role and nothing else', () => {
  const login = `fenghuo_test_login_${process.pid}`;
  beforeAll(() =>
    owner.query(`create role ${login} login noinherit password 'of-the-tests' in role fenghuo_app`),
  );
  afterAll(() => owner.query(`drop role ${login}`));

  test('works as the role, and gains nothing by leaving it', async () => {
    const url = new URL(process.env['DATABASE_URL'] ?? '');
    Object.assign(url, { username: login, password: 'of-the-tests' });
    const service = openDatabase({ url: url.href, schema: owner.schema, connectionsMost: 1 });
    try {
      await appendRecord(service, line);
      await service.query('set role none');
      await expect(service.query(`select from ${owner.schema}.audit`)).rejects.toMatchObject({
        code: '42501',
      });
      await expect(
        service.query(`set role ${new URL(process.env['DATABASE_URL'] ?? '').username}`),
      ).rejects.toMatchObject({
        code: '42501',
      });
    } finally {
      await service.close();
    }
  });
});
