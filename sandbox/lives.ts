/** When the stand-ins of a ledger lived: a later life learns from it how long its people stood still. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Gap } from '../domain/drill-clock.ts';

const FILE = 'lives.json';

/** A kill is noticed to this accuracy. */
const SIGN_EVERY_MS = 250;

export type Lives = {
  /** The times between lives, those before `startAt` left out, in order. */
  gaps: readonly Gap[];
  stop(): void;
};

type Written = { gaps: Gap[]; aliveAt: number };

/** Reads when there was life, and writes down that there is until it is stopped. */
export function beginLife(directory: string, startAt: number): Lives {
  const file = path.join(directory, FILE);
  const before = read(file);
  const now = Date.now();
  const from = Math.max(before?.aliveAt ?? now, startAt);
  const gaps = [...(before?.gaps ?? []), ...(from < now ? [{ from, until: now }] : [])];
  const sign = () => {
    const written: Written = { gaps, aliveAt: Date.now() };
    // Whole or not at all: a kill may come at any moment.
    writeFileSync(`${file}.new`, JSON.stringify(written));
    renameSync(`${file}.new`, file);
  };
  sign();
  const timer = setInterval(sign, SIGN_EVERY_MS).unref();
  return {
    gaps,
    stop: () => {
      clearInterval(timer);
      sign();
    },
  };
}

/** Times in which one or the other stood still, in order and without overlap. */
export function together(one: readonly Gap[], other: readonly Gap[]): Gap[] {
  const all: Gap[] = [];
  for (const gap of [...one, ...other].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    if (last && gap.from <= last.until)
      all[all.length - 1] = { from: last.from, until: Math.max(last.until, gap.until) };
    else all.push(gap);
  }
  return all;
}

function read(file: string): Written | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Written;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
