/** The simulator can fail: builds that break one promise each turn its invariants red. */
import { describe, expect, it } from 'vitest';
import { runBatch, seedsFrom } from './simulator/batch.ts';
import { MUTANTS, type Mutant } from './simulator/mutants.ts';

/** A build that is not found broken within so many seeds passes for a good one. */
const SEEDS_MOST = 240;
const AT_ONCE = 8;

async function firstBroken(mutant: Mutant): Promise<{ seeds: number; invariants: number[] }> {
  for (let first = 1; first <= SEEDS_MOST; first += AT_ONCE) {
    const { violations } = await runBatch(seedsFrom(first, AT_ONCE), mutant.options);
    const invariants = [...new Set(violations.map((violation) => violation.invariant))];
    if (invariants.some((invariant) => mutant.breaks.includes(invariant)))
      return { seeds: first + AT_ONCE - 1, invariants };
  }
  return { seeds: SEEDS_MOST, invariants: [] };
}

/** The faults that every build must be told from, by the first words of their mutants. */
const NAMED = [
  'claim removed',
  'GET answers',
  'dedupe dropped',
  'cancel ignored',
  'answer ignored',
  'drill flag lost',
  'lease ignored',
  'inbox read by cursor',
];

it.each(NAMED)('has a build with: %s', (name) => {
  expect(MUTANTS.filter((mutant) => mutant.name.startsWith(name))).toHaveLength(1);
});

describe('the simulator turns red where', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('%s', async (_name, mutant) => {
    const { invariants } = await firstBroken(mutant);
    expect(invariants.some((invariant) => mutant.breaks.includes(invariant))).toBe(true);
  });
});
