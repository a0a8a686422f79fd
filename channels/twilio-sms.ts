/**
 * SMS by Twilio, for everywhere but mainland China. Twilio has no idempotency key: what may have been accepted is *unknown*, and is
 * looked for by its recipient, its time and its text before it is sent again. What Twilio has cannot be taken back: only messages that
 * were scheduled through a messaging service can (error 30409); an SMS lives no longer than its validity period instead.
 */
import { channelRefusal } from '../domain/guard.ts';
import type { OutgoingMessage, SendResult, SenderPort } from '../domain/ports.ts';
import {
  acceptance,
  callbackUrl,
  CONCURRENCY,
  failureOf,
  lookedForSince,
  MESSAGE_TIMEOUT_MS,
  openTwilio,
  refusesMainland,
  type TwilioSenderOptions,
} from './twilio-account.ts';

/** Twilio's longest validity period: ten hours. */
const VALIDITY_SECONDS_MOST = 36_000;

/** Messages to one number that are looked through, the newest first. */
const MESSAGES_LOOKED_AT = 50;

export function createTwilioSmsSender(options: TwilioSenderOptions): SenderPort {
  const {
    from,
    publicUrl,
    live,
    concurrency = CONCURRENCY,
    messageTimeoutMs = MESSAGE_TIMEOUT_MS,
    ...account
  } = options;
  const twilio = openTwilio(account, { connections: concurrency, timeoutMs: messageTimeoutMs });
  // A messaging service stands for several numbers.
  const sender = from.startsWith('MG') ? { messagingServiceSid: from } : { from };

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    try {
      const created = await twilio.ask((client) =>
        client.messages.create({
          ...sender,
          to: message.address,
          body: message.text,
          statusCallback: callbackUrl(publicUrl, 'status', message),
          validityPeriod: validitySeconds(message.expiresAt, Date.now()),
        }),
      );
      return acceptance(created.sid);
    } catch (error) {
      return failureOf(error);
    }
  }

  async function find(message: OutgoingMessage): Promise<{ providerId: string } | null | 'unknown'> {
    const since = lookedForSince(message, messageTimeoutMs);
    try {
      // Not by `dateSent`: what is still queued there has none.
      const messages = await twilio.ask((client) =>
        client.messages.list({ to: message.address, limit: MESSAGES_LOOKED_AT }),
      );
      const found = messages.find(
        (one) =>
          one.direction !== 'inbound' &&
          !message.otherIds?.includes(one.sid) &&
          one.dateCreated.getTime() >= since &&
          // A trial account puts words of its own before the text.
          one.body.trim().endsWith(message.text.trim()),
      );
      return found ? { providerId: found.sid } : null;
    } catch {
      return 'unknown';
    }
  }

  return {
    id: 'twilio-sms',
    channel: 'sms',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: refusesMainland,
    send,
    find,
    close: () => twilio.close(),
  };
}

/** How long Twilio may keep trying, in seconds: not past the warning's end. */
export function validitySeconds(expiresAt: number | undefined, now: number): number {
  if (expiresAt === undefined) return VALIDITY_SECONDS_MOST;
  return Math.min(VALIDITY_SECONDS_MOST, Math.max(1, Math.floor((expiresAt - now) / 1000)));
}
