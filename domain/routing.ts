/** Which senders of a channel may carry a message, and when the next one may try. Pure. */
import { channelRefusal } from './guard.ts';
import type { OutgoingMessage, SenderPort, SendResult } from './ports.ts';
import { classOf, resultOf } from './results.ts';

/** What stands before the senders of a worker: their rates and their circuits. */
export type SenderDesk = {
  /** How long the sender takes nothing, in milliseconds; 0 where it does. */
  closedForMs(senderId: string): number;
  /**
   * Whether the message may leave by this sender: at once, or when its turn comes; false where it does not come within so many
   * milliseconds.
   */
  admit(senderId: string, message: OutgoingMessage, withinMs: number): true | Promise<boolean>;
  /** What a message may wait for its turn, in milliseconds; 0 where no rate limits the sender. */
  waitMostMs(senderId: string): number;
  /** How many messages it is of use to claim at once; null where no rate limits the sender. */
  claimMost(senderId: string): number | null;
  /** What came of a message, and whether another sender could have carried it. */
  heard(senderId: string, result: SendResult, othersCanCarry: boolean): void;
};

type Sender = Pick<SenderPort, 'id' | 'live' | 'refuses'>;

/** The senders that may try, in order, and how many could if all circuits were open; or why none may. */
export type Choice<S> = { senders: S[]; able: number } | { result: SendResult };

/** The choice for one message. */
export function chooseSenders<S extends Sender>(
  senders: readonly S[],
  message: OutgoingMessage,
  closedForMs: (senderId: string) => number,
): Choice<S> {
  const able: S[] = [];
  let refusal: SendResult | null = null;
  for (const sender of senders) {
    const reason = channelRefusal(message, sender.live);
    const cannot = sender.refuses(message.address, message.text);
    if (reason) refusal ??= { outcome: 'failed', reason };
    else if (cannot) refusal ??= resultOf(cannot);
    else able.push(sender);
  }
  if (able.length === 0) return { result: refusal ?? resultOf('channel-not-configured') };
  const open = able.filter(({ id }) => closedForMs(id) === 0);
  return open.length === 0 ? { result: resultOf('no-sender') } : { senders: open, able: able.length };
}

/** True where the sender provably has not got the message and another may take it. An unknown outcome never moves on. */
export function mayGoElsewhere(result: SendResult): boolean {
  if (result.outcome === 'handed off' || result.outcome === 'unknown') return false;
  return classOf(result.reason)?.elsewhere === true;
}

/** Of two results that nobody carried the message with: what can be tried again says more than what is final for one sender. */
export function moreHopeful(one: SendResult | null, other: SendResult): SendResult {
  return one?.outcome === 'later' ? one : other;
}
