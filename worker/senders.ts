/**
 * Sends pages in a thread of their own. A city's steps and its messages each fill a processor: in one thread they wait for each
 * other, and an e-mail took twice as long as by nodemailer alone. The thread holds channels and connections, and no state.
 */
import { Worker } from 'node:worker_threads';
import type { Proved } from '../activities/prove.ts';
import type { SendPageResult } from '../activities/send-page.ts';
import type { SendResult } from '../domain/ports.ts';
import type { Channel } from '../domain/rules.ts';
import type { BoundConfig } from './wall.ts';

/** Messages since the last report. */
export type Outcomes = { channel: Channel; outcome: SendResult['outcome']; count: number }[];

/** What the thread is given. */
export type SendThreadData = { config: BoundConfig; account: BoundConfig | null };

export type SendRequest =
  | { kind: 'send'; id: number; channel: Channel; pageId: number }
  | { kind: 'prove'; id: number; olderThanMs: number }
  | { kind: 'close' };

export type SendReply =
  | { kind: 'sent'; id: number; result: SendPageResult; outcomes: Outcomes }
  | { kind: 'proved'; id: number; result: Proved }
  | { kind: 'failed'; id: number; name: string; message: string }
  | { kind: 'log'; line: string }
  | { kind: 'ready' };

export type Senders = {
  /** One attempt at a page; see `sendPage`. Rejects at once where the thread has ended. */
  send(channel: Channel, pageId: number): Promise<SendPageResult>;
  /** Asks after some addresses; see `proveSome`. */
  prove(input: { olderThanMs: number }): Promise<Proved>;
  /** Resolves when the thread has ended; false where it did so by itself, and nothing can be sent any more. */
  readonly ended: Promise<boolean>;
  close(): Promise<void>;
};

/** Who waits for a reply; each request's own reply settles it. */
type Waiting = { resolve: (result: never) => void; reject: (error: Error) => void };

const hasEnded = () => new Error('the thread that sends has ended');

const SEND_THREAD = new URL('./send-thread.mjs', import.meta.url);

/** Starts the thread; resolves when it takes pages, rejects where it ends before. */
export async function startSenders(input: {
  config: BoundConfig;
  /** Of a drill that real people agreed to. @default null */
  account?: BoundConfig | null;
  log: (line: string) => void;
  onOutcomes: (outcomes: Outcomes) => void;
  /** @default the thread that sends */
  entry?: URL;
}): Promise<Senders> {
  const thread = new Worker(input.entry ?? SEND_THREAD, {
    workerData: { config: input.config, account: input.account ?? null } satisfies SendThreadData,
  });
  const waiting = new Map<number, Waiting>();
  let requests = 0;
  let closing = false;
  let gone = false;
  let noteReady = (): void => undefined;
  const ask = (request: SendRequest) => thread.postMessage(request);

  function settle(id: number, how: (one: Waiting) => void): void {
    const one = waiting.get(id);
    waiting.delete(id);
    if (one) how(one);
  }

  function request<T>(of: (id: number) => SendRequest): Promise<T> {
    return new Promise((resolve, reject) => {
      // What is posted to a thread that has ended is lost without a word.
      if (gone) return reject(hasEnded());
      requests += 1;
      waiting.set(requests, { resolve, reject });
      ask(of(requests));
    });
  }

  thread.on('message', (reply: SendReply) => {
    switch (reply.kind) {
      case 'sent':
        input.onOutcomes(reply.outcomes);
        return settle(reply.id, ({ resolve }) => resolve(reply.result as never));
      case 'proved':
        return settle(reply.id, ({ resolve }) => resolve(reply.result as never));
      case 'failed':
        return settle(reply.id, ({ reject }) =>
          reject(Object.assign(new Error(reply.message), { name: reply.name })),
        );
      case 'log':
        return input.log(reply.line);
      case 'ready':
        return noteReady();
      default:
        return reply satisfies never;
    }
  });
  thread.on('error', (error: Error) =>
    input.log(`The thread that sends failed: ${error.name} ${error.message}`),
  );
  const ended = new Promise<boolean>((resolve) => {
    thread.once('exit', () => {
      gone = true;
      for (const { reject } of waiting.values()) reject(hasEnded());
      waiting.clear();
      resolve(closing);
    });
  });

  await new Promise<void>((resolve, reject) => {
    noteReady = resolve;
    void ended.then(() => reject(hasEnded()));
  });
  return {
    send: (channel, pageId) => request<SendPageResult>((id) => ({ kind: 'send', id, channel, pageId })),
    prove: ({ olderThanMs }) => request<Proved>((id) => ({ kind: 'prove', id, olderThanMs })),
    ended,
    close: async () => {
      closing = true;
      ask({ kind: 'close' });
      await ended;
    },
  };
}
