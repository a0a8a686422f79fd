/**
 * The people behind the addresses: each message that arrives may make someone answer after a while. What waits is timers;
 * a stopped sandbox forgets them. Each person answers one warning once, except who cannot act and says so each time.
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { Agent } from 'undici';
import type { Channel } from '../domain/rules.ts';
import { visitAnswerPage } from './answer-page-visit.ts';
import type { Ledger, LedgerAct } from './ledger.ts';
import { answerMeans, decide, type AnswerMeans, type PeopleModel } from './people.ts';
import { createReplyPush, type PushedReply, type PushResult } from './reply-push.ts';

/** Connections to the web process, for pages and pushes together. */
const CONNECTIONS = 16;

/** Node's timers end at about 24.8 days; nobody waits longer. */
const DELAY_MOST_MS = 2 ** 31 - 1;

export type Arrival = {
  channel: Channel;
  warningId: string;
  deliveryId: string;
  address: string;
  step: string | null;
  speed: number | null;
  /** The text as its reader sees it; asked for only where somebody will answer. */
  text: () => string | null;
  /** How answers travel, where it is not by the SMS gateway's push. */
  ways?: AnswerWays;
};

export type AnswerWays = {
  sms?: (reply: PushedReply) => Promise<PushResult>;
  /** Somebody will take the call; told at once. */
  expected?: () => void;
  /** Whoever takes the call presses this key in the end. */
  voice?: (key: string) => Promise<PushResult>;
  /** A telephone rings no longer than this; who takes it at all has taken it by then. */
  withinMs?: number;
};

type Means = AnswerMeans | { via: 'voice' };

export type Crowd = {
  /** A message has arrived. */
  notice(arrival: Arrival): void;
  /** An act of an earlier life of this sandbox: who answered then does not answer again. */
  remember(act: Pick<LedgerAct, 'warningId' | 'address' | 'kind'>): void;
  /** Answers still to come, and answers on their way. */
  waiting(): { toCome: number; onTheirWay: number };
  /** Drops all that is to come and waits for what is being written. */
  stop(): Promise<void>;
};

/** Brings people of a model to life; `onAct` hears of each act as it is recorded. */
export function createCrowd(input: {
  seed: string;
  model: PeopleModel;
  ledger: Ledger;
  repliesUrl: string;
  secret: string;
  log: (line: string) => void;
  onAct: (act: LedgerAct) => void;
}): Crowd {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  const push = createReplyPush({ ...input, agent });
  const stopping = new AbortController();
  // Everyone who waits for the web process listens to this one signal.
  setMaxListeners(0, stopping.signal);
  const timers = new Set<NodeJS.Timeout>();
  const onTheirWay = new Set<Promise<void>>();
  const answered = new Set<string>();

  function notice(arrival: Arrival): void {
    const { address, channel, step, speed } = arrival;
    const decision = decide(
      input.seed,
      { address, channel, step: step ?? '', speed: speed ?? 1 },
      input.model,
    );
    if (!decision.answers || answered.has(personKey(arrival))) return;
    const { warningId, deliveryId, ways = {} } = arrival;
    const means = ways.voice ? { via: 'voice' as const } : answerMeans(channel, arrival.text() ?? '');
    if (means === null) return;
    ways.expected?.();
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        const acting = act({ warningId, deliveryId, address, kind: decision.kind }, means, ways)
          .catch((error: unknown) => input.log(`An answer was not given: ${String(error)}`))
          .finally(() => onTheirWay.delete(acting));
        onTheirWay.add(acting);
      },
      Math.min(decision.delayMs, ways.withinMs ?? DELAY_MOST_MS, DELAY_MOST_MS),
    );
    timers.add(timer);
  }

  async function act(
    who: Pick<LedgerAct, 'warningId' | 'deliveryId' | 'address' | 'kind'>,
    means: Means,
    ways: AnswerWays,
  ) {
    if (stopping.signal.aborted || answered.has(personKey(who))) return;
    remember(who);
    const entry: LedgerAct = {
      type: 'act',
      actId: randomUUID(),
      ...who,
      via: means.via,
      at: new Date().toISOString(),
    };
    await input.ledger.act(entry);
    input.onAct(entry);
    const status = await answer(entry, means, ways);
    // Dropped by the stop: whether it arrived is not known, so nothing is recorded.
    if (stopping.signal.aborted && status === 'given-up') return;
    // Who reached nobody may answer the next message.
    if (status === 'given-up') answered.delete(personKey(who));
    await input.ledger.act({ type: 'result', actId: entry.actId, at: new Date().toISOString(), status });
  }

  function answer(
    { actId, address, kind, at }: LedgerAct,
    means: Means,
    ways: AnswerWays,
  ): Promise<PushResult> {
    const key = kind === 'received' ? '1' : '3';
    if (means.via === 'voice') return ways.voice?.(key) ?? Promise.resolve('given-up');
    if (means.via === 'sms') {
      const reply = { id: actId, from: address, text: `${key} ${means.number}`, at };
      return ways.sms ? ways.sms(reply) : push.push(reply);
    }
    return visitAnswerPage({
      link: means.link,
      number: means.number,
      answer: kind === 'received' ? 'received' : 'cannot',
      agent,
      signal: stopping.signal,
    });
  }

  function remember(who: Pick<LedgerAct, 'warningId' | 'address' | 'kind'>): void {
    if (who.kind === 'received') answered.add(personKey(who));
  }

  return {
    notice,
    remember,
    waiting: () => ({ toCome: timers.size, onTheirWay: onTheirWay.size }),
    stop: async () => {
      stopping.abort();
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      push.stop();
      await agent.destroy();
      await Promise.all(onTheirWay);
    },
  };
}

function personKey({ warningId, address }: { warningId: string; address: string }): string {
  return `${warningId}|${address}`;
}
