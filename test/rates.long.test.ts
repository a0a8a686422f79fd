/**
 * A provider's rate with four workers as processes, one of them killed midway: at the far side never more than the limit and one
 * in any second, and little of it unused. Messages go by HTTP to a gateway in this process, which notes when each came.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { waitUntil } from '../runtime/processes.ts';
import { testDatabase } from './database.ts';
import { mostWithin, perSecondOf } from './harness/rate.ts';

const WORKERS = 4;
const WORKER = fileURLToPath(new URL('./harness/rate-worker.ts', import.meta.url));

let database: Database;
let gateway: Server;
let url: string;
let came: { at: number; reference: string }[];
let workers: ChildProcess[];

beforeAll(async () => {
  database = await testDatabase('rates long');
});

afterAll(() => database.close());

beforeEach(async () => {
  came = [];
  workers = [];
  await database.query('delete from senders');
  gateway = createServer((request, response) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { reference } = JSON.parse(Buffer.concat(chunks).toString()) as { reference: string };
      came.push({ at, reference });
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ code: 'OK', messageId: reference }));
    });
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  gateway.closeAllConnections();
  await new Promise((resolve) => gateway.close(resolve));
});

function until(what: string, condition: () => boolean): Promise<true> {
  return waitUntil(condition, { deadlineMs: 120_000, what, everyMs: 10 });
}

// Whoever is killed takes the rest of its slice along, up to a quarter of a second: as a share of 24 seconds, one per cent.
it.each([
  [5, 24],
  [50, 24],
  [500, 24],
])('%i a second for %i seconds', async (perSecond, seconds) => {
  workers = Array.from({ length: WORKERS }, () =>
    spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        WORKER,
        database.schema,
        url,
        String(perSecond),
        String(Math.max(4, perSecond / 4)),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    ),
  );
  const working = () => new Set(came.map(({ reference }) => reference.split('-')[0])).size;
  await until('all workers to send', () => working() === WORKERS);
  came = [];
  await until('half of the messages', () => came.length >= (perSecond * seconds) / 2);
  workers[0]?.kill('SIGKILL');
  await until('the other half', () => came.length >= perSecond * seconds);
  const moments = came.map(({ at }) => at);
  const most = mostWithin(moments, 1_000);
  const used = perSecondOf(moments) / perSecond;
  process.stdout.write(`${perSecond} a second: most in a second ${most}, used ${used.toFixed(3)}\n`);
  expect(most).toBeLessThanOrEqual(perSecond + 1);
  expect(used).toBeGreaterThanOrEqual(0.95);
  expect(new Set(came.map(({ reference }) => reference)).size).toBe(came.length);
});
