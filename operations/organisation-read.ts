/** What the organisation looks like: one unit, the whole, who is out of reach, and the file to hand on. */
import type { Sql } from '../db/database.ts';
import {
  countHouseholds,
  countPeople,
  countUnitsByTier,
  postHolders,
  unitsForExport,
  unreachableUnits,
  type PeopleCount,
} from '../db/organisation-read.ts';
import { TIERS, type TierId } from '../domain/tiers.ts';
import { isoWithOffset } from '../domain/time.ts';
import { writeCsv } from './organisation-csv.ts';
import { findUnits, type PlacedUnit } from './organisation-find.ts';
import { maskAddress } from './organisation-person.ts';

export type ListedPerson = {
  name: string;
  title: string;
  /** 0 is the principal, n the n-th deputy. */
  rank: number;
  language: string;
  synthetic: boolean;
  /** Addresses masked: `138****0000`, `a***@example.com`. Empty where the person can be reached by nothing. */
  channels: ListedChannel[];
};

/** An address, what is wrong with it, and when somebody last provably had it in their hand (ISO with offset). */
export type ListedChannel = {
  channel: string;
  address: string;
  fault: string | null;
  provenAt: string | null;
};

export type TierLine = { tier: TierId; units: number; synthetic: number; unreachable: number };

export type UnitView = {
  unit: PlacedUnit;
  /** Names from the top down to the unit. */
  names: string[];
  people: ListedPerson[];
  /** Units below, by tier from the top; `household` counts households, which are never `unreachable` here. */
  below: TierLine[];
};

/** A unit with its people and what stands below it. `path` as in `findUnits`, which says what is thrown. */
export async function showUnit(sql: Sql, path: string): Promise<UnitView> {
  const unit = await findUnits(sql, path);
  const tiers = await tierLines(sql, unit.id);
  return {
    unit,
    names: unit.place.split('/'),
    people: await peopleOf(sql, unit.id),
    below: tiers.filter(({ tier }) => tier !== unit.tier),
  };
}

/** The people of a unit, the principal first, with masked addresses. */
export async function listPeople(
  sql: Sql,
  path: string,
): Promise<{ unit: PlacedUnit; people: ListedPerson[] }> {
  const unit = await findUnits(sql, path);
  return { unit, people: await peopleOf(sql, unit.id) };
}

export type OrganisationSummary = {
  tiers: TierLine[];
  people: PeopleCount;
  households: { all: number; synthetic: number };
  /** Units of all tiers where nobody can be reached. */
  unreachableUnits: number;
};

/** The whole organisation in numbers. */
export async function organisationSummary(sql: Sql): Promise<OrganisationSummary> {
  const tiers = await tierLines(sql, null);
  return {
    tiers,
    people: await countPeople(sql),
    households: await countHouseholds(sql, null),
    unreachableUnits: tiers.reduce((sum, { unreachable }) => sum + unreachable, 0),
  };
}

export type UnreachableUnit = {
  id: number;
  code: string | null;
  place: string;
  tier: TierId;
  reason: 'no post is held' | 'no address';
};

const LISTED_MOST = 100;

/** Units where nobody can be reached, the highest first; `total` counts those past the limit (default 100) as well. */
export async function checkPeople(
  sql: Sql,
  input: { under?: string; most?: number } = {},
): Promise<{ total: number; units: UnreachableUnit[] }> {
  const unitId = input.under === undefined ? null : (await findUnits(sql, input.under)).id;
  const tiers = await countUnitsByTier(sql, unitId);
  const units = await unreachableUnits(sql, { unitId, most: input.most ?? LISTED_MOST });
  return {
    total: tiers.reduce((sum, { unreachable }) => sum + unreachable, 0),
    units: units.map(({ id, code, place, tier, holders }) => ({
      id,
      code,
      place,
      tier,
      reason: holders === 0 ? 'no post is held' : 'no address',
    })),
  };
}

/** The units as a CSV file that `importOrganisation` reads. Synthetic units would come back as real ones: left out. */
export async function exportOrganisation(sql: Sql, input: { withSynthetic?: boolean } = {}): Promise<string> {
  const units = await unitsForExport(sql, input.withSynthetic ?? false);
  return writeCsv([
    ['code', 'name', 'parent_code', 'tier'],
    ...units.map(({ code, name, parentCode, tier }) => [code ?? '', name, parentCode ?? '', tier]),
  ]);
}

async function peopleOf(sql: Sql, unitId: number): Promise<ListedPerson[]> {
  const holders = await postHolders(sql, unitId);
  return holders.map(({ name, title, rank, language, synthetic, channels }) => ({
    name,
    title,
    rank,
    language,
    synthetic,
    channels: channels.map(({ channel, address, fault, provenAt }) => ({
      channel,
      address: maskAddress(address),
      fault,
      provenAt: provenAt === null ? null : isoWithOffset(provenAt),
    })),
  }));
}

/** Counts in the order of the tiers; a tier without units has zeros, and one that is not in the list comes last. */
async function tierLines(sql: Sql, unitId: number | null): Promise<TierLine[]> {
  const counts = new Map((await countUnitsByTier(sql, unitId)).map((count) => [count.tier, count]));
  const households = await countHouseholds(sql, unitId);
  counts.set('household', {
    tier: 'household',
    units: households.all,
    synthetic: households.synthetic,
    unreachable: 0,
  });
  const none = { units: 0, synthetic: 0, unreachable: 0 };
  const lines = TIERS.map(({ id }) => ({ ...none, ...counts.get(id), tier: id }));
  const others = [...counts.values()].filter(({ tier }) => !TIERS.some(({ id }) => id === tier));
  return unitId === null ? [...lines, ...others] : [...lines, ...others].filter(({ units }) => units > 0);
}
