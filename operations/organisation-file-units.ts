/** The units that the lines of a file name: by code, or by a path of names for those without one. */
import type { Sql } from '../db/database.ts';
import { unitsByCode, unitsByNames, type PlacedUnit } from '../db/organisation-read.ts';
import { halfWidth } from './organisation-csv.ts';
import { splitPath } from './organisation-find.ts';
import type { ParsedCell } from './organisation-person.ts';

/** Units by the cell that names them: a code, or a path of names for a unit without one. Null where several match. */
export async function findFileUnits(
  sql: Sql,
  unitWords: readonly string[],
): Promise<Map<string, PlacedUnit | null>> {
  const words = new Set(unitWords);
  const found = new Map<string, PlacedUnit | null>();
  for (const unit of await unitsByCode(sql, [...words])) found.set(unit.code ?? '', unit);
  for (const word of words) {
    if (found.has(word) || !word.includes('/')) continue;
    const { units, total } = await unitsByNames(sql, splitPath(word), 1);
    if (total > 0) found.set(word, total === 1 ? (units[0] ?? null) : null);
  }
  return found;
}

/** A code is normalised; a path is kept, because names may have full-width brackets. */
export function unitWord(cell: string): string {
  return /[/／]/.test(cell) ? cell.replaceAll('／', '/') : halfWidth(cell);
}

/** The unit a cell names, or why it names none. */
export function findFileUnit(
  word: string,
  units: ReadonlyMap<string, PlacedUnit | null>,
): ParsedCell<PlacedUnit> {
  if (word === '') return { fault: "the unit's code is empty" };
  const unit = units.get(word);
  if (unit) return { value: unit };
  if (unit === null) return { fault: `several units are called ${word}; give the code` };
  return { fault: `no unit has the code ${word}; import the units first` };
}
