/** When answers could not be taken, as PostgreSQL writes it down. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { WarningKind } from '../domain/kinds.ts';
import { testDatabase } from '../test/database.ts';
import { openDatabase, type Database } from './database.ts';
import { readKindFacts, sayServing } from './kinds.ts';
import { beat, beatIntake, forgetOld, INTAKE_SIGNS, intakeOutages, OUTAGE_AFTER_MS } from './liveness.ts';

let database: Database;
beforeAll(async () => {
  database = await testDatabase('db/liveness');
});
afterAll(() => database.close());
beforeEach(() => database.query('truncate liveness, intake_outages'));

/** The web process shows itself for the last time so long ago. */
async function lastSeen(agoMs: number, kind: WarningKind = 'exercise'): Promise<void> {
  await database.query(
    `insert into liveness values ($1, clock_timestamp() - $2 * interval '1 millisecond')
     on conflict (name) do update set at = excluded.at`,
    [INTAKE_SIGNS[kind], agoMs],
  );
}

async function outages(sinceMs = 600_000, kind: WarningKind = 'exercise') {
  const [clock] = await database.query<{ now: number }>(
    'select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now',
  );
  const now = clock?.now ?? 0;
  const found = await intakeOutages(database, { kind, since: now - sinceMs, now });
  // In whole seconds before now: the clock goes on between two statements.
  const ago = (at: number | null) => (at === null ? null : Math.abs(Math.round((now - at) / 1_000)));
  return found.map(({ from, until }) => [ago(from), ago(until)]);
}

test('where no web process ever lived there is no outage to wait for', async () => {
  expect(await outages()).toEqual([]);
  await beatIntake(database, 'exercise');
  expect(await outages()).toEqual([]);
});

test('a missed sign or two is none', async () => {
  await lastSeen(OUTAGE_AFTER_MS - 500);
  expect(await outages()).toEqual([]);
  await beatIntake(database, 'exercise');
  expect(await outages()).toEqual([]);
});

test('one that still lasts is seen by everybody, and written down by the first sign after it', async () => {
  await lastSeen(60_000);
  expect(await outages()).toEqual([[60, null]]);
  await beatIntake(database, 'exercise');
  expect(await outages()).toEqual([[60, 0]]);
  await beatIntake(database, 'exercise');
  expect(await outages()).toEqual([[60, 0]]);
});

test('while the web process of one kind is away, the other’s answers are taken, and its deadlines go on', async () => {
  const of = async () => [await outages(undefined, 'exercise'), await outages(undefined, 'actual')];
  await lastSeen(60_000, 'actual');
  await beatIntake(database, 'exercise');
  expect(await of()).toEqual([[], [[60, null]]]);
  await beatIntake(database, 'actual');
  expect(await of()).toEqual([[], [[60, 0]]]);
  await lastSeen(30_000);
  expect(await of()).toEqual([[[30, null]], [[60, 0]]]);
  await beatIntake(database, 'exercise');
  expect(await of()).toEqual([[[30, 0]], [[60, 0]]]);
});

test('of several web processes that come back at once only one writes it down', async () => {
  await lastSeen(60_000);
  const many = Array.from({ length: 6 }, () =>
    openDatabase({
      url: process.env['DATABASE_URL'] ?? '',
      schema: database.schema,
      connectionsMost: 1,
      indexesOnly: true,
    }),
  );
  await Promise.all(many.map((one) => one.query('select 1')));
  await Promise.all(many.map((one) => beatIntake(one, 'exercise')));
  await Promise.all(many.map((one) => one.close()));
  expect(await outages()).toEqual([[60, 0]]);
});

test('one that was over before the warning was issued is left out', async () => {
  await database.query(
    `insert into intake_outages (began_at, ended_at) values
       (clock_timestamp() - interval '300 s', clock_timestamp() - interval '200 s'),
       (clock_timestamp() - interval '100 s', clock_timestamp() - interval '40 s')`,
  );
  expect(await outages(150_000)).toEqual([[100, 40]]);
});

test('a worker that said what it serves is not forgotten: how long it is gone is of use', async () => {
  const name = 'worker actual a:1';
  await sayServing(database, {
    ...{
      name,
      kind: 'actual',
      part: 'worker',
      senders: ['smtp'],
      namespace: 'x',
      publicUrl: 'https://x.example',
    },
  });
  await database.query(`update serving set started_at = clock_timestamp() - interval '30 days'`);
  await database.query(`insert into liveness values ($1, clock_timestamp() - interval '3 days')`, [name]);
  await beat(database, 'worker exercise b:7');
  await forgetOld(database);
  const { seenAt, workers } = await readKindFacts(database, 'actual', 15_000);
  expect(workers).toEqual([]);
  expect((Date.now() - (seenAt ?? 0)) / 86_400_000).toBeCloseTo(3, 1);
  await database.query('truncate serving');
});

test('workers long gone are forgotten, but the last of them and everybody else', async () => {
  await database.query(
    `insert into liveness values ('worker exercise a:1', clock_timestamp() - interval '3 days'),
       ('worker exercise a:2', clock_timestamp() - interval '2 days'), ('web', clock_timestamp() - interval '9 days')`,
  );
  await forgetOld(database);
  const names = () => database.query<{ name: string }>('select name from liveness order by name');
  expect((await names()).map(({ name }) => name)).toEqual(['web', 'worker exercise a:2']);
  await beat(database, 'worker exercise b:7');
  await forgetOld(database);
  expect((await names()).map(({ name }) => name)).toEqual(['web', 'worker exercise b:7']);
});
