/** What CAP needs of HTTP: pages fetched within limits, and messages posted. `channels/cap-http.ts` does it. */
import { FenghuoError } from '../errors.ts';

/** What a server said; `body` is null where nothing has changed since. */
export type Fetched = { body: Buffer | null; etag: string | null; lastModified: string | null };

/** Throws `cap-fetch` (unreachable) with a reason where nothing came within the limits of time and size. */
export type Fetch = (
  url: string,
  known: { etag: string | null; lastModified: string | null },
) => Promise<Fetched>;

/** Posts one message; throws `cap-fetch` where the server does not take it. */
export type Post = (url: string, body: string) => Promise<void>;

export function fetchFault(url: string, reason: string, cause?: unknown): FenghuoError {
  return new FenghuoError({
    code: 'cap-fetch',
    refusal: 'unreachable',
    sentence: `${url} gave nothing: ${reason}. It is tried again.`,
    cause,
  });
}
