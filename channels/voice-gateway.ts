/**
 * Calls by an HTTP voice gateway of the shape Chinese providers have: a text-to-speech template and its parameters go out as JSON
 * (Aliyun's SingleCallByTts and IvrCall are of it), and the pressed key and the call's end are pushed in under our reference. The
 * template holds the menu: 1 received, 2 again, 3 cannot act. A call that was accepted is no answer, and neither is a voicemail.
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
  textOf,
  type HttpAnswer,
  type ResultRow,
} from './http-exchange.ts';

/** Calls are placed at once; the gateway has its own lines. */
const CONCURRENCY = 32;

const MESSAGE_TIMEOUT_MS = 10_000;

/** The first row that matches decides. An acceptance is `OK` with a call id and is no row. */
const RESULTS: readonly ResultRow[] = [
  { status: /^(401|403)$/, class: 'config' },
  { status: /^429$/, class: 'throttled' },
  // A gateway that fails may have begun to dial before it failed.
  { status: /^5/, class: 'server-error' },
  // Per called number too: Aliyun takes one call a minute, five an hour and twenty a day to the same number.
  { code: /^(THROTTLED|NUMBER_LIMIT)$/, class: 'throttled' },
  { code: /^LINES_BUSY$/, class: 'server-busy' },
  { code: /^QUOTA_USED_UP$/, class: 'provider-out' },
  { code: /^BAD_NUMBER$/, class: 'bad-contact' },
  { code: /^OPTED_OUT$/, class: 'opted-out' },
  { code: /^FILTERED$/, class: 'filtered' },
  { status: /^2/, code: /^(?!OK$)/, class: 'rejected' },
  { status: /^4/, class: 'rejected' },
];

/** The class of an answer; `unknown` where it cannot be understood. */
export function voiceGatewayResult({ status, json }: HttpAnswer): SendResult {
  const code = textOf(json, 'code');
  const callId = textOf(json, 'callId');
  if (String(status).startsWith('2') && code === 'OK' && callId !== null)
    return { outcome: 'handed off', providerId: callId };
  return tableResult(RESULTS, { status, code });
}

export type VoiceGatewayOptions = {
  /** Where the gateway is; `/voice/call` is put behind it. */
  url: string;
  /** Signs each request, as for the SMS gateway. */
  secret: string;
  /** Template ids by `call-<kind>-<language>`; what is left out is called `fenghuo-call-<kind>-<language>`. @default all */
  templates?: Readonly<Record<string, string>>;
  /** Where calls are listed by reference, behind `url`. Left out: the gateway cannot be asked for a call. */
  listPath?: string | undefined;
  /** Where calls are taken back that do not ring yet or are not taken, behind `url`. Left out: they cannot be. */
  recallPath?: string | undefined;
  /** True where the public is at the other end. */
  live: Reach;
  /** @default 32 */
  concurrency?: number;
  /** The hard end of one request; the call itself goes on. @default 10_000 */
  messageTimeoutMs?: number;
};

/** Asks for each call in one request, under the reference `<delivery>.<attempt>`. */
export function createVoiceGateway(options: VoiceGatewayOptions): SenderPort {
  const { secret, live, concurrency = CONCURRENCY, messageTimeoutMs = MESSAGE_TIMEOUT_MS } = options;
  const path = pathBelow(options.url, '/voice/call');
  const exchanges = createHttpExchanges({
    url: options.url,
    connections: concurrency,
    timeoutMs: messageTimeoutMs,
  });

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    const body = JSON.stringify(bodyOf(message, options.templates ?? {}));
    const headers = { 'content-type': 'application/json', ...gatewaySignature(secret, body) };
    return exchanges.send({ path, headers, body }, voiceGatewayResult);
  }

  const { listPath } = options;
  const listing = listPath && pathBelow(options.url, listPath);

  async function find(message: OutgoingMessage, attempt: number) {
    const reference = referenceOf({ ...message, attempt });
    const answer = await exchanges.ask({
      path: `${listing}?reference=${encodeURIComponent(reference)}`,
      headers: gatewaySignature(secret, reference),
    });
    return foundIn(answer, 'calls', 'callId');
  }

  const recall = options.recallPath && gatewayRecall(exchanges, { ...options, path: options.recallPath });
  return {
    id: 'voice-gateway',
    channel: 'voice',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: () => null,
    byTemplate: true,
    send,
    ...(listing && { find }),
    ...(recall && { recall }),
    close: () => exchanges.close(),
  };
}

function bodyOf(message: OutgoingMessage, templates: Readonly<Record<string, string>>) {
  const template = `call-${message.kind}-${message.language}`;
  return {
    templateId: templates[template] ?? `fenghuo-${template}`,
    to: message.address,
    parameters: message.parameters,
    reference: referenceOf(message),
    warningId: message.warningId,
    ...(message.exercise ? { exercise: message.exercise } : {}),
  };
}
