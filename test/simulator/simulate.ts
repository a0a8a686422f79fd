/**
 * `npm run simulate -- --seed N --seeds M [--jobs J] [--resume FILE] [--json]`: runs M seeds from N on, in J processes. With
 * `--resume` it adds what it ran to FILE, and runs no seed again that FILE has of this engine; without `--seed` it goes on after
 * the last one. ^C loses nothing that was written.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { addBatch, emptyBatch, runBatch, seedsFrom, type BatchResult } from './batch.ts';

const ENGINE_FOLDERS = ['activities', 'domain', 'workflows'];

const engine = digestOf(ENGINE_FOLDERS);

/** Said to the processes that run chunks for another. */
const SERVE = '--serve';

/** Seeds between two writes of the results file. */
const CHUNK = 500;
const SHOWN_MOST = 20;

/** What the results file keeps: ranges that were run, when, and what they came to. */
type Results = {
  total: BatchResult;
  /** `engine` tells which sources of the engine ran, without git. */
  ranges: { from: number; to: number; on: string; engine: string; violations: number }[];
};

type Chunk = { first: number; size: number };
type RunChunk = (chunk: Chunk) => Promise<BatchResult>;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1000' },
      jobs: { type: 'string', default: '1' },
      resume: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const file = values.resume ?? null;
  const results = file ? readResults(file) : { total: emptyBatch(), ranges: [] };
  const from = wholeNumber('--seed', values.seed ?? String((results.ranges.at(-1)?.to ?? 0) + 1));
  const chunks = chunksOf({ from, count: wholeNumber('--seeds', values.seeds) }, results);
  const count = chunks.reduce((sum, { size }) => sum + size, 0);
  const runners = startRunners(Math.min(wholeNumber('--jobs', values.jobs), chunks.length));
  const startedAt = performance.now();
  let sum = emptyBatch();
  for await (const { chunk, batch } of inOrder(chunks, runners.run)) {
    sum = addBatch(sum, batch);
    if (file) keep(file, results, chunk, batch);
    const ms = (performance.now() - startedAt) / sum.seeds;
    process.stderr.write(
      `${sum.seeds} of ${count} seeds, ${ms.toFixed(1)} ms each, ${sum.violations.length} violations\n`,
    );
  }
  runners.stop();
  process.stdout.write(values.json ? `${JSON.stringify(sum)}\n` : text(chunks, sum));
  process.exitCode = sum.violations.length > 0 ? 1 : 0;
}

/** The seeds asked for that the results do not hold of this engine, cut where they are written down. */
function chunksOf({ from, count }: { from: number; count: number }, { ranges }: Results): Chunk[] {
  const known = ranges.filter((range) => range.engine === engine);
  const chunks: Chunk[] = [];
  for (const seed of seedsFrom(from, count)) {
    if (known.some((range) => range.from <= seed && seed <= range.to)) continue;
    const last = chunks.at(-1);
    if (last && last.first + last.size === seed && last.size < CHUNK) last.size += 1;
    else chunks.push({ first: seed, size: 1 });
  }
  return chunks;
}

// ── processes ───────────────────────────────────────────────────────────────────────────────────────────────

/** One job runs here, several in a process each. */
function startRunners(jobs: number): { run: RunChunk[]; stop: () => void } {
  if (jobs <= 1) return { run: [runHere], stop: () => undefined };
  const children = Array.from({ length: jobs }, () => fork(fileURLToPath(import.meta.url), [SERVE]));
  return {
    run: children.map((child) => (chunk) => runThere(child, chunk)),
    stop: () => {
      for (const child of children) child.disconnect();
    },
  };
}

function runHere({ first, size }: Chunk): Promise<BatchResult> {
  return runBatch(seedsFrom(first, size));
}

function runThere(child: ChildProcess, chunk: Chunk): Promise<BatchResult> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error(`a process ended over the seeds from ${chunk.first} on`));
    child.once('exit', ended);
    child.once('message', (batch) => {
      child.off('exit', ended);
      resolve(batch as BatchResult);
    });
    child.send(chunk);
  });
}

/** What a process of its own does, until its parent has nothing more. */
function serve(): void {
  process.on('message', (chunk: Chunk) => {
    void runHere(chunk).then((batch) => process.send?.(batch));
  });
}

/** Each runner takes the next chunk; they come back in their order, so that ranges grow at their end. */
async function* inOrder(
  chunks: readonly Chunk[],
  runners: readonly RunChunk[],
): AsyncGenerator<{ chunk: Chunk; batch: BatchResult }> {
  const done = new Map<Chunk, Promise<BatchResult>>();
  const lanes = runners.map(() => Promise.resolve() as Promise<unknown>);
  for (const [index, chunk] of chunks.entries()) {
    const lane = index % runners.length;
    const batch = (lanes[lane] ?? Promise.resolve()).then(() => runners[lane]?.(chunk) ?? emptyBatch());
    lanes[lane] = batch;
    batch.catch(() => undefined);
    done.set(chunk, batch);
  }
  for (const [chunk, batch] of done) yield { chunk, batch: await batch };
}

function text(chunks: readonly Chunk[], sum: BatchResult): string {
  const bad = [...new Set(sum.violations.map((violation) => violation.seed))];
  return [
    `${sum.seeds} seeds from ${chunks[0]?.first ?? 'none'} on: ${sum.simulatedHours.toFixed(1)} simulated hours`,
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
function keep(file: string, results: Results, { first, size }: Chunk, batch: BatchResult): void {
  const range = { from: first, to: first + size - 1 };
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

// Rejections of a server that is away are many, and nobody reads where they came from.
Error.stackTraceLimit = 0;
if (process.argv.includes(SERVE)) serve();
else await main();
