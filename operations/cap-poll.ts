/**
 * Issuers that publish instead of calling: a feed (Atom, RSS) or a plain message is looked at again and again. What it announces is
 * written down with its ETag in one transaction, so no entry is forgotten; what was taken is never taken twice, also over
 * restarts. An entry that fails waits for the next round and holds up no other.
 */
import { markEntry, putFeed, readFeedState, readOpenEntries, type OpenEntry } from '../db/cap-feeds.ts';
import { isUnreachable, type Database } from '../db/database.ts';
import { fetchFault, type Fetch } from '../domain/cap/exchange.ts';
import { readFeed } from '../domain/cap/feed.ts';
import { isError, sentenceOf } from '../domain/cap/findings.ts';
import { FenghuoError } from '../domain/errors.ts';
import { MINUTE_MS } from '../domain/time.ts';
import { receiveCap, type CapSettings, type Received } from './cap-receive.ts';

export type Polled = {
  /** The feed itself was the same as before. */
  unchanged: boolean;
  /** What was judged in this round. */
  received: { link: string; result: Received }[];
  /** What could not be fetched, or what nobody took for a day, `attempts` times so far; tried again in the next round, unless `givenUp`. */
  failed: { link: string; reason: string; attempts: number; givenUp: boolean }[];
};

const ENTRIES_A_ROUND_MOST = 200;
/** Fetched at once: a server that hangs must not hold up what is beside it. Each is at most 2 MiB. */
const FETCHED_AT_ONCE = 8;
/** After this time the feed is looked at again, and what is left waits for the next round, least tried first. */
const ROUND_MS = 60_000;
/** A link that has failed for so long is dead: without `expires` a warning would be over by now (docs/cap.md). */
const TRIED_MS_MOST = 24 * 60 * MINUTE_MS;

export async function pollCap(
  database: Database,
  input: {
    url: string;
    fetch: Fetch;
    settings: CapSettings;
    /** Beside the feed's own host. */
    otherHosts: readonly string[];
    signal?: AbortSignal;
  },
): Promise<Polled> {
  const { url, fetch, settings } = input;
  const known = (await readFeedState(database, url)) ?? { etag: null, lastModified: null };
  const fetched = await fetch(url, known);
  const polled: Polled = { unchanged: fetched.body === null, received: [], failed: [] };
  if (fetched.body) {
    const { etag, lastModified } = fetched;
    const feed = readFeed(fetched.body);
    if (feed.kind === 'neither') throw noFeed(url, feed.fault ? sentenceOf(feed.fault, 'en') : null);
    const entries = feed.kind === 'feed' ? feed.entries : [];
    if (feed.kind === 'message') {
      const result = await receiveCap(database, { bytes: fetched.body, origin: url }, settings);
      polled.received.push({ link: url, result });
      // What is held must be looked at again, whatever its server says of it.
      const tag = result.verdict === 'held' ? { etag: null, lastModified: null } : { etag, lastModified };
      await putFeed(database, { url, ...tag, entries });
    } else {
      await database.transaction((sql) => putFeed(sql, { url, etag, lastModified, entries }));
    }
  }
  await takeEntries(database, input, polled);
  return polled;
}

async function takeEntries(
  database: Database,
  input: Parameters<typeof pollCap>[1],
  polled: Polled,
): Promise<void> {
  const { url, settings, signal } = input;
  const until = performance.now() + ROUND_MS;
  const entries = await readOpenEntries(database, url, ENTRIES_A_ROUND_MOST);
  for (let from = 0; from < entries.length; from += FETCHED_AT_ONCE) {
    if (signal?.aborted || performance.now() > until) return;
    const some = entries.slice(from, from + FETCHED_AT_ONCE);
    const fetched = await Promise.allSettled(some.map((entry) => fetchEntry(entry, input)));
    // Taken one after the other, in their order: what ends a warning comes after it.
    for (const [place, entry] of some.entries()) {
      const got = fetched[place];
      try {
        if (got?.status !== 'fulfilled') throw got?.reason;
        const { link, bytes } = got.value;
        const result = await receiveCap(database, { bytes, origin: link }, settings);
        polled.received.push({ link, result });
        const held = result.verdict === 'held';
        const givenUp = held && entry.seenMs > TRIED_MS_MOST;
        const reason = givenUp ? untaken(result) : null;
        await markEntry(database, url, entry.key, { settled: !held || givenUp, fault: reason });
        if (reason !== null)
          polled.failed.push({ link: entry.link, reason, attempts: entry.attempts + 1, givenUp });
      } catch (error) {
        await putAside(database, url, { entry, error }, polled);
      }
    }
  }
}

async function fetchEntry(
  entry: OpenEntry,
  { url, fetch, otherHosts }: Parameters<typeof pollCap>[1],
): Promise<{ link: string; bytes: Buffer }> {
  const link = allowedLink(entry.link, url, otherHosts);
  const { body } = await fetch(link, { etag: null, lastModified: null });
  if (!body) throw fetchFault(link, 'the server sent nothing');
  return { link, bytes: body };
}

/** Why a message that was held for a day is not looked at again, and what somebody can still do. */
function untaken({ alert, findings }: Received): string {
  const why = findings.filter(isError).map((one) => sentenceOf(one, 'en'));
  const name = alert?.identifier ?? 'It';
  return `${name} was held for a day and is given up. ${why.join(' ')} Save it, and take it by: fenghuo warning issue --cap FILE.`;
}

/** Whatever is wrong with one entry, the others are taken; where the database is away nothing is. */
async function putAside(
  database: Database,
  url: string,
  { entry, error }: { entry: OpenEntry; error: unknown },
  polled: Polled,
): Promise<void> {
  const said = error instanceof FenghuoError ? error : null;
  if (said?.code !== 'cap-fetch' && isUnreachable(error)) throw error;
  const reason = said?.message ?? String(error);
  const attempts = entry.attempts + 1;
  const givenUp = said?.code === 'cap-link' || entry.seenMs > TRIED_MS_MOST;
  await markEntry(database, url, entry.key, { settled: givenUp, fault: reason });
  polled.failed.push({ link: entry.link, reason, attempts, givenUp });
}

/** A feed must not send us to addresses inside our own network: only to its own host, and to those named beside it. */
function allowedLink(link: string, feedUrl: string, otherHosts: readonly string[]): string {
  const feed = new URL(feedUrl);
  const target = URL.canParse(link, feedUrl) ? new URL(link, feedUrl) : null;
  const web = target?.protocol === 'https:' || (target?.protocol === 'http:' && feed.protocol === 'http:');
  if (target && web && (target.host === feed.host || otherHosts.includes(target.host))) return target.href;
  throw new FenghuoError({
    code: 'cap-link',
    refusal: 'failed',
    sentence: `The feed links to ${link}, which is not on ${feed.host}. If that is right, allow it with --host.`,
  });
}

function noFeed(url: string, reason: string | null): FenghuoError {
  return new FenghuoError({
    code: 'cap-feed',
    refusal: 'failed',
    sentence: `${url} is neither Atom nor RSS nor CAP.${reason === null ? '' : ` ${reason}`}`,
  });
}
