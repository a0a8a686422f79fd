/**
 * Where a worker's messages pass before they leave by a sender: its rate and its circuit, both shared with all other workers in
 * PostgreSQL. Without a rate and with all well, a message costs no statement: the circuits are read once a second while something
 * is sent, and written when one changes.
 */
import { performance } from 'node:perf_hooks';
import {
  closeSender,
  openSender,
  readSenderHealth,
  registerSenders,
  reserveTurns,
  slowSender,
  takeProbe,
} from '../db/senders.ts';
import type { Sql } from '../db/database.ts';
import { closedMs, FAILURES_MOST, newsOf, type SenderNews } from '../domain/circuits.ts';
import { nameOfKind, type WarningKind } from '../domain/kinds.ts';
import { LEVELS } from '../domain/levels.ts';
import type { OutgoingMessage, SendResult } from '../domain/ports.ts';
import type { SenderDesk } from '../domain/routing.ts';
import type { Channel } from '../domain/rules.ts';
import { MINUTE_MS } from '../domain/time.ts';
import { keepTurns, LEAD_MS, SHARE, type TurnKeeper } from './turns.ts';

/** A sender as the desk knows it. `parts`: what its provider counts of a message, one each where left out. */
export type DeskSender = {
  id: string;
  channel: Channel;
  perSecond: number | null;
  parts?: (message: OutgoingMessage) => number;
};

const READ_EVERY_MS = 1_000;

/** A message waits for its turn so long at most; then it goes by another sender, or comes again later. */
const TURN_WAIT_MOST_MS = 5_000;

/** Longer than any send, so that no second probe leaves before the first has come back. */
const PROBE_LEASE_MS = 30_000;

const SLOWED_MS = MINUTE_MS;

const RANKS = Object.fromEntries(LEVELS.map(({ id }, rank) => [id, rank])) as Record<
  OutgoingMessage['level'],
  number
>;

type ClosingNews = Exclude<SenderNews, 'well' | 'slows down'>;

/** What one message said of its sender. */
type Word<News = SenderNews> = { news: News; reason: string; othersCanCarry: boolean };

type Desked = {
  sender: DeskSender;
  turns: TurnKeeper | null;
  /** The circuit, as this worker knows it; open without a reason. `until` is of our monotonic clock. */
  circuit: { reason: string | null; until: number; failures: number };
  changedAt: number;
  probing: boolean;
  failuresInARow: number;
  slowedUntil: number;
};

export type Desk = SenderDesk & { close(): Promise<void> };

export function createDesk(input: {
  database: Sql;
  senders: readonly DeskSender[];
  log: (line: string) => void;
  /** Whose rates and circuits these are: a stand-in that fails never stops the live sender of the same name. */
  serves: WarningKind;
}): Desk {
  const { database, senders, log } = input;
  // Live senders and stand-ins of the same name never share a rate or a circuit.
  const rowOf = (id: string) => nameOfKind(input.serves, id);
  let registering: Promise<void> | null = null;
  let readAt = -Infinity;
  const underWay = new Set<Promise<unknown>>();

  /** Known to PostgreSQL before anything else is asked of it; tried again with the next message where it failed. */
  function registered(): Promise<void> {
    registering ??= registerSenders(
      database,
      senders.map((sender) => ({ ...sender, id: rowOf(sender.id) })),
    ).catch((error: unknown) => {
      registering = null;
      throw error;
    });
    return registering;
  }

  /** Changes that no message waits for: where PostgreSQL is away, this worker still acts on what it has seen. */
  function inBackground(work: () => Promise<unknown>): void {
    const running = registered()
      .then(work)
      .catch(() => undefined)
      .finally(() => underWay.delete(running));
    underWay.add(running);
  }

  const desked = new Map(
    senders.map((sender): [string, Desked] => {
      const { id, perSecond } = sender;
      const reserve: Parameters<typeof keepTurns>[0]['reserve'] = async (ask) => {
        await registered();
        return reserveTurns(database, { ...ask, id: rowOf(id), leadMs: LEAD_MS, share: SHARE });
      };
      return [
        id,
        {
          sender,
          turns: perSecond === null ? null : keepTurns({ perSecond, reserve }),
          circuit: { reason: null, until: 0, failures: 0 },
          changedAt: -Infinity,
          probing: false,
          failuresInARow: 0,
          slowedUntil: 0,
        },
      ];
    }),
  );

  function of(id: string): Desked {
    const known = desked.get(id);
    if (!known) throw new RangeError(`there is no sender ${id}`);
    return known;
  }

  function readNowAndThen(now: number): void {
    if (now - readAt < READ_EVERY_MS) return;
    readAt = now;
    inBackground(async () => {
      const askedAt = performance.now();
      for (const { id, closedForMs, reason, failures } of await readSenderHealth(database)) {
        const one = [...desked.values()].find(({ sender }) => rowOf(sender.id) === id);
        // What changed here since is newer than what was read.
        if (!one || one.changedAt > askedAt) continue;
        one.circuit = { reason, failures, until: performance.now() + closedForMs };
      }
    });
  }

  function closedForMs(id: string): number {
    const now = performance.now();
    readNowAndThen(now);
    const { circuit } = of(id);
    return circuit.reason === null ? 0 : Math.max(0, Math.ceil(circuit.until - now));
  }

  function admit(id: string, message: OutgoingMessage, withinMs: number): true | Promise<boolean> {
    const one = of(id);
    if (one.circuit.reason !== null) return probe(one);
    return one.turns ? turn(one, one.turns, message, withinMs) : true;
  }

  function turn(one: Desked, turns: TurnKeeper, message: OutgoingMessage, withinMs: number) {
    const parts = one.sender.parts?.(message) ?? 1;
    return turns.turn({
      level: RANKS[message.level],
      parts,
      withinMs: Math.min(withinMs, TURN_WAIT_MOST_MS),
    });
  }

  /** The circuit's time is over: one message of all workers finds out. */
  async function probe(one: Desked): Promise<boolean> {
    if (one.probing) return false;
    one.probing = true;
    const taken = await registered()
      .then(() => takeProbe(database, rowOf(one.sender.id), PROBE_LEASE_MS))
      .catch(() => false);
    if (!taken) one.probing = false;
    change(one, { ...one.circuit, until: performance.now() + (taken ? PROBE_LEASE_MS : READ_EVERY_MS) });
    return taken;
  }

  function heard(id: string, result: SendResult, othersCanCarry: boolean): void {
    const one = of(id);
    const news = newsOf(result, othersCanCarry);
    if (news === 'well' && one.circuit.reason === null && !one.probing) {
      one.failuresInARow = 0;
      return;
    }
    learn(one, { news, reason: 'reason' in result ? result.reason : '', othersCanCarry });
  }

  function learn(one: Desked, word: Word): void {
    const { probing } = one;
    const { news } = word;
    switch (news) {
      case 'well':
        one.failuresInARow = 0;
        // Messages that had left before the circuit closed say nothing about now.
        if (probing) open(one);
        return;
      case 'slows down':
        if (probing) open(one);
        return slowDown(one);
      case 'failing':
        one.failuresInARow += 1;
        if (probing || one.failuresInARow >= FAILURES_MOST) close(one, { ...word, news });
        return;
      default:
        return close(one, { ...word, news });
    }
  }

  function slowDown(one: Desked): void {
    const now = performance.now();
    // Nothing to halve without a rate: then the message alone comes later.
    if (!one.turns || now < one.slowedUntil - SLOWED_MS + READ_EVERY_MS) return;
    one.slowedUntil = now + SLOWED_MS;
    inBackground(() => slowSender(database, rowOf(one.sender.id), SLOWED_MS));
  }

  function close(one: Desked, { news, reason, othersCanCarry }: Word<ClosingNews>): void {
    // The other messages of the same moment say the same.
    if (one.circuit.reason !== null && !one.probing) return;
    const failures = one.circuit.failures + 1;
    const forMs = closedMs(news, failures, othersCanCarry);
    change(one, { reason, failures, until: performance.now() + forMs });
    one.probing = false;
    one.failuresInARow = 0;
    log(`The sender ${one.sender.id} takes nothing (${reason}): it is tried again in ${forMs / 1000} s.`);
    inBackground(() => closeSender(database, { id: rowOf(one.sender.id), reason, forMs, failures }));
  }

  function open(one: Desked): void {
    change(one, { reason: null, failures: 0, until: 0 });
    one.probing = false;
    log(`The sender ${one.sender.id} takes messages again.`);
    inBackground(() => openSender(database, rowOf(one.sender.id)));
  }

  function change(one: Desked, circuit: Desked['circuit']): void {
    one.circuit = circuit;
    one.changedAt = performance.now();
  }

  return {
    closedForMs,
    admit,
    waitMostMs: (id) => (of(id).turns ? TURN_WAIT_MOST_MS : 0),
    claimMost: (id) => of(id).turns?.claimMost() ?? null,
    heard,
    close: async () => {
      for (const { turns } of desked.values()) turns?.close();
      await Promise.all(underWay);
    },
  };
}
