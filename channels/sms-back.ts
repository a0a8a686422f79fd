/**
 * What is said back to people who wrote, by the SMS gateway that their words came from. It is a courtesy: nothing is tried again,
 * nothing waits for it, and what is more than a gateway takes in time is left unsaid. It takes its turns of the gateway's rate after
 * all warnings.
 */
import { channelRefusal, type Reach } from '../domain/guard.ts';
import type { ReplyKind } from '../domain/reply-texts.ts';
import { resultOf } from '../domain/results.ts';
import { createHttpExchanges, gatewaySignature, pathBelow } from './http-exchange.ts';

/** Beside warnings, which go first: these share the gateway with them. */
const CONNECTIONS = 8;

const TIMEOUT_MS = 10_000;

/** What waits beyond this is left unsaid: ten minutes at 50 a second. */
const WAITING_MOST = 30_000;

export type SmsBack = {
  /** Returns at once. The reference is `back.<replyId>`, which no delivery has. */
  say(back: { to: string; text: string; kind: ReplyKind; replyId: string }): void;
  /** How many were left unsaid, since the start. */
  unsaid(): number;
  /** Ends when what is under way is done; what waits is left unsaid. */
  close(): Promise<void>;
};

export function createSmsBack(options: {
  /** As for the channel: `/sms/send` is put behind it. */
  url: string;
  secret: string;
  /** The registered signature (签名). @default '' */
  signature?: string;
  /** Its template there: all of it is one parameter, `text`. @default 'fenghuo-back' */
  template?: string;
  /** True where the public is at the other end. */
  live: Reach;
  /** Waits until so much text may leave by the gateway's rate; false where that is not soon. Left out: no rate limits it. */
  turn?: (text: string) => Promise<boolean>;
}): SmsBack {
  const { live, secret, signature = '', template = 'fenghuo-back', turn } = options;
  const path = pathBelow(options.url, '/sms/send');
  const exchanges = createHttpExchanges({
    url: options.url,
    connections: CONNECTIONS,
    timeoutMs: TIMEOUT_MS,
  });
  const waiting: { body: string; text: string }[] = [];
  const lanes = new Set<Promise<void>>();
  let unsaid = 0;
  let closing: Promise<void> | null = null;

  async function run(): Promise<void> {
    for (let words = waiting.shift(); words; words = waiting.shift()) {
      const { body, text } = words;
      if (turn && !(await turn(text).catch(() => false))) {
        unsaid += 1;
        continue;
      }
      const headers = { 'content-type': 'application/json', ...gatewaySignature(secret, body) };
      const result = await exchanges.send({ path, headers, body }, ({ status }) =>
        status < 300 ? { outcome: 'handed off', providerId: '' } : resultOf('rejected'),
      );
      if (result.outcome !== 'handed off') unsaid += 1;
    }
  }

  return {
    say({ to, text, kind, replyId }) {
      // Words of no warning are an Exercise's where stand-ins are at the other end, and real ones where the public is.
      const said = kind ?? (live === true ? 'actual' : 'exercise');
      if (channelRefusal({ kind: said, synthetic: false }, live) !== null || waiting.length >= WAITING_MOST) {
        unsaid += 1;
        return;
      }
      const body = JSON.stringify({
        ...{ templateId: template, signature, to },
        parameters: { text },
        reference: `back.${replyId}`,
      });
      waiting.push({ body, text });
      if (lanes.size >= CONNECTIONS) return;
      const lane = run().finally(() => lanes.delete(lane));
      lanes.add(lane);
    },
    unsaid: () => unsaid,
    close() {
      unsaid += waiting.splice(0).length;
      closing ??= Promise.all(lanes).then(() => exchanges.close());
      return closing;
    },
  };
}
