/** Many seeds, one after the other, and what they came to. */
import { runSeed, type SeedOptions, type SeedResult } from './simulation.ts';
import type { Violation } from './watch.ts';

export type BatchResult = {
  seeds: number;
  simulatedHours: number;
  /** Faults that really hit, by kind. */
  faults: Record<string, number>;
  violations: (Violation & { seed: number })[];
};

const HOUR_MS = 3_600_000;

export function emptyBatch(): BatchResult {
  return { seeds: 0, simulatedHours: 0, faults: {}, violations: [] };
}

/** Adds one batch to another. */
export function addBatch(sum: BatchResult, more: BatchResult): BatchResult {
  const faults = { ...sum.faults };
  for (const [kind, count] of Object.entries(more.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  return {
    seeds: sum.seeds + more.seeds,
    simulatedHours: sum.simulatedHours + more.simulatedHours,
    faults: Object.fromEntries(Object.entries(faults).sort(([one], [other]) => (one < other ? -1 : 1))),
    violations: [...sum.violations, ...more.violations],
  };
}

export async function runBatch(seeds: Iterable<number>, options: SeedOptions = {}): Promise<BatchResult> {
  const batch = emptyBatch();
  for (const seed of seeds) {
    const result = await runOne(seed, options);
    batch.seeds += 1;
    batch.simulatedHours += result.virtualMs / HOUR_MS;
    for (const [kind, count] of Object.entries(result.faults))
      batch.faults[kind] = (batch.faults[kind] ?? 0) + count;
    batch.violations.push(...result.violations.map((violation) => ({ ...violation, seed })));
    // A test runner, or a user's ^C, gets its turn.
    if (batch.seeds % 32 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return addBatch(emptyBatch(), batch);
}

/** A run that throws is a violation like any other: the next seeds are run all the same. */
async function runOne(
  seed: number,
  options: SeedOptions,
): Promise<Pick<SeedResult, 'virtualMs' | 'faults' | 'violations'>> {
  try {
    return await runSeed(seed, options);
  } catch (error) {
    const what = `the simulation threw: ${error instanceof Error ? error.message : String(error)}`;
    return { virtualMs: 0, faults: {}, violations: [{ invariant: 0, what, at: 0 }] };
  }
}

export function* seedsFrom(first: number, count: number): Generator<number> {
  for (let seed = first; seed < first + count; seed += 1) yield seed;
}
