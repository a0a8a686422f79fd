/**
 * The worker's composition root: configuration → pools → channels → activities → Temporal workers and the ringer.
 * Any number of these processes may run; each polls the queues of one kind of warning only.
 */
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { createPageActivities, createStepActivities } from '../activities/activities.ts';
import { createEmailChannel } from '../channels/email.ts';
import { createSmsGatewayChannel } from '../channels/sms-gateway.ts';
import type { Config } from '../config.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { beat } from '../db/liveness.ts';
import { createPageStore } from '../db/page-store.ts';
import { createStepStore } from '../db/step-store.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { AnswerKeys } from '../domain/links.ts';
import type { ChannelPort } from '../domain/ports.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';
import type { Lane } from '../workflows/cell-loop.ts';
import { LANES, queuesOf, type WarningKind } from './queues.ts';
import { startRinger } from './ringer.ts';

/** Pages one worker sends at once, by lane and channel. */
const PAGES_AT_ONCE: Record<Lane, number> = { officials: 4, households: 2 };
const LIVENESS_EVERY_MS = 5_000;

export type RunningWorker = {
  /** Resolves when the worker has stopped; rejects where it failed. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
};

/** The keys behind links and numbers of answers. */
export function answerKeys(config: Config): AnswerKeys {
  return [{ id: '1', secret: config.FENGHUO_SECRET }];
}

/** Which warnings this configuration may carry: live senders never see an Exercise, stand-ins nothing else. */
export function kindServed(config: Config): WarningKind {
  return config.FENGHUO_CHANNELS === 'live' ? 'actual' : 'exercise';
}

/** Starts a worker with all queues of its kind, and its ringer. */
export async function startWorker(input: {
  config: Config;
  log: (line: string) => void;
  /** Workflows kept in memory; 0 replays every one at every task, which the tests use to find nondeterminism. */
  maxCachedWorkflows?: number;
}): Promise<RunningWorker> {
  const { config, log } = input;
  const kind = kindServed(config);
  logOnce(log);
  const connection = await connectWorker(config);
  const clientConnection = await Connection.connect({ address: config.TEMPORAL_ADDRESS });
  const client = new Client({ connection: clientConnection, namespace: config.TEMPORAL_NAMESPACE });
  const steps = openDatabase({ url: config.DATABASE_URL, schema: config.FENGHUO_SCHEMA, connectionsMost: 8 });
  const pages = openDatabase({
    url: config.DATABASE_URL,
    schema: config.FENGHUO_SCHEMA,
    connectionsMost: 12,
  });
  const channels = createChannels(config, log);
  const workers = await createWorkers({
    config,
    kind,
    connection,
    steps,
    pages,
    channels,
    maxCached: input.maxCachedWorkflows,
  });
  const ringer = startRinger({ database: pages, client, kind, log });
  const pulse = beatRegularly(pages, `worker ${kind} ${process.pid}`);
  const running = Promise.all(workers.map((worker) => worker.run()));
  const close = async () => {
    clearInterval(pulse);
    await ringer.stop();
    await Promise.all(channels.map((channel) => channel.close()));
    await Promise.all([steps.close(), pages.close()]);
    await clientConnection.close();
    await connection.close();
  };
  const done = running.then(close, async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    done,
    stop: async () => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await done;
    },
  };
}

/** A sign of life at once and then every few seconds; while PostgreSQL is away there is none, and that is right. */
function beatRegularly(database: Database, name: string): NodeJS.Timeout {
  const once = () => void beat(database, name).catch(() => undefined);
  once();
  return setInterval(once, LIVENESS_EVERY_MS);
}

async function createWorkers(input: {
  config: Config;
  kind: WarningKind;
  connection: NativeConnection;
  steps: Database;
  pages: Database;
  channels: ChannelPort[];
  maxCached: number | undefined;
}): Promise<Worker[]> {
  const { config, connection } = input;
  const queues = queuesOf(config.FENGHUO_SCHEMA, input.kind);
  const shared = {
    connection,
    namespace: config.TEMPORAL_NAMESPACE,
    shutdownGraceTime: '10 seconds',
  } as const;
  const cells = Worker.create({
    ...shared,
    taskQueue: queues.cells,
    workflowBundle: await workflowBundle(),
    activities: createStepActivities({ store: createStepStore(input.steps) }),
    // A killed worker's sticky queue holds its cells back for this long.
    stickyQueueScheduleToStartTimeout: '2 seconds',
    maxConcurrentLocalActivityExecutions: 6,
    ...(input.maxCached === undefined ? {} : { maxCachedWorkflows: input.maxCached }),
  });
  const senders = LANES.flatMap((lane) =>
    input.channels.map((channel) =>
      Worker.create({
        ...shared,
        taskQueue: queues.pages[lane][channel.channel],
        activities: createPageActivities({
          store: createPageStore(input.pages),
          channel,
          keys: answerKeys(config),
          publicUrl: config.FENGHUO_PUBLIC_URL,
        }),
        maxConcurrentActivityTaskExecutions: PAGES_AT_ONCE[lane],
      }),
    ),
  );
  return Promise.all([cells, ...senders]);
}

function createChannels(config: Config, log: (line: string) => void): ChannelPort[] {
  const live = config.FENGHUO_CHANNELS === 'live';
  return CHANNELS.map((channel) => {
    const configured = createChannel(channel, config, live);
    if (!configured)
      log(
        `The channel ${channel} is not configured: its messages are tried again a few times, then the next rung begins.`,
      );
    return configured ?? createMissingChannel(channel, live);
  });
}

function createChannel(channel: Channel, config: Config, live: boolean): ChannelPort | null {
  switch (channel) {
    case 'email':
      if (!config.FENGHUO_SMTP_URL) return null;
      return createEmailChannel({ url: config.FENGHUO_SMTP_URL, from: config.FENGHUO_SMTP_FROM, live });
    case 'sms':
      if (!config.FENGHUO_GATEWAY_URL || !config.FENGHUO_GATEWAY_SECRET) return null;
      return createSmsGatewayChannel({
        url: config.FENGHUO_GATEWAY_URL,
        secret: config.FENGHUO_GATEWAY_SECRET,
        signature: config.FENGHUO_ISSUER,
        live,
      });
    default:
      return channel satisfies never;
  }
}

/** Without it the pages of a channel that nobody configured would wait for ever, and so would the people. */
function createMissingChannel(channel: Channel, live: boolean): ChannelPort {
  return {
    channel,
    live,
    concurrency: 64,
    messageTimeoutMs: 1_000,
    send: async () => ({ outcome: 'later', reason: 'channel-not-configured' }),
    close: async () => undefined,
  };
}

async function connectWorker(config: Config): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect({ address: config.TEMPORAL_ADDRESS });
  } catch (cause) {
    throw new FenghuoError({
      code: 'temporal-unreachable',
      refusal: 'unreachable',
      sentence: `Temporal does not answer at ${config.TEMPORAL_ADDRESS}. Start everything with \`npx fenghuo up\`, or set TEMPORAL_ADDRESS.`,
      cause,
    });
  }
}

let bundle: Promise<WorkflowBundleWithSourceMap> | undefined;

/** Bundles the workflows once per process. */
export function workflowBundle(): Promise<WorkflowBundleWithSourceMap> {
  const quiet = { trace: noop, debug: noop, info: noop, warn: noop, error: noop, log: noop };
  bundle ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/workflows.ts', import.meta.url)),
    logger: quiet,
  });
  return bundle;
}

function noop(): void {
  // The bundler's progress is of no use to an operator.
}

/** Senders have activities only; the SDK finds that worth a warning for each. */
const EXPECTED_WARNINGS: ReadonlySet<string> = new Set([
  'No workflows registered, not polling for workflow tasks',
  'No activities registered, not polling for activity tasks',
]);

let quieted = false;

/**
 * Temporal's own words to our log, from warnings upwards: a workflow that fails its tasks must be seen. Messages name
 * workflows and queues, no people.
 */
function logOnce(log: (line: string) => void): void {
  if (quieted) return;
  quieted = true;
  Runtime.install({
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      if (EXPECTED_WARNINGS.has(message)) return;
      log(`temporal ${level}: ${message} ${meta?.error instanceof Error ? meta.error.message : ''}`.trim());
    }),
  });
}
