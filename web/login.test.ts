/** Log-in by a real OpenID provider: by a device code and in the browser, with what goes wrong there, and with tokens that lie. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { authenticate, endToken } from '../operations/operators.ts';
import { openLoginOffice, type LoginOffice } from '../test/harness/login-office.ts';
import { claimsOf, LoginBrowser, type Forgery } from '../test/harness/openid-provider.ts';

let office: LoginOffice;
beforeAll(async () => {
  // As behind a proxy of our own, so that the address is the test's to say.
  office = await openLoginOffice('login', { FENGHUO_WEB_PROXIES: '1' });
});
afterAll(() => office.stop());
afterEach(() => {
  Object.assign(office.provider, {
    ...{ person: 'zhang', declines: false, deviceSeconds: 600, slowDowns: 0, forgery: null, broken: {} },
  });
});

let address = 0;

type Said = {
  status: number;
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  state: string;
  token: string;
  operator: string;
  error: { code: string; sentence: string };
};

async function post(path: string, body: unknown = {}, from?: string): Promise<Said> {
  address += 1;
  const response = await fetch(`${office.url}${path}`, {
    method: 'POST',
    headers: { 'x-forwarded-for': from ?? `203.0.113.${address % 250}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { ...((await response.json()) as Said), status: response.status };
}

const start = () => post('/login/device');
const ask = ({ deviceCode }: Said) => post('/login/device/token', { deviceCode });
const approve = ({ verificationUri, userCode }: Said, confirm = true) =>
  new LoginBrowser().typeCode(verificationUri, userCode, confirm);

/** Every way in which an ID token may lie; each is one that a naive check would take. */
const FORGERIES: [what: string, forgery: Forgery][] = [
  ['whose subject was changed', (token) => withBody(token, { sub: 'zhang', more: 1 })],
  ['of a foreign key', (token) => office.provider.sign(claimsOf(token), 'foreign key')],
  ['signed by nobody', (token) => office.provider.sign(claimsOf(token), 'none')],
  ['signed with the client’s secret', (token) => office.provider.sign(claimsOf(token), 'secret')],
  ['for another client', (token) => signed(token, { aud: 'another' })],
  ['for several, and another acts', (token) => signed(token, { aud: ['fenghuo', 'x'], azp: 'x' })],
  ['of another issuer', (token) => signed(token, { iss: 'https://login.example' })],
  ['that has expired', (token) => signed(token, { exp: Math.floor(Date.now() / 1_000) - 600 })],
  ['without a subject', (token) => signed(token, { sub: undefined })],
  ['without an end', (token) => signed(token, { exp: undefined })],
  ['that is none', () => 'e30.e30.e30'],
  ['that is missing', () => undefined],
];

const signed = (token: string, change: Record<string, unknown>) =>
  office.provider.sign({ ...claimsOf(token), ...change }, 'own key');

function withBody(token: string, change: Record<string, unknown>): string {
  const [head, , signature] = token.split('.');
  const body = Buffer.from(JSON.stringify({ ...claimsOf(token), ...change })).toString('base64url');
  return `${head}.${body}.${signature}`;
}

const tokens = async () =>
  (await office.database.query('select from operator_tokens where identity_id is not null')).length;

describe('a device log-in', () => {
  it('waits for the code to be typed, and then is a token for the linked operator', async () => {
    const started = await start();
    expect(started).toMatchObject({ status: 200, intervalSeconds: 1, expiresInSeconds: 600 });
    expect(await ask(started)).toMatchObject({ status: 202, state: 'pending' });
    expect((await approve(started)).html).toContain('Sign-in Success');
    const { status, operator, token } = await ask(started);
    expect([status, operator]).toEqual([200, '张三']);
    expect(await authenticate(office.database, token)).toMatchObject({ name: '张三' });
    // A device code is good once.
    expect(await ask(started)).toMatchObject({ status: 410, error: { code: 'login-expired' } });
  });

  it('passes on that it is asked for too often', async () => {
    const started = await start();
    office.provider.slowDowns = 1;
    expect(await ask(started)).toMatchObject({ status: 202, state: 'slow down' });
    expect(await ask(started)).toMatchObject({ status: 202, state: 'pending' });
  });

  it('is none where it is declined', async () => {
    const started = await start();
    await approve(started, false);
    expect(await ask(started)).toMatchObject({ status: 403, error: { code: 'login-denied' } });
  });

  it('is none once its time is over', async () => {
    office.provider.deviceSeconds = 1;
    const started = await start();
    await expect
      .poll(() => ask(started), { timeout: 20_000 })
      .toMatchObject({
        ...{ status: 410, error: { code: 'login-expired' } },
      });
  });

  it('says to who is not linked which subject to link', async () => {
    office.provider.person = 'wang-5';
    const started = await start();
    await approve(started);
    const { status, error } = await ask(started);
    expect([status, error.code]).toEqual([403, 'not-linked']);
    expect(error.sentence).toContain('fenghuo operator link NAME --subject wang-5');
  });

  it.each(FORGERIES)('is none by an ID token %s', async (_what, forgery) => {
    const started = await start();
    await approve(started);
    office.provider.forgery = forgery;
    const before = await tokens();
    expect(await ask(started)).toMatchObject({ status: 403, error: { code: 'login-unproved' } });
    expect(await tokens()).toBe(before);
  });

  it.each(['', '{}', '[]', '{"deviceCode":""}', '{"deviceCode":7}', `{"deviceCode":"${'x'.repeat(3_000)}"}`])(
    'takes no body like %.40s',
    async (body) => {
      expect(await post('/login/device/token', body)).toMatchObject({ status: 400 });
    },
  );

  it('takes no large body, and a code that nobody has given is over', async () => {
    expect(await post('/login/device/token', { deviceCode: 'x'.repeat(5_000) })).toMatchObject({
      status: 413,
    });
    expect(await post('/login/device/token', { deviceCode: 'x' })).toMatchObject({ status: 410 });
  });

  it('is limited for each address: the provider is asked no more', async () => {
    const asked = () => office.provider.requests.length;
    for (let times = 0; times < 100; times += 1)
      await post('/login/device/token', { deviceCode: 'x' }, '198.51.100.7');
    const before = asked();
    const refused = await post('/login/device', {}, '198.51.100.7');
    expect([refused.status, refused.error.code, asked()]).toEqual([429, 'too-many', before]);
    expect((await start()).status).toBe(200);
  });
});

describe('a provider that is away', () => {
  it.each([500, 404, 200])('or answers %i with a page is said so, and tried again', async (status) => {
    const started = await start();
    office.provider.broken = { '/token': status, '/device/auth': status };
    expect(await start()).toMatchObject({ status: 503, error: { code: 'provider-unreachable' } });
    expect(await ask(started)).toMatchObject({ status: 503, error: { code: 'provider-unreachable' } });
    office.provider.broken = {};
    expect(await ask(started)).toMatchObject({ status: 202 });
  });

  it('lets the desk be reached by a token all the same', async () => {
    await office.provider.stop();
    try {
      expect(await start()).toMatchObject({ status: 503, error: { code: 'provider-unreachable' } });
      const browser = await new LoginBrowser().open(`${office.url}/desk`);
      expect([browser.status, browser.html.includes('操作员令牌')]).toEqual([200, true]);
    } finally {
      await office.provider.start();
    }
    expect((await start()).status).toBe(200);
  });
});

/** From the desk to the provider and back, up to the address with the code, which is not opened yet. */
async function returning(): Promise<{ browser: LoginBrowser; back: string }> {
  const browser = await new LoginBrowser().open(`${office.url}/desk`);
  const link = /href="(\/desk\/oidc)"/.exec(browser.html)?.[1] ?? '';
  await browser.open(link, { stopAt: (url) => url.startsWith(`${office.url}/desk/oidc/callback`) });
  return { browser, back: browser.url };
}

const session = (browser: LoginBrowser) => browser.cookie(office.url, 'fenghuo_desk');

describe('a log-in in the browser', () => {
  it('ends at the desk, under the cookie that a token gives', async () => {
    const { browser, back } = await returning();
    expect(session(browser)).toBeUndefined();
    await browser.open(back);
    expect([browser.status, browser.html]).toEqual([200, expect.stringContaining('url=/desk')]);
    await browser.open('/desk');
    expect(browser.html).toContain('张三');
    // It is not kept longer than it is needed.
    expect(browser.cookie(office.url, 'fenghuo_login')).toBeUndefined();
  });

  it('keeps both cookies from scripts, and the session from other sites', async () => {
    const login = await fetch(`${office.url}/desk/oidc`, { redirect: 'manual' });
    const [cookie = ''] = login.headers.getSetCookie();
    expect(cookie).toMatch(
      /^fenghuo_login=[\w-]+\.[\w-]+\.[\w-]+; Max-Age=600; Path=\/desk\/oidc; HttpOnly; SameSite=Lax$/,
    );
    const asked = new URL(login.headers.get('location') ?? '').searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({ code_challenge_method: 'S256', scope: 'openid' });
    expect([...asked.keys()].sort()).toEqual([
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'nonce',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ]);
  });

  it('ends with the log-out: a copy of its token is worth nothing', async () => {
    const { browser, back } = await returning();
    await browser.open(back);
    const token = session(browser) ?? '';
    await browser.open('/desk');
    const csrf = /name="csrf"\s+value="([^"]+)"/.exec(browser.html)?.[1] ?? '';
    await browser.open('/desk/logout', { form: new URLSearchParams({ csrf }) });
    await expect(authenticate(office.database, token)).rejects.toMatchObject({ code: 'token-revoked' });
  });

  it.each<[what: string, change: (state: string, nonce: string, verifier: string) => string[]]>([
    ['another state', (_state, nonce, verifier) => ['x'.repeat(43), nonce, verifier]],
    ['another nonce', (state, _nonce, verifier) => [state, 'x'.repeat(43), verifier]],
    ['another verifier', (state, nonce) => [state, nonce, 'x'.repeat(43)]],
    ['nothing of use', () => ['x']],
  ])('is none where the cookie holds %s', async (_what, change) => {
    const { browser, back } = await returning();
    const [state = '', nonce = '', verifier = ''] = (browser.cookie(office.url, 'fenghuo_login') ?? '').split(
      '.',
    );
    browser.setCookie(office.url, 'fenghuo_login', change(state, nonce, verifier).join('.'));
    const before = await tokens();
    await browser.open(back);
    expect(browser.status).toBeGreaterThanOrEqual(400);
    expect([session(browser), await tokens()]).toEqual([undefined, before]);
    expect(browser.html).toContain('请重新开始');
  });

  it('is none for another browser, nor for the same a second time', async () => {
    const { browser, back } = await returning();
    const stranger = await new LoginBrowser().open(back);
    expect([stranger.status, session(stranger)]).toEqual([400, undefined]);
    const cookie = browser.cookie(office.url, 'fenghuo_login') ?? '';
    await browser.open(back);
    expect(session(browser)).toBeDefined();
    // With all it had the first time: the code has been used.
    const replayed = await new LoginBrowser().open(`${office.url}/desk`);
    replayed.setCookie(office.url, 'fenghuo_login', cookie);
    await replayed.open(back);
    expect([session(replayed), replayed.html.includes('请重新开始')]).toEqual([undefined, true]);
  });

  it('is none where it is declined, and the page says so', async () => {
    office.provider.declines = true;
    const { browser, back } = await returning();
    await browser.open(back);
    expect([browser.status, session(browser)]).toEqual([403, undefined]);
    expect(browser.html).toContain('被拒绝');
  });

  it('is none for who is not linked, and the page says which subject to link', async () => {
    office.provider.person = '<b>wang';
    const { browser, back } = await returning();
    await browser.open(back);
    expect([browser.status, session(browser)]).toEqual([403, undefined]);
    expect(browser.html).toContain('--subject &#39;&lt;b&gt;wang&#39;');
  });

  it.each(FORGERIES)('is none by an ID token %s', async (_what, forgery) => {
    const { browser, back } = await returning();
    office.provider.forgery = forgery;
    await browser.open(back);
    expect([browser.status, session(browser)]).toEqual([403, undefined]);
  });

  it('is none by an ID token of another log-in', async () => {
    const first = await returning();
    let earlier = '';
    office.provider.forgery = (token) => (earlier = token);
    await first.browser.open(first.back);
    expect(session(first.browser)).toBeDefined();
    const { browser, back } = await returning();
    office.provider.forgery = () => earlier;
    await browser.open(back);
    expect([browser.status, session(browser)]).toEqual([403, undefined]);
  });
});

describe('the log', () => {
  it('names what is wrong for whoever runs this, and nothing that lets anybody in', async () => {
    const service = office.environment['FENGHUO_LOGIN_SERVICE_TOKEN'] ?? '';
    const lines = office.log.join('\n');
    expect(lines).toContain('login-unproved');
    expect(lines).toContain('provider-unreachable');
    expect(lines).not.toMatch(/fenghuo_[\w-]{20,}|eyJ|zhang|wang|secret/);
    expect(lines).not.toContain(service);
  });

  it('says so where the log-in service has ended: last, because nobody logs in by it any more', async () => {
    await endToken(office.database, office.environment['FENGHUO_LOGIN_SERVICE_TOKEN'] ?? '');
    const started = await start();
    await approve(started);
    expect(await ask(started)).toMatchObject({ status: 502, error: { code: 'login-service' } });
    expect(office.log.at(-1)).toContain('login-service');
  });
});
