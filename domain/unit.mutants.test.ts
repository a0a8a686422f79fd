/** The tests of the tests: a unit machine with one broken rule must be found by the properties, and by the right one. */
import { expect, test } from 'vitest';
import { BROKEN_MACHINES, type BrokenMachine } from '../test/harness/broken-machines.ts';
import { difference, PROPERTIES } from '../test/harness/cascade-properties.ts';
import { plainRunning, randomRunning, runCascade } from '../test/harness/virtual-cascade.ts';
import { worldOf } from '../test/harness/world.ts';

const SEEDS_MAX = 500;

test.each(BROKEN_MACHINES)('$name: found by "$foundBy"', { timeout: 120_000 }, (broken) => {
  const seed = firstRedSeed(broken);
  expect(seed, `not found within ${SEEDS_MAX} seeds`).not.toBeNull();
});

/** The first seed whose named property is red. */
function firstRedSeed({ foundBy, machine }: BrokenMachine): number | null {
  const property = PROPERTIES.find(({ name }) => name === foundBy);
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const world = worldOf(seed);
    const plain = runCascade(world, plainRunning(world), machine);
    const red = property
      ? property.check(plain)
      : difference(plain, runCascade(world, randomRunning(world, seed), machine));
    if (red !== null) return seed;
  }
  return null;
}
