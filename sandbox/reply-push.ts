/**
 * The gateway's other direction: what people wrote back is pushed to our web process as JSON, signed, and again until it
 * says 2xx, so that no reply is lost while it is away. Few pushes are under way at once; what gathers meanwhile rides on
 * the next one.
 */
import { createHmac } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { request, type Dispatcher } from 'undici';

/** One reply as it is pushed. The `id` stays the same when it is pushed again. */
export type PushedReply = { id: string; from: string; text: string; at: string };

/** The last HTTP status, or `given-up`. */
export type PushResult = number | 'given-up';

/** Each reply is a commit at the other end: a push must end well before its time-out. */
const REPLIES_PER_PUSH_MOST = 100;

const PUSHES_AT_ONCE = 4;

/** Gateways gather what comes in and push a list now and then; pushed one by one, a city's replies took most of its answers' cost. */
const GATHER_MS = 50;

/** A tenth of a city's officials at once; what is beyond is given up and said so, rather than memory. */
const REPLIES_WAITING_MOST = 500_000;

const PUSH_TIMEOUT_MS = 30_000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MOST_MS = 5_000;

/** About 20 minutes at the longest backoff: longer than any restart that is rehearsed. */
const TRIES_MOST = 250;

export type ReplyPush<Item = PushedReply> = {
  push(item: Item): Promise<PushResult>;
  waiting(): number;
  /** Drops what waits; a push under way ends with its agent. */
  stop(): void;
};

type Waiting<Item> = { item: Item; resolve: (result: PushResult) => void };

/** Pushes to `repliesUrl`; `agent` carries the requests and belongs to the caller. `what` is pushed, for the log. */
export function createReplyPush<Item = PushedReply>(input: {
  repliesUrl: string;
  secret: string;
  agent: Dispatcher;
  log: (line: string) => void;
  /** @default 'replies' */
  what?: string;
}): ReplyPush<Item> {
  const { what = 'replies' } = input;
  const queue: Waiting<Item>[] = [];
  const stopping = new AbortController();
  let running = 0;

  async function run(): Promise<void> {
    running += 1;
    while (queue.length > 0 && !stopping.signal.aborted) {
      if (queue.length < REPLIES_PER_PUSH_MOST) await wait(GATHER_MS);
      const batch = queue.splice(0, REPLIES_PER_PUSH_MOST);
      if (batch.length === 0) break;
      const result = await pushUntilTaken(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve(result);
    }
    running -= 1;
  }

  async function pushUntilTaken(items: Item[]): Promise<PushResult> {
    const body = JSON.stringify(items);
    for (let tries = 1; tries <= TRIES_MOST; tries++) {
      const status = await pushOnce(body);
      if (status >= 200 && status < 300) return status;
      if (tries === 1)
        input.log(`${items.length} ${what} were not taken (${status || 'no answer'}); pushing again.`);
      await backoff(tries, stopping.signal);
      if (stopping.signal.aborted) return 'given-up';
    }
    input.log(`${items.length} ${what} were given up after ${TRIES_MOST} pushes to the web process.`);
    return 'given-up';
  }

  /** The HTTP status; 0 where there was none. */
  async function pushOnce(body: string): Promise<number> {
    const timestamp = String(Date.now());
    try {
      const answer = await request(input.repliesUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...gatewaySignature(input.secret, timestamp, body) },
        body,
        dispatcher: input.agent,
        headersTimeout: PUSH_TIMEOUT_MS,
        bodyTimeout: PUSH_TIMEOUT_MS,
      });
      await answer.body.dump();
      return answer.statusCode;
    } catch {
      return 0;
    }
  }

  return {
    push: (item) =>
      new Promise((resolve) => {
        if (stopping.signal.aborted || queue.length >= REPLIES_WAITING_MOST) return resolve('given-up');
        queue.push({ item, resolve });
        if (running < PUSHES_AT_ONCE) void run();
      }),
    waiting: () => queue.length,
    stop: () => {
      stopping.abort();
      for (const { resolve } of queue.splice(0)) resolve('given-up');
    },
  };
}

/** The headers that prove a body, in both directions: hex HMAC-SHA-256 of `<timestamp>.<body>`. */
export function gatewaySignature(secret: string, timestamp: string, body: string) {
  return {
    'x-gateway-timestamp': timestamp,
    'x-gateway-signature': createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex'),
  };
}

/** Waits longer with each try; ends at once when `signal` aborts. */
export async function backoff(tries: number, signal: AbortSignal): Promise<void> {
  const delayMs = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(tries - 1, 16), BACKOFF_MOST_MS);
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, delayMs);
    signal.addEventListener('abort', end);
  });
}
