/** Finds the unit a person means: by its code, its name, or a path of names such as 黔江区/濯水镇. */
import type { Sql } from '../db/database.ts';
import { unitsByCode, unitsByNames, unitsLike, type PlacedUnit } from '../db/organisation-read.ts';
import { FenghuoError } from '../domain/errors.ts';
import { halfWidth, plainName } from './organisation-csv.ts';

export type { PlacedUnit } from '../db/organisation-read.ts';

/** More would push the sentence off the screen; the rest is counted. */
const LISTED_MOST = 20;
const SUGGESTED_MOST = 5;
const LOOKED_AT_MOST = 100;

/**
 * The one unit that `path` names. Throws `unknown-unit` (not found) with the nearest names, `ambiguous-unit` (usage)
 * with every candidate's place and code.
 */
export async function findUnits(sql: Sql, path: string): Promise<PlacedUnit> {
  const [byCode] = await unitsByCode(sql, [halfWidth(path)]);
  if (byCode) return byCode;
  const names = splitPath(path);
  if (names.length === 0) {
    throw new FenghuoError({
      code: 'unknown-unit',
      refusal: 'usage',
      sentence: 'Name a unit by its code, its name, or a path such as 黔江区/濯水镇.',
    });
  }
  const { units, total } = await unitsByNames(sql, names, LISTED_MOST);
  if (total === 0) throw await unknownUnit(sql, path, names);
  const [unit] = units;
  if (unit && total === 1) return unit;
  throw new FenghuoError({
    code: 'ambiguous-unit',
    refusal: 'usage',
    sentence: `${total} units are called ${names.join('/')}. Name the unit above as well, or give the code:`,
    details: [...units.map(listed), ...(total > units.length ? [`… and ${total - units.length} more`] : [])],
  });
}

/** The names of a path; slashes may be full width. */
export function splitPath(path: string): string[] {
  return path
    .split(/[/／]/)
    .map(plainName)
    .filter((name) => name !== '');
}

async function unknownUnit(sql: Sql, path: string, names: readonly string[]): Promise<FenghuoError> {
  const wanted = names.at(-1) ?? '';
  const { units: sameName } = await unitsByNames(sql, [wanted], SUGGESTED_MOST);
  const near =
    sameName.length > 0 ? sameName : nearest(wanted, await unitsLike(sql, pairs(wanted), LOOKED_AT_MOST));
  return new FenghuoError({
    code: 'unknown-unit',
    refusal: 'notFound',
    sentence:
      near.length > 0
        ? `There is no unit ${path}. Perhaps one of these:`
        : `There is no unit ${path}. \`fenghuo org show\` lists the units; \`fenghuo org import\` adds them.`,
    details: near.map(listed),
  });
}

function listed(unit: PlacedUnit): string {
  return `${unit.place}  ${unit.code ?? '(no code)'}`;
}

/** The units whose names have most pairs of signs in common with the word, relative to their length. */
function nearest(word: string, units: readonly PlacedUnit[]): PlacedUnit[] {
  const wanted = new Set(pairs(word));
  return units
    .map((unit) => {
      const have = pairs(unit.name);
      const common = have.filter((pair) => wanted.has(pair)).length;
      return { unit, likeness: (2 * common) / (have.length + wanted.size) };
    })
    .sort((one, other) => other.likeness - one.likeness)
    .slice(0, SUGGESTED_MOST)
    .map(({ unit }) => unit);
}

/** 濯水镇 → 濯水, 水镇; a single sign stands for itself. */
function pairs(word: string): string[] {
  const signs = [...word];
  if (signs.length < 2) return signs;
  return signs.slice(1).map((sign, place) => `${signs[place] ?? ''}${sign}`);
}
