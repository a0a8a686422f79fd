/**
 * SMS by an HTTP gateway of the shape Chinese providers have: a template's id and its parameters go out as JSON, and
 * receipts and replies are pushed in. There is no idempotency key, so what may have been accepted is *unknown*.
 *
 * The one question behind every result: may the gateway have the message? An answer decides it. Where none came, it is
 * decided by whether the request had begun to leave on a connection.
 */
import { createHmac } from 'node:crypto';
import { Pool, type Dispatcher } from 'undici';
import { channelRefusal } from '../domain/guard.ts';
import type { ChannelPort, OutgoingMessage, SendResult } from '../domain/ports.ts';

const CONCURRENCY = 128;

/**
 * A gateway that answers after 100 ms takes 5,000 messages a second only on 500 connections. On a loopback gateway 512 and 128 at
 * once in each slice made 8,245 a second of 7,359 with 32 and 64.
 */
const CONNECTIONS = 512;

/** The hard end of a send; the activity's own time-out is longer. */
const MESSAGE_TIMEOUT_MS = 10_000;

const CONNECT_TIMEOUT_MS = 5_000;

/** An answer is a code and an id. What is longer is no answer of a gateway. */
const ANSWER_BYTES_MOST = 65_536;

/** What a gateway answered. */
export type GatewayAnswer = { status: number; code: string | null; messageId: string | null };

type Row = { status?: RegExp; code?: RegExp; result: Exclude<SendResult, { outcome: 'handed off' }> };

/** The first row that matches decides. An acceptance is `OK` with a message id and is no row. */
const RESULTS: readonly Row[] = [
  { status: /^(401|403)$/, result: { outcome: 'later', reason: 'config' } },
  { status: /^429$/, result: { outcome: 'later', reason: 'throttled' } },
  // A gateway that fails may have queued the message before it failed.
  { status: /^5/, result: { outcome: 'unknown', reason: 'server-error' } },
  { code: /^THROTTLED$/, result: { outcome: 'later', reason: 'throttled' } },
  { code: /^BAD_NUMBER$/, result: { outcome: 'failed', reason: 'bad-contact' } },
  { code: /^FILTERED$/, result: { outcome: 'failed', reason: 'filtered' } },
  { status: /^2/, code: /^(?!OK$)/, result: { outcome: 'failed', reason: 'rejected' } },
  { status: /^4/, result: { outcome: 'failed', reason: 'rejected' } },
];

/** The class of an answer; `unknown` where it cannot be understood. */
export function gatewayResult(answer: GatewayAnswer): SendResult {
  const { code, messageId } = answer;
  const status = String(answer.status);
  if (status.startsWith('2') && code === 'OK' && messageId)
    return { outcome: 'handed off', providerId: messageId };
  const row = RESULTS.find(
    (candidate) =>
      (!candidate.status || candidate.status.test(status)) &&
      (!candidate.code || (code !== null && candidate.code.test(code))),
  );
  return row?.result ?? { outcome: 'unknown', reason: 'answer-unreadable' };
}

/** The class of a send without an answer. */
export function unansweredResult(requestBegun: boolean, timedOut: boolean): SendResult {
  const reason = timedOut ? 'timeout' : 'connection';
  return requestBegun ? { outcome: 'unknown', reason } : { outcome: 'later', reason };
}

export type SmsGatewayChannelOptions = {
  /** Where the gateway is; `/sms/send` is put behind it. */
  url: string;
  /** Signs each request: `x-gateway-signature` is the hex HMAC-SHA-256 of `<x-gateway-timestamp>.<body>`. */
  secret: string;
  /** Who says so, at the head of each text (签名). @default '' */
  signature?: string;
  /** True where real people are at the other end. */
  live: boolean;
  /** Messages under way at once in one slice, and connections. @default 128, and 512 */
  concurrency?: number;
  /** The hard end of one send. @default 10_000 */
  messageTimeoutMs?: number;
};

/** Sends each message as one request, under the reference `<delivery>.<attempt>`. */
export function createSmsGatewayChannel(options: SmsGatewayChannelOptions): ChannelPort {
  const {
    secret,
    signature = '',
    live,
    concurrency = CONCURRENCY,
    messageTimeoutMs = MESSAGE_TIMEOUT_MS,
  } = options;
  const base = new URL(options.url);
  const path = `${base.pathname.replace(/\/$/, '')}/sms/send`;
  const pool = new Pool(base.origin, {
    connections: options.concurrency ?? CONNECTIONS,
    pipelining: 1,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    // One hard end for each message, set below, holds for all of these.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: ANSWER_BYTES_MOST,
  });

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    const body = JSON.stringify(bodyOf(message, signature));
    const timestamp = String(Date.now());
    const headers = {
      'content-type': 'application/json',
      'x-gateway-timestamp': timestamp,
      'x-gateway-signature': createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex'),
    };
    return new Promise((resolve) => {
      const exchange = new Exchange(messageTimeoutMs, resolve);
      try {
        pool.dispatch({ path, method: 'POST', headers, body }, exchange);
      } catch {
        exchange.onResponseError();
      }
    });
  }

  return { channel: 'sms', live, concurrency, messageTimeoutMs, send, close: () => pool.close() };
}

function bodyOf(message: OutgoingMessage, signature: string) {
  return {
    templateId: `fenghuo-${message.kind}-${message.language}`,
    signature,
    to: message.address,
    parameters: message.parameters,
    reference: `${message.deliveryId}.${message.attempt}`,
    warningId: message.warningId,
    ...(message.exercise ? { exercise: message.exercise } : {}),
  };
}

/** One request and its answer. It is undici's own handler, because only there is it known that the request began to leave. */
class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | null = null;
  private status = 0;
  private readonly chunks: Buffer[] = [];
  private settled = false;
  private readonly timer: NodeJS.Timeout;
  private readonly resolve: (result: SendResult) => void;

  constructor(timeoutMs: number, resolve: (result: SendResult) => void) {
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
    this.settle(gatewayResult({ status: this.status, ...answerOf(Buffer.concat(this.chunks).toString()) }));
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

function answerOf(body: string): Pick<GatewayAnswer, 'code' | 'messageId'> {
  const { code, messageId } = (jsonOrNull(body) ?? {}) as { code?: unknown; messageId?: unknown };
  return {
    code: typeof code === 'string' ? code : null,
    messageId: typeof messageId === 'string' && messageId !== '' ? messageId : null,
  };
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
