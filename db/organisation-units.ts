/** The tree of units, as imports read and write it. */
import type { Sql } from './database.ts';

export type UnitRow = {
  id: number;
  code: string | null;
  name: string;
  tier: string;
  parentId: number | null;
  /** Ids from the root down to the unit itself. */
  path: number[];
  cellUnitId: number;
  synthetic: boolean;
};

export const UNIT_COLUMNS = `u.id, u.code, u.name, u.tier, u.parent_id as "parentId", u.path,
  u.cell_unit_id as "cellUnitId", u.synthetic`;

/** The units of these codes, with every unit above them. */
export async function unitsWithAncestors(sql: Sql, codes: readonly string[]): Promise<UnitRow[]> {
  return sql.query<UnitRow>(
    `select ${UNIT_COLUMNS} from units u
     where u.id in (select unnest(path) from units where code = any ($1))`,
    [codes],
  );
}

/** The units directly below these. */
export async function unitsDirectlyBelow(sql: Sql, parentIds: readonly number[]): Promise<UnitRow[]> {
  return sql.query<UnitRow>(
    `select ${UNIT_COLUMNS} from units u where u.parent_id = any ($1) order by u.id`,
    [parentIds],
  );
}

/** Fresh ids, so that a new unit's path can be written with the unit itself. */
export async function reserveUnitIds(sql: Sql, count: number): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(
    `select nextval(pg_get_serial_sequence('units', 'id'))::int as id from generate_series(1, $1)`,
    [count],
  );
  return rows.map((row) => row.id);
}

/** Inserts units under ids of `reserveUnitIds`. */
export async function insertUnits(sql: Sql, units: readonly UnitRow[]): Promise<void> {
  await sql.query(
    `insert into units (id, code, name, tier, parent_id, path, cell_unit_id, synthetic)
     overriding system value
     select id, code, name, tier, parent_id, path::int[], cell_unit_id, synthetic
     from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::int[], $8::bool[])
       as t (id, code, name, tier, parent_id, path, cell_unit_id, synthetic)`,
    [
      units.map((unit) => unit.id),
      units.map((unit) => unit.code),
      units.map((unit) => unit.name),
      units.map((unit) => unit.tier),
      units.map((unit) => unit.parentId),
      // Arrays of unequal length cannot be unnested together; as text they can.
      units.map((unit) => `{${unit.path.join(',')}}`),
      units.map((unit) => unit.cellUnitId),
      units.map((unit) => unit.synthetic),
    ],
  );
}

/** What an import may change about a unit that exists. */
export type UnitChange = {
  id: number;
  code: string | null;
  name: string;
  tier: string;
  parentId: number | null;
};

/** Writes new codes, names, tiers and parents; `recomputePaths` follows where a parent or a tier changed. */
export async function updateUnits(sql: Sql, changes: readonly UnitChange[]): Promise<void> {
  await sql.query(
    `update units u
     set code = t.code, name = t.name, tier = t.tier, parent_id = t.parent_id, synthetic = false
     from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::int[]) as t (id, code, name, tier, parent_id)
     where u.id = t.id`,
    [
      changes.map((change) => change.id),
      changes.map((change) => change.code),
      changes.map((change) => change.name),
      changes.map((change) => change.tier),
      changes.map((change) => change.parentId),
    ],
  );
}

/** Walks the tree from its roots and corrects every path and cell that no longer agrees with the parents. */
export async function recomputePaths(sql: Sql, cellTiers: readonly string[]): Promise<void> {
  await sql.query(
    `with recursive tree as (
       select id, array[id] as path, id as cell_unit_id from units where parent_id is null
       union all
       select u.id, tree.path || u.id, case when u.tier = any ($1) then u.id else tree.cell_unit_id end
       from units u join tree on u.parent_id = tree.id
     )
     update units u set path = tree.path, cell_unit_id = tree.cell_unit_id
     from tree
     where u.id = tree.id and (u.path, u.cell_unit_id) is distinct from (tree.path, tree.cell_unit_id)`,
    [cellTiers],
  );
}

/** Which of these units, or of the units below them, an open warning concerns: by its area, or by a unit state. */
export async function openWarningsConcerning(
  sql: Sql,
  unitIds: readonly number[],
): Promise<{ unitId: number; warningId: number }[]> {
  return sql.query(
    `select moved.id as "unitId", min(w.id) as "warningId"
     from units moved, warnings w
     where moved.id = any ($1) and w.status = 'open'
       and (exists (
              select from warning_areas a join units area on area.id = a.unit_id
              where a.warning_id = w.id and (area.id = any (moved.path) or moved.id = any (area.path)))
         or exists (
              select from units below join unit_states s on s.unit_id = below.id and s.warning_id = w.id
              where below.path @> array[moved.id]))
     group by moved.id`,
    [unitIds],
  );
}

/** Fresh statistics after bulk writing: a planner that believes these tables empty scans them row by row. */
export async function analyzeOrganisation(sql: Sql): Promise<void> {
  await sql.query('select analyze_organisation()');
}
