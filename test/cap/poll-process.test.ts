/**
 * `cap poll` as a service: two processes at once at two feeds that announce the same, a server that fails, redirects, hangs up and is away
 * for a while, and one process killed while it holds an entry. Everything is taken once, and acknowledged. `CAP_POLL_SECONDS=60` publishes for so long.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../db/database.ts';
import { readWatchFacts } from '../../db/watchdog.ts';
import { addSender } from '../../operations/cap-senders.ts';
import { waitUntil } from '../../runtime/processes.ts';
import { testDatabase } from '../database.ts';
import { startCapIssuer, type CapIssuer } from '../harness/cap-issuer.ts';
import { plantSmallTree } from '../harness/small-tree.ts';

const ENTRY = fileURLToPath(new URL('../../cli/fenghuo.mjs', import.meta.url));
const PUBLISHED_LEAST = 9;
/** The process is killed while this one is on its way. */
const KILLED_AT = 'LIVE-4';
/** With this one the issuer goes away, and comes back when both have missed it. */
const AWAY_AT = 'LIVE-7';
const SECONDS = Number(process.env['CAP_POLL_SECONDS'] ?? 0);

let database: Database;
let issuer: CapIssuer;
const pollers = new Set<ChildProcess>();
/** What each has said on standard error. */
const told = new Map<ChildProcess, string>();

beforeAll(async () => {
  database = await testDatabase('cap_poll_process');
  await plantSmallTree(database);
  issuer = await startCapIssuer();
  const replyUrl = new URL('/replies', issuer.atom).href;
  await addSender(database, { sender: 'weather.example', name: null, keyText: null, replyUrl }, null);
});
afterAll(async () => {
  await Promise.all([...pollers].map((poller) => stop(poller, 'SIGKILL')));
  await issuer.close();
  await database.close();
});

function poll(url: string): ChildProcess {
  const poller = spawn(process.execPath, [ENTRY, 'cap', 'poll', url, '--every', '1s', '-o', 'jsonl'], {
    env: {
      ...{ PATH: process.env['PATH'], HOME: process.env['HOME'], DATABASE_URL: process.env['DATABASE_URL'] },
      ...{ FENGHUO_SCHEMA: database.schema, FENGHUO_SECRET: 'x'.repeat(32) },
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  poller.stderr?.on('data', (chunk: Buffer) => told.set(poller, (told.get(poller) ?? '') + chunk.toString()));
  pollers.add(poller);
  return poller;
}

async function stop(poller: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  pollers.delete(poller);
  if (poller.exitCode === null && poller.signalCode === null) {
    const ended = once(poller, 'exit');
    poller.kill(signal);
    await ended;
  }
  return poller.exitCode;
}

/** Warnings that came of it, by what they came from. */
async function issued(): Promise<string[]> {
  const rows = await database.query<{ identifier: string }>(
    `select m.identifier from warnings w join cap_messages m on m.warning_id = w.id order by w.id`,
  );
  return rows.map(({ identifier }) => identifier);
}

async function awayForAWhile(): Promise<void> {
  await issuer.leave();
  await waitUntil(
    () => Promise.resolve([...pollers].every((one) => told.get(one)?.includes('ECONNREFUSED'))),
    {
      deadlineMs: 60_000,
      what: 'both to miss the issuer',
      everyMs: 100,
    },
  );
  await issuer.comeBack();
}

it('takes each message once, whatever the server does, and over a kill', { timeout: 170_000 }, async () => {
  const rss = poll(issuer.rss);
  const feedsWatched = async () => (await readWatchFacts(database, 20_000)).feeds.map(({ url }) => url);
  let missed: string[] = [];
  let atom = poll(issuer.atom);
  issuer.onFirst(KILLED_AT, async () => {
    const killed = atom;
    await stop(killed, 'SIGKILL');
    missed = await feedsWatched();
    atom = poll(issuer.atom);
  });
  const until = Date.now() + SECONDS * 1_000;
  while (issuer.published.length < PUBLISHED_LEAST || Date.now() < until) {
    const identifier = issuer.publish();
    if (identifier === AWAY_AT) await awayForAWhile();
    await waitUntil(async () => (await issued()).includes(identifier), {
      deadlineMs: 60_000,
      what: `${identifier} to be issued`,
      everyMs: 100,
    });
  }
  const entriesOpen = () => database.query('select from cap_entries where settled_at is null');
  await waitUntil(
    async () => issuer.acked.length >= issuer.published.length && (await entriesOpen()).length === 0,
    { deadlineMs: 60_000, what: 'everything to be fetched and acknowledged', everyMs: 100 },
  );
  expect(await Promise.all([stop(rss, 'SIGTERM'), stop(atom, 'SIGTERM')])).toEqual([0, 0]);
  // The watchdog misses whoever was killed, and nobody who was stopped.
  expect(missed).toContain(issuer.atom);
  expect(await feedsWatched()).toEqual([]);
  expect((await issued()).toSorted()).toEqual([...issuer.published].toSorted());
  expect(issuer.acked.toSorted()).toEqual([...issuer.published].toSorted());
  expect(await database.query('select from warnings')).toHaveLength(issuer.published.length);
  const happened = ['given', 'half of it', 'hangs up', 'not modified', 'redirect'];
  expect(Object.keys(issuer.done)).toEqual(
    expect.arrayContaining([...happened, 'status 404', 'status 500', 'status 503']),
  );
  process.stderr.write(`[cap] ${issuer.published.length} messages: ${JSON.stringify(issuer.done)}\n`);
});
