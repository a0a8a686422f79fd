/**
 * Twilio as a stand-in: messages and calls of one account with their states, lists, callbacks with valid signatures, and people at
 * the other end. Paths, fields and codes are Twilio's (API 2010-04-01). Like the real one it knows no idempotency.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { badAddress, twilioFault, type TwilioFault } from './faults.ts';
import type { FarSide } from './far-side.ts';
import type { LedgerMessage } from './ledger.ts';
import { createCallbacks } from './twilio-callbacks.ts';
import { createTwilioCarriage, type TwilioRecord } from './twilio-carriage.ts';

const REQUEST_BYTES_MOST = 1 << 20;
const RETRY_AFTER_SECONDS = 1;
const PAGE_SIZE_DEFAULT = 50;
const PAGE_SIZE_MOST = 1_000;

export type TwilioStandInOptions = {
  farSide: FarSide;
  accountSid: string;
  authToken: string;
  /** Where replies are pushed: the number's webhook, with its connection overrides. */
  inboundUrl: string;
  /** 0 takes a free one. */
  port: number;
  /** What an earlier life of the same ledger took. */
  earlier: readonly LedgerMessage[];
  log: (line: string) => void;
};

export type TwilioStandIn = {
  url: string;
  /** What is known of a message or call. */
  get(sid: string): TwilioRecord | undefined;
  /** Somebody writes to the number of their own accord; the status of the push. */
  reply(reply: { id: string; from: string; text: string }): Promise<number>;
  /** Callbacks to come and under way. */
  waiting(): number;
  stop(): Promise<void>;
};

type Answer = { status: number; body: unknown; headers?: Record<string, string> };

/** The status that comes with a code, where it is not 400. */
const STATUS_OF: Readonly<Record<number, number>> = { 20003: 401, 20404: 404, 20429: 429, 63018: 429 };

/** Listens on 127.0.0.1. */
export async function startTwilio(options: TwilioStandInOptions): Promise<TwilioStandIn> {
  const { farSide, accountSid, authToken } = options;
  const callbacks = createCallbacks(authToken);
  const carriage = createTwilioCarriage({ ...options, callbacks });
  for (const message of options.earlier) carriage.remember(message);
  const authorization = Buffer.from(`Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`);
  const root = `/2010-04-01/Accounts/${accountSid}`;

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      options.log(`The sandbox's Twilio failed: ${String(error)}`);
      if (response.headersSent) response.destroy();
      else reply(response, refusal(500, 20500));
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://sandbox');
    const body = await bodyOf(request);
    if (body === null) return reply(response, refusal(413, 20413));
    if (!authorized(request)) return reply(response, refusal(401, 20003));
    const answer = await route(
      `${request.method} ${url.pathname}`,
      url.searchParams,
      new URLSearchParams(body),
    );
    if (answer === 'hang') return;
    return answer === 'cut' ? void response.destroy() : reply(response, answer);
  }

  function authorized({ headers }: IncomingMessage): boolean {
    const given = Buffer.from(headers.authorization ?? '');
    return given.length === authorization.length && timingSafeEqual(given, authorization);
  }

  async function route(
    asked: string,
    query: URLSearchParams,
    form: URLSearchParams,
  ): Promise<Answer | 'hang' | 'cut'> {
    if (asked === `GET ${root}.json`) return { status: 200, body: { sid: accountSid, status: 'active' } };
    const [, method = '', resource = '', sid] =
      /^(GET|POST) \/2010-04-01\/Accounts\/(\w+\/(?:Messages|Calls))(?:\/(\w+))?\.json$/.exec(asked) ?? [];
    const [account, kind] = resource.split('/');
    if (account !== accountSid || (kind !== 'Messages' && kind !== 'Calls')) return refusal(404, 20404);
    if (sid === undefined) return method === 'GET' ? list(kind, query) : create(kind, form);
    const record = carriage.get(sid);
    if (!record || record.kind !== kind) return refusal(404, 20404);
    // Twilio takes back only what was scheduled through a messaging service, and nothing here is.
    if (method === 'POST' && record.kind === 'Messages' && form.get('Status') === 'canceled')
      return refusal(400, 30409);
    if (method === 'POST') await carriage.cancel(record, form.get('Status') ?? '');
    return { status: 200, body: rendered(record, accountSid) };
  }

  async function create(kind: TwilioRecord['kind'], form: URLSearchParams): Promise<Answer | 'hang' | 'cut'> {
    const to = form.get('To') ?? '';
    if (!/^\+[1-9][0-9]{6,14}$/.test(to)) return refusal(400, kind === 'Messages' ? 21211 : 21217);
    if (badAddress(farSide.faults, farSide.seed, 'twilio', to)) {
      farSide.hit('twilio bad number');
      return refusal(400, kind === 'Messages' ? 21211 : 21217);
    }
    const statusCallback = form.get('StatusCallback') ?? '';
    const told = toldOf(statusCallback);
    const fault = twilioFault(farSide.faults, farSide.seed, told.reference);
    if (fault) farSide.hit(`twilio ${fault.kind}${'code' in fault ? ` ${fault.code}` : ''}`);
    const instead = insteadOfTaking(fault);
    if (instead) return instead;
    const record: TwilioRecord = {
      kind,
      sid: `${kind === 'Messages' ? 'SM' : 'CA'}${randomBytes(16).toString('hex')}`,
      to,
      from: form.get('From') ?? form.get('MessagingServiceSid') ?? '',
      body: form.get('Body') ?? '',
      direction: 'outbound-api',
      status: 'queued',
      code: null,
      answeredBy: null,
      createdAt: Date.now(),
      statusCallback,
      url: form.get('Url') ?? '',
      ringSeconds: Number(form.get('Timeout') ?? 60),
      validitySeconds: Number(form.get('ValidityPeriod') ?? 36_000),
      detectsMachines: form.has('MachineDetection'),
      ...told,
    };
    await carriage.take(record, fault?.kind === 'undelivered' ? fault.code : null, heldBack(fault));
    if (fault?.kind === 'answer lost') return 'cut';
    return fault?.kind === 'answer held' ? 'hang' : { status: 201, body: rendered(record, accountSid) };
  }

  function list(kind: TwilioRecord['kind'], query: URLSearchParams): Answer {
    const size = Math.min(PAGE_SIZE_MOST, Number(query.get('PageSize') ?? PAGE_SIZE_DEFAULT));
    const page = Number(query.get('Page') ?? 0);
    const found = carriage.list(kind, {
      to: query.get('To'),
      from: query.get('From'),
      // Twilio's filter means "on or after", whatever its name says.
      sentFrom: Date.parse(query.get('DateSent>') ?? ''),
    });
    const shown = found.slice(page * size, (page + 1) * size);
    const more = new URLSearchParams(query);
    more.set('Page', String(page + 1));
    const name = kind.toLowerCase();
    return {
      status: 200,
      body: {
        [name]: shown.map((record) => rendered(record, accountSid)),
        page,
        page_size: size,
        next_page_uri: found.length > (page + 1) * size ? `${root}/${kind}.json?${more.toString()}` : null,
      },
    };
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get: (sid) => carriage.get(sid),
    reply: (message) => carriage.reply(message),
    waiting: () => carriage.waiting() + callbacks.waiting(),
    stop: async () => {
      carriage.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await Promise.all([closed, callbacks.stop()]);
    },
  };
}

/** What an attempt meets before it is recorded; null where it is taken. */
function insteadOfTaking(fault: TwilioFault | null): Answer | 'hang' | null {
  switch (fault?.kind) {
    case 'hang':
      return 'hang';
    case 'throttled':
      return { ...refusal(429, 20429), headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } };
    case 'server error':
      return refusal(503, 20503);
    case 'refused':
      return refusal(STATUS_OF[fault.code] ?? 400, fault.code);
    default:
      return null;
  }
}

function heldBack(fault: TwilioFault | null): LedgerMessage['fault'] {
  return fault?.kind === 'answer lost' || fault?.kind === 'answer held' ? fault.kind : null;
}

function refusal(status: number, code: number): Answer {
  const more_info = `https://www.twilio.com/docs/errors/${code}`;
  return { status, body: { code, message: `error ${code}`, more_info, status } };
}

/** What the engine tells a stand-in of an Exercise in the callback's URL; `<delivery>.<attempt>` ends its path. */
function toldOf(statusCallback: string): Pick<TwilioRecord, 'reference' | 'warningId' | 'exercise'> {
  const url = URL.canParse(statusCallback) ? new URL(statusCallback) : null;
  const step = url?.searchParams.get('step') ?? null;
  const speed = Number(url?.searchParams.get('speed'));
  return {
    reference: url?.pathname.split('/').pop() ?? '',
    warningId: url?.searchParams.get('warning') ?? '',
    exercise: step !== null && speed > 0 ? { step, speed } : null,
  };
}

function rendered(record: TwilioRecord, accountSid: string): Record<string, unknown> {
  const at = new Date(record.createdAt).toUTCString().replace('GMT', '+0000');
  const common = {
    sid: record.sid,
    account_sid: accountSid,
    to: record.to,
    from: record.from,
    direction: record.direction,
    status: record.status,
    date_created: at,
    date_updated: at,
    uri: `/2010-04-01/Accounts/${accountSid}/${record.kind}/${record.sid}.json`,
  };
  if (record.kind === 'Calls') return { ...common, start_time: at, answered_by: record.answeredBy };
  const { body, code } = record;
  return { ...common, body, date_sent: at, error_code: code, num_segments: '1', num_media: '0' };
}

/** Null where it is larger than a request may be. */
function bodyOf(request: IncomingMessage): Promise<string | null> {
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

function reply(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
    ...headers,
  });
  response.end(json);
}
