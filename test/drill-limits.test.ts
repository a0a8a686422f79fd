/**
 * What a drill may take of the machine that it shares with live warnings: so many connections of PostgreSQL and no more, few statements at
 * a time, few drills at once, and the last turn on the processors.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stepCell } from '../activities/step.ts';
import { loginUrl } from '../cli/drill-environment.ts';
import { DRILL_NICENESS } from '../cli/drill-processes.ts';
import { run } from '../cli/testing.ts';
import { claimSlice } from '../db/claims.ts';
import { DRILL_POOL_MOST, openDatabase, type Database } from '../db/database.ts';
import { DRILL_CONNECTIONS_MOST, drillsAtOnceMost, dropDrillSchema } from '../db/drill-schema.ts';
import { conductAlone } from '../db/drills.ts';
import { isActualSending, showLiveFirst } from '../db/live-first.ts';
import { ringableCells } from '../db/ringing.ts';
import { createStepStore } from '../db/step-store.ts';
import { createDrill, prepareSchema, wishStop } from '../operations/drills.ts';
import { issueWarning } from '../operations/warnings.ts';
import { giveWay } from '../give-way.ts';
import { waitUntil } from '../runtime/processes.ts';
import { supervise, type Supervised } from '../runtime/supervisor.ts';
import { testDatabase } from './database.ts';
import { pastTriggers } from './harness/office.ts';
import { turnOf } from './harness/turns.ts';
import { plantSmallTree } from './harness/small-tree.ts';

const STORY = `name: limits
title: { zh: 限额, en: Limits }
about: One township.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: red, where: [乡一], expires: +3h }
people:
  - { delay: usual }
`;
const PASSWORD = 'of the tests';
const ownerUrl = process.env['DATABASE_URL'] ?? '';

let live: Database;
let directory: string;
let scenario: string;
let schema: string;

beforeAll(async () => {
  live = await testDatabase('drill-limits');
  await plantSmallTree(live);
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-drill-limits-'));
  scenario = join(directory, 'limits.yaml');
  await writeFile(scenario, STORY);
  const drill = await createDrill(live, { scenario, seed: 1, speed: 60 });
  ({ schema } = await prepareSchema({ live, ownerUrl }, drill, PASSWORD));
});
afterAll(async () => {
  await dropDrillSchema(live, schema);
  await live.close();
  await rm(directory, { recursive: true });
});

describe('connections of PostgreSQL', () => {
  const url = () => loginUrl(ownerUrl, schema, PASSWORD);

  it('PostgreSQL gives a drill no more than its part, and others theirs beside it', async () => {
    const clients: pg.Client[] = [];
    const open = async (connectionString: string) => {
      const client = new pg.Client({ connectionString });
      await client.connect();
      clients.push(client);
    };
    try {
      for (let one = 0; one < DRILL_CONNECTIONS_MOST; one += 1) await open(url());
      await expect(open(url())).rejects.toMatchObject({ code: '53300' });
      await open(ownerUrl);
      expect(clients).toHaveLength(DRILL_CONNECTIONS_MOST + 1);
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  });

  it('a pool of a drill has few, whatever its process asks for; a live one has what it asks for', async () => {
    const most = async (of: { url: string; schema: string }) => {
      const database = openDatabase({ ...of, connectionsMost: 3 * DRILL_POOL_MOST });
      try {
        const pids = await Promise.all(
          Array.from({ length: 6 * DRILL_POOL_MOST }, () =>
            database.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.05)'),
          ),
        );
        return new Set(pids.map(([row]) => row?.pid)).size;
      } finally {
        await database.close();
      }
    };
    expect(await most({ url: url(), schema })).toBe(DRILL_POOL_MOST);
    expect(await most({ url: ownerUrl, schema: live.schema })).toBeGreaterThan(DRILL_POOL_MOST);
  });
});

describe('an actual warning that is being sent', () => {
  const REQUEST = { hazard: '暴雨', level: '红', areas: ['区/乡一'], expires: '+6h', issuer: '城气象台' };

  /** An Exercise whose first pages wait; gives them. */
  async function opened(database: Database): Promise<{ warningId: number; pages: number[] }> {
    const { warningId } = await issueWarning(database, REQUEST);
    const steps = createStepStore(database);
    for (let left = true; left;) {
      left = false;
      for (const { id } of await database.query<{ id: number }>('select id from cells order by id')) {
        const { took } = await stepCell(steps, { cellId: id, withCounts: true, serves: 'exercise' });
        left ||= took > 0;
      }
    }
    const rows = await database.query<{ id: number }>('select id::int from pages where warning_id = $1', [
      warningId,
    ]);
    expect(rows.length).toBeGreaterThan(0);
    return { warningId, pages: rows.map(({ id }) => id) };
  }

  it('is known by mail for its cells and by pages of which something moves, and by nothing else', async () => {
    await issueWarning(live, REQUEST);
    expect(await isActualSending(live)).toBe(false);
    await pastTriggers(live, `update warnings set kind = 'actual'`);
    expect(await isActualSending(live)).toBe(true);
    // It gives way to nobody, whatever sign stands there.
    await showLiveFirst(live);
    const ring = () => ringableCells(live, { kind: 'actual', most: 9 });
    // Mail that no worker takes moves no more, until one that lives rings its cell.
    await live.query(`update inbox set at = at - interval '1 minute'`);
    expect(await isActualSending(live)).toBe(false);
    expect((await ring()).length).toBeGreaterThan(0);
    expect(await isActualSending(live)).toBe(true);
    await live.query(`update cells set rung_at = rung_at - interval '1 minute', ring_after = null`);
    expect(await isActualSending(live)).toBe(false);
    await pastTriggers(live, `update warnings set kind = 'exercise'`);
    const { warningId, pages } = await opened(live);
    expect(await isActualSending(live)).toBe(false);
    await pastTriggers(live, `update warnings set kind = 'actual' where id = $1`, [warningId]);
    // A page that was just written; one that has waited for long moves no more, until somebody claims of it.
    expect(await isActualSending(live)).toBe(true);
    await live.query(`update pages set written_at = written_at - interval '1 minute'`);
    expect(await isActualSending(live)).toBe(false);
    await showLiveFirst(live);
    const claimed = await claimSlice(live, pages[0] ?? 0, { serves: 'actual', most: 1, leaseMs: 1_000 });
    expect(claimed.kind).toBe('slice');
    expect(await isActualSending(live)).toBe(true);
    await live.query(`update claims set claimed_at = claimed_at - interval '1 minute'`);
    expect(await isActualSending(live)).toBe(false);
    await pastTriggers(live, 'truncate warnings cascade');
  });

  it('goes first: a drill beside it claims no page and rings no cell, and goes on when nobody says so any more', async () => {
    const own = openDatabase({ url: ownerUrl, schema, asOwner: true });
    try {
      const { pages } = await opened(own);
      await issueWarning(own, { ...REQUEST, hazard: '大风' });
      const claim = () => claimSlice(own, pages[0] ?? 0, { serves: 'exercise', most: 1, leaseMs: 1_000 });
      const ringable = () => ringableCells(own, { kind: 'exercise', most: 9 });
      await showLiveFirst(own);
      expect(await claim()).toMatchObject({ kind: 'wait', waitMs: expect.any(Number) as number });
      expect(await ringable()).toEqual([]);
      await own.query(`update liveness set at = at - interval '2 seconds'`);
      expect((await claim()).kind).toBe('slice');
      expect((await ringable()).length).toBeGreaterThan(0);
    } finally {
      await own.close();
    }
  });
});

describe('processors', async () => {
  const started: { stop(): Promise<void> }[] = [];
  afterAll(() => Promise.all(started.map((one) => one.stop())));

  const turn = ({ pid }: Supervised) => turnOf(pid ?? 0);
  /** Of itself, and of its session where the kernel shares by sessions. */
  const last = (await turnOf(process.pid)).map(() => DRILL_NICENESS);

  /** A process that says that it is ready and waits. */
  async function child(niceness?: number): Promise<Supervised> {
    const file = join(directory, 'waits.mjs');
    await writeFile(
      file,
      `process.send({ ready: true }); process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);`,
    );
    const process = supervise({
      ...{ name: `child-${niceness}`, file, args: [], env: {}, log: () => undefined },
      ...{ logFile: join(directory, 'child.log'), recordsDirectory: join(directory, 'processes') },
      ...(niceness !== undefined && { niceness }),
    });
    started.push(process);
    await process.ready();
    return process;
  }

  it('a process of a drill gives way with all of its session, also when it was started again', async () => {
    const [usual, ofDrill] = await Promise.all([child(), child(DRILL_NICENESS)]);
    for (const nice of await turn(usual)) expect(nice).toBeLessThan(DRILL_NICENESS);
    expect(await turn(ofDrill)).toEqual(last);
    const before = ofDrill.pid ?? 0;
    process.kill(before, 'SIGKILL');
    await waitUntil(() => ofDrill.pid !== null && ofDrill.pid !== before, {
      ...{ deadlineMs: 10_000, what: 'the process to be started again' },
    });
    await ofDrill.ready();
    expect(await turn(ofDrill)).toEqual(last);
  });

  it('nothing that it does itself brings it forward again, and the session of a terminal is left alone', async () => {
    const ofDrill = await child(DRILL_NICENESS);
    // What every worker does when it starts.
    giveWay(ofDrill.pid ?? 0, 10);
    expect(await turn(ofDrill)).toEqual(last);
    const inOurs: ChildProcess = fork(join(directory, 'waits.mjs'), { execArgv: [], stdio: 'ignore' });
    started.push({ stop: () => Promise.resolve(void inOurs.kill('SIGKILL')) });
    const [, ...ours] = await turnOf(process.pid);
    giveWay(inOurs.pid ?? 0, 7);
    expect(await turnOf(inOurs.pid ?? 0)).toEqual([7, ...ours]);
  });
});

// After the processors: whoever conducts a drill gives way, and here that is the process of the tests.
describe('drills at once', () => {
  it('leave half of the connections to others; one too many does not begin, and goes on later', async () => {
    const [row] = await live.query<{ all: number }>(
      `select current_setting('max_connections')::int as "all"`,
    );
    const most = await drillsAtOnceMost(live);
    expect(most).toBeGreaterThanOrEqual(2);
    expect(most * DRILL_CONNECTIONS_MOST).toBeLessThanOrEqual((row?.all ?? 0) / 2);
    const { drillId, name } = await createDrill(live, { scenario, seed: 2, speed: 3_600 });
    const env = { ...process.env, FENGHUO_SCHEMA: live.schema, FENGHUO_DATA_DIR: directory };
    const others = await Promise.all(
      Array.from({ length: most }, (_, seed) => createDrill(live, { scenario, seed: seed + 3, speed: 60 })),
    );
    await whileConducted(
      others.map((other) => other.drillId),
      async () => {
        const refused = await run(['drill', 'resume', name], env);
        expect(refused.code, refused.stderr).toBe(5);
        expect(refused.stderr).toContain(`fenghuo drill resume ${name}`);
        const chinese = await run(['drill', 'resume', name, '--lang', 'zh'], env);
        expect(chinese.stderr).toContain('已达上限');
        const [drill] = await live.query('select status, fault from drills where id = $1', [drillId]);
        expect(drill).toEqual({ status: 'preparing', fault: null });
        // Its end takes nothing from anybody.
        expect(await wishStop(live, drillId, null)).toBe(true);
        expect((await run(['drill', 'stop', name], env)).code).toBe(0);
      },
    );
  });
});

/** As if somebody conducted these drills. */
async function whileConducted(drillIds: readonly number[], work: () => Promise<void>): Promise<void> {
  const [first, ...others] = drillIds;
  if (first === undefined) return work();
  const conducted = await conductAlone(live, first, () => whileConducted(others, work));
  expect(conducted).not.toBeNull();
}
