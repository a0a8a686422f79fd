/** Feeds that announce CAP messages: how they were last, and what of theirs is still to be fetched. */
import type { Sql } from './database.ts';

export async function readFeedState(
  sql: Sql,
  url: string,
): Promise<{ etag: string | null; lastModified: string | null } | null> {
  const [row] = await sql.query<{ etag: string | null; lastModified: string | null }>(
    'select etag, last_modified as "lastModified" from cap_feeds where url = $1',
    [url],
  );
  return row ?? null;
}

/** The feed as it is now, and what it announces: in one transaction, so that no entry is forgotten behind its ETag. */
export async function putFeed(
  sql: Sql,
  feed: {
    url: string;
    etag: string | null;
    lastModified: string | null;
    entries: readonly { key: string; link: string }[];
  },
): Promise<void> {
  await sql.query(
    `insert into cap_feeds (url, etag, last_modified, polled_at) values ($1, $2, $3, clock_timestamp())
     on conflict (url) do update
     set etag = excluded.etag, last_modified = excluded.last_modified, polled_at = excluded.polled_at`,
    [feed.url, feed.etag, feed.lastModified],
  );
  await sql.query(
    `insert into cap_entries (feed_url, key, link)
     select $1, key, link from unnest($2::text[], $3::text[]) as t (key, link) on conflict do nothing`,
    [feed.url, feed.entries.map(({ key }) => key), feed.entries.map(({ link }) => link)],
  );
}

/** `seenMs`: for how long it has been known. */
export type OpenEntry = { key: string; link: string; attempts: number; seenMs: number };

/** What was tried least comes first, so that the dead hold up nobody; of these the first announced. */
export async function readOpenEntries(sql: Sql, url: string, most: number): Promise<OpenEntry[]> {
  return sql.query<OpenEntry>(
    `select key, link, attempts, (extract(epoch from clock_timestamp() - seen_at) * 1000)::float8 as "seenMs"
     from cap_entries where feed_url = $1 and settled_at is null order by attempts, seen_at, key limit $2`,
    [url, most],
  );
}

/** `settled`: it is not fetched again. What is held counts as tried: it must not keep out what is new. */
export async function markEntry(
  sql: Sql,
  url: string,
  key: string,
  outcome: { settled: boolean; fault: string | null },
): Promise<void> {
  await sql.query(
    `update cap_entries set attempts = attempts + 1, fault = $4,
       settled_at = case when $3 then clock_timestamp() end
     where feed_url = $1 and key = $2`,
    [url, key, outcome.settled, outcome.fault],
  );
}
