/** The web process is killed while a warning runs: nobody is chased because their answer could not get in. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../config.ts';
import type { Database } from '../db/database.ts';
import { judge } from '../operations/referee.ts';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { freePort, waitUntil } from '../runtime/processes.ts';
import { readLedger } from '../sandbox/ledger.ts';
import { startSandbox, type Sandbox } from '../sandbox/sandbox.ts';
import { startWorker, type RunningWorker } from '../worker/worker.ts';
import { testDatabase } from './database.ts';
import { startOwner, type Owner } from './harness/crash-owner.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { broken } from './harness/stack.ts';

/** At this speed a rung waits for ten seconds, and people answer four seconds after they were told. */
const SPEED = 30;
const PEOPLE = {
  neverAnswersShare: 0.4,
  cannotActShare: 0,
  wokenShare: { sms: 1, email: 1 },
  medianDelayMinutes: 2,
  delaySigma: 0,
};

let database: Database;
let environment: Record<string, string>;
let directory: string;
let sandbox: Sandbox;
let worker: RunningWorker;
const webs: Owner[] = [];

beforeAll(async () => {
  database = await testDatabase('outage');
  await plantSmallTree(database);
  directory = await mkdtemp(join(tmpdir(), 'fenghuo-outage-'));
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const secret = 'a gateway secret of the tests';
  sandbox = await startSandbox({
    ...{ directory, repliesUrl: `${publicUrl}/gateway/replies`, secret, seed: 'outage', model: PEOPLE },
    log: () => undefined,
  });
  environment = {
    FENGHUO_SCHEMA: database.schema,
    FENGHUO_WEB_PORT: String(port),
    FENGHUO_PUBLIC_URL: publicUrl,
    FENGHUO_SMTP_URL: sandbox.smtpUrl,
    FENGHUO_GATEWAY_URL: sandbox.gatewayUrl,
    FENGHUO_GATEWAY_SECRET: secret,
  };
  const config = readConfig({ ...process.env, ...environment });
  worker = await startWorker({ config, log: () => undefined });
});
afterAll(async () => {
  for (const web of webs) await web.kill();
  await worker.stop();
  await sandbox.stop();
  await database.close();
  await rm(directory, { recursive: true, force: true });
});

async function startWeb(): Promise<Owner> {
  const web = startOwner(['web'], { ...process.env, ...environment });
  webs.push(web);
  await web.ready();
  return web;
}

async function units(warningId: number) {
  return database.query<{ name: string; rung: number; told: boolean; answered: boolean; extendedMs: number }>(
    `select u.name, s.rung, s.told_at is not null as told, s.answered_at is not null as answered,
       coalesce((s.state->>'extendedMs')::float8, 0) + coalesce((s.state->>'extendedBeforeMs')::float8, 0) as "extendedMs"
     from unit_states s join units u on u.id = s.unit_id where s.warning_id = $1 order by u.id`,
    [warningId],
  );
}

async function until(
  what: string,
  warningId: number,
  holds: (unit: Awaited<ReturnType<typeof units>>[number]) => boolean,
) {
  return waitUntil(
    async () => {
      const all = await units(warningId);
      return all.length === 8 && all.every(holds) && all;
    },
    { deadlineMs: 60_000, what, everyMs: 100 },
  );
}

it('extends the deadlines by the outage, and chases only who stays silent after it', async () => {
  const web = await startWeb();
  const { warningId } = await issueWarning(database, {
    ...{ hazard: '暴雨', level: 'red', areas: ['城'], issuer: '城气象台', expires: '+6h', speed: SPEED },
  });
  await until('everybody to be told', warningId, ({ told }) => told);
  await web.kill();
  const waiting = await until('every deadline to be put off', warningId, ({ extendedMs }) => extendedMs > 0);
  expect(waiting.map(({ rung, answered }) => [rung, answered])).toEqual(waiting.map(() => [0, false]));

  await startWeb();
  const after = await until(
    'each to answer or be chased',
    warningId,
    ({ rung, answered }) => answered || rung > 0,
  );
  const ofRung = (answered: boolean) => after.filter((unit) => unit.answered === answered);
  expect(ofRung(true).length).toBeGreaterThan(0);
  expect(ofRung(false).length).toBeGreaterThan(0);
  expect(ofRung(true).filter(({ rung }) => rung > 0)).toEqual([]);

  // The second rungs have left, so that the referee has something to judge.
  await waitUntil(
    async () =>
      (await database.query("select from deliveries where purpose = 'rung' and step = 1")).length > 0,
    { deadlineMs: 30_000, what: 'the second rung to be sent' },
  );
  const outages = await database.query('select from intake_outages');
  expect(outages).toHaveLength(1);
  await cancelWarning(database, warningId, 'the test is over');
  const ledger = await readLedger(directory, { warningId: String(warningId) });
  const judged = await judge(database, warningId, ledger);
  expect(broken(judged).filter(({ number }) => number === 7)).toEqual([]);
  expect(judged.find(({ number }) => number === 7)?.counts['escalations']).toBeGreaterThan(0);
});
