/**
 * One Twilio account, as SMS, calls and the list of what came in use it. The library is large, so it is loaded with the first
 * request; it never retries by itself, because a repeated request is a second message.
 */
import type { Twilio } from 'twilio';
import type { Reach } from '../domain/guard.ts';
import type { OutgoingMessage, SendResult } from '../domain/ports.ts';
import type { ResultClass } from '../domain/results.ts';
import { unansweredResult } from './http-exchange.ts';
import { refusalResult, Unanswered } from './twilio-results.ts';

export type TwilioAccount = {
  accountSid: string;
  authToken: string;
  /** Where Twilio's API is, if not at Twilio. @default https://api.twilio.com */
  apiUrl?: string | undefined;
};

/** What both senders need beside the account. */
export type TwilioSenderOptions = TwilioAccount & {
  /** The number that messages and calls come from. */
  from: string;
  /** Where our web process is reached from outside: callbacks come there. */
  publicUrl: string;
  /** True where the public is at the other end. */
  live: Reach;
  /** Messages under way at once in one slice, and connections. @default 64 */
  concurrency?: number;
  /** The hard end of one request. @default 10_000 */
  messageTimeoutMs?: number;
};

export const CONCURRENCY = 64;

/** The hard end of a send; the activity's own time-out is longer. */
export const MESSAGE_TIMEOUT_MS = 10_000;

/**
 * Twilio does not repeat a callback that failed unless it is asked to: so many times, on time-outs and on our 5xx. (Webhooks:
 * connection overrides. The fragment never reaches us.)
 */
const RETRIES = '#rc=4&rp=ct,rt,5xx';

export type TwilioApi = {
  /** Does something with the library's client; whatever goes wrong is thrown, see `failureOf`. */
  ask<T>(work: (client: Twilio) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** Opens nothing yet: the library comes with the first request. */
export function openTwilio(
  account: TwilioAccount,
  limits: { connections: number; timeoutMs: number },
): TwilioApi {
  let opened: Promise<{ client: Twilio; close(): Promise<void> }> | null = null;
  const open = async () => {
    const { createTwilioClient } = await import('./twilio-client.ts');
    return createTwilioClient(account, limits);
  };
  return {
    ask: async (work) => {
      opened ??= open();
      return work((await opened).client);
    },
    close: async () => (await opened)?.close(),
  };
}

/** What an error of the library means for the message: it carries Twilio's status and code, or says that nothing was answered. */
export function failureOf(error: unknown): SendResult {
  if (error instanceof Unanswered) return unansweredResult(error.requestBegun, error.timedOut);
  const { status, code } = (error ?? {}) as { status?: unknown; code?: unknown };
  if (typeof status === 'number')
    return refusalResult({ status, code: typeof code === 'number' ? code : null });
  // An answer that the library cannot read: the message may be there.
  return { outcome: 'unknown', reason: 'answer-unreadable' };
}

/** True where Twilio said no, and would say so again. */
export function refusedForGood(error: unknown): boolean {
  const { status } = (error ?? {}) as { status?: unknown };
  return typeof status === 'number' && status >= 400 && status < 500 && status !== 401 && status !== 429;
}

/** An acceptance is an answer with an id. */
export function acceptance(sid: unknown): SendResult {
  return typeof sid === 'string' && sid !== ''
    ? { outcome: 'handed off', providerId: sid }
    : { outcome: 'unknown', reason: 'answer-unreadable' };
}

/**
 * Where Twilio calls us back about an attempt. A stand-in also learns what it may know of an Exercise: it has no other way, since
 * the API has no place for it.
 */
export function callbackUrl(publicUrl: string, kind: 'status' | 'voice', message: OutgoingMessage): string {
  const { deliveryId, attempt, warningId, exercise } = message;
  const told = exercise
    ? `?${new URLSearchParams({ warning: warningId, step: exercise.step, speed: String(exercise.speed) }).toString()}`
    : '';
  return `${publicUrl.replace(/\/$/, '')}/twilio/${kind}/${deliveryId}.${attempt}${told}${RETRIES}`;
}

/** Twilio ended calls to mainland China on 2023-11-30, and takes no replies from there. */
export function refusesMainland(address: string): ResultClass | null {
  return address.startsWith('+86') ? 'other-sender' : null;
}

/** Between Twilio's clock, which shows seconds, and ours. */
const CLOCKS_APART_MS = 5_000;

/** Where it is not known when the earlier attempt was. */
const FIND_WITHIN_MS = 15 * 60_000;

/** From when on the earlier attempt may be listed, in milliseconds: the same text may have been sent on an earlier rung. */
export function lookedForSince(message: OutgoingMessage, messageTimeoutMs: number): number {
  if (message.earlierAt === undefined) return Date.now() - FIND_WITHIN_MS;
  return message.earlierAt - messageTimeoutMs - CLOCKS_APART_MS;
}
