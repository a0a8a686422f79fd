/** The duty desk over HTTP: who gets in, what they see, that two officers never get the same line, and that no other site can press. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authenticate, addFirstOperator, addOperator, grantRole, revoke } from '../operations/operators.ts';
import type { Operator } from '../domain/authority.ts';
import { startAnswerSite, type AnswerSite } from './testing.ts';

const PHONE = /tel:(\+\d+)/;

let site: AnswerSite;
let warningId: number;
let administrator: Operator;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  site = await startAnswerSite('desk page');
  const first = await addFirstOperator(site.database, '管理员');
  administrator = await authenticate(site.database, first.token);
  for (const [name, area] of [
    ['王值班', '城'],
    ['李值班', '城'],
    ['乡值班', '区/乡一'],
  ] as const) {
    tokens[name] = (await addOperator(site.database, administrator, { name })).token;
    await grantRole(site.database, administrator, name, {
      ...{ role: 'duty officer', area, highestLevel: 'red', hazards: [] },
    });
  }
  tokens['审计员'] = (await addOperator(site.database, administrator, { name: '审计员' })).token;
});
afterAll(() => site.stop());

beforeEach(async () => {
  await site.database.query('truncate calls');
  await site.database.query(
    `update warnings set status = 'cancelled', ended_at = clock_timestamp() where status = 'open'`,
  );
  warningId = await site.issue();
  await site.database.query(
    `update unit_states set silent_at = clock_timestamp() - interval '7 minutes' where warning_id = $1`,
    [warningId],
  );
});

/** A browser: keeps its cookie and reads forms as they stand. */
class Browser {
  cookie = '';
  html = '';
  status = 0;

  async take(response: Response): Promise<this> {
    const set = response.headers.get('set-cookie');
    if (set) this.cookie = /^[^;]*/.exec(set)?.[0] ?? '';
    if (response.status === 303) return this.open(response.headers.get('location') ?? '');
    this.status = response.status;
    this.html = await response.text();
    return this;
  }

  async open(path = '/desk'): Promise<this> {
    return this.take(await fetch(`${site.url}${path}`, { headers: { cookie: this.cookie } }));
  }

  async post(path: string, fields: Record<string, string>): Promise<this> {
    const body = new URLSearchParams({ csrf: this.csrf, ...fields });
    const headers = { cookie: this.cookie, 'accept-language': 'zh' };
    return this.take(
      await fetch(`${site.url}${path}`, { method: 'POST', headers, body, redirect: 'manual' }),
    );
  }

  get csrf(): string {
    return /name="csrf"\s+value="([^"]+)"/.exec(this.html)?.[1] ?? '';
  }

  get call(): string {
    return /name="call"\s+value="(\d+)"/.exec(this.html)?.[1] ?? '';
  }
}

async function loggedIn(name: string): Promise<Browser> {
  return new Browser().post('/desk/login', { token: tokens[name] ?? '' });
}

const answered = () =>
  site.database.query<{ kind: string; vouched_by: string; done_count: number | null; unit: string }>(
    `select a.kind, a.vouched_by, a.done_count, u.name as unit from answers a join units u on u.id = a.unit_id
     where a.warning_id = $1 order by a.id`,
    [warningId],
  );

describe('who gets in', () => {
  it('nobody sees a line without a token, and a wrong one gets no further', async () => {
    const browser = await new Browser().open();
    expect(browser.html).toContain('操作员令牌');
    expect(browser.html).not.toContain('城');
    await browser.post('/desk/login', { token: 'fenghuo_wrong' });
    expect([browser.status, browser.cookie]).toEqual([403, '']);
  });

  it('the cookie is out of reach of scripts and of other sites', async () => {
    const body = new URLSearchParams({ token: tokens['王值班'] ?? '' });
    const response = await fetch(`${site.url}/desk/login`, { method: 'POST', body, redirect: 'manual' });
    expect(response.headers.get('set-cookie')).toMatch(/HttpOnly/i);
    expect(response.headers.get('set-cookie')).toMatch(/SameSite=Strict/i);
    expect(response.headers.get('set-cookie')).toMatch(/Path=\/desk/i);
  });

  it('who logs out is out, and so is whose token is taken back', async () => {
    const browser = await loggedIn('王值班');
    await browser.post('/desk/logout', {});
    expect(browser.html).toContain('操作员令牌');
    const { token } = await addOperator(site.database, administrator, { name: '临时' });
    tokens['临时'] = token;
    const gone = await loggedIn('临时');
    expect(gone.html).toContain('临时');
    await revoke(site.database, administrator, '临时', { grantId: null, whole: true });
    expect((await gone.open()).html).toContain('操作员令牌');
  });
});

describe('the list', () => {
  it('shows the most urgent first, with the mark of an Exercise and no number', async () => {
    const { html } = await loggedIn('王值班');
    expect(html).toContain('【演练】');
    expect(html).toMatch(/未应已7分钟/);
    expect(html.indexOf('区 / 乡一')).toBeGreaterThan(0);
    expect(html).not.toMatch(/\+86\d{6,}/);
    expect(html).not.toContain('<script');
    expect(Buffer.byteLength(html)).toBeLessThanOrEqual(14 * 1_024);
  });

  it('speaks English to who asks for it', async () => {
    const browser = await loggedIn('王值班');
    const headers = { cookie: browser.cookie, 'accept-language': 'en-GB' };
    expect(await (await fetch(`${site.url}/desk`, { headers })).text()).toContain('To be telephoned');
  });

  it('who may read no numbers sees it, and takes none', async () => {
    const browser = await loggedIn('审计员');
    expect(browser.html).toContain('没有查看电话号码的权限');
    await browser.post('/desk/next', {});
    expect([browser.status, PHONE.test(browser.html)]).toEqual([409, false]);
    expect(await site.database.query('select 1 from calls')).toEqual([]);
  });
});

describe('a line', () => {
  it('is never given to two officers, however they press', async () => {
    const [one, other] = await Promise.all([loggedIn('王值班'), loggedIn('李值班')]);
    await Promise.all([one.post('/desk/next', {}), other.post('/desk/next', {})]);
    expect(one.html).toMatch(PHONE);
    expect(other.html).toMatch(PHONE);
    expect(one.call).not.toBe(other.call);
    const units = await site.database.query('select distinct unit_id from calls where outcome is null');
    expect(units).toHaveLength(2);
    const before = one.call;
    await one.post('/desk/next', {});
    expect(one.call).toBe(before);
  });

  it('goes only to who may read its number', async () => {
    const browser = await loggedIn('乡值班');
    const seen: string[] = [];
    for (let line = 0; line < 4; line += 1) {
      await browser.post('/desk/next', {});
      if (browser.call === '') break;
      const [row] = await site.database.query<{ name: string }>(
        'select u.name from calls c join units u on u.id = c.unit_id where c.id = $1',
        [Number(browser.call)],
      );
      seen.push(row?.name ?? '');
      await browser.post('/desk/record', { call: browser.call, outcome: 'received' });
    }
    expect(seen.sort()).toEqual(['乡一', '村一', '组一'].sort());
    expect(browser.status).toBe(409);
  });

  it('of a level that is above their authority is not given to them', async () => {
    tokens['蓝值班'] ??= (await addOperator(site.database, administrator, { name: '蓝值班' })).token;
    await grantRole(site.database, administrator, '蓝值班', {
      ...{ role: 'duty officer', area: '城', highestLevel: 'yellow', hazards: [] },
    });
    const browser = await loggedIn('蓝值班');
    await browser.post('/desk/next', {});
    expect([browser.status, browser.call, PHONE.test(browser.html)]).toEqual([409, '', false]);
  });

  it('ends with one press: the answer is vouched for by the officer, once', async () => {
    const browser = await loggedIn('王值班');
    await browser.post('/desk/next', {});
    const { call } = browser;
    await browser.post('/desk/record', { call, outcome: 'done', count: '35' });
    expect(browser.status).toBe(200);
    expect(await answered()).toEqual([{ kind: 'done', vouched_by: '王值班', done_count: 35, unit: '城' }]);
    await browser.post('/desk/record', { call, outcome: 'cannot act' });
    expect(browser.status).toBe(409);
    expect(await answered()).toHaveLength(1);
  });

  it('somebody else’s is recorded by nobody', async () => {
    const [one, other] = await Promise.all([loggedIn('王值班'), loggedIn('李值班')]);
    await one.post('/desk/next', {});
    await other.post('/desk/record', { call: one.call, outcome: 'received' });
    expect(other.status).toBe(409);
    expect(await answered()).toEqual([]);
  });

  it.each(['', 'x'.repeat(32), 'another officer’s'])(
    'a form with the value "%s" does nothing',
    async (csrf) => {
      const browser = await loggedIn('王值班');
      await browser.post('/desk/next', {});
      const { call } = browser;
      const given = csrf.startsWith('another') ? (await loggedIn('李值班')).csrf : csrf;
      await browser.post('/desk/record', { call, outcome: 'received', csrf: given });
      expect(browser.status).toBe(403);
      expect(await answered()).toEqual([]);
    },
  );

  it('a nonsense outcome or count is no outcome', async () => {
    const browser = await loggedIn('王值班');
    await browser.post('/desk/next', {});
    const { call } = browser;
    await browser.post('/desk/record', { call, outcome: 'answered' });
    expect(browser.status).toBe(409);
    await browser.post('/desk/record', { call, outcome: 'done', count: '-4' });
    expect(await answered()).toMatchObject([{ kind: 'done', done_count: null }]);
  });
});
