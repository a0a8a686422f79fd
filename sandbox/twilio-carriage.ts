/** What the sandbox's Twilio does with what it took: states that pass, callbacks about them, calls that are played, replies. */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { draw } from './draws.ts';
import type { AnswerWays } from './answering.ts';
import type { FarSide } from './far-side.ts';
import type { LedgerMessage } from './ledger.ts';
import type { PushResult } from './reply-push.ts';
import { keysOf, playCall, unansweredEnd, type CallEnd } from './twilio-calls.ts';
import type { Callbacks } from './twilio-callbacks.ts';

const API_VERSION = '2010-04-01';

/** Of a telephone's ringing, when the last person has taken it. */
const TAKEN_BY_SHARE = 0.8;

/** Longer than any hand takes from the decision to the telephone. */
const EXPECTED_MS_MOST = 60_000;

/** Where people write to when nothing was sent to them: Twilio's magic number that is always valid. */
const NUMBER = '+15005550006';

/** A message or call as Twilio keeps it. */
export type TwilioRecord = {
  kind: 'Messages' | 'Calls';
  sid: string;
  to: string;
  from: string;
  body: string;
  direction: 'outbound-api' | 'inbound';
  status: string;
  code: number | null;
  answeredBy: string | null;
  /** In milliseconds. */
  createdAt: number;
  statusCallback: string;
  url: string;
  ringSeconds: number;
  validitySeconds: number;
  detectsMachines: boolean;
  reference: string;
  warningId: string;
  exercise: { step: string; speed: number } | null;
  /** What was said in a call. */
  heard?: string[];
};

export type ListFilter = { to: string | null; from: string | null; sentFrom: number };

export type TwilioCarriage = {
  /** Records a message or call and sets it going; with a `code` it fails later. Resolves when it is in the ledger. */
  take(record: TwilioRecord, code: number | null, fault: LedgerMessage['fault']): Promise<void>;
  get(sid: string): TwilioRecord | undefined;
  /** The newest first. */
  list(kind: TwilioRecord['kind'], filter: ListFilter): TwilioRecord[];
  /** Ends a call: *canceled* one that nobody has taken yet, *completed* any. */
  cancel(record: TwilioRecord, status: string): Promise<void>;
  remember(message: LedgerMessage): void;
  reply(reply: { id: string; from: string; text: string }): Promise<number>;
  waiting(): number;
  stop(): void;
};

/** What a call can be cancelled in. */
const UNTAKEN: ReadonlySet<string> = new Set(['queued', 'initiated', 'ringing']);

const MESSAGE_STATES = ['accepted', 'queued', 'sending', 'sent'] as const;

export function createTwilioCarriage(input: {
  farSide: FarSide;
  accountSid: string;
  inboundUrl: string;
  callbacks: Callbacks;
  log: (line: string) => void;
}): TwilioCarriage {
  const { farSide, accountSid, callbacks } = input;
  const records = new Map<string, TwilioRecord>();
  const byNumber = new Map<string, TwilioRecord[]>();
  const stopping = new AbortController();
  // Every call and late callback listens to this one signal.
  setMaxListeners(0, stopping.signal);
  /** Callbacks about one message, where they come in order. */
  const queues = new Map<string, Promise<unknown>>();
  let waiting = 0;

  function keep(record: TwilioRecord): void {
    records.set(record.sid, record);
    for (const number of [record.to, record.from]) {
      const known = byNumber.get(number);
      if (known) known.push(record);
      else byNumber.set(number, [record]);
    }
  }

  async function take(record: TwilioRecord, code: number | null, fault: LedgerMessage['fault']) {
    const ringing = new Ringing((record.ringSeconds * 1000) / (record.exercise?.speed ?? 1));
    const ways: AnswerWays =
      record.kind === 'Messages' ? { sms: async (reply) => (await push(reply)) || 'given-up' } : ringing.ways;
    keep(record);
    await farSide.take({
      channel: record.kind === 'Messages' ? 'sms' : 'voice',
      reference: record.reference,
      warningId: record.warningId,
      address: record.to,
      messageId: record.sid,
      bytes: Buffer.byteLength(record.body),
      body: record.body,
      step: record.exercise?.step ?? null,
      speed: record.exercise?.speed ?? null,
      fault,
      // What is not delivered is read by nobody, and what does not ring is taken by nobody.
      text: () => (code === null ? record.body : null),
      ...(code === null ? { ways } : {}),
    });
    const carried =
      record.kind === 'Messages' ? carryMessage(record, code) : carryCall(record, code, ringing);
    carried.catch((error: unknown) => {
      if (!stopping.signal.aborted) input.log(`The sandbox's Twilio failed: ${String(error)}`);
    });
  }

  async function carryMessage(record: TwilioRecord, code: number | null): Promise<void> {
    for (const status of MESSAGE_STATES) {
      report(record, status);
      await wait(0, undefined, { signal: stopping.signal });
    }
    if (code !== null) record.code = code;
    report(record, code === null ? 'delivered' : 'undelivered');
  }

  async function carryCall(record: TwilioRecord, code: number | null, ringing: Ringing): Promise<void> {
    report(record, 'initiated');
    if (code !== null) {
      record.code = code;
      return report(record, 'failed');
    }
    report(record, 'ringing');
    const taken = await ringing.taken(stopping.signal);
    if (ended(record)) return taken?.done('given-up');
    const keys = taken ? keysOf(farSide.seed, record.reference, taken.key) : [];
    const end: CallEnd | 'answered' = taken ? 'answered' : unansweredEnd(farSide.seed, record.reference);
    if (end === 'busy') return report(record, 'busy');
    if (end === 'no answer') return report(record, 'no-answer');
    if (record.detectsMachines) record.answeredBy = end === 'voicemail' ? 'machine_start' : 'human';
    report(record, 'in-progress');
    const played = await playCall({
      callbacks,
      url: record.url,
      fields: callFields(record),
      keys,
      ended: () => ended(record),
    });
    record.heard = played.heard;
    taken?.done(played.keyStatus);
    if (!ended(record)) report(record, 'completed');
  }

  function ended({ status }: TwilioRecord): boolean {
    return stopping.signal.aborted || status === 'canceled' || status === 'completed';
  }

  /** A state has come; whoever asked for callbacks hears of it, as the fault plan has it. */
  function report(record: TwilioRecord, status: string): void {
    record.status = status;
    const { callbacks: plan = {}, callbacksMissingShare = 0 } = farSide.faults.twilio ?? {};
    const { copies = 1, lateMs = 0, shuffled = false } = plan;
    if (record.statusCallback === '') return;
    if (draw(farSide.seed, 'callbacks missing', record.reference) < callbacksMissingShare) return;
    const fields = record.kind === 'Messages' ? messageFields(record) : callFields(record);
    for (let copy = 0; copy < copies; copy++) {
      const delayMs = lateMs * draw(farSide.seed, 'callback', record.reference, status, String(copy));
      const before = shuffled ? Promise.resolve() : (queues.get(record.sid) ?? Promise.resolve());
      queues.set(record.sid, tell(record.statusCallback, fields, delayMs, before));
    }
  }

  async function tell(
    url: string,
    fields: Record<string, string>,
    delayMs: number,
    before: Promise<unknown>,
  ): Promise<void> {
    waiting += 1;
    try {
      await before;
      if (delayMs > 0) await wait(delayMs, undefined, { signal: stopping.signal });
      if (!stopping.signal.aborted) await callbacks.post(url, fields);
    } catch {
      // The sandbox stops.
    } finally {
      waiting -= 1;
    }
  }

  function messageFields({ sid, status, to, from, code }: TwilioRecord): Record<string, string> {
    return {
      AccountSid: accountSid,
      ApiVersion: API_VERSION,
      MessageSid: sid,
      SmsSid: sid,
      MessageStatus: status,
      SmsStatus: status,
      To: to,
      From: from,
      ...(code === null ? {} : { ErrorCode: String(code) }),
    };
  }

  function callFields({ sid, status, to, from, code, answeredBy }: TwilioRecord): Record<string, string> {
    return {
      AccountSid: accountSid,
      ApiVersion: API_VERSION,
      CallSid: sid,
      CallStatus: status,
      Direction: 'outbound-api',
      To: to,
      From: from,
      ...(answeredBy === null ? {} : { AnsweredBy: answeredBy }),
      ...(code === null ? {} : { ErrorCode: String(code) }),
    };
  }

  /** The last status; 0 where it is kept back, or nothing answered. */
  async function push({ id, from, text }: { id: string; from: string; text: string }): Promise<number> {
    const sid = replySid(id);
    const to = byNumber.get(from)?.findLast((record) => record.direction !== 'inbound')?.from ?? NUMBER;
    if (!records.has(sid)) keep({ ...INBOUND, sid, from, to, body: text, createdAt: Date.now() });
    if (draw(farSide.seed, 'reply missing', id) < (farSide.faults.twilio?.repliesMissingShare ?? 0)) {
      farSide.hit('twilio reply missing');
      return 0;
    }
    const { status } = await callbacks.post(input.inboundUrl, {
      AccountSid: accountSid,
      ApiVersion: API_VERSION,
      MessageSid: sid,
      SmsSid: sid,
      SmsStatus: 'received',
      From: from,
      To: to,
      Body: text,
      NumMedia: '0',
      NumSegments: '1',
    });
    return status;
  }

  return {
    take,
    get: (sid) => records.get(sid),
    list(kind, { to, from, sentFrom }) {
      const some = to ?? from;
      const all = some === null ? [...records.values()] : (byNumber.get(some) ?? []);
      return all
        .filter(
          (record) =>
            record.kind === kind &&
            (to === null || record.to === to) &&
            (from === null || record.from === from) &&
            (Number.isNaN(sentFrom) || record.createdAt >= sentFrom),
        )
        .reverse();
    },
    async cancel(record, status) {
      if (record.kind !== 'Calls' || ended(record)) return;
      if (status === 'completed') return report(record, status);
      if (status !== 'canceled' || !UNTAKEN.has(record.status)) return;
      report(record, status);
      const { reference, warningId, sid: messageId } = record;
      await farSide.recall({ reference, warningId, messageId });
    },
    remember({ channel, messageId, address, reference, warningId, body = '', at }) {
      const kind = channel === 'voice' ? 'Calls' : 'Messages';
      const createdAt = Date.parse(at);
      keep({
        ...INBOUND,
        kind,
        sid: messageId,
        to: address,
        body,
        reference,
        warningId,
        createdAt,
        direction: 'outbound-api',
        status: kind === 'Calls' ? 'completed' : 'delivered',
      });
    },
    reply: push,
    waiting: () => waiting,
    stop: () => stopping.abort(),
  };
}

type Taken = { key: string; done: (status: PushResult) => void };

/** A telephone that rings until somebody takes it, or for so long. */
class Ringing {
  readonly ways: AnswerWays;
  private readonly ringMs: number;
  private expected = false;
  private over = false;
  private take: (taken: Taken) => void = () => {};

  constructor(ringMs: number) {
    this.ringMs = ringMs;
    this.ways = {
      expected: () => {
        this.expected = true;
      },
      voice: (key) =>
        new Promise((done) => {
          if (this.over) done('given-up');
          else this.take({ key, done });
        }),
      withinMs: ringMs * TAKEN_BY_SHARE,
    };
  }

  /** Null where nobody took it. */
  async taken(stopping: AbortSignal): Promise<Taken | null> {
    const rung = new AbortController();
    const signal = AbortSignal.any([rung.signal, stopping]);
    const taken = new Promise<Taken>((resolve) => {
      this.take = resolve;
    });
    // Who is about to take it is waited for: at a drill's speed it rings for milliseconds.
    const silence = wait(this.expected ? EXPECTED_MS_MOST : this.ringMs, null, { signal });
    try {
      return await Promise.race([taken, silence]);
    } finally {
      this.over = true;
      rung.abort();
      silence.catch(() => undefined);
    }
  }
}

const INBOUND: TwilioRecord = {
  kind: 'Messages',
  sid: '',
  to: NUMBER,
  from: NUMBER,
  body: '',
  direction: 'inbound',
  status: 'received',
  code: null,
  answeredBy: null,
  createdAt: 0,
  statusCallback: '',
  url: '',
  ringSeconds: 0,
  validitySeconds: 0,
  detectsMachines: false,
  reference: '',
  warningId: '',
  exercise: null,
};

/** The id of a reply: the same for the same act, however often it is pushed. */
export function replySid(id: string): string {
  return `SM${createHash('md5').update(id).digest('hex')}`;
}
