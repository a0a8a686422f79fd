/**
 * Drills by a schedule on the real stack: a time that comes gives one drill, or one line that says why there was none; whoever asks for
 * it and whoever conducts it may be killed.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENTRY } from '../cli/installation.ts';
import { run, type Ran } from '../cli/testing.ts';
import type { Database } from '../db/database.ts';
import { lockSchedule } from '../db/drill-schedules.ts';
import { dropDrillSchema } from '../db/drill-schema.ts';
import { beat } from '../db/liveness.ts';
import { DRILL_SERVER_SIGN } from '../domain/watchdog.ts';
import { wishDrill } from '../operations/drill-schedules.ts';
import { waitUntil } from '../runtime/processes.ts';
import { testDatabase } from './database.ts';
import { pastTriggers } from './harness/office.ts';
import { plantSmallTree } from './harness/small-tree.ts';

/** At 600 times the speed of life, six seconds. */
const STORY = `name: weekly
title: { zh: 每周演练, en: Every week }
about: One township.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: orange, where: [乡一], expires: +60m }
people:
  - { neverAnswers: 0, cannotAct: 0, delay: prompt }
`;
const HOUR_MS = 3_600_000;

let live: Database;
let directory: string;
let scenario: string;
let env: Record<string, string>;
let nowhere: Promise<Ran>;
const processes: ChildProcess[] = [];

beforeAll(async () => {
  live = await testDatabase('drill-schedule');
  await plantSmallTree(live);
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-drill-schedule-'));
  scenario = join(directory, 'weekly.yaml');
  await writeFile(scenario, STORY);
  env = {
    ...(process.env as Record<string, string>),
    FENGHUO_SCHEMA: live.schema,
    FENGHUO_DATA_DIR: directory,
    LANG: 'C.UTF-8',
  };
  // It is waited for as long as somebody may take to answer, so beside all the rest.
  nowhere = run(['drill', 'schedule', 'list'], { ...env, TEMPORAL_ADDRESS: '127.0.0.1:9' });
});

afterAll(async () => {
  for (const child of processes) await killed(child);
  const schedules = await live.query<{ id: number }>(
    'select id from drill_schedules where removed_at is null',
  );
  for (const { id } of schedules) await schedule('remove', `DS${id}`);
  const left = await live.query<{ name: string }>(
    'select schema_name as name from drills where schema_name is not null',
  );
  for (const { name } of left) await dropDrillSchema(live, name);
  await live.close();
  await rm(directory, { recursive: true, force: true });
});

const schedule = (...words: string[]): Promise<Ran> => run(['drill', 'schedule', ...words], env);

async function done(ran: Promise<Ran>, code = 0): Promise<Ran> {
  const { stderr, ...rest } = await ran;
  expect(`${rest.code} ${rest.code === code ? '' : stderr}`).toBe(`${code} `);
  return { ...rest, stderr };
}

async function add(...words: string[]): Promise<string> {
  const { stdout } = await done(schedule('add', scenario, '--cron', '0 14 * * 2', ...words, '--json'));
  return (JSON.parse(stdout) as { id: string }).id;
}

type Shown = { id: string; next: string[] | null; last: Record<string, unknown> | null };

async function shown(id: string): Promise<Shown | undefined> {
  const { stdout } = await done(schedule('list', '--json'));
  return (JSON.parse(stdout) as Shown[]).find((one) => one.id === id);
}

/** Starts a process of ours, and waits until it serves. */
async function started(...words: string[]): Promise<ChildProcess> {
  const child = fork(ENTRY, words, { env, execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  processes.push(child);
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`${words.join(' ')} ended with ${code}`)));
  });
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Drills of one schedule, the oldest first. */
async function drillsOf(id: string) {
  return live.query<{ drill: number; status: string; schema: string | null; reason: string | null }>(
    `select d.id as drill, d.status, d.schema_name as schema, d.stop_reason as reason
     from drill_occasions o join drills d on d.id = o.drill_id where o.schedule_id = $1 order by o.due_at`,
    [Number(id.slice(2))],
  );
}

async function told(schema: string | null): Promise<number> {
  if (schema === null) return 0;
  const [row] = await live
    .query<{ told: number }>(
      `select count(*)::int as told from ${schema}.deliveries where outcome = 'handed off'`,
    )
    .catch(() => []);
  return row?.told ?? 0;
}

/** An actual warning as far as drills look at it. */
async function openActual(): Promise<() => Promise<void>> {
  await pastTriggers(
    live,
    `insert into warnings (kind, hazard, level, issuer, text_zh, text_en, expires_at, rules)
     values ('actual', '11B03', 'red', '气象台', '暴雨', 'rain', clock_timestamp() + interval '1 hour', '{}')`,
  );
  return () => pastTriggers(live, `update warnings set status = 'expired' where kind = 'actual'`);
}

describe('at the command line', () => {
  it('a schedule is made, shown by the clock of Shanghai, and removed', async () => {
    const empty = await done(schedule('list', '--lang', 'zh'));
    expect(empty).toMatchObject({ stdout: '', stderr: expect.stringContaining('没有定期演练') as string });
    const added = await done(schedule('add', scenario, '--cron', '0 14 * * 2', '--speed', '600'));
    expect(added.stdout).toMatch(/^DS1: weekly .* Next: \d{4}-\d\d-\d\d 14:00 \(Asia\/Shanghai\)\.\n$/);
    expect(added.stderr).toContain('npx fenghuo drill serve');
    const one = await shown('DS1');
    expect(one).toMatchObject({ scenario: 'weekly', cron: '0 14 * * 2', speed: 600, seed: null, last: null });
    expect(one?.next).toHaveLength(3);
    for (const next of one?.next ?? []) {
      expect(next).toMatch(/T14:00:00\+08:00$/);
      expect(new Date(next).getUTCDay()).toBe(2);
    }
    const listed = await done(schedule('list', '--lang', 'zh'));
    expect(listed.stdout).toMatch(/下次/);
    expect(listed.stderr).toContain('时间均为 Asia/Shanghai');
    await done(schedule('remove', 'ds1'));
    expect(await shown('DS1')).toBeUndefined();
    await done(schedule('remove', 'DS1'), 3);
  });

  it('where one is scheduled and nobody conducts it, doctor fails and says so; else nobody has to be there', async () => {
    const doctor = async () => {
      const { code, stdout } = await run(['doctor', '--json'], env);
      const { findings } = JSON.parse(stdout) as {
        findings: { name: string; status: string; found: string }[];
      };
      const said = (wanted: string) =>
        findings.filter(({ name }) => name === wanted).map(({ status, found }) => `${status}: ${found}`);
      return { code, scheduled: said('scheduled drills'), trouble: said('trouble') };
    };
    const unserved = expect.stringMatching(
      /^fail: drills are scheduled and nobody conducts them \(for \d+ s\)$/,
    ) as string;
    const nothingIsWrong = [expect.stringMatching(/^ok: none/)];
    expect(await doctor()).toMatchObject({ scheduled: ['ok: none'], trouble: nothingIsWrong });
    const id = await add();
    await live.query(
      `update drill_schedules set created_at = created_at - interval '1 minute' where id = $1`,
      [Number(id.slice(2))],
    );
    expect(await doctor()).toEqual({ code: 1, scheduled: [], trouble: [unserved] });
    await beat(live, DRILL_SERVER_SIGN);
    expect(await doctor()).toMatchObject({
      ...{ scheduled: ['ok: conducted by drill serve'], trouble: nothingIsWrong },
    });
    await live.query('delete from liveness where name = $1', [DRILL_SERVER_SIGN]);
    await done(schedule('remove', id));
    expect(await doctor()).toMatchObject({ scheduled: ['ok: none'], trouble: nothingIsWrong });
  });

  it('what cannot be is refused, and nothing is left of it', async () => {
    const faulty = join(directory, 'faulty.yaml');
    await writeFile(faulty, STORY.replace('乡一', '乡三'));
    const refused = await Promise.all([
      done(schedule('add', scenario, '--cron', 'daily'), 2),
      // What the fields hold is for Temporal to say.
      done(schedule('add', scenario, '--cron', '0 99 * * *', '--lang', 'zh'), 2),
      done(schedule('add', faulty, '--cron', '0 14 * * 2'), 2),
      done(schedule('add', 'no-such-scenario', '--cron', '0 14 * * 2'), 3),
      done(schedule('remove', 'DR1'), 2),
      done(schedule('now', 'DS99'), 3),
    ]);
    expect(refused[0]?.stderr).toContain('Five fields');
    expect(refused[1]?.stderr).toContain('时间写法不对');
    expect(refused[2]?.stderr).toContain('line 7');
    expect(await live.query('select from drill_schedules where removed_at is null')).toEqual([]);
  });
});

describe('a time that comes', () => {
  it('gives one drill, however many ask for it at once, and the next none while that is not over', async () => {
    const id = await add('--seed', '7');
    const scheduleId = Number(id.slice(2));
    const dueAt = Date.now();
    const held: { asking: ReturnType<typeof wishDrill>[] } = { asking: [] };
    // All of them, and another time of the schedule, stand before the decision at the same moment.
    await live.transaction(async (sql) => {
      await lockSchedule(sql, scheduleId);
      held.asking = [0, 0, 0, 500].map((ms) => wishDrill(live, { scheduleId, dueAt: dueAt + ms }));
      await waitUntil(
        async () => {
          const waiting = await live.query(
            `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%drill_schedules%'`,
          );
          return waiting.length === 4;
        },
        { deadlineMs: 10_000, what: 'all to wait for each other' },
      );
    });
    const [first, ...same] = await Promise.all(held.asking);
    const [second] = same.splice(-1);
    expect(new Set(same.map((one) => one?.drillId))).toEqual(new Set([first?.drillId]));
    // Whichever of the two times came first has the drill.
    expect([first?.skipped, second?.skipped].sort()).toEqual([null, 'still running'].sort());
    expect(await drillsOf(id)).toHaveLength(1);
    expect(await wishDrill(live, { scheduleId, dueAt: dueAt + 1_000 })).toMatchObject({
      drillId: null,
      skipped: 'still running',
    });
    expect(await wishDrill(live, { scheduleId: 999, dueAt })).toBeNull();
    await done(schedule('remove', id));
    expect(await wishDrill(live, { scheduleId, dueAt: dueAt + 2_000 })).toBeNull();
  });

  it('gives none beside an actual warning, after an outage, or of a place that is gone; each is on record', async () => {
    const id = await add();
    const scheduleId = Number(id.slice(2));
    const now = Date.now();
    const close = await openActual();
    expect(await wishDrill(live, { scheduleId, dueAt: now })).toMatchObject({ skipped: 'actual warning' });
    await close();
    expect(await wishDrill(live, { scheduleId, dueAt: now - 2 * HOUR_MS })).toMatchObject({
      skipped: 'too late',
    });
    await live.query(`update drill_schedules set story = replace(story, '乡一', '乡三') where id = $1`, [
      scheduleId,
    ]);
    expect(await wishDrill(live, { scheduleId, dueAt: now + 1 })).toMatchObject({ skipped: 'not playable' });
    expect(await drillsOf(id)).toEqual([]);
    const record = await live.query<{ why: string }>(
      `select body ->> 'why' as why from audit where kind = 'drill skipped' and body ->> 'schedule' = $1 order by position`,
      [id],
    );
    expect(record.map(({ why }) => why)).toEqual(['actual warning', 'too late', 'not playable']);
    expect((await shown(id))?.last).toMatchObject({ drill: null, skipped: 'not playable' });
    await done(schedule('remove', id));
  });
});

describe('with whoever asks and whoever conducts killed', () => {
  it('a time leads to exactly one drill, which ends, and whose report is kept', async () => {
    // What was asked for before is not begun beside an actual warning.
    const before = await add();
    const waiting = await wishDrill(live, { scheduleId: Number(before.slice(2)), dueAt: Date.now() });
    const close = await openActual();
    const id = await add('--speed', '600');
    const [conductor, first] = await Promise.all([started('drill', 'serve'), started('worker')]);
    await waitUntil(
      async () => {
        const [row] = await live.query<{ status: string; reason: string }>(
          'select status, stop_reason as reason from drills where id = $1',
          [waiting?.drillId],
        );
        return row?.status === 'stopped' && row.reason.includes('actual warning');
      },
      { deadlineMs: 20_000, what: 'the drill that waited to be given up' },
    );
    await close();
    await done(schedule('now', id));
    await killed(first);
    await started('worker');
    const drill = await waitUntil(
      async () => {
        const [one] = await drillsOf(id);
        return one && (await told(one.schema)) > 0 ? one : null;
      },
      { deadlineMs: 60_000, what: 'somebody to be told' },
    );
    await killed(conductor);
    await started('drill', 'serve');
    await waitUntil(async () => (await drillsOf(id)).every(({ status }) => status === 'ended'), {
      deadlineMs: 60_000,
      what: 'the drill to end',
    });
    expect(await drillsOf(id)).toMatchObject([{ drill: drill.drill, status: 'ended' }]);
    const warnings = await live.query(`select status from ${drill.schema}.warnings`);
    expect(warnings).toEqual([{ status: 'expired' }]);
    const [kept] = await live.query<{ points: number; gaps: number }>(
      `select (report #>> '{score,points}')::int as points, (select count(*)::int from ${drill.schema}.drill_gaps) as gaps
       from drills where id = $1`,
      [drill.drill],
    );
    expect(kept?.points).toBeGreaterThan(0);
    expect(kept?.gaps).toBeGreaterThan(0);
    expect((await shown(id))?.last).toMatchObject({
      ...{ drill: `DR${drill.drill}`, status: 'ended', skipped: null, score: kept?.points },
    });
  }, 120_000);
});

it('says what to do where no servers run', async () => {
  expect((await done(nowhere, 6)).stderr).toContain('npx fenghuo up');
});
