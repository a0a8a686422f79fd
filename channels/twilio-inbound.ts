/** What people wrote to our number, as Twilio lists it: for what could not be pushed while our web process was away. */
import { MESSAGE_TIMEOUT_MS, openTwilio, type TwilioAccount } from './twilio-account.ts';

/** More in one listing than a number receives between two of them. */
const MESSAGES_MOST = 10_000;
const PAGE_SIZE = 1_000;

export type InboundMessage = { id: string; from: string; text: string };

export type TwilioInbound = {
  /** Everything that came in since, in milliseconds, the oldest first. Throws where it cannot be asked. */
  since(instant: number): Promise<InboundMessage[]>;
  close(): Promise<void>;
};

/** `from` is the number people write to; a messaging service has several, so there all of the account's are listed. */
export function createTwilioInbound(account: TwilioAccount & { from: string }): TwilioInbound {
  const twilio = openTwilio(account, { connections: 1, timeoutMs: MESSAGE_TIMEOUT_MS });
  const to = account.from.startsWith('+') ? { to: account.from } : {};
  return {
    async since(instant) {
      const listed = await twilio.ask((client) =>
        client.messages.list({
          ...to,
          dateSentAfter: new Date(instant),
          limit: MESSAGES_MOST,
          pageSize: PAGE_SIZE,
        }),
      );
      return listed
        .filter(({ direction }) => direction === 'inbound')
        .reverse()
        .map(({ sid, from, body }) => ({ id: sid, from, text: body }));
    },
    close: () => twilio.close(),
  };
}
