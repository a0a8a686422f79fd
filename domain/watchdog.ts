/**
 * What is wrong with an installation, as far as PostgreSQL shows it, and what to shout of it when. Pure: `db/watchdog.ts`
 * reads the facts, `worker/watchdog.ts` looks again and again, the command line says it in words.
 *
 * Temporal is known from here by its workers: each asks it every few seconds and writes down that it answered. Where workers
 * live and none of them gets an answer, Temporal is gone; where no worker lives, nobody knows, and nothing moves anyhow.
 */
import { isGivenUp, KINDS } from './kinds.ts';
import type { Instant } from './time.ts';

/** Silent or standing still for longer than this is a trouble. Seconds; `FENGHUO_WATCHDOG_SECONDS`. */
export const WATCH_WINDOW_S = { default: 20, least: 8, most: 30 } as const;
/** How often the watchdog looks. */
export const LOOK_EVERY_MS = 4_000;
/**
 * A slice may wait for one answer of a mail server for as long as its lease lasts, 25 s; so messages get half as much time
 * again as letters before they count as standing still. The longest way from a fault to its shout is then
 * 1.5 × 30 s + 4 s = 49 s, with the default window 34 s: within the minute that is promised.
 */
export const PAGES_PATIENCE = 1.5;

/** This part of the window without a sign is more than one missed sign: workers or Temporal are about to count as gone. */
const NEARLY = 0.75;

/** The name under which a worker that reached Temporal writes that down. */
export const TEMPORAL_SIGN = 'temporal';

/** The name under which a watchdog shows that it looks. */
export const WATCHDOG_SIGN = 'watchdog';

/** The name under which whoever conducts what schedules of drills ask for shows that it lives. */
export const DRILL_SERVER_SIGN = 'drill serve';

/** The name under which whoever reads a feed of CAP messages shows until when it should have read it again. */
export function feedSign(url: string): string {
  return `${FEED_SIGN}${url}`;
}
export const FEED_SIGN = 'feed ';

/** The name under which a worker shows that it lives. */
export function workerSign(kind: 'exercise' | 'actual', process: string): string {
  return `worker ${kind} ${process}`;
}

/** A cascade with work that nobody takes up. */
export type Standing = {
  warningId: number;
  kind: 'exercise' | 'actual';
  /** Cells with letters or deadlines that wait, and pages with messages that wait. */
  cells: number;
  pages: number;
  /** Since when its work waits and nothing of it has moved. */
  since: Instant;
};

/** What PostgreSQL shows, by its own clock. Last signs of life are null where there never was one. */
export type WatchFacts = {
  now: Instant;
  workerAt: Readonly<Record<'exercise' | 'actual', Instant | null>>;
  temporalAt: Instant | null;
  /** Of the web processes that take the answers to each kind. */
  intakeAt: Readonly<Record<'exercise' | 'actual', Instant | null>>;
  openWarnings: Readonly<Record<'exercise' | 'actual', number>>;
  /** Of whoever conducts the drills of schedules. */
  drillServerAt: Instant | null;
  /** Since when there has been a schedule of drills; null where there is none. */
  scheduledSince: Instant | null;
  /** What `cap poll` has under way, and when each feed should have been read again at the latest. */
  feeds: readonly { url: string; dueAt: Instant }[];
  standing: readonly Standing[];
};

export const TROUBLES = [
  'database gone',
  'workers gone',
  'temporal gone',
  'intake gone',
  'no progress',
  'drills unserved',
  'feed unread',
] as const;
export type TroubleKind = (typeof TROUBLES)[number];

export type Trouble = {
  kind: TroubleKind;
  /** `exercise` or `actual` where workers or web processes of one kind are gone, `W12` where a cascade stands, a feed's address; else empty. */
  subject: string;
  /** How long it has lasted, as far as is known. */
  forMs: number;
  /** How many open warnings it concerns. */
  openWarnings: number;
};

/** From when on silence counts: the watchdog may have slept, or PostgreSQL been away. */
export type Watch = {
  /** The first of the looks that found PostgreSQL there, one after the other. */
  since: Instant;
  /** The last look that found workers or Temporal gone, or nearly: after that a cascade has its time to move again. */
  hinderedAt: Instant;
};

/** Counts silence from the beginning of time: for one look by a person, who wants to know how it is now. */
export const AT_ONCE: Watch = { since: -Infinity, hinderedAt: -Infinity };

/** Finds what is wrong. `watch` is null for the first look after a time without one. */
export function findTroubles(
  facts: WatchFacts,
  input: { windowMs: number; watch: Watch | null },
): { troubles: Trouble[]; watch: Watch } {
  const { now } = facts;
  const watch = input.watch ?? { since: now, hinderedAt: -Infinity };
  const silentMs = (at: Instant) => now - Math.max(at, watch.since);
  const hindrances = [...workersGone(facts, silentMs), ...temporalGone(facts, silentMs)];
  const causes = hindrances.filter((trouble) => trouble.forMs > input.windowMs);
  const hindered = hindrances.some((trouble) => trouble.forMs > input.windowMs * NEARLY);
  const bystanders = [
    ...intakeGone(facts, silentMs),
    ...drillsUnserved(facts, silentMs),
    ...feedsUnread(facts, silentMs),
  ];
  const standing = facts.standing.map(({ warningId, since }): Trouble => ({
    kind: 'no progress',
    subject: `W${warningId}`,
    forMs: silentMs(Math.max(since, watch.hinderedAt)),
    openWarnings: 1,
  }));
  // Without workers or Temporal every cascade stands: one shout for the cause, also where the cause is a moment behind.
  const others = hindered ? bystanders : [...bystanders, ...standing];
  return {
    troubles: [...causes, ...others.filter((trouble) => trouble.forMs > input.windowMs)],
    watch: { since: watch.since, hinderedAt: hindered ? now : watch.hinderedAt },
  };
}

/** Workers of each kind that has open warnings; where none is open, any worker will do. */
function workersGone(facts: WatchFacts, silentMs: (at: Instant) => number): Trouble[] {
  const { workerAt, openWarnings } = facts;
  const needed = (['exercise', 'actual'] as const).filter((kind) => openWarnings[kind] > 0);
  if (needed.length > 0) {
    return needed.map((kind) => ({
      kind: 'workers gone',
      subject: kind,
      forMs: silentMs(workerAt[kind] ?? -Infinity),
      openWarnings: openWarnings[kind],
    }));
  }
  const last = Math.max(workerAt.exercise ?? -Infinity, workerAt.actual ?? -Infinity);
  // An installation that never had one is being set up.
  if (last === -Infinity) return [];
  return [{ kind: 'workers gone', subject: '', forMs: silentMs(last), openWarnings: 0 }];
}

/** Where no web process ever lived answers are taken by command; one that has been away for long, with nothing open, is given up. */
function intakeGone(facts: WatchFacts, silentMs: (at: Instant) => number): Trouble[] {
  return KINDS.flatMap((kind): Trouble[] => {
    const [at, openWarnings] = [facts.intakeAt[kind], facts.openWarnings[kind]];
    if (at === null || (openWarnings === 0 && isGivenUp(at, facts.now))) return [];
    return [{ kind: 'intake gone', subject: kind, forMs: silentMs(at), openWarnings }];
  });
}

/** Times of a schedule come and go unheard where nobody conducts its drills; without a schedule nobody has to. */
function drillsUnserved(facts: WatchFacts, silentMs: (at: Instant) => number): Trouble[] {
  const { drillServerAt, scheduledSince } = facts;
  if (scheduledSince === null) return [];
  const forMs = silentMs(Math.max(scheduledSince, drillServerAt ?? -Infinity));
  return [{ kind: 'drills unserved', subject: '', forMs, openWarnings: 0 }];
}

/** Whether its reader is gone or its issuer: the warnings of a feed that nobody has read are those that nobody hears of. */
function feedsUnread(facts: WatchFacts, silentMs: (at: Instant) => number): Trouble[] {
  return facts.feeds.map(({ url, dueAt }) => ({
    kind: 'feed unread',
    subject: url,
    forMs: silentMs(dueAt),
    openWarnings: 0,
  }));
}

/** Said only where a worker lives that would have shown that it reaches Temporal. */
function temporalGone(facts: WatchFacts, silentMs: (at: Instant) => number): Trouble[] {
  const { temporalAt, workerAt, openWarnings } = facts;
  const lastWorker = Math.max(workerAt.exercise ?? -Infinity, workerAt.actual ?? -Infinity);
  if (temporalAt === null || silentMs(lastWorker) >= silentMs(temporalAt)) return [];
  const open = openWarnings.exercise + openWarnings.actual;
  return [{ kind: 'temporal gone', subject: '', forMs: silentMs(temporalAt), openWarnings: open }];
}

export type Shout = { when: 'begun' | 'again' | 'over'; trouble: Trouble };

/** A trouble that was shouted, and when last. */
export type Shouted = { trouble: Trouble; at: number };

/**
 * What to shout now: each trouble once when it begins, again after `againMs`, and once when it is over. `at` is any clock
 * that only goes forward.
 */
export function nextShouts(
  shouted: readonly Shouted[],
  troubles: readonly Trouble[],
  input: { at: number; againMs: number },
): { shouted: Shouted[]; shouts: Shout[] } {
  const { at, againMs } = input;
  const same = (one: Trouble) => (other: { trouble: Trouble }) =>
    other.trouble.kind === one.kind && other.trouble.subject === one.subject;
  const shouts: Shout[] = [];
  const now = troubles.map((trouble): Shouted => {
    const before = shouted.find(same(trouble));
    if (before && at - before.at < againMs) return { trouble, at: before.at };
    shouts.push({ when: before ? 'again' : 'begun', trouble });
    return { trouble, at };
  });
  const over = shouted.filter(({ trouble }) => !now.some(same(trouble)));
  return {
    shouted: now,
    shouts: [...shouts, ...over.map(({ trouble }): Shout => ({ when: 'over', trouble }))],
  };
}
