/**
 * A drill with some real people, on the real stack. A second set of stand-ins is the account of drills, as far as anybody can tell: those
 * who agreed are told there and there alone, everybody else by the drill's own stand-ins.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewaySignature } from '../channels/http-exchange.ts';
import { ENTRY } from '../cli/installation.ts';
import { readConfig } from '../config.ts';
import type { Database } from '../db/database.ts';
import { dropDrillSchema } from '../db/drill-schema.ts';
import type { ChannelTally } from '../domain/drill-people.ts';
import type { DrillReport } from '../domain/drill-report.ts';
import { freePort, waitUntil } from '../runtime/processes.ts';
import { readLedger, type LedgerMessage } from '../sandbox/ledger.ts';
import { startSandbox, type Sandbox } from '../sandbox/sandbox.ts';
import { bindSenders, bindToKind } from '../worker/wall.ts';
import { testDatabase } from './database.ts';
import { plantSmallTree, type SmallTree } from './harness/small-tree.ts';

const MARK = '演练';
const SECRET = 'a secret of the account of drills';
const DAY = '2026-01-15';

/** Who agreed: one answers by writing back, one on the page, one writes STOP. Reserved numbers and domains. */
const AGREED = {
  writes: { unit: '乡一', sms: '+12025550101', email: 'writes@county.example' },
  opens: { unit: '村一', email: 'opens@county.example' },
  stops: { unit: '组一', sms: '+12025550103' },
} as const;
/** Real people like the others, who were not asked. */
const NOT_ASKED = { unit: '乡二', sms: '+12025550104', email: 'not-asked@county.example' };

const STORY = `name: small
title: { zh: 小演练, en: A small drill }
about: Two townships.
startsAt: '2026-07-09T14:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: rain, hazard: 暴雨, level: red, where: [乡一, 乡二], expires: +3h }
people:
  - { neverAnswers: 0, cannotAct: 0, delay: prompt }
`;

let live: Database;
let tree: SmallTree;
let directory: string;
let environment: NodeJS.ProcessEnv;
let account: Sandbox;
let accountUrl: string;
let accountFile: string;
let scenario: string;

beforeAll(async () => {
  live = await testDatabase('drill-people');
  tree = await plantSmallTree(live);
  for (const person of [...Object.values(AGREED), NOT_ASKED]) await makeReal(person);
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-drill-people-'));
  scenario = await file('small.yaml', STORY);
  accountUrl = `http://127.0.0.1:${await freePort()}`;
  account = await startSandbox({
    directory: join(directory, 'account'),
    repliesUrl: `${accountUrl}/gateway/replies`,
    secret: SECRET,
    seed: 'people',
    keepTexts: true,
    // They notice everything and answer at once; by hand where one of them does something else.
    model: {
      ...{ neverAnswersShare: 0, cannotActShare: 0, medianDelayMinutes: 0.005, delaySigma: 0 },
      wokenShare: { sms: 1, email: 1 },
    },
    log: () => undefined,
  });
  accountFile = await file('drill.env', envFile());
  environment = {
    ...process.env,
    FENGHUO_SCHEMA: live.schema,
    FENGHUO_DATA_DIR: directory,
    FENGHUO_DRILL_ENV_FILE: accountFile,
    LANG: 'C.UTF-8',
  };
});

afterAll(async () => {
  await account.stop();
  const left = await live.query<{ name: string }>(
    'select schema_name as name from drills where schema_name is not null',
  );
  for (const { name } of left) await dropDrillSchema(live, name);
  await live.close();
  await rm(directory, { recursive: true, force: true });
});

describe('a list that cannot be used', () => {
  const list = (...lines: string[]) => ['reference,agreed_on', ...lines].join('\n');
  const good = `乡一0,${DAY}`;

  it('has every problem by its line, and nothing is written down', async () => {
    await live.query(
      `update people set synthetic = false where reference in ('区1', '乡二1', '村二0', '城1')`,
    );
    await live.query(`update person_channels set fault = 'bad-contact' where person_id = $1`, [
      tree.person('乡二', 1),
    ]);
    await live.query(`delete from person_channels where person_id = $1`, [tree.person('村二')]);
    await live.query(
      `insert into person_channels (person_id, channel, address) values ($1, 'push', 'topic-1')`,
      [tree.person('村二')],
    );
    await live.query('delete from posts where person_id = $1', [tree.person('城', 1)]);
    const ran = await drill(
      'run',
      scenario,
      '--with-people',
      await file(
        'faulty.csv',
        list(
          good,
          `nobody,${DAY}`,
          `城1,${DAY}`,
          `乡二1,${DAY}`,
          `村二0,${DAY}`,
          `组二0,${DAY}`,
          `乡一0,${DAY}`,
          '区1,2099-01-01',
          '区1,2026-02-30',
          `,${DAY}`,
          '区1',
        ),
      ),
    );
    expect(ran.code).toBe(2);
    expect(ran.stderr.split('\n').filter((line) => /^\s*line \d+/.test(line.replace(/^[^l]*/, '')))).toEqual(
      [
        'line 3, column reference: nobody is known by it',
        'line 4, column reference: holds no post in the places',
        'line 5, column reference: has no address that can be used',
        'line 6, column reference: has no address that the account of drills can reach: only push',
        'line 7, column reference: this person is made up',
        'line 8, column reference: stands in line 2 already',
        'line 9, column agreed_on: lies in the future',
        'line 10, column agreed_on: is no day',
        'line 10, column reference: stands in line 9 already',
        'line 11, column reference: is empty',
        'line 12: the row has 1 cells',
      ].map((start) => expect.stringContaining(start) as string),
    );
    await nothingIsThere();
  });

  it('is of no use empty, without a day, as another kind of file, at another speed, or without an account', async () => {
    const people = await file('good.csv', list(good));
    const run = (listed: string, env: NodeJS.ProcessEnv = {}, ...words: string[]) =>
      begin(['run', scenario, '--with-people', listed, ...words], { ...environment, ...env }).done;
    const cases: [says: string, ran: Promise<Ran>][] = [
      ['names nobody', run(await file('empty.csv', 'reference,agreed_on\n'))],
      ['agreed_on', run(await file('short.csv', 'reference\n乡一0\n'))],
      ['Excel', run(await file('book.csv', 'PK\u0003\u0004'))],
      ['speed of life', run(people, {}, '--speed', '60')],
      ['is not set', run(people, { FENGHUO_DRILL_ENV_FILE: '' })],
      ['chmod 600', run(people, { FENGHUO_DRILL_ENV_FILE: await file('open.env', envFile(), 0o644) })],
    ];
    for (const [says, ran] of cases)
      expect(await ran).toMatchObject({ code: 2, stderr: expect.stringContaining(says) as string });
    await nothingIsThere();
  });

  it('goes nowhere by what the installation sends by: the variables are named', async () => {
    const people = await file('good.csv', list(good));
    const exercise = readConfig({
      ...{ DATABASE_URL: process.env['DATABASE_URL'], FENGHUO_SECRET: process.env['FENGHUO_SECRET'] },
      FENGHUO_GATEWAY_URL: 'http://stand-in.example',
      FENGHUO_GATEWAY_SECRET: 'a secret of the Exercises of all',
    });
    const actual = { ...exercise, FENGHUO_GATEWAY_URL: undefined, FENGHUO_CHANNELS: 'live' } as const;
    await bindToKind(exercise, live);
    await bindToKind({ ...actual, FENGHUO_GATEWAY_SECRET: 'a secret of what is live and real' }, live);
    const mixed = async (variable: string, line: string) => {
      const lines = envFile()
        .split('\n')
        .map((own) => (own.startsWith(`${variable}=`) ? line : own));
      const env = { ...environment, FENGHUO_DRILL_ENV_FILE: await file(`${variable}.env`, lines.join('\n')) };
      const ran = await begin(['run', scenario, '--with-people', people], env).done;
      expect(ran).toMatchObject({ code: 4, stderr: expect.stringContaining(variable) as string });
    };
    await Promise.all([
      mixed('FENGHUO_GATEWAY_URL', 'FENGHUO_GATEWAY_URL=http://stand-in.example'),
      mixed('FENGHUO_GATEWAY_SECRET', 'FENGHUO_GATEWAY_SECRET=a secret of what is live and real'),
    ]);
    await nothingIsThere();
  });
});

describe('a drill with people who agreed', () => {
  let schema: string;
  let name: string;
  let told: LedgerMessage[];
  let simulated: LedgerMessage[];

  const list = `reference,agreed_on\n乡一0,${DAY}\n村一0,${DAY.replaceAll('-', '/')}\n组一0,${DAY}\n`;

  beforeAll(async () => {
    const people = await file('people.csv', list);
    const first = begin(['run', scenario, '--with-people', people]);
    const row = await waitUntil(
      async () => {
        const [found] = await live.query<{ name: string; schema: string | null }>(
          `select 'DR' || id as name, schema_name as schema from drills where status = 'running'`,
        );
        return found?.schema ? { ...found, schema: found.schema } : null;
      },
      { deadlineMs: 40_000, what: 'the drill to run' },
    );
    ({ name, schema } = row);
    // A second one has to wait.
    const second = await drill('run', scenario, '--with-people', people);
    expect(second).toMatchObject({ code: 5, stderr: expect.stringContaining(name) as string });
    await waitUntil(async () => (await toAddress(AGREED.stops.sms)).length > 0, {
      deadlineMs: 40_000,
      what: 'who writes STOP to be told',
    });
    await stopFrom(AGREED.stops.sms);
    // Whoever conducts it is killed; the next one has the same account, and links lead where they led.
    first.child.kill('SIGKILL');
    await first.done;
    const running = drill('resume', name);
    await waitUntil(async () => (await live.query(`select from ${schema}.drill_gaps`)).length > 0, {
      deadlineMs: 40_000,
      what: 'the drill to go on',
    });
    await waitUntil(async () => (await answeredBy()).length === 3 && (await allTold()), {
      deadlineMs: 40_000,
      what: 'those who agreed to have answered, and everybody to be told',
    });
    expect(await drill('stop', name)).toMatchObject({ code: 0 });
    expect(await running).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(
        '3 people who agreed are told for real, by smtp, sms-gateway',
      ) as string,
    });
    told = await messagesIn(join(directory, 'account'));
    simulated = await messagesIn(await ledgerOfDrill());
  }, 120_000);

  /** Of those who agreed, by what they answered. */
  const answeredBy = async () =>
    live.query<{ via: string }>(
      `select distinct a.person_id, a.via from ${schema}.answers a join ${schema}.people p on p.id = a.person_id where not p.synthetic`,
    );

  /** Whoever holds a post has been told. */
  const allTold = async () => {
    const [row] = await live.query<{ missing: number }>(
      `select count(distinct p.unit_id)::int as missing from ${schema}.posts p where p.rank = 0 and not exists (
         select from ${schema}.deliveries d where d.unit_id = p.unit_id and d.outcome = 'handed off')`,
    );
    return row?.missing === 0;
  };

  const ledgerOfDrill = async () => {
    const [instance = ''] = (await readdir(directory)).filter((entry) => entry.endsWith('-up'));
    return join(directory, instance, 'drills', schema, 'ledger');
  };

  it('tells them by the account, and there nobody else', () => {
    const own: string[] = Object.values(AGREED).flatMap(({ unit: _, ...addresses }) =>
      Object.values(addresses),
    );
    const reached = new Set(told.map(({ address }) => address));
    expect([...reached].filter((address) => !own.includes(address))).toEqual([]);
    for (const address of [AGREED.writes.sms, AGREED.opens.email, AGREED.stops.sms])
      expect(reached).toContain(address);
    expect(told.filter(({ body }) => !body?.includes(MARK))).toEqual([]);
    expect(told.filter(({ speed }) => speed !== 1)).toEqual([]);
  });

  it('tells everybody else by the stand-ins, and there nobody real', () => {
    expect(simulated.length).toBeGreaterThan(10);
    const real = simulated.filter(({ address }) => /^\+1202|county/.test(address));
    expect(real).toEqual([]);
  });

  it('has handed over to either side what arrived there, message for message', async () => {
    const sent = await live.query<{ id: string; agreed: boolean }>(
      `select id || '.' || attempt as id, sender like 'drill %' as agreed from ${schema}.deliveries where outcome = 'handed off'`,
    );
    const ids = (agreed: boolean) => sent.filter((one) => one.agreed === agreed).map(({ id }) => id);
    const references = (messages: LedgerMessage[]) => messages.map(({ reference }) => reference).sort();
    expect(references(told)).toEqual(ids(true).sort());
    expect(references(simulated)).toEqual(ids(false).sort());
  });

  it('counts their answers, which come by the door of the account', async () => {
    const ways = (await answeredBy()).map(({ via }) => via).sort();
    expect(ways).toEqual(['gateway', 'gateway', 'page']);
    const { acts } = await readLedger(join(directory, 'account'));
    expect(acts.length).toBeGreaterThan(1);
    const links = told.flatMap(({ body }) => /https?:\S+\/a\//.exec(body ?? '') ?? []);
    expect(new Set(links)).toEqual(new Set([`${accountUrl}/a/`]));
  });

  it('copies no address but theirs, and of theirs none that the account cannot reach', async () => {
    const real = await live.query<{ unit: string; channel: string; address: string }>(
      `select c.channel, c.address from ${schema}.person_channels c join ${schema}.people p on p.id = c.person_id
       where not p.synthetic order by c.address`,
    );
    expect(real).toEqual([
      { channel: 'sms', address: AGREED.writes.sms },
      { channel: 'sms', address: AGREED.stops.sms },
      { channel: 'email', address: AGREED.opens.email },
      { channel: 'email', address: AGREED.writes.email },
    ]);
    const [others] = await live.query<{ text: string }>(
      `select string_agg(c.address, ' ') as text from ${schema}.person_channels c join ${schema}.people p on p.id = c.person_id
       where p.synthetic`,
    );
    expect(others?.text).not.toMatch(/\+1202|county/);
  });

  it('has a limit on each sender of the account, one a second where none was said', async () => {
    const rates = await live.query(
      `select id, per_second as rate from ${schema}.senders where id like 'drill %' order by id`,
    );
    expect(rates).toEqual([
      { id: 'drill sms-gateway', rate: 20 },
      { id: 'drill smtp', rate: 1 },
    ]);
  });

  it('tells in its report who was real, and keeps them out of the figures of the simulated', async () => {
    const { stdout } = await drill('report', name, '--json');
    const report = JSON.parse(stdout) as DrillReport;
    expect(report.source).toMatchObject({ kind: 'drill', people: 3 });
    const [warning] = report.warnings;
    expect(warning?.real).toMatchObject({ told: 3, answered: 3 });
    expect(warning?.real?.units.map((unit) => unit.name)).toEqual(['乡一', '村一', '组一']);
    const counts = await live.query<{ channel: string; synthetic: boolean; count: number }>(
      `select d.channel, p.synthetic, count(*)::int as count from ${schema}.deliveries d
       join ${schema}.people p on p.id = d.recipient_id and d.audience = 'people'
       where d.outcome = 'handed off' and d.purpose in ('rung', 'bridge notice') group by 1, 2`,
    );
    const sums = (synthetic: boolean) =>
      Object.fromEntries(
        counts.filter((one) => one.synthetic === synthetic).map((one) => [one.channel, one.count]),
      );
    const told = (channels: readonly ChannelTally[] = []): Record<string, number> => {
      const used = channels.filter(({ tier, handedOff }) => tier === null && handedOff > 0);
      return Object.fromEntries(used.map(({ channel, handedOff }) => [channel ?? '', handedOff]));
    };
    expect(told(warning?.channels)).toEqual(sums(true));
    expect(told(warning?.real?.channels)).toEqual(sums(false));
    const [html, csv] = [join(directory, 'report.html'), join(directory, 'people.csv')];
    const shown = await drill('report', name, '--html', html, '--csv', csv, '--lang', 'zh');
    expect(shown.stdout).toContain('同意参演的真人：已告知 3 人，其中 3 人应答');
    expect(await readFile(html, 'utf8')).toMatch(/<h3>真人<\/h3>/);
    const lines = (await readFile(csv, 'utf8')).split('\r\n').slice(1, -1);
    const real = lines.map((line) => line.endsWith('真人，实际记录'));
    // Those to whom something has happened come first.
    expect(real).toEqual([...real].sort((one, other) => Number(other) - Number(one)));
  });

  it('proves their channels in the live register, and those of nobody else', async () => {
    const proven = await live.query(
      `select person_id as person, channel from person_channels where proven_at is not null order by 1, 2`,
    );
    expect(proven).toEqual(
      [
        { person: tree.person('乡一'), channel: 'sms' },
        { person: tree.person('村一'), channel: 'email' },
        // Who wrote STOP had answered before.
        { person: tree.person('组一'), channel: 'sms' },
      ].sort((one, other) => one.person - other.person),
    );
  });

  it('honours STOP: nothing more in this drill, and nothing in the next before they agree again', async () => {
    const [stopped] = await live.query(
      `select (fault = 'opted-out') as stopped from ${schema}.person_channels where address = $1`,
      [AGREED.stops.sms],
    );
    expect(stopped).toEqual({ stopped: true });
    const purposes = async (address: string) =>
      (await toAddress(address)).map(({ step }) => step?.split(' ')[0]);
    expect(await purposes(AGREED.writes.sms)).toContain('cancel');
    expect(await purposes(AGREED.stops.sms)).not.toContain('cancel');
    const again = await drill('run', scenario, '--with-people', await file('again.csv', list));
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/line 4, column agreed_on: wrote STOP to a drill on .*: ask them again/);
  });

  it('keeps the account from the processes of both kinds', async () => {
    const bound = await live.query(
      `select distinct variable from kind_marks where kind = 'drill' order by 1`,
    );
    expect(bound).toEqual(
      ['FENGHUO_GATEWAY_SECRET', 'FENGHUO_GATEWAY_URL', 'FENGHUO_SMTP_URL'].map((variable) => ({ variable })),
    );
    const base = { DATABASE_URL: process.env['DATABASE_URL'], FENGHUO_SECRET: process.env['FENGHUO_SECRET'] };
    for (const FENGHUO_CHANNELS of ['sandbox', 'live']) {
      const config = readConfig({ ...base, FENGHUO_CHANNELS, FENGHUO_GATEWAY_SECRET: SECRET });
      await expect(bindToKind(config, live)).rejects.toMatchObject({
        code: 'other-kind',
        details: ['FENGHUO_GATEWAY_SECRET'],
      });
    }
    const ofDrills = readConfig({ ...base, FENGHUO_CHANNELS: 'drill', FENGHUO_GATEWAY_SECRET: SECRET });
    await expect(bindSenders(ofDrills, live)).resolves.toMatchObject({ serves: 'exercise' });
    // In the installation itself nobody may send by it.
    await expect(bindToKind(ofDrills, live)).rejects.toMatchObject({ code: 'other-kind' });
  });

  const toAddress = async (address: string) =>
    (await messagesIn(join(directory, 'account'))).filter((message) => message.address === address);

  /** As their provider pushes it. */
  async function stopFrom(address: string): Promise<void> {
    const body = JSON.stringify([{ id: 'stop 1', from: address, text: 'STOP' }]);
    const response = await fetch(`${accountUrl}/gateway/replies`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...gatewaySignature(SECRET, body) },
    });
    expect(await response.json()).toEqual({ replies: [{ id: 'stop 1', verdict: 'stop' }] });
  }
});

/** Somebody who is not made up, with these addresses alone. */
async function makeReal(person: { unit: string; sms?: string; email?: string }): Promise<void> {
  const id = tree.person(person.unit);
  await live.query('update people set synthetic = false where id = $1', [id]);
  await live.query('delete from person_channels where person_id = $1', [id]);
  for (const channel of ['sms', 'email'] as const) {
    if (person[channel] === undefined) continue;
    await live.query('insert into person_channels (person_id, channel, address) values ($1, $2, $3)', [
      id,
      channel,
      person[channel],
    ]);
  }
}

function envFile(): string {
  return [
    '# the account of drills',
    `FENGHUO_PUBLIC_URL=${accountUrl}`,
    `FENGHUO_WEB_PORT=${new URL(accountUrl).port}`,
    `FENGHUO_SMTP_URL=${account.smtpUrl}`,
    `FENGHUO_GATEWAY_URL=${account.gatewayUrl}`,
    `FENGHUO_GATEWAY_SECRET=${SECRET}`,
    'FENGHUO_GATEWAY_PER_SECOND=20',
  ].join('\n');
}

async function file(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(directory, name);
  await rm(path, { force: true });
  await writeFile(path, text, { mode });
  return path;
}

async function nothingIsThere(): Promise<void> {
  expect(await live.query('select from drills')).toEqual([]);
  expect(await live.query(`select from kind_marks where kind = 'drill'`)).toEqual([]);
  expect(await messagesIn(join(directory, 'account'))).toEqual([]);
}

type Ran = { code: number | null; stdout: string; stderr: string };

/** A command of `drill` in a process of its own. */
function begin(words: string[], env = environment): { child: ChildProcess; done: Promise<Ran> } {
  const child = fork(ENTRY, ['drill', ...words], {
    ...{ env, execArgv: [] },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout?.on('data', (part: Buffer) => (ran.stdout += part.toString()));
  child.stderr?.on('data', (part: Buffer) => (ran.stderr += part.toString()));
  return { child, done: new Promise((resolve) => child.once('close', (code) => resolve({ ...ran, code }))) };
}

function drill(...words: string[]): Promise<Ran> {
  return begin(words).done;
}

async function messagesIn(ledger: string): Promise<LedgerMessage[]> {
  const text = await readFile(join(ledger, 'messages.jsonl'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerMessage);
}
