/**
 * Stand-ins of four that speak HTTP, on one port: a voice gateway (`POST /voice/call`, `/voice/recall`), a loudspeaker platform (`POST /broadcasts`),
 * the robots of three work chats (their vendors' paths), and ntfy (`POST /`). Each checks what its vendor checks, keeps the ledger
 * and answers as its vendor does. People take calls and press keys by the seeded model.
 */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Channel } from '../domain/rules.ts';
import type { AnswerWays } from './answering.ts';
import { draw } from './draws.ts';
import type { FarSide } from './far-side.ts';
import { httpFault } from './faults.ts';
import type { GatewayPushes } from './gateway-pushes.ts';
import { bodyOf, jsonOrNull, signed } from './gateway.ts';

/** A telephone rings so long, at the speed of life. */
const RING_MS = 40_000;

/** However fast an Exercise runs, a key that is pressed has time to be written down. */
const RING_LEAST_MS = 400;

/** People who take the call at all have taken it by then. */
const TAKEN_BY_SHARE = 0.5;

/** Vendors take timestamps that are no more than an hour away. */
const CLOCK_APART_MS_MOST = 60 * 60_000;

export type HttpStandInSecrets = { voice: string; loudspeaker: string; robot: string; ntfyToken: string };

export type HttpStandIns = { url: string; stop(): Promise<void> };

type Answer = { status: number; body: unknown };
type Json = Record<string, unknown>;
/** A call while it rings. */
type Line = { taken: boolean; takenBack: boolean };
type Ringing = { message: { reference: string; warningId: string }; line: Line };
type Asked = { request: IncomingMessage; url: URL; text: string; body: Json };

/** What a scenario has go wrong, in the words of the voice gateway. */
const CALL_REFUSALS = { 'provider out': 'LINES_BUSY', 'wrong address': 'BAD_NUMBER' } as const;

/** How a call that nobody took ends, by the codes that carriers give: busy, not taken, call alert. */
const NOT_TAKEN = ['2', '5', '10'] as const;

/** Listens on 127.0.0.1; port 0 takes a free one. An empty secret is one that nothing was signed with. */
export async function startHttpStandIns(input: {
  farSide: FarSide;
  pushes: GatewayPushes;
  secrets: HttpStandInSecrets;
  port: number;
  log: (line: string) => void;
}): Promise<HttpStandIns> {
  const { farSide, secrets } = input;
  // Ids must differ from those of an earlier life that the same ledger holds.
  const life = Date.now().toString(36);
  let taken = 0;
  const ringing = new Map<string, Ringing>();
  const callsOf = new Map<string, string[]>();

  /** Into the ledger; gives the vendor's id. */
  async function take(
    channel: Channel,
    message: { reference: string; warningId: string; address: string; text: string },
    exercise: { step: string; speed: number } | null,
    waysOf?: (callId: string) => AnswerWays,
  ): Promise<string> {
    taken += 1;
    const messageId = `${channel}-${life}-${taken}`;
    const { text, ...rest } = message;
    await farSide.take({
      ...rest,
      channel,
      messageId,
      bytes: Buffer.byteLength(text),
      step: exercise?.step ?? null,
      speed: exercise?.speed ?? null,
      fault: null,
      text: () => text,
      ...(waysOf && { ways: waysOf(messageId) }),
    });
    return messageId;
  }

  async function call({ request, text, body }: Asked): Promise<Answer> {
    if (!signed(request, text, secrets.voice)) return { status: 401, body: { code: 'UNAUTHORIZED' } };
    const message = gatewayMessage(body, body['to']);
    if (!message) return { status: 400, body: { code: 'BAD_REQUEST' } };
    const { reference } = message;
    const exercise = exerciseOf(body['exercise']);
    const refusal = farSide.refusal('voice', message.address);
    if (refusal) return { status: 200, body: { code: CALL_REFUSALS[refusal] } };
    const line = { taken: false, takenBack: false };
    const waysOf = (callId: string) => callWays(farSide, input.pushes, { callId, reference }, line);
    const withinMs = ringMs(exercise) * TAKEN_BY_SHARE;
    const callId = await take('voice', message, exercise, (id) => ({ ...waysOf(id), withinMs }));
    ringing.set(callId, { message, line });
    callsOf.set(reference, [...(callsOf.get(reference) ?? []), callId]);
    setTimeout(() => {
      ringing.delete(callId);
      if (!farSide.plays('voice', message.address)) waysOf(callId).unanswered?.();
    }, ringMs(exercise)).unref();
    return { status: 200, body: { code: 'OK', callId } };
  }

  /** What was taken under a reference. */
  function listCalls({ url }: Asked): Promise<Answer> {
    const calls = (callsOf.get(url.searchParams.get('reference') ?? '') ?? []).map((callId) => ({ callId }));
    return Promise.resolve({ status: 200, body: { calls } });
  }

  async function hangUp({ request, text, body }: Asked): Promise<Answer> {
    if (!signed(request, text, secrets.voice)) return { status: 401, body: { code: 'UNAUTHORIZED' } };
    const messageId = textOr(body['messageId']);
    const call = ringing.get(messageId);
    if (!call || call.line.taken) return { status: 200, body: { code: 'TOO_LATE' } };
    call.line.takenBack = true;
    const { reference, warningId } = call.message;
    await farSide.recall({ reference, warningId, messageId });
    return { status: 200, body: { code: 'OK' } };
  }

  async function broadcast({ request, text, body }: Asked): Promise<Answer> {
    if (!signed(request, text, secrets.loudspeaker)) return { status: 401, body: { code: 'UNAUTHORIZED' } };
    const message = gatewayMessage({ ...body, parameters: { text: body['text'] } }, body['deviceId']);
    if (!message) return { status: 400, body: { code: 'BAD_REQUEST' } };
    const refusal = farSide.refusal('loudspeaker', message.address);
    if (refusal)
      return {
        status: 200,
        body: { code: refusal === 'provider out' ? 'DEVICE_OFFLINE' : 'NO_SUCH_DEVICE' },
      };
    const broadcastId = await take('loudspeaker', message, exerciseOf(body['exercise']));
    return { status: 200, body: { code: 'OK', broadcastId } };
  }

  /** A robot or a topic takes whatever address stands in the message. */
  const isOut = (channel: Channel, address: string) => farSide.refusal(channel, address) === 'provider out';

  async function dingtalk({ request, url, body }: Asked): Promise<Answer> {
    const timestamp = url.searchParams.get('timestamp') ?? '';
    const sign = base64Hmac(secrets.robot, `${timestamp}\n${secrets.robot}`);
    if (!isNow(Number(timestamp)) || url.searchParams.get('sign') !== sign)
      return { status: 200, body: { errcode: 310000, errmsg: 'sign not match' } };
    const { content } = (body['text'] ?? {}) as Json;
    const { atMobiles } = (body['at'] ?? {}) as Json;
    if (isOut('chat', first(atMobiles)))
      return { status: 200, body: { errcode: 130101, errmsg: 'send too fast' } };
    await take('chat', headerMessage(request, first(atMobiles), content), headerExercise(request));
    return { status: 200, body: { errcode: 0, errmsg: 'ok' } };
  }

  async function wecom({ request, url, body }: Asked): Promise<Answer> {
    if (url.searchParams.get('key') !== secrets.robot)
      return { status: 200, body: { errcode: 93000, errmsg: 'invalid webhook url' } };
    const { content, mentioned_mobile_list: mentioned } = (body['text'] ?? {}) as Json;
    if (isOut('chat', first(mentioned)))
      return { status: 200, body: { errcode: 45009, errmsg: 'api freq out of limit' } };
    await take('chat', headerMessage(request, first(mentioned), content), headerExercise(request));
    return { status: 200, body: { errcode: 0, errmsg: 'ok' } };
  }

  async function feishu({ request, body }: Asked): Promise<Answer> {
    const timestamp = typeof body['timestamp'] === 'string' ? body['timestamp'] : '';
    const sign = base64Hmac(`${timestamp}\n${secrets.robot}`, '');
    if (!isNow(Number(timestamp) * 1000) || body['sign'] !== sign)
      return { status: 200, body: { code: 19021, msg: 'sign match fail', data: {} } };
    const { text } = (body['content'] ?? {}) as Json;
    const named = /^<at user_id="([^"]*)">/.exec(String(text))?.[1] ?? '';
    if (isOut('chat', named))
      return { status: 200, body: { code: 11232, msg: 'frequency limited', data: {} } };
    await take('chat', headerMessage(request, named, text), headerExercise(request));
    return { status: 200, body: { code: 0, msg: 'success', data: {} } };
  }

  async function push({ request, body }: Asked): Promise<Answer> {
    const wanted = secrets.ntfyToken === '' ? undefined : `Bearer ${secrets.ntfyToken}`;
    if (request.headers.authorization !== wanted)
      return { status: 401, body: { code: 40101, http: 401, error: 'unauthorized' } };
    const { topic, message } = body;
    if (typeof topic !== 'string' || !/^[-_A-Za-z0-9]{1,64}$/.test(topic))
      return { status: 400, body: { code: 40009, http: 400, error: 'invalid request: topic invalid' } };
    if (isOut('push', topic))
      return { status: 429, body: { code: 42901, http: 429, error: 'limit reached' } };
    const id = await take('push', headerMessage(request, topic, message), headerExercise(request));
    return { status: 200, body: { id, event: 'message', topic, message } };
  }

  const doors: readonly [path: RegExp, take: (asked: Asked) => Promise<Answer>][] = [
    [/^\/voice\/call$/, call],
    [/^\/voice\/recall$/, hangUp],
    [/^\/voice\/calls$/, listCalls],
    [/^\/broadcasts$/, broadcast],
    [/^\/robot\/send$/, dingtalk],
    [/^\/cgi-bin\/webhook\/send$/, wecom],
    [/^\/open-apis\/bot\/v2\/hook\/[\w-]+$/, feishu],
    [/^\/$/, push],
  ];

  /** The door's answer, or what the fault plan has instead: before the message is taken, or in place of the word that it was. */
  async function meet(
    door: (asked: Asked) => Promise<Answer>,
    asked: Asked,
  ): Promise<Answer | 'hang' | 'cut'> {
    const reference = textOr(asked.body['reference']) || textOr(asked.request.headers['x-fenghuo-delivery']);
    const fault = reference === '' ? null : httpFault(farSide.faults, farSide.seed, reference);
    if (fault) farSide.hit(`http ${fault}`);
    switch (fault) {
      case 'hang':
        return 'hang';
      case 'throttled':
        return { status: 429, body: { code: 'THROTTLED' } };
      case 'server error':
        return { status: 503, body: { code: 'INTERNAL' } };
      case 'answer lost':
        await door(asked);
        return 'cut';
      default:
        return door(asked);
    }
  }

  async function answer(request: IncomingMessage): Promise<Answer | 'hang' | 'cut'> {
    const url = new URL(request.url ?? '/', 'http://sandbox');
    const text = await bodyOf(request);
    const body = request.method === 'GET' ? {} : text === null ? null : jsonOrNull(text);
    const door = doors.find(([path]) => path.test(url.pathname))?.[1];
    if (!door || (request.method === 'GET') !== (door === listCalls))
      return { status: 404, body: { code: 'NOT_FOUND' } };
    if (text === null || typeof body !== 'object' || body === null)
      return { status: 400, body: { code: 'BAD_REQUEST' } };
    return meet(door, { request, url, text, body: body as Json });
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    answer(request)
      .catch((error: unknown): Answer => {
        input.log(`A stand-in of the sandbox failed: ${String(error)}`);
        return { status: 500, body: { code: 'INTERNAL' } };
      })
      .then((answered) => {
        if (answered === 'hang') return;
        if (answered === 'cut') return void response.destroy();
        const { status, body } = answered;
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      })
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(input.port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** How a call is answered by a key, and how it ends unanswered; once, and not after it was taken back. */
export function callWays(
  { seed }: Pick<FarSide, 'seed'>,
  pushes: Pick<GatewayPushes, 'press' | 'reportIn'>,
  { callId, reference }: { callId: string; reference: string },
  line: Line = { taken: false, takenBack: false },
): AnswerWays {
  return {
    voice: async (key) => {
      if (line.takenBack) return 'given-up';
      line.taken = true;
      pushes.reportIn(0, { reference, state: 'delivered', code: '0', sender: 'voice-gateway' });
      return pushes.press({ callId, reference, step: 1, key });
    },
    unanswered: () => {
      if (line.taken || line.takenBack) return;
      const code = NOT_TAKEN[Math.floor(draw(seed, 'call', reference) * NOT_TAKEN.length)] ?? '5';
      pushes.reportIn(0, { reference, state: 'failed', code, sender: 'voice-gateway' });
    },
  };
}

function gatewayMessage(body: Json, to: unknown) {
  const { reference, warningId, parameters } = body;
  const { text } = (parameters ?? {}) as { text?: unknown };
  if (typeof to !== 'string' || to === '' || typeof reference !== 'string' || reference === '') return null;
  return { reference, warningId: textOr(warningId), address: to, text: textOr(text) };
}

/** Vendors' bodies have no place for what a stand-in must know: it comes beside them. */
function headerMessage(request: IncomingMessage, address: string, text: unknown) {
  const header = (name: string) => textOr(request.headers[name]);
  return {
    reference: header('x-fenghuo-delivery'),
    warningId: header('x-fenghuo-warning'),
    address,
    text: textOr(text),
  };
}

function headerExercise(request: IncomingMessage) {
  return exerciseOf({
    step: request.headers['x-fenghuo-step'],
    speed: Number(request.headers['x-fenghuo-speed']),
  });
}

function exerciseOf(value: unknown): { step: string; speed: number } | null {
  const { step, speed } = (value ?? {}) as Json;
  return typeof step === 'string' && typeof speed === 'number' && speed > 0 ? { step, speed } : null;
}

function ringMs(exercise: { speed: number } | null): number {
  return Math.max(RING_LEAST_MS, RING_MS / (exercise?.speed ?? 1));
}

function isNow(ms: number): boolean {
  return Math.abs(Date.now() - ms) <= CLOCK_APART_MS_MOST;
}

function base64Hmac(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64');
}

function first(list: unknown): string {
  return Array.isArray(list) ? textOr(list[0]) : '';
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
