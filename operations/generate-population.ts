/**
 * Fills the tree with synthetic groups, people and households, for exercises and measurements. Everything it makes is
 * flagged synthetic, and live channels refuse it.
 *
 * One transaction: a kill leaves nothing half-done. It only adds what is missing, so a second run changes nothing, and a
 * unit that has real people or groups keeps them alone. Who a unit gets depends on the seed and the unit's code alone,
 * except that of two keys that draw the same number the later in the order of codes draws again.
 */
import type { Database } from '../db/database.ts';
import { bulkTransaction, type Bulk } from '../db/organisation-copy.ts';
import { lockOrganisation, lockOrganisationTables } from '../db/organisation-lock.ts';
import {
  namesBelow,
  reserveIdRange,
  unitsToDivide,
  type Area,
  type ParentRow,
} from '../db/organisation-population.ts';
import { analyzeOrganisation } from '../db/organisation-units.ts';
import { TIERS } from '../domain/tiers.ts';
import { generateHouseholds } from './generate-households.ts';
import { groupName } from './generate-names.ts';
import { generatePeople } from './generate-people.ts';

export type PopulationInput = {
  database: Database;
  /** Any text; the same seed gives the same people. */
  seed: string;
  /** At most 99: two digits are appended to the village's code. @default 8 */
  groupsPerVillage?: number;
  /** Which villages get groups: those below these units. @default 'all' */
  villagesUnder?: readonly number[] | 'all';
  /** Which units get people: those below these units, and those above them. @default 'all' */
  peopleUnder?: readonly number[] | 'all';
  /** @default 2 */
  deputiesPerUnit?: number;
  /** The mean; a group has a fifth more or less. @default 130 */
  householdsPerGroup?: number;
  /** Which groups get households: those below these units. @default 'none' */
  householdsUnder?: readonly number[] | 'all' | 'none';
  log?: (line: string) => void;
};

/** How many rows were added. */
export type Population = {
  groups: number;
  people: number;
  posts: number;
  channels: number;
  households: number;
};

const GROUPS_MOST = 99;

/** Adds what is missing and gives back how much that was; all zeros on a second run. */
export async function generatePopulation(input: PopulationInput): Promise<Population> {
  const log = input.log ?? (() => undefined);
  const groupsPerVillage = wholeNumber('groupsPerVillage', input.groupsPerVillage ?? 8, GROUPS_MOST);
  const deputiesPerUnit = wholeNumber('deputiesPerUnit', input.deputiesPerUnit ?? 2, 20);
  const householdsPerGroup = wholeNumber('householdsPerGroup', input.householdsPerGroup ?? 130, 2_000);
  return bulkTransaction(input.database, async (bulk) => {
    await lockOrganisation(bulk);
    await lockOrganisationTables(bulk);
    const groups = await generateGroups(bulk, input.villagesUnder ?? 'all', groupsPerVillage);
    log(`${groups} groups`);
    const people = await generatePeople(bulk, {
      seed: input.seed,
      deputiesPerUnit,
      area: input.peopleUnder ?? 'all',
      log,
    });
    const under = input.householdsUnder ?? 'none';
    const households =
      under === 'none'
        ? 0
        : await generateHouseholds(bulk, { seed: input.seed, householdsPerGroup, area: under, log });
    if (groups + people.posts + households > 0) await analyzeOrganisation(bulk);
    return { groups, ...people, households };
  });
}

/** Adds the groups that a village lacks; a village with real groups is left alone. */
async function generateGroups(bulk: Bulk, area: Area, groupsPerVillage: number): Promise<number> {
  const tiers = TIERS.filter(({ role }) => role === 'official');
  const group = tiers.at(-1)?.id ?? '';
  const villages = await unitsToDivide(bulk, tiers.at(-2)?.id ?? '', area);
  const present = new Set<string>();
  for (const { parentId, code, name } of await namesBelow(
    bulk,
    villages.map(({ id }) => id),
  )) {
    present.add(`${parentId} ${name}`).add(code ?? '');
  }
  const missing: { village: ParentRow; code: string | null; name: string }[] = [];
  for (const village of villages) {
    for (let number = 1; number <= groupsPerVillage; number += 1) {
      const code = village.code === null ? null : village.code + String(number).padStart(2, '0');
      const name = groupName(number);
      if (!present.has(`${village.id} ${name}`) && !present.has(code ?? ' '))
        missing.push({ village, code, name });
    }
  }
  if (missing.length === 0) return 0;
  const firstId = await reserveIdRange(bulk, 'units', missing.length);
  return bulk.copy(
    'units',
    ['id', 'code', 'name', 'tier', 'parent_id', 'path', 'cell_unit_id', 'synthetic'],
    missing.map(({ village, code, name }, place) => {
      const id = firstId + place;
      return [id, code, name, group, village.id, [...village.path, id], village.cellUnitId, true];
    }),
  );
}

function wholeNumber(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new RangeError(`${name} is a whole number from 0 to ${most}, not ${value}`);
}
