/** The engine in virtual time under faults: two thousand seeds, and every one that ever failed. */
import { beforeAll, describe, expect, it } from 'vitest';
import { runBatch, seedsFrom } from './simulator/batch.ts';
import { FAILED_SEEDS } from './simulator/failed-seeds.ts';
import { runSeed } from './simulator/simulation.ts';

const SEEDS = 2_000;
/** One test a part, so that none is near the runner's limit on a busy machine. */
const PARTS = 4;

beforeAll(() => {
  // Rejections of a server that is away are many, and nobody reads where they came from.
  Error.stackTraceLimit = 0;
});

describe('the simulator', () => {
  const size = SEEDS / PARTS;
  it.each(Array.from({ length: PARTS }, (_, part) => part * size + 1))(
    `finds no promise broken in ${size} seeds from %i on`,
    async (first) => {
      const { seeds, violations, faults } = await runBatch(seedsFrom(first, size));
      expect(violations).toEqual([]);
      expect(seeds).toBe(size);
      for (const kind of [
        'worker killed',
        'postgres away',
        'temporal away',
        'channel: answer lost',
        'page run twice',
      ])
        expect(faults[kind], kind).toBeGreaterThan(0);
    },
  );

  it('is clean on every seed that ever failed', async () => {
    const { violations } = await runBatch(FAILED_SEEDS.map((failed) => failed.seed));
    expect(violations).toEqual([]);
  });

  it('gives the same run for the same seed', async () => {
    for (const seed of seedsFrom(1, 20)) expect(await runSeed(seed)).toEqual(await runSeed(seed));
  });
});
