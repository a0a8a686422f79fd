/**
 * Who may do what, three times over: the rule of the domain, the rule inside PostgreSQL, and an oracle that was written another way. A
 * hundred thousand random questions; one disagreement is one too many.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase, type Database } from '../db/database.ts';
import { ACTIONS, mayAct, ROLES, type Action, type Authority, type Grant } from '../domain/authority.ts';
import { LEVELS, type LevelId } from '../domain/levels.ts';
import { testDatabase } from './database.ts';
import { pastTriggers } from './harness/office.ts';

const QUESTIONS = 100_000;
const OPERATORS = 300;
const UNITS = 400;
const HAZARDS = ['11B01', '11B03', '11B09', '99Z99'];
const LEVEL_IDS = LEVELS.map(({ id }) => id);

let database: Database;
/** As the application connects. */
let application: Database;
const random = seeded(20_210_720);
const units: { id: number; path: number[] }[] = [];
const operators: (Authority & { operatorId: number; revoked: boolean })[] = [];

beforeAll(async () => {
  database = await testDatabase('authority');
  application = openDatabase({ url: process.env['DATABASE_URL'] ?? '', schema: database.schema });
  for (let id = 1; id <= UNITS; id += 1) {
    const above = id === 1 ? [] : (pick(units).path satisfies number[]);
    units.push({ id, path: [...above.slice(0, 5), id] });
  }
  await database.query(
    `insert into units (id, name, tier, path, cell_unit_id) overriding system value
     select id, 'u' || id, 'group', string_to_array(path, ',')::int[], id from unnest($1::int[], $2::text[]) as t (id, path)`,
    [units.map(({ id }) => id), units.map(({ path }) => path.join(','))],
  );
  for (let operatorId = 1; operatorId <= OPERATORS; operatorId += 1) {
    const grants = Array.from({ length: Math.floor(random() * 9) }, randomGrant);
    operators.push({ operatorId, name: `operator ${operatorId}`, grants, revoked: random() < 0.05 });
  }
  await pastTriggers(
    database,
    `insert into operators (id, name, revoked_at) overriding system value
     select id, 'o' || id, case when revoked then now() end from unnest($1::int[], $2::bool[]) as t (id, revoked)`,
    [operators.map(({ operatorId }) => operatorId), operators.map(({ revoked }) => revoked)],
  );
  const grants = operators.flatMap((one) =>
    one.grants.map((grant) => ({ ...grant, operatorId: one.operatorId })),
  );
  // Beside each grant one that was taken back and would allow everything.
  await pastTriggers(
    database,
    `with given as (select * from json_to_recordset($1) as g ("operatorId" int, role text, "areaId" int, "highestLevel" text, hazards json))
     insert into grants (operator_id, role, area_id, highest_level, hazards, granted_by, revoked_at)
     select "operatorId", role, "areaId", "highestLevel",
       case when json_typeof(hazards) = 'array' then array(select json_array_elements_text(hazards)) end, 1, null::timestamptz from given
     union all select "operatorId", 'releaser', 1, 'red', null, 1, now() from given`,
    [JSON.stringify(grants)],
  );
});
afterAll(async () => {
  await application.close();
  await database.close();
});

it(`is answered alike by the domain, by PostgreSQL and by the oracle`, { timeout: 240_000 }, async () => {
  const questions = Array.from({ length: QUESTIONS }, () => ({
    operator: pick(operators),
    action: pick(ACTIONS),
    areas: Array.from({ length: random() < 0.02 ? 0 : 1 + Math.floor(random() * random() * 4) }, () =>
      pick(units),
    ),
    level: pick(LEVEL_IDS),
    hazard: pick(HAZARDS),
  }));
  const oracle = bruteForce();
  const ours = questions.map(({ operator, action, areas, level, hazard }) => {
    const asked = operator.revoked ? { ...operator, grants: [] } : operator;
    return mayAct(asked, action, { areaPaths: areas.map(({ path }) => path), level, hazard }).allowed;
  });
  const theirs = questions.map(
    ({ operator, action, areas, level, hazard }) =>
      areas.length > 0 &&
      areas.every(({ id }) => oracle.has([operator.operatorId, action, id, level, hazard].join(' '))),
  );
  const rows = await application.query<{ allowed: boolean }>(
    `select may_act(operator, action, string_to_array(areas, ',')::int[], level, hazard) as allowed
     from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality as
       q (operator, action, areas, level, hazard, place) order by place`,
    [
      questions.map(({ operator }) => operator.operatorId),
      questions.map(({ action }) => action),
      questions.map(({ areas }) => areas.map(({ id }) => id).join(',')),
      questions.map(({ level }) => level),
      questions.map(({ hazard }) => hazard),
    ],
  );
  const databases = rows.map(({ allowed }) => allowed);
  const disagreements = questions.filter(
    (_, place) => ours[place] !== theirs[place] || databases[place] !== theirs[place],
  );
  const allowed = theirs.filter(Boolean).length;
  process.stdout.write(`${QUESTIONS} questions, ${allowed} allowed, ${disagreements.length} disagreements\n`);
  expect(disagreements.slice(0, 3)).toEqual([]);
  expect(databases).toHaveLength(QUESTIONS);
  // Neither answer is rare: a rule that always refuses would be found out.
  expect(allowed).toBeGreaterThan(QUESTIONS / 50);
  expect(allowed).toBeLessThan(QUESTIONS / 2);
});

it('is refused by PostgreSQL for what is null or unknown', async () => {
  const [row] = await application.query(
    `select may_act(null, 'draft', '{1}', 'red', '11B03') as nobody, may_act(1, null, '{1}', 'red', '11B03') as nothing,
       may_act(1, 'draft', null, 'red', '11B03') as nowhere, may_act(1, 'draft', '{}', 'red', '11B03') as empty,
       may_act(1, 'draft', '{1,null}', 'red', '11B03') as gap, may_act(1, 'draft', '{987654}', 'red', '11B03') as unknown,
       may_act(1, 'draft', '{1}', 'purple', '11B03') as purple, may_act(999999, 'draft', '{1}', 'red', '11B03') as stranger`,
  );
  expect(Object.values(row ?? {})).toEqual(Array.from({ length: 8 }, () => false));
});

it('is not fooled by a temporary table of the same name', async () => {
  const outcome = application.transaction(async (sql) => {
    const stranger = 'select may_act(999999, $1, $2, $3, $4) as yes';
    await sql.query(`create temporary table grants on commit drop as select 1 as id, 999999 as operator_id, 'releaser' as role,
      1 as area_id, 'red' as highest_level, null::text[] as hazards, null::timestamptz as revoked_at`);
    await sql.query(
      `create temporary table operators on commit drop as select 999999 as id, null::timestamptz as revoked_at`,
    );
    return sql.query<{ yes: boolean }>(stranger, ['release', [1], 'red', '11B03']);
  });
  expect(await outcome).toEqual([{ yes: false }]);
});

/**
 * The oracle: every single permission there is, written out. Each grant is walked down the tree from its area, by the children, level
 * by level, hazard by hazard. Which role may do what stands here a second time, by action.
 */
function bruteForce(): Set<string> {
  const children = new Map<number, number[]>();
  for (const { id, path } of units) {
    const parent = path.at(-2);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  const rolesOf: Record<Action, string> = {
    draft: 'author, releaser, duty officer',
    review: 'reviewer, releaser',
    release: 'releaser',
    publish: 'author, releaser, duty officer',
    cancel: 'author, releaser, duty officer',
    retract: 'releaser, duty officer',
    emergency: 'releaser, duty officer',
    'read numbers': 'duty officer, auditor',
    audit: 'auditor',
  };
  const lower: Record<LevelId, LevelId[]> = {
    red: ['red', 'orange', 'yellow', 'blue'],
    orange: ['orange', 'yellow', 'blue'],
    yellow: ['yellow', 'blue'],
    blue: ['blue'],
  };
  const permissions = new Set<string>();
  const walk = (unit: number, operatorId: number, grant: Grant) => {
    for (const action of ACTIONS) {
      if (!rolesOf[action].split(', ').includes(grant.role)) continue;
      for (const level of lower[grant.highestLevel])
        for (const hazard of grant.hazards === 'all' ? HAZARDS : grant.hazards)
          permissions.add([operatorId, action, unit, level, hazard].join(' '));
    }
    for (const child of children.get(unit) ?? []) walk(child, operatorId, grant);
  };
  for (const { operatorId, grants, revoked } of operators)
    if (!revoked) for (const grant of grants) walk(grant.areaId, operatorId, grant);
  return permissions;
}

function randomGrant(): Grant {
  const hazards = HAZARDS.slice(0, 3).filter(() => random() < 0.5);
  return {
    role: pick(ROLES),
    // Rather high up, or hardly anything would be allowed.
    areaId: pick(units.slice(0, random() < 0.5 ? 12 : UNITS)).id,
    highestLevel: pick(LEVEL_IDS),
    hazards: random() < 0.4 || hazards.length === 0 ? 'all' : hazards,
  };
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** mulberry32: the same questions in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
