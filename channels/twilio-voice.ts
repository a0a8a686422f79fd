/**
 * Calls by Twilio, for everywhere but mainland China. The call is created here; what is said in it, Twilio asks our web process for
 * (web/twilio.ts), and there the pressed key comes in.
 */
import { channelRefusal } from '../domain/guard.ts';
import type { OutgoingMessage, RecallResult, SenderPort, SendResult, SentMessage } from '../domain/ports.ts';
import {
  acceptance,
  callbackUrl,
  CONCURRENCY,
  failureOf,
  lookedForSince,
  MESSAGE_TIMEOUT_MS,
  openTwilio,
  refusedForGood,
  refusesMainland,
  type TwilioSenderOptions,
} from './twilio-account.ts';

/** About ten rings: before most voicemails begin. */
const RING_SECONDS = 40;

/** Nobody hears a warning for longer than this. */
const CALL_SECONDS_MOST = 300;

const CALLS_LOOKED_AT = 50;

export function createTwilioVoiceSender(options: TwilioSenderOptions): SenderPort {
  const {
    from,
    publicUrl,
    live,
    concurrency = CONCURRENCY,
    messageTimeoutMs = MESSAGE_TIMEOUT_MS,
    ...account
  } = options;
  const twilio = openTwilio(account, { connections: concurrency, timeoutMs: messageTimeoutMs });

  async function send(message: OutgoingMessage): Promise<SendResult> {
    const refused = channelRefusal(message, live);
    if (refused) return { outcome: 'failed', reason: refused };
    try {
      const created = await twilio.ask((client) =>
        client.calls.create({
          from,
          to: message.address,
          url: callbackUrl(publicUrl, 'voice', message),
          statusCallback: callbackUrl(publicUrl, 'status', message),
          statusCallbackEvent: ['initiated', 'ringing', 'answered', 'completed'],
          // Without it a voicemail counts as somebody who listens.
          machineDetection: 'Enable',
          timeout: RING_SECONDS,
          timeLimit: CALL_SECONDS_MOST,
        }),
      );
      return acceptance(created.sid);
    } catch (error) {
      return failureOf(error);
    }
  }

  /** Calls hold no text, so only the time tells which one it was; without it the provider cannot be asked. */
  async function find(message: OutgoingMessage): Promise<{ providerId: string } | null | 'unknown'> {
    if (message.earlierAt === undefined) return 'unknown';
    const since = lookedForSince(message, messageTimeoutMs);
    try {
      const calls = await twilio.ask((client) =>
        client.calls.list({ to: message.address, limit: CALLS_LOOKED_AT }),
      );
      const found = calls.find(
        (one) =>
          one.from === from && one.dateCreated.getTime() >= since && !message.otherIds?.includes(one.sid),
      );
      return found ? { providerId: found.sid } : null;
    } catch {
      return 'unknown';
    }
  }

  /** Ends a call that waits or rings; one that is being heard goes on, and hears that the warning is over. */
  async function recall({ providerId }: SentMessage): Promise<RecallResult> {
    try {
      const { status } = await twilio.ask((client) =>
        client.calls(providerId).update({ status: 'canceled' }),
      );
      return status === 'canceled' ? 'recalled' : 'too late';
    } catch (error) {
      return refusedForGood(error) ? 'too late' : 'unknown';
    }
  }

  return {
    id: 'twilio-voice',
    channel: 'voice',
    live,
    concurrency,
    messageTimeoutMs,
    refuses: refusesMainland,
    send,
    find,
    recall,
    close: () => twilio.close(),
  };
}
