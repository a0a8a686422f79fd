/**
 * Connections to PostgreSQL as a process has them: each call takes a moment, a server that goes away breaks those that are
 * open, and a process that is killed hears nothing of its own any more.
 */
import type { Scheduler } from './scheduler.ts';

/** A worker process, or the web process that takes answers. Killed, it is never alive again; a new one takes its place. */
export type Process = { readonly name: string; alive: boolean };

/** What a connection is used for; faults are counted by it. */
export type Use = 'step' | 'claim' | 'abandoned' | 'settle' | 'ring' | 'answer' | 'office';

export class Unreachable extends Error {
  constructor() {
    super('PostgreSQL does not answer');
    this.name = 'Unreachable';
  }
}

export type Session = { readonly process: Process; readonly use: Use; broken: boolean };

export class Link {
  /** PostgreSQL is down. */
  away = false;
  /** Called before each event of a connection: here faults strike. */
  strike: () => void = () => undefined;
  readonly sessions = new Set<Session>();
  readonly scheduler: Scheduler;
  /** Share of statements after which others may come in between; 0 runs a transaction as one event. */
  readonly pauseShare: number;
  private readonly slow: number;

  constructor(scheduler: Scheduler, input: { pauseShare: number; slow: number }) {
    this.scheduler = scheduler;
    this.pauseShare = input.pauseShare;
    this.slow = input.slow;
  }

  open(process: Process, use: Use): Session {
    const session = { process, use, broken: this.away };
    this.sessions.add(session);
    return session;
  }

  close(session: Session): void {
    this.sessions.delete(session);
  }

  /** One round trip; never resolves for a killed process, rejects on a broken connection. */
  trip(session: Session): Promise<void> {
    return new Promise((resolve, reject) => {
      this.scheduler.after(this.latency(), () => {
        this.strike();
        if (!session.process.alive) return;
        if (session.broken) reject(new Unreachable());
        else resolve();
      });
    });
  }

  /** Mostly a millisecond or two, now and then much longer. */
  latency(): number {
    const { scheduler } = this;
    return scheduler.chance(this.slow) ? scheduler.between(5, 400) : scheduler.between(1, 3);
  }

  forget(process: Process): void {
    for (const session of this.sessions) if (session.process === process) this.sessions.delete(session);
  }

  breakAll(): void {
    for (const session of this.sessions) session.broken = true;
  }
}
