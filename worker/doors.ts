/** What the web process needs of the channels: how their reports are read, and how something is said back. */
import { gatewayReceipt, type GatewaySender } from '../channels/gateway-receipts.ts';
import { createSmsBack } from '../channels/sms-back.ts';
import { createTwilioInbound, type TwilioInbound } from '../channels/twilio-inbound.ts';
import { callReport, isMachine, messageReport } from '../channels/twilio-results.ts';
import { sideOf, twilioOf } from '../config.ts';
import { openDatabase } from '../db/database.ts';
import { nameOfKind, senderName } from '../domain/kinds.ts';
import type { Receipt } from '../domain/receipts.ts';
import type { ReplyKind } from '../domain/reply-texts.ts';
import { backTurns } from './back-turns.ts';
import { smsParts } from './sms-parts.ts';
import type { BoundConfig } from './wall.ts';

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
  messageReport: typeof messageReport;
  callReport: typeof callReport;
  isMachine: typeof isMachine;
  inbound: TwilioInbound;
};

/** Without a gateway nothing is said back; what it pushes is read all the same. */
export function createDoors(config: BoundConfig): Doors {
  const { FENGHUO_GATEWAY_URL: url, FENGHUO_GATEWAY_SECRET: secret, FENGHUO_ISSUER: signature } = config;
  const side = sideOf(config);
  const live = side === 'drill' ? 'agreed' : side === 'actual';
  const { back: template } = config.FENGHUO_GATEWAY_TEMPLATES;
  const perSecond = config.FENGHUO_GATEWAY_PER_SECOND ?? null;
  const database =
    perSecond === null
      ? null
      : openDatabase({ url: config.DATABASE_URL, schema: config.FENGHUO_SCHEMA, connectionsMost: 1 });
  const sender = { id: nameOfKind(side, 'sms-gateway'), channel: 'sms' as const, perSecond };
  const turn = database && backTurns(database, sender, smsParts(signature));
  const back =
    url && secret
      ? createSmsBack({ url, secret, signature, live, ...(template && { template }), ...(turn && { turn }) })
      : null;
  const account = twilioOf(config);
  const twilio = account && {
    ...account,
    ...{ messageReport, callReport, isMachine, inbound: createTwilioInbound(account) },
  };
  return {
    gateway: {
      receiptOf: (report) => {
        const receipt = gatewayReceipt(report);
        return receipt && { ...receipt, sender: senderName(side, receipt.sender) };
      },
      sayBack: (words) => back?.say(words),
    },
    twilio,
    close: async () => {
      await Promise.all([back?.close(), twilio?.inbound.close()]);
      await database?.close();
    },
  };
}
