/**
 * The units a CAP area means. By geocode where one names a unit; else by the shapes of units that touch its polygons or circles.
 * Touching, not the middle point: a storm over half a township warns the township.
 */
import { countShapedBelow, hasShapes, readShapesIn, type ShapedUnit } from '../db/unit-shapes.ts';
import type { Sql } from '../db/database.ts';
import { unitsByCode } from '../db/organisation-read.ts';
import type { CapArea } from '../domain/cap/alert.ts';
import { finding, type Finding } from '../domain/cap/findings.ts';
import { banded, circleShape, shapesTouch, type Shape } from '../domain/geometry.ts';

export type FoundUnits = { unitIds: number[]; findings: Finding[] };

export async function unitsOfAreas(sql: Sql, areas: readonly CapArea[]): Promise<FoundUnits> {
  const unitIds = new Set<number>();
  const findings: Finding[] = [];
  if (areas.length === 0) findings.push(finding('CAP-704', null, { area: '', codes: '' }));
  for (const area of areas) {
    const found = await unitsOfArea(sql, area);
    found.unitIds.forEach((unitId) => unitIds.add(unitId));
    findings.push(...found.findings);
  }
  return { unitIds: [...unitIds], findings };
}

async function unitsOfArea(sql: Sql, area: CapArea): Promise<FoundUnits> {
  const byCode = await unitsOfCodes(sql, area);
  if (byCode.unitIds.length > 0) return byCode;
  const shape = shapeOf(area);
  const named = { area: area.areaDesc, codes: area.geocodes.map(({ value }) => value).join(', ') };
  if (shape.length === 0) return { unitIds: [], findings: [finding('CAP-704', null, named)] };
  if (!(await hasShapes(sql))) return { unitIds: [], findings: [finding('CAP-705', null, named)] };
  const unitIds = await unitsTouching(sql, shape);
  return unitIds.length > 0
    ? { unitIds, findings: [] }
    : { unitIds: [], findings: [finding('CAP-706', null, named)] };
}

const CODE_DIGITS = 12;

/** Division codes of 2 (province) to 12 digits stand for the code with zeros behind; groups have longer ones. */
async function unitsOfCodes(sql: Sql, area: CapArea): Promise<FoundUnits> {
  const codes = area.geocodes
    .map(({ value }) => value.trim())
    .filter((value) => /^[1-9]\d{1,19}$/.test(value));
  const full = codes.map((code) => code.padEnd(CODE_DIGITS, '0'));
  const units = await unitsByCode(sql, full);
  const unknown = codes.filter((_, index) => !units.some(({ code }) => code === full[index]));
  return {
    unitIds: units.map(({ id }) => id),
    findings: unknown.length === 0 ? [] : [finding('CAP-717', null, { codes: unknown.join(', ') })],
  };
}

/** CAP says latitude first, shapes longitude. */
function shapeOf(area: CapArea): Shape {
  return [
    ...area.polygons.map((points) => [points.map(([latitude, longitude]) => [longitude, latitude] as const)]),
    ...area.circles.flatMap(({ centre: [latitude, longitude], radiusKm }) =>
      circleShape([longitude, latitude], radiusKm),
    ),
  ];
}

/**
 * From the top down: of a touched unit those below it that are touched as well, where all below it have shapes; else the unit
 * itself. So a village without a shape is warned with its township, rather than forgotten.
 */
async function unitsTouching(sql: Sql, shape: Shape): Promise<number[]> {
  const area = banded(shape);
  const near = await readShapesIn(sql, area.box);
  const touched = near.filter((unit) => shapesTouch(area, banded(unit.shape)));
  const ids = new Set(touched.map(({ unitId }) => unitId));
  const counts = await countShapedBelow(sql, [...ids]);
  const divided = new Set(counts.filter(({ below, shaped }) => below === shaped).map(({ unitId }) => unitId));
  const below = new Map<number, ShapedUnit[]>();
  for (const unit of touched) {
    if (unit.parentId !== null) below.set(unit.parentId, [...(below.get(unit.parentId) ?? []), unit]);
  }
  const taken = (unit: ShapedUnit): number[] => {
    const parts = below.get(unit.unitId) ?? [];
    return divided.has(unit.unitId) && parts.length > 0 ? parts.flatMap(taken) : [unit.unitId];
  };
  const tops = touched.filter(({ path }) => !path.slice(0, -1).some((unitId) => ids.has(unitId)));
  return tops.flatMap(taken);
}
