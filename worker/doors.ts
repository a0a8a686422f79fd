/** What the web process needs of the channels: how their reports are read, and how something is said back. */
import { gatewayReceipt, type GatewaySender } from '../channels/gateway-receipts.ts';
import { createSmsBack } from '../channels/sms-back.ts';
import { createTwilioInbound, type TwilioInbound } from '../channels/twilio-inbound.ts';
import { callReport, isMachine, messageReport } from '../channels/twilio-results.ts';
import { twilioOf, type Config } from '../config.ts';
import type { Receipt } from '../domain/receipts.ts';
import type { ReplyKind } from '../domain/reply-texts.ts';

export type Doors = {
  gateway: {
    receiptOf(report: {
      id: string;
      reference: string;
      state: string;
      code: string | null;
      sender: GatewaySender;
    }): Receipt | null;
    sayBack(back: { to: string; text: string; kind: ReplyKind; replyId: string }): void;
  };
  /** Null where no Twilio account is configured. */
  twilio: TwilioDoor | null;
  close(): Promise<void>;
};

type TwilioDoor = {
  accountSid: string;
  authToken: string;
  live: boolean;
  messageReport: typeof messageReport;
  callReport: typeof callReport;
  isMachine: typeof isMachine;
  inbound: TwilioInbound;
};

/** Without a gateway nothing is said back; what it pushes is read all the same. */
export function createDoors(config: Config): Doors {
  const { FENGHUO_GATEWAY_URL: url, FENGHUO_GATEWAY_SECRET: secret, FENGHUO_ISSUER: signature } = config;
  const live = config.FENGHUO_CHANNELS === 'live';
  const { back: template } = config.FENGHUO_GATEWAY_TEMPLATES;
  const back =
    url && secret ? createSmsBack({ url, secret, signature, live, ...(template ? { template } : {}) }) : null;
  const account = twilioOf(config);
  const twilio = account && {
    ...account,
    ...{ live, messageReport, callReport, isMachine, inbound: createTwilioInbound(account) },
  };
  return {
    gateway: { receiptOf: gatewayReceipt, sayBack: (words) => back?.say(words) },
    twilio,
    close: async () => {
      await Promise.all([back?.close(), twilio?.inbound.close()]);
    },
  };
}
