/**
 * The watchdog's loop: looks every few seconds into PostgreSQL and nowhere else, and shouts by its log and by e-mail. It
 * needs neither Temporal nor a worker. That PostgreSQL itself does not answer is a trouble too, by a clock of its own.
 *
 * What was shouted is remembered in this process alone: one that is started again shouts once more of what still lasts.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { createOperatorMail, type OperatorMail } from '../channels/operator-mail.ts';
import type { Config } from '../config.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { beat } from '../db/liveness.ts';
import { readWatchFacts } from '../db/watchdog.ts';
import { FenghuoError } from '../domain/errors.ts';
import { MINUTE_MS } from '../domain/time.ts';
import {
  findTroubles,
  LOOK_EVERY_MS,
  nextShouts,
  WATCHDOG_SIGN,
  type Shout,
  type Shouted,
  type Trouble,
  type Watch,
} from '../domain/watchdog.ts';
import { tellOfWaiting, type WaitingWords } from './waiting.ts';

/** Shouts that no mail server has taken yet; the oldest give way. */
const UNSENT_MOST = 50;

/** The command line's own words for what is shouted. */
export type ShoutWords = {
  /** For the log. */
  line(shout: Shout): string;
  mail(shout: Shout): { subject: string; text: string };
  mailFailed(reason: string): string;
};

export type RunningWatchdog = { stop(): Promise<void> };

/** Starts looking, also where PostgreSQL is away. */
export function startWatchdog(input: {
  config: Config;
  log: (line: string) => void;
  words: ShoutWords;
  waiting: WaitingWords;
}): RunningWatchdog {
  const { config } = input;
  const mail = operatorMail(config);
  const database = openDatabase({
    url: config.DATABASE_URL,
    schema: config.FENGHUO_SCHEMA,
    connectionsMost: 2,
    statementTimeoutMs: LOOK_EVERY_MS,
  });
  const dog = new Watchdog({ ...input, database, mail });
  const waiting = { ...input, database, words: input.waiting };
  const stopping = new AbortController();
  const done = (async () => {
    while (!stopping.signal.aborted) {
      await dog.look();
      // That PostgreSQL or a mail server is away was shouted above, or is logged.
      await tellOfWaiting(waiting).catch(() => 0);
      await wait(LOOK_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    await dog.close();
  })();
  return {
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

function operatorMail(config: Config): OperatorMail | null {
  const { FENGHUO_WATCHDOG_EMAIL: to, FENGHUO_SMTP_URL: url, FENGHUO_SMTP_FROM: from } = config;
  if (to === undefined) return null;
  if (url !== undefined) return createOperatorMail({ url, from, to });
  throw new FenghuoError({
    code: 'configuration',
    refusal: 'usage',
    sentence:
      'FENGHUO_WATCHDOG_EMAIL is set and FENGHUO_SMTP_URL is not: name the mail server, or no address.',
  });
}

class Watchdog {
  private watch: Watch | null = null;
  /** When PostgreSQL was first found away, and stayed so; by `performance.now()`. */
  private darkSince: number | null = null;
  private shouted: Shouted[] = [];
  private unsent: Shout[] = [];
  private sending: Promise<void> | null = null;
  private readonly database: Database;
  private readonly mail: OperatorMail | null;
  private readonly config: Config;
  private readonly log: (line: string) => void;
  private readonly words: ShoutWords;

  constructor(input: {
    database: Database;
    mail: OperatorMail | null;
    config: Config;
    log: (line: string) => void;
    words: ShoutWords;
  }) {
    this.database = input.database;
    this.mail = input.mail;
    this.config = input.config;
    this.log = input.log;
    this.words = input.words;
  }

  /** Looks once and shouts what is to be shouted; never throws. */
  async look(): Promise<void> {
    const troubles = await this.find();
    const { shouted, shouts } = nextShouts(this.shouted, troubles, {
      at: performance.now(),
      againMs: this.config.FENGHUO_WATCHDOG_AGAIN_MINUTES * MINUTE_MS,
    });
    this.shouted = shouted;
    for (const shout of shouts) this.log(this.words.line(shout));
    if (this.mail) this.unsent = [...this.unsent, ...shouts].slice(-UNSENT_MOST);
    // A mail server that hangs must not keep the watchdog from looking.
    this.sending ??= this.sendMails().finally(() => (this.sending = null));
  }

  /** Waits for the mail that is under way. */
  async close(): Promise<void> {
    await this.sending;
    await this.database.close();
  }

  private async find(): Promise<Trouble[]> {
    const windowMs = this.config.FENGHUO_WATCHDOG_SECONDS * 1_000;
    try {
      const facts = await readWatchFacts(this.database, windowMs);
      const found = findTroubles(facts, { windowMs, watch: this.watch });
      this.watch = found.watch;
      this.darkSince = null;
      await beat(this.database, WATCHDOG_SIGN);
      return found.troubles;
    } catch {
      const now = performance.now();
      this.watch = null;
      this.darkSince ??= now;
      const forMs = now - this.darkSince;
      // What was wrong before is not seen now; it is neither over nor shouted again.
      const before = this.shouted
        .map(({ trouble }) => trouble)
        .filter((trouble) => trouble.kind !== 'database gone');
      if (forMs <= windowMs) return before;
      return [...before, { kind: 'database gone', subject: '', forMs, openWarnings: 0 }];
    }
  }

  /** In the order in which they were shouted; what the server does not take is tried again at the next look. */
  private async sendMails(): Promise<void> {
    while (this.mail && this.unsent[0]) {
      try {
        await this.mail.send(this.words.mail(this.unsent[0]));
        this.unsent.shift();
      } catch (error) {
        this.log(this.words.mailFailed((error as { code?: string }).code ?? 'unknown fault'));
        return;
      }
    }
  }
}
