/**
 * `login --oidc`: the device log-in (RFC 8628), by way of the web process. Whoever has a browser anywhere types the code there; the device
 * code stays here.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { EXIT_CODES, FenghuoError, type Refusal } from '../domain/errors.ts';
import { isPrivate } from '../domain/login.ts';
import type { Context } from './context.ts';
import { withProgress } from './progress.ts';

const ANSWER_MS_MAX = 15_000;

/** RFC 8628, 3.5: who is told to slow down waits so much longer each time. */
const SLOWER_SECONDS = 5;

/** What is shown comes from elsewhere: nothing that a terminal would take for a command. */
const printed = z.string().regex(/^[\x21-\x7e]+( [\x21-\x7e]+)*$/);

const startedShape = z.object({
  deviceCode: z.string().min(1),
  userCode: printed,
  verificationUri: z.url().and(printed),
  expiresInSeconds: z.number().positive(),
  intervalSeconds: z.number().min(0),
});
const loginShape = z.object({ operator: z.string(), token: z.string().min(1), expiresAt: z.string() });
const pendingShape = z.object({ state: z.enum(['pending', 'slow down']) });
const problemShape = z.object({
  error: z.object({
    code: z.string(),
    refusal: z.enum(Object.keys(EXIT_CODES).filter((name) => name !== 'done') as [Refusal, ...Refusal[]]),
    sentence: z.string(),
  }),
});

type Started = z.infer<typeof startedShape>;
export type DeviceToken = z.infer<typeof loginShape>;

/** Shows where to type which code, and waits until somebody has, or has not. */
export async function logInByProvider(context: Context): Promise<DeviceToken> {
  const web = (await context.config()).FENGHUO_PUBLIC_URL.replace(/\/+$/, '');
  // What comes back is a token.
  if (!isPrivate(web)) throw refusal('login-address', 'usage', context.say('login.notPrivate', { web }));
  const started = await post(context, `${web}/login/device`, {}, startedShape);
  context.tell(
    context.say('login.visit', { address: started.verificationUri, code: started.userCode }),
    context.say('login.visitOnly'),
  );
  return withProgress(context, context.say('login.waiting'), () => awaitToken(context, web, started));
}

async function awaitToken(context: Context, web: string, started: Started): Promise<DeviceToken> {
  const until = performance.now() + started.expiresInSeconds * 1_000;
  let waitMs = started.intervalSeconds * 1_000;
  while (performance.now() + waitMs < until) {
    await wait(waitMs);
    const { deviceCode } = started;
    const answer = await post(
      context,
      `${web}/login/device/token`,
      { deviceCode },
      z.union([loginShape, pendingShape]),
    ).catch(notAnswered);
    if (answer && 'token' in answer) return answer;
    if (answer?.state !== 'pending') waitMs += SLOWER_SECONDS * 1_000;
  }
  throw refusal('login-expired', 'deadlinePassed', context.say('login.expired'));
}

/** Somebody may be typing the code while the network or the provider is away: asking goes on, more slowly. */
function notAnswered(error: unknown): null {
  if (error instanceof FenghuoError && error.refusal === 'unreachable') return null;
  throw error;
}

async function post<T>(context: Context, url: string, body: unknown, shape: z.ZodType<T>): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  }).catch(() => null);
  const away = () => refusal('web-unreachable', 'unreachable', context.say('login.webAway', { url }));
  if (!response) throw away();
  const said: unknown = await response.json().catch(() => null);
  const answer = shape.safeParse(said);
  if (response.ok && answer.success) return answer.data;
  const problem = problemShape.safeParse(said);
  if (problem.success) {
    const { code, refusal: kind, sentence } = problem.data.error;
    throw refusal(code, kind, sentence);
  }
  if (response.status === 404) throw refusal('no-provider', 'usage', context.say('login.noProvider'));
  throw away();
}

function refusal(code: string, kind: Refusal, sentence: string): FenghuoError {
  return new FenghuoError({ code, refusal: kind, sentence });
}
