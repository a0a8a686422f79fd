/** Contact hygiene: whom nobody could reach, and what is most likely wrong with the addresses. */
import type { Database } from '../db/database.ts';
import {
  countProven,
  doubledPeople,
  faultyAddresses,
  oddMobiles,
  peopleWithoutChannel,
  sharedNumbers,
  type CheckedPerson,
  type Proven,
} from '../db/people-check.ts';
import { findUnits } from './organisation-find.ts';
import { maskAddress, parsePhone } from './organisation-person.ts';
import { checkPeople, type UnreachableUnit } from './organisation-read.ts';

export type FindingKind =
  'no channel' | 'shared number' | 'doubled' | 'faulty address' | 'landline as mobile';

/** One thing that is wrong with one person's contacts. `detail` is a masked address, with the fault where there is one. */
export type Finding = {
  kind: FindingKind;
  personId: number;
  name: string;
  place: string;
  address: string | null;
  fault: string | null;
};

export type Hygiene = {
  /** Units without a person who can be reached. */
  units: { total: number; units: UnreachableUnit[] };
  /** How many of each kind, also those past the limit. */
  counts: Record<FindingKind, number>;
  findings: Finding[];
  proven: Proven;
};

/** Checks one area, or everything; of units and of findings it lists `most` each. */
export async function checkHygiene(
  database: Database,
  input: { area?: string; most: number },
): Promise<Hygiene> {
  const { area, most } = input;
  const unitId = area === undefined ? null : (await findUnits(database, area)).id;
  const finding =
    (kind: FindingKind) =>
    ({ personId, name, place, ...rest }: CheckedPerson & { address?: string; fault?: string }): Finding => ({
      kind,
      personId,
      name,
      place,
      address: rest.address === undefined ? null : maskAddress(rest.address),
      fault: rest.fault ?? null,
    });
  const landlines = (await oddMobiles(database, unitId)).filter(({ address }) => isLandline(address));
  const found: Record<FindingKind, Finding[]> = {
    'no channel': (await peopleWithoutChannel(database, unitId)).map(finding('no channel')),
    'faulty address': (await faultyAddresses(database, unitId)).map(finding('faulty address')),
    'landline as mobile': landlines.map(finding('landline as mobile')),
    'shared number': (await sharedNumbers(database, unitId)).map(finding('shared number')),
    doubled: (await doubledPeople(database, unitId)).map(finding('doubled')),
  };
  const counts = Object.fromEntries(
    Object.entries(found).map(([kind, findings]) => [kind, findings.length]),
  ) as Record<FindingKind, number>;
  return {
    units: await checkPeople(database, { ...(area === undefined ? {} : { under: area }), most }),
    counts,
    findings: Object.values(found).flat().slice(0, most),
    proven: await countProven(database, unitId),
  };
}

/** True where nothing is wrong. That nothing was proven yet is no fault. */
export function isClean({ units, counts }: Pick<Hygiene, 'units' | 'counts'>): boolean {
  return units.total === 0 && Object.values(counts).every((count) => count === 0);
}

function isLandline(address: string): boolean {
  const phone = parsePhone(address);
  return 'value' in phone && phone.value?.kind === 'landline';
}
