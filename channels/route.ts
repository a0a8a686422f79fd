/**
 * Several senders as one channel. Each message is tried by the senders that can carry it, in their order and within one attempt;
 * the first that takes it, or may have taken it, ends the attempt.
 */
import { performance } from 'node:perf_hooks';
import type { Reach } from '../domain/guard.ts';
import type { ChannelPort, OutgoingMessage, SenderPort, SendResult } from '../domain/ports.ts';
import { resultOf } from '../domain/results.ts';
import { chooseSenders, mayGoElsewhere, moreHopeful, type SenderDesk } from '../domain/routing.ts';
import type { Channel } from '../domain/rules.ts';

/** Of a channel without a sender: its messages end at once. */
const UNCONFIGURED = { concurrency: 64, messageTimeoutMs: 1_000 };

/**
 * What a refusal may take before another sender is tried. Their time-outs are not added up: what times out is unknown and never moves
 * on, and each second more here is a second more that a dead worker's slice is nobody's.
 */
const ELSEWHERE_MS = 3_000;

/** `senders` in the order in which they are tried. */
export function routeSenders(input: {
  channel: Channel;
  live: Reach;
  senders: readonly SenderPort[];
  desk: SenderDesk;
}): ChannelPort {
  const { channel, live, senders, desk } = input;
  const closedForMs = (id: string) => desk.closedForMs(id);
  const longest = Math.max(
    0,
    ...senders.map((sender) => sender.messageTimeoutMs + desk.waitMostMs(sender.id)),
  );
  const messageTimeoutMs =
    (longest || UNCONFIGURED.messageTimeoutMs) + (senders.length > 1 ? ELSEWHERE_MS : 0);

  function send(message: OutgoingMessage): Promise<SendResult> {
    const choice = chooseSenders(senders, message, closedForMs);
    if ('result' in choice) return Promise.resolve(choice.result);
    return carry(choice.senders, choice.able > 1, message);
  }

  async function carry(
    open: readonly SenderPort[],
    othersCan: boolean,
    message: OutgoingMessage,
  ): Promise<SendResult> {
    const until = performance.now() + messageTimeoutMs;
    let kept: SendResult | null = null;
    for (const [place, sender] of open.entries()) {
      const withinMs = until - performance.now() - sender.messageTimeoutMs;
      // The first has all the time there is, whatever moment has passed since it was counted.
      if (withinMs < 0 && place > 0) break;
      const admitted = desk.admit(sender.id, message, withinMs);
      if (admitted !== true && !(await admitted)) continue;
      let result: SendResult;
      try {
        result = { ...(await sender.send(message)), sender: sender.id };
      } catch {
        // A sender never throws for what a provider does; whatever this is, the message may be out.
        result = { ...resultOf('defect'), sender: sender.id };
      }
      desk.heard(sender.id, result, othersCan);
      if (!mayGoElsewhere(result)) return result;
      kept = moreHopeful(kept, result);
    }
    return kept ?? resultOf('no-sender');
  }

  async function find(message: OutgoingMessage, attempt: number) {
    const able = senders.filter((sender) => sender.refuses(message.address) === null);
    const answers = await Promise.all(
      able.map(async (sender) => ({ id: sender.id, found: await sender.find?.(message, attempt) })),
    );
    for (const { id, found } of answers) if (found && found !== 'unknown') return { ...found, sender: id };
    return answers.every(({ found }) => found === null) ? null : ('unknown' as const);
  }

  /** The first sender that can tell decides. */
  async function probe(address: string): Promise<'reachable' | 'unreachable' | 'unknown'> {
    for (const sender of senders) {
      if (!sender.probe || sender.refuses(address) !== null) continue;
      const answer = await sender.probe(address);
      if (answer !== 'unknown') return answer;
    }
    return 'unknown';
  }

  const limits = senders.map(({ id }) => desk.claimMost(id));
  return {
    channel,
    live,
    concurrency: Math.max(0, ...senders.map(({ concurrency }) => concurrency)) || UNCONFIGURED.concurrency,
    messageTimeoutMs,
    send,
    ...(senders.some((sender) => 'find' in sender) && { find }),
    ...(senders.some((sender) => 'probe' in sender) && { probe }),
    // The text is written before it is known who carries it.
    links: (address) => {
      const able = senders.filter((sender) => sender.refuses(address) === null);
      return able.length > 0 && able.every((sender) => sender.links?.(address) === true);
    },
    closedForMs: async () =>
      senders.length === 0 ? 0 : Math.min(...senders.map(({ id }) => desk.closedForMs(id))),
    // A sender without a limit takes what the others cannot.
    ...(limits.length > 0 &&
      limits.every((most) => most !== null) && {
        claimMost: () => Math.max(...senders.map(({ id }) => desk.claimMost(id) ?? 1)),
      }),
    close: async () => void (await Promise.all(senders.map((sender) => sender.close()))),
  };
}
