/**
 * SMS by an HTTP gateway of the shape Chinese providers have: a template's id and its parameters go out as JSON, and
 * receipts and replies are pushed in. There is no idempotency key, so what may have been accepted is *unknown*, and is looked for
 * by our reference.
 */
import { channelRefusal, type Reach } from '../domain/guard.ts';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import {
  createHttpExchanges,
  foundIn,
  gatewayRecall,
  gatewaySignature,
  pathBelow,
  referenceOf,
  tableResult,
  type HttpAnswer,
  type ResultRow,
} from './http-exchange.ts';

const CONCURRENCY = 128;

/**
 * A gateway that answers after 100 ms takes 5,000 messages a second only on 500 connections. On a loopback gateway 512 and 128 at
 * once in each slice made 8,245 a second of 7,359 with 32 and 64.
 */
const CONNECTIONS = 512;

/** The hard end of a send; the activity's own time-out is longer. */
const MESSAGE_TIMEOUT_MS = 10_000;

/** The first row that matches decides. An acceptance is `OK` with a message id and is no row. */
const RESULTS: readonly ResultRow[] = [
  { status: /^(401|403)$/, class: 'config' },
  { status: /^429$/, class: 'throttled' },
  // A gateway that fails may have queued the message before it failed.
  { status: /^5/, class: 'server-error' },
  { code: /^THROTTLED$/, class: 'throttled' },
  { code: /^SYSTEM_BUSY$/, class: 'server-busy' },
  { code: /^QUOTA_USED_UP$/, class: 'provider-out' },
  { code: /^BAD_NUMBER$/, class: 'bad-contact' },
  { code: /^LANDLINE$/, class: 'landline' },
  { code: /^OPTED_OUT$/, class: 'opted-out' },
  { code: /^FILTERED$/, class: 'filtered' },
  { status: /^2/, code: /^(?!OK$)/, class: 'rejected' },
  { status: /^4/, class: 'rejected' },
];

/** The class of an answer; `unknown` where it cannot be understood. */
export function gatewayResult({ status, json }: HttpAnswer): SendResult {
  const code = codeOf(json);
  const messageId = messageIdOf(json);
  if (String(status).startsWith('2') && code === 'OK' && messageId !== null)
    return { outcome: 'handed off', providerId: messageId };
  return tableResult(RESULTS, { status, code });
}

/** What the templates of a gateway are called, by kind and language, such as `exercise-zh`. */
export type GatewayTemplates = Readonly<Record<string, string>>;

export type SmsGatewayChannelOptions = {
  /** Where the gateway is; `/sms/send` is put behind it. */
  url: string;
  /** Signs each request: `x-gateway-signature` is the hex HMAC-SHA-256 of `<x-gateway-timestamp>.<body>`. */
  secret: string;
  /** Who says so: the registered signature (签名), which the gateway puts as 【…】 at the head of each text. @default '' */
  signature?: string;
  /** What is left out is called `fenghuo-<kind>-<language>`. @default all */
  templates?: GatewayTemplates;
  /** Where messages are taken back, behind `url`, such as `/sms/recall`. Left out: they cannot be. */
  recallPath?: string | undefined;
  /** True where the public is at the other end. */
  live: Reach;
  /** Messages under way at once in one slice, and connections. @default 128, and 512 */
  concurrency?: number;
  /** The hard end of one send. @default 10_000 */
  messageTimeoutMs?: number;
};

/** Sends each message as one request, under the reference `<delivery>.<attempt>`. */
export function createSmsGatewayChannel(options: SmsGatewayChannelOptions): SenderPort {
  const {
    secret,
    live,
    concurrency = CONCURRENCY,
    messageTimeoutMs = MESSAGE_TIMEOUT_MS,
    signature = '',
    templates = {},
  } = options;
  const path = pathBelow(options.url, '/sms/send');
  const listing = pathBelow(options.url, '/sms/messages');
  const numbers = pathBelow(options.url, '/sms/number');
  const exchanges = createHttpExchanges({
    url: options.url,
    connections: options.concurrency ?? CONNECTIONS,
    timeoutMs: messageTimeoutMs,
  });

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    const body = JSON.stringify(bodyOf(message, signature, templates));
    const headers = { 'content-type': 'application/json', ...gatewaySignature(secret, body) };
    return exchanges.send({ path, headers, body }, gatewayResult);
  }

  async function find(message: OutgoingMessage, attempt: number) {
    const reference = referenceOf({ ...message, attempt });
    const answer = await exchanges.ask({
      path: `${listing}?reference=${encodeURIComponent(reference)}`,
      headers: gatewaySignature(secret, reference),
    });
    return foundIn(answer, 'messages', 'messageId');
  }

  /** Whether a number is in service: what providers call number status or HLR query. Nobody notices it. */
  async function probe(address: string): Promise<'reachable' | 'unreachable' | 'unknown'> {
    const answer = await exchanges.ask({
      path: `${numbers}?to=${encodeURIComponent(address)}`,
      headers: gatewaySignature(secret, address),
    });
    const state = answer?.status === 200 ? answer.json?.['state'] : null;
    return state === 'reachable' || state === 'unreachable' ? state : 'unknown';
  }

  const recall = options.recallPath && gatewayRecall(exchanges, { ...options, path: options.recallPath });
  return {
    id: 'sms-gateway',
    channel: 'sms',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: () => null,
    byTemplate: true,
    send,
    find,
    probe,
    ...(recall && { recall }),
    close: () => exchanges.close(),
  };
}

function bodyOf(message: OutgoingMessage, signature: string, templates: GatewayTemplates) {
  return {
    templateId: templateOf(message, templates),
    signature,
    to: message.address,
    parameters: message.parameters,
    reference: referenceOf(message),
    warningId: message.warningId,
    ...(message.exercise ? { exercise: message.exercise } : {}),
  };
}

/** The template that says this message. */
export function templateOf(
  { kind, language }: Pick<OutgoingMessage, 'kind' | 'language'>,
  templates: GatewayTemplates,
): string {
  return templates[`${kind}-${language}`] ?? `fenghuo-${kind}-${language}`;
}

function codeOf(json: HttpAnswer['json']): string | null {
  return typeof json?.['code'] === 'string' ? json['code'] : null;
}

/** An id is text: as a number, two long ones would be one. */
function messageIdOf(json: HttpAnswer['json']): string | null {
  const id = json?.['messageId'];
  return typeof id === 'string' && id !== '' ? id : null;
}
