/**
 * Drills on the real stack, as somebody at a terminal runs them: own schema, role, namespace and processes; killed and resumed; stopped
 * from elsewhere; two at once.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loginUrl } from '../cli/drill-environment.ts';
import { ENTRY } from '../cli/installation.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { dropDrillSchema, readyRole } from '../db/drill-schema.ts';
import { judge } from '../operations/referee.ts';
import { isAlive, waitUntil, type ProcessIdentity } from '../runtime/processes.ts';
import { readLedger, type LedgerSummary } from '../sandbox/ledger.ts';
import { testDatabase } from './database.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { broken } from './harness/stack.ts';

/** An address that somebody real could have; the telephone is also how one person without a staff number is known. */
const PHONE = '+8613812345678';
const MAIL = 'wang@county.gov';

/** One warning is updated and cancelled, the other expires. At 600 times the speed of life an hour is six seconds. */
const STORY = `name: small
title: { zh: 小演练, en: A small drill }
about: Two townships.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: orange, where: [乡一], expires: +3h }
  - at: +20m
    update: { of: rain, name: more, level: red }
  - at: +30m
    warning: { name: wind, hazard: 大风, level: orange, where: [乡二], expires: +90m }
  - at: +120m
    cancel: { of: more, reason: 雨停 }
people:
  - neverAnswers: 0
    cannotAct: 0
    notices: { sms: 100, voice: 100, email: 100 }
    delay: { median: 1, p90: 2 }
  - { where: [村二], neverAnswers: 100 }
`;

type Ran = { code: number | null; stdout: string; stderr: string };
type Command = { child: ChildProcess; done: Promise<Ran>; kill(): Promise<void> };
type Row = { id: string; status: string; schema: string | null };

let live: Database;
let directory: string;
let environment: NodeJS.ProcessEnv;
let scenario: string;
const commands: Command[] = [];

beforeAll(async () => {
  live = await testDatabase('drill-run');
  const tree = await plantSmallTree(live);
  const real = tree.person('乡一');
  await live.query('update people set synthetic = false, reference = $2 where id = $1', [real, PHONE]);
  await live.query(
    `update person_channels set address = case channel when 'sms' then $2 else $3 end where person_id = $1`,
    [real, PHONE, MAIL],
  );
  await live.query(`insert into person_channels (person_id, channel, address) values ($1, 'voice', $2)`, [
    real,
    PHONE,
  ]);
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-drill-run-'));
  scenario = join(directory, 'small.yaml');
  await writeFile(scenario, STORY);
  environment = {
    ...process.env,
    FENGHUO_SCHEMA: live.schema,
    FENGHUO_DATA_DIR: directory,
    LANG: 'C.UTF-8',
    // What a drill's processes must never see.
    FENGHUO_SMTP_URL: 'smtp://live.example:25',
    FENGHUO_GATEWAY_URL: 'http://live.example',
    FENGHUO_GATEWAY_SECRET: 'a secret of the live gateway',
    FENGHUO_LIVE_ENV_FILE: '/nowhere/live.env',
  };
});

afterAll(async () => {
  for (const command of commands) await command.kill();
  const left = await live.query<{ name: string }>(
    'select schema_name as name from drills where schema_name is not null',
  );
  for (const { name } of left) await dropDrillSchema(live, name);
  await live.close();
  await rm(directory, { recursive: true, force: true });
});

/** A command of `drill` in a process of its own. */
function drill(...words: string[]): Command {
  const child = fork(ENTRY, ['drill', ...words], {
    ...{ env: environment, execArgv: [] },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout?.on('data', (part: Buffer) => (ran.stdout += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (ran.stderr += part.toString()));
  const done = new Promise<Ran>((resolve) => child.once('close', (code) => resolve({ ...ran, code })));
  const kill = async () => {
    child.kill('SIGKILL');
    await done;
  };
  const command = { child, done, kill };
  commands.push(command);
  return command;
}

async function done(command: Command, code = 0): Promise<Ran> {
  const ran = await command.done;
  expect(`${ran.code} ${ran.code === code ? '' : ran.stderr}`).toBe(`${code} `);
  return ran;
}

/** The newest drill of this seed: each test has its own. */
async function rowOf(seed: number): Promise<Row | null> {
  const [row] = await live.query<Row>(
    `select 'DR' || id as id, status, schema_name as schema from drills where seed = $1 order by id desc limit 1`,
    [seed],
  );
  return row ?? null;
}

async function until(
  seed: number,
  what: string,
  condition: (row: Row) => Promise<boolean> | boolean,
): Promise<Row> {
  return waitUntil(
    async () => {
      const row = await rowOf(seed);
      return row && (await condition(row)) ? row : null;
    },
    { deadlineMs: 60_000, what: `the drill of seed ${seed}: ${what}` },
  );
}

/** Messages handed off so far. */
async function told({ schema }: Row): Promise<number> {
  if (schema === null) return 0;
  const [row] = await live
    .query<{ told: number }>(
      `select count(*)::int as told from ${schema}.deliveries where outcome = 'handed off'`,
    )
    .catch(() => []);
  return row?.told ?? 0;
}

/** Where a drill keeps its ledger and writes down its processes. */
async function placeOf({ schema }: Row): Promise<string> {
  const [instance = ''] = (await readdir(directory)).filter((name) => name.endsWith('-up'));
  return join(directory, instance, 'drills', schema ?? '');
}

async function processesOf(row: Row): Promise<ProcessIdentity[]> {
  const place = join(await placeOf(row), 'processes');
  const files = await readdir(place);
  const records = await Promise.all(files.map((file) => readFile(join(place, file), 'utf8')));
  return records.map((record) => JSON.parse(record) as ProcessIdentity);
}

async function ledgerOf(row: Row, warningId?: number): Promise<LedgerSummary> {
  const only = warningId === undefined ? {} : { warningId: String(warningId) };
  return readLedger(join(await placeOf(row), 'ledger'), only);
}

/** What the referee finds broken in any warning of a drill. */
async function wrongs(row: Row) {
  const own = openDatabase({
    url: process.env['DATABASE_URL'] ?? '',
    schema: row.schema ?? '',
    asOwner: true,
  });
  try {
    const warnings = await own.query<{ id: number }>('select id from warnings');
    const found = [];
    for (const { id } of warnings) found.push(...broken(await judge(own, id, await ledgerOf(row, id))));
    return found;
  } finally {
    await own.close();
  }
}

describe('two drills at once, of which one is killed and resumed', () => {
  let whole: Row;
  let torn: Row;

  beforeAll(async () => {
    const undisturbed = drill('run', scenario, '--speed', '600', '--seed', '1', '--json');
    const first = drill('run', scenario, '--speed', '600', '--seed', '2');
    torn = await until(2, 'somebody is told', async (row) => (await told(row)) > 0);
    const before = await processesOf(torn);
    expect(before.filter(isAlive).length).toBe(3);
    await first.kill();
    const resumed = await done(drill('resume', torn.id));
    expect(resumed.stderr).toContain('are a gap');
    expect(before.filter(isAlive)).toEqual([]);
    const { stdout } = await done(undisturbed);
    whole = (await rowOf(1)) as Row;
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ id: whole.id, status: 'ended', scenario: 'small', speed: 600 },
      warnings: [
        { warning: { id: 'W1', status: 'superseded', supersededBy: 'W2' } },
        { warning: { id: 'W2', level: 'red', status: 'cancelled' } },
        { warning: { id: 'W3', status: 'expired' } },
      ],
    });
  }, 120_000);

  it('each has played every event once, and nothing is left running', async () => {
    for (const row of [whole, torn]) {
      const scenes = await live.query(
        `select event, warning_id as warning from ${row.schema}.drill_scenes order by event`,
      );
      expect(scenes).toEqual([
        { event: 0, warning: 1 },
        { event: 1, warning: 2 },
        { event: 2, warning: 3 },
        { event: 3, warning: 2 },
      ]);
      expect((await processesOf(row)).filter(isAlive)).toEqual([]);
    }
  });

  it('the referee finds nothing broken, killed or not, and all of the same units have answered', async () => {
    expect(await wrongs(whole)).toEqual([]);
    expect(await wrongs(torn)).toEqual([]);
    const answered = async ({ schema }: Row) =>
      live.query(
        `select s.warning_id, u.name from ${schema}.unit_states s join ${schema}.units u on u.id = s.unit_id
         where s.answered_at is not null and s.warning_id > 1 order by 1, 2`,
      );
    // The people of 村二 never answer, and the superseded warning had two seconds.
    expect((await answered(whole)).length).toBeGreaterThan(6);
    expect((await answered(whole)).map(({ name }) => name)).not.toContain('村二');
    expect(await answered(torn)).toEqual(await answered(whole));
  });

  it('the gap is on record, and the story went on behind it where it had stopped', async () => {
    const [gap] = await live.query<{ ms: number; gaps: number }>(
      `select extract(epoch from sum(until_at - from_at))::float8 * 1000 as ms, count(*)::int as gaps from ${torn.schema}.drill_gaps`,
    );
    expect(gap?.ms).toBeGreaterThan(1_000);
    expect(await live.query(`select from ${whole.schema}.drill_gaps`)).toEqual([]);
    const cancelledAfterMs = async ({ schema, id }: Row) => {
      const [row] = await live.query<{ ms: number }>(
        `select extract(epoch from s.at - d.started_at)::float8 * 1000 as ms from ${schema}.drill_scenes s, drills d
         where s.event = 3 and d.id = $1`,
        [Number(id.slice(2))],
      );
      return row?.ms ?? 0;
    };
    expect(await cancelledAfterMs(whole)).toBeGreaterThanOrEqual(12_000);
    expect((await cancelledAfterMs(torn)) - (gap?.ms ?? 0)).toBeGreaterThanOrEqual(12_000);
  });

  it('neither met the other, nor the installation they ran on', async () => {
    for (const row of [whole, torn]) {
      const ledger = await ledgerOf(row);
      const own = await live.query<{ id: string }>(
        `select distinct id || '' as id from ${row.schema}.deliveries where outcome = 'handed off'`,
      );
      expect([...ledger.deliveries.keys()].sort()).toEqual(own.map(({ id }) => id).sort());
      expect(ledger.acts.length).toBeGreaterThan(0);
      // An answer by the link or number of another drill is refused.
      expect(ledger.acts.filter(({ status }) => status !== null && status !== 200)).toEqual([]);
    }
    for (const table of ['warnings', 'deliveries', 'answers', 'pages', 'drill_scenes'])
      expect(await live.query(`select from ${table}`)).toEqual([]);
  });

  it('holds no real address, and everybody in it counts as made up', async () => {
    const text = `select string_agg(t::text, ' ') as text from`;
    for (const table of ['people', 'person_channels', 'households']) {
      const [row] = await live.query<{ text: string }>(`${text} ${whole.schema}.${table} t`);
      expect(row?.text).not.toContain(PHONE);
      expect(row?.text).not.toContain(MAIL);
      expect(row?.text).not.toContain('people.example');
    }
    expect(await live.query(`select from ${whole.schema}.people where not synthetic`)).toEqual([]);
    const [phone] = await live.query<{ addresses: number; shared: number }>(
      `select count(*)::int as addresses, count(distinct c.address)::int as shared from ${whole.schema}.person_channels c
       where c.channel in ('sms', 'voice') and c.person_id = (select person_id from person_channels where channel = 'voice')`,
    );
    // One telephone stays one telephone.
    expect(phone).toEqual({ addresses: 2, shared: 1 });
  });

  it('its role can neither see the installation nor the other drill, nor change its own record', async () => {
    const role = whole.schema ?? '';
    await readyRole(live, role, 'of the tests');
    const url = loginUrl(process.env['DATABASE_URL'] ?? '', role, 'of the tests');
    const own = openDatabase({ url, schema: role });
    try {
      expect(await own.query('select current_user as me')).toEqual([{ me: role }]);
      expect((await own.query('select from audit limit 1')).length).toBe(1);
      const forbidden = [
        ...[live.schema, torn.schema ?? ''].flatMap((other) => [
          `select from ${other}.people`,
          `select from ${other}.drills`,
          `update ${other}.units set name = name`,
          `insert into ${other}.audit (chain, kind, body) values ('acts', 'forged', '{}')`,
        ]),
        `update audit set actor = 'somebody'`,
        'delete from audit',
        'truncate audit',
        `update deliveries set outcome = 'failed'`,
        'delete from answers',
        'delete from drill_scenes',
        'set role fenghuo_app',
        'create schema elsewhere',
        'create role another',
      ];
      for (const statement of forbidden) {
        await expect(own.query(statement), statement).rejects.toMatchObject({ code: '42501' });
      }
    } finally {
      await own.close();
    }
  });

  it('is over: it can be listed and removed, and neither resumed nor stopped', async () => {
    const [again] = await Promise.all([
      done(drill('resume', whole.id), 5),
      done(drill('stop', whole.id), 5),
      done(drill('remove', torn.id)),
    ]);
    expect(again.stderr).toContain('is over already (ended)');
    const { stdout } = await done(drill('runs', '--json'));
    expect(JSON.parse(stdout)).toMatchObject(
      [
        { id: torn.id, status: 'ended', schema: null },
        { id: whole.id, status: 'ended', schema: whole.schema },
      ].sort((one, other) => (one.id < other.id ? 1 : -1)),
    );
    expect(await live.query('select from pg_roles where rolname = $1', [torn.schema])).toEqual([]);
    await expect(readdir(await placeOf({ ...torn }))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a drill that is stopped', () => {
  /** Who was told and has not heard that it is over. */
  const unheard = async ({ schema }: Row) =>
    live.query(
      `select distinct recipient_id from ${schema}.deliveries d where outcome = 'handed off' and purpose <> 'cancel notice'
         and not exists (select from ${schema}.deliveries c where c.warning_id = d.warning_id and c.audience = d.audience
           and c.recipient_id = d.recipient_id and c.purpose = 'cancel notice' and c.outcome = 'handed off')`,
    );

  let whole: Row;
  let headless: Row;
  let conducted: Ran;

  beforeAll(async () => {
    const run = drill('run', scenario, '--speed', '60', '--seed', '3');
    const killed = drill('run', scenario, '--speed', '60', '--seed', '4');
    const tellsSome = async (row: Row) => (await told(row)) > 3;
    headless = await until(4, 'somebody is told', tellsSome);
    await killed.kill();
    whole = await until(3, 'somebody is told', tellsSome);
    await done(drill('resume', whole.id), 5);
    await Promise.all([
      done(drill('stop', whole.id, '--reason', '有真实预警')),
      done(drill('stop', headless.id)),
    ]);
    conducted = await done(run);
  }, 120_000);

  it('from another terminal: everybody who was told hears of it, and whoever conducted it ends', async () => {
    expect(conducted.stdout).toContain(`${whole.id}: stopped`);
    expect(await rowOf(3)).toMatchObject({ status: 'stopped' });
    expect(await unheard(whole)).toEqual([]);
    expect(await wrongs(whole)).toEqual([]);
    const [ended] = await live.query(`select status, end_reason as reason from ${whole.schema}.warnings`);
    expect(ended).toEqual({ status: 'cancelled', reason: '有真实预警' });
  });

  it('when whoever conducted it is dead', async () => {
    expect(await rowOf(4)).toMatchObject({ status: 'stopped' });
    expect(await unheard(headless)).toEqual([]);
    expect((await processesOf(headless)).filter(isAlive)).toEqual([]);
  });
});

describe('a drill that cannot be run', () => {
  it('names every fault of its scenario by line, and writes nothing down', async () => {
    const faulty = join(directory, 'faulty.yaml');
    await writeFile(
      faulty,
      STORY.replace('where: [乡一]', 'where: [乡三]')
        .replace('level: red', 'hazard: 大风')
        .replace('of: more', 'of: less'),
    );
    const before = await live.query('select from drills');
    const { stderr } = await done(drill('run', faulty), 2);
    for (const line of ['line 7', 'line 9', 'line 13']) expect(stderr).toContain(line);
    expect(await live.query('select from drills')).toEqual(before);
  });

  it('says what to do where no servers run, and where there is no such drill', async () => {
    const known = environment;
    environment = { ...known, TEMPORAL_ADDRESS: '127.0.0.1:9' };
    const nowhere = drill('run', scenario);
    environment = known;
    const others = [done(drill('resume', 'DR999'), 3), done(drill('stop', 'D7'), 2)];
    expect((await done(nowhere, 6)).stderr).toContain('npx fenghuo up');
    await Promise.all(others);
  });
});
