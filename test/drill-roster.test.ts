/** The roster goes along into a drill: who stands for a post there is who does in life, at the drill's pace. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase, type Database } from '../db/database.ts';
import { dropDrillSchema } from '../db/drill-schema.ts';
import { insertDuties, onDuty } from '../db/duties.ts';
import { createDrill, prepareSchema } from '../operations/drills.ts';
import { issueWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import { recordingChannel, runUntilQuiet } from './harness/local-cascade.ts';
import { appoint, plantSmallTree, type SmallTree } from './harness/small-tree.ts';

const SPEED = 60;
const HOUR_MS = 3_600_000;
const STORY = `name: roster
title: { zh: 值班, en: Roster }
about: One township.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: red, where: [乡一], expires: +3h }
people:
  - { delay: usual }
`;

let live: Database;
let own: Database;
let tree: SmallTree;
let directory: string;
/** Both without a post in the places of the drill: one is on duty now, the other after them. */
let early: number;
let late: number;
/** When the copy was made, in milliseconds. */
let copiedAt: number;

beforeAll(async () => {
  live = await testDatabase('drill-roster');
  tree = await plantSmallTree(live);
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-drill-roster-'));
  const scenario = join(directory, 'roster.yaml');
  await writeFile(scenario, STORY);
  early = await appoint(live, tree.unit('乡二'), '早班', 9);
  late = await appoint(live, tree.unit('乡二'), '晚班', 8);
  const now = Date.now();
  const duty = { unitId: tree.unit('村一'), rank: 0 };
  await insertDuties(live, [
    { ...duty, personId: late, from: now - 20 * HOUR_MS, until: now - 12 * HOUR_MS },
    { ...duty, personId: early, from: now - HOUR_MS, until: now + HOUR_MS },
    { ...duty, personId: late, from: now + HOUR_MS, until: now + 9 * HOUR_MS },
    // Nothing of it concerns this drill.
    { ...duty, unitId: tree.unit('乡二'), personId: early, from: now - HOUR_MS, until: now + HOUR_MS },
  ]);
  const ownerUrl = process.env['DATABASE_URL'] ?? '';
  const drill = await createDrill(live, { scenario, seed: 1, speed: SPEED });
  const { schema, snapshot } = await prepareSchema({ live, ownerUrl }, drill, 'of the tests');
  copiedAt = Date.now();
  expect(snapshot).toMatchObject({ duties: 2 });
  own = openDatabase({ url: ownerUrl, schema, asOwner: true });
});
afterAll(async () => {
  await own.close();
  await dropDrillSchema(live, own.schema);
  await live.close();
  await rm(directory, { recursive: true });
});

it('those on duty come along with addresses that cannot exist, and nobody who is not concerned', async () => {
  const people = await own.query<{ id: number; synthetic: boolean; real: boolean }>(
    `select p.id, p.synthetic, exists (select from person_channels c join ${live.schema}.person_channels o
       on o.person_id = c.person_id and o.channel = c.channel and o.address = c.address where c.person_id = p.id) as real
     from people p where id = any($1) order by id`,
    [[early, late]],
  );
  expect(people).toEqual([early, late].map((id) => ({ id, synthetic: true, real: false })));
  const posts = await own.query('select from posts where person_id = any($1)', [[early, late]]);
  expect(posts).toEqual([]);
});

it('the roster changes at the pace of the drill', async () => {
  const standing = async (hours: number) =>
    (await onDuty(own, tree.unit('村一'), 0, copiedAt + (hours * HOUR_MS) / SPEED))?.personId;
  expect(await standing(0.5)).toBe(early);
  expect(await standing(2)).toBe(late);
  expect(await standing(8)).toBe(late);
  expect(await standing(10)).toBe(tree.person('村一'));
});

it('who is on duty is told, and not the holder', async () => {
  const sms = recordingChannel('sms');
  const request = { hazard: '暴雨', level: '红', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' };
  const { warningId } = await issueWarning(own, request);
  await runUntilQuiet(own, warningId, [sms, recordingChannel('email')]);
  const toldBy = async (personId: number) => {
    const [row] = await own.query<{ address: string }>(
      `select address from person_channels where person_id = $1 and channel = 'sms'`,
      [personId],
    );
    return sms.messages.filter(({ address }) => address === row?.address).length;
  };
  expect(await toldBy(early)).toBe(1);
  expect(await toldBy(tree.person('村一'))).toBe(0);
  expect(await toldBy(tree.person('乡一'))).toBe(1);
});
