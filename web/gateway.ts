/**
 * What an SMS gateway pushes to us: replies, as a JSON array, signed with a shared secret over time and body. A missing or
 * wrong signature ends before the database is touched. An answer is stored before the gateway hears 200; whatever fails
 * before that makes the gateway push again.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { answerByReply } from '../operations/answers.ts';

const BODY_BYTES_MAX = 1_000_000;
const SIGNATURE_AGE_MS_MAX = 5 * 60_000;

const repliesSchema = z
  .array(
    z.object({
      id: z.string().min(1).max(100),
      from: z.string().min(1).max(32),
      text: z.string().max(1_000),
    }),
  )
  .max(1_000);

export function gatewayRoutes(input: {
  database: Database;
  keys: AnswerKeys;
  secret: string | undefined;
}): Hono {
  const routes = new Hono();
  routes.post('/gateway/replies', async (context) => {
    const { secret } = input;
    const timestamp = context.req.header('x-gateway-timestamp') ?? '';
    const signature = context.req.header('x-gateway-signature') ?? '';
    if (secret === undefined || Number(context.req.header('content-length') ?? 0) > BODY_BYTES_MAX) {
      return context.json({ error: 'not accepted' }, 403);
    }
    const body = await context.req.text();
    if (!signed(secret, timestamp, body, signature)) return context.json({ error: 'not accepted' }, 403);
    const parsed = repliesSchema.safeParse(parseJson(body));
    if (!parsed.success) return context.json({ error: 'not a list of replies' }, 400);
    const verdicts = [];
    for (const reply of parsed.data) {
      verdicts.push({ id: reply.id, verdict: await answerByReply(input.database, input.keys, reply) });
    }
    return context.json({ replies: verdicts });
  });
  return routes;
}

function signed(secret: string, timestamp: string, body: string, signature: string): boolean {
  const at = Number(timestamp);
  if (!Number.isFinite(at) || Math.abs(Date.now() - at) > SIGNATURE_AGE_MS_MAX) return false;
  const expected = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest();
  const given = Buffer.from(signature, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
