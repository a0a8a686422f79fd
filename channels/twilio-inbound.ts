/** What people wrote to our number, as Twilio lists it: for what could not be pushed while our web process was away. */
import type { MessagePage } from 'twilio/lib/rest/api/v2010/account/message.js';
import { MESSAGE_TIMEOUT_MS, openTwilio, type TwilioAccount } from './twilio-account.ts';

/** 200,000 messages: a tenth of a city's people. What is beyond is not passed over, but said. */
const PAGES_MOST = 200;
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
    since: (instant) =>
      twilio.ask(async (client) => {
        const found: InboundMessage[] = [];
        const filter = { ...to, dateSentAfter: new Date(instant), pageSize: PAGE_SIZE };
        let page: Awaited<ReturnType<MessagePage['nextPage']>> = await client.messages.page(filter);
        for (let pages = 1; page; pages++) {
          if (pages > PAGES_MOST) throw new RangeError('more came in than can be listed');
          for (const { sid, from, body, direction } of page.instances)
            if (direction === 'inbound') found.push({ id: sid, from, text: body });
          page = await page.nextPage();
        }
        // The newest come first.
        return found.reverse();
      }),
    close: () => twilio.close(),
  };
}
