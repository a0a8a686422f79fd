/** CAP over HTTP: feeds and messages fetched, Ack and Error posted. Bounded in time and size; redirects are not followed. */
import { request } from 'undici';
import { CAP_BYTES_MAX } from '../domain/cap/decode.ts';
import { fetchFault, type Fetch, type Post } from '../domain/cap/exchange.ts';

export type CapHttp = { fetch: Fetch; post: Post };

/** A server that gives nothing within this time gives nothing. */
const TIMEOUT_MS = 20_000;

export function createCapHttp(options: { timeoutMs?: number } = {}): CapHttp {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  return {
    fetch: (url, known) =>
      failing(url, async () => {
        const { statusCode, headers, body } = await request(url, {
          signal: AbortSignal.timeout(timeoutMs),
          headers: {
            accept:
              'application/cap+xml, application/atom+xml, application/rss+xml, application/xml, text/xml',
            ...(known.etag === null ? {} : { 'if-none-match': known.etag }),
            ...(known.lastModified === null ? {} : { 'if-modified-since': known.lastModified }),
          },
        });
        const heads = { etag: one(headers['etag']), lastModified: one(headers['last-modified']) };
        if (statusCode === 304) {
          await body.dump();
          return { body: null, ...known };
        }
        if (statusCode !== 200) {
          await body.dump();
          throw fetchFault(url, `status ${statusCode}`);
        }
        return { body: await bounded(url, body), ...heads };
      }),
    post: (url, message) =>
      failing(url, async () => {
        const { statusCode, body } = await request(url, {
          method: 'POST',
          signal: AbortSignal.timeout(timeoutMs),
          headers: { 'content-type': 'application/cap+xml; charset=utf-8' },
          body: message,
        });
        await body.dump();
        if (statusCode < 200 || statusCode > 299) throw fetchFault(url, `status ${statusCode}`);
      }),
  };
}

async function bounded(url: string, body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop closes the connection.
    if (size > CAP_BYTES_MAX) throw fetchFault(url, `more than ${CAP_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function failing<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, name, message } = error as NodeJS.ErrnoException;
    if (code === 'cap-fetch') throw error;
    throw fetchFault(url, name === 'TimeoutError' ? 'no answer in time' : (code ?? message), error);
  }
}

function one(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}
