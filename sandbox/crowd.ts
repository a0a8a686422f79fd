/**
 * The ordinary people behind the addresses, by the model of people.ts: each message that arrives may make someone answer after a
 * while. Each person answers one warning once, except who cannot act and says so each time. Whoever is in the cast of a drill is not
 * of the crowd: players.ts has them.
 */
import type { Channel } from '../domain/rules.ts';
import type { Answering, AnswerWays } from './answering.ts';
import type { LedgerAct } from './ledger.ts';
import { answerMeans, decide, type PeopleModel } from './people.ts';

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

export type Crowd = {
  /** A message has arrived. */
  notice(arrival: Arrival): void;
  /** An act of an earlier life of this sandbox: who answered then does not answer again. */
  remember(act: Pick<LedgerAct, 'warningId' | 'address' | 'kind'>): void;
};

/** Brings people of a model to life. */
export function createCrowd(input: { seed: string; model: PeopleModel; answering: Answering }): Crowd {
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
    const who = { warningId, deliveryId, address, kind: decision.kind };
    input.answering.after(Math.min(decision.delayMs, ways.withinMs ?? Infinity), () => {
      if (answered.has(personKey(who))) return null;
      remember(who);
      // Who reached nobody may answer the next message.
      return { who, means, ways, lost: () => answered.delete(personKey(who)) };
    });
  }

  function remember(who: Pick<LedgerAct, 'warningId' | 'address' | 'kind'>): void {
    if (who.kind === 'received') answered.add(personKey(who));
  }

  return { notice, remember };
}

function personKey({ warningId, address }: { warningId: string; address: string }): string {
  return `${warningId}|${address}`;
}
