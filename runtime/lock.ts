// One owner at a time, without a lock the kernel would keep for us (Node has none). A lock is a row of
// numbered files; the highest number counts. Taking over means creating the next number, which only one
// process can do (link fails if the name exists), so two that both see a dead owner cannot both win, and
// nobody ever deletes a file that another may just have created. A file holds its owner's identity from
// its first moment, since it is linked into place complete.
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { isAlive, ownIdentity, waitUntil } from './processes.ts';
import type { ProcessIdentity } from './processes.ts';

/** A lock that is held; `release` gives it back and may be called twice. */
export type Lock = { release(): void };

type Entry = { number: number; holder: ProcessIdentity | null };

// A number may be reused only by a process that slept through as many owners as this; it then still sees
// that a higher number exists and steps back.
const generationsKept = 16;

/** Tries to take the lock named by `path` (its folder must exist). Gives the living holder if there is one. */
export function tryLock(path: string): { lock: Lock } | { holder: ProcessIdentity } {
  for (;;) {
    const top = highest(path);
    if (top?.holder && isAlive(top.holder)) return { holder: top.holder };
    const number = (top?.number ?? 0) + 1;
    if (!create(path, number)) continue;
    if (highest(path)?.number !== number) {
      rmSync(entryFile(path, number), { force: true });
      continue;
    }
    for (const old of numbersOf(path)) {
      if (old <= number - generationsKept) rmSync(entryFile(path, old), { force: true });
    }
    return { lock: { release: () => release(path, number) } };
  }
}

/** The living holder of a lock, or null. Changes nothing. */
export function lockHolder(path: string): ProcessIdentity | null {
  const holder = highest(path)?.holder ?? null;
  return holder !== null && isAlive(holder) ? holder : null;
}

/** Takes the lock as soon as its holder lets go or dies. */
export async function waitForLock(
  path: string,
  options: { deadlineMs: number; what: string },
): Promise<Lock> {
  return await waitUntil(
    () => {
      const outcome = tryLock(path);
      return 'lock' in outcome ? outcome.lock : null;
    },
    { ...options, everyMs: 200 },
  );
}

function create(path: string, number: number): boolean {
  const draft = `${path}.draft-${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, JSON.stringify(ownIdentity()));
  try {
    linkSync(draft, entryFile(path, number));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Our own entry says "nobody" from now on; it stays, so that the numbers only ever grow. */
function release(path: string, number: number): void {
  const file = entryFile(path, number);
  if (highest(path)?.number !== number) return;
  const draft = `${file}.released`;
  writeFileSync(draft, 'null');
  renameSync(draft, file);
}

function highest(path: string): Entry | null {
  const number = Math.max(0, ...numbersOf(path));
  if (number === 0) return null;
  try {
    return {
      number,
      holder: JSON.parse(readFileSync(entryFile(path, number), 'utf8')) as ProcessIdentity | null,
    };
  } catch {
    return { number, holder: null };
  }
}

function numbersOf(path: string): number[] {
  const prefix = `${basename(path)}.`;
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)));
}

function entryFile(path: string, number: number): string {
  return join(dirname(path), `${basename(path)}.${number}`);
}
