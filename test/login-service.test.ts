/**
 * What a log-in service may do, straight at PostgreSQL as the application connects: every combination of the token that is shown, who
 * issues, for whom, by which identity and for how long, against the rule written another way. And that each log-in is on record.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, type Database, type Sql } from '../db/database.ts';
import { readTokenHolder, REFUSED, showToken } from '../db/operators.ts';
import type { Operator } from '../domain/authority.ts';
import { verifyAudit } from '../operations/audit-verify.ts';
import { linkOperator, logIn, unlinkOperator } from '../operations/logins.ts';
import {
  addFirstOperator,
  addOperator,
  authenticate,
  endToken,
  grantRole,
  hashOf,
  issueToken,
  revoke,
} from '../operations/operators.ts';
import { testDatabase } from './database.ts';
import { pastTriggers } from './harness/office.ts';
import { plantSmallTree } from './harness/small-tree.ts';

const ISSUER = 'https://login.example';
const OTHER_ISSUER = 'https://other.example';

type Person = { id: number; token: string };

let owner: Database;
let database: Database;
let administrator: Operator;
const people: Record<string, Person> = {};
const identities: Record<string, number> = {};

beforeAll(async () => {
  owner = await testDatabase('login service');
  await plantSmallTree(owner);
  const url = process.env['DATABASE_URL'] ?? '';
  database = openDatabase({ url, schema: owner.schema, connectionsMost: 4 });
  administrator = await authenticate(database, (await addFirstOperator(database, '管理员')).token);
  people['管理员'] = { id: administrator.operatorId, token: administrator.token };
  for (const [name, loginIssuer] of [
    ['服务', ISSUER],
    ['他服务', OTHER_ISSUER],
    ['张三'],
    ['李四'],
    ['无名'],
    ['离职'],
  ] as const)
    people[name] = await add(name, loginIssuer);
  for (const [name, subject, issuer] of [
    ['张三', 'zhang', ISSUER],
    ['李四', 'li', OTHER_ISSUER],
    ['离职', 'li zhi', ISSUER],
    ['无名', 'wu', ISSUER],
  ] as const) {
    await linkOperator(database, administrator, name, { subject, issuer });
    const [row] = await owner.query<{ id: number }>('select max(id) as id from operator_identities');
    identities[name] = row?.id ?? 0;
  }
  await unlinkOperator(database, administrator, '无名');
  await revoke(database, administrator, '离职', { grantId: null, whole: true });
});
afterAll(async () => {
  await database.close();
  await owner.close();
});

async function add(name: string, loginIssuer?: string): Promise<Person> {
  const given = loginIssuer === undefined ? { name } : { name, loginIssuer };
  const { operatorId, token } = await addOperator(database, administrator, given);
  return { id: operatorId, token };
}

const person = (name: string): Person => people[name] ?? { id: 0, token: '' };
const login = (subject = 'zhang', issuer = ISSUER) =>
  logIn(database, person('服务').token, { issuer, subject });

type Attempt = {
  shown: string;
  issuedBy: string;
  whom: string;
  identity: string | null;
  hours: number;
};

async function insert(sql: Sql, { token, attempt }: { token: string; attempt: Attempt }): Promise<void> {
  const { issuedBy, whom, identity, hours } = attempt;
  await showToken(sql, token);
  await sql.query(
    `insert into operator_tokens (operator_id, hash, expires_at, issued_by, identity_id)
     values ($1, sha256(random()::text::bytea), clock_timestamp() + $2 * interval '1 hour', $3, $4)`,
    [person(whom).id, hours, person(issuedBy).id, identity === null ? null : (identities[identity] ?? 0)],
  );
}

class Undone extends Error {}

/** True where PostgreSQL lets it pass; nothing of it stays. */
async function passes(token: string, attempt: Attempt): Promise<boolean> {
  const run = database.transaction(async (sql) => {
    await insert(sql, { token, attempt });
    throw new Undone();
  });
  return run.catch((error: unknown) => {
    if (error instanceof Undone) return true;
    if ((error as { code?: unknown }).code === REFUSED) return false;
    throw error;
  });
}

/** The rule in plain words, with what this office is. */
function allowed({ shown, issuedBy, whom, identity, hours }: Attempt): boolean {
  if (shown !== issuedBy) return false;
  // One person links to one issuer here, and only these two are still linked.
  if (issuedBy === '服务') return whom === '张三' && identity === '张三' && hours <= 12;
  if (issuedBy === '他服务') return whom === '李四' && identity === '李四' && hours <= 12;
  // By a token that was handed out, as ever: for oneself.
  return whom === issuedBy && identity === null;
}

describe('the token of a log-in service', () => {
  it('gives, of all combinations, only what the rule says', async () => {
    const names = ['服务', '他服务', '张三'];
    const ofLogin = (await login()).token;
    const { token: expired } = await issueToken(database, administrator, {
      ...{ name: '服务', days: 1, revokeOthers: false },
    });
    const { token: revoked } = await issueToken(database, administrator, {
      ...{ name: '服务', days: 1, revokeOthers: false },
    });
    await endToken(database, revoked);
    await pastTriggers(
      owner,
      `update operator_tokens set issued_at = now() - interval '2 days', expires_at = now() - interval '1 second' where hash = $1`,
      [hashOf(expired)],
    );
    const tokens: [shown: string, token: string][] = [
      ...names.map((name): [string, string] => [name, person(name).token]),
      ['ended', expired],
      ['ended', revoked],
      ['a log-in', ofLogin],
      ['nothing', ''],
    ];
    const disagreements: Attempt[] = [];
    let [attempts, passed] = [0, 0];
    for (const [shown, token] of tokens)
      for (const issuedBy of names)
        for (const whom of ['张三', '李四', '无名', '离职', '管理员', '服务', '他服务'])
          for (const identity of [null, '张三', '李四', '无名', '离职'])
            for (const hours of [1, 11.99, 12.01, 24 * 30]) {
              const attempt = { shown, issuedBy, whom, identity, hours };
              const did = await passes(token, attempt);
              attempts += 1;
              if (did) passed += 1;
              if (did !== allowed(attempt)) disagreements.push(attempt);
            }
    expect({ attempts, disagreements }).toEqual({ attempts: 2_940, disagreements: [] });
    // Two hours of each service, and 张三's own by a token that was handed out.
    expect(passed).toBe(2 + 2 + 4);
  });

  it.each([
    [
      'takes a grant',
      `insert into grants (operator_id, role, area_id, highest_level, granted_by) values ($1, 'releaser', 1, 'red', $1)`,
    ],
    ['makes an operator', `insert into operators (name, added_by) values ('新', $1)`],
    [
      'makes an administrator',
      `insert into operators (name, administrator, added_by) values ('新', true, $1)`,
    ],
    [
      'links somebody',
      `insert into operator_identities (operator_id, issuer, subject, linked_by) values ($1, 'x', 'x', $1)`,
    ],
    [
      'links another',
      `insert into operator_identities (operator_id, issuer, subject, linked_by) select id, 'x', 'x', $1 from operators where name = '李四'`,
    ],
    [
      'unlinks somebody',
      `update operator_identities set unlinked_at = now(), unlinked_by = $1 where subject = 'zhang'`,
    ],
    ['revokes an operator', `update operators set revoked_at = now() where name = '张三' and $1 > 0`],
    [
      'ends a token of somebody else',
      `update operator_tokens set revoked_at = now() where operator_id <> $1 and revoked_at is null and expires_at > now() and operator_id in (select id from operators where revoked_at is null)`,
    ],
    ['becomes another issuer’s', `update operators set login_issuer = 'x' where id = $1`],
    ['forgets who it logged in', `delete from operator_identities where $1 > 0`],
  ])('never %s', async (_what, statement) => {
    const service = person('服务');
    const attempt = database.transaction(async (sql) => {
      await showToken(sql, service.token);
      await sql.query(statement, [service.id]);
    });
    // By a trigger, or because the application's role may not at all.
    await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/^(FH403|42501)$/) as string });
  });

  it('is no way in for itself, and an administrator grants it nothing', async () => {
    await expect(authenticate(database, person('服务').token)).rejects.toMatchObject({
      code: 'token-of-service',
    });
    const grant = { role: 'author' as const, area: '城', highestLevel: 'red', hazards: [] };
    await expect(grantRole(database, administrator, '服务', grant)).rejects.toMatchObject({
      code: 'login-service-has-no-authority',
    });
  });

  it.each(['管理员', '服务'])('logs in no %s: they are linked to nobody', async (name) => {
    const link = linkOperator(database, administrator, name, { subject: `as ${name}`, issuer: ISSUER });
    await expect(link).rejects.toMatchObject({ code: 'not-to-be-linked' });
  });

  it('keeps even the owner of the tables to that, as long as triggers fire', async () => {
    await expect(owner.query(`update operators set login_issuer = 'x' where name = '张三'`)).rejects.toThrow(
      'operator-fixed',
    );
    await expect(
      owner.query(`update operator_identities set subject = 'another' where subject = 'zhang'`),
    ).rejects.toThrow('identity-fixed');
  });
});

describe('a log-in', () => {
  it('is a token for a shift, and a line of the record whoever wrote it', async () => {
    const before = Date.now();
    const { operator, token, expiresAt } = await login();
    expect(operator).toBe('张三');
    expect(await authenticate(database, token)).toMatchObject({ name: '张三' });
    expect(expiresAt - before).toBeGreaterThan(11.9 * 3_600_000);
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(12 * 3_600_000);
    const logins = () =>
      owner.query<{ actor: string; body: unknown }>(
        `select actor, body from audit where chain = 'acts' and kind = 'login' order by position`,
      );
    expect((await logins()).at(-1)).toMatchObject({
      actor: '服务',
      body: { operator: '张三', issuer: ISSUER, subject: 'zhang' },
    });
    const { length } = await logins();
    await database.transaction((sql) =>
      insert(sql, {
        token: person('服务').token,
        attempt: { shown: '服务', issuedBy: '服务', whom: '张三', identity: '张三', hours: 1 },
      }),
    );
    expect(await logins()).toHaveLength(length + 1);
    expect(await verifyAudit(database)).toMatchObject({ whole: true, faultCount: 0 });
  });

  it('makes no longer token of itself', async () => {
    const operator = await authenticate(database, (await login()).token);
    const longer = issueToken(database, operator, { name: '张三', days: 300, revokeOthers: false });
    await expect(longer).rejects.toMatchObject({ code: 'login-makes-no-token' });
  });

  it.each([
    ['a subject nobody is linked to', 'nobody', ISSUER, 'not-linked'],
    ['a subject of another issuer', 'li', ISSUER, 'not-linked'],
    ['another issuer', 'li', OTHER_ISSUER, 'login-service'],
    ['who was unlinked', 'wu', ISSUER, 'not-linked'],
    ['who was revoked', 'li zhi', ISSUER, 'not-linked'],
  ])('is none for %s', async (_whose, subject, issuer, code) => {
    await expect(login(subject, issuer)).rejects.toMatchObject({ code });
  });

  it('says to who is not linked which subject it is', async () => {
    await expect(login('248289761001')).rejects.toThrow(/login\.example knows you as 248289761001/);
    // In words that are safe to type into a shell, and to show in a terminal.
    await expect(login("auth0|7'\u001b[2J")).rejects.toThrow("--subject 'auth0|7'\\''?[2J'");
  });

  it.each(['unknown', '张三'])('is none by a token of %s', async (name) => {
    const attempt = logIn(database, person(name).token, { issuer: ISSUER, subject: 'zhang' });
    await expect(attempt).rejects.toMatchObject({ code: 'login-service' });
  });

  it('ends with its link, at once', async () => {
    await linkOperator(database, administrator, '无名', { subject: 'wu', issuer: ISSUER });
    const { token } = await login('wu');
    await unlinkOperator(database, administrator, '无名');
    await expect(authenticate(database, token)).rejects.toMatchObject({ code: 'token-revoked' });
  });

  it('ends with its service, also where both come at once', async () => {
    const spare = await add('备用', ISSUER);
    const identity = { issuer: ISSUER, subject: 'zhang' };
    const given: string[] = [];
    // More come than go in, until it is over.
    const many = async () => {
      for (;;) {
        const one = await logIn(database, spare.token, identity).catch(() => null);
        if (!one) return;
        given.push(one.token);
      }
    };
    const all = Promise.all([many(), many(), many()]);
    await expect.poll(() => given.length).toBeGreaterThan(5);
    await revoke(owner, administrator, '备用', { grantId: null, whole: true });
    await all;
    const holders = await Promise.all(given.map((token) => readTokenHolder(database, hashOf(token))));
    expect(holders.filter((holder) => holder?.state === 'good')).toEqual([]);
  });

  it('is for one operator: nobody is two by one subject, until the first has gone', async () => {
    const again = () => linkOperator(database, administrator, '李四', { subject: 'zhang', issuer: ISSUER });
    await expect(again()).rejects.toMatchObject({ code: 'subject-linked', refusal: 'conflict' });
    await add('前任');
    await linkOperator(database, administrator, '前任', { subject: 'qian', issuer: ISSUER });
    await revoke(database, administrator, '前任', { grantId: null, whole: true });
    await linkOperator(database, administrator, '李四', { subject: 'qian', issuer: ISSUER });
    expect((await login('qian')).operator).toBe('李四');
  });
});
