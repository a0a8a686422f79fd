/**
 * `npm run simulate -- --seed N --seeds M [--resume FILE] [--json]`: runs M seeds from N on. With `--resume` it goes on after
 * the last seed that FILE has, and adds what it ran; ^C loses nothing that was written.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { addBatch, emptyBatch, runBatch, seedsFrom, type BatchResult } from './batch.ts';

const ENGINE_FOLDERS = ['activities', 'domain', 'workflows'];

const engine = digestOf(ENGINE_FOLDERS);

/** Seeds between two writes of the results file. */
const CHUNK = 500;
const SHOWN_MOST = 20;

/** What the results file keeps: ranges that were run, when, and what they came to. */
type Results = {
  total: BatchResult;
  /** `engine` tells which sources of the engine ran, without git. */
  ranges: { from: number; to: number; on: string; engine: string; violations: number }[];
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1000' },
      resume: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  // Rejections of a server that is away are many, and nobody reads where they came from.
  Error.stackTraceLimit = 0;
  const file = values.resume ?? null;
  const results = file ? readResults(file) : null;
  const from = wholeNumber('--seed', values.seed ?? String((results?.ranges.at(-1)?.to ?? 0) + 1));
  const count = wholeNumber('--seeds', values.seeds);
  const startedAt = performance.now();
  let sum = emptyBatch();
  while (sum.seeds < count) {
    const first = from + sum.seeds;
    const size = Math.min(CHUNK, count - sum.seeds);
    const batch = await runBatch(seedsFrom(first, size));
    sum = addBatch(sum, batch);
    if (file && results) keep(file, results, { from: first, to: first + size - 1 }, batch);
    const ms = (performance.now() - startedAt) / sum.seeds;
    process.stderr.write(
      `${sum.seeds} of ${count} seeds, ${ms.toFixed(1)} ms each, ${sum.violations.length} violations\n`,
    );
  }
  process.stdout.write(values.json ? `${JSON.stringify(sum)}\n` : text(from, sum));
  process.exitCode = sum.violations.length > 0 ? 1 : 0;
}

function text(from: number, sum: BatchResult): string {
  const bad = [...new Set(sum.violations.map((violation) => violation.seed))];
  return [
    `seeds ${from} to ${from + sum.seeds - 1}: ${sum.simulatedHours.toFixed(1)} simulated hours`,
    ...Object.entries(sum.faults).map(([kind, count]) => `  ${String(count).padStart(9)}  ${kind}`),
    `${sum.violations.length} violations in ${bad.length} seeds`,
    ...sum.violations
      .slice(0, SHOWN_MOST)
      .map(({ seed, invariant, what }) => `  seed ${seed}, invariant ${invariant}: ${what}`),
    ...bad.slice(0, SHOWN_MOST).map((seed) => `  again: npm run simulate -- --seed ${seed} --seeds 1`),
    '',
  ].join('\n');
}

function readResults(file: string): Results {
  if (!existsSync(file)) return { total: emptyBatch(), ranges: [] };
  return JSON.parse(readFileSync(file, 'utf8')) as Results;
}

/** Written aside and moved into place: a killed run leaves the file whole. */
function keep(file: string, results: Results, range: { from: number; to: number }, batch: BatchResult): void {
  const on = new Date().toISOString().slice(0, 10);
  results.total = addBatch(results.total, batch);
  const last = results.ranges.at(-1);
  if (last && last.to + 1 === range.from && last.on === on && last.engine === engine) {
    last.to = range.to;
    last.violations += batch.violations.length;
  } else results.ranges.push({ ...range, on, engine, violations: batch.violations.length });
  writeFileSync(`${file}.new`, `${JSON.stringify(results, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

function digestOf(folders: readonly string[]): string {
  const hash = createHash('sha256');
  for (const folder of folders) {
    const place = new URL(`../../${folder}/`, import.meta.url);
    for (const file of readdirSync(place).sort())
      if (/(?<![.]test)[.]ts$/.test(file)) hash.update(readFileSync(new URL(file, place)));
  }
  return hash.digest('hex').slice(0, 12);
}

function wholeNumber(name: string, word: string): number {
  const value = Number(word);
  if (Number.isSafeInteger(value) && value > 0) return value;
  process.stderr.write(`${name} wants a whole number above 0, not ${word}\n`);
  process.exit(2);
}

await main();
