/**
 * What gateways push to us: replies, receipts and pressed keys, each as a JSON array, signed with a shared secret over time and
 * body. A missing or wrong signature ends before the database is touched. Everything is stored before the gateway hears 200;
 * whatever fails before that makes the gateway push again, and then what was stored the first time is only repeated.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { parseReference, type Receipt } from '../domain/receipts.ts';
import type { ReplyKind } from '../domain/reply-texts.ts';
import { parseSender } from '../operations/answer-sender.ts';
import { answersByReplies, type ReplyVerdict } from '../operations/answers.ts';
import { answerByKey, type KeyVerdict } from '../operations/key-answers.ts';
import { takeReceipts } from '../operations/receipts.ts';
import { limitBody } from './body.ts';

const BODY_BYTES_MAX = 1_000_000;
const SIGNATURE_AGE_MS_MAX = 5 * 60_000;
const ITEMS_MAX = 1_000;

const pushSchema = z.array(z.unknown()).max(ITEMS_MAX);

/** Ids are strings: as a number, two long ones would be one. Control characters do not fit PostgreSQL's text. */
const word = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,100}$/u);

const replySchema = z.object({ id: word, from: z.string(), text: z.string() });

/** What a gateway reports of a message. `code` is the carrier's; a gateway of calls says that it is one by `sender`. */
const receiptSchema = z.object({
  id: word,
  reference: word,
  state: word,
  code: word.nullish().transform((code) => code ?? null),
  sender: z.enum(['sms-gateway', 'voice-gateway']).default('sms-gateway'),
});

const keySchema = z.object({
  id: word,
  callId: word,
  reference: word,
  step: z.number().int().min(0).max(1_000),
  key: word,
});

export type PushedReceipt = z.infer<typeof receiptSchema>;

/** What only the gateway's own file knows; without it receipts are malformed and nothing is said back. */
export type GatewayDoor = {
  /** The receipt that a report stands for; null where it is none. */
  receiptOf(pushed: PushedReceipt): Receipt | null;
  /** Says something to somebody who wrote; returns at once, and nobody hears of a failure. */
  sayBack(back: { to: string; text: string; kind: ReplyKind; replyId: string }): void;
};

export function gatewayRoutes(input: {
  database: Database;
  keys: AnswerKeys;
  /** Each gateway's own. One provider of both may sign keys by the secret of its SMS, where calls have none. */
  secrets: { sms: string | undefined; voice: string | undefined };
  /** What these gateways carry: what they push counts for no warning of the other kind. */
  serves: WarningKind;
  door: GatewayDoor | null;
}): Hono {
  const { database, keys, serves, door } = input;
  const { sms, voice } = input.secrets;
  const trusted = { replies: [sms], receipts: [sms, voice], keys: [voice ?? sms] };
  const routes = new Hono();
  const limit = limitBody(BODY_BYTES_MAX, (context) => {
    // The rest is not read: the connection ends with the answer.
    context.header('connection', 'close');
    return context.json({ error: `more than ${BODY_BYTES_MAX} bytes: push fewer at once` }, 413);
  });

  /** Takes a push of one kind. `take` gives the verdicts of the items that are well formed, in their order. */
  function pushed<Item extends { id: string }, Verdict extends string>(
    kind: 'replies' | 'receipts' | 'keys',
    parse: (item: unknown) => Item | null,
    take: (items: readonly Item[]) => Promise<readonly Verdict[]>,
  ): void {
    routes.post(`/gateway/${kind}`, limit, async (context) => {
      const timestamp = context.req.header('x-gateway-timestamp') ?? '';
      const signature = context.req.header('x-gateway-signature') ?? '';
      const body = Buffer.from(await context.req.arrayBuffer());
      const isOurs = trusted[kind].some(
        (secret) => secret !== undefined && signed(secret, timestamp, body, signature),
      );
      if (!isOurs) return context.json({ error: 'not accepted' }, 403);
      const list = pushSchema.safeParse(parseJson(body.toString()));
      if (!list.success) return context.json({ error: `not a list of at most ${ITEMS_MAX} ${kind}` }, 400);
      // One that is malformed would be so again: it is named, and its neighbours are stored.
      const parsed = list.data.map(parse);
      const verdicts = (await take(parsed.filter((item) => item !== null))).values();
      return context.json({
        [kind]: parsed.map((item): { id: string | null; verdict: Verdict | 'malformed' } =>
          item
            ? { id: item.id, verdict: verdicts.next().value ?? 'malformed' }
            : { id: null, verdict: 'malformed' },
        ),
      });
    });
  }

  const take = answersByReplies(database, keys, { via: 'gateway', serves });
  pushed(
    'replies',
    (item) => replySchema.safeParse(item).data ?? null,
    async (replies): Promise<ReplyVerdict[]> => {
      const outcomes = await take(replies);
      for (const [place, { sayBack, kind }] of outcomes.entries()) {
        const reply = replies[place];
        if (reply && sayBack !== null)
          door?.sayBack({
            to: parseSender(reply.from) ?? reply.from,
            text: sayBack,
            kind,
            replyId: reply.id,
          });
      }
      return outcomes.map(({ verdict }) => verdict);
    },
  );

  pushed(
    'receipts',
    (item) => {
      const report = receiptSchema.safeParse(item).data;
      const receipt = report && door?.receiptOf(report);
      return receipt ? { id: report.id, receipt } : null;
    },
    async (reports) => {
      await takeReceipts(
        database,
        reports.map(({ receipt }) => receipt),
        serves,
      );
      return reports.map(() => 'taken' as const);
    },
  );

  pushed(
    'keys',
    (item) => {
      const press = keySchema.safeParse(item).data;
      const reference = press && parseReference(press.reference);
      return reference ? { ...press, deliveryId: reference.deliveryId } : null;
    },
    async (presses): Promise<KeyVerdict[]> => {
      const verdicts: KeyVerdict[] = [];
      for (const press of presses)
        verdicts.push(await answerByKey(database, { ...press, via: 'voice', serves }));
      return verdicts;
    },
  );
  return routes;
}

/** The signature is over the bytes as they travelled, and has one spelling. */
function signed(secret: string, timestamp: string, body: Buffer, signature: string): boolean {
  if (!/^[0-9]{1,15}$/.test(timestamp) || !/^[0-9a-f]{64}$/.test(signature)) return false;
  if (Math.abs(Date.now() - Number(timestamp)) > SIGNATURE_AGE_MS_MAX) return false;
  const expected = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest();
  return timingSafeEqual(Buffer.from(signature, 'hex'), expected);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
