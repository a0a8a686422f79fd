import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { testDatabase } from '../test/database.ts';
import { importOrganisation } from './organisation-import.ts';
import { importPeople } from './organisation-people.ts';

const TREE = `code,name,parent_code,tier
50,重庆市,,city
5001,黔江区,50,district
500101,濯水镇,5001,township
500102,石会镇,5001,township
50010101,蒲花村,500101,village
50010102,双龙村,500101,village
50010201,双龙村,500102,village
,三组（院坝）,50010101,group
`;

const HEADER = '单位编码,姓名,岗位,顺位,手机,邮箱,编号,语言\n';
const PEOPLE = `${HEADER}500101,陈一,书记,正职,13800138001,chen@example.com,,
500101,李二,镇长,副职1,13800138002,,,
500101,王三,河长,副职2,,wang@example.com,,en
50010101,周四,支书,正职,13800138004,,G4,
`;

/** A current post with its holder and the addresses of messages, as text. Calls go to the same numbers, and have tests of their own. */
type Held = { unit: string; rank: number; name: string; title: string; channels: string };

let database: Database;

beforeAll(async () => {
  database = await testDatabase('organisation_people');
});

afterAll(() => database.close());

beforeEach(async () => {
  await database.query('truncate units, people, posts, person_channels cascade');
  await importOrganisation({ database, file: TREE });
});

async function held(): Promise<string[]> {
  const rows = await database.query<Held>(
    `select u.name as unit, p.rank, h.name, p.title,
       coalesce((select string_agg(c.address, ' ' order by c.channel) from person_channels c
         where c.person_id = h.id and c.channel <> 'voice'), '')
         as channels
     from posts p join units u on u.id = p.unit_id join people h on h.id = p.person_id
     where p.held_until is null order by u.code, p.rank, p.id`,
  );
  return rows.map(({ unit, rank, name, title, channels }) => `${unit} ${rank} ${name} ${title}: ${channels}`);
}

async function people(): Promise<
  { reference: string; name: string; language: string; synthetic: boolean }[]
> {
  return database.query('select reference, name, language, synthetic from people order by id');
}

async function detailsOf(file: string): Promise<readonly string[]> {
  const error: unknown = await importPeople({ database, file }).catch((thrown: unknown) => thrown);
  if (!(error instanceof FenghuoError)) throw new Error('the file was not refused', { cause: error });
  expect(error).toMatchObject({ code: 'import', refusal: 'usage' });
  return error.details;
}

describe('a file of people', () => {
  test('becomes people with addresses and posts', async () => {
    expect(await importPeople({ database, file: PEOPLE })).toMatchObject({
      people: { added: 4, changed: 0, unchanged: 0 },
      posts: { begun: 4, ended: 0, unchanged: 0 },
      errors: [],
      ignoredHeaders: [],
    });
    expect(await held()).toEqual([
      '濯水镇 0 陈一 书记: chen@example.com +8613800138001',
      '濯水镇 1 李二 镇长: +8613800138002',
      '濯水镇 2 王三 河长: wang@example.com',
      '蒲花村 0 周四 支书: +8613800138004',
    ]);
    expect(await people()).toEqual([
      { reference: '+8613800138001', name: '陈一', language: 'zh', synthetic: false },
      { reference: '+8613800138002', name: '李二', language: 'zh', synthetic: false },
      { reference: 'wang@example.com', name: '王三', language: 'en', synthetic: false },
      { reference: 'G4', name: '周四', language: 'zh', synthetic: false },
    ]);
  });

  test('is unchanged the second time, with English headers as well', async () => {
    await importPeople({ database, file: PEOPLE });
    const same = {
      people: { added: 0, changed: 0, unchanged: 4 },
      posts: { begun: 0, ended: 0, unchanged: 4 },
    };
    expect(await importPeople({ database, file: PEOPLE })).toMatchObject({ ...same, differences: [] });
    const english = PEOPLE.replace(
      HEADER,
      'unit code,name,post title,rank,phone,email,staff number,language\n',
    );
    expect(await importPeople({ database, file: english })).toMatchObject(same);
  });

  test('one person of several posts is one row, however each line names them', async () => {
    const file = `${HEADER}500101,陈一,书记,正职,13800138001,,G1,
500102,陈一,河长,副1,+86 138 0013 8001,,,
50010101,陈一,网格长,0,,c@example.com,G1,
50010102,陈一,包片干部,副职,,c@example.com,,
`;
    expect(await importPeople({ database, file })).toMatchObject({
      people: { added: 1 },
      posts: { begun: 4 },
    });
    expect(await people()).toHaveLength(1);
    expect(await importPeople({ database, file })).toMatchObject({
      people: { unchanged: 1 },
      posts: { unchanged: 4 },
    });
  });

  test('names a unit without a code by its path', async () => {
    await importPeople({
      database,
      file: `${HEADER}濯水镇／蒲花村/三组（院坝）,赵五,组长,正职,13800138005,,,\n`,
    });
    expect(await held()).toEqual(['三组（院坝） 0 赵五 组长: +8613800138005']);
  });

  test('gives a mobile messages and calls, a landline calls only, which several may share', async () => {
    const file = `${HEADER}500101,陈一,书记,正职,13800138001,,G1,
500101,李二,镇长,副1,023-79224567,,G2,
500101,王三,河长,副2,023-79224567,,G3,
`;
    await importPeople({ database, file });
    const rows = await database.query<{ row: string }>(
      `select p.name || ' ' || c.channel || ' ' || c.address as row from person_channels c
       join people p on p.id = c.person_id order by p.reference, c.channel`,
    );
    expect(rows.map(({ row }) => row)).toEqual([
      '陈一 sms +8613800138001',
      '陈一 voice +8613800138001',
      '李二 voice +862379224567',
      '王三 voice +862379224567',
    ]);
    expect(await importPeople({ database, file })).toMatchObject({ people: { unchanged: 3 } });
  });

  test('that gives a new number takes back what was wrong with the old one, and only then', async () => {
    await importPeople({ database, file: PEOPLE });
    await database.query(`update person_channels set fault = 'bad-contact', fault_at = clock_timestamp()`);
    const faults = async () =>
      (await database.query(`select 1 from person_channels where fault is not null`)).length;
    const before = await faults();
    await importPeople({ database, file: PEOPLE });
    expect(await faults()).toBe(before);
    await importPeople({ database, file: PEOPLE.replace('13800138004', '13800138009') });
    expect(await faults()).toBe(before - 2);
  });

  test('may be of made-up people, who are flagged', async () => {
    await importPeople({ database, file: PEOPLE, synthetic: true });
    expect((await people()).every(({ synthetic }) => synthetic)).toBe(true);
  });

  test('is the sample, whose numbers lie in the range North America keeps for fiction', async () => {
    const codes = `code,name,parent_code,tier
500000000000,重庆市,,city
500114000000,黔江区,500000000000,district
500114112000,濯水镇,500114000000,township
500114112001,濯水社区居民委员会,500114112000,village
`;
    await importOrganisation({ database, file: codes });
    const file = readFileSync(new URL('../scenarios/people-sample.csv', import.meta.url), 'utf8');
    expect(await importPeople({ database, file })).toMatchObject({
      people: { added: 9 },
      posts: { begun: 10 },
    });
    const addresses = await database.query<{ address: string }>('select address from person_channels');
    for (const { address } of addresses) expect(address).toMatch(/^\+120255501\d\d$|\.example$/);
  });
});

describe('a faulty line is named', () => {
  const first = '500101,陈一,书记,正职,13800138001,chen@example.com,G1,\n';
  test.each([
    ['an unknown unit', '77,李二,镇长,副1,13800138002,,,', '单位编码', 'no unit has the code 77'],
    ['an empty unit', ',李二,镇长,副1,13800138002,,,', '单位编码', 'is empty'],
    [
      'a path that several units share',
      '黔江区/双龙村,李二,主任,副1,13800138002,,,',
      '单位编码',
      'several units',
    ],
    ['no name', '500101,,镇长,副1,13800138002,,,', '姓名', 'the name is empty'],
    ['no post', '500101,李二,,副1,13800138002,,,', '岗位', 'the title of the post is empty'],
    ['an unknown rank', '500101,李二,镇长,老大,13800138002,,,', '顺位', 'is no rank'],
    ['a bad number', '500101,李二,镇长,副1,1380013800,,,', '手机', 'does not exist'],
    ['a bad address', '500101,李二,镇长,副1,,li@,,', '邮箱', 'no e-mail address'],
    [
      'a staff number that is a telephone number',
      '500101,李二,镇长,副1,13800138002,,+86138,',
      '编号',
      'staff number',
    ],
    ['an unknown language', '500101,李二,镇长,副1,13800138002,,,fr', '语言', 'is no language'],
    ['nothing to reach the person by', '500101,李二,镇长,副1,,,,', null, 'reached by nothing'],
    [
      'two principals of one unit',
      '500101,李二,镇长,正职,13800138002,,,',
      '顺位',
      'line 2 names the principal',
    ],
    [
      'one staff number for two names',
      '500102,李二,镇长,副1,13800138002,,G1,',
      '姓名',
      'line 2 gives the same person another name',
    ],
    [
      'one person with two numbers',
      '500102,陈一,镇长,副1,13800138002,,G1,',
      '手机',
      'another telephone number',
    ],
    [
      'one person with two addresses',
      '500102,陈一,镇长,副1,,c@example.com,G1,',
      '邮箱',
      'another e-mail address',
    ],
    [
      'one number for two people',
      '500102,李二,镇长,副1,13800138001,,G2,',
      '手机',
      'line 2 gives this number to another person',
    ],
    ['a torn row', '500101,李二', null, 'has 2 cells, the header has 8'],
  ])('%s', async (_, line, column, words) => {
    const details = await detailsOf(`${HEADER}${first}${line}\n`);
    const place = column === null ? 'line 3: ' : `line 3, column ${column}: `;
    expect(details.filter((detail) => detail.startsWith(place)).join()).toContain(words);
    // Errors reach logs: they repeat no number.
    expect(details.join()).not.toMatch(/\d{7}/);
    expect(await people()).toEqual([]);
  });

  test('and nothing is half-applied', async () => {
    await importPeople({ database, file: PEOPLE });
    const before = await held();
    await detailsOf(PEOPLE.replace('陈一', '陈新').replace('500101,李二', '77,李二'));
    expect(await held()).toEqual(before);
  });
});

describe('a second import hands posts over', () => {
  beforeEach(async () => {
    await importPeople({ database, file: PEOPLE });
  });

  test('who is no longer listed has held the post until now; other units stay', async () => {
    const file = `${HEADER}500101,陈一,书记,正职,13800138001,chen@example.com,,
500101,孙六,镇长,副职1,13800138006,,,
`;
    const result = await importPeople({ database, file });
    expect(result).toMatchObject({
      people: { added: 1, unchanged: 1 },
      posts: { begun: 1, ended: 2, unchanged: 1 },
    });
    expect(result.differences).toEqual([
      { kind: 'ended', line: null, place: '重庆市/黔江区/濯水镇', name: '李二', title: '镇长', rank: 1 },
      { kind: 'ended', line: null, place: '重庆市/黔江区/濯水镇', name: '王三', title: '河长', rank: 2 },
      { kind: 'begun', line: 3, place: '重庆市/黔江区/濯水镇', name: '孙六', title: '镇长', rank: 1 },
    ]);
    expect(await held()).toEqual([
      '濯水镇 0 陈一 书记: chen@example.com +8613800138001',
      '濯水镇 1 孙六 镇长: +8613800138006',
      '蒲花村 0 周四 支书: +8613800138004',
    ]);
    // The post is vacant at no moment and held twice at none.
    const gaps = await database.query(
      `select 1 from posts old join posts new on new.unit_id = old.unit_id and new.rank = old.rank and new.id > old.id
       where old.held_until is distinct from new.held_from`,
    );
    expect(gaps).toEqual([]);
  });

  test('a dry run shows the same and writes nothing', async () => {
    const before = await held();
    const file = PEOPLE.replace('王三', '王五');
    expect(await importPeople({ database, file, dryRun: true })).toMatchObject({
      posts: { begun: 1, ended: 1 },
    });
    expect(await held()).toEqual(before);
  });

  test('a new number or address replaces the old one, and an empty cell takes it away', async () => {
    const file = PEOPLE.replace('13800138004', '13800138009').replace('chen@example.com', '');
    expect(await importPeople({ database, file })).toMatchObject({
      people: { added: 0, changed: 2, unchanged: 2 },
      posts: { begun: 0, ended: 0 },
    });
    expect(await held()).toContain('濯水镇 0 陈一 书记: +8613800138001');
    expect(await held()).toContain('蒲花村 0 周四 支书: +8613800138009');
  });

  test('a column that the file lacks changes nothing', async () => {
    const file = 'unit,name,title,rank,phone\n500101,陈一,书记,0,13800138001\n';
    expect(await importPeople({ database, file })).toMatchObject({
      people: { unchanged: 1 },
      posts: { ended: 2 },
    });
    expect(await held()).toContain('濯水镇 0 陈一 书记: chen@example.com +8613800138001');
  });

  test('a staff number given later belongs to the same person, who keeps it when it is left out again', async () => {
    const withNumber = PEOPLE.replace('chen@example.com,,', 'chen@example.com,G1,');
    expect(await importPeople({ database, file: withNumber })).toMatchObject({
      people: { added: 0, changed: 1 },
    });
    expect(await importPeople({ database, file: PEOPLE })).toMatchObject({
      people: { added: 0, changed: 0 },
    });
    expect((await people()).map(({ reference }) => reference)).toContain('G1');
  });

  test('a duty number passes to the successor when the former holder has no post left', async () => {
    const file = `${HEADER}50010101,郑七,支书,正职,13800138004,,G7,\n`;
    expect(await importPeople({ database, file })).toMatchObject({
      people: { added: 1 },
      posts: { begun: 1, ended: 1 },
    });
    expect(await held()).toContain('蒲花村 0 郑七 支书: +8613800138004');
    const holders = await database.query(
      `select distinct person_id from person_channels where address = '+8613800138004'`,
    );
    expect(holders).toHaveLength(1);
  });

  test('a number that names another person now leaves the former their name and their past', async () => {
    expect(await importPeople({ database, file: PEOPLE.replace('陈一', '陈新') })).toMatchObject({
      people: { added: 1, changed: 0, unchanged: 3 },
      posts: { begun: 1, ended: 1 },
    });
    const past = await database.query(
      `select h.name, p.held_until is null as current from posts p join people h on h.id = p.person_id
       join units u on u.id = p.unit_id where u.name = '濯水镇' and p.rank = 0 order by p.id`,
    );
    expect(past).toEqual([
      { name: '陈一', current: false },
      { name: '陈新', current: true },
    ]);
    expect(await held()).toContain('濯水镇 0 陈新 书记: chen@example.com +8613800138001');
  });

  test('an address that was one person alone passes to another, and both stay who they are', async () => {
    const file = `${HEADER}500101,王三,河长,副职2,13800138003,wang@example.com,,
500101,吴八,办事员,副职3,,wang@example.com,,
`;
    expect(await importPeople({ database, file })).toMatchObject({ people: { added: 1, changed: 1 } });
    expect(await importPeople({ database, file })).toMatchObject({
      people: { added: 0, changed: 0, unchanged: 2 },
    });
    const references = (await people()).map(({ name, reference }) => `${name} ${reference}`);
    expect(references).toContain('王三 +8613800138003');
    expect(references).toContain('吴八 wang@example.com');
  });

  test('with a staff number a new name is the same person', async () => {
    expect(await importPeople({ database, file: PEOPLE.replace('周四', '周思') })).toMatchObject({
      people: { added: 0, changed: 1, unchanged: 3 },
      posts: { begun: 0, ended: 0 },
    });
  });

  test('but not while the former holder is on duty elsewhere', async () => {
    const details = await detailsOf(`${HEADER}500102,郑七,支书,正职,13800138004,,G7,\n`);
    expect(details).toEqual(['line 2, column 手机: this number belongs to 周四, who holds a post elsewhere']);
  });

  test('two people of the file may exchange their numbers', async () => {
    const numbered = PEOPLE.replace('13800138001,chen@example.com,,', '13800138001,,G1,').replace(
      '13800138002,,,',
      '13800138002,,G2,',
    );
    await importPeople({ database, file: numbered });
    const exchanged = numbered.replace('138001,,G1', '138002,,G1').replace('138002,,G2', '138001,,G2');
    expect(await importPeople({ database, file: exchanged })).toMatchObject({ people: { changed: 2 } });
    expect(await held()).toContain('濯水镇 0 陈一 书记: +8613800138002');
    expect(await held()).toContain('濯水镇 1 李二 镇长: +8613800138001');
  });
});
