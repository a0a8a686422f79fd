/**
 * Twilio's own library over a connection of ours. Loaded late: see twilio-account.ts.
 *
 * It is told where the API is, has one hard end for each request, and knows whether a request had begun to leave when nothing was
 * answered: that decides whether the message may be there.
 */
import twilio from 'twilio';
import { Pool, type Dispatcher } from 'undici';
import type { TwilioAccount } from './twilio-account.ts';
import { Unanswered } from './twilio-results.ts';

const TWILIO = 'https://api.twilio.com';

const CONNECT_TIMEOUT_MS = 5_000;

/** A thousand messages of a list, with room. */
const ANSWER_BYTES_MOST = 8 << 20;

type Limits = { connections: number; timeoutMs: number };

export function createTwilioClient(
  account: TwilioAccount,
  limits: Limits,
): { client: twilio.Twilio; close(): Promise<void> } {
  const wire = new Wire(account.apiUrl ?? TWILIO, limits);
  const client = twilio(account.accountSid, account.authToken, { httpClient: wire, autoRetry: false });
  return { client, close: () => wire.close() };
}

type RequestOptions<Data> = {
  method: string;
  uri: string;
  username?: string;
  password?: string;
  headers?: unknown;
  params?: object;
  data?: Data;
};

/** As the library reads it: a body of text is JSON. */
type Answer = { statusCode: number; body: string; headers: Record<string, string | string[] | undefined> };

class Wire extends twilio.RequestClient {
  private readonly pool: Pool;
  private readonly prefix: string;
  private readonly timeoutMs: number;

  constructor(apiUrl: string, { connections, timeoutMs }: Limits) {
    super({ timeout: timeoutMs, autoRetry: false });
    const base = new URL(apiUrl);
    this.prefix = base.pathname.replace(/\/$/, '');
    this.timeoutMs = timeoutMs;
    this.pool = new Pool(base.origin, {
      connections,
      pipelining: 1,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      // One hard end for each request, set below, holds for all of these.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: ANSWER_BYTES_MOST,
    });
  }

  override async request<Data>(options: RequestOptions<Data>) {
    const { method, uri, username = '', password = '', headers, params, data } = options;
    const { pathname, search } = new URL(uri);
    const query = params ? `?${form(params)}` : search;
    const answer = await new Promise<Answer>((resolve, reject) => {
      const exchange = new Exchange(this.timeoutMs, resolve, reject);
      try {
        this.pool.dispatch(
          {
            path: `${this.prefix}${pathname}${query}`,
            method: method.toUpperCase(),
            headers: {
              ...(headers as Record<string, string>),
              authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
            },
            body: data ? form(data) : null,
          },
          exchange,
        );
      } catch {
        exchange.onResponseError();
      }
    });
    return { ...answer, body: answer.body as Data, toString: () => `HTTP ${answer.statusCode}` };
  }

  close(): Promise<void> {
    return this.pool.close();
  }
}

/** As a form; a list is its name again and again. */
function form(values: object): string {
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(values) as [string, unknown][]) {
    if (value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) fields.append(name, String(one));
  }
  return fields.toString();
}

/** One request and its answer. It is undici's own handler, because only there is it known that the request began to leave. */
class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private status = 0;
  private headers: Answer['headers'] = {};
  private readonly chunks: Buffer[] = [];
  private settled = false;
  private readonly timer: NodeJS.Timeout;
  private readonly resolve: (answer: Answer) => void;
  private readonly reject: (error: Unanswered) => void;

  constructor(timeoutMs: number, resolve: (answer: Answer) => void, reject: (error: Unanswered) => void) {
    this.resolve = resolve;
    this.reject = reject;
    this.timer = setTimeout(() => this.timedOut(), timeoutMs);
  }

  /** Called just before the request is written; a second time would mean a second message. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.settled || this.controller) controller.abort(new Error('not to be sent'));
    else this.controller = controller;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Answer['headers'],
  ): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    const { status, headers, chunks } = this;
    this.settle(() => this.resolve({ statusCode: status, headers, body: Buffer.concat(chunks).toString() }));
  }

  onResponseError(): void {
    this.fail(false);
  }

  private timedOut(): void {
    this.fail(true);
    this.controller?.abort(new Error('timed out'));
  }

  private fail(timedOut: boolean): void {
    const silence = { requestBegun: this.controller !== null, timedOut };
    this.settle(() => this.reject(new Unanswered(silence)));
  }

  private settle(end: () => void): void {
    if (this.settled) return;
    this.settled = true;
    clearTimeout(this.timer);
    end();
  }
}
