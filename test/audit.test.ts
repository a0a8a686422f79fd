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
    `insert into audit (chain, kind, body) values ('seals', 'seal', '{}')`,
    `insert into audit (chain, kind, body) values ('seals', 'pause', '1')`,
    `insert into audit (chain, kind, body) select 'seals', 'seal', json_build_object('incarnation', incarnation, 'heads', '[]'::json,
       'facts', '{"answers":1000000000000,"deliveries":0,"receipts":0}'::json) from installation`,
    'update audit_heads set position = 0',
    'update audit_heads set sealed = position + 1',
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
    ...['draft_versions', 'approvals', 'releases', 'after_reviews', 'decisions'].flatMap((table) => [
      `update ${table} set at = at`.replace('draft_versions set at = at', 'draft_versions set hash = hash'),
      `delete from ${table}`,
      `truncate ${table} cascade`,
    ]),
    ...['operators', 'grants', 'operator_tokens', 'drafts'].flatMap((table) => [
      `update ${table} set id = default`,
      `delete from ${table}`,
      `truncate ${table} cascade`,
    ]),
    'update operators set person_id = null, email = null',
    'update operator_tokens set hash = $$x$$',
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

describe('a temporary table of the same name', () => {
  test.each(['audit_heads', 'audit'])('gets nobody around the record: %s', async (name) => {
    const one = openDatabase({
      url: process.env['DATABASE_URL'] ?? '',
      schema: owner.schema,
      connectionsMost: 1,
    });
    const lines = () => owner.query(`select from audit where chain like 'acts%'`);
    const before = (await lines()).length;
    try {
      await one.query(`create temporary table ${name} (like ${owner.schema}.${name} including all)`);
      const [issued] = await one.query<{ id: number }>(
        `insert into warnings (kind, hazard, level, issuer, text_zh, text_en, expires_at, rules)
         values ('exercise', '11B03', 'red', 'x', 'x', 'x', clock_timestamp() + interval '1 hour', '{}') returning id`,
      );
      await one.query(`insert into ${owner.schema}.audit (chain, kind, body) values ('acts', 'pause', '1')`);
      expect((await lines()).length).toBe(before + 2);
      const [faked] = await one.query<{ count: number }>(
        `select count(*)::int as count from pg_temp.${name}`,
      );
      expect(faked?.count).toBe(0);
      expect(issued?.id).toBeGreaterThan(0);
    } finally {
      await one.close();
    }
  });
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
