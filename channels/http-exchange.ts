/**
 * One HTTP request that hands over one message, and what became of it: the core of every channel that speaks HTTP.
 *
 * The one question behind every result: may the other side have the message? An answer decides it, by the channel's own table.
 * Where none came, it is decided by whether the request had begun to leave on a connection.
 */
import { createHmac } from 'node:crypto';
import { Pool, type Dispatcher } from 'undici';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import { resultOf, type ResultClass } from '../domain/results.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** An answer is a code and an id. What is longer is no answer to a message. */
const ANSWER_BYTES_MOST = 65_536;

/** What was answered; `json` is null where the body is none. */
export type HttpAnswer = { status: number; json: Record<string, unknown> | null };

/** A request to the origin that the exchange was made for. */
export type HttpRequest = {
  method?: 'POST' | 'GET';
  path: string;
  headers: Record<string, string>;
  body?: string;
};

/** A line of a channel's table; what it leaves out matches anything. Status and code are matched as text. */
export type ResultRow = { status?: RegExp; code?: RegExp; class: ResultClass };

/** The class of the first row that matches; *unknown* where none does: the answer cannot be understood. */
export function tableResult(
  rows: readonly ResultRow[],
  { status, code }: { status: number; code: string | null },
): SendResult {
  const row = rows.find(
    (candidate) =>
      (!candidate.status || candidate.status.test(String(status))) &&
      (!candidate.code || (code !== null && candidate.code.test(code))),
  );
  return resultOf(row?.class ?? 'answer-unreadable');
}

/** The class of a send without an answer. */
export function unansweredResult(requestBegun: boolean, timedOut: boolean): SendResult {
  const reason = timedOut ? 'timeout' : 'connection';
  return requestBegun ? { outcome: 'unknown', reason } : { outcome: 'later', reason };
}

/** The headers that prove a body to a gateway: hex HMAC-SHA-256 of `<timestamp>.<body>`. */
export function gatewaySignature(secret: string, body: string): Record<string, string> {
  const timestamp = String(Date.now());
  return {
    'x-gateway-timestamp': timestamp,
    'x-gateway-signature': createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex'),
  };
}

/** What a stand-in must know of a message where the vendor's own body has no place for it; for no live sender. */
export function standInHeaders(message: OutgoingMessage): Record<string, string> {
  return {
    'x-fenghuo-delivery': referenceOf(message),
    'x-fenghuo-warning': message.warningId,
    ...(message.exercise && {
      'x-fenghuo-step': message.exercise.step,
      'x-fenghuo-speed': String(message.exercise.speed),
    }),
  };
}

/** Our name for an attempt at every provider: `<delivery>.<attempt>`. */
export function referenceOf({
  deliveryId,
  attempt,
}: Pick<OutgoingMessage, 'deliveryId' | 'attempt'>): string {
  return `${deliveryId}.${attempt}`;
}

/** A text value of an answer, null where it has none; numbers count, for codes often are. */
export function textOf(json: HttpAnswer['json'], name: string): string | null {
  const value = json?.[name];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : null;
}

export type HttpExchanges = {
  /** Never rejects. `judge` is asked only where something was answered. */
  send(request: HttpRequest, judge: (answer: HttpAnswer) => SendResult): Promise<SendResult>;
  /** Asks for something; null where nothing was answered. */
  ask(request: HttpRequest): Promise<HttpAnswer | null>;
  close(): Promise<void>;
};

/** Connections to the origin of `url`; `timeoutMs` is the hard end of each exchange. */
export function createHttpExchanges(input: {
  url: string;
  connections: number;
  timeoutMs: number;
}): HttpExchanges {
  const pool = new Pool(new URL(input.url).origin, {
    connections: input.connections,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // One hard end for each message, set below, holds for all of these.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: ANSWER_BYTES_MOST,
  });

  function send(request: HttpRequest, judge: (answer: HttpAnswer) => SendResult): Promise<SendResult> {
    return new Promise((resolve) => {
      const exchange = new Exchange(input.timeoutMs, judge, resolve);
      try {
        pool.dispatch({ method: 'POST', ...request }, exchange);
      } catch {
        exchange.onResponseError();
      }
    });
  }

  async function ask(request: HttpRequest): Promise<HttpAnswer | null> {
    let answered: HttpAnswer | null = null;
    await send({ method: 'GET', ...request }, (answer) => {
      answered = answer;
      return resultOf('answer-unreadable');
    });
    return answered;
  }

  return { send, ask, close: () => pool.close() };
}

/**
 * Asks a gateway to take a message back: `messageId` and `reference` go there, and `OK` means that it will not go out. Any other code
 * of an answer that was not an error says that it has.
 */
export function gatewayRecall(
  exchanges: HttpExchanges,
  { url, path, secret }: { url: string; path: string; secret: string },
): NonNullable<SenderPort['recall']> {
  return async ({ deliveryId, attempt, providerId }) => {
    const body = JSON.stringify({ messageId: providerId, reference: `${deliveryId}.${attempt}` });
    const headers = { 'content-type': 'application/json', ...gatewaySignature(secret, body) };
    const answer = await exchanges.ask({ method: 'POST', path: pathBelow(url, path), headers, body });
    const code = answer?.status === 200 ? textOf(answer.json, 'code') : null;
    if (code === null) return 'unknown';
    return code === 'OK' ? 'recalled' : 'too late';
  };
}

/** What a gateway's listing says of one reference: its list and the id in it have names of their own. */
export function foundIn(
  answer: HttpAnswer | null,
  list: string,
  id: string,
): { providerId: string } | null | 'unknown' {
  const found = answer?.status === 200 ? answer.json?.[list] : undefined;
  if (!Array.isArray(found)) return 'unknown';
  if (found.length === 0) return null;
  const providerId = textOf(found[0] as Record<string, unknown> | null, id);
  return providerId === null ? 'unknown' : { providerId };
}

/** The path of `url` with `more` behind it, for a base URL with or without a slash at its end. */
export function pathBelow(url: string, more: string): string {
  return `${new URL(url).pathname.replace(/\/$/, '')}${more}`;
}

/** One request and its answer. It is undici's own handler, because only there is it known that the request began to leave. */
class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private status = 0;
  private readonly chunks: Buffer[] = [];
  private settled = false;
  private readonly timer: NodeJS.Timeout;
  private readonly judge: (answer: HttpAnswer) => SendResult;
  private readonly resolve: (result: SendResult) => void;

  constructor(
    timeoutMs: number,
    judge: (answer: HttpAnswer) => SendResult,
    resolve: (result: SendResult) => void,
  ) {
    this.judge = judge;
    this.resolve = resolve;
    this.timer = setTimeout(() => this.timedOut(), timeoutMs);
  }

  /** Called just before the request is written; a second time would mean a second message. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.settled || this.controller) controller.abort(new Error('not to be sent'));
    else this.controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.settle(this.judge({ status: this.status, json: jsonOf(Buffer.concat(this.chunks).toString()) }));
  }

  onResponseError(): void {
    this.settle(unansweredResult(this.controller !== null, false));
  }

  private timedOut(): void {
    this.settle(unansweredResult(this.controller !== null, true));
    this.controller?.abort(new Error('timed out'));
  }

  private settle(result: SendResult): void {
    if (this.settled) return;
    this.settled = true;
    clearTimeout(this.timer);
    this.resolve(result);
  }
}

function jsonOf(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
