/** Feeds over real HTTP: each message is taken once, over restarts and beside entries that fail; Ack and Error reach their sender. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createCapHttp } from '../../channels/cap-http.ts';
import type { Database } from '../../db/database.ts';
import { CAP_BYTES_MAX } from '../../domain/cap/decode.ts';
import { parseCapText } from '../../domain/cap/parse.ts';
import { pollCap, type Polled } from '../../operations/cap-poll.ts';
import { postReplies } from '../../operations/cap-replies.ts';
import type { CapSettings } from '../../operations/cap-receive.ts';
import { addSender } from '../../operations/cap-senders.ts';
import { testDatabase } from '../database.ts';
import { plantSmallTree } from '../harness/small-tree.ts';
import { message, type Parts } from './messages.ts';

type Page = (request: IncomingMessage, response: ServerResponse) => void;

let database: Database;
let server: Server;
let origin: string;
const pages = new Map<string, Page>();
const asked: string[] = [];
let posted: string[] = [];

const SETTINGS: CapSettings = {
  trusted: false,
  identity: { sender: 'fenghuo@fenghuo.example', agency: null },
  draft: null,
};
const http = createCapHttp({ timeoutMs: 1_500 });

beforeAll(async () => {
  database = await testDatabase('cap_poll');
  await plantSmallTree(database);
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const page = pages.get(request.url ?? '');
    if (page) page(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await addSender(
    database,
    { sender: 'weather.example', name: null, keyText: null, replyUrl: `${origin}/replies` },
    null,
  );
});

beforeEach(() => {
  pages.clear();
  asked.length = 0;
  posted = [];
  pages.set('/replies', (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      posted.push(body);
      response.writeHead(202).end();
    });
  });
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await database.close();
});

const TOWNSHIP = '<geocode><valueName>division</valueName><value>900101</value></geocode>';

function put(path: string, parts: Parts | string, headers: Record<string, string> = {}): void {
  const xml = typeof parts === 'string' ? parts : message({ area: TOWNSHIP, ...parts });
  pages.set(path, (request, response) => {
    const known = headers['etag'] !== undefined && request.headers['if-none-match'] === headers['etag'];
    if (known) response.writeHead(304).end();
    else response.writeHead(200, headers).end(xml);
  });
}

function atom(...links: string[]): string {
  const entries = links.map(
    (link) => `<entry><id>${link}</id><updated>2026-07-09T02:42:00+08:00</updated>
      <link rel="alternate" type="text/html" href="/page.html"/><link type="application/cap+xml" href="${link}"/></entry>`,
  );
  return `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>feed</id>${entries.join('')}</feed>`;
}

async function poll(path: string, settings = SETTINGS): Promise<Polled> {
  return pollCap(database, { url: origin + path, fetch: http.fetch, settings, otherHosts: [] });
}

const verdicts = ({ received }: Polled) =>
  received.map(
    ({ result }) => `${result.alert?.identifier ?? '?'} ${result.verdict}${result.repeated ? ' again' : ''}`,
  );

it('an Atom feed is taken once; later only its ETag is asked for', async () => {
  put('/a1.xml', { identifier: 'A-1' });
  put('/a2.xml', { identifier: 'A-2' });
  put('/feed.atom', atom('/a1.xml', `${origin}/a2.xml`), { etag: '"one"' });
  expect(verdicts(await poll('/feed.atom')).toSorted()).toEqual(['A-1 issued', 'A-2 issued']);
  asked.length = 0;
  expect(await poll('/feed.atom')).toEqual({ unchanged: true, received: [], failed: [] });
  expect(asked).toEqual(['GET /feed.atom']);
  put('/a3.xml', { identifier: 'A-3' });
  put('/feed.atom', atom('/a1.xml', '/a3.xml', `${origin}/a2.xml`), { etag: '"two"' });
  expect(verdicts(await poll('/feed.atom'))).toEqual(['A-3 issued']);
});

it('RSS and a plain message are read as well', async () => {
  put('/r1.xml', { identifier: 'R-1' });
  put(
    '/feed.rss',
    `<rss version="2.0"><channel><title>x</title><item><link>${origin}/r1.xml</link><pubDate>Thu, 09 Jul 2026</pubDate></item></channel></rss>`,
  );
  expect(verdicts(await poll('/feed.rss'))).toEqual(['R-1 issued']);
  expect(verdicts(await poll('/feed.rss'))).toEqual([]);
  put('/plain.xml', { identifier: 'P-1' });
  expect(verdicts(await poll('/plain.xml'))).toEqual(['P-1 issued']);
  expect(verdicts(await poll('/plain.xml'))).toEqual(['P-1 issued again']);
});

it('what fails waits and holds up no other: missing, hanging, too large, refused, elsewhere', async () => {
  pages.set('/hangs.xml', () => undefined);
  pages.set('/huge.xml', (_, response) => {
    response.writeHead(200);
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  put('/broken.xml', '<alert');
  put('/good.xml', { identifier: 'G-1' });
  const elsewhere = 'http://169.254.169.254/latest';
  put('/mixed.atom', atom('/missing.xml', '/hangs.xml', '/huge.xml', '/broken.xml', elsewhere, '/good.xml'), {
    etag: '"same"',
  });
  const first = await poll('/mixed.atom');
  expect(verdicts(first).toSorted()).toEqual(['? refused', 'G-1 issued']);
  expect(first.failed.map(({ link, givenUp }) => `${link} ${givenUp}`).toSorted()).toEqual([
    '/hangs.xml false',
    '/huge.xml false',
    '/missing.xml false',
    `${elsewhere} true`,
  ]);
  expect(first.failed.find(({ link }) => link === '/huge.xml')?.reason).toContain(String(CAP_BYTES_MAX));
  // The feed is the same; what was missing is there now.
  put('/missing.xml', { identifier: 'G-2' });
  pages.delete('/hangs.xml');
  const second = await poll('/mixed.atom');
  expect(second.unchanged).toBe(true);
  expect(verdicts(second)).toEqual(['G-2 issued']);
});

it('what a feed begins with, the newest, comes last; and what its own end overtook goes nowhere', async () => {
  const reference = (identifier: string) => `weather.example,${identifier},2026-07-09T02:42:00+08:00`;
  const names = { msgType: 'Cancel', sent: '2026-07-09T02:50:00+08:00', references: reference('O-1') };
  put('/o1.xml', { identifier: 'O-1' });
  put('/o2.xml', { identifier: 'O-2', ...names });
  // As services write it: the newest first.
  put('/order.atom', atom('/o2.xml', '/o1.xml'));
  expect(verdicts(await poll('/order.atom'))).toEqual(['O-1 issued', 'O-2 cancelled']);

  pages.set('/l1.xml', (_, response) => void response.writeHead(503).end());
  pages.set('/l2.xml', (_, response) => void response.writeHead(503).end());
  put('/l3.xml', { identifier: 'L-3', ...names, references: `${reference('L-1')} ${reference('L-2')}` });
  put('/late.atom', atom('/l3.xml', '/l2.xml', '/l1.xml'));
  expect(verdicts(await poll('/late.atom'))).toEqual(['L-3 refused']);
  put('/l1.xml', { identifier: 'L-1' });
  put('/l2.xml', { identifier: 'L-2', msgType: 'Update', references: reference('L-1') });
  const late = await poll('/late.atom');
  expect(verdicts(late)).toEqual(['L-1 recorded', 'L-2 recorded']);
  expect(late.received.map(({ result }) => result.findings.at(-1)?.code)).toEqual(['CAP-725', 'CAP-725']);
  // The next use of an identifier is another warning: it was sent after all of that.
  put('/l4.xml', { identifier: 'L-1', sent: '2026-07-10T02:42:00+08:00' });
  put('/again.atom', atom('/l4.xml'));
  expect(verdicts(await poll('/again.atom'))).toEqual(['L-1 issued']);
});

it('dead links hold up neither each other nor what is new, and are given up after a day', async () => {
  const dead = Array.from({ length: 20 }, (_, place) => `/dead-${place}.xml`);
  for (const link of dead) pages.set(link, () => undefined);
  put('/dead.atom', atom(...dead));
  const began = performance.now();
  expect((await poll('/dead.atom')).failed).toHaveLength(dead.length);
  // Three rows of eight, each given 1.5 seconds; one after the other it was half a minute.
  expect(performance.now() - began).toBeLessThan(15_000);
  put('/alive.xml', { identifier: 'V-1' });
  put('/dead.atom', atom(...dead, '/alive.xml'));
  asked.length = 0;
  await poll('/dead.atom');
  expect(asked.slice(1, 9)).toContain('GET /alive.xml');
  await database.query(
    `update cap_entries set seen_at = seen_at - interval '25 hours' where link like '/dead-%'`,
  );
  expect((await poll('/dead.atom')).failed.filter(({ givenUp }) => givenUp)).toHaveLength(dead.length);
  expect((await poll('/dead.atom')).failed).toEqual([]);
});

it('names and links without end are refused or kept short, and cost nobody anything', async () => {
  const endless = randomBytes(20_000).toString('hex');
  put('/named.xml', { identifier: endless });
  put('/short.xml', { identifier: 'E-2' });
  put('/endless.atom', atom('/short.xml', `/${endless.slice(0, 8_000)}.xml`, '/named.xml'));
  const polled = await poll('/endless.atom');
  expect(verdicts(polled)).toEqual(['? refused', 'E-2 issued']);
  expect(polled.received[0]?.result.findings.map(({ code }) => code)).toEqual(['CAP-314']);
  expect(polled.failed).toHaveLength(1);
});

it('an entry that breaks us holds up no other', async () => {
  put('/breaks.xml', { identifier: 'B-1' });
  put('/whole.xml', { identifier: 'B-2' });
  put('/breaking.atom', atom('/whole.xml', '/breaks.xml'));
  const breaking: Database = {
    ...database,
    transaction: (work) =>
      database.transaction((sql) =>
        work({
          query: (text, values, name) => {
            if (values?.includes('B-1')) throw new TypeError('a defect');
            return sql.query(text, values, name);
          },
        }),
      ),
  };
  const input = { url: `${origin}/breaking.atom`, settings: SETTINGS, otherHosts: [], fetch: http.fetch };
  const polled = await pollCap(breaking, input);
  expect(verdicts(polled)).toEqual(['B-2 issued']);
  expect(polled.failed.map(({ reason }) => reason)).toEqual(['TypeError: a defect']);
  expect(verdicts(await poll('/breaking.atom'))).toEqual(['B-1 issued']);
});

it('a process that dies between feed and entries forgets nothing', async () => {
  put('/d1.xml', { identifier: 'D-1' });
  put('/dying.atom', atom('/d1.xml'), { etag: '"d"' });
  // The feed is written down, and then it is over.
  const dying: Database = {
    ...database,
    query: (text, values, name) => {
      if (text.includes('from cap_entries')) throw new Error('killed');
      return database.query(text, values, name);
    },
  };
  const input = { url: `${origin}/dying.atom`, settings: SETTINGS, otherHosts: [], fetch: http.fetch };
  await expect(pollCap(dying, input)).rejects.toThrow('killed');
  expect(verdicts(await poll('/dying.atom'))).toEqual(['D-1 issued']);
});

it('what nobody may take yet is looked at again, and drafted once', async () => {
  put('/actual.xml', { identifier: 'H-1', status: 'Actual' });
  put('/actual.atom', atom('/actual.xml'), { etag: '"h"' });
  expect(verdicts(await poll('/actual.atom'))).toEqual(['H-1 held']);
  expect(verdicts(await poll('/actual.atom'))).toEqual(['H-1 held']);
});

it('what is held comes after what is new, and is given up aloud after a day', async () => {
  put('/waits.xml', { identifier: 'H-2', status: 'Actual' });
  put('/waits.atom', atom('/waits.xml'));
  await poll('/waits.atom');
  put('/new.xml', { identifier: 'H-3' });
  put('/waits.atom', atom('/new.xml', '/waits.xml'));
  expect(verdicts(await poll('/waits.atom'))).toEqual(['H-3 issued', 'H-2 held']);
  await database.query(
    `update cap_entries set seen_at = seen_at - interval '25 hours' where link = '/waits.xml'`,
  );
  const { failed } = await poll('/waits.atom');
  expect(failed).toMatchObject([{ link: '/waits.xml', attempts: 3, givenUp: true }]);
  expect(failed[0]?.reason).toMatch(/^H-2 was held for a day and is given up\. .*Nobody is logged in/);
  expect(await poll('/waits.atom')).toMatchObject({ received: [], failed: [] });
});

it('Ack and Error go to the address on file, until the server takes them', async () => {
  await database.query('delete from cap_replies');
  put('/ack.xml', { identifier: 'Q-1' });
  put('/error.xml', { identifier: 'Q-2', event: 'Tornado Warning' });
  put('/replies.atom', atom('/ack.xml', '/error.xml'));
  const taking = pages.get('/replies');
  pages.set('/replies', (_, response) => void response.writeHead(503).end());
  await poll('/replies.atom');
  expect(await postReplies(database, http.post)).toEqual({ sent: 0, failed: 2, givenUp: 0 });
  if (taking) pages.set('/replies', taking);
  // Nothing is due before its time.
  expect(await postReplies(database, http.post)).toEqual({ sent: 0, failed: 0, givenUp: 0 });
  await database.query(`update cap_replies set next_at = next_at - interval '1 hour'`);
  expect(await postReplies(database, http.post)).toEqual({ sent: 2, failed: 0, givenUp: 0 });
  const replies = posted
    .map((body) => parseCapText(body).alert)
    .toSorted((one, other) => ((one?.msgType ?? '') < (other?.msgType ?? '') ? -1 : 1));
  expect(
    replies.map((one) => [one?.msgType, one?.status, one?.addresses, one?.references[0]?.identifier]),
  ).toEqual([
    ['Ack', 'Exercise', 'weather.example', 'Q-1'],
    ['Error', 'Exercise', 'weather.example', 'Q-2'],
  ]);
  expect(replies[1]?.note).toContain('CAP-701');
  expect(await postReplies(database, http.post)).toEqual({ sent: 0, failed: 0, givenUp: 0 });
});
