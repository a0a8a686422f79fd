/** Log-in by a provider as people type it: the code that is shown, how each ending is said, who is linked to whom, and the doctor. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../config.ts';
import { openLoginOffice, type LoginOffice } from '../test/harness/login-office.ts';
import { LoginBrowser } from '../test/harness/openid-provider.ts';
import { createContext } from './context.ts';
import { loginFinding } from './doctor-login.ts';
import { main } from './main.ts';
import { keepingWriter, run } from './testing.ts';

let office: LoginOffice;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fenghuo-login-'));
  office = await openLoginOffice('login cli');
});
afterAll(async () => {
  await office.stop();
  rmSync(directory, { recursive: true });
});
afterEach(() => {
  Object.assign(office.provider, { person: 'zhang', deviceSeconds: 600, slowDowns: 0, broken: {} });
});

/** Of somebody's own computer: it knows the installation, and neither client secret nor service. */
function environment(change: Record<string, string> = {}): Record<string, string> {
  const { DATABASE_URL = '', FENGHUO_SCHEMA = '', FENGHUO_SECRET = '' } = office.environment;
  return {
    ...{ DATABASE_URL, FENGHUO_SCHEMA, FENGHUO_SECRET },
    ...{ FENGHUO_PUBLIC_URL: office.url, FENGHUO_DATA_DIR: directory, LANG: 'C.UTF-8' },
    ...change,
  };
}

const asAdministrator = (...argv: string[]) =>
  run(argv, environment({ FENGHUO_TOKEN: office.administrator.token }));

const SHOWN = /Open (\S+) in a browser, and type: (\S+)\n|用浏览器打开 (\S+),键入代码:(\S+)\n/;

/** Types `login --oidc`; `meanwhile` is done with what it shows. */
async function logIn(
  meanwhile: (shown: { address: string; code: string }) => Promise<unknown>,
  options: { argv?: string[]; change?: Record<string, string> } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [keepingWriter(), keepingWriter()];
  const argv = ['login', '--oidc', ...(options.argv ?? [])];
  const done = main(argv, { stdout, stderr, env: environment(options.change) });
  await expect.poll(() => stderr.text()).toMatch(SHOWN);
  const [, ...shown] = SHOWN.exec(stderr.text()) ?? [];
  const [address = '', code = ''] = shown.filter(Boolean);
  await meanwhile({ address, code });
  return { code: await done, stdout: stdout.text(), stderr: stderr.text() };
}

const typed =
  (confirm = true) =>
  ({ address, code }: { address: string; code: string }) =>
    new LoginBrowser().typeCode(address, code, confirm);

describe('login --oidc', () => {
  it('shows where to type which code, waits, and keeps the token like any other', async () => {
    const { code, stdout, stderr } = await logIn(typed());
    expect([code, stdout]).toEqual([0, 'Logged in as 张三.\n']);
    expect(stderr).toContain(office.provider.issuer);
    expect(stdout + stderr).not.toMatch(/fenghuo_/);
    const whoami = await run(['whoami', '--json'], environment());
    expect(JSON.parse(whoami.stdout)).toMatchObject({ operator: '张三', grants: [{ role: 'duty officer' }] });
    expect((await run(['logout'], environment())).code).toBe(0);
    expect(JSON.parse((await run(['whoami', '--json'], environment())).stdout)).toEqual({ operator: null });
  });

  it('speaks Chinese, and JSON on standard output alone', async () => {
    const { code, stdout, stderr } = await logIn(typed(), { argv: ['--lang', 'zh', '--json'] });
    expect([code, JSON.parse(stdout)]).toEqual([0, { operator: '张三' }]);
    expect(stderr).toContain('谁运行命令,谁就登录');
  });

  it('goes on where the provider is away for a moment', async () => {
    const { code } = await logIn(async (shown) => {
      const asked = () => office.provider.requests.filter((line) => line === 'POST /token').length;
      office.provider.broken = { '/token': 503 };
      const before = asked();
      await expect.poll(asked, { timeout: 10_000 }).toBeGreaterThan(before);
      office.provider.broken = {};
      await typed()(shown);
    });
    expect(code).toBe(0);
  });

  it('ends where it is declined', async () => {
    const { code, stderr } = await logIn(typed(false));
    expect([code, stderr.includes('declined at the provider')]).toEqual([4, true]);
  });

  it('ends when its time is over, with a sentence that says what to do', async () => {
    office.provider.deviceSeconds = 2;
    const { code, stderr } = await logIn(() => Promise.resolve(), { argv: ['--json'] });
    expect(code).toBe(8);
    expect(JSON.parse(stderr.split('\n').at(-2) ?? '')).toMatchObject({ error: { code: 'login-expired' } });
  });

  it('tells who is not linked what to ask for', async () => {
    office.provider.person = 'wang-5';
    const { code, stderr } = await logIn(typed(), { argv: ['--lang', 'zh'] });
    expect(code).toBe(4);
    expect(stderr).toContain('尚未关联操作员');
    expect(stderr).toContain('fenghuo operator link NAME --subject wang-5');
  });

  it.each<[what: string, change: () => Record<string, string>, code: number, sentence: string]>([
    ['the web process is away', () => ({ FENGHUO_PUBLIC_URL: 'http://127.0.0.1:9' }), 6, 'does not answer'],
    [
      'a token would travel in the open',
      () => ({ FENGHUO_PUBLIC_URL: 'http://warn.example' }),
      2,
      'unprotected',
    ],
  ])('says so where %s', async (_what, change, code, sentence) => {
    const ran = await run(['login', '--oidc'], environment(change()));
    expect(ran).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(sentence) as string });
  });

  it('says so where no provider is set up', async () => {
    const server = createServer((_request, response) => response.writeHead(404).end('<html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ran = await run(
      ['login', '--oidc'],
      environment({ FENGHUO_PUBLIC_URL: `http://127.0.0.1:${port}` }),
    );
    server.close();
    expect([ran.code, ran.stderr.includes('FENGHUO_OIDC_ISSUER is not set')]).toEqual([2, true]);
  });

  it('shows no code that would command the terminal', async () => {
    const answer = {
      ...{ deviceCode: 'x', userCode: 'A\u001b[2J', verificationUri: 'https://login.example/device' },
      ...{ expiresInSeconds: 60, intervalSeconds: 1 },
    };
    const server = createServer((_request, response) => response.end(JSON.stringify(answer)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ran = await run(
      ['login', '--oidc'],
      environment({ FENGHUO_PUBLIC_URL: `http://127.0.0.1:${port}` }),
    );
    server.close();
    expect([ran.code, ran.stderr.includes('\u001b[2J')]).toEqual([6, false]);
  });
});

describe('operator', () => {
  it('links, shows and unlinks', async () => {
    await asAdministrator('operator', 'add', '李四');
    const linked = await asAdministrator('operator', 'link', '李四', '--subject', 'li');
    expect(linked.stdout).toBe(`李四 logs in as li at ${office.provider.issuer} from now on.\n`);
    const list = await asAdministrator('operator', 'list');
    expect(list.stdout).toContain(`统一登录 · log-in service of ${office.provider.issuer} · token until`);
    expect(list.stdout).toContain(`  logs in as li at ${office.provider.issuer}`);
    const rows = JSON.parse((await asAdministrator('operator', 'list', '--json')).stdout) as unknown[];
    expect(rows).toContainEqual(
      expect.objectContaining({
        ...{ operator: '李四', loginService: null },
        linked: [{ issuer: office.provider.issuer, subject: 'li' }],
      }),
    );
    const again = await asAdministrator('operator', 'link', '张三', '--subject', 'li');
    expect([again.code, again.stderr]).toEqual([5, expect.stringContaining('李四 is linked')]);
    expect((await asAdministrator('operator', 'unlink', '李四')).stdout).toContain('does not log in as li');
    expect((await asAdministrator('operator', 'unlink', '李四')).code).toBe(3);
  });

  it('wants to know which, where there are services of several issuers', async () => {
    const added = await asAdministrator(
      'operator',
      'add',
      '他方',
      '--login-service',
      'https://other.example',
    );
    expect([added.code, added.stdout.includes('log-in service now')]).toEqual([0, true]);
    const link = (...more: string[]) =>
      asAdministrator('operator', 'link', '李四', '--subject', 'li', ...more);
    expect((await link()).code).toBe(2);
    expect((await link('--issuer', 'https://other.example')).code).toBe(0);
    await asAdministrator('operator', 'revoke', '他方', '--operator');
  });

  it.each([['http://login.example'], ['login.example'], ['https://login.example/?tenant=1']])(
    'makes no log-in service for %s',
    async (issuer) => {
      expect((await asAdministrator('operator', 'add', '错', '--login-service', issuer)).code).toBe(2);
    },
  );

  it.each([['--administrator'], ['--first'], ['--email', 'a@office.example']])(
    'makes no log-in service with %s',
    async (...options) => {
      const argv = ['operator', 'add', '错', '--login-service', office.provider.issuer, ...options];
      expect((await asAdministrator(...argv)).code).toBe(2);
    },
  );

  it('obeys an administrator alone', async () => {
    const ran = await run(['operator', 'link', '张三', '--subject', 'x'], environment());
    expect(ran.code).toBe(4);
  });
});

describe('the doctor', () => {
  const look = (change: Record<string, string> = {}) => {
    const context = createContext(
      { stdout: keepingWriter(), stderr: keepingWriter(), env: {} },
      { output: 'text', lang: 'en' },
    );
    return loginFinding(office.database, readConfig({ ...office.environment, ...change }), context);
  };
  const without = {
    ...{ FENGHUO_OIDC_ISSUER: '', FENGHUO_OIDC_CLIENT_ID: '', FENGHUO_OIDC_CLIENT_SECRET: '' },
    FENGHUO_LOGIN_SERVICE_TOKEN: '',
  };

  it('says that it is ready, or not set up here', async () => {
    expect(await look()).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('by 统一登录') as string,
    });
    expect(await look(without)).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('not set up') as string,
    });
  });

  it('says that the provider cannot be asked, or is another one', async () => {
    const away = { FENGHUO_OIDC_ISSUER: 'http://127.0.0.1:9' };
    expect(await look(away)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('is a log-in service of') as string,
    });
    office.provider.broken = { '/.well-known/openid-configuration': 500 };
    expect(await look()).toMatchObject({
      status: 'warn',
      found: expect.stringContaining('cannot be asked') as string,
    });
  });

  it('says what is wrong with the token', async () => {
    const unknown = { FENGHUO_LOGIN_SERVICE_TOKEN: 'fenghuo_unknown' };
    expect(await look(unknown)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('not known') as string,
    });
    const person = { FENGHUO_LOGIN_SERVICE_TOKEN: office.administrator.token };
    expect(await look(person)).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('no log-in service') as string,
    });
  });
});
