import { mkdtemp, rm, writeFile, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identify, waitUntil } from './processes.ts';
import { supervise, type Supervised } from './supervisor.ts';

let folder: string;
let running: Supervised[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fenghuo-supervisor-'));
});
afterEach(async () => {
  await Promise.all(running.map((process) => process.stop()));
  running = [];
  await rm(folder, { recursive: true, force: true });
});

async function run(code: string): Promise<Supervised> {
  const file = join(folder, 'child.mjs');
  await writeFile(file, code);
  const supervised = supervise({
    name: 'child',
    file,
    args: [],
    env: process.env,
    logFile: join(folder, 'child.log'),
    log: () => undefined,
  });
  running.push(supervised);
  return supervised;
}

const SERVES = `process.send({ ready: true, word: 'hello' });
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
setInterval(() => undefined, 1000);`;

it('knows when the process is ready, and what it said', async () => {
  const child = await run(SERVES);
  await child.ready();
  expect(child.said).toMatchObject({ word: 'hello' });
});

it('starts a process again that was killed, and counts it', async () => {
  const child = await run(SERVES);
  await child.ready();
  const first = child.pid ?? 0;
  process.kill(first, 'SIGKILL');
  await waitUntil(() => child.pid !== null && child.pid !== first, {
    deadlineMs: 10_000,
    what: 'another process',
  });
  await child.ready();
  expect(child.restarts).toBe(1);
});

it('does not try for ever what never came up, and quotes its log', async () => {
  const child = await run(`console.error('no such setting'); process.exit(3);`);
  await expect(child.ready()).rejects.toThrow(/exit code 3.*no such setting/s);
  expect(child.restarts).toBe(0);
});

it('stops a process in order, and for good', async () => {
  const child = await run(SERVES);
  await child.ready();
  const pid = child.pid ?? 0;
  await child.stop();
  expect(identify(pid)).toBeNull();
  expect(await readFile(join(folder, 'child.log'), 'utf8')).toBe('');
});
