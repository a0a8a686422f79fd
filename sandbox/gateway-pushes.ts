/** What the gateways push beside replies: receipts of messages and calls, and the keys that people pressed. */
import { randomUUID } from 'node:crypto';
import { Agent } from 'undici';
import { createReplyPush, type PushResult } from './reply-push.ts';

const CONNECTIONS = 8;

export type PushedReceipt = {
  reference: string;
  state: 'delivered' | 'undelivered' | 'failed';
  /** The carrier's. */
  code: string;
  sender: 'sms-gateway' | 'voice-gateway';
};

export type PushedKey = { callId: string; reference: string; step: number; key: string };

export type GatewayPushes = {
  /** After so many milliseconds. */
  reportIn(lateMs: number, receipt: PushedReceipt): void;
  press(key: PushedKey): Promise<PushResult>;
  /** Receipts still to come or on their way. */
  waiting(): number;
  /** Drops what waits. */
  stop(): Promise<void>;
};

/** Pushes to the addresses beside `repliesUrl`. Keys are signed by the voice gateway's own secret. */
export function createGatewayPushes(input: {
  repliesUrl: string;
  secrets: { sms: string; voice: string };
  log: (line: string) => void;
}): GatewayPushes {
  const { repliesUrl, secrets, log } = input;
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  const timers = new Set<NodeJS.Timeout>();
  const beside = (name: string) => new URL(name, repliesUrl).href;
  const pushTo = <Item>(what: 'receipts' | 'keys', secret: string) =>
    createReplyPush<Item & { id: string }>({ repliesUrl: beside(what), secret, agent, log, what });
  const receipts = {
    'sms-gateway': pushTo<PushedReceipt>('receipts', secrets.sms),
    'voice-gateway': pushTo<PushedReceipt>('receipts', secrets.voice),
  };
  const keys = pushTo<PushedKey>('keys', secrets.voice);

  return {
    reportIn: (lateMs, receipt) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        void receipts[receipt.sender].push({ id: randomUUID(), ...receipt });
      }, lateMs);
      timers.add(timer);
    },
    press: (key) => keys.push({ id: randomUUID(), ...key }),
    waiting: () =>
      timers.size + receipts['sms-gateway'].waiting() + receipts['voice-gateway'].waiting() + keys.waiting(),
    stop: async () => {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      for (const push of [...Object.values(receipts), keys]) push.stop();
      await agent.destroy();
    },
  };
}
