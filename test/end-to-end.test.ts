/**
 * One warning, six tiers, on real Temporal, PostgreSQL and SMTP, with people who answer; each is judged at its end. No workflow is
 * kept in memory but in the last test: every task replays its cell from the history, so what is not deterministic fails here.
 */
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { waitUntil } from '../runtime/processes.ts';
import { doorbell, status } from '../workflows/cell.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { broken, startStack, type Stack } from './harness/stack.ts';

let stack: Stack;
let client: Client;

beforeAll(async () => {
  stack = await startStack('end-to-end', { model: { neverAnswersShare: 0.3 }, maxCachedWorkflows: 0 });
  await plantSmallTree(stack.database);
  const connection = await Connection.connect({ address: stack.config.TEMPORAL_ADDRESS });
  client = new Client({ connection, namespace: stack.config.TEMPORAL_NAMESPACE });
});
afterAll(async () => {
  await client.connection.close();
  await stack.stop();
});

const REQUEST = { hazard: '暴雨', level: 'red', areas: ['城'], issuer: '城气象台' };

it('starts a warning that was accepted while no worker was there, and carries it to its end', async () => {
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+80m', speed: 200 });
  await stack.startWorker();
  const view = await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
  expect(view.warning.status).toBe('expired');
  expect(view.tiers.filter((tier) => tier.told !== tier.units)).toEqual([]);
  expect(view.tiers.reduce((sum, tier) => sum + tier.answered, 0)).toBeGreaterThan(0);
  const ledger = await stack.ledger(warningId);
  expect(ledger.messages.sms).toBeGreaterThanOrEqual(8 + 6);
  expect(broken(await stack.judge(warningId))).toEqual([]);
});

/** A warning that everyone was told of, and its cells' workflows. */
async function toldCells(): Promise<{ warningId: number; handles: WorkflowHandle[] }> {
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+6h' });
  await stack.until(warningId, 'everyone to be told', ({ tiers }) =>
    tiers.every((tier) => tier.told === tier.units),
  );
  const cells = await stack.database.query<{ id: number }>(
    'select id from cells where warning_id = $1 order by id',
    [warningId],
  );
  const cellOf = `${stack.config.FENGHUO_SCHEMA}-exercise-w${warningId}`;
  return { warningId, handles: cells.map(({ id }) => client.workflow.getHandle(`${cellOf}-c${id}-i1`)) };
}

/** The cell of the district below the small tree's city. */
const districtOf = (handles: readonly WorkflowHandle[]): WorkflowHandle => {
  const handle = handles.at(-1);
  if (!handle) throw new Error('the warning has no cell');
  return handle;
};

it('shows a cell in Temporal by its own words: search attributes, a status query, details per tier', async () => {
  const { warningId, handles } = await toldCells();
  const handle = districtOf(handles);
  const current = await waitUntil(
    async () => {
      const answer = await handle.query(status);
      return answer.tiers.length === 4 && answer;
    },
    { deadlineMs: 20_000, what: 'the counts of four tiers' },
  );
  expect(current.tiers.map(({ tier, units }) => [tier, units])).toEqual([
    ['district', 1],
    ['township', 2],
    ['village', 2],
    ['group', 2],
  ]);
  const description = await handle.describe();
  expect(description.searchAttributes).toMatchObject({
    FenghuoWarning: [`W${warningId}`],
    FenghuoLevel: ['red'],
    FenghuoKind: ['exercise'],
    FenghuoDivision: ['900100000000'],
  });
  // As an operator looks for it; Temporal lists what it has a moment later.
  const query = `FenghuoWarning = 'W${warningId}' and FenghuoDivision = '900100000000' and FenghuoLevel = 'red'`;
  const found = await waitUntil(
    async () => {
      const ids = new Set<string>();
      for await (const { workflowId } of client.workflow.list({ query })) ids.add(workflowId);
      return ids.has(handle.workflowId) && ids;
    },
    { deadlineMs: 20_000, what: 'the cell to be listed' },
  );
  // Earlier runs of the suite are there too, under the same id.
  expect([...found].filter((id) => id.startsWith(`${stack.config.FENGHUO_SCHEMA}-`))).toEqual([
    handle.workflowId,
  ]);
  const history = JSON.stringify(await handle.fetchHistory());
  expect(history).not.toMatch(/people\.example|\+86100|乡一/);
  await cancelWarning(stack.database, warningId, 'over');
  await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
  expect(broken(await stack.judge(warningId))).toEqual([]);
});

it('makes good a doorbell that was lost: the mail is noticed long before a cell looks by itself, and nothing escalates wrongly', async () => {
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+6h' });
  await stack.until(warningId, 'everyone to be told', ({ tiers }) =>
    tiers.every((tier) => tier.told === tier.units),
  );
  // The ringer marks a cell when it rings: a mark without a signal is a bell that nobody heard.
  await stack.database.query(
    `with lost as (
       update cells set rung_at = clock_timestamp(), ring_after = clock_timestamp() + interval '5 seconds'
       where warning_id = $1 returning id, unit_id)
     insert into inbox (cell_id, unit_id, priority, body)
     select lost.id, lost.unit_id, 2, '{"kind":"deadline"}'::json from lost`,
    [warningId],
  );
  // A cell by itself looks after a minute.
  await stack.until(warningId, 'the mail to be taken', ({ progress }) => progress.mail === 0, 20_000);
  const [row] = await stack.database.query<{ silent: number }>(
    'select count(silent_at)::int as silent from unit_states where warning_id = $1',
    [warningId],
  );
  expect(row?.silent).toBe(0);
  expect(broken(await stack.judge(warningId))).toEqual([]);
  await cancelWarning(stack.database, warningId, null);
});

it('lets a cell that was rung for hours go on in a new run, so that its history stays short to replay', async () => {
  const { warningId, handles } = await toldCells();
  const handle = districtOf(handles);
  const first = await handle.describe();
  await waitUntil(
    async () => {
      await handle.signal(doorbell);
      const { runId, historyLength } = await handle.describe();
      // The run that comes after it, and not at Temporal's own 4,096 events.
      expect(historyLength).toBeLessThan(1_200);
      return runId !== first.runId;
    },
    { deadlineMs: 60_000, what: 'a new run of the cell', everyMs: 1 },
  );
  await cancelWarning(stack.database, warningId, null);
  await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
  expect(broken(await stack.judge(warningId))).toEqual([]);
});

it('revives an open cell whose workflow is gone', async () => {
  const { warningId, handles } = await toldCells();
  for (const handle of handles) await handle.terminate('a test');
  await cancelWarning(stack.database, warningId, null);
  const view = await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
  expect(view.warning.status).toBe('cancelled');
  expect(broken(await stack.judge(warningId))).toEqual([]);
});

it('climbs the ladder and ends where nobody has configured a channel, instead of waiting for ever', async () => {
  const bare = await startStack('end-to-end-bare', { withoutChannels: true });
  try {
    await plantSmallTree(bare.database);
    await bare.startWorker();
    const { warningId } = await issueWarning(bare.database, { ...REQUEST, expires: '+60m', speed: 400 });
    const view = await bare.until(warningId, 'the warning to close', ({ settled }) => settled);
    expect(view.tiers.every((tier) => tier.told === 0)).toBe(true);
    expect(view.tiers.find((tier) => tier.tier === 'village')).toMatchObject({ silent: 2, escalated: 2 });
    expect(broken(await bare.judge(warningId))).toEqual([]);
  } finally {
    await bare.stop();
  }
});
