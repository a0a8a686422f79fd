/** Synthetic households for every group without one. */
import type { Bulk, Cell } from '../db/organisation-copy.ts';
import {
  addressesOfHouseholds,
  unitsWithoutHousehold,
  type Area,
  type VacantUnit,
} from '../db/organisation-population.ts';
import { TIERS } from '../domain/tiers.ts';
import { draws } from './generate-draws.ts';
import { householdName } from './generate-names.ts';
import { SYNTHETIC_NUMBER_PREFIX, SyntheticNumbers } from './generate-numbers.ts';

export type HouseholdsInput = {
  seed: string;
  householdsPerGroup: number;
  area: Area;
  log: (line: string) => void;
};

/** A group has this share of the mean more or less. */
const SPREAD = 0.2;

const GROUPS_PER_ROUND = 2_000;
const ADDRESSES_PER_READ = 100_000;

/** Adds households with a telephone number each; gives back how many. */
export async function generateHouseholds(bulk: Bulk, input: HouseholdsInput): Promise<number> {
  const tier = TIERS.filter(({ role }) => role === 'official').at(-1)?.id ?? '';
  const groups = await unitsWithoutHousehold(bulk, tier, input.area);
  if (groups.length === 0) return 0;
  const numbers = new SyntheticNumbers(input.seed, 'household');
  await takePresentNumbers(bulk, numbers);
  let added = 0;
  for (let from = 0; from < groups.length; from += GROUPS_PER_ROUND) {
    const round = groups.slice(from, from + GROUPS_PER_ROUND);
    const columns = ['unit_id', 'name', 'channel', 'address', 'synthetic'];
    added += await bulk.copy('households', columns, householdRows(round, input, numbers));
    input.log(`${added} households`);
  }
  return added;
}

function* householdRows(
  groups: readonly VacantUnit[],
  input: HouseholdsInput,
  numbers: SyntheticNumbers,
): Generator<Cell[]> {
  for (const group of groups) {
    const key = group.code ?? `${group.parentCode ?? ''}/${group.name}`;
    const draw = draws(input.seed, `households ${key}`);
    const count = Math.round(input.householdsPerGroup * (1 - SPREAD + 2 * SPREAD * draw()));
    for (let number = 1; number <= count; number += 1) {
      yield [group.id, householdName(draw, number), 'sms', numbers.next(`household ${key} ${number}`), true];
    }
  }
}

async function takePresentNumbers(bulk: Bulk, numbers: SyntheticNumbers): Promise<void> {
  let afterId = 0;
  for (;;) {
    const rows = await addressesOfHouseholds(bulk, SYNTHETIC_NUMBER_PREFIX, afterId, ADDRESSES_PER_READ);
    for (const { address } of rows) numbers.take(address);
    if (rows.length < ADDRESSES_PER_READ) return;
    afterId = rows.at(-1)?.id ?? afterId;
  }
}
