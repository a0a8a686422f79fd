/** The cast of a drill is that of its rehearsal: the same people, manners, places and troubles, with the addresses of the database. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { insertScene, moveDuties } from '../db/drills.ts';
import { insertDuties } from '../db/duties.ts';
import { placeInStory, readCastLines, type Cast } from '../domain/rehearsal/cast.ts';
import { keyOfText } from '../domain/rehearsal/chance.ts';
import { lightAt } from '../domain/rehearsal/circumstances.ts';
import type { RulePack } from '../domain/rules.ts';
import type { Scenario } from '../domain/scenario.ts';
import { testDatabase } from '../test/database.ts';
import { appoint, holdPost, plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { castOf, senderRates, writeCast } from './drill-cast.ts';
import { readDatabaseTree, setDatabaseStage } from './rehearsal-database.ts';
import { readRulePack } from './rule-packs.ts';
import { parseScenario } from './scenario-files.ts';
import { issueWarning } from './warnings.ts';

const STORY = `
name: cast
title: { zh: 演员表, en: Cast }
about: A test.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - { at: +0m, warning: { name: one, hazard: 暴雨, level: orange, where: [区/乡一], expires: +3h } }
  - { at: +30m, update: { of: one, name: two, expires: +4h } }
people:
  - { neverAnswers: 7 }
  - { tiers: [group], wrongNumbers: 50 }
failures:
  dark: [{ where: [区/乡一/村一/组一], from: +5m, to: +15m }, { where: [区/乡一/村一], from: +60m }]
  outages: [{ channel: sms, from: +1m, to: +2m }, { channel: email, where: [区/乡一/村一] }]
`;
const START = Date.parse('2030-01-01T00:00:00Z');

let database: Database;
let tree: SmallTree;
let scenario: Scenario;
let pack: RulePack;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'fenghuo-cast-'));
  database = await testDatabase('drill-cast');
  tree = await plantSmallTree(database);
  // The principal of a village is also a deputy of the township above.
  await holdPost(database, tree.unit('乡一'), tree.person('村一'), 2);
  pack = await readRulePack();
  scenario = parseScenario(STORY, (await readDatabaseTree(database)).register, 'the test');
});
afterAll(async () => {
  await database.close();
  rmSync(directory, { recursive: true });
});

function cast(): Promise<Cast> {
  return castOf(database, { scenario, pack, seed: 5, speed: 60, startAt: START });
}

async function addressOf(unit: string, rank: number, channel: string): Promise<string> {
  const [row] = await database.query<{ address: string }>(
    'select address from person_channels where person_id = $1 and channel = $2',
    [tree.person(unit, rank), channel],
  );
  return row?.address ?? '';
}

test('has everybody concerned once, where they are and as they are', async () => {
  const { people, manners } = await cast();
  const stage = await setDatabaseStage(database, { scenario, pack });
  // City, district, township, village and group: two each, and nobody of the other township.
  expect(people).toHaveLength(10);
  const village = await addressOf('村一', 0, 'sms');
  const principal = people.find(({ addresses }) => addresses.sms === village);
  expect(principal).toMatchObject({
    key: keyOfText('村一0'),
    unitId: tree.unit('村一'),
    tiers: ['township', 'village'],
    addresses: { sms: village, email: await addressOf('村一', 0, 'email') },
  });
  const unitIdOf = new Map(stage.unitIds.map((id, unitId) => [id, unitId]));
  for (const { unitId, manner } of people)
    expect(manners[manner]).toEqual(stage.input.mannerOf(unitIdOf.get(unitId) ?? -1));
  expect(manners.map(({ wrongNumbers }) => wrongNumbers).sort()).toEqual([1, 50]);
  expect(manners.every(({ neverAnswers }) => neverAnswers === 7)).toBe(true);
});

test('has the story with its warnings, and what goes wrong where', async () => {
  const { warnings, outages, darkness, storyStartAt } = await cast();
  expect(warnings).toEqual([
    expect.objectContaining({ warningId: null, at: storyStartAt, successor: 1, carries: null }),
    expect.objectContaining({ warningId: null, at: storyStartAt + 30 * 60_000, successor: null, carries: 0 }),
  ]);
  expect(warnings[0]?.doneTiers).toEqual(['township', 'village']);
  expect(outages[0]).toMatchObject({ channel: 'sms', units: null, to: storyStartAt + 2 * 60_000 });
  expect(outages[1]?.units?.sort()).toEqual([tree.unit('村一'), tree.unit('组一')].sort());
  expect(outages[1]?.to).toBe(Infinity);
  const group = darkness.filter(({ unitId }) => unitId === tree.unit('组一'));
  const places = new Map([[tree.unit('组一'), group]]);
  expect(lightAt(places, tree.unit('组一'), storyStartAt + 6 * 60_000)).toBe(storyStartAt + 15 * 60_000);
  expect(lightAt(places, tree.unit('组一'), storyStartAt + 61 * 60_000)).toBe(Infinity);
});

test('names households only where power or providers fail', async () => {
  const { households } = await cast();
  expect(households).toHaveLength(3);
  expect(new Set(households.map(({ unitId }) => unitId))).toEqual(new Set([tree.unit('组一')]));
});

test('has whoever is on duty, and for whom they stand, at whichever hour', async () => {
  const before = await cast();
  // Holds a post where nothing happens.
  const officer = await appoint(database, tree.unit('组二'), '值班员', 9);
  const keys = ({ people }: Cast) => people.map(({ key, unitId, tiers }) => ({ key, unitId, tiers }));
  const expected = [
    ...keys(before),
    { key: keyOfText('值班员'), unitId: tree.unit('组一'), tiers: ['township', 'group'] },
  ];
  const inOrder = (list: ReturnType<typeof keys>) => [...list].sort((one, other) => one.key - other.key);
  for (const hour of [-1, 1]) {
    await database.query('delete from duties');
    const [from, until] = [hour - 0.5, hour + 1.5].map((at) => Date.now() + at * 3_600_000) as [
      number,
      number,
    ];
    const duty = { rank: 0, personId: officer, from, until };
    await insertDuties(database, [
      { ...duty, unitId: tree.unit('乡一') },
      { ...duty, unitId: tree.unit('组一') },
    ]);
    expect(inOrder(keys(await cast()))).toEqual(inOrder(expected));
  }
  await database.query('delete from duties');
});

test('a rehearsal tells who is on duty in place of the holder, also where nobody holds the post', async () => {
  const officer = await appoint(database, tree.unit('组二'), '带班员', 9);
  const now = Date.now();
  const duty = { personId: officer, from: now - 1_000, until: now + 3_600_000 };
  await insertDuties(database, [
    { ...duty, unitId: tree.unit('村一'), rank: 0 },
    { ...duty, unitId: tree.unit('组一'), rank: 5 },
    { ...duty, unitId: tree.unit('组一'), rank: 0, from: now - 7_200_000, until: now - 1_000 },
  ]);
  const { tree: grown, unitIds, references } = await setDatabaseStage(database, { scenario, pack });
  const standing = (unit: string) =>
    grown.posts[unitIds.indexOf(tree.unit(unit))]?.map((person) => references[person]);
  expect(standing('村一')).toEqual(['带班员', '村一1']);
  expect(standing('组一')).toEqual(['组一0', '组一1', '带班员']);
  await database.query('delete from duties');
});

test('a gap moves what of the roster is left', async () => {
  const [personId, now] = [tree.person('村一'), Date.now()];
  const hours = (from: number, until: number) => ({
    ...{ unitId: tree.unit('乡一'), rank: 0, personId },
    ...{ from: now + from * 3_600_000, until: now + until * 3_600_000 },
  });
  await insertDuties(database, [hours(-8, -6), hours(-6, -1), hours(1, 3)]);
  await moveDuties(database, { from: now - 4 * 3_600_000, until: now - 2 * 3_600_000 });
  const moved = await database.query<{ hours: number[] }>(
    `select array[extract(epoch from from_at) - $1, extract(epoch from until_at) - $1]::float8[] as hours from duties order by from_at`,
    [now / 1_000],
  );
  expect(moved.map((row) => row.hours.map((seconds) => Math.round(seconds / 3_600)))).toEqual([
    [-8, -6],
    [-4, 1],
    [3, 5],
  ]);
  await database.query('delete from duties');
});

test('is read as it was written', async () => {
  const path = join(directory, 'cast.jsonl');
  const written = await cast();
  await writeCast(path, written);
  expect(readCastLines(readFileSync(path, 'utf8').split('\n'))).toEqual(written);
});

test('knows which warnings were issued before, and when the drill stood still', async () => {
  const gaps = [{ from: START + 1_000, until: START + 5_000 }];
  const other = await castOf(database, { scenario, pack, seed: 5, speed: 60, startAt: START, gaps });
  expect(other.gaps).toEqual(gaps);
  const request = { hazard: '暴雨', level: '橙', areas: ['区/乡一'], expires: '+3h', issuer: '城气象台' };
  const { warningId } = await issueWarning(database, request);
  await insertScene(database, 0, warningId);
  const { warnings } = await cast();
  expect(warnings.map((warning) => warning.warningId)).toEqual([warningId, null]);
  expect([warningId, warningId + 1].map((id) => placeInStory(warnings, id))).toEqual([0, 1]);
});

test('a scenario that gives its senders a rate gives it to the worker, at the speed of the drill', () => {
  const senders = {
    sms: { perSecond: 100, delaySeconds: 1 },
    email: { perSecond: 0.5, delaySeconds: 0 },
    voice: { perSecond: 5_000, delaySeconds: 1 },
  };
  expect(senderRates({ senders }, 60)).toEqual({
    FENGHUO_GATEWAY_PER_SECOND: '6000',
    FENGHUO_SMTP_PER_SECOND: '30',
  });
  expect(senderRates({ senders: {} }, 60)).toEqual({});
});
