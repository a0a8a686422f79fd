/** Scenes of a drill that come late: each is played once, and what comes after it finds what it speaks of. */
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { readNow, readScenes } from '../db/drills.ts';
import { readWarning, type WarningRow } from '../db/warnings.ts';
import type { DrillClock } from '../domain/drill-clock.ts';
import { spanMs, type Scenario } from '../domain/scenario.ts';
import { testDatabase } from '../test/database.ts';
import { plantSmallTree, type SmallTree } from '../test/harness/small-tree.ts';
import { LATE_MOST_MS, playScene, playStory, type Stage } from './drill-play.ts';
import { reportOfDrill } from './drill-reports.ts';
import type { Drill } from './drills.ts';
import { readDatabaseTree } from './rehearsal-database.ts';
import { readRulePack } from './rule-packs.ts';
import { parseScenario } from './scenario-files.ts';

const SPEED = 600;
/** One warning is updated, its update cancelled; the other runs out. */
const STORY = `name: late
title: { zh: 迟到, en: Late }
about: A test.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - { at: +0m, warning: { name: rain, hazard: 暴雨, level: orange, where: [乡一], expires: +60m } }
  - { at: +50m, update: { of: rain, name: more, UPDATE } }
  - { at: +55m, warning: { name: wind, hazard: 大风, level: orange, where: [乡二], expires: +60m } }
  - { at: +59m, cancel: { of: CANCELLED } }
expect:
  - { warning: more, told: { tier: village, percent: 100, within: 5m } }
`;
const [RAIN, MORE, WIND, CANCEL] = [0, 1, 2, 3];

let own: Database;
let tree: SmallTree;

beforeEach(async () => {
  await own?.close();
  own = await testDatabase('drill-play');
  tree = await plantSmallTree(own);
});
afterAll(() => own.close());

/** A stage whose story begins now; `update` is what the update says, `cancelled` what is cancelled in the end. */
async function stageOf(update: string, cancelled = 'more'): Promise<Stage & { clock: DrillClock }> {
  const [pack, { register }] = await Promise.all([readRulePack(), readDatabaseTree(own)]);
  const scenario: Scenario = parseScenario(
    STORY.replace('UPDATE', update).replace('CANCELLED', cancelled),
    register,
    'the test',
  );
  const startedAt = await readNow(own);
  const drill = { ...{ name: 'DR1', scenario, pack, seed: 1, speed: SPEED, status: 'running', startedAt } };
  const clock = { startAt: startedAt, storyStartAt: Date.parse(scenario.startsAt), speed: SPEED, gaps: [] };
  return { own, drill: drill as unknown as Drill, issuer: '城气象台', clock };
}

async function warningOf(warningId: number): Promise<WarningRow> {
  const warning = await readWarning(own, warningId);
  if (!warning) throw new Error(`no W${warningId}`);
  return warning;
}

const lastsMs = ({ expiresAt, issuedAt }: WarningRow) => expiresAt - issuedAt;
const minutes = (count: number) => spanMs(`${count}m`) / SPEED;

/** The conductor was away for so long: what is due has been due for as long. */
async function runOut(warningId: number): Promise<void> {
  await own.query(
    `update warnings set issued_at = issued_at - interval '1 hour', expires_at = clock_timestamp() - interval '1 second',
       status = 'expired', ended_at = clock_timestamp() where id = $1`,
    [warningId],
  );
}

/** The principal of a village says that they have it, before the warning runs out. */
async function answer(warningId: number, unit: string): Promise<void> {
  await own.query(
    `insert into answers (warning_id, unit_id, person_id, kind, via, at)
     select $1, $2, $3, 'received', 'page', issued_at from warnings where id = $1`,
    [warningId, tree.unit(unit), tree.person(unit)],
  );
}

async function carried(warningId: number): Promise<number[]> {
  const rows = await own.query<{ unit: number }>(
    'select unit_id as unit from answers where warning_id = $1 and carried_from is not null',
    [warningId],
  );
  return rows.map(({ unit }) => unit);
}

test('what an event ends outlives its time by what a conductor may be late, and nothing else does', async () => {
  const stage = await stageOf('expires: +60m');
  for (const event of [RAIN, MORE, WIND]) await playScene(stage, event, stage.clock);
  const [rain, more, wind] = [await warningOf(1), await warningOf(2), await warningOf(3)];
  expect(lastsMs(rain)).toBeCloseTo(minutes(60) + LATE_MOST_MS, -2);
  expect(lastsMs(more)).toBeCloseTo(minutes(60) + LATE_MOST_MS, -2);
  expect(lastsMs(wind)).toBeCloseTo(minutes(60), -2);
  expect([rain.status, more.supersedesId]).toEqual(['superseded', 1]);
});

test('an update that says nothing of its end ends when the first would have ended', async () => {
  const stage = await stageOf('level: red');
  await playScene(stage, RAIN, stage.clock);
  await playScene(stage, MORE, stage.clock);
  // Cancelled by an event, so it outlives that time as well.
  const [rain, more] = [await warningOf(1), await warningOf(2)];
  expect(more.expiresAt - rain.expiresAt).toBeCloseTo(0, -2);
});

test('an update of what has run out is an update: answers stand, the same people are asked, later events find it', async () => {
  const stage = await stageOf('expires: +60m');
  await playScene(stage, RAIN, stage.clock);
  await answer(1, '村一');
  await runOut(1);
  const played = await playScene(stage, MORE, stage.clock);
  expect(await playScene(stage, MORE, stage.clock)).toBe(played);
  expect(await warningOf(1)).toMatchObject({ status: 'expired', supersededById: 2 });
  expect(await warningOf(2)).toMatchObject({ status: 'open', supersedesId: 1, revision: 2 });
  expect(await carried(2)).toEqual([tree.unit('村一')]);
  await playScene(stage, WIND, stage.clock);
  await playScene(stage, CANCEL, stage.clock);
  expect((await readScenes(own)).map(({ warningId }) => warningId)).toEqual([1, 2, 3, 2]);
  expect(await warningOf(2)).toMatchObject({ status: 'cancelled' });
  expect(await warningOf(3)).toMatchObject({ status: 'open' });
});

test('an update that asks anew carries no answer, late or not', async () => {
  const stage = await stageOf('level: red, expires: +60m');
  await playScene(stage, RAIN, stage.clock);
  await answer(1, '村一');
  await runOut(1);
  await playScene(stage, MORE, stage.clock);
  expect(await carried(2)).toEqual([]);
});

test.each([
  ['more', LATE_MOST_MS],
  ['wind', 1],
])('where nothing is left of its time no event fails: %s is cancelled', async (cancelled, leftMs) => {
  const stage = await stageOf('level: red', cancelled);
  await playScene(stage, RAIN, stage.clock);
  await runOut(1);
  await playScene(stage, MORE, stage.clock);
  expect(lastsMs(await warningOf(2))).toBeCloseTo(leftMs, -2);
  await own.query(`update warnings set status = 'expired', ended_at = clock_timestamp() where id = 2`);
  await playScene(stage, WIND, stage.clock);
  await playScene(stage, CANCEL, stage.clock);
  expect(await warningOf(2)).toMatchObject({ status: 'expired' });
});

test('a process that dies while PostgreSQL is away begins a gap when it is there again', async () => {
  const stage = await stageOf('expires: +60m');
  let refusals = 2;
  const transaction: Database['transaction'] = (work) => {
    refusals -= 1;
    if (refusals < 0) return own.transaction(work);
    return Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
  };
  const outcome = await playStory({
    ...stage,
    own: { ...own, transaction },
    stopWish: () => Promise.resolve(null),
    still: () => Promise.resolve(true),
    whole: () => false,
    signal: new AbortController().signal,
    show: () => Promise.resolve(),
  });
  expect([outcome, refusals]).toEqual(['process gone', -1]);
  expect(await own.query('select from pauses where ended_at is null')).toHaveLength(1);
});

test('the report has each warning once, with the end that it had', async () => {
  const stage = await stageOf('expires: +60m');
  await playScene(stage, RAIN, stage.clock);
  await runOut(1);
  await playScene(stage, MORE, stage.clock);
  await playScene(stage, WIND, stage.clock);
  await playScene(stage, CANCEL, stage.clock);
  const { warnings, expectations } = await reportOfDrill(own, stage.drill);
  expect(warnings.map(({ name, end }) => [name, end])).toEqual([
    ['rain', 'expired'],
    ['more', 'cancelled'],
    ['wind', 'open'],
  ]);
  // It was cut short by nobody, but played at once here: nothing can be said of it yet.
  expect(expectations).toEqual([]);
});
