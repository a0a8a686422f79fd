/** The channels of one configuration, and the keys of the answers that come back. */
import { createEmailChannel } from '../channels/email.ts';
import { createSmsGatewayChannel } from '../channels/sms-gateway.ts';
import type { Config } from '../config.ts';
import type { AnswerKeys } from '../domain/links.ts';
import type { ChannelPort } from '../domain/ports.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';

/** The keys behind links and numbers of answers. */
export function answerKeys(config: Config): AnswerKeys {
  return [{ id: '1', secret: config.FENGHUO_SECRET }];
}

/** One of each kind that rule packs may name. */
export function createChannels(config: Config, log: (line: string) => void): ChannelPort[] {
  const live = config.FENGHUO_CHANNELS === 'live';
  return CHANNELS.map((channel) => {
    const configured = createChannel(channel, config, live);
    if (!configured)
      log(
        `The channel ${channel} is not configured: its messages are tried again a few times, then the next rung begins.`,
      );
    return configured ?? createMissingChannel(channel, live);
  });
}

function createChannel(channel: Channel, config: Config, live: boolean): ChannelPort | null {
  switch (channel) {
    case 'email':
      if (!config.FENGHUO_SMTP_URL) return null;
      return createEmailChannel({ url: config.FENGHUO_SMTP_URL, from: config.FENGHUO_SMTP_FROM, live });
    case 'sms':
      if (!config.FENGHUO_GATEWAY_URL || !config.FENGHUO_GATEWAY_SECRET) return null;
      return createSmsGatewayChannel({
        url: config.FENGHUO_GATEWAY_URL,
        secret: config.FENGHUO_GATEWAY_SECRET,
        signature: config.FENGHUO_ISSUER,
        live,
      });
    default:
      return null;
  }
}

/** Without it the pages of a channel that nobody configured would wait for ever, and so would the people. */
function createMissingChannel(channel: Channel, live: boolean): ChannelPort {
  return {
    channel,
    live,
    concurrency: 64,
    messageTimeoutMs: 1_000,
    send: async () => ({ outcome: 'later', reason: 'channel-not-configured' }),
    close: async () => undefined,
  };
}
