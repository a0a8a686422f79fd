/**
 * Log-in by a provider. The command line asks here for a device log-in and then, again and again, for what came of it: it keeps the device
 * code, we keep nothing, and the client secret never leaves this process. The browser goes to the provider and comes back, and carries
 * meanwhile what only it can know in a cookie of its own. Both end with a token for a shift.
 */
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import { FenghuoError, type Refusal } from '../domain/errors.ts';
import { subjectWord, type Identity } from '../domain/login.ts';
import { isoWithOffset } from '../domain/time.ts';
import { logIn, type Login } from '../operations/logins.ts';
import { addressLimit, clientAddress } from './addresses.ts';
import { limitBody } from './body.ts';
import { keepSession } from './desk-page.ts';
import { loggedInPage, loginPage, type LoginFault } from './desk-view.ts';
import { languageOf, type DeskWord } from './desk-words.ts';
import type { BrowserSecrets, Provider } from './oidc.ts';

const COOKIE = 'fenghuo_login';
const COOKIE_PATH = '/desk/oidc';
const CALLBACK = '/desk/oidc/callback';

/** How long somebody may be at the provider, with a second factor to look for. */
const AWAY_SECONDS_MAX = 600;

const BODY_BYTES_MAX = 4_096;

/** One command line asks twelve times a minute. */
const REQUESTS_MAX = 100;
/** From all addresses together, because each asks the provider something in our name. */
const REQUESTS_OF_ALL_MAX = 1_200;
const BUSY_AFTER_SECONDS = 60;

const STATUS = {
  usage: 400,
  notPermitted: 403,
  notFound: 404,
  conflict: 409,
  deadlinePassed: 410,
  belowCoverage: 500,
  failed: 502,
  unreachable: 503,
} as const satisfies Record<Refusal, number>;

/** What concerns whoever runs the installation, and not only who wanted to log in. */
const FOR_THE_LOG: ReadonlySet<string> = new Set([
  'login-service',
  'login-unproved',
  'provider-refuses',
  'provider-unreachable',
]);

const deviceBody = z.object({ deviceCode: z.string().min(1).max(2_048) });

export function loginRoutes(input: {
  database: Database;
  provider: Provider;
  serviceToken: string;
  publicUrl: string;
  /** Proxies of our own in front. */
  proxies: number;
  log: (line: string) => void;
}): Hono {
  const { database, provider, serviceToken, publicUrl, proxies, log } = input;
  const callback = `${publicUrl.replace(/\/+$/, '')}${CALLBACK}`;
  const secure = publicUrl.startsWith('https:');
  const routes = new Hono();

  const known = (identity: Identity): Promise<Login> => logIn(database, serviceToken, identity);

  /** Gives back what was refused; what is a defect goes on. */
  function refused(error: unknown): FenghuoError {
    if (!(error instanceof FenghuoError)) throw error;
    if (FOR_THE_LOG.has(error.code)) log(`web: log-in by ${provider.name}: ${error.code}: ${error.message}`);
    return error;
  }

  const limits = [addressLimit(undefined, REQUESTS_MAX), addressLimit(undefined, REQUESTS_OF_ALL_MAX)];
  const atMost =
    (tooMany: (context: Context) => Response): MiddlewareHandler =>
    async (context, next) => {
      const keys = [clientAddress(context, proxies), 'all'];
      if (limits.some((limit, place) => limit.isOver(keys[place] ?? null))) {
        context.header('retry-after', String(BUSY_AFTER_SECONDS));
        return tooMany(context);
      }
      limits.forEach((limit, place) => limit.count(keys[place] ?? null));
      return next();
    };

  const spoken = atMost((context) => context.json({ error: TOO_MANY }, 429));
  const small = limitBody(BODY_BYTES_MAX, (context) => context.json({ error: TOO_LARGE }, 413));

  routes.post('/login/device', spoken, small, async (context) => {
    try {
      return context.json(await provider.startDevice());
    } catch (error) {
      return problem(context, refused(error));
    }
  });

  routes.post('/login/device/token', spoken, small, async (context) => {
    const body = deviceBody.safeParse(await context.req.json().catch(() => null));
    if (!body.success) return context.json({ error: NO_CODE }, 400);
    try {
      const found = await provider.askDevice(body.data.deviceCode);
      if (typeof found === 'string') return context.json({ state: found }, 202);
      const { operator, token, expiresAt } = await known(found);
      return context.json({ operator, token, expiresAt: isoWithOffset(expiresAt) });
    } catch (error) {
      return problem(context, refused(error));
    }
  });

  const shown = atMost((context) => page(context, { word: 'tooMany' }, 429));

  function page(context: Context, fault: LoginFault, status: 400 | 403 | 429 | 503): Response {
    return context.html(loginPage(languageOf(context), fault, provider.name), status);
  }

  routes.get('/desk/oidc', shown, async (context) => {
    try {
      const { url, secrets } = await provider.startBrowser(callback);
      // Lax: it must come along when the provider sends the browser back.
      setCookie(context, COOKIE, [secrets.state, secrets.nonce, secrets.verifier].join('.'), {
        ...{ path: COOKIE_PATH, httpOnly: true, secure, sameSite: 'Lax', maxAge: AWAY_SECONDS_MAX },
      });
      return context.redirect(url, 303);
    } catch (error) {
      return page(context, faultOf(refused(error), provider.name), 503);
    }
  });

  routes.get(CALLBACK, shown, async (context) => {
    const secrets = secretsIn(getCookie(context, COOKIE));
    deleteCookie(context, COOKIE, { path: COOKIE_PATH, secure });
    if (!secrets) return page(context, { word: 'ended' }, 400);
    try {
      // By our own name of ourselves: what a request says of host and scheme is not to be believed.
      const returned = new URL(`${callback}${new URL(context.req.url).search}`);
      const identity = await provider.finishBrowser(returned, secrets);
      const login = await known(identity).catch((error: unknown) => {
        if (!(error instanceof FenghuoError) || error.code !== 'not-linked') throw error;
        return null;
      });
      if (!login) {
        const values = { provider: provider.name, subject: subjectWord(identity.subject) };
        return page(context, { word: 'notLinked', values }, 403);
      }
      keepSession(context, login.token, publicUrl);
      return context.html(loggedInPage(languageOf(context), login.operator));
    } catch (error) {
      const refusal = refused(error);
      const fault = faultOf(refusal, provider.name);
      return page(context, fault, fault.word === 'providerAway' ? 503 : 403);
    }
  });
  return routes;
}

const TOO_MANY = {
  ...{ code: 'too-many', refusal: 'unreachable' },
  sentence: 'Too many log-ins from here. Try again in a minute.',
};
const TOO_LARGE = { code: 'login-body', refusal: 'usage', sentence: 'The body is too large.' };
const NO_CODE = { code: 'login-body', refusal: 'usage', sentence: 'The body is no {"deviceCode": "…"}.' };

function problem(context: Context, { code, refusal, message: sentence }: FenghuoError): Response {
  const instead = refusal === 'unreachable' || refusal === 'failed';
  const more = instead ? ' `fenghuo doctor` says more; until it works log in by a token.' : '';
  return context.json({ error: { code, refusal, sentence: sentence + more } }, STATUS[refusal]);
}

/** By code; what else is refused is that nobody can log in right now. */
const FAULTS: Readonly<Record<string, DeskWord>> = {
  'login-denied': 'declined',
  'login-expired': 'ended',
  'login-unproved': 'ended',
};

function faultOf({ code }: FenghuoError, provider: string): LoginFault {
  return { word: FAULTS[code] ?? 'providerAway', values: { provider } };
}

function secretsIn(cookie: string | undefined): BrowserSecrets | null {
  const [, state, nonce, verifier] = /^([\w-]{20,})\.([\w-]{20,})\.([\w-]{43,128})$/.exec(cookie ?? '') ?? [];
  return state && nonce && verifier ? { state, nonce, verifier } : null;
}
