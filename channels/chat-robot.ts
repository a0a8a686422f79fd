/**
 * A robot in a group of a work chat: DingTalk, WeCom or Feishu. The message goes to the group and names one member; whoever is in
 * the group reads it, so nothing that stands in it may count as an answer.
 *
 * By the vendors' documents:
 * - DingTalk, custom robots (open.dingtalk.com/document/robots/customize-robot-security-settings): `timestamp` in milliseconds and
 *   `sign` in the URL; base64 of HMAC-SHA-256 with the secret as key over `<timestamp>\n<secret>`. 20 messages a minute.
 * - WeCom, group robots (developer.work.weixin.qq.com/document/path/91770): no signature, the key in the URL is the secret. 20 a
 *   minute, texts up to 2,048 bytes.
 * - Feishu, custom bots (open.feishu.cn/document/client-docs/bot-v3/add-custom-bot): `timestamp` in seconds and `sign` in the body;
 *   base64 of HMAC-SHA-256 with `<timestamp>\n<secret>` as key over nothing. 100 a minute, 5 a second.
 */
import { createHmac } from 'node:crypto';
import { channelRefusal, type Reach } from '../domain/guard.ts';
import type { OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import {
  createHttpExchanges,
  referenceOf,
  standInHeaders,
  tableResult,
  textOf,
  type HttpAnswer,
  type HttpRequest,
  type ResultRow,
} from './http-exchange.ts';

/** Groups are limited to a few messages a minute: more at once would only be refused. */
const CONCURRENCY = 4;

const MESSAGE_TIMEOUT_MS = 10_000;

export type ChatRobotShape = 'dingtalk' | 'wecom' | 'feishu';

type Shape = {
  /** The field of the answer that holds the code; 0 is an acceptance. */
  code: string;
  rows: readonly ResultRow[];
  request(message: OutgoingMessage, robot: { url: URL; secret: string | null }, now: number): HttpRequest;
};

/** Before any vendor's codes. */
const BY_STATUS: readonly ResultRow[] = [
  { status: /^(401|403|404)$/, class: 'config' },
  { status: /^429$/, class: 'throttled' },
  { status: /^5/, class: 'server-error' },
];

const SHAPES: Readonly<Record<ChatRobotShape, Shape>> = {
  dingtalk: {
    code: 'errcode',
    rows: [
      // Signature, keyword or network address do not match; no such token; the robot was stopped or removed.
      { code: /^(310000|300001|300005|400101|400102|400105|400106)$/, class: 'config' },
      { code: /^(130101|410100|90030)$/, class: 'throttled' },
      // Unsafe links, unsuitable or harmful texts.
      { code: /^43010[0-9]$/, class: 'filtered' },
    ],
    request: (message, { url, secret }, now) => {
      const signed = new URL(url);
      if (secret !== null) {
        signed.searchParams.set('timestamp', String(now));
        signed.searchParams.set('sign', signature(secret, `${now}\n${secret}`));
      }
      const mobile = mobileOf(message.address);
      return post(signed, {
        msgtype: 'text',
        // Who is named in `at` must stand in the text too, or is not marked there.
        text: { content: `@${mobile} ${message.text}` },
        at: { atMobiles: [mobile], isAtAll: false },
      });
    },
  },
  wecom: {
    code: 'errcode',
    rows: [
      { code: /^(93000|93004|93008|40058)$/, class: 'config' },
      { code: /^(45009|45033)$/, class: 'throttled' },
    ],
    request: (message, { url }) =>
      post(url, {
        msgtype: 'text',
        text: { content: message.text, mentioned_mobile_list: [mobileOf(message.address)] },
      }),
  },
  feishu: {
    code: 'code',
    rows: [
      // No such robot; signature or time, network address, keyword do not match.
      { code: /^(19001|19002|19021|19022|19024)$/, class: 'config' },
      { code: /^(9499|11246)$/, class: 'rejected' },
      { code: /^(11232|11233|99991400)$/, class: 'throttled' },
    ],
    request: (message, { url, secret }, now) => {
      const timestamp = String(Math.floor(now / 1000));
      return post(url, {
        ...(secret !== null && { timestamp, sign: signature(`${timestamp}\n${secret}`, '') }),
        msg_type: 'text',
        content: { text: `<at user_id="${message.address}"></at> ${message.text}` },
      });
    },
  },
};

/** A busy platform may have taken the message; everything else that is not 0 was refused. */
const AFTER_CODES: readonly ResultRow[] = [
  { code: /^-1$/, class: 'server-error' },
  { code: /^(?!0$)/, class: 'rejected' },
  { status: /^4/, class: 'rejected' },
];

/** The class of an answer; `providerId` is our own reference, for these platforms give no id. */
export function chatRobotResult(shape: ChatRobotShape, reference: string, answer: HttpAnswer): SendResult {
  const { code: field, rows } = SHAPES[shape];
  const code = textOf(answer.json, field);
  if (answer.status === 200 && code === '0') return { outcome: 'handed off', providerId: reference };
  return tableResult([...BY_STATUS, ...rows, ...AFTER_CODES], { status: answer.status, code });
}

export type ChatRobotOptions = {
  shape: ChatRobotShape;
  /** The robot's own address, with its token: it is a secret itself. */
  url: string;
  /** Signs each message; WeCom has none. @default none */
  secret?: string;
  /** True where the public is at the other end. */
  live: Reach;
  /** @default 4 */
  concurrency?: number;
  /** The hard end of one request. @default 10_000 */
  messageTimeoutMs?: number;
};

/** Sends each message to the robot's group; the address is a mobile number, at Feishu a user id (`ou_…`). */
export function createChatRobot(options: ChatRobotOptions): SenderPort {
  const { shape, live, concurrency = CONCURRENCY, messageTimeoutMs = MESSAGE_TIMEOUT_MS } = options;
  const robot = { url: new URL(options.url), secret: options.secret ?? null };
  const exchanges = createHttpExchanges({
    url: options.url,
    connections: concurrency,
    timeoutMs: messageTimeoutMs,
  });

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    const request = SHAPES[shape].request(message, robot, Date.now());
    if (!live) request.headers = { ...request.headers, ...standInHeaders(message) };
    return exchanges.send(request, (answer) => chatRobotResult(shape, referenceOf(message), answer));
  }

  return {
    id: 'chat-robot',
    channel: 'chat',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: (address) => (mayBeNamed(shape, address) ? null : 'bad-contact'),
    send,
    close: () => exchanges.close(),
  };
}

/** Nothing that could break out of the place where a name stands. */
function mayBeNamed(shape: ChatRobotShape, address: string): boolean {
  return (shape === 'feishu' ? /^[A-Za-z0-9_-]{1,64}$/ : /^\+?[0-9]{5,15}$/).test(address);
}

/** These platforms know mainland numbers without the country's code. */
function mobileOf(address: string): string {
  return address.replace(/^\+86/, '').replace(/^\+/, '');
}

function signature(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64');
}

function post(url: URL, body: object): HttpRequest {
  return {
    path: `${url.pathname}${url.search}`,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  };
}
