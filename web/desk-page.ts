/**
 * The duty desk in the browser, behind an operator's token. The token is kept in a cookie that scripts and other sites do not see, and is
 * asked for again with each request, so one that was taken back ends at once. Every form carries a value that only our own pages know.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Hono, type Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { CallOutcome } from '../db/calls.ts';
import type { Database } from '../db/database.ts';
import type { Operator } from '../domain/authority.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { authenticate, endToken } from '../operations/operators.ts';
import { openDesk, recordForOperator, takeForOperator } from '../operations/web-desk.ts';
import { limitBody } from './body.ts';
import { deskPage, loginPage } from './desk-view.ts';
import { languageOf, type DeskWord } from './desk-words.ts';

const COOKIE = 'fenghuo_desk';

/** A shift. */
const LOGGED_IN_SECONDS = 12 * 60 * 60;

const FORM_BYTES_MAX = 4_096;

const OUTCOMES: ReadonlySet<string> = new Set<CallOutcome>([
  'received',
  'done',
  'cannot act',
  'no answer',
  'wrong number',
  'given back',
]);

/** Somebody who has logged in. */
type Session = { operator: Operator; csrf: string };

/** Logs a browser in to the desk, for a shift or as long as the token is good. */
export function keepSession(context: Context, token: string, publicUrl: string): void {
  const secure = publicUrl.startsWith('https:');
  setCookie(context, COOKIE, token, {
    ...{ path: '/desk', httpOnly: true, secure, sameSite: 'Strict', maxAge: LOGGED_IN_SECONDS },
  });
}

export function deskRoutes(input: {
  database: Database;
  keys: AnswerKeys;
  publicUrl: string;
  /** The host of a provider that people may log in by, whose routes are in login.ts; @default none */
  provider?: string | null;
}): Hono {
  const { database, keys, publicUrl, provider = null } = input;
  const secure = publicUrl.startsWith('https:');
  const routes = new Hono();

  function login(context: Context, fault: DeskWord | null, status: 200 | 403 | 413 = 200): Response {
    const note = fault === null ? null : { word: fault };
    return context.html(loginPage(languageOf(context), note, provider), status);
  }

  const limit = limitBody(FORM_BYTES_MAX, (context) => login(context, 'failed', 413));

  async function sessionOf(token: string | undefined): Promise<Session | null> {
    if (!token) return null;
    try {
      return { operator: await authenticate(database, token), csrf: csrfOf(keys, token) };
    } catch (error) {
      if (error instanceof FenghuoError) return null;
      throw error;
    }
  }

  async function show(
    context: Context,
    { operator, csrf }: Session,
    fault: DeskWord | null,
    status: 200 | 403 | 409 = 200,
  ): Promise<Response> {
    const desk = await openDesk(database, operator);
    const page = { name: operator.name, csrf, desk, fault, now: Date.now() };
    return context.html(deskPage(languageOf(context), page), status);
  }

  /** A form of the desk: only from our own page, and only by who has logged in. */
  function form(
    path: string,
    act: (context: Context, session: Session, fields: URLSearchParams) => Promise<Response>,
  ): void {
    routes.post(path, limit, async (context) => {
      const session = await sessionOf(getCookie(context, COOKIE));
      if (!session) return login(context, 'notKnown', 403);
      const fields = new URLSearchParams(await context.req.text());
      if (!same(fields.get('csrf') ?? '', session.csrf)) return show(context, session, 'stale', 403);
      return act(context, session, fields);
    });
  }

  routes.get('/desk', async (context) => {
    const session = await sessionOf(getCookie(context, COOKIE));
    return session ? show(context, session, null) : login(context, null);
  });

  routes.post('/desk/login', limit, async (context) => {
    const token = new URLSearchParams(await context.req.text()).get('token')?.trim() ?? '';
    if (!(await sessionOf(token))) return login(context, 'notKnown', 403);
    keepSession(context, token, publicUrl);
    return context.redirect('/desk', 303);
  });

  form('/desk/logout', async (context, { operator }) => {
    // A token that was typed may be in use elsewhere; one of a log-in is in this browser alone.
    await endToken(database, operator.token, { onlyOfLogin: true });
    deleteCookie(context, COOKIE, { path: '/desk', secure });
    return context.redirect('/desk', 303);
  });

  form('/desk/next', async (context, session) => {
    const call = await takeForOperator(database, session.operator);
    return call ? context.redirect('/desk', 303) : show(context, session, 'nothingFree', 409);
  });

  form('/desk/record', async (context, session, fields) => {
    const callId = Number(/^[1-9][0-9]{0,14}$/.exec(fields.get('call') ?? '')?.[0]);
    const outcome = fields.get('outcome') ?? '';
    const count = /^[0-9]{1,9}$/.exec(fields.get('count')?.trim() ?? '')?.[0];
    if (Number.isNaN(callId) || !isOutcome(outcome)) return show(context, session, 'stale', 409);
    const doneCount = outcome === 'done' && count !== undefined ? Number(count) : null;
    try {
      await recordForOperator(database, session.operator, { callId, outcome, doneCount });
    } catch (error) {
      if (error instanceof FenghuoError) return show(context, session, 'gone', 409);
      throw error;
    }
    return context.redirect('/desk', 303);
  });
  return routes;
}

function isOutcome(word: string): word is CallOutcome {
  return OUTCOMES.has(word);
}

/** Of this session, and known to nobody who cannot read its pages. */
function csrfOf([key]: AnswerKeys, token: string): string {
  return createHmac('sha256', key?.secret ?? '')
    .update(`desk\n${token}`)
    .digest('base64url')
    .slice(0, 32);
}

function same(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
