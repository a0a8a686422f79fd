import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { testDatabase } from '../test/database.ts';
import { importOrganisation } from './organisation-import.ts';

const TREE = `code,name,parent_code,tier
50,重庆市,,city
5001,黔江区,50,district
5002,酉阳县,50,district
500101,濯水镇,5001,township
500102,石会镇,5001,township
500201,龙潭镇,5002,township
50010101,蒲花村,500101,village
50010102,双龙村,500101,village
`;

/** What the database knows of a unit, by names instead of ids. */
type Known = {
  code: string | null;
  name: string;
  tier: string;
  parent: string | null;
  path: string;
  cell: string;
};

let database: Database;

beforeAll(async () => {
  database = await testDatabase('organisation_import');
});

afterAll(() => database.close());

beforeEach(async () => {
  await database.query('truncate units, warnings, rule_packs cascade');
});

async function units(): Promise<Known[]> {
  return database.query<Known>(
    `select u.code, u.name, u.tier, parent.name as parent, cell.name as cell,
       (select string_agg(a.name, '/' order by p.depth)
        from unnest(u.path) with ordinality p (id, depth) join units a on a.id = p.id) as path
     from units u left join units parent on parent.id = u.parent_id join units cell on cell.id = u.cell_unit_id
     order by u.code, u.name`,
  );
}

async function unit(name: string): Promise<Known | undefined> {
  return (await units()).find((one) => one.name === name);
}

async function refusal(file: string | Uint8Array): Promise<FenghuoError> {
  const error: unknown = await importOrganisation({ database, file }).catch((thrown: unknown) => thrown);
  if (error instanceof FenghuoError) return error;
  throw new Error('the file was not refused', { cause: error });
}

/** A warning for one area, as far as imports look at it. */
async function openWarning(area: string): Promise<void> {
  await database.query(
    `with warning as (
       insert into warnings (kind, hazard, level, issuer, text_zh, text_en, expires_at, rules)
       values ('exercise', '11B03', 'red', 'test', '', '', clock_timestamp() + interval '1 hour', '{}') returning id)
     insert into warning_areas (warning_id, unit_id) select warning.id, units.id from warning, units where name = $1`,
    [area],
  );
}

describe('a file of units', () => {
  test('becomes a tree with paths and cells', async () => {
    const result = await importOrganisation({ database, file: TREE });
    expect(result).toMatchObject({ added: 8, changed: 0, unchanged: 0, errors: [], ignoredHeaders: [] });
    expect(await unit('重庆市')).toMatchObject({ path: '重庆市', cell: '重庆市', parent: null });
    expect(await unit('黔江区')).toMatchObject({ path: '重庆市/黔江区', cell: '黔江区' });
    expect(await unit('蒲花村')).toMatchObject({ path: '重庆市/黔江区/濯水镇/蒲花村', cell: '黔江区' });
    expect(await unit('龙潭镇')).toMatchObject({ path: '重庆市/酉阳县/龙潭镇', cell: '酉阳县' });
  });

  test('may list the lower units first', async () => {
    const [header = '', ...lines] = TREE.trimEnd().split('\n');
    await importOrganisation({ database, file: [header, ...lines.reverse()].join('\n') });
    expect(await unit('蒲花村')).toMatchObject({ path: '重庆市/黔江区/濯水镇/蒲花村', cell: '黔江区' });
  });

  test('may have Chinese headers and tiers, full-width digits, and be GB18030', async () => {
    // 区划代码,名称,上级区划代码,层级 / ５０,重庆市,,市 / 5001,黔江区,５０,区县
    const file = Buffer.from(
      'c7f8bbaeb4fac2eb2cc3fbb3c62cc9cfbcb6c7f8bbaeb4fac2eb2cb2e3bcb60aa3b5a3b02cd6d8c7eccad02c2ccad00a353030312cc7adbdadc7f82ca3b5a3b02cc7f8cfd80a',
      'hex',
    );
    const result = await importOrganisation({ database, file });
    expect(result).toMatchObject({ added: 2, ignoredHeaders: [] });
    expect(await unit('黔江区')).toMatchObject({ code: '5001', tier: 'district', parent: '重庆市' });
  });

  test('may be one part of the tree, which hangs on what is there', async () => {
    await importOrganisation({ database, file: TREE });
    const file = '编码,名称,上级编码,层级\n50020101,梅树村,500201,村居\n';
    expect(await importOrganisation({ database, file })).toMatchObject({ added: 1, unchanged: 0 });
    expect(await unit('梅树村')).toMatchObject({ path: '重庆市/酉阳县/龙潭镇/梅树村', cell: '酉阳县' });
    expect(await units()).toHaveLength(9);
  });

  test('is the real tree of Chongqing: 12,340 units in 39 cells, and unchanged the second time', async () => {
    const file = readFileSync(new URL('../scenarios/chongqing-units.csv', import.meta.url));
    expect(await importOrganisation({ database, file })).toMatchObject({
      added: 12_340,
      changed: 0,
      unchanged: 0,
    });
    const counts = await database.query(
      `select tier, count(*) as units, min(cardinality(path)) as depth, count(distinct cell_unit_id) as cells
       from units group by tier order by depth`,
    );
    expect(counts).toEqual([
      { tier: 'city', units: 1, depth: 1, cells: 1 },
      { tier: 'district', units: 38, depth: 2, cells: 38 },
      { tier: 'township', units: 1031, depth: 3, cells: 38 },
      { tier: 'village', units: 11270, depth: 4, cells: 38 },
    ]);
    expect(await importOrganisation({ database, file })).toMatchObject({
      added: 0,
      changed: 0,
      unchanged: 12_340,
    });
  });
});

describe('a faulty line is named', () => {
  const header = 'code,name,parent_code,tier\n50,重庆市,,city\n';
  test.each([
    ['an unknown tier', '51,某区,50,zone', 'tier', '"zone" is no tier'],
    ['households as units', '51,某户,50,户', 'tier', 'is no tier of units'],
    ['an orphan', '51,某区,99,district', 'parent_code', 'no unit has the code 99'],
    ['a unit above itself', '51,某区,51,district', 'parent_code', '某区 → 某区'],
    ['a code given twice', '50,某区,50,district', 'code', 'stands already in line 2'],
    ['a tier skipped', '51,某镇,50,township', 'tier', 'directly below a district, and 50 is a city'],
    ['a second city below the first', '51,某市,50,city', 'parent_code', 'stands at the top'],
    ['a district at the top', '51,某区,,district', 'parent_code', 'only a city stands at the top'],
    ['a torn row', '51,某区,50', null, 'has 3 cells, the header has 4'],
    ['signs that no code has', '5 1,某区,50,district', 'code', '"5 1" is no code'],
    ['a formula for a code', '=51,某区,50,district', 'code', 'is no code'],
    ['a code shortened by Excel', '5.00101E+11,某区,50,district', 'code', 'shortened by a spreadsheet'],
    ['an empty name', '51,　,50,district', 'name', 'the name is empty'],
    ['a slash in a name', '51,某/区,50,district', 'name', 'no slash'],
    ['a name without end', `51,${'某'.repeat(61)},50,district`, 'name', 'longer than 60'],
    ['neither code nor parent', ',某区,,district', 'code', 'needs the code of the unit above'],
  ])('%s', async (_, line, column, words) => {
    const error = await refusal(`${header}${line}\n`);
    expect(error).toMatchObject({
      code: 'import',
      refusal: 'usage',
      message: expect.stringContaining('nothing was imported') as string,
    });
    const place = column === null ? 'line 3: ' : `line 3, column ${column}: `;
    expect(error.details.filter((detail) => detail.startsWith(place)).join()).toContain(words);
    expect(await units()).toEqual([]);
  });

  test('with every other one, in the order of the file, and nothing half-applied', async () => {
    await importOrganisation({ database, file: TREE });
    const before = await units();
    const error = await refusal(
      '编码,名称,上级编码,层级\n5001,黔江新区,50,区县\n5003,,50,区县\n5004,丁区,50,区县\n5005,戊区,77,区县\n5006,己区\n',
    );
    expect(error.details).toEqual([
      'line 3, column 名称: the name is empty',
      'line 5, column 上级编码: no unit has the code 77, neither in the file nor in the organisation',
      'line 6: the row has 2 cells, the header has 4',
    ]);
    expect(await units()).toEqual(before);
  });

  test('but what stands below a faulty line is not called an orphan', async () => {
    const error = await refusal(`${header}51,某区,50,zone\n5101,某镇,51,township\n`);
    expect(error.details).toHaveLength(1);
  });

  test('a cycle of three names each of its lines with the whole ring', async () => {
    const error = await refusal(
      'code,name,parent_code,tier\n1,甲,3,district\n2,乙,1,township\n3,丙,2,village\n',
    );
    expect(error.details).toEqual([
      'line 2, column parent_code: the unit would stand above itself: 甲 → 丙 → 乙 → 甲',
      'line 3, column parent_code: the unit would stand above itself: 乙 → 甲 → 丙 → 乙',
      'line 4, column parent_code: the unit would stand above itself: 丙 → 乙 → 甲 → 丙',
    ]);
  });

  test('a cycle through units that the file does not name', async () => {
    await importOrganisation({ database, file: TREE });
    // 蒲花村 stays below 濯水镇, which stays below 黔江区.
    const error = await refusal('code,name,parent_code,tier\n5001,黔江区,50010101,district\n');
    expect(error.details.join()).toContain('would stand above itself');
  });

  test('a tier changed while units of the old order stand below', async () => {
    await importOrganisation({ database, file: TREE });
    const error = await refusal('code,name,parent_code,tier\n500101,濯水区,50,district\n');
    expect(error.details).toEqual([
      'line 2, column tier: the unit cannot become a district while 蒲花村, a village, stands below it',
    ]);
  });
});

describe('a second import shows the difference', () => {
  beforeEach(async () => {
    await importOrganisation({ database, file: TREE });
  });

  test('a rename is applied', async () => {
    const result = await importOrganisation({ database, file: TREE.replace('濯水镇', '濯水古镇') });
    expect(result).toMatchObject({ added: 0, changed: 1, unchanged: 7 });
    expect(result.differences).toEqual([
      {
        kind: 'changed',
        line: 5,
        code: '500101',
        name: '濯水古镇',
        before: { code: '500101', name: '濯水镇', tier: 'township', parentId: expect.any(Number) as number },
      },
    ]);
    expect(await unit('蒲花村')).toMatchObject({ parent: '濯水古镇' });
  });

  test('a dry run shows the same and writes nothing', async () => {
    const before = await units();
    const file = TREE.replace('濯水镇', '濯水古镇') + '500103,新镇,5001,township\n';
    expect(await importOrganisation({ database, file, dryRun: true })).toMatchObject({
      added: 1,
      changed: 1,
    });
    expect(await units()).toEqual(before);
  });

  test('a unit that moves takes all below it along, to the new cell', async () => {
    const file = TREE.replace('500101,濯水镇,5001', '500101,濯水镇,5002') + '50010103,新村,500101,village\n';
    expect(await importOrganisation({ database, file })).toMatchObject({
      added: 1,
      changed: 1,
      unchanged: 7,
    });
    for (const name of ['蒲花村', '双龙村', '新村']) {
      expect(await unit(name)).toMatchObject({ path: `重庆市/酉阳县/濯水镇/${name}`, cell: '酉阳县' });
    }
    expect(await unit('石会镇')).toMatchObject({ path: '重庆市/黔江区/石会镇', cell: '黔江区' });
  });

  test('a unit may move below one that is new in the same file', async () => {
    const file = 'code,name,parent_code,tier\n500101,濯水镇,5003,township\n5003,新区,50,district\n';
    expect(await importOrganisation({ database, file })).toMatchObject({ added: 1, changed: 1 });
    expect(await unit('蒲花村')).toMatchObject({ path: '重庆市/新区/濯水镇/蒲花村', cell: '新区' });
  });

  test.each([
    ['its own', '濯水镇'],
    ['that of a unit above', '黔江区'],
    ['that of a unit below', '蒲花村'],
  ])('but not while an open warning concerns it: the area is %s', async (_, area) => {
    await openWarning(area);
    const file = TREE.replace('500101,濯水镇,5001', '500101,濯水镇,5002').replace('石会镇', '石会新镇');
    const before = await units();
    expect(await refusal(file)).toMatchObject({
      code: 'import',
      refusal: 'conflict',
      details: [
        expect.stringMatching(
          /^line 5, column parent_code: 濯水镇 cannot move while warning \d+ is open/,
        ) as string,
      ],
    });
    expect(await units()).toEqual(before);
    // A rename and a warning elsewhere do not collide.
    await importOrganisation({ database, file: TREE.replace('石会镇', '石会新镇') });
  });

  test('a warning elsewhere, or one that has ended, does not hinder a move', async () => {
    await openWarning('石会镇');
    await openWarning('濯水镇');
    await database.query(
      `update warnings set status = 'expired' where id in (
         select warning_id from warning_areas a join units u on u.id = a.unit_id where u.name = '濯水镇')`,
    );
    const file = TREE.replace('500101,濯水镇,5001', '500101,濯水镇,5002');
    expect(await importOrganisation({ database, file })).toMatchObject({ changed: 1 });
  });
});

describe('a unit without a code', () => {
  beforeEach(async () => {
    await importOrganisation({ database, file: TREE });
  });
  const file = 'code,name,parent_code,tier\n,第１组,50010101,组\n,第2组,50010101,组\n';

  test('is known by its parent and name', async () => {
    expect(await importOrganisation({ database, file })).toMatchObject({ added: 2 });
    expect(await importOrganisation({ database, file })).toMatchObject({ added: 0, unchanged: 2 });
    expect(await unit('第1组')).toMatchObject({ code: null, parent: '蒲花村', cell: '黔江区' });
  });

  test('gets one later, and stays the same unit', async () => {
    await importOrganisation({ database, file });
    const coded = 'code,name,parent_code,tier\n5001010101,第1组,50010101,group\n';
    expect(await importOrganisation({ database, file: coded })).toMatchObject({ added: 0, changed: 1 });
    expect(await unit('第1组')).toMatchObject({ code: '5001010101' });
    expect(await importOrganisation({ database, file })).toMatchObject({ added: 0, unchanged: 2 });
  });

  test('cannot stand twice below one parent', async () => {
    const error = await refusal(file.replace('第2组', '第1组'));
    expect(error.details).toEqual([
      'line 3, column name: the same unit stands already in line 2; two of one name need codes',
    ]);
  });
});

test('two imports at once: both apply, or one is told to try again, and no unit stands twice', async () => {
  const results = await Promise.allSettled([
    importOrganisation({ database, file: TREE }),
    importOrganisation({ database, file: TREE }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
  expect(await units()).toHaveLength(8);
});
