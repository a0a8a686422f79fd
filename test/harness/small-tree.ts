/** A small tree with six tiers, the people of its units and some households, for tests. */
import type { Database } from '../../db/database.ts';

export type SmallTree = { unit(name: string): number; person(unit: string, rank?: number): number };

/**
 * City 城 with one district 区, two townships 乡一 乡二, a village and a group in each, three households a group. Each unit has a
 * principal and one deputy with SMS and e-mail.
 */
export async function plantSmallTree(database: Database): Promise<SmallTree> {
  const units = new Map<string, number>();
  const people = new Map<string, number>();
  const plant = async (name: string, tier: string, parent: string | null, code: string) => {
    const parentId = parent === null ? null : units.get(parent);
    const [row] = await database.query<{ id: number }>(
      `insert into units (name, tier, parent_id, code, path, cell_unit_id, synthetic) values ($1, $2, $3, $4, '{}', 0, true) returning id`,
      [name, tier, parentId, code],
    );
    const id = row?.id ?? 0;
    units.set(name, id);
    await database.query(
      `update units set path = coalesce((select path from units where id = $2), '{}') || $1::int,
         cell_unit_id = case when tier in ('city', 'district') then $1 else (select cell_unit_id from units where id = $2) end
       where id = $1`,
      [id, parentId],
    );
    for (const rank of [0, 1])
      people.set(`${name}/${rank}`, await appoint(database, id, `${name}${rank}`, rank));
  };
  await plant('城', 'city', null, '900000000000');
  await plant('区', 'district', '城', '900100000000');
  for (const number of ['一', '二']) {
    const code = number === '一' ? '1' : '2';
    await plant(`乡${number}`, 'township', '区', `90010${code}000000`);
    await plant(`村${number}`, 'village', `乡${number}`, `90010${code}001000`);
    await plant(`组${number}`, 'group', `村${number}`, `90010${code}00100001`);
    for (let household = 1; household <= 3; household += 1) {
      await database.query(
        `insert into households (unit_id, name, channel, address, synthetic) values ($1, $2, 'sms', $3, true)`,
        [units.get(`组${number}`), `户${number}${household}`, `+8610000${code}${household}`],
      );
    }
  }
  return {
    unit: (name) => units.get(name) ?? 0,
    person: (unit, rank = 0) => people.get(`${unit}/${rank}`) ?? 0,
  };
}

/** A synthetic person with both channels, as principal (rank 0) or deputy of a unit. */
export async function appoint(
  database: Database,
  unitId: number,
  name: string,
  rank: number,
): Promise<number> {
  const [person] = await database.query<{ id: number }>(
    `insert into people (reference, name, synthetic) values ($1, $1, true) returning id`,
    [name],
  );
  const id = person?.id ?? 0;
  await database.query(
    `insert into person_channels (person_id, channel, address) values ($1, 'sms', $2), ($1, 'email', $3)`,
    [id, `+86100${String(id).padStart(8, '0')}`, `p${id}@people.example`],
  );
  await holdPost(database, unitId, id, rank);
  return id;
}

/** Gives a person one more post. */
export async function holdPost(
  database: Database,
  unitId: number,
  personId: number,
  rank: number,
): Promise<void> {
  await database.query(
    `insert into posts (unit_id, person_id, title, rank, held_from) values ($1, $2, '负责人', $3, '2020-01-01')`,
    [unitId, personId, rank],
  );
}

/** What is issued next is the first of its incident, whatever was issued before: no urgency has risen. */
export async function anotherIncident(database: Database): Promise<void> {
  await database.query('update warnings set retracted = true where not retracted');
}
