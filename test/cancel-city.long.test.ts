/**
 * A cancel at 10, 50 and 90 % of a big warning, on real servers, as `fenghuo up --sandbox` starts them: what goes out after it is only what
 * was leased, the correction reaches exactly the reached, and how soon the first one went is printed (Hawaii took 38 minutes).
 * `CANCEL_AREA=重庆市` takes the whole city instead of one district, `CANCEL_SHARES=0.9` one share alone: together they take long.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSite, type Site } from '../bench/site.ts';
import { findUnits } from '../operations/organisation-find.ts';
import { generatePopulation } from '../operations/generate-population.ts';
import { importOrganisation } from '../operations/organisation-import.ts';
import { endExercise, issueWarning, viewWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { LEASED_MS_MAX, measureCancel } from './harness/cancel-midway.ts';

const AREA = process.env.CANCEL_AREA ?? '重庆市/黔江区';
/** A carrier's pace, so that there is a middle: loopback takes a district within a second. */
const PACE = { perSecond: AREA === '重庆市' ? 5_000 : 1_000, latencyMs: 100 };
const CORRECTION_MS_GOAL = 5_000;
const SHARES = (process.env.CANCEL_SHARES ?? '0.1,0.5,0.9').split(',').map(Number);
const say = (line: string) => process.stderr.write(`[cancel] ${line}\n`);

let site: Site;

beforeAll(async () => {
  site = await startSite(
    { say, noteVersion: () => undefined },
    { name: 'cancel', server: 'dev', people: { neverAnswersShare: 1, householdAnswersShare: 0 } },
  );
  const file = await readFile(new URL('../scenarios/chongqing-units.csv', import.meta.url));
  await importOrganisation({ database: site.database, file });
  const unit = await findUnits(site.database, AREA);
  const under = AREA === '重庆市' ? {} : { villagesUnder: [unit.id], peopleUnder: [unit.id] };
  await generatePopulation({ database: site.database, seed: '1', ...under });
  await site.pace(PACE);
}, 600_000);
afterAll(() => site.stop());

/** Messages that the rung and the households' pages hold at first. */
async function planned(warningId: number): Promise<{ planned: number; sent: number }> {
  const [row] = await site.database.query<{ planned: number; sent: number }>(
    `select (select coalesce(sum(size), 0) from pages where warning_id = $1 and step = 0 and delivery_ids is null)::int as planned,
       (select count(*) from deliveries where warning_id = $1 and outcome = 'handed off')::int as sent`,
    [warningId],
  );
  return row ?? { planned: 0, sent: 0 };
}

/** All that a first run has planned: what the shares are of. */
let whole = 0;

it('tells everybody, and is lifted', async () => {
  const warningId = await issue();
  await waitUntil(
    async () => {
      const counts = await planned(warningId);
      const { progress } = await viewWarning(site.database, warningId);
      return progress.pagesOpen === 0 && progress.mail === 0 && counts.sent > 100 && (whole = counts.planned);
    },
    { deadlineMs: 240_000, what: 'the whole warning', everyMs: 500 },
  );
  await end(warningId, false);
}, 400_000);

it.each(SHARES)('is taken back at %f of it', { timeout: 400_000 }, async (share) => {
  const warningId = await issue();
  await waitUntil(async () => (await planned(warningId)).sent >= whole * share, {
    deadlineMs: 120_000,
    what: `${share} of the messages`,
    everyMs: 10,
  });
  const askedAt = await now();
  const committedAt = await end(warningId, true);
  const measured = await measureCancel(site.database, warningId, committedAt);
  say(
    `at ${share * 100} % of ${whole}: ${JSON.stringify({ commitMs: Math.round(committedAt - askedAt), ...rounded(measured) })}`,
  );
  expect(measured).toMatchObject({ sendsAfter: 0, missed: 0, needless: 0 });
  expect(measured.leasedLastMs).toBeLessThanOrEqual(LEASED_MS_MAX);
  expect(measured.firstCorrectionMs + committedAt - askedAt).toBeLessThanOrEqual(CORRECTION_MS_GOAL);
  expect((await site.judge(warningId)).broken).toEqual([]);
});

async function issue(): Promise<number> {
  const { warningId } = await issueWarning(site.database, {
    ...{ hazard: '暴雨', level: 'red', areas: [AREA], expires: '+6h', issuer: '重庆市气象台' },
  });
  return warningId;
}

async function now(): Promise<number> {
  const [row] = await site.database.query<{ now: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now',
  );
  return row?.now ?? NaN;
}

/** Ends it and waits until its cells are closed; when the end had been committed. */
async function end(warningId: number, retracted: boolean): Promise<number> {
  await endExercise(site.database, warningId, { reason: 'the test', retracted });
  const committedAt = await now();
  await waitUntil(async () => (await viewWarning(site.database, warningId)).progress.cellsOpen === 0, {
    deadlineMs: 240_000,
    what: 'all cells to close',
    everyMs: 500,
  });
  return committedAt;
}

function rounded(measured: object): object {
  return Object.fromEntries(Object.entries(measured).map(([key, value]) => [key, Math.round(Number(value))]));
}
