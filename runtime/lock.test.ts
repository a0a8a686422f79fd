// One holder at a time: by the rules in one process, and by brute force among processes that die holding it.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockHolder, tryLock } from './lock.ts';
import { identify, ownIdentity } from './processes.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fenghuo-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a lock is refused while its holder lives and given once it is released', () => {
  const first = tryLock(path);
  expect(tryLock(path)).toEqual({ holder: ownIdentity() });
  expect(lockHolder(path)).toEqual(ownIdentity());
  if ('lock' in first) first.lock.release();
  expect(lockHolder(path)).toBeNull();
  expect(tryLock(path)).toHaveProperty('lock');
});

test('a later process with the pid of a dead holder does not keep the lock', () => {
  const parent = identify(process.ppid);
  writeFileSync(`${path}.1`, JSON.stringify({ pid: parent?.pid, startedAt: 'long ago' }));
  expect(tryLock(path)).toHaveProperty('lock');
});

test('the files of a much used lock stay few', () => {
  for (let turns = 0; turns < 50; turns += 1) {
    const outcome = tryLock(path);
    if ('lock' in outcome) outcome.lock.release();
  }
  expect(readdirSync(folder).length).toBeLessThanOrEqual(16);
});

const processes = 6;
const turnsEach = 150;

test(
  'never two holders among six processes that take it, let go of it and die with it',
  { timeout: 60_000 },
  async () => {
    const script = `${path}.mts`;
    const module = fileURLToPath(new URL('.', import.meta.url));
    // The witness file names whoever is inside; finding a living other there is a second holder.
    writeFileSync(
      script,
      `import { readFileSync, writeFileSync, rmSync } from 'node:fs';
import { tryLock } from '${module}lock.ts';
import { isAlive, ownIdentity } from '${module}processes.ts';
const witness = '${path}-witness';
const inside = () => { try { return JSON.parse(readFileSync(witness, 'utf8')); } catch { return null; } };
for (let turn = 0; turn < ${turnsEach}; turn += 1) {
  const outcome = tryLock('${path}');
  if (!('lock' in outcome)) { await new Promise((resolve) => setImmediate(resolve)); continue; }
  const other = inside();
  if (other && isAlive(other)) process.exit(3);
  writeFileSync(witness, JSON.stringify(ownIdentity()));
  await new Promise((resolve) => setImmediate(resolve));
  if (inside()?.pid !== process.pid) process.exit(3);
  if (Math.random() < 0.02) process.kill(process.pid, 'SIGKILL');
  rmSync(witness);
  outcome.lock.release();
}
`,
    );
    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const ends = await Promise.all(
      Array.from({ length: processes }, async () => {
        const child = spawn(process.execPath, ['--import', tsx, script], { stdio: 'inherit' });
        return await new Promise<string>((resolve) =>
          child.once('exit', (code, signal) => resolve(signal ?? String(code))),
        );
      }),
    );
    expect(ends.filter((end) => end !== '0' && end !== 'SIGKILL')).toEqual([]);
    expect(tryLock(path)).toHaveProperty('lock');
  },
);
