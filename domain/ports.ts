/**
 * The doors of the core: what a channel is, whatever vendor stands behind it.
 * A channel file knows one vendor and maps its results to these outcomes in one table.
 */
import type { Channel } from './rules.ts';

/** One message, ready to go. Addresses and texts exist here and in PostgreSQL only, never in Temporal or a log. */
export type OutgoingMessage = {
  /** Unique for the delivery, the same for each attempt. */
  deliveryId: string;
  attempt: number;
  warningId: string;
  /** `exercise` messages may go only to channels that serve exercises. */
  kind: 'exercise' | 'actual';
  synthetic: boolean;
  address: string;
  language: 'zh' | 'en';
  /** For channels that have one; the others leave it out. */
  subject: string;
  text: string;
  /** For gateways that send by template: the same content as named parameters. */
  parameters: Record<string, string>;
  /** What a stand-in may know of an Exercise, so that simulated people behave by rung and at the drill's speed. */
  exercise: { step: string; speed: number } | null;
};

/** What came of handing one message to a channel. `reason` is a code of ours: vendors' texts contain phone numbers. */
export type SendResult =
  | { outcome: 'handed off'; providerId: string }
  /** Final: no further attempt by this channel. */
  | { outcome: 'failed'; reason: string }
  /** Provably not accepted: safe to send again. */
  | { outcome: 'later'; reason: string }
  /** The message may have been accepted. */
  | { outcome: 'unknown'; reason: string };

export type ChannelPort = {
  readonly channel: Channel;
  /** True where real people are at the other end. */
  readonly live: boolean;
  /** How many messages are under way at once. */
  readonly concurrency: number;
  /** No send takes longer: what has not come back by then is `unknown`. */
  readonly messageTimeoutMs: number;
  /** Never throws for what a provider may do; a throw is a defect and counts as `unknown`. */
  send(message: OutgoingMessage): Promise<SendResult>;
  close(): Promise<void>;
};
