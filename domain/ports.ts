/**
 * The doors of the core: what a channel is, whatever vendor stands behind it.
 * A channel file knows one vendor and maps its results to these outcomes in one table.
 */
import type { Reach } from './guard.ts';
import type { LevelId } from './levels.ts';
import type { ResultClass } from './results.ts';
import type { Channel } from './rules.ts';

/** One message, ready to go. Addresses and texts exist here and in PostgreSQL only, never in Temporal or a log. */
export type OutgoingMessage = {
  /** Unique for the delivery, the same for each attempt. */
  deliveryId: string;
  attempt: number;
  warningId: string;
  /** Of the warning: red goes first where a sender's rate is limited. */
  level: LevelId;
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
  /** When the warning ends, in milliseconds: providers are asked to give up by then. Left out: not known. */
  expiresAt?: number;
  /** When an earlier attempt ended without an outcome, in milliseconds: `find` looks for what came shortly before. */
  earlierAt?: number;
  /** The provider's ids of the recipient's other messages of this warning: `find` looks for none of them. */
  otherIds?: readonly string[];
};

/**
 * What came of handing one message to a channel. `reason` is a result class or a code of ours: vendors' texts contain phone
 * numbers. `sender` names who carried it, where a channel has several.
 */
export type SendResult = { sender?: string } & (
  | { outcome: 'handed off'; providerId: string }
  /** Final: no further attempt by this channel. */
  | { outcome: 'failed'; reason: string }
  /** Provably not accepted: safe to send again. */
  | { outcome: 'later'; reason: string }
  /** The message may have been accepted. */
  | { outcome: 'unknown'; reason: string }
);

export type ChannelPort = {
  readonly channel: Channel;
  /** True where the public is at the other end. */
  readonly live: Reach;
  /** How many messages are under way at once. */
  readonly concurrency: number;
  /** No send takes longer: what has not come back by then is `unknown`. */
  readonly messageTimeoutMs: number;
  /** Never throws for what a provider may do; a throw is a defect and counts as `unknown`. */
  send(message: OutgoingMessage): Promise<SendResult>;
  /**
   * Asks the provider for an earlier attempt whose outcome was unknown: the provider's id where it has the message, null where it
   * has not, `unknown` where it cannot be asked right now. Left out where a provider cannot be asked at all.
   */
  find?(
    message: OutgoingMessage,
    attempt: number,
  ): Promise<{ providerId: string; sender?: string } | null | 'unknown'>;
  /** Asks the provider whether an address can be reached, without anybody noticing. Left out where it cannot tell. */
  probe?(address: string): Promise<'reachable' | 'unreachable' | 'unknown'>;
  /** How long until this channel takes messages again, in milliseconds; 0 where it does. Left out: always. */
  closedForMs?(): Promise<number>;
  /** How many messages it is of use to claim at once, where a rate limits them. Left out: any number. */
  claimMost?(): number;
  /**
   * Whether a message to this address may hold a link that only its recipient gets to see, whoever carries it. Left out: by e-mail
   * alone. `synthetic`: whether its person is made up, where that decides who carries it.
   */
  links?(address: string, synthetic?: boolean): boolean;
  close(): Promise<void>;
};

/** One vendor's way to carry a channel's messages. A channel may have several senders; `routeSenders` makes one port of them. */
export type SenderPort = ChannelPort & {
  /** Unique, such as `twilio-sms`; it stands with each delivery and in the table of senders. */
  readonly id: string;
  /**
   * Why this sender cannot carry a message to this address, or this text there; null where it can. By the country's rules: see
   * capabilities.ts.
   */
  refuses(address: string, text?: string): ResultClass | null;
  /** Each message follows a template that the provider has approved. Left out: it goes as it is. */
  readonly byTemplate?: boolean;
  /** Takes back a message that the provider has and may not have passed on yet. Left out where nothing can be taken back. */
  recall?(sent: SentMessage): Promise<RecallResult>;
};

/** A message a provider has: our attempt, and its own id. */
export type SentMessage = { deliveryId: number; attempt: number; providerId: string };

/** `recalled`: it will not go out. `too late`: it has, or cannot be stopped. `unknown`: the provider did not say. */
export type RecallResult = 'recalled' | 'too late' | 'unknown';
