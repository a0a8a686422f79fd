/**
 * A tree of exactly so many units for benches that count messages: every unit has one principal with one number and one
 * address, so a first rung is one message a unit. Its shape is Chongqing's mean: 27 townships a district, 11 villages each, 8 groups each.
 */
import type { Database } from '../db/database.ts';
import { bulkTransaction } from '../db/organisation-copy.ts';
import { reserveIdRange } from '../db/organisation-population.ts';
import { analyzeOrganisation } from '../db/organisation-units.ts';
import { TIERS } from '../domain/tiers.ts';
import { SYNTHETIC_NUMBER_PREFIX } from '../operations/generate-numbers.ts';

const CITY = '演练市';
/** Units directly below one of each tier, from the city down; there are as many districts as it takes. */
const BELOW = [Infinity, 27, 11, 8] as const;
const FIRST_CODE = 900_000_000_000;

type Planted = {
  id: number;
  name: string;
  tier: string;
  parentId: number | null;
  path: number[];
  cell: number;
};

/** Plants the tree into empty tables; gives back the name of its city. */
export async function plantTree(database: Database, unitCount: number): Promise<string> {
  await bulkTransaction(database, async (bulk) => {
    const firstId = await reserveIdRange(bulk, 'units', unitCount);
    const firstPerson = await reserveIdRange(bulk, 'people', unitCount);
    const units = planUnits(unitCount, firstId);
    const withPerson = units.map((unit, place) => ({ ...unit, place, personId: firstPerson + place }));
    await bulk.copy(
      'units',
      ['id', 'code', 'name', 'tier', 'parent_id', 'path', 'cell_unit_id', 'synthetic'],
      withPerson.map(({ id, place, name, tier, parentId, path, cell }) => [
        ...[id, String(FIRST_CODE + place), name, tier, parentId, path, cell, true],
      ]),
    );
    await bulk.copy(
      'people',
      ['id', 'reference', 'name', 'synthetic'],
      withPerson.map(({ personId }) => [personId, `bench ${personId}`, `演练员${personId}`, true]),
    );
    await bulk.copy(
      'person_channels',
      ['person_id', 'channel', 'address'],
      withPerson.flatMap(({ personId, place }) => [
        [personId, 'sms', SYNTHETIC_NUMBER_PREFIX + String(place).padStart(8, '0')],
        [personId, 'email', `p${personId}@people.example`],
      ]),
    );
    await bulk.copy(
      'posts',
      ['unit_id', 'person_id', 'title', 'rank', 'held_from'],
      withPerson.map(({ id, personId }) => [id, personId, '负责人', 0, '2020-01-01']),
    );
    await analyzeOrganisation(bulk);
  });
  return CITY;
}

/** Depth first, so that every district but the last is whole. */
function planUnits(count: number, firstId: number): Planted[] {
  const tiers = TIERS.filter(({ role }) => role === 'official').map(({ id }) => id);
  const planted: Planted[] = [];
  const plant = (depth: number, parent: Planted | null, number: number) => {
    const id = firstId + planted.length;
    const unit: Planted = {
      id,
      name: parent === null ? CITY : `${parent.parentId === null ? '区' : `${parent.name}-`}${number}`,
      tier: tiers[depth] ?? '',
      parentId: parent?.id ?? null,
      path: [...(parent?.path ?? []), id],
      cell: depth <= 1 ? id : (parent?.cell ?? id),
    };
    planted.push(unit);
    for (let below = 1; below <= (BELOW[depth] ?? 0) && planted.length < count; below += 1)
      plant(depth + 1, unit, below);
  };
  plant(0, null, 1);
  return planted;
}
