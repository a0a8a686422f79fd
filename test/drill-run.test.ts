/**
 * Drills on the real stack, as somebody at a terminal runs them: own schema, role, namespace and processes; killed and resumed; stopped
 * from elsewhere; two at once.
 */
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loginUrl } from '../cli/drill-environment.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { readyRole } from '../db/drill-schema.ts';
import { replayWarning } from '../operations/replays.ts';
import { isAlive } from '../runtime/processes.ts';
import { openDrillSite, type DrillSite, type Ran, type Row } from './harness/drill-site.ts';

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

let site: DrillSite;
let live: Database;
let scenario: string;
let drill: DrillSite['drill'];

beforeAll(async () => {
  site = await openDrillSite('drill-run', {
    // What a drill's processes must never see.
    FENGHUO_SMTP_URL: 'smtp://live.example:25',
    FENGHUO_GATEWAY_URL: 'http://live.example',
    FENGHUO_GATEWAY_SECRET: 'a secret of the live gateway',
    FENGHUO_LIVE_ENV_FILE: '/nowhere/live.env',
  });
  ({ live, drill } = site);
  const real = site.tree.person('乡一');
  await live.query('update people set synthetic = false, reference = $2 where id = $1', [real, PHONE]);
  await live.query(
    `update person_channels set address = case channel when 'sms' then $2 else $3 end where person_id = $1`,
    [real, PHONE, MAIL],
  );
  await live.query(`insert into person_channels (person_id, channel, address) values ($1, 'voice', $2)`, [
    real,
    PHONE,
  ]);
  scenario = await site.scenario('small.yaml', STORY);
});
afterAll(() => site?.close());

describe('two drills at once, of which one is killed and resumed', () => {
  let whole: Row;
  let torn: Row;

  beforeAll(async () => {
    const undisturbed = drill('run', scenario, '--speed', '600', '--seed', '1', '--json');
    const first = drill('run', scenario, '--speed', '600', '--seed', '2');
    torn = await site.until(2, 'somebody is told', async (row) => (await site.told(row)) > 0);
    const before = [...(await site.processesOf(torn)).values()];
    expect(before.filter(isAlive).length).toBe(3);
    await first.kill();
    const resumed = await site.done(drill('resume', torn.id));
    expect(resumed.stderr).toContain('are a gap');
    expect(before.filter(isAlive)).toEqual([]);
    const { stdout } = await site.done(undisturbed);
    whole = (await site.rowOf(1)) as Row;
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
      expect(await site.alive(row)).toEqual([]);
    }
  });

  it('the referee finds nothing broken, killed or not, and all of the same units have answered', async () => {
    expect(await site.wrongs(whole)).toEqual([]);
    expect(await site.wrongs(torn)).toEqual([]);
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

  it('its record can be played again across the gap, and says how it agrees with its rehearsal', async () => {
    const own = openDatabase({
      url: process.env['DATABASE_URL'] ?? '',
      schema: torn.schema ?? '',
      asOwner: true,
    });
    try {
      for (const warningId of [1, 2, 3]) {
        const { replayed, differing } = await replayWarning(own, warningId);
        expect(differing, `W${warningId}`).toEqual([]);
        expect(replayed.unexplained, `W${warningId}`).toEqual([]);
        expect(replayed.units.size, `W${warningId}`).toBeGreaterThan(0);
      }
    } finally {
      await own.close();
    }
    // At 600 times the speed of life nothing is as rehearsed: 1 where something has no explanation.
    const agreed = await drill('agree', torn.id, '--json').done;
    expect([0, 1]).toContain(agreed.code);
    const { warnings } = JSON.parse(agreed.stdout) as { warnings: { units: number }[] };
    expect(warnings.length).toBe(3);
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
      const ledger = await site.ledgerOf(row);
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
      site.done(drill('resume', whole.id), 5),
      site.done(drill('stop', whole.id), 5),
      site.done(drill('remove', torn.id)),
    ]);
    expect(again.stderr).toContain('is over already (ended)');
    const { stdout } = await site.done(drill('runs', '--json'));
    expect(JSON.parse(stdout)).toMatchObject(
      [
        { id: torn.id, status: 'ended', schema: null },
        { id: whole.id, status: 'ended', schema: whole.schema },
      ].sort((one, other) => (one.id < other.id ? 1 : -1)),
    );
    expect(await live.query('select from pg_roles where rolname = $1', [torn.schema])).toEqual([]);
    await expect(readdir(await site.placeOf({ ...torn }))).rejects.toMatchObject({ code: 'ENOENT' });
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
    const tellsSome = async (row: Row) => (await site.told(row)) > 3;
    headless = await site.until(4, 'somebody is told', tellsSome);
    await killed.kill();
    whole = await site.until(3, 'somebody is told', tellsSome);
    await site.done(drill('resume', whole.id), 5);
    await Promise.all([
      site.done(drill('stop', whole.id, '--reason', '有真实预警')),
      site.done(drill('stop', headless.id)),
    ]);
    conducted = await site.done(run);
  }, 120_000);

  it('from another terminal: everybody who was told hears of it, and whoever conducted it ends', async () => {
    expect(conducted.stdout).toContain(`${whole.id}: stopped`);
    expect(await site.rowOf(3)).toMatchObject({ status: 'stopped' });
    expect(await unheard(whole)).toEqual([]);
    expect(await site.wrongs(whole)).toEqual([]);
    const [ended] = await live.query(`select status, end_reason as reason from ${whole.schema}.warnings`);
    expect(ended).toEqual({ status: 'cancelled', reason: '有真实预警' });
  });

  it('when whoever conducted it is dead', async () => {
    expect(await site.rowOf(4)).toMatchObject({ status: 'stopped' });
    expect(await unheard(headless)).toEqual([]);
    expect(await site.alive(headless)).toEqual([]);
  });
});

describe('a drill that cannot be run', () => {
  it('names every fault of its scenario by line, and writes nothing down', async () => {
    const faulty = await site.scenario(
      'faulty.yaml',
      STORY.replace('where: [乡一]', 'where: [乡三]')
        .replace('level: red', 'hazard: 大风')
        .replace('of: more', 'of: less'),
    );
    const before = await live.query('select from drills');
    const { stderr } = await site.done(drill('run', faulty), 2);
    for (const line of ['line 7', 'line 9', 'line 13']) expect(stderr).toContain(line);
    expect(await live.query('select from drills')).toEqual(before);
  });

  it('says what to do where no servers run, and where there is no such drill', async () => {
    const nowhere = site.drillWith({ TEMPORAL_ADDRESS: '127.0.0.1:9' }, 'run', scenario);
    const others = [site.done(drill('resume', 'DR999'), 3), site.done(drill('stop', 'D7'), 2)];
    expect((await site.done(nowhere, 6)).stderr).toContain('npx fenghuo up');
    await Promise.all(others);
  });
});
