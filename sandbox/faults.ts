/**
 * What goes wrong at the far side, by a seeded plan. Each attempt of each delivery meets at most one fault, drawn by the
 * attempt's reference; a bad address is bad for good, drawn by the address.
 */
import { draw } from './draws.ts';

/** Shares are between 0 and 1; those of one channel add up to 1 at most. What is left out does not happen. */
export type FaultPlan = {
  email?: {
    /** Messages that are refused with this reply after their body, and not recorded. */
    replies?: readonly { share: number; code: number; text: string }[];
    /** Recorded, then the connection is cut before the 250. */
    answerLostShare?: number;
    /** Recorded, and the 250 waits this long. */
    tarpit?: { share: number; delayMs: number };
    /** Addresses that do not exist: 550 5.1.1 to the recipient. */
    badAddressShare?: number;
  };
  sms?: {
    /** Recorded, then the connection is cut before the answer. */
    answerLostShare?: number;
    /** Recorded and never answered. */
    answerHeldShare?: number;
    /** 429, not recorded. */
    throttledShare?: number;
    /** 503, not recorded. */
    serverErrorShare?: number;
    /** Not recorded and never answered. */
    hangShare?: number;
    /** `FILTERED`, not recorded. */
    filteredShare?: number;
    /** Numbers that do not exist: `BAD_NUMBER`. */
    badNumberShare?: number;
    /** How fast the gateway is: so many messages a second, each answered after so long at the least. */
    pace?: Pace;
    /**
     * Receipts are pushed, so late at the most: delivered, or for this share undelivered with this code of the carrier.
     * @default no receipts
     */
    receipts?: { lateMs: number; undeliveredShare?: number; code?: string };
    /** Each message waits so long in the gateway's queue before it goes out, and can be taken back until then. */
    queuedMs?: number;
  };
  /** Of the voice gateway, the loudspeakers, the robots and ntfy. */
  http?: {
    /** Recorded, then the connection is cut before the answer. */
    answerLostShare?: number;
    /** 429, not recorded. */
    throttledShare?: number;
    /** 503, not recorded. */
    serverErrorShare?: number;
    /** Not recorded and never answered. */
    hangShare?: number;
  };
  /** Of messages and calls by the Twilio of the sandbox. */
  twilio?: {
    /** Refused at once with this error code, not recorded. */
    refused?: readonly CodeShare[];
    /** Accepted and recorded, and later reported as undelivered with this code: nobody reads it. */
    undelivered?: readonly CodeShare[];
    /** Recorded, then the connection is cut before the answer. */
    answerLostShare?: number;
    /** Recorded and never answered. */
    answerHeldShare?: number;
    /** 429 with Retry-After, not recorded. */
    throttledShare?: number;
    /** 503, not recorded. */
    serverErrorShare?: number;
    /** Not recorded and never answered. */
    hangShare?: number;
    /** Numbers that do not exist: 21211. */
    badNumberShare?: number;
    /** Messages and calls of which no callback ever comes. */
    callbacksMissingShare?: number;
    /** Replies that are never pushed to us; they stand in the list of messages. */
    repliesMissingShare?: number;
    /** How status callbacks come: each so often, so late at the most, and in any order where they are shuffled. */
    callbacks?: { copies?: number; lateMs?: number; shuffled?: boolean };
  };
};

export type CodeShare = { share: number; code: number };

export type Pace = { perSecond: number; latencyMs: number };

export type EmailFault =
  | { kind: 'reply'; code: number; text: string }
  | { kind: 'answer lost' }
  | { kind: 'tarpit'; delayMs: number };

export type SmsFault = 'answer lost' | 'answer held' | 'throttled' | 'server error' | 'hang' | 'filtered';

export type HttpFault = 'answer lost' | 'throttled' | 'server error' | 'hang';

export type TwilioFault =
  | { kind: 'answer lost' | 'answer held' | 'throttled' | 'server error' | 'hang' }
  | { kind: 'refused' | 'undelivered'; code: number };

/** What one e-mail meets; null where all goes well. */
export function emailFault(plan: FaultPlan, seed: string, reference: string): EmailFault | null {
  const { replies = [], answerLostShare = 0, tarpit } = plan.email ?? {};
  return pick(
    () => draw(seed, 'email fault', reference),
    [
      [answerLostShare, { kind: 'answer lost' }],
      [tarpit?.share ?? 0, { kind: 'tarpit', delayMs: tarpit?.delayMs ?? 0 }],
      ...replies.map(({ share, code, text }): Chance<EmailFault> => [share, { kind: 'reply', code, text }]),
    ],
  );
}

/** What one SMS meets; null where all goes well. */
export function smsFault(plan: FaultPlan, seed: string, reference: string): SmsFault | null {
  const { sms = {} } = plan;
  return pick(
    () => draw(seed, 'sms fault', reference),
    [
      [sms.answerLostShare ?? 0, 'answer lost'],
      [sms.answerHeldShare ?? 0, 'answer held'],
      [sms.throttledShare ?? 0, 'throttled'],
      [sms.serverErrorShare ?? 0, 'server error'],
      [sms.hangShare ?? 0, 'hang'],
      [sms.filteredShare ?? 0, 'filtered'],
    ],
  );
}

/** What one message to a stand-in by HTTP meets; null where all goes well. */
export function httpFault(plan: FaultPlan, seed: string, reference: string): HttpFault | null {
  const { http = {} } = plan;
  return pick(
    () => draw(seed, 'http fault', reference),
    [
      [http.answerLostShare ?? 0, 'answer lost'],
      [http.throttledShare ?? 0, 'throttled'],
      [http.serverErrorShare ?? 0, 'server error'],
      [http.hangShare ?? 0, 'hang'],
    ],
  );
}

/** What one message or call by Twilio meets; null where all goes well. */
export function twilioFault(plan: FaultPlan, seed: string, reference: string): TwilioFault | null {
  const { twilio = {} } = plan;
  const coded = (kind: 'refused' | 'undelivered') =>
    (twilio[kind] ?? []).map(({ share, code }): Chance<TwilioFault> => [share, { kind, code }]);
  return pick(
    () => draw(seed, 'twilio fault', reference),
    [
      [twilio.answerLostShare ?? 0, { kind: 'answer lost' }],
      [twilio.answerHeldShare ?? 0, { kind: 'answer held' }],
      [twilio.throttledShare ?? 0, { kind: 'throttled' }],
      [twilio.serverErrorShare ?? 0, { kind: 'server error' }],
      [twilio.hangShare ?? 0, { kind: 'hang' }],
      ...coded('refused'),
      ...coded('undelivered'),
    ],
  );
}

/** True for an address that does not exist. */
export function badAddress(
  plan: FaultPlan,
  seed: string,
  channel: 'email' | 'sms' | 'twilio',
  address: string,
): boolean {
  const share = channel === 'email' ? plan.email?.badAddressShare : plan[channel]?.badNumberShare;
  return share !== undefined && share > 0 && draw(seed, `bad ${channel}`, address) < share;
}

type Chance<Fault> = readonly [share: number, fault: Fault];

function pick<Fault>(drawn: () => number, chances: readonly Chance<Fault>[]): Fault | null {
  // Without faults, which is the rule, nothing is hashed.
  if (chances.every(([share]) => share === 0)) return null;
  let left = drawn();
  for (const [share, fault] of chances) {
    if (left < share) return fault;
    left -= share;
  }
  return null;
}

type Section = 'email' | 'sms' | 'http' | 'twilio';

const SHARES: Readonly<Record<Section, readonly string[]>> = {
  email: ['answerLostShare', 'badAddressShare'],
  sms: [
    'answerLostShare',
    'answerHeldShare',
    'throttledShare',
    'serverErrorShare',
    'hangShare',
    'filteredShare',
    'badNumberShare',
  ],
  http: ['answerLostShare', 'throttledShare', 'serverErrorShare', 'hangShare'],
  twilio: [
    'answerLostShare',
    'answerHeldShare',
    'throttledShare',
    'serverErrorShare',
    'hangShare',
    'badNumberShare',
    'callbacksMissingShare',
    'repliesMissingShare',
  ],
};

/** Reads a plan as it comes in by HTTP: the plan, or a sentence about what is wrong with it. */
export function parseFaultPlan(input: unknown): FaultPlan | string {
  if (!isRecord(input)) return 'A fault plan is an object with `email`, `sms`, `http` and `twilio`.';
  for (const [channel, faults] of Object.entries(input)) {
    if (!isSection(channel)) return `There is no channel ${channel}; there are email, sms, http and twilio.`;
    if (!isRecord(faults)) return `The faults of ${channel} are an object.`;
    for (const [name, value] of Object.entries(faults)) {
      const wrong = wrongFault(channel, name, value);
      if (wrong) return wrong;
    }
  }
  return input;
}

function isSection(name: string): name is Section {
  return Object.hasOwn(SHARES, name);
}

function wrongFault(channel: Section, name: string, value: unknown): string | null {
  if (SHARES[channel].includes(name))
    return isShare(value) ? null : `${channel}.${name} is a number from 0 to 1.`;
  if (channel === 'email' && name === 'tarpit') {
    const right = isRecord(value) && isShare(value.share) && isDelay(value.delayMs);
    return right ? null : 'email.tarpit is { share, delayMs }.';
  }
  if (channel === 'sms' && name === 'pace') {
    const right =
      isRecord(value) && isDelay(value.latencyMs) && isDelay(value.perSecond) && value.perSecond > 0;
    return right ? null : 'sms.pace is { perSecond, latencyMs }.';
  }
  if (channel === 'sms' && name === 'receipts') {
    const { undeliveredShare = 0, code = '' } = isRecord(value) ? value : {};
    const right = isRecord(value) && isDelay(value.lateMs) && isShare(undeliveredShare);
    return right && typeof code === 'string' ? null : 'sms.receipts is { lateMs, undeliveredShare, code }.';
  }
  if (channel === 'sms' && name === 'queuedMs')
    return isDelay(value) ? null : 'sms.queuedMs is a number of milliseconds.';
  if (channel === 'email' && name === 'replies') {
    const right = Array.isArray(value) && value.every(isReply);
    return right ? null : 'email.replies is a list of { share, code, text }, the code from 400 to 599.';
  }
  if (channel === 'twilio' && (name === 'refused' || name === 'undelivered')) {
    const right = Array.isArray(value) && value.every(isCodeShare);
    return right ? null : `twilio.${name} is a list of { share, code }.`;
  }
  if (channel === 'twilio' && name === 'callbacks') {
    return isCallbackPlan(value) ? null : 'twilio.callbacks is { copies, lateMs, shuffled }.';
  }
  return `There is no fault ${channel}.${name}.`;
}

function isCodeShare(value: unknown): boolean {
  return isRecord(value) && isShare(value.share) && Number.isInteger(value.code);
}

function isCallbackPlan(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { copies = 1, lateMs = 0, shuffled = false, ...others } = value;
  if (Object.keys(others).length > 0) return false;
  return Number.isInteger(copies) && Number(copies) >= 1 && isDelay(lateMs) && typeof shuffled === 'boolean';
}

function isReply(value: unknown): boolean {
  if (!isRecord(value) || !isShare(value.share) || typeof value.text !== 'string') return false;
  return Number.isInteger(value.code) && Number(value.code) >= 400 && Number(value.code) <= 599;
}

function isShare(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 1;
}

function isDelay(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
