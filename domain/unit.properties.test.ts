/**
 * Properties of the unit machine over seeded histories. One seed is replayed by `SEED=n npx vitest run unit.properties`.
 */
import { expect, test } from 'vitest';
import { difference, firstFault } from '../test/harness/cascade-properties.ts';
import { plainRunning, randomRunning, runCascade } from '../test/harness/virtual-cascade.ts';
import { worldOf } from '../test/harness/world.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 10_000);
const PARTITIONS = 3;

function faultOf(seed: number): string | null {
  const world = worldOf(seed);
  const plain = runCascade(world, plainRunning(world));
  const fault = firstFault(plain);
  if (fault !== null) return `SEED=${seed} (${world.manner}, ${world.places.size} units): ${fault}`;
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const other = runCascade(world, randomRunning(world, seed * PARTITIONS + partition));
    const different = difference(plain, other) ?? firstFault(other);
    if (different !== null) return `SEED=${seed} (${world.manner}), partition ${partition}: ${different}`;
  }
  return null;
}

test('any partition and any order give the same paths, and all properties hold', { timeout: 600_000 }, () => {
  const only = process.env.SEED;
  const seeds = only ? [Number(only)] : Array.from({ length: HISTORIES }, (_, index) => index + 1);
  const faults: string[] = [];
  for (const seed of seeds) {
    const fault = faultOf(seed);
    if (fault !== null) faults.push(fault);
  }
  expect(faults.slice(0, 20), `${faults.length} of ${seeds.length} seeds`).toEqual([]);
});
