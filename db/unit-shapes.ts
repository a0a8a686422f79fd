/** The shapes of units, as far as somebody has loaded them. */
import type { Box, Shape } from '../domain/geometry.ts';
import type { Sql } from './database.ts';

export type ShapedUnit = {
  unitId: number;
  parentId: number | null;
  name: string;
  path: number[];
  shape: Shape;
};

/** Units whose box touches this one. */
export async function readShapesIn(sql: Sql, box: Box): Promise<ShapedUnit[]> {
  return sql.query<ShapedUnit>(
    `select u.id as "unitId", u.parent_id as "parentId", u.name, u.path, s.shape
     from unit_shapes s join units u on u.id = s.unit_id
     where s.west <= $3 and s.east >= $1 and s.south <= $4 and s.north >= $2 order by u.id`,
    [box.west, box.south, box.east, box.north],
  );
}

export async function hasShapes(sql: Sql): Promise<boolean> {
  return (await sql.query('select from unit_shapes limit 1')).length > 0;
}

/** Of these units, how many units lie directly below each, and how many of those have a shape. */
export async function countShapedBelow(
  sql: Sql,
  unitIds: readonly number[],
): Promise<{ unitId: number; below: number; shaped: number }[]> {
  return sql.query(
    `select u.parent_id as "unitId", count(*)::int as below, count(s.unit_id)::int as shaped
     from units u left join unit_shapes s on s.unit_id = u.id where u.parent_id = any ($1) group by u.parent_id`,
    [unitIds],
  );
}

export async function putShape(sql: Sql, unitId: number, shape: Shape, box: Box): Promise<void> {
  await sql.query(
    `insert into unit_shapes (unit_id, shape, west, south, east, north) values ($1, $2, $3, $4, $5, $6)
     on conflict (unit_id) do update set shape = excluded.shape, west = excluded.west, south = excluded.south,
       east = excluded.east, north = excluded.north`,
    [unitId, JSON.stringify(shape), box.west, box.south, box.east, box.north],
  );
}
