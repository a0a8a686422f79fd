import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { testDatabase } from '../test/database.ts';
import { findUnits } from './organisation-find.ts';
import { importOrganisation } from './organisation-import.ts';
import { importPeople } from './organisation-people.ts';
import {
  checkPeople,
  exportOrganisation,
  listPeople,
  organisationSummary,
  showUnit,
} from './organisation-read.ts';

let database: Database;

beforeAll(async () => {
  database = await testDatabase('organisation_read');
  await importOrganisation({
    database,
    file: readFileSync(new URL('../scenarios/chongqing-units.csv', import.meta.url)),
  });
  const withoutCode = 'code,name,parent_code,tier\n,=第一组,500114112209,组\n';
  await importOrganisation({ database, file: withoutCode });
  const people = `单位编码,姓名,岗位,顺位,手机,邮箱
500114112000,李二,镇长,副职1,13800138002,
500114112000,陈一,书记,正职,13812340000,an.chen@example.com
500114000000,陈一,河长,副职1,13812340000,an.chen@example.com
`;
  await importPeople({ database, file: people });
});

afterAll(() => database.close());

async function refusal(path: string): Promise<FenghuoError> {
  const error: unknown = await findUnits(database, path).catch((thrown: unknown) => thrown);
  if (error instanceof FenghuoError) return error;
  throw new Error(`${path} was found`, { cause: error });
}

describe('a unit is found', () => {
  test.each([
    ['500114112000', '重庆市/黔江区/濯水镇'],
    ['５００１１４１１２０００', '重庆市/黔江区/濯水镇'],
    ['濯水镇', '重庆市/黔江区/濯水镇'],
    [' 黔江区 / 濯水镇 ', '重庆市/黔江区/濯水镇'],
    ['黔江区／濯水镇', '重庆市/黔江区/濯水镇'],
    ['重庆市/濯水镇', '重庆市/黔江区/濯水镇'],
    ['重庆市', '重庆市'],
    ['黔江区/双龙村村民委员会', '重庆市/黔江区/濯水镇/双龙村村民委员会'],
    ['濯水镇/=第一组', '重庆市/黔江区/濯水镇/双龙村村民委员会/=第一组'],
  ])('%s', async (path, place) => {
    expect((await findUnits(database, path)).place).toBe(place);
  });
});

describe('a name that several units have', () => {
  test('is answered by each of them, with place and code', async () => {
    const error = await refusal('双龙镇');
    expect(error).toMatchObject({ code: 'ambiguous-unit', refusal: 'usage' });
    expect(error.message).toContain('4 units are called 双龙镇');
    expect(error.details).toHaveLength(4);
    for (const detail of error.details) expect(detail).toMatch(/^重庆市\/\S+\/双龙镇 {2}50\d{10}$/);
  });

  test('is listed so far, and the rest is counted', async () => {
    const villages = ['500114112202', '500114112203', '500114112209'];
    const lines = Array.from(
      { length: 25 },
      (_, place) => `x${place},同名组,${villages[place % 3] ?? ''},组`,
    );
    await importOrganisation({ database, file: `code,name,parent_code,tier\n${lines.join('\n')}\n` });
    const error = await refusal('同名组');
    expect(error.details).toHaveLength(21);
    expect(error.details.at(-1)).toBe('… and 5 more');
  });
});

describe('a name that no unit has is answered by the nearest', () => {
  test.each([
    ['濯水', '濯水镇'],
    ['黔江', '重庆市/黔江区'],
    ['酉阳县', '酉阳土家族苗族自治县'],
    ['万州区/濯水镇', '重庆市/黔江区/濯水镇'],
    ['濯水乡', '濯水'],
  ])('%s → %s', async (path, near) => {
    const error = await refusal(path);
    expect(error).toMatchObject({ code: 'unknown-unit', refusal: 'notFound' });
    expect(error.details.slice(0, 2).join()).toContain(near);
    expect(error.details.length).toBeLessThanOrEqual(5);
  });

  test.each(['Atlantis', '%', '_', '999999999999', "'; drop table units; --"])(
    '%j has none',
    async (path) => {
      const error = await refusal(path);
      expect(error.refusal).toBe('notFound');
      expect(error.message).toContain('org import');
    },
  );

  test.each(['', ' / '])('%j names nothing', async (path) => {
    expect(await refusal(path)).toMatchObject({ refusal: 'usage' });
  });
});

test('a unit is shown with its people by rank, addresses masked, and what stands below', async () => {
  const view = await showUnit(database, '黔江区/濯水镇');
  expect(view.names).toEqual(['重庆市', '黔江区', '濯水镇']);
  expect(view.people).toEqual([
    {
      name: '陈一',
      title: '书记',
      rank: 0,
      language: 'zh',
      synthetic: false,
      channels: [
        { channel: 'email', address: 'a***@example.com', fault: null, provenAt: null },
        { channel: 'sms', address: '138****0000', fault: null, provenAt: null },
        { channel: 'voice', address: '138****0000', fault: null, provenAt: null },
      ],
    },
    {
      name: '李二',
      title: '镇长',
      rank: 1,
      language: 'zh',
      synthetic: false,
      channels: [
        { channel: 'sms', address: '138****8002', fault: null, provenAt: null },
        { channel: 'voice', address: '138****8002', fault: null, provenAt: null },
      ],
    },
  ]);
  expect(view.below.map(({ tier, units }) => [tier, units])[0]).toEqual(['village', 9]);
  expect(await listPeople(database, '500114112000')).toMatchObject({
    unit: { name: '濯水镇' },
    people: view.people,
  });
});

test('the summary counts tiers, people and who is out of reach', async () => {
  const summary = await organisationSummary(database);
  expect(summary.tiers.map(({ tier }) => tier)).toEqual([
    'city',
    'district',
    'township',
    'village',
    'group',
    'household',
  ]);
  expect(summary.tiers[1]).toEqual({ tier: 'district', units: 38, synthetic: 0, unreachable: 37 });
  expect(summary.people).toEqual({ people: 2, synthetic: 0, posts: 3, severalPosts: 1 });
  expect(summary.households).toEqual({ all: 0, synthetic: 0 });
});

test('units without anyone to reach are listed with place and reason, and all are counted', async () => {
  await database.query(
    `with mute as (insert into people (reference, name) values ('mute', '哑') returning id)
     insert into posts (unit_id, person_id, title, rank)
     select units.id, mute.id, '支书', 0 from units, mute where code = '500114112202'`,
  );
  const { total, units } = await checkPeople(database, { under: '濯水镇', most: 3 });
  expect(total).toBeGreaterThan(9);
  expect(units.map(({ place, reason }) => `${place.split('/').at(-1) ?? ''}: ${reason}`)).toEqual([
    '濯水社区居民委员会: no post is held',
    '蒲花社区居民委员会: no post is held',
    '三门社区居民委员会: no post is held',
  ]);
  const all = await checkPeople(database, { under: '濯水镇' });
  expect(all.units.find(({ code }) => code === '500114112202')).toMatchObject({ reason: 'no address' });
});

test('an export is a file that changes nothing when it comes back, and no formula is live in it', async () => {
  const file = await exportOrganisation(database);
  expect(file).toContain(",'=第一组,500114112209,group\r\n");
  const result = await importOrganisation({ database, file });
  expect(result).toMatchObject({ added: 0, changed: 0, errors: [] });
  expect(result.unchanged).toBe(12_340 + 1 + 25);
});
