/**
 * City-wide red: the real tree with 8 groups a village, people for all its units, texts, links and audit, answers flowing; then the
 * same with its worker killed. First everything on one PostgreSQL, then Temporal's dev server.
 */
import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { findUnits } from '../operations/organisation-find.ts';
import { generatePopulation } from '../operations/generate-population.ts';
import { importOrganisation } from '../operations/organisation-import.ts';
import { issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { ledgerMessages } from '../sandbox/ledger.ts';
import type { Bench, BenchContext, CityWide, Figures, Kill, Result, Verdict } from './bench.ts';
import { rounded } from './measure.ts';
import { endWarning } from './rounds.ts';
import { databaseSettings, startSite, type Site } from './site.ts';
import { anotherIncident } from '../test/harness/small-tree.ts';

/** At a speed of 20 the ladder's five minutes are 15 seconds. */
const FULL = { area: '重庆市', under: null, speed: 20, killAfterMs: 6_000 };
const QUICK = { area: '重庆市/黔江区', under: '黔江区', speed: 60, killAfterMs: 1_000 };
/** What the gateway is from the last first hand-off on: a carrier, not a loopback. */
const PACE = { perSecond: 5_000, latencyMs: 100 };
const ANSWERED_SHARE = 0.95;
const TOLD_DEADLINE_MS = 180_000;
const ANSWERED_DEADLINE_MS = 300_000;
/** Looking costs the database some 50 ms at the size of the city. */
const LOOK_EVERY_MS = 1_000;
/** What the far side takes within this time after the kill had left the killed worker before. */
const UNDER_WAY_MS = 100;

type Size = typeof FULL | typeof QUICK;
type Measured = {
  cityWide: CityWide;
  kill: Kill;
  verdicts: Verdict[];
  farSide: Record<string, number>;
  settings: Record<string, string | number>;
};

export const bench: Bench = {
  name: 'city',
  question: 'How long does a red warning take to a whole city, and what does a killed worker cost?',
  async run(context): Promise<Result> {
    const size = context.quick ? QUICK : FULL;
    const figures: Figures = {};
    const result: Result = {
      figures,
      settings: { area: size.area, speed: size.speed, killAfterMs: size.killAfterMs },
      farSide: {},
      verdicts: [],
    };
    for (const [place, server] of context.servers.entries()) {
      const { cityWide, kill, ...measured } = await measure(context, server, size);
      if (place === 0) Object.assign(figures, { cityWide, kill });
      if (server === 'dev') figures.devServer = { cityWide, kill };
      Object.assign(result.settings, measured.settings);
      for (const [what, count] of Object.entries(measured.farSide))
        result.farSide[`${server}.${what}`] = count;
      result.verdicts.push(...measured.verdicts);
    }
    return result;
  },
};

async function measure(context: BenchContext, server: Site['server'], size: Size): Promise<Measured> {
  const site = await startSite(context, { name: 'city', server });
  try {
    await plantCity(context, site, size);
    const whole = await runWhole(context, site, size);
    const killed = await runKilled(context, site, size);
    await site.hush();
    const verdicts = [await site.judge(whole.warningId), await site.judge(killed.warningId)];
    const kill = { ...killed.kill, lost: lostOf(verdicts[1]) };
    context.say(`${server}, worker killed: ${JSON.stringify(kill)}`);
    return {
      cityWide: whole.cityWide,
      kill,
      verdicts,
      farSide: { messages: whole.messages, messagesKilled: killed.messages },
      settings: await databaseSettings(site.database),
    };
  } finally {
    await site.stop();
  }
}

async function plantCity(context: BenchContext, { database }: Site, { under }: Size): Promise<void> {
  const file = await readFile(new URL('../scenarios/chongqing-units.csv', import.meta.url));
  await importOrganisation({ database, file });
  const ids = under === null ? null : [(await findUnits(database, under)).id];
  const population = await generatePopulation({
    database,
    seed: '1',
    ...(ids ? { villagesUnder: ids, peopleUnder: ids } : {}),
  });
  context.say(`${population.people} people, ${population.groups} groups`);
}

async function issue(site: Site, { area, speed }: Size): Promise<{ warningId: number; issuedAt: number }> {
  await anotherIncident(site.database);
  const { warningId } = await issueWarning(site.database, {
    hazard: '暴雨',
    level: 'red',
    areas: [area],
    expires: '+6h',
    issuer: '重庆市气象台',
    speed,
  });
  const [issued] = await site.database.query<{ at: number }>(
    'select (extract(epoch from issued_at) * 1000)::float8 as at from warnings where id = $1',
    [warningId],
  );
  return { warningId, issuedAt: issued?.at ?? NaN };
}

async function runWhole(context: BenchContext, site: Site, size: Size) {
  const { warningId, issuedAt } = await issue(site, size);
  await untilTold(context, site, warningId);
  await site.pace(PACE);
  const answeredAt = await untilAnswered(context, site, warningId);
  await site.pace(null);
  const workerRssMiB = await peakMemoryMiB(site.installation.workers[0]?.pid ?? null);
  const workflows = await describeWorkflows(site);
  await endWarning(site, warningId);
  const { told, lastMs } = await readTold(site, warningId);
  const ledger = await site.ledger(String(warningId));
  const messages = ledger.messages.sms + ledger.messages.email;
  const cityWide: CityWide = {
    told,
    seconds: rounded((lastMs - issuedAt) / 1000, 1),
    firstSendMs: Math.round(Date.parse(ledger.firstAt ?? '') - issuedAt),
    answered95Seconds: rounded((answeredAt - issuedAt) / 1000, 1),
    ...workflows,
    workerRssMiB,
    farSideDuplicates: messages - ledger.deliveries.size,
  };
  context.say(`${site.server}, city-wide: ${JSON.stringify(cityWide)}`);
  return { warningId, cityWide, messages };
}

async function runKilled(context: BenchContext, site: Site, size: Size) {
  const { killAfterMs } = size;
  const { warningId, issuedAt } = await issue(site, size);
  await waitUntil(() => Date.now() >= issuedAt + killAfterMs, {
    deadlineMs: killAfterMs + 1_000,
    what: 'the moment of the kill',
    everyMs: 5,
  });
  const pid = site.installation.workers[0]?.pid;
  if (!pid) throw new Error('there is no worker to kill');
  process.kill(pid, 'SIGKILL');
  const killedAt = Date.now();
  await untilTold(context, site, warningId);
  await endWarning(site, warningId);
  const ledger = await site.ledger(String(warningId));
  const kill = {
    twice: [...ledger.deliveries.values()].filter((messages) => messages > 1).length,
    flagged: await countFlags(site, warningId),
    firstNewSendSeconds: rounded(((await firstSendAfter(site, warningId, killedAt)) - killedAt) / 1000, 1),
  };
  return { warningId, kill, messages: ledger.messages.sms + ledger.messages.email };
}

/** What the referee's first promise counts as lost; none where it holds. */
function lostOf(verdict: Verdict | undefined): number {
  const {
    missing = 0,
    unopened = 0,
    unseen = 0,
  } = verdict?.broken.find(({ number }) => number === 1)?.counts ?? {};
  return missing + unopened + unseen;
}

/** Until every unit of the area was told or has answered. */
async function untilTold(context: BenchContext, site: Site, warningId: number): Promise<void> {
  await waitUntil(
    async () => {
      const [row] = await site.database.query<{ units: number; told: number }>(
        `select (select count(*) from units u where exists (
             select from warning_areas a where a.warning_id = $1 and (a.unit_id = any(u.path)
               or u.id = any(array(select unnest(path) from units where id = a.unit_id)))))::int as units,
           (select count(*) from unit_states
            where warning_id = $1 and (told_at is not null or answered_at is not null))::int as told`,
        [warningId],
      );
      context.say(`W${warningId}: ${row?.told} of ${row?.units} units told`);
      return row !== undefined && row.told >= row.units;
    },
    { deadlineMs: TOLD_DEADLINE_MS, what: `every unit of W${warningId} to be told`, everyMs: LOOK_EVERY_MS },
  );
}

/** Waits until enough units have answered; gives back when that was, by PostgreSQL's clock. */
async function untilAnswered(context: BenchContext, site: Site, warningId: number): Promise<number> {
  await waitUntil(
    async () => {
      const [row] = await site.database.query<{ units: number; answered: number }>(
        `select count(*)::int as units, count(answered_at)::int as answered from unit_states where warning_id = $1`,
        [warningId],
      );
      context.say(`W${warningId}: ${row?.answered} of ${row?.units} units answered`);
      return row !== undefined && row.answered >= row.units * ANSWERED_SHARE;
    },
    { deadlineMs: ANSWERED_DEADLINE_MS, what: `answers to W${warningId}`, everyMs: LOOK_EVERY_MS },
  );
  const [row] = await site.database.query<{ at: number }>(
    `select (extract(epoch from percentile_disc($2::float8) within group (order by coalesce(answered_at, 'infinity'))) * 1000)::float8 as at
     from unit_states where warning_id = $1`,
    [warningId, ANSWERED_SHARE],
  );
  return row?.at ?? NaN;
}

/** How many units were told, and when the last of them was for the first time. */
async function readTold(site: Site, warningId: number): Promise<{ told: number; lastMs: number }> {
  const [row] = await site.database.query<{ told: number; lastMs: number }>(
    `select count(*)::int as told, (extract(epoch from max(first)) * 1000)::float8 as "lastMs" from (
       select min(at) as first from deliveries
       where warning_id = $1 and purpose = 'rung' and outcome in ('handed off', 'merged') group by unit_id) as units`,
    [warningId],
  );
  return row ?? { told: 0, lastMs: NaN };
}

async function countFlags(site: Site, warningId: number): Promise<number> {
  const [row] = await site.database.query<{ flagged: number }>(
    `select count(distinct id)::int as flagged from deliveries where warning_id = $1 and possible_duplicate`,
    [warningId],
  );
  return row?.flagged ?? 0;
}

async function firstSendAfter(site: Site, warningId: number, at: number): Promise<number> {
  for await (const message of ledgerMessages(site.installation.ledgerDirectory)) {
    if (message?.warningId !== String(warningId)) continue;
    const taken = Date.parse(message.at);
    if (taken > at + UNDER_WAY_MS) return taken;
  }
  return NaN;
}

/** Linux counts the peak itself. */
async function peakMemoryMiB(pid: number | null): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN) / 1024);
}

async function describeWorkflows(site: Site): Promise<{ workflows: number; maxHistoryEvents: number }> {
  const { temporal } = site.installation.services;
  const connection = await Connection.connect(temporal.connection);
  try {
    const client = new Client({ connection, namespace: temporal.namespace });
    let workflows = 0;
    let maxHistoryEvents = 0;
    for await (const { workflowId, runId } of client.workflow.list()) {
      workflows += 1;
      const { historyLength } = await client.workflow.getHandle(workflowId, runId).describe();
      maxHistoryEvents = Math.max(maxHistoryEvents, historyLength);
    }
    return { workflows, maxHistoryEvents };
  } finally {
    await connection.close();
  }
}
