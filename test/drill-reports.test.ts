/** Reports of warnings on record, over PostgreSQL: they say what the tables say; and a warning becomes a scenario that rehearses. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../cli/testing.ts';
import type { Database } from '../db/database.ts';
import { insertScene } from '../db/drills.ts';
import { DELIVERY_ID_STRIDE } from '../db/pages.ts';
import type { DrillReport } from '../domain/drill-report.ts';
import { answerNumber, recipientName } from '../domain/links.ts';
import { answerByReply } from '../operations/answers.ts';
import { reportOfDrill, reportOfWarning } from '../operations/drill-reports.ts';
import { readDatabaseTree } from '../operations/rehearsal-database.ts';
import { parseScenario } from '../operations/scenario-files.ts';
import { updateExercise } from '../operations/updates.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import { makeDeadlinesDue, recordingChannel, runUntilQuiet, TEST_KEYS } from './harness/local-cascade.ts';
import { plantSmallTree, type SmallTree } from './harness/small-tree.ts';

const HOSTILE = `乡一"><script>alert('1')</script>&amp;`;
const FORMULA = '=HYPERLINK("http://evil.example","x")';

let database: Database;
let tree: SmallTree;
let warningId: number;
let directory: string;

beforeAll(async () => {
  database = await testDatabase('drill-reports');
  tree = await plantSmallTree(database);
  directory = mkdtempSync(join(tmpdir(), 'fenghuo-reports-'));
  await database.query('update units set name = $2 where id = $1', [tree.unit('乡一'), HOSTILE]);
  await database.query('update people set name = $2 where id = $1', [tree.person('组二'), FORMULA]);
  await database.query(
    `update person_channels set address = '+8613900000001' where person_id = $1 and channel = 'sms'`,
    [tree.person('组二')],
  );
  warningId = await playOut();
});
afterAll(async () => {
  rmSync(directory, { recursive: true });
  await database.close();
});

/** A warning in which 区, 村一 and 组一 answer, 村二 cannot act, every e-mail fails, all others stay silent; then it is cancelled. */
async function playOut(): Promise<number> {
  const request = {
    hazard: '暴雨',
    level: 'red',
    areas: ['城'],
    expires: '+6h',
    issuer: '城气象台',
    speed: 60,
  };
  const { warningId: id } = await issueWarning(database, request);
  const failing = recordingChannel('email', () => ({ outcome: 'failed', reason: 'bad-contact' }));
  const channels = [recordingChannel('sms'), failing, recordingChannel('voice')];
  await runUntilQuiet(database, id, channels);
  await reply(id, '区', '1');
  await reply(id, '村一', '1');
  await reply(id, '组一', '1');
  await reply(id, '村二', '3');
  for (let rung = 0; rung < 4; rung += 1) {
    await runUntilQuiet(database, id, channels);
    await makeDeadlinesDue(database, id, ['answerBy', 'handOffBy']);
  }
  await runUntilQuiet(database, id, channels);
  await cancelWarning(database, id, '雨势减弱');
  await runUntilQuiet(database, id, channels);
  return id;
}

async function reply(id: number, unit: string, word: string): Promise<void> {
  const person = tree.person(unit);
  const [row] = await database.query<{ address: string }>(
    `select address from person_channels where person_id = $1 and channel = 'sms'`,
    [person],
  );
  const number = answerNumber(TEST_KEYS, id, recipientName('people', person));
  await answerByReply(database, TEST_KEYS, {
    id: `${id}-${unit}-${word}`,
    from: row?.address ?? '',
    text: `${word} ${number}`,
  });
}

const environment = () => ({
  DATABASE_URL: process.env['DATABASE_URL'],
  FENGHUO_SCHEMA: database.schema,
  FENGHUO_SECRET: 'x'.repeat(32),
});
const drill = (...words: string[]) => run(['drill', ...words], environment());

describe('the report of a warning', () => {
  it('counts what the tables count', async () => {
    const { report } = await reportOfWarning(database, warningId);
    const [warning] = report.warnings;
    const rows = await database.query<{ tier: string; units: number; told: number; answered: number }>(
      `select tier, count(*)::int as units, count(told_at)::int as told, count(answered_at)::int as answered
       from unit_states where warning_id = $1 group by tier`,
      [warningId],
    );
    const counted = warning?.tiers.map(({ tier, units, told, answered }) => ({
      tier,
      units,
      told,
      answered,
    }));
    expect(counted).toHaveLength(rows.length);
    expect(counted).toEqual(expect.arrayContaining(rows));
    const silent = await database.query<{ code: string }>(
      `select u.code from unit_states s join units u on u.id = s.unit_id
       where s.warning_id = $1 and s.silent_at is not null and s.answered_at is null order by u.code`,
      [warningId],
    );
    expect(silent.length).toBeGreaterThan(2);
    expect(warning?.silentUnits.map(({ key }) => key).sort()).toEqual(silent.map(({ code }) => code));
    expect(warning).toMatchObject({ end: 'cancelled', hazard: '11B03', level: 'red', lateAnswers: 0 });
    expect(warning?.areas.map(({ name }) => name)).toEqual(['城']);
    expect(warning?.correction?.messages).toBeGreaterThan(0);
    expect(warning?.households.told).toBe(6);
    const sms = warning?.channels.find(({ channel, tier }) => channel === 'sms' && tier === null);
    expect(sms).toMatchObject({ answered: 4 });
    expect(warning?.bridges.length).toBeGreaterThan(0);
  });

  it('is told at the pace of life', async () => {
    const { report } = await reportOfWarning(database, warningId);
    const [row] = await database.query<{ minutes: number }>(
      `select extract(epoch from ended_at - issued_at)::float8 as minutes from warnings where id = $1`,
      [warningId],
    );
    // At a speed of 60 a second is a minute.
    expect(report.warnings[0]?.lastsMinutes).toBeCloseTo(row?.minutes ?? 0, 2);
    expect(report.source).toMatchObject({ kind: 'warning', id: `W${warningId}`, speed: 60, of: 'exercise' });
  });

  it('names those to follow up, masked', async () => {
    const drilled = await reportOfWarning(database, warningId);
    const lines = await drilled.followUp();
    const silent = lines.find(
      ({ person, reason }) => person?.name === FORMULA && reason === 'never answered',
    );
    expect(silent?.person?.addresses).toContain('139****0001');
    expect(lines.some(({ reason, channels }) => reason === 'wrong address' && channels[0] === 'email')).toBe(
      true,
    );
    expect(lines.some(({ person, reason }) => person?.name === '区0' && reason === 'never answered')).toBe(
      false,
    );
    expect(JSON.stringify(lines)).not.toContain('13900000001');
  });

  it('is written as page and CSV in which no name is anything but text', async () => {
    const [html, csv] = [join(directory, 'w.html'), join(directory, 'w.csv')];
    for (const lang of ['zh', 'en']) {
      const made = await drill('report', `W${warningId}`, '--html', html, '--csv', csv, '--lang', lang);
      expect(made).toMatchObject({ code: 0 });
      const page = readFileSync(html, 'utf8');
      expect(page).toContain('乡一&quot;&gt;&lt;script&gt;');
      expect(page).not.toMatch(/<script|onerror|javascript:|src=|href=/i);
      const table = readFileSync(csv, 'utf8');
      expect(table).toContain(`"'=HYPERLINK(""http://evil.example"",""x"")"`);
      expect(table).toContain('139****0001');
      expect(table).toContain(lang === 'zh' ? '虚拟人员' : 'made-up person');
      expect(table).not.toContain('13900000001');
      for (const cell of table.split(/[\r\n,]+/)) expect(cell).not.toMatch(/^"?[=+@-]/);
    }
  });

  it('of a warning that is not there, 3; of one that is open, how it stands', async () => {
    expect(await drill('report', 'W9999')).toMatchObject({ code: 3, stdout: '' });
    expect((await drill('report', 'DR9999')).code).toBe(3);
    const request = { hazard: '大风', level: 'orange', areas: ['城'], expires: '+6h', issuer: '城气象台' };
    const { warningId: open } = await issueWarning(database, request);
    const { report } = await reportOfWarning(database, open);
    expect(report.warnings[0]).toMatchObject({ end: 'open', silentUnits: [], channels: [] });
    expect((await drill('report', `W${open}`)).stdout).toContain('still open');
    await cancelWarning(database, open, null);
  });
});

describe('compared', () => {
  it('a warning with its own JSON is the same, and a missing file is refused', async () => {
    const file = join(directory, 'w.json');
    const { stdout } = await drill('report', `W${warningId}`, '--json');
    writeFileSync(file, stdout);
    expect((JSON.parse(stdout) as DrillReport).format).toBe('fenghuo drill report 1');
    const compared = await drill('compare', file, `W${warningId}`, '--json');
    expect(compared.code).toBe(0);
    expect(JSON.parse(compared.stdout)).toMatchObject({
      points: { course: 'same' },
      warnings: [{ newlySilent: [], newlyHeard: [] }],
    });
    expect((await drill('compare', join(directory, 'none.json'), `W${warningId}`)).code).toBe(2);
  });
});

describe('a scenario from a warning', () => {
  it('validates and rehearses on the tree it was of, with what was observed', async () => {
    const file = join(directory, 'again.yaml');
    expect(await drill('from-warning', `W${warningId}`, file)).toMatchObject({ code: 0 });
    expect((await drill('from-warning', `W${warningId}`, file)).code).toBe(5);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('60 times as fast');
    expect((await drill('validate', file, '--tree', 'database')).code).toBe(0);
    const rehearsed = await drill('rehearse', file, '--tree', 'database', '--json');
    expect(rehearsed).toMatchObject({ code: 0 });
    const { warnings } = JSON.parse(rehearsed.stdout) as { warnings: { tiers: { units: number }[] }[] };
    expect(warnings[0]?.tiers.map(({ units }) => units)).toEqual([1, 1, 2, 2, 2]);
    const { stdout } = await drill('from-warning', `W${warningId}`, '--json');
    const scenario = JSON.parse(stdout) as {
      people: { tiers?: string[]; neverAnswers: number }[];
      timeline: object[];
    };
    const of = (tier: string) => scenario.people.find(({ tiers }) => tiers?.[0] === tier);
    expect(of('district')).toMatchObject({ neverAnswers: 0 });
    expect(of('village')).toMatchObject({ cannotAct: 50 });
    expect(scenario.timeline).toMatchObject([
      { warning: { level: 'red' } },
      { cancel: { reason: '雨势减弱' } },
    ]);
    expect((await drill('from-warning', 'W9999')).code).toBe(3);
  });

  it('keeps a chain of updates as one story, and outages of answer intake as what comes nearest', async () => {
    const request = {
      hazard: '高温',
      level: 'orange',
      areas: ['城'],
      expires: '+6h',
      issuer: '城气象台',
      speed: 60,
    };
    const { warningId: first } = await issueWarning(database, request);
    const { after } = await updateExercise(database, first, { level: 'red' });
    await database.query(
      `insert into intake_outages select issued_at + interval '1 second', issued_at + interval '3 seconds' from warnings where id = $1`,
      [first],
    );
    const { stdout } = await drill('from-warning', `W${after.warningId}`);
    expect(stdout).toMatch(
      /# {5}- \{ where: \["900000000000"\], from: \+1m\d*s?, to: \+3m\d*s? \} # no answers taken/,
    );
    const json = await drill('from-warning', `W${first}`, '--json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      timeline: [
        { warning: { name: `w${first}`, level: 'orange' } },
        { update: { of: `w${first}`, level: 'red' } },
      ],
    });
    const { report } = await reportOfWarning(database, after.warningId);
    expect(report.interruptions).toMatchObject([{ kind: 'no answers taken', seconds: 2 }]);
    await cancelWarning(database, after.warningId, null);
  });
});

describe('the report of a drill', () => {
  it('joins its warnings, judges what can be judged, and lets its clock stand still in gaps', async () => {
    const [row] = await database.query<{ at: number; ended: number }>(
      `select extract(epoch from issued_at)::float8 * 1000 as at, extract(epoch from ended_at)::float8 * 1000 as ended
       from warnings where id = $1`,
      [warningId],
    );
    const issuedAt = row?.at ?? 0;
    const lastsMinutes = ((row?.ended ?? 0) - issuedAt) / 1_000;
    const scenario = parseScenario(STORY, (await readDatabaseTree(database)).register, 'story');
    await insertScene(database, 0, warningId);
    const input = {
      name: 'DR7',
      scenario,
      seed: 4,
      speed: 60,
      status: 'ended' as const,
      startedAt: issuedAt,
    };
    const report = await reportOfDrill(database, input);
    expect(report.source).toMatchObject({ kind: 'drill', id: 'DR7', ended: 'played' });
    expect(report.warnings.map(({ name }) => name)).toEqual(['first']);
    expect(report.warnings[0]?.lastsMinutes).toBeCloseTo(lastsMinutes, 2);
    // The second was never issued; the first was cancelled, as the story has it.
    expect(report.expectations).toHaveLength(1);
    expect(report.expectations[0]).toMatchObject({ met: true, was: 0 });
    expect(report.expectationsLeftOut).toBe(1);
    // Half of the time the warning lasted: a second of ours is a minute of the story.
    const half = lastsMinutes / 2;
    await database.query(
      `insert into drill_gaps select issued_at, issued_at + $2 * interval '1 second' from warnings where id = $1`,
      [warningId, half],
    );
    const resumed = await reportOfDrill(database, input);
    const [gone] = resumed.interruptions.filter(({ kind }) => kind === 'processes gone');
    expect(gone).toMatchObject({ atMinute: 0 });
    expect(gone?.seconds).toBeCloseTo(half, 0);
    expect(resumed.warnings[0]?.lastsMinutes).toBeCloseTo(half, 2);
    await database.query('delete from drill_gaps');
    // As if pages had waited: within two real seconds the latencies of the stack lie.
    for (const [seconds, expected] of [
      [1.5, []],
      [90, [expect.objectContaining({ atMinute: 0 })]],
    ] as const) {
      await database.query(
        `update pages p set written_at = d.at - $1 * interval '1 second' from (
           select id / ${DELIVERY_ID_STRIDE} as page, min(at) as at from deliveries group by 1) d where d.page = p.id`,
        [seconds],
      );
      const { interruptions } = await reportOfDrill(database, input);
      expect(interruptions.filter(({ kind }) => kind === 'behind')).toEqual(expected);
    }
    const slowSenders = { ...scenario, senders: { sms: { perSecond: 1, delaySeconds: 0 } } };
    const limited = await reportOfDrill(database, { ...input, scenario: slowSenders });
    expect(limited.interruptions.filter(({ kind }) => kind === 'behind')).toEqual([]);
  });
});

/** The first warning is cancelled at once, so that whatever the machine took it is not cut short. */
const STORY = `
name: story
title: { zh: 一, en: one }
about: two warnings, of which one was played
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: first, hazard: 暴雨, level: red, where: ['900000000000'], expires: +6h }
  - at: +0m
    cancel: { of: first }
  - at: +2h
    warning: { name: second, hazard: 暴雨, level: red, where: ['900000000000'], expires: +6h }
expect:
  - silent: { tier: district, atMost: 1, after: 0m }
  - { warning: second, silent: { atMost: 1, after: 0m } }
`;
