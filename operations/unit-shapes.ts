/**
 * Shapes of units from a GeoJSON file (RFC 7946): a FeatureCollection of Polygons and MultiPolygons, longitude first. A feature names
 * its unit by `code` (or `adcode`, `id`) or by `name`, also as a path. No outline is shipped: maps of China are regulated.
 */
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import { unitsByCode } from '../db/organisation-read.ts';
import { putShape } from '../db/unit-shapes.ts';
import { FenghuoError } from '../domain/errors.ts';
import { boxOf, type Shape } from '../domain/geometry.ts';
import { findUnits } from './organisation-find.ts';

const position = z.tuple([z.number().min(-180).max(180), z.number().min(-90).max(90)]).rest(z.number());
const ring = z.array(position).min(4);
const polygon = z.array(ring).min(1);
const feature = z.object({
  type: z.literal('Feature'),
  id: z.union([z.string(), z.number()]).optional(),
  properties: z.record(z.string(), z.unknown()).nullish(),
  geometry: z.discriminatedUnion('type', [
    z.object({ type: z.literal('Polygon'), coordinates: polygon }),
    z.object({ type: z.literal('MultiPolygon'), coordinates: z.array(polygon).min(1) }),
  ]),
});
const file = z.object({ type: z.literal('FeatureCollection'), features: z.array(feature).min(1) });

export type ShapesImported = { imported: number; unknown: string[] };

const FAULTS_SHOWN = 10;
const CODE_DIGITS = 12;

/** All or nothing for what the file says wrongly; features of units that are not here are left out and named. */
export async function importShapes(database: Database, text: string): Promise<ShapesImported> {
  const parsed = file.safeParse(readJson(text));
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw refuse(
      'It is not GeoJSON of polygons. Mend these and import again:',
      faults.slice(0, FAULTS_SHOWN),
    );
  }
  const unknown: string[] = [];
  let imported = 0;
  await database.transaction(async (sql) => {
    for (const { id, properties, geometry } of parsed.data.features) {
      const names = [properties?.['code'], properties?.['adcode'], id, properties?.['name']];
      const named = names.find((one) => typeof one === 'string' || typeof one === 'number');
      const unitId = named === undefined ? null : await unitNamed(sql, String(named));
      if (unitId === null) {
        unknown.push(named === undefined ? '(no code, no name)' : String(named));
        continue;
      }
      const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates;
      const shape = polygons.map((rings) => rings.map((points) => points.map(([x, y]) => [x, y] as const)));
      await putShape(sql, unitId, closed(shape), boxOf(shape));
      imported += 1;
    }
  });
  return { imported, unknown };
}

async function unitNamed(sql: Parameters<typeof findUnits>[0], named: string): Promise<number | null> {
  if (/^\d{2,20}$/.test(named)) {
    const [unit] = await unitsByCode(sql, [named.padEnd(CODE_DIGITS, '0')]);
    return unit?.id ?? null;
  }
  try {
    return (await findUnits(sql, named)).id;
  } catch (error) {
    if (error instanceof FenghuoError && error.code === 'unknown-unit') return null;
    throw error;
  }
}

/** Some programs leave out the last point. */
function closed(shape: Shape): Shape {
  return shape.map((rings) =>
    rings.map((points) => {
      const [first, last] = [points[0], points.at(-1)];
      return first && (first[0] !== last?.[0] || first[1] !== last[1]) ? [...points, first] : points;
    }),
  );
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse(`It is not JSON: ${(cause as Error).message}`, []);
  }
}

function refuse(sentence: string, details: string[]): FenghuoError {
  return new FenghuoError({ code: 'shapes', refusal: 'usage', sentence, details });
}
