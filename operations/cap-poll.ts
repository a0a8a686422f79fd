/**
 * Issuers that publish instead of calling: a feed (Atom, RSS) or a plain message is looked at again and again. What it announces is
 * written down with its ETag in one transaction, so no entry is forgotten; what was taken is never taken twice, also over
 * restarts. An entry that fails waits for the next round and holds up no other.
 */
import { markEntry, putFeed, readFeedState, readOpenEntries } from '../db/cap-feeds.ts';
import type { Database } from '../db/database.ts';
import { fetchFault, type Fetch } from '../domain/cap/exchange.ts';
import { readFeed } from '../domain/cap/feed.ts';
import { sentenceOf } from '../domain/cap/findings.ts';
import { FenghuoError } from '../domain/errors.ts';
import { receiveCap, type CapSettings, type Received } from './cap-receive.ts';

export type Polled = {
  /** The feed itself was the same as before. */
  unchanged: boolean;
  /** What was judged in this round. */
  received: { link: string; result: Received }[];
  /** What could not be fetched; tried again in the next round, `attempts` times in all. */
  failed: { link: string; reason: string; attempts: number; givenUp: boolean }[];
};

const ENTRIES_A_ROUND_MOST = 200;
/** A link that fails as often is dead. */
const ATTEMPTS_MOST = 20;

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
  const { url, fetch, settings, signal } = input;
  for (const entry of await readOpenEntries(database, url, ENTRIES_A_ROUND_MOST)) {
    if (signal?.aborted) return;
    const { key } = entry;
    try {
      const link = allowedLink(entry.link, url, input.otherHosts);
      const { body } = await fetch(link, { etag: null, lastModified: null });
      if (!body) throw fetchFault(link, 'the server sent nothing');
      const result = await receiveCap(database, { bytes: body, origin: link }, settings);
      polled.received.push({ link, result });
      await markEntry(database, url, key, { settled: result.verdict !== 'held', fault: null });
    } catch (error) {
      if (!(error instanceof FenghuoError) || error.code === 'database-unreachable') throw error;
      const attempts = entry.attempts + 1;
      const givenUp = error.code === 'cap-link' || attempts >= ATTEMPTS_MOST;
      await markEntry(database, url, key, { settled: givenUp, fault: error.message });
      polled.failed.push({ link: entry.link, reason: error.message, attempts, givenUp });
    }
  }
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
