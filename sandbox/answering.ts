/**
 * Hands of the people behind the addresses: what somebody is about to do waits here as a timer, is written into the ledger when it is
 * done, and then done. A stopped sandbox forgets the timers.
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { Agent } from 'undici';
import { visitAnswerPage } from './answer-page-visit.ts';
import type { Ledger, LedgerAct } from './ledger.ts';
import type { AnswerMeans } from './people.ts';
import { createReplyPush, type PushedReply, type PushResult } from './reply-push.ts';

/** Connections to the web process, for pages and pushes together. */
const CONNECTIONS = 16;

/** Node's timers end at about 24.8 days; what lies beyond is waited for in turns. */
const DELAY_MOST_MS = 2 ** 31 - 1;

/** How answers travel, where it is not by the SMS gateway's push. */
export type AnswerWays = {
  sms?: (reply: PushedReply) => Promise<PushResult>;
  /** Somebody will take the call; told at once. */
  expected?: () => void;
  /** Whoever takes the call presses this key in the end. */
  voice?: (key: string) => Promise<PushResult>;
  /** Nobody takes the call; for who is in a cast: else the stand-in itself decides how it ends. */
  unanswered?: () => void;
  /** A telephone rings no longer than this; who takes it at all has taken it by then. */
  withinMs?: number;
};

export type Means = AnswerMeans | { via: 'voice' };

/** Something a person does. */
export type Doing = {
  who: Pick<LedgerAct, 'warningId' | 'deliveryId' | 'address' | 'kind'>;
  means: Means;
  ways: AnswerWays;
  /** It stands in the ledger already, and nobody knows whether it arrived: the same reply once more. */
  actId?: string;
  /** It reached nobody. */
  lost?: () => void;
};

export type Answering = {
  /** Asks after so many milliseconds what is done, and does it; null: nothing. */
  after(delayMs: number, begin: () => Doing | null): void;
  /** Answers still to come, and answers on their way. */
  waiting(): { toCome: number; onTheirWay: number };
  /** Drops all that is to come and waits for what is being written. */
  stop(): Promise<void>;
};

/** Key of a telephone and figure of an SMS for each answer; *done* has no key. */
const FIGURES = { received: '1', done: '2', 'cannot act': '3' } as const satisfies Record<
  LedgerAct['kind'],
  string
>;
const FORM_WORDS = { received: 'received', done: 'done', 'cannot act': 'cannot' } as const;

/** `onAct` hears of each act as it is recorded. */
export function createAnswering(input: {
  ledger: Ledger;
  repliesUrl: string;
  secret: string;
  log: (line: string) => void;
  onAct: (act: LedgerAct) => void;
}): Answering {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  const push = createReplyPush({ ...input, agent });
  const stopping = new AbortController();
  // Everyone who waits for the web process listens to this one signal.
  setMaxListeners(0, stopping.signal);
  const timers = new Set<NodeJS.Timeout>();
  const onTheirWay = new Set<Promise<void>>();

  function after(delayMs: number, begin: () => Doing | null): void {
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        if (delayMs > DELAY_MOST_MS) return after(delayMs - DELAY_MOST_MS, begin);
        if (stopping.signal.aborted) return;
        const doing = begin();
        if (doing === null) return;
        const acting = act(doing)
          .catch((error: unknown) => input.log(`An answer was not given: ${String(error)}`))
          .finally(() => onTheirWay.delete(acting));
        onTheirWay.add(acting);
      },
      Math.min(delayMs, DELAY_MOST_MS),
    );
    timers.add(timer);
  }

  async function act(doing: Doing): Promise<void> {
    const { who, means, ways } = doing;
    const at = new Date().toISOString();
    const actId = doing.actId ?? randomUUID();
    const entry: LedgerAct = { type: 'act', actId, ...who, via: means.via, at };
    if (doing.actId === undefined) {
      await input.ledger.act(entry);
      input.onAct(entry);
    }
    const status = await answer(entry, means, ways);
    // Dropped by the stop: whether it arrived is not known, so nothing is recorded.
    if (stopping.signal.aborted && status === 'given-up') return;
    if (status === 'given-up') doing.lost?.();
    await input.ledger.act({ type: 'result', actId, at: new Date().toISOString(), status });
  }

  function answer(
    { actId, address, kind, at }: LedgerAct,
    means: Means,
    ways: AnswerWays,
  ): Promise<PushResult> {
    const figure = FIGURES[kind];
    if (means.via === 'voice') return ways.voice?.(figure) ?? Promise.resolve('given-up');
    if (means.via === 'sms') {
      const reply = { id: actId, from: address, text: `${figure} ${means.number}`, at };
      return ways.sms ? ways.sms(reply) : push.push(reply);
    }
    const { link, number } = means;
    return visitAnswerPage({ link, number, answer: FORM_WORDS[kind], agent, signal: stopping.signal });
  }

  return {
    after,
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
