/**
 * `npm run record-histories`: plays small warnings on servers of its own and writes the histories of their cells to
 * test/histories/, for histories.test.ts to replay. To be run again after every change of the workflow that is meant; what
 * breaks running workflows needs `patched` instead. Takes about a minute.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { cancelWarning, issueWarning } from '../operations/warnings.ts';
import { instanceOf } from '../runtime/places.ts';
import { freePort, waitUntil } from '../runtime/processes.ts';
import { startServices, type Services } from '../runtime/services.ts';
import { inspectServer } from '../runtime/temporal.ts';
import { findTemporal } from '../runtime/temporal-binary.ts';
import { doorbell } from '../workflows/cell.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { startStack, type Stack } from './harness/stack.ts';

const FOLDER = new URL('./histories/', import.meta.url);
const PURPOSE = 'record';

/** Far below the server's own 4,096, so that a run that leaves for a new one is a small file. */
const EVENTS_OF_A_RUN = 160;

const REQUEST = { hazard: '暴雨', level: 'red', areas: ['城'], issuer: '城气象台' };

type Recorder = {
  stack: Stack;
  client: Client;
  /** The workflow of the district's cell, whose pages go to townships, villages, groups and households. */
  workflowOf: (warningId: number) => Promise<string>;
  keep: (name: string, workflowId: string, runId?: string) => Promise<void>;
};

async function main(): Promise<void> {
  const env = { ...process.env };
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const binary = await findTemporal({ instance: instanceOf({ purpose: PURPOSE, env }), env, log: say });
  const port = await freePort();
  const temporal = spawn(binary.file, [
    ...[
      'server',
      'start-dev',
      '--headless',
      '--ip',
      '127.0.0.1',
      '--port',
      String(port),
      '--log-level',
      'error',
    ],
    ...['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${EVENTS_OF_A_RUN}`],
  ]);
  try {
    const address = `127.0.0.1:${port}`;
    await waitUntil(() => inspectServer({ address }).catch(() => null), {
      ...{ deadlineMs: 20_000, what: 'Temporal to answer' },
    });
    const services = await startServices({
      purpose: PURPOSE,
      log: say,
      env: { ...env, TEMPORAL_ADDRESS: address },
    });
    await recordOn(services, say).finally(() => services.stop());
  } finally {
    temporal.kill();
  }
}

async function recordOn({ postgres, temporal }: Services, say: (line: string) => void): Promise<void> {
  const { address, namespace } = temporal;
  Object.assign(process.env, {
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    FENGHUO_SECRET: randomBytes(24).toString('hex'),
  });
  const connection = await Connection.connect({ address });
  await record(new Client({ connection, namespace }), say).finally(() => connection.close());
}

async function record(client: Client, say: (line: string) => void): Promise<void> {
  const stack = await startStack('histories', { model: { neverAnswersShare: 0.3 } });
  await plantSmallTree(stack.database);
  const worker = await stack.startWorker();
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  const recorder: Recorder = {
    stack,
    client,
    workflowOf: (warningId) => workflowOf(stack, warningId),
    keep: async (name, workflowId, runId) => {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const file = new URL(`${name}.json`, FOLDER);
      await writeFile(file, `${JSON.stringify({ workflowId, history: scrub(plain(history)) }, null, 1)}\n`);
      say(`${name}: ${history.events?.length ?? 0} events`);
    },
  };
  try {
    await expired(recorder);
    await cancelledAfterRetries(recorder);
    await unfinished(recorder);
    await continuedAsNew(recorder);
    say(`Written: ${(await readdir(FOLDER)).join(', ')}`);
  } finally {
    await worker.stop();
    await stack.stop();
  }
}

/** A warning that climbs its ladder and expires: steps, pages of both channels, deadlines, doorbells. */
async function expired({ stack, workflowOf, keep }: Recorder): Promise<void> {
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+25m', speed: 1_000 });
  await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
  await keep('finished', await workflowOf(warningId));
}

/** A page whose activity fails until PostgreSQL has its table back, then a cancel with its all-clear. */
async function cancelledAfterRetries({ stack, client, workflowOf, keep }: Recorder): Promise<void> {
  await stack.database.query('alter table claims rename to claims_away');
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+6h' });
  const workflowId = await waitUntil(() => workflowOf(warningId).catch(() => null), {
    ...{ deadlineMs: 20_000, what: 'the cell to be there' },
  });
  await waitUntil(
    async () => {
      const described = await client.workflow
        .getHandle(workflowId)
        .describe()
        .catch(() => null);
      return described?.raw.pendingActivities?.some(({ attempt }) => (attempt ?? 0) > 1);
    },
    { deadlineMs: 30_000, what: 'a page to be tried again' },
  );
  await stack.database.query('alter table claims_away rename to claims');
  await stack.until(warningId, 'everyone to be told', ({ tiers }) =>
    tiers.every((tier) => tier.told === tier.units),
  );
  await cancelWarning(stack.database, warningId, null);
  await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
  await keep('cancelled-after-a-retried-page', workflowId);
}

/** A cell in the middle: its pages are with a channel that hangs, and it waits for a timer. */
async function unfinished({ stack, client, workflowOf, keep }: Recorder): Promise<void> {
  stack.sandbox.setFaults({ sms: { hangShare: 1 } });
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+6h' });
  const workflowId = await waitUntil(() => workflowOf(warningId).catch(() => null), {
    ...{ deadlineMs: 20_000, what: 'the cell to be there' },
  });
  await waitUntil(
    async () => {
      const handle = client.workflow.getHandle(workflowId);
      const described = await handle.describe().catch(() => null);
      const events = (await handle.fetchHistory().catch(() => null))?.events ?? [];
      return (
        described?.raw.pendingActivities?.length && events.some((event) => event.timerStartedEventAttributes)
      );
    },
    { deadlineMs: 20_000, what: 'pages under way and a timer' },
  );
  await keep('unfinished', workflowId);
  stack.sandbox.setFaults({});
  await cancelWarning(stack.database, warningId, null);
}

/** A run that grew long and left for a new one, and the new one, still open. */
async function continuedAsNew({ stack, client, workflowOf, keep }: Recorder): Promise<void> {
  const { warningId } = await issueWarning(stack.database, { ...REQUEST, expires: '+6h' });
  await stack.until(warningId, 'everyone to be told', ({ tiers }) =>
    tiers.every((tier) => tier.told === tier.units),
  );
  const workflowId = await workflowOf(warningId);
  const handle = client.workflow.getHandle(workflowId);
  const { runId: first } = await handle.describe();
  const next = await waitUntil(
    async () => {
      await handle.signal(doorbell);
      const { runId } = await handle.describe();
      return runId !== first && runId;
    },
    { deadlineMs: 60_000, what: 'a new run', everyMs: 30 },
  );
  await keep('continued-as-new', workflowId, first);
  await waitUntil(
    async () => {
      const { events } = await client.workflow.getHandle(workflowId, next).fetchHistory();
      return events?.some((event) => event.timerStartedEventAttributes);
    },
    { deadlineMs: 20_000, what: 'the new run to wait' },
  );
  await keep('the-run-after', workflowId, next);
  await cancelWarning(stack.database, warningId, null);
  await stack.until(warningId, 'the warning to close', ({ settled }) => settled);
}

async function workflowOf(stack: Stack, warningId: number): Promise<string> {
  const [cell] = await stack.database.query<{ id: number }>(
    `select c.id from cells c join units u on u.id = c.unit_id where c.warning_id = $1 and u.name = '区' and c.steps > 0`,
    [warningId],
  );
  if (!cell) throw new RangeError(`W${warningId} has no cell that was stepped`);
  return `${stack.config.FENGHUO_SCHEMA}-w${warningId}-c${cell.id}-i1`;
}

/** As a replay takes it: numbers for enums and ids, base64 for bytes. */
function plain(history: object): string {
  const type = history.constructor as unknown as {
    toObject(message: object, options: { longs: typeof Number; bytes: typeof String }): object;
  };
  return JSON.stringify(type.toObject(history, { longs: Number, bytes: String }));
}

/** Who ran it, where, and the lines of the code at that time are nobody's business, and would differ at each recording. */
function scrub(json: string): unknown {
  const mine = new RegExp(`\\d*@?${hostname().replaceAll(/\W/g, '.')}`, 'g');
  return JSON.parse(json, (key, value: unknown) => {
    if (key === 'identity') return 'worker';
    if (key === 'stackTrace') return '';
    return typeof value === 'string' ? value.replaceAll(mine, 'worker') : value;
  });
}

await main();
