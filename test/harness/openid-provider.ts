/**
 * A real OpenID provider on this machine (oidc-provider), with an interaction that asks nobody: whoever comes is `person`. And faults
 * that a test puts into what it answers.
 */
import { createHmac, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

const CLIENT = { id: 'fenghuo', secret: 'a client secret of the tests' };

/** What a test changes in the ID tokens of the provider. */
export type Forgery = (idToken: string) => string | undefined;

export type OpenIdProvider = {
  issuer: string;
  client: typeof CLIENT;
  /** Who comes to log in. */
  person: string;
  /** Whether they decline. */
  declines: boolean;
  /** Whether a page with a button comes first, as in life: else nobody is asked anything. */
  asks: boolean;
  /** How long codes last that are given from now on. */
  deviceSeconds: number;
  /** So many questions for a token are told to slow down. */
  slowDowns: number;
  forgery: Forgery | null;
  /** What is answered at an address instead, such as `{ '/token': 500 }`. */
  broken: Record<string, number>;
  /** What came in: method and path. */
  requests: string[];
  /** A token with other claims, signed by this provider's key, by another one of the same name, with the client's secret, or not at all. */
  sign(claims: Record<string, unknown>, by: 'own key' | 'foreign key' | 'secret' | 'none'): string;
  stop(): Promise<void>;
  /** After `stop`: at the same address. */
  start(): Promise<void>;
};

export async function openIdProvider(callback: string): Promise<OpenIdProvider> {
  const [own, foreign] = [rsaKey(), rsaKey()];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  // Another site than 127.0.0.1, as browsers see it, like a provider elsewhere.
  const issuer = `http://localhost:${port}`;
  const site: OpenIdProvider = {
    ...{
      issuer,
      client: CLIENT,
      person: 'zhang',
      declines: false,
      asks: false,
      deviceSeconds: 600,
      slowDowns: 0,
    },
    ...{ forgery: null, broken: {}, requests: [] },
    sign: (claims, by) => sign(claims, by, { own, foreign }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    start: () => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve)),
  };
  const provider = configured(site, { callback, key: own });
  const answer = provider.callback();
  server.on('request', (request, response) => {
    const { pathname } = new URL(request.url ?? '/', issuer);
    site.requests.push(`${request.method} ${pathname}`);
    const status = site.broken[pathname];
    if (status !== undefined)
      return void response.writeHead(status, { 'content-type': 'text/html' }).end('no');
    if (!pathname.startsWith('/interaction/')) return void answer(request, response);
    if (site.asks && request.method === 'GET') {
      const page = '<form method="post"><button>Log in</button></form>';
      return void response.writeHead(200, { 'content-type': 'text/html' }).end(page);
    }
    const result = site.declines ? { error: 'access_denied' } : { login: { accountId: site.person } };
    void provider.interactionFinished(request, response, result);
  });
  return site;
}

function configured(site: OpenIdProvider, given: { callback: string; key: KeyObject }): Provider {
  const provider: Provider = new Provider(site.issuer, {
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        redirect_uris: [given.callback],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
      },
    ],
    jwks: { keys: [{ ...given.key.export({ format: 'jwk' }), kid: 'own', use: 'sig', alg: 'RS256' }] },
    cookies: { keys: ['of the tests'] },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: {
        enabled: true,
        userCodeInputSource: (context, form) => void (context.body = form),
        userCodeConfirmSource: (context, form) => void (context.body = form),
        successSource: (context) => void (context.body = 'Sign-in Success'),
      },
    },
    pkce: { required: () => true },
    ttl: {
      ...{
        AccessToken: 600,
        AuthorizationCode: 600,
        Grant: 600,
        IdToken: 600,
        Interaction: 600,
        Session: 600,
      },
      DeviceCode: () => site.deviceSeconds,
    },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    // Nobody is asked whether they consent.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
  });
  provider.use(async (context, next) => {
    if (context.path === '/token' && site.slowDowns > 0) {
      site.slowDowns -= 1;
      context.status = 400;
      context.body = { error: 'slow_down' };
      return;
    }
    await next();
    if (context.status !== 200) return;
    const body = context.body as Record<string, unknown>;
    if (context.path === '/device/auth') body['interval'] = 1;
    if (context.path === '/token' && site.forgery) body['id_token'] = site.forgery(String(body['id_token']));
  });
  return provider;
}

function rsaKey(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
}

function sign(
  claims: Record<string, unknown>,
  by: Parameters<OpenIdProvider['sign']>[1],
  keys: { own: KeyObject; foreign: KeyObject },
): string {
  const alg = by === 'secret' ? 'HS256' : by === 'none' ? 'none' : 'RS256';
  const text = [{ alg, kid: 'own' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  if (by === 'none') return `${text}.`;
  if (by === 'secret')
    return `${text}.${createHmac('sha256', CLIENT.secret).update(text).digest('base64url')}`;
  const key = by === 'own key' ? keys.own : keys.foreign;
  return `${text}.${createSign('sha256').update(text).sign(key, 'base64url')}`;
}

/** What an ID token says. */
export function claimsOf(idToken: string): Record<string, unknown> {
  const [, body = ''] = idToken.split('.');
  return JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
}

/** A browser with cookies for each site, which goes where it is sent and presses what it is told to. */
export class LoginBrowser {
  readonly #cookies = new Map<string, Map<string, string>>();
  url = '';
  status = 0;
  html = '';

  /** Follows redirects up to an address for which `stopAt` is true, which it does not open. */
  async open(
    address: string,
    options: { form?: URLSearchParams; stopAt?: (url: string) => boolean } = {},
  ): Promise<this> {
    const { form, stopAt = () => false } = options;
    this.url = new URL(address, this.url === '' ? undefined : this.url).href;
    if (stopAt(this.url)) return this;
    const { origin } = new URL(this.url);
    const jar = this.#cookies.get(origin) ?? new Map<string, string>();
    this.#cookies.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(this.url, {
      headers: { cookie, 'accept-language': 'zh' },
      redirect: 'manual',
      ...(form && { method: 'POST', body: form }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === '' || /max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    this.status = response.status;
    this.html = await response.text();
    const location = response.headers.get('location');
    return location === null ? this : this.open(location, { stopAt });
  }

  cookie(site: string, name: string): string | undefined {
    return this.#cookies.get(new URL(site).origin)?.get(name);
  }

  setCookie(site: string, name: string, value: string): void {
    this.#cookies.get(new URL(site).origin)?.set(name, value);
  }

  /** Sends the page's form with its hidden fields, and `more`. */
  async press(more: Record<string, string> = {}): Promise<this> {
    const action = /<form[^>]*action="([^"]+)"/.exec(this.html)?.[1] ?? '';
    const fields = [...this.html.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = new URLSearchParams(fields.map(([, name = '', value = '']) => [name, value]));
    for (const [name, value] of Object.entries(more)) form.set(name, value);
    return this.open(action, { form });
  }

  /** Types the code of a device log-in at the provider, and confirms it or not. */
  async typeCode(address: string, code: string, confirm = true): Promise<this> {
    await this.open(address);
    await this.press({ user_code: code });
    return this.press(confirm ? {} : { abort: 'yes' });
  }
}
