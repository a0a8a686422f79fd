/** A synthetic district, planted by the same import and generator as a real one. */
import type { Database } from '../../db/database.ts';
import { findUnits } from '../../operations/organisation-find.ts';
import { generatePopulation } from '../../operations/generate-population.ts';
import { importOrganisation } from '../../operations/organisation-import.ts';

export type DistrictShape = {
  townships: number;
  villagesPerTownship: number;
  groupsPerVillage: number;
  /** The mean. */
  householdsPerGroup: number;
};

/** City 城, district 区, townships 乡1, 乡2 …; each unit has a principal and one deputy, each group its households. */
export async function plantDistrict(database: Database, shape: DistrictShape): Promise<void> {
  const lines = [
    'code,name,parent_code,tier',
    '900000000000,城,,city',
    '900100000000,区,900000000000,district',
  ];
  for (const township of numbers(shape.townships)) {
    const code = `9001${three(township)}`;
    lines.push(`${code}00000,乡${township},900100000000,township`);
    for (const village of numbers(shape.villagesPerTownship)) {
      lines.push(`${code}${three(village)}00,村${township}之${village},${code}00000,village`);
    }
  }
  await importOrganisation({ database, file: Buffer.from(lines.join('\n')) });
  const district = await findUnits(database, '城/区');
  await generatePopulation({
    database,
    seed: 'crash',
    groupsPerVillage: shape.groupsPerVillage,
    deputiesPerUnit: 1,
    householdsPerGroup: shape.householdsPerGroup,
    householdsUnder: [district.id],
  });
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function three(number: number): string {
  return String(number).padStart(3, '0');
}
