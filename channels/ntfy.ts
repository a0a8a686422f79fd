/**
 * Push to telephones by ntfy (docs.ntfy.sh/publish, "Publish as JSON"): the address is a topic that only one person has
 * subscribed to. A topic is as good as a password: it must not be guessable, and one for several people is no address.
 */
import { channelRefusal, type Reach } from '../domain/guard.ts';
import type { LevelId } from '../domain/levels.ts';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import {
  createHttpExchanges,
  pathBelow,
  standInHeaders,
  tableResult,
  textOf,
  type HttpAnswer,
  type ResultRow,
} from './http-exchange.ts';

const CONCURRENCY = 32;

const MESSAGE_TIMEOUT_MS = 10_000;

/** 5 rings through, 3 is ntfy's default. */
const PRIORITIES: Readonly<Record<LevelId, number>> = { red: 5, orange: 5, yellow: 4, blue: 3 };

/** What ntfy takes for a topic. */
const TOPIC = /^[-_A-Za-z0-9]{1,64}$/;

/** By HTTP status, and ntfy's own code where that says more (server/errors.go). The first row that matches decides. */
const RESULTS: readonly ResultRow[] = [
  { status: /^(401|403)$/, class: 'config' },
  // The day's messages or bandwidth of this account are used up.
  { code: /^4290[58]$/, class: 'provider-out' },
  { status: /^429$/, class: 'throttled' },
  { code: /^400(09|10)$/, class: 'bad-contact' },
  { status: /^5/, class: 'server-error' },
  // What answers there is no ntfy.
  { status: /^404$/, class: 'config' },
  { status: /^4/, class: 'rejected' },
];

/** The class of an answer; `unknown` where it cannot be understood. */
export function ntfyResult({ status, json }: HttpAnswer): SendResult {
  const id = textOf(json, 'id');
  if (status === 200 && id !== null) return { outcome: 'handed off', providerId: id };
  return tableResult(RESULTS, { status, code: textOf(json, 'code') });
}

export type NtfyOptions = {
  /** The server. */
  url: string;
  /** An access token (`tk_…`), where the server wants one. @default none */
  token?: string;
  /** True where the public is at the other end. */
  live: Reach;
  /** @default 32 */
  concurrency?: number;
  /** The hard end of one request. @default 10_000 */
  messageTimeoutMs?: number;
};

/** Publishes each message to its person's topic. */
export function createNtfy(options: NtfyOptions): SenderPort {
  const { token, live, concurrency = CONCURRENCY, messageTimeoutMs = MESSAGE_TIMEOUT_MS } = options;
  const path = pathBelow(options.url, '/');
  const exchanges = createHttpExchanges({
    url: options.url,
    connections: concurrency,
    timeoutMs: messageTimeoutMs,
  });

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    const body = JSON.stringify({
      topic: message.address,
      title: message.subject,
      message: message.text,
      priority: PRIORITIES[message.level],
    });
    const headers = {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(live ? {} : standInHeaders(message)),
    };
    return exchanges.send({ path, headers, body }, ntfyResult);
  }

  return {
    id: 'ntfy',
    channel: 'push',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: (address) => (TOPIC.test(address) ? null : 'bad-contact'),
    send,
    close: () => exchanges.close(),
  };
}
