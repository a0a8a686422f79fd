/**
 * The drill of docs/operations.md: a backup in the middle of a warning, an installation that goes on and is lost, and the backup
 * restored beside it. The far side is one and the same, so it saw both. (The restored schema has a name of its own, and with it
 * task queues and workflows of its own, as a restored installation has on a fresh Temporal.)
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { readWarnings } from '../db/warnings.ts';
import { declareRestored } from '../operations/restored.ts';
import { judge, type Invariant } from '../operations/referee.ts';
import { cancelWarning, issueWarning, viewWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { startWorker, type RunningWorker } from '../worker/worker.ts';
import { restoreBackup, takeBackup, type Backup } from './harness/backup.ts';
import { plantDistrict } from './harness/crash-tree.ts';
import { broken, startStack, type Stack } from './harness/stack.ts';

let stack: Stack;
let worker: RunningWorker | undefined;
let restored: Database | undefined;
beforeAll(async () => {
  stack = await startStack('restore', { model: { neverAnswersShare: 1, cannotActShare: 0 } });
  await plantDistrict(stack.database, {
    townships: 3,
    villagesPerTownship: 3,
    groupsPerVillage: 8,
    householdsPerGroup: 30,
  });
});
afterAll(async () => {
  await worker?.stop();
  await restored?.close();
  await stack.stop();
});

const REQUEST = { hazard: '暴雨', level: 'red', areas: ['区'], issuer: '城气象台' };
/** The ladder waits a minute for its second rung, and what is unknown is sent again after 3 s. */
const SPEED = 5;
const OPEN_PAGES = `select from pages p where p.ended_at is null
  and p.size > (select coalesce(sum(k.size), 0) from claims k where k.page_id = p.id and k.settled_at is not null)`;

it('goes on from a backup: nothing is lost, and what the lost time sent as well is flagged', async () => {
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+6h', speed: SPEED });
  const { backup, until } = await backupWhileSending(warningId);
  await until('the lost installation to have told everyone');
  const { warningId: lostWarning } = await issueWarning(stack.database, { ...REQUEST, expires: '+6h' });

  restored = await restoreBackup(backup, `${stack.database.schema}_again`);
  expect((await restored.query(OPEN_PAGES)).length).toBeGreaterThan(0);
  // Outside a test a restore takes longer than a sign of life counts.
  await restored.query(`update liveness set at = at - interval '1 minute'`);
  const declared = await declareRestored(restored);
  expect(declared).toMatchObject({ openWarnings: 1 });
  expect(declared.possibleDuplicates).toBeGreaterThan(100);

  worker = await startWorker({
    config: { ...stack.config, FENGHUO_SCHEMA: restored.schema },
    log: () => undefined,
  });
  await untilTold(restored, warningId, 'the restored installation to have told everyone');
  await cancelWarning(restored, warningId, 'the drill is over');
  await untilSettled(restored, warningId);
  const invariants = await judge(restored, warningId, await stack.ledger(warningId));
  expect(broken(invariants)).toEqual([]);
  const { duplicates = 0, flags = 0, unflagged } = countsOf(invariants, 6);
  expect(flags).toBeGreaterThanOrEqual(duplicates);
  expect(unflagged).toBe(0);
  // What the gateway had from the lost time is found there, and nobody is told again.
  const adopted = await restored.query(
    `select from deliveries where warning_id = $1 and reason = 'adopted-by-listing'`,
    [warningId],
  );
  expect(adopted.length).toBeGreaterThan(100);

  await worker.stop();
  worker = undefined;
  const { warningId: next } = await issueWarning(restored, { ...REQUEST, expires: '+6h' });
  expect(next).toBeGreaterThan(lostWarning);
  expect((await readWarnings(restored, 10)).map((warning) => warning.warningId)).not.toContain(lostWarning);
});

it('is refused on a database on which workers work, and changes nothing there', async () => {
  const running = await stack.startWorker();
  await waitUntil(
    async () => {
      const rows = await stack.database.query(
        `select from liveness where name like 'worker%' and at > clock_timestamp() - interval '2 seconds'`,
      );
      return rows.length > 0;
    },
    { deadlineMs: 20_000, what: 'a sign of life' },
  );
  const before = await stack.database.query('select incarnation from installation');
  await expect(declareRestored(stack.database)).rejects.toMatchObject({ code: 'workers-alive' });
  expect(await stack.database.query('select incarnation from installation')).toEqual(before);
  await running.stop();
});

/** Starts the first worker, and takes the backup while pages are being sent. */
async function backupWhileSending(
  warningId: number,
): Promise<{ backup: Backup; until: (what: string) => Promise<void> }> {
  const first = await stack.startWorker();
  await waitUntil(async () => (await stack.database.query('select from deliveries limit 50')).length === 50, {
    deadlineMs: 30_000,
    what: 'the first outcomes',
    everyMs: 2,
  });
  const backup = await takeBackup(stack.database, stack.config.DATABASE_URL);
  return {
    backup,
    until: async (what) => {
      await untilTold(stack.database, warningId, what);
      await first.stop();
    },
  };
}

async function untilTold(database: Database, warningId: number, what: string): Promise<void> {
  await waitUntil(
    async () => {
      const { tiers } = await viewWarning(database, warningId);
      const told = tiers.length > 0 && tiers.every((tier) => tier.told === tier.units);
      const open = await database.query(`${OPEN_PAGES} union all select from retries`);
      return told && open.length === 0;
    },
    { deadlineMs: 50_000, what, everyMs: 100 },
  );
}

async function untilSettled(database: Database, warningId: number): Promise<void> {
  await waitUntil(async () => (await viewWarning(database, warningId)).settled, {
    deadlineMs: 60_000,
    what: 'the warning to close',
    everyMs: 100,
  });
}

function countsOf(invariants: readonly Invariant[], number: number): Record<string, number> {
  return Object.assign(
    {},
    ...invariants.filter((one) => one.number === number).map(({ counts }) => counts),
  ) as Record<string, number>;
}
