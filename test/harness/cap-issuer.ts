/**
 * An issuer that publishes CAP over real HTTP as Atom and RSS, with ETags, and behaves as servers do: it fails, redirects, hangs up in
 * the middle, and announces what is not there yet. What it will do to which request follows from their numbers alone.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { message } from '../cap/messages.ts';

export type CapIssuer = {
  atom: string;
  rss: string;
  /** Announces one message more in both feeds. */
  publish(): string;
  published: readonly string[];
  /** How often each thing was done to whoever asked. */
  done: Readonly<Record<string, number>>;
  /** Identifiers that Ack messages name, in the order of their coming. */
  acked: readonly string[];
  /** Is called before a message is given out for the first time; the answer waits for it. */
  onFirst(identifier: string, then: () => Promise<void>): void;
  /** Is away, and comes back under the same address. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
};

const TOWNSHIP = '<geocode><valueName>division</valueName><value>900101</value></geocode>';
/** Every so-maniest request for a feed, and for a message, ends badly; the next in line does not. */
const FEED_TROUBLE: Readonly<Record<number, Trouble>> = {
  3: 'status 500',
  6: 'redirect',
  9: 'hangs up',
  12: 'half of it',
};
const FEED_PERIOD = 13;
const FIRST_TROUBLE: readonly (Trouble | null)[] = [
  null,
  'status 503',
  'redirect',
  null,
  'half of it',
  'status 404',
  'hangs up',
];

type Trouble = 'status 500' | 'status 503' | 'status 404' | 'redirect' | 'hangs up' | 'half of it';

export async function startCapIssuer(): Promise<CapIssuer> {
  const published: string[] = [];
  const done: Record<string, number> = {};
  const acked: string[] = [];
  const asked = new Map<string, number>();
  const waiting = new Map<string, () => Promise<void>>();
  const count = (what: string) => (done[what] = (done[what] ?? 0) + 1);
  const server = createServer((request, response) => void answer(request, response));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (request.method === 'POST') return takeReply(request, response);
    const times = (asked.get(path) ?? 0) + 1;
    asked.set(path, times);
    if (path === '/feed.atom' || path === '/feed.rss') {
      const trouble = FEED_TROUBLE[times % FEED_PERIOD];
      const body = path === '/feed.atom' ? atomOf(published) : rssOf(published, origin);
      return trouble ? make(trouble, response, body) : give(request, response, body);
    }
    const identifier = /^\/messages\/(.+)\.xml$/.exec(path)?.[1];
    const place = identifier === undefined ? -1 : published.indexOf(identifier);
    if (identifier === undefined || place < 0) return make('status 404', response, '');
    const body = message({ identifier, area: TOWNSHIP });
    if (times === 1) await waiting.get(identifier)?.();
    const trouble = times === 1 ? FIRST_TROUBLE[place % FIRST_TROUBLE.length] : null;
    return trouble ? make(trouble, response, body) : give(request, response, body);
  }

  function give(request: IncomingMessage, response: ServerResponse, body: string): void {
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
    const known = request.headers['if-none-match'] === etag;
    count(known ? 'not modified' : 'given');
    response.writeHead(known ? 304 : 200, { etag }).end(known ? undefined : body);
  }

  function make(trouble: Trouble, response: ServerResponse, body: string): void {
    count(trouble);
    if (trouble === 'hangs up') response.destroy();
    else if (trouble === 'redirect') response.writeHead(302, { location: '/elsewhere.xml' }).end();
    else if (trouble === 'half of it') {
      response.writeHead(200, { 'content-length': Buffer.byteLength(body) });
      response.write(body.slice(0, body.length / 2), () => response.destroy());
    } else response.writeHead(Number(trouble.slice(-3))).end();
  }

  function takeReply(request: IncomingMessage, response: ServerResponse): void {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const identifier = /<references>[^,]*,([^,]*),/.exec(body)?.[1];
      if (body.includes('<msgType>Ack</msgType>') && identifier !== undefined) acked.push(identifier);
      response.writeHead(202).end();
    });
  }

  const listen = (port: number) =>
    new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  const leave = async () => {
    server.closeAllConnections();
    await new Promise<void>((closed) => server.close(() => closed()));
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  return {
    ...{ atom: `${origin}/feed.atom`, rss: `${origin}/feed.rss`, published, done, acked },
    publish: () => {
      const identifier = `LIVE-${published.length + 1}`;
      published.push(identifier);
      return identifier;
    },
    onFirst: (identifier, then) => void waiting.set(identifier, then),
    leave,
    comeBack: () => listen(port),
    close: leave,
  };
}

function atomOf(identifiers: readonly string[]): string {
  const entries = identifiers.map(
    (one) => `<entry><id>${one}</id><updated>2026-07-09T02:42:00+08:00</updated>
      <link type="application/cap+xml" href="/messages/${one}.xml"/></entry>`,
  );
  return `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>feed</id>${entries.join('')}</feed>`;
}

function rssOf(identifiers: readonly string[], origin: string): string {
  const items = identifiers.map((one) => `<item><link>${origin}/messages/${one}.xml</link></item>`);
  return `<rss version="2.0"><channel><title>feed</title>${items.join('')}</channel></rss>`;
}
