/**
 * The wall around drills, on real processes: two drills beside an installation that serves both kinds, whose second sandbox is live as far
 * as anybody can tell. What a drill has is put into live queues and live tables, and variables are swapped; the live ledger stays empty.
 * Then an actual warning goes out beside the two drills, and everybody has their own.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drillEnvironment, drillNamespace, loginUrl } from '../cli/drill-environment.ts';
import { ENTRY } from '../cli/installation.ts';
import { readConfig, SENDER_ADDRESSES, SENDER_CREDENTIALS } from '../config.ts';
import { openDatabase } from '../db/database.ts';
import { DRILL_CONNECTIONS_MOST, dropDrillSchema } from '../db/drill-schema.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';
import { createDrill, prepareSchema } from '../operations/drills.ts';
import { viewWarning } from '../operations/warnings.ts';
import { freePort, waitUntil } from '../runtime/processes.ts';
import { readLedger, type LedgerMessage } from '../sandbox/ledger.ts';
import { LANES, queuesOf } from '../worker/queues.ts';
import { bindToKind } from '../worker/wall.ts';
import { cell } from '../workflows/cell.ts';
import { pastTriggers } from './harness/office.ts';
import { turnOf } from './harness/turns.ts';
import { stray } from './harness/stray.ts';
import { startKindsSite, type KindsSite } from './harness/two-kinds.ts';

/** It goes on until it is stopped. */
const STORY = `name: beside
title: { zh: 并行演练, en: Beside }
about: The whole city.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: red, where: [城], expires: +24h }
people:
  - { neverAnswers: 20, cannotAct: 0, delay: usual }
`;
const SENDERS = [...SENDER_ADDRESSES, ...SENDER_CREDENTIALS];

type Drill = { name: string; schema: string; child: ChildProcess; done: Promise<number | null> };

let site: KindsSite;
let directory: string;
let scenario: string;
let strays: Worker;
let running: Promise<void>;
let ofDrills: Client;
const drills: Drill[] = [];
const others: ChildProcess[] = [];

beforeAll(async () => {
  site = await startKindsSite('drill-wall');
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-drill-wall-'));
  scenario = join(directory, 'beside.yaml');
  await writeFile(scenario, STORY);
  const { namespace, address, connection } = site.installation.services.temporal;
  const quiet = () => undefined;
  const workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./harness/stray.ts', import.meta.url)),
    logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, log: quiet },
  });
  const actual = await site.client('actual');
  strays = await Worker.create({
    connection: await NativeConnection.connect({ address }),
    ...{ namespace: actual.options.namespace, taskQueue: strayQueue(), workflowBundle },
  });
  running = strays.run();
  ofDrills = new Client({
    connection: await Connection.connect(connection),
    namespace: drillNamespace(namespace),
  });
  for (const seed of [1, 2]) drills.push(await begun(seed));
  for (const drill of drills) {
    await waitUntil(async () => (await handedOff(drill.schema)).length > 8, {
      ...{ deadlineMs: 60_000, what: `${drill.name} to tell somebody` },
    });
  }
}, 180_000);

afterAll(async () => {
  for (const child of [...others, ...drills.map((drill) => drill.child)]) await killed(child);
  strays?.shutdown();
  await running;
  await ofDrills?.connection.close();
  const left = await site.database.query<{ name: string }>(
    'select schema_name as name from drills where schema_name is not null',
  );
  for (const { name } of left) await dropDrillSchema(site.database, name);
  await site?.stop();
  await rm(directory, { recursive: true, force: true });
});

const strayQueue = () => `${site.database.schema}-strays`;
const drillEnv = () => ({ ...site.environment('exercise'), FENGHUO_DATA_DIR: directory, LANG: 'C.UTF-8' });

/** Begins a drill in a process of its own, as somebody at a terminal does. */
async function begun(seed: number): Promise<Drill> {
  const child = fork(ENTRY, ['drill', 'run', scenario, '--speed', '60', '--seed', String(seed)], {
    ...{ env: drillEnv(), execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
  });
  const done = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const row = await waitUntil(
    async () => {
      const [one] = await site.database.query<{ name: string; schema: string | null }>(
        `select 'DR' || id as name, schema_name as schema from drills where seed = $1 and status = 'running'`,
        [seed],
      );
      return one ?? null;
    },
    { deadlineMs: 60_000, what: `the drill of seed ${seed} to begin` },
  );
  return { name: row.name, schema: row.schema ?? '', child, done };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

function oneDrill(): Drill {
  const [drill] = drills;
  if (!drill) throw new RangeError('no drill has begun');
  return drill;
}

/** The deliveries that may have arrived: under load the far side's word comes too late now and then, and the outcome is unknown. */
async function handedOff(schema: string): Promise<string[]> {
  const rows = await site.database.query<{ id: string }>(
    `select distinct id::text as id from ${schema}.deliveries where outcome in ('handed off', 'unknown') order by 1`,
  );
  return rows.map(({ id }) => id);
}

async function folderOf({ schema }: Drill): Promise<string> {
  const [instance = ''] = (await readdir(directory)).filter((name) => name.endsWith('-up'));
  return join(directory, instance, 'drills', schema);
}

async function ledgerOf(drill: Drill): Promise<string> {
  return join(await folderOf(drill), 'ledger');
}

async function arrived(ledger: string): Promise<LedgerMessage[]> {
  const text = await readFile(join(ledger, 'messages.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerMessage);
}

/** Nothing came to the live far side, nor to the stand-ins of the installation itself. */
async function nothingLeft(): Promise<void> {
  expect(await site.messages('actual')).toEqual([]);
  expect(await site.messages('exercise')).toEqual([]);
}

/** The very payloads that Temporal holds of a drill: of a start, and of its activities. */
async function payloadsOf({ schema }: Drill): Promise<{ cell: CellInput; pages: number[] }> {
  return waitUntil(
    async () => {
      for await (const { workflowId } of ofDrills.workflow.list()) {
        if (!workflowId.startsWith(`${schema}-`)) continue;
        const { events } = await ofDrills.workflow.getHandle(workflowId).fetchHistory();
        const first = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
        const pages = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => {
          const input = scheduled?.input?.payloads?.[0];
          const { pageId } = (input ? decoded(input) : {}) as { pageId?: number };
          return pageId === undefined ? [] : [pageId];
        });
        if (first && pages.length > 0) return { cell: decoded(first) as CellInput, pages };
      }
      return null;
    },
    { deadlineMs: 30_000, what: `payloads of ${schema}` },
  );
}

type CellInput = Parameters<typeof cell>[0];
const decoded = ({ data }: { data?: Uint8Array | null }): unknown =>
  JSON.parse(Buffer.from(data ?? []).toString());

/** Puts a page into a queue of the live namespace; gives back how that ended. */
async function strayed(queue: string, pageId: number): Promise<unknown> {
  const client = await site.client('actual');
  return client.workflow
    .execute(stray, {
      ...{ taskQueue: strayQueue(), workflowId: `${queue}-${pageId}`, args: [{ queue, pageId }] },
      workflowExecutionTimeout: '20 seconds',
    })
    .then(
      () => null,
      (error: { cause?: { cause?: { type?: string } } }) => error.cause?.cause?.type,
    );
}

const liveQueues = (schema: string) => queuesOf(schema, 'actual');

describe('payloads of a drill', () => {
  it('in live queues and the live namespace lead to nothing', async () => {
    const client = await site.client('actual');
    const { cells, pages: queues } = liveQueues(site.database.schema);
    for (const drill of drills) {
      const payloads = await payloadsOf(drill);
      // As it was, and with the names of the live queues in it.
      for (const pageQueues of [payloads.cell.pageQueues, queues]) {
        await client.workflow.execute(cell, {
          ...{ taskQueue: cells, args: [{ ...payloads.cell, pageQueues }] },
          workflowId: `${drill.schema}-${pageQueues === queues}`,
          workflowExecutionTimeout: '20 seconds',
        });
      }
      for (const lane of LANES)
        for (const channel of CHANNELS)
          expect(await strayed(queues[lane][channel], payloads.pages[0] ?? 0)).toBeNull();
    }
    await nothingLeft();
  });
});

describe('rows of a drill', () => {
  const TABLES = [
    ...['people', 'warnings', 'warning_areas', 'cells', 'unit_states', 'inbox', 'pages', 'claims'],
    ...['deliveries', 'answers', 'drills', 'kind_marks'],
  ];

  it('cannot be put into live tables by its role', async () => {
    for (const { schema } of drills) {
      for (const table of TABLES) {
        const copying = site.database.transaction(async (sql) => {
          await sql.query(`set local role ${schema}`);
          await sql.query(
            `insert into ${site.database.schema}.${table} overriding system value select * from ${schema}.${table}`,
          );
        });
        await expect(copying, table).rejects.toMatchObject({ code: '42501' });
      }
    }
  });

  it('put there by the owner of the tables are refused as actual, and not sent by live senders as what they are', async () => {
    const { schema } = oneDrill();
    const copied = `insert into warnings overriding system value
      select (jsonb_populate_record(w, jsonb_build_object('kind', $1::text, 'speed', 1))).* from ${schema}.warnings w`;
    await expect(site.database.query(copied, ['actual'])).rejects.toMatchObject({
      message: 'not-released',
    });
    await site.database.query(copied, ['exercise']);
    // Nobody rings the cells, and the pages wait to be sent: they are for the live worker alone.
    const asThey = { warning_areas: {}, cells: { ring_after: 'infinity' }, pages: { ended_at: null } };
    for (const [table, waiting] of Object.entries(asThey)) {
      await site.database.query(
        `insert into ${table} overriding system value select (jsonb_populate_record(r, $1)).* from ${schema}.${table} r`,
        [JSON.stringify(waiting)],
      );
    }
    const pages = await site.database.query<{ id: number; cell: number; channel: 'sms'; lane: 'officials' }>(
      `select id::int, cell_id::int as cell, channel, case audience when 'people' then 'officials' else 'households' end as lane
       from pages order by id limit 4`,
    );
    expect(pages.length).toBeGreaterThan(0);
    const { cells, pages: queues } = liveQueues(site.database.schema);
    for (const { id, lane, channel } of pages)
      expect(await strayed(queues[lane][channel], id)).toBe('Misdirected');
    const client = await site.client('actual');
    await expect(
      client.workflow.execute(cell, {
        ...{ taskQueue: cells, workflowId: `${schema}-copied`, workflowExecutionTimeout: '20 seconds' },
        args: [{ cellId: pages[0]?.cell ?? 0, level: 'red', pageQueues: queues }],
      }),
    ).rejects.toMatchObject({ cause: { type: 'Misdirected' } });
    await nothingLeft();
    for (const table of ['pages', 'cells', 'warning_areas', 'warnings'])
      await pastTriggers(site.database, `delete from ${table}`);
  });
});

describe('variables that were swapped', () => {
  /** A third drill, which nobody conducts: its login is known here. */
  let own: Record<string, string>;
  let schema: string;

  beforeAll(async () => {
    const exercise = site.environment('exercise');
    const url = exercise['DATABASE_URL'] ?? '';
    const drill = await createDrill(site.database, { scenario, seed: 9, speed: 60 });
    const password = 'of the tests';
    ({ schema } = await prepareSchema({ live: site.database, ownerUrl: url }, drill, password));
    own = drillEnvironment({
      ...{ parent: exercise, schema, drillId: drill.drillId },
      namespace: exercise['TEMPORAL_NAMESPACE'] ?? '',
      secret: exercise['FENGHUO_SECRET'] ?? '',
      databaseUrl: loginUrl(url, schema, password),
      webPort: await freePort(),
      standIns: only(exercise),
    });
  });

  it('a process of a drill is refused with any one that a live sender has', async () => {
    const live = site.environment('actual');
    const database = openDatabase({ url: own['DATABASE_URL'] ?? '', schema });
    try {
      for (const name of SENDERS) {
        const config = readConfig({ ...own, [name]: live[name] });
        await expect(bindToKind(config, database), name).rejects.toMatchObject({
          ...{ code: 'other-kind', details: [name] },
        });
      }
      // As it was, it is let in.
      expect(await bindToKind(readConfig(own), database)).toMatchObject({ serves: 'exercise' });
    } finally {
      await database.close();
    }
  });

  it('a worker with an environment that is mixed up does not start', async () => {
    const live = site.environment('actual');
    const swapped: [what: string, env: Record<string, string>, code: number][] = [
      ['all live senders', { ...own, ...only(live) }, 4],
      // It serves what there is none of in a drill, and has no namespace for it.
      ['called live', { ...own, ...only(live), FENGHUO_CHANNELS: 'live' }, 6],
      [
        'the live namespace',
        { ...own, TEMPORAL_NAMESPACE: `${site.environment('exercise')['TEMPORAL_NAMESPACE']}-actual` },
        4,
      ],
      ['the schema of the installation', { ...own, FENGHUO_SCHEMA: site.database.schema }, 4],
      ['a live worker with the login of a drill', { ...live, DATABASE_URL: own['DATABASE_URL'] ?? '' }, 4],
    ];
    const ran = await Promise.all(swapped.map(([, env]) => site.run(['worker'], env)));
    expect(ran.map(({ code }, at) => `${swapped[at]?.[0]}: ${code}`)).toEqual(
      swapped.map(([what, , code]) => `${what}: ${code}`),
    );
    await nothingLeft();
  });

  it('a live worker that is given the schema of a drill sends nothing of it', async () => {
    const other = oneDrill().schema;
    // What another drill is about, as if this one had just begun: one page waits to be sent, and nobody else is there.
    const asThey = {
      warnings: {},
      warning_areas: {},
      cells: { ring_after: 'infinity' },
      pages: { ended_at: null },
    };
    for (const [table, waiting] of Object.entries(asThey)) {
      await site.database.query(
        `insert into ${schema}.${table} overriding system value
         select (jsonb_populate_record(null::${schema}.${table}, to_jsonb(r) || $1::jsonb)).* from ${other}.${table} r`,
        [JSON.stringify(waiting)],
      );
    }
    const child = fork(ENTRY, ['worker'], {
      env: { ...site.environment('actual'), FENGHUO_SCHEMA: schema },
      ...{ execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
    });
    others.push(child);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
    });
    const pages = await site.database.query<{ id: number; channel: Channel }>(
      `select id::int, channel from ${schema}.pages where audience = 'people' order by id limit 3`,
    );
    expect(pages.length).toBeGreaterThan(0);
    for (const { id, channel } of pages)
      expect(await strayed(liveQueues(schema).pages.officials[channel], id)).toBe('Misdirected');
    await killed(child);
    expect(await handedOff(schema)).toEqual([]);
    await nothingLeft();
  });
});

describe('two drills and an actual warning at once', () => {
  it('share the machine in this order: all of what is live before all of a drill', async () => {
    const { actual, web, workers } = site.installation;
    const live = [web, ...workers, ...(actual ? [actual.web, actual.worker] : [])].map(({ pid }) => pid ?? 0);
    expect(live).toHaveLength(4);
    const turnsOfLive = await Promise.all(live.map(turnOf));
    for (const drill of drills) {
      const records = join(await folderOf(drill), 'processes');
      const names = await readdir(records);
      expect(names.sort()).toEqual(['sandbox.json', 'web.json', 'worker.json']);
      for (const name of names) {
        const { pid } = JSON.parse(await readFile(join(records, name), 'utf8')) as { pid: number };
        const turn = await turnOf(pid);
        for (const liveTurn of turnsOfLive)
          for (const [place, nice] of turn.entries())
            expect(nice, name).toBeGreaterThan(liveTurn[place] ?? 0);
      }
      const [connections] = await site.database.query<{ count: number; most: number }>(
        `select count(*)::int as count, (select rolconnlimit from pg_roles where rolname = $1) as most
         from pg_stat_activity where usename = $1`,
        [drill.schema],
      );
      expect(connections?.most).toBe(DRILL_CONNECTIONS_MOST);
      expect(connections?.count).toBeLessThanOrEqual(DRILL_CONNECTIONS_MOST);
    }
  });

  it('do not meet, and the actual one goes out', async () => {
    const beside = await toldAll();
    const live = await site.messages('actual');
    const addresses = new Set(live.map(({ address }) => address));
    for (const drill of drills) {
      const ledger = await ledgerOf(drill);
      const { deliveries } = await readLedger(ledger);
      const own = new Set(await handedOff(drill.schema));
      // What is on its way to be written down has arrived already.
      await waitUntil(async () => (await handedOff(drill.schema)).length >= deliveries.size, {
        ...{ deadlineMs: 30_000, what: `${drill.name} to write down what arrived` },
      });
      expect(own.size).toBeGreaterThan(8);
      const messages = await arrived(ledger);
      expect(messages.filter(({ address }) => addresses.has(address))).toEqual([]);
      expect(messages.filter(({ speed }) => speed !== 60)).toEqual([]);
    }
    expect(live.filter(({ speed, step }) => speed !== null || step !== null)).toEqual([]);
    expect(live.filter(({ body }) => /演练|exercise|drill/i.test(body ?? ''))).toEqual([]);
    expect(await site.messages('exercise')).toEqual([]);
    await Promise.all(drills.map(async ({ name }) => stopped(name)));
    expect(await Promise.all(drills.map(({ done }) => done))).toEqual([0, 0]);
    const alone = await toldAll();
    process.stderr.write(
      `actual warning, first and last of its first messages after the issue, in ms: beside two drills ${beside.join(' ')}, alone ${alone.join(' ')}\n`,
    );
  }, 180_000);
});

async function stopped(name: string): Promise<void> {
  const { code, said } = await site.run(['drill', 'stop', name], drillEnv());
  expect(code, said).toBe(0);
}

/** Issues an actual warning; gives back when its first and its last first message was handed over, and that all of them arrived. */
async function toldAll(): Promise<[first: number, last: number]> {
  const warningId = await site.publish('actual');
  await waitUntil(
    async () => {
      const { tiers, progress } = await viewWarning(site.database, warningId);
      return tiers.every((tier) => tier.told === tier.units) && progress.pagesOpen === 0;
    },
    { deadlineMs: 90_000, what: 'everybody to be told of the actual warning' },
  );
  const [times] = await site.database.query<{ first: number; last: number; messages: number }>(
    `select (extract(epoch from min(d.at) - w.issued_at) * 1000)::int as first,
       (extract(epoch from max(d.at) - w.issued_at) * 1000)::int as last, count(*)::int as messages
     from deliveries d join warnings w on w.id = d.warning_id
     where w.id = $1 and d.outcome = 'handed off' and d.step = 0 and d.purpose in ('rung', 'household') group by w.id`,
    [warningId],
  );
  expect(times?.messages).toBeGreaterThan(0);
  await waitUntil(async () => (await site.messages('actual')).length >= (times?.messages ?? 0), {
    ...{ deadlineMs: 30_000, what: 'the live far side to have what was handed over' },
  });
  return [times?.first ?? 0, times?.last ?? 0];
}

function only(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(SENDERS.map((name) => [name, env[name] ?? '']));
}
