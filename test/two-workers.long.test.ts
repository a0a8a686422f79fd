/**
 * The shape of docker-compose.yml by processes: PostgreSQL, a Temporal server on it, the web, two workers. (Long: where no
 * Temporal server is cached it must be built first.)
 */
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startInstallation, type Installation } from '../cli/installation.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { environment, openFixture, query, type Fixture } from '../runtime/testing.ts';
import { queuesOf } from '../worker/queues.ts';
import { carryToTheEnd, verdictOf } from './harness/crash-site.ts';
import { plantDistrict } from './harness/crash-tree.ts';

const BUILD_MS_MAX = 20 * 60_000;
const SCHEMA = 'topology';

let fixture: Fixture;
let installation: Installation;
let database: Database;
let client: Client;
beforeAll(async () => {
  fixture = openFixture();
  installation = await startInstallation({
    purpose: 'topology',
    schema: SCHEMA,
    temporal: 'postgres',
    workers: 2,
    sandbox: true,
    log: (line) => process.stderr.write(`[topology] ${line}\n`),
    env: environment(fixture.folder),
  });
  const { postgres, temporal } = installation.services;
  database = openDatabase({ url: postgres.url, schema: SCHEMA });
  await plantDistrict(database, {
    townships: 4,
    villagesPerTownship: 4,
    groupsPerVillage: 5,
    householdsPerGroup: 20,
  });
  const connection = await Connection.connect(temporal.connection);
  client = new Client({ connection, namespace: temporal.namespace });
}, BUILD_MS_MAX);
afterAll(async () => {
  await client?.connection.close();
  await database?.close();
  await installation?.stop();
  await fixture.end();
});

it("keeps Temporal's tables in databases beside ours", async () => {
  expect(installation.services.temporal.store).toBe('PostgreSQL');
  const found = await query(installation.services, 'select datname from pg_database order by datname');
  expect(found.map(({ datname }) => datname)).toEqual(
    expect.arrayContaining(['fenghuo', 'fenghuo_temporal', 'fenghuo_visibility']),
  );
});

it('has both workers at every queue', async () => {
  const { cells, pages } = queuesOf(SCHEMA, 'exercise');
  for (const [taskQueue, type] of [
    [cells, 1],
    [pages.officials.sms, 2],
    [pages.households.sms, 2],
  ] as const) {
    const pids = await waitUntil(
      async () => {
        const described = await client.workflowService.describeTaskQueue({
          namespace: client.options.namespace,
          taskQueue: { name: taskQueue },
          taskQueueType: type,
        });
        const polling = new Set(described.pollers?.map(({ identity }) => Number(identity?.split('@')[0])));
        return polling.size === 2 && polling;
      },
      { deadlineMs: 30_000, what: `two pollers of ${taskQueue}` },
    );
    expect(pids).toEqual(new Set(installation.workers.map(({ pid }) => pid)));
  }
});

it('carries a warning to its end, nothing lost, also when one worker is killed on the way', async () => {
  const { warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['区'],
    issuer: '城气象台',
    expires: '+6h',
    speed: 60,
  });
  await waitUntil(async () => (await outcomes(warningId)) > 500, {
    deadlineMs: 60_000,
    what: '500 outcomes',
    everyMs: 5,
  });
  process.kill(installation.workers[0]?.pid ?? 0, 'SIGKILL');
  const view = await carryToTheEnd(database, warningId);
  expect(view.warning.status).toBe('cancelled');
  const { ledgerDirectory } = installation;
  const { counts, wrongs } = await verdictOf({ database, ledgerDirectory, warningId, what: 'two workers' });
  expect(wrongs).toEqual({});
  expect(counts.reached).toBeGreaterThan(1_500);
});

async function outcomes(warningId: number): Promise<number> {
  const rows = await database.query('select from deliveries where warning_id = $1', [warningId]);
  return rows.length;
}
