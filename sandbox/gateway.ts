/**
 * An HTTP SMS gateway, and the sandbox's control:
 *
 * - `POST /sms/send` takes a message, also one it has already: like the real ones it knows no idempotency.
 * - `GET /sms/messages?reference=…` lists what was taken under a reference.
 * - `POST /sms/recall` takes back what still waits in its queue.
 * - `GET /sms/number?to=…` says whether a number is in service.
 * - `GET /ledger/stats?warning=…` counts what arrived; without a warning, everything since the start.
 * - `PUT /faults` replaces the fault plan.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { timingSafeEqual } from 'node:crypto';
import { badAddress, parseFaultPlan, smsFault, type SmsFault } from './faults.ts';
import type { FarSide, FarSideCounts } from './far-side.ts';
import { draw } from './draws.ts';
import type { GatewayPushes } from './gateway-pushes.ts';
import { gatewaySignature } from './reply-push.ts';

const REQUEST_BYTES_MOST = 1 << 20;

/** Before the id of the reply in references of what is said back. */
const BACK = 'back.';

export type GatewayStandIn = { url: string; stop(): Promise<void> };

type SendRequest = {
  to: string;
  reference: string;
  warningId: string;
  text: string;
  exercise: { step: string; speed: number } | null;
};

type Answer = { status: number; body: unknown };

type Recallable = { reference: string; messageId: string; warningId: string };

/** What a scenario has go wrong, in the words of this gateway. */
const REFUSAL_CODES = { 'provider out': 'SYSTEM_BUSY', 'wrong address': 'BAD_NUMBER' } as const;

/** Answers to faults that have one; the others are silence. */
const FAULT_ANSWERS: Readonly<Record<Exclude<SmsFault, 'answer lost' | 'answer held' | 'hang'>, Answer>> = {
  throttled: { status: 429, body: { code: 'THROTTLED' } },
  'server error': { status: 503, body: { code: 'INTERNAL' } },
  filtered: { status: 200, body: { code: 'FILTERED' } },
};

/** Listens on 127.0.0.1; port 0 takes a free one. */
export async function startGateway(input: {
  farSide: FarSide;
  secret: string;
  port: number;
  /** Where receipts go, when the fault plan wants them. */
  pushes: GatewayPushes;
  /** What `GET /ledger/stats` says beside the counts. */
  stats: () => Record<string, unknown>;
  log: (line: string) => void;
}): Promise<GatewayStandIn> {
  const { farSide, secret } = input;
  // Ids must differ from those of an earlier life that the same ledger holds.
  const life = Date.now().toString(36);
  let taken = 0;
  const queue = new Map<string, { message: Recallable; takeBack: () => void }>();

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      input.log(`The sandbox gateway failed: ${String(error)}`);
      if (response.headersSent) response.destroy();
      else reply(response, { status: 500, body: { code: 'INTERNAL' } });
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://sandbox');
    const body = await bodyOf(request);
    if (body === null) return reply(response, { status: 413, body: { code: 'TOO_LARGE' } });
    switch (`${request.method} ${url.pathname}`) {
      case 'POST /sms/send': {
        const answer = signed(request, body, secret)
          ? await send(body)
          : { status: 401, body: { code: 'UNAUTHORIZED' } };
        if (answer === 'hang') return;
        return answer === 'cut' ? void response.destroy() : reply(response, answer);
      }
      case 'POST /sms/recall':
        return reply(
          response,
          signed(request, body, secret)
            ? await recall(jsonOrNull(body))
            : { status: 401, body: { code: 'UNAUTHORIZED' } },
        );
      case 'GET /sms/messages': {
        const reference = url.searchParams.get('reference') ?? '';
        const messages = farSide.smsOf(reference).map((messageId) => ({ messageId, reference }));
        return reply(response, { status: 200, body: { messages } });
      }
      case 'GET /sms/number': {
        const dead = badAddress(farSide.faults, farSide.seed, 'sms', url.searchParams.get('to') ?? '');
        return reply(response, { status: 200, body: { state: dead ? 'unreachable' : 'reachable' } });
      }
      case 'GET /ledger/stats':
        return reply(response, { status: 200, body: statsOf(url.searchParams.get('warning')) });
      case 'PUT /faults': {
        const plan = parseFaultPlan(jsonOrNull(body));
        if (typeof plan === 'string') return reply(response, { status: 400, body: { error: plan } });
        farSide.faults = plan;
        return reply(response, { status: 200, body: plan });
      }
      default:
        return reply(response, { status: 404, body: { code: 'NOT_FOUND' } });
    }
  }

  let freeAt = 0;

  /** Each message has its turn, one after another at the pace that the plan sets. */
  async function waitForTurn(): Promise<void> {
    const { pace } = farSide.faults.sms ?? {};
    if (!pace) return;
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + 1000 / pace.perSecond;
    await wait(Math.max(pace.latencyMs, freeAt - now));
  }

  async function send(body: string): Promise<Answer | 'hang' | 'cut'> {
    await waitForTurn();
    const message = sendRequestOf(jsonOrNull(body));
    if (message === null) return { status: 400, body: { code: 'BAD_REQUEST' } };
    const { to: address, reference, warningId, text, exercise } = message;
    if (reference.startsWith(BACK)) {
      await farSide.takeBack({ replyId: reference.slice(BACK.length), address, text });
      return { status: 200, body: { code: 'OK', messageId: reference } };
    }
    const refusal = farSide.refusal('sms', address);
    if (refusal) return { status: 200, body: { code: REFUSAL_CODES[refusal] } };
    if (badAddress(farSide.faults, farSide.seed, 'sms', address)) {
      farSide.hit('sms bad number');
      return { status: 200, body: { code: 'BAD_NUMBER' } };
    }
    const fault = smsFault(farSide.faults, farSide.seed, reference);
    if (fault) farSide.hit(`sms ${fault}`);
    if (fault === 'hang') return 'hang';
    if (fault !== null && fault !== 'answer lost' && fault !== 'answer held') return FAULT_ANSWERS[fault];
    const { queuedMs = 0 } = farSide.faults.sms ?? {};
    taken += 1;
    const messageId = `sms-${life}-${taken}`;
    await farSide.take({
      channel: 'sms',
      reference,
      warningId,
      address,
      messageId,
      bytes: Buffer.byteLength(text),
      step: exercise?.step ?? null,
      speed: exercise?.speed ?? null,
      fault,
      text: () => text,
      ...(queuedMs > 0 && { arrives: queued(messageId, { reference, messageId, warningId }, queuedMs) }),
    });
    if (queuedMs === 0) reportLater(reference);
    if (fault === 'answer lost') return 'cut';
    return fault === 'answer held' ? 'hang' : { status: 200, body: { code: 'OK', messageId } };
  }

  /** Waits in the queue; resolves to false where it was taken back. */
  function queued(messageId: string, message: Recallable, forMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const leave = (arrives: boolean) => {
        clearTimeout(timer);
        queue.delete(messageId);
        resolve(arrives);
      };
      const timer = setTimeout(() => {
        leave(true);
        reportLater(message.reference);
      }, forMs);
      queue.set(messageId, { message, takeBack: () => leave(false) });
    });
  }

  async function recall(input: unknown): Promise<Answer> {
    const { messageId } = (input ?? {}) as { messageId?: unknown };
    const waiting = queue.get(String(messageId));
    if (!waiting) return { status: 200, body: { code: 'TOO_LATE' } };
    waiting.takeBack();
    await farSide.recall(waiting.message);
    return { status: 200, body: { code: 'OK' } };
  }

  /** Receipts come in any order, each after a while of its own. */
  function reportLater(reference: string): void {
    const { receipts } = farSide.faults.sms ?? {};
    if (!receipts) return;
    const { lateMs, undeliveredShare = 0, code = 'UNDELIV' } = receipts;
    const undelivered = draw(farSide.seed, 'sms receipt', reference) < undeliveredShare;
    input.pushes.reportIn(draw(farSide.seed, 'sms receipt late', reference) * lateMs, {
      reference,
      state: undelivered ? 'undelivered' : 'delivered',
      code: undelivered ? code : 'DELIVRD',
      sender: 'sms-gateway',
    });
  }

  function statsOf(warningId: string | null): unknown {
    const counts: FarSideCounts = warningId === null ? farSide.total : farSide.countsOf(warningId);
    return {
      warning: warningId,
      ...counts,
      backs: farSide.backs,
      faultsHit: Object.fromEntries(farSide.faultsHit),
      ...input.stats(),
    };
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(input.port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      for (const { takeBack } of queue.values()) takeBack();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export function signed(request: IncomingMessage, body: string, secret: string): boolean {
  const timestamp = request.headers['x-gateway-timestamp'];
  const signature = request.headers['x-gateway-signature'];
  if (typeof timestamp !== 'string' || typeof signature !== 'string') return false;
  const expected = Buffer.from(gatewaySignature(secret, timestamp, body)['x-gateway-signature']);
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Null where it is larger than a request may be. By events: an iterator over each body cost more than reading it. */
export function bodyOf(request: IncomingMessage): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= REQUEST_BYTES_MOST) return void chunks.push(chunk);
      chunks.length = 0;
      resolve(null);
    });
    request.on('end', () => resolve(Buffer.concat(chunks).toString()));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the request was not finished')));
  });
}

function sendRequestOf(input: unknown): SendRequest | null {
  const { to, reference, warningId, parameters, exercise } = (input ?? {}) as Record<string, unknown>;
  if (typeof to !== 'string' || to === '' || typeof reference !== 'string' || reference === '') return null;
  const { text } = (parameters ?? {}) as { text?: unknown };
  const { step, speed } = (exercise ?? {}) as { step?: unknown; speed?: unknown };
  const known = typeof step === 'string' && typeof speed === 'number' && speed > 0;
  return {
    to,
    reference,
    warningId: typeof warningId === 'string' ? warningId : '',
    text: typeof text === 'string' ? text : '',
    exercise: known ? { step, speed } : null,
  };
}

export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
  });
  response.end(json);
}
