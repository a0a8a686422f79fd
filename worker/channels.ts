/** The channels of one configuration, each with all its senders, and the keys of the answers that come back. */
import { canRecall, type Recaller } from '../activities/recall.ts';
import { capabilities } from '../capabilities.ts';
import { createChatRobot } from '../channels/chat-robot.ts';
import { createEmailChannel } from '../channels/email.ts';
import { createLoudspeaker } from '../channels/loudspeaker.ts';
import { createNtfy } from '../channels/ntfy.ts';
import { routeSenders } from '../channels/route.ts';
import { createSmsGatewayChannel } from '../channels/sms-gateway.ts';
import { createTwilioSmsSender } from '../channels/twilio-sms.ts';
import { createTwilioVoiceSender } from '../channels/twilio-voice.ts';
import { createVoiceGateway } from '../channels/voice-gateway.ts';
import { configuredSenders, sideOf, twilioOf, type Config } from '../config.ts';
import type { Sql } from '../db/database.ts';
import { takeRepeat } from '../db/repeats.ts';
import { channelRefusal, type Reach } from '../domain/guard.ts';
import { capabilityRefusal, mayHoldLink, profileOf } from '../domain/capabilities.ts';
import type { AnswerKeys } from '../domain/links.ts';
import type { ChannelPort, OutgoingMessage, SenderPort } from '../domain/ports.ts';
import { senderName } from '../domain/kinds.ts';
import { resultOf } from '../domain/results.ts';
import { CHANNELS } from '../domain/rules.ts';
import { createDesk } from './desk.ts';
import { smsParts } from './sms-parts.ts';
import type { BoundConfig } from './wall.ts';

/** The keys behind links and numbers of answers. */
export function answerKeys(config: Config): AnswerKeys {
  return [{ id: '1', secret: config.FENGHUO_SECRET }];
}

/**
 * One of each kind that rule packs may name. A channel without a sender is there too: else its pages would wait for ever, and so
 * would the people. `account`: in a drill, the senders for people who agreed; then all others are stand-ins for the rest.
 */
export function createChannels(
  config: BoundConfig,
  database: Sql,
  log: (line: string) => void,
  account: BoundConfig | null = null,
): { channels: ChannelPort[]; recallers: Recaller[]; close(): Promise<void> } {
  const parts = smsParts(config.FENGHUO_ISSUER);
  const sendersOf = (from: Config, reach: Reach) =>
    configuredSenders(from).map((id) => ({
      ...byCountry(createSender(id, from, reach), { database, parts }),
      // Two senders of one vendor: each has a rate, a circuit and messages of its own.
      id: senderName(sideOf(from), id),
      perSecond: perSecondOf(id, from),
    }));
  const reach = account ? 'simulated' : reachOf(config);
  const senders = sendersOf(config, reach);
  const agreed = account && sendersOf(account, 'agreed');
  const all = [...senders, ...(agreed ?? [])];
  const desk = createDesk({
    database,
    log,
    serves: config.serves,
    senders: all.map(({ id, channel, perSecond }) => ({
      ...{ id, channel, perSecond },
      ...(channel === 'sms' && { parts: (message: OutgoingMessage) => parts(message.text) }),
    })),
  });
  const channels = CHANNELS.map((channel) => {
    const route = (among: readonly SenderPort[], live: Reach) =>
      routeSenders({ channel, live, senders: among.filter((sender) => sender.channel === channel), desk });
    if (!senders.some((sender) => sender.channel === channel))
      log(
        `The channel ${channel} is not configured: its messages are tried again a few times, then the next rung begins.`,
      );
    const usual = route(senders, reach);
    // Of channels that the account has not, nobody who agreed has an address in a drill.
    return agreed?.some((sender) => sender.channel === channel)
      ? byReach(usual, route(agreed, 'agreed'))
      : usual;
  });
  return {
    channels,
    recallers: all.filter((sender): sender is typeof sender & Recaller => canRecall(sender)),
    close: async () => {
      await Promise.all(channels.map((channel) => channel.close()));
      await desk.close();
    },
  };
}

/** Who is at the other end of a configuration's senders. */
function reachOf(config: Config): Reach {
  const side = sideOf(config);
  return side === 'drill' ? 'agreed' : side === 'actual';
}

/**
 * A drill's channel: people who agreed are reached by the account, everybody else by the stand-ins. What neither may take, the stand-ins
 * refuse. Pages hold both, so they are claimed as the stand-ins take them, and the account's messages wait for its rate in between.
 */
function byReach(standIns: ChannelPort, account: ChannelPort): ChannelPort {
  const of = (message: Pick<OutgoingMessage, 'kind' | 'synthetic'>) =>
    channelRefusal(message, account.live) === null ? account : standIns;
  return {
    ...standIns,
    live: false,
    messageTimeoutMs: Math.max(standIns.messageTimeoutMs, account.messageTimeoutMs),
    send: (message) => of(message).send(message),
    // An outage that a scenario plays is none of theirs.
    closedForMs: async () =>
      Math.min(...(await Promise.all([standIns.closedForMs?.() ?? 0, account.closedForMs?.() ?? 0]))),
    find: (message, attempt) => of(message).find?.(message, attempt) ?? Promise.resolve('unknown' as const),
    links: (address, synthetic) => (synthetic === false ? account : standIns).links?.(address) ?? false,
    close: async () => void (await Promise.all([standIns.close(), account.close()])),
  };
}

/** Throws for an id that `configuredSenders` does not give for this configuration. */
function createSender(id: string, config: Config, live: Reach): SenderPort {
  const url = (value: string | undefined) => value ?? '';
  const twilio = () => {
    const account = twilioOf(config);
    if (!account) throw new RangeError('Twilio is not configured');
    return { ...account, publicUrl: config.FENGHUO_PUBLIC_URL, live };
  };
  switch (id) {
    case 'smtp':
      return createEmailChannel({ url: url(config.FENGHUO_SMTP_URL), from: config.FENGHUO_SMTP_FROM, live });
    case 'sms-gateway':
      return createSmsGatewayChannel({
        url: url(config.FENGHUO_GATEWAY_URL),
        secret: config.FENGHUO_GATEWAY_SECRET ?? '',
        signature: config.FENGHUO_ISSUER,
        templates: config.FENGHUO_GATEWAY_TEMPLATES,
        recallPath: config.FENGHUO_GATEWAY_RECALL_PATH,
        live,
      });
    case 'voice-gateway':
      return createVoiceGateway({
        url: url(config.FENGHUO_VOICE_GATEWAY_URL),
        secret: config.FENGHUO_VOICE_GATEWAY_SECRET ?? '',
        templates: config.FENGHUO_GATEWAY_TEMPLATES,
        recallPath: config.FENGHUO_VOICE_GATEWAY_RECALL_PATH,
        listPath: config.FENGHUO_VOICE_GATEWAY_LIST_PATH,
        live,
      });
    case 'loudspeaker':
      return createLoudspeaker({
        url: url(config.FENGHUO_LOUDSPEAKER_URL),
        secret: config.FENGHUO_LOUDSPEAKER_SECRET ?? '',
        live,
      });
    case 'chat-robot': {
      const { FENGHUO_CHAT_ROBOT_SHAPE: shape, FENGHUO_CHAT_ROBOT_SECRET: secret } = config;
      return createChatRobot({
        shape,
        url: url(config.FENGHUO_CHAT_ROBOT_URL),
        ...(secret && { secret }),
        live,
      });
    }
    case 'ntfy': {
      const { FENGHUO_NTFY_TOKEN: token } = config;
      return createNtfy({ url: url(config.FENGHUO_NTFY_URL), ...(token && { token }), live });
    }
    case 'twilio-sms':
      return createTwilioSmsSender(twilio());
    case 'twilio-voice':
      return createTwilioVoiceSender(twilio());
    default:
      throw new RangeError(`there is no sender ${id}`);
  }
}

/** The smallest part, of a long SMS in UCS-2; without counting, the text comes to no more parts. A signature has few characters. */
const UNITS_PER_PART = 66;
const SIGNATURE_MOST = 40;

/** The sender, which also refuses what its country's rules do not let it carry. */
export function byCountry(
  sender: SenderPort,
  { database, parts }: { database: Sql; parts: (text: string) => number },
): SenderPort {
  const partsOf = (text: string | undefined) =>
    text === undefined || sender.channel !== 'sms'
      ? undefined
      : { atMost: Math.ceil((text.length + SIGNATURE_MOST) / UNITS_PER_PART), count: () => parts(text) };
  return {
    ...sender,
    links: (address) => mayHoldLink(capabilities(), sender.id, address),
    refuses: (address, text) =>
      sender.refuses(address, text) ?? capabilityRefusal(capabilities(), sender, address, partsOf(text)),
    send: async (message) => {
      const { address, text } = message;
      const most = profileOf(capabilities(), sender.id, address)?.repeatsPerDay ?? null;
      if (most === null) return sender.send(message);
      const taken = await takeRepeat(database, { sender: sender.id, address, text, most }).catch(() => null);
      // Without PostgreSQL nobody knows how often it went: later, when it is back.
      if (taken === null) return resultOf('temporary');
      return taken ? sender.send(message) : resultOf('repeated-too-often');
    },
  };
}

function perSecondOf(id: string, config: Config): number | null {
  const rates: Record<string, number | undefined> = {
    smtp: config.FENGHUO_SMTP_PER_SECOND,
    'sms-gateway': config.FENGHUO_GATEWAY_PER_SECOND,
    'voice-gateway': config.FENGHUO_VOICE_GATEWAY_PER_SECOND,
    'twilio-sms': config.FENGHUO_TWILIO_PER_SECOND,
    'twilio-voice': config.FENGHUO_TWILIO_PER_SECOND,
    loudspeaker: config.FENGHUO_LOUDSPEAKER_PER_SECOND,
    'chat-robot': config.FENGHUO_CHAT_ROBOT_PER_SECOND,
    ntfy: config.FENGHUO_NTFY_PER_SECOND,
  };
  return rates[id] ?? null;
}
