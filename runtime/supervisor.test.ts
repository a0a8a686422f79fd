import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identify, isAlive, waitUntil } from './processes.ts';
import { endLeftovers, supervise, type Supervised } from './supervisor.ts';

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

const lines: string[] = [];

async function run(code: string): Promise<Supervised> {
  const file = join(folder, 'child.mjs');
  await writeFile(file, code);
  const supervised = supervise({
    name: 'child',
    file,
    args: [],
    env: process.env,
    logFile: join(folder, 'child.log'),
    recordsDirectory: join(folder, 'processes'),
    log: (line) => void lines.push(line),
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

it('shows what the process has to say at once, and keeps the rest in its log', async () => {
  const child = await run(`process.send({ tell: 'no worker lives' }); ${SERVES}`);
  await child.ready();
  expect(lines).toContain('child: no worker lives');
});

it('ends what an earlier supervisor left, also one that hangs, and never another with its number', async () => {
  const child = await run(SERVES);
  await child.ready();
  const left = identify(child.pid ?? 0);
  // It cannot notice that its supervisor is gone, nor hear a SIGTERM.
  process.kill(child.pid ?? 0, 'SIGSTOP');
  const records = join(folder, 'processes');
  await writeFile(
    join(records, 'other.json'),
    JSON.stringify({ pid: process.pid, startedAt: 'another time' }),
  );
  await writeFile(join(records, 'damaged.json'), '{"pid":');
  running = [];
  await endLeftovers(records, (line) => void lines.push(line), [
    { signal: 'SIGTERM', waitMs: 100 },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ]);
  expect(left && isAlive(left)).toBe(false);
  expect(lines).toContain(`child of an earlier run still lives (process ${left?.pid}); it is ended.`);
  expect((await readdir(records)).filter((file) => file !== 'child.json')).toEqual([]);
  await child.stop();
});
