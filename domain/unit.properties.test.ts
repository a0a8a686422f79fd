/**
 * The unit machine over seeded histories: random trees of six tiers, people, channels, outages, cancels. Each history is
 * run as one cell, then under random partitions into cells with shuffled letters and small turns.
 *
 * One seed is replayed by `SEED=n npx vitest run domain/unit.properties.test.ts`; `HISTORIES=n` runs more or fewer.
 */
import { expect, test } from 'vitest';
import { difference, firstFault } from '../test/harness/cascade-properties.ts';
import { plainRunning, randomRunning, runCascade } from '../test/harness/virtual-cascade.ts';
import { worldOf } from '../test/harness/world.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 10_000);
const PARTITIONS = 3;
/** In every so many histories, one more run lets all deadlines of an instant fire together, in any order. */
const TOGETHER_EVERY = 4;
const FAULTS_SHOWN = 10;

const seeds = process.env.SEED
  ? [Number(process.env.SEED)]
  : Array.from({ length: HISTORIES }, (_, index) => index + 1);

test(
  `${seeds.length} histories keep all properties, with the same paths whatever the cells and the order`,
  { timeout: 900_000 },
  () => {
    const faults: string[] = [];
    for (const seed of seeds) {
      const fault = faultOf(seed);
      if (fault !== null) faults.push(fault);
      if (faults.length >= FAULTS_SHOWN) break;
    }
    expect(faults).toEqual([]);
  },
);

function faultOf(seed: number): string | null {
  const world = worldOf(seed);
  const label = `SEED=${seed} (${world.manner}, ${world.places.size} units)`;
  const plain = runCascade(world, plainRunning(world));
  const fault = firstFault(plain);
  if (fault !== null) return `${label}: ${fault}`;
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const other = runCascade(world, randomRunning(world, seed * PARTITIONS + partition));
    const otherFault = difference(plain, other) ?? firstFault(other);
    if (otherFault !== null) return `${label}, partition ${partition}: ${otherFault}`;
  }
  if (seed % TOGETHER_EVERY !== 0 && !process.env.SEED) return null;
  const together = firstFault(runCascade(world, randomRunning(world, seed, true)));
  return together === null ? null : `${label}, deadlines together: ${together}`;
}
