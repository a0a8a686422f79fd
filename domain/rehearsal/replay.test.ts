/** A recorded run, replayed, goes the same path; over the seeded histories of the property tests. */
import { expect, test } from 'vitest';
import { plainRunning, randomRunning, runCascade, type Machine } from '../../test/harness/virtual-cascade.ts';
import { worldOf } from '../../test/harness/world.ts';
import { recordLetter } from '../step-record.ts';
import { advance, type UnitState } from '../unit.ts';
import { replay, type StepRecord } from './replay.ts';

const HISTORIES = 300;

/** The real machine, which writes down what it takes as a step's audit does. */
function recording(): { machine: Machine; records: StepRecord[] } {
  const records: StepRecord[] = [];
  return {
    records,
    machine: (unit, message, rules, now) => {
      records.push({ now, letters: [recordLetter({ unitId: unit.unitId, message })] });
      return advance(unit, message, rules, now);
    },
  };
}

function finals(history: ReturnType<typeof runCascade>): Map<number, UnitState | null> {
  return new Map([...history.lives].map(([unitId, life]) => [unitId, life.final]));
}

test(`${HISTORIES} histories under random partitions are replayed to the same states, every letter explained`, () => {
  for (let seed = 1; seed <= HISTORIES; seed += 1) {
    const world = worldOf(seed);
    const { machine, records } = recording();
    const history = runCascade(world, randomRunning(world, seed), machine);
    // Through JSON, as the audit keeps it.
    const kept = JSON.parse(JSON.stringify(records)) as StepRecord[];
    const { units, unexplained } = replay(world.places, world.rules, kept);
    expect(unexplained, `seed ${seed}`).toEqual([]);
    for (const [unitId, final] of finals(history)) {
      if (units.has(unitId)) expect(units.get(unitId), `seed ${seed}`).toEqual(final);
    }
  }
});

test('paths are those that were gone, whatever cells the run had', () => {
  // Of two bridges of one instant a unit may hear one by one or at once: to whom it reports on the way is left out.
  for (let seed = 1; seed <= 50; seed += 1) {
    const world = worldOf(seed);
    const [plain, parted] = [recording(), recording()];
    runCascade(world, plainRunning(world), plain.machine);
    runCascade(world, randomRunning(world, seed), parted.machine);
    const paths = ({ records }: { records: StepRecord[] }) =>
      [...replay(world.places, world.rules, records).paths]
        .map(
          ([unitId, path]) =>
            [
              unitId,
              path
                .map(({ at, what }) => `${at} ${what}`)
                .filter((entry) => !entry.includes('reportsTo'))
                .sort(),
            ] as const,
        )
        .sort(([one], [other]) => one - other);
    if (world.manner === 'generic') expect(paths(parted), `seed ${seed}`).toEqual(paths(plain));
  }
});

test('a letter that was taken out of the record, or put into it, shows', () => {
  const world = worldOf(1);
  const { machine, records } = recording();
  runCascade(world, plainRunning(world), machine);
  const whole = replay(world.places, world.rules, records);
  expect(whole.unexplained.length + whole.untaken.length).toBe(0);
  const concluded = records.findIndex(({ letters }) => letters?.[0]?.kind === 'subordinate concluded');
  const silent = records.findIndex(({ letters }) => letters?.[0]?.kind === 'subordinate silent');
  const place = Math.max(concluded, silent);
  expect(place).toBeGreaterThan(0);
  const without = records.filter((_, index) => index !== place);
  expect(replay(world.places, world.rules, without).untaken).toHaveLength(1);
  const twice = [...records, ...records.slice(place, place + 1)];
  expect(replay(world.places, world.rules, twice).unexplained).toHaveLength(1);
});
