/**
 * What an SMS gateway pushes to us: replies, as a JSON array, signed with a shared secret over time and body. A missing or
 * wrong signature ends before the database is touched. Answers are stored before the gateway hears 200; whatever fails
 * before that makes the gateway push again, and then what was stored the first time is only repeated.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { answerByReplies, type ReplyVerdict } from '../operations/answers.ts';
import { limitBody } from './body.ts';

const BODY_BYTES_MAX = 1_000_000;
const SIGNATURE_AGE_MS_MAX = 5 * 60_000;
const REPLIES_MAX = 1_000;

const pushSchema = z.array(z.unknown()).max(REPLIES_MAX);

/** Ids are strings: as a number, two long ones would be one. Control characters do not fit PostgreSQL's text. */
const replySchema = z.object({
  id: z.string().regex(/^[^\p{Cc}\p{Cs}]{1,100}$/u),
  from: z.string(),
  text: z.string(),
});

export function gatewayRoutes(input: {
  database: Database;
  keys: AnswerKeys;
  secret: string | undefined;
}): Hono {
  const { database, keys, secret } = input;
  const routes = new Hono();
  const limit = limitBody(BODY_BYTES_MAX, (context) => {
    // The rest is not read: the connection ends with the answer.
    context.header('connection', 'close');
    return context.json({ error: `more than ${BODY_BYTES_MAX} bytes: push fewer replies at once` }, 413);
  });
  routes.post('/gateway/replies', limit, async (context) => {
    const timestamp = context.req.header('x-gateway-timestamp') ?? '';
    const signature = context.req.header('x-gateway-signature') ?? '';
    const body = Buffer.from(await context.req.arrayBuffer());
    if (secret === undefined || !signed(secret, timestamp, body, signature))
      return context.json({ error: 'not accepted' }, 403);
    const pushed = pushSchema.safeParse(parseJson(body.toString()));
    if (!pushed.success) return context.json({ error: `not a list of at most ${REPLIES_MAX} replies` }, 400);
    // One that is malformed would be so again: it is named, and its neighbours are stored.
    const parsed = pushed.data.map((reply) => replySchema.safeParse(reply).data ?? null);
    const whole = parsed.filter((reply) => reply !== null);
    const verdicts = (await answerByReplies(database, keys, whole)).values();
    return context.json({
      replies: parsed.map((reply): { id: string | null; verdict: ReplyVerdict | 'malformed' } =>
        reply
          ? { id: reply.id, verdict: verdicts.next().value ?? 'malformed' }
          : { id: null, verdict: 'malformed' },
      ),
    });
  });
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
