/**
 * A village's loudspeakers (村村响) through the HTTP interface of a broadcast platform: text for a device, read aloud. No vendor's
 * interface is common to all, so this is the smallest one such a platform can be fitted to: device, text, language, priority.
 * Nobody answers a loudspeaker, and a broadcast that is made twice does no harm.
 */
import { channelRefusal, type Reach } from '../domain/guard.ts';
import type { LevelId } from '../domain/levels.ts';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import {
  createHttpExchanges,
  gatewaySignature,
  pathBelow,
  referenceOf,
  tableResult,
  textOf,
  type HttpAnswer,
  type ResultRow,
} from './http-exchange.ts';

const CONCURRENCY = 32;

const MESSAGE_TIMEOUT_MS = 10_000;

/** 1 interrupts everything, 4 waits for what is on the air. */
const PRIORITIES: Readonly<Record<LevelId, number>> = { red: 1, orange: 2, yellow: 3, blue: 4 };

/** What a platform and its devices take to be one name. */
const DEVICE_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

/** The first row that matches decides. An acceptance is `OK` with a broadcast id and is no row. */
const RESULTS: readonly ResultRow[] = [
  { status: /^(401|403)$/, class: 'config' },
  { status: /^429$/, class: 'throttled' },
  { status: /^5/, class: 'server-error' },
  { code: /^THROTTLED$/, class: 'throttled' },
  { code: /^NO_SUCH_DEVICE$/, class: 'bad-contact' },
  // Power and lines come back, and a broadcast of higher priority ends.
  { code: /^(DEVICE_OFFLINE|DEVICE_BUSY)$/, class: 'temporary' },
  { status: /^2/, code: /^(?!OK$)/, class: 'rejected' },
  { status: /^4/, class: 'rejected' },
];

/** The class of an answer; `unknown` where it cannot be understood. */
export function loudspeakerResult({ status, json }: HttpAnswer): SendResult {
  const code = textOf(json, 'code');
  const broadcastId = textOf(json, 'broadcastId');
  if (String(status).startsWith('2') && code === 'OK' && broadcastId !== null)
    return { outcome: 'handed off', providerId: broadcastId };
  return tableResult(RESULTS, { status, code });
}

export type LoudspeakerOptions = {
  /** Where the platform is; `/broadcasts` is put behind it. */
  url: string;
  /** Signs each request, as for the SMS gateway. */
  secret: string;
  /** True where the public is at the other end. */
  live: Reach;
  /** @default 32 */
  concurrency?: number;
  /** The hard end of one request. @default 10_000 */
  messageTimeoutMs?: number;
};

/** Asks for each broadcast in one request; the address is the device's id. */
export function createLoudspeaker(options: LoudspeakerOptions): SenderPort {
  const { secret, live, concurrency = CONCURRENCY, messageTimeoutMs = MESSAGE_TIMEOUT_MS } = options;
  const path = pathBelow(options.url, '/broadcasts');
  const exchanges = createHttpExchanges({
    url: options.url,
    connections: concurrency,
    timeoutMs: messageTimeoutMs,
  });

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    const body = JSON.stringify({
      deviceId: message.address,
      text: message.text,
      language: message.language,
      priority: PRIORITIES[message.level],
      reference: referenceOf(message),
      warningId: message.warningId,
      ...(message.exercise ? { exercise: message.exercise } : {}),
    });
    const headers = { 'content-type': 'application/json', ...gatewaySignature(secret, body) };
    return exchanges.send({ path, headers, body }, loudspeakerResult);
  }

  return {
    id: 'loudspeaker',
    channel: 'loudspeaker',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: (address) => (DEVICE_ID.test(address) ? null : 'bad-contact'),
    send,
    close: () => exchanges.close(),
  };
}
