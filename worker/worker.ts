/**
 * The worker's composition root: configuration → pools → channels → activities → Temporal workers and the ringer.
 * Any number of these processes may run; each polls the queues of one kind of warning only.
 */
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Client, Connection } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import {
  createDrillActivities,
  createPageActivities,
  createProveActivities,
  createStepActivities,
} from '../activities/activities.ts';
import { configuredSenders, namespaceOf, temporalOf, type Config } from '../config.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { sayServing } from '../db/kinds.ts';
import { createStepStore } from '../db/step-store.ts';
import { FenghuoError } from '../domain/errors.ts';
import { CHANNELS } from '../domain/rules.ts';
import type { Lane } from '../workflows/cell-loop.ts';
import { LANES, queuesOf } from './queues.ts';
import { exporter, messageCounter } from './metrics.ts';
import { ownSign, startPulse } from './pulse.ts';
import { startRecorder } from './recorder.ts';
import { startRinger } from './ringer.ts';
import { startSenders, type Senders } from './senders.ts';
import { bindToKind, type BoundConfig } from './wall.ts';

/** Pages one worker sends at once, by lane and channel. */
const PAGES_AT_ONCE: Record<Lane, number> = { officials: 4, households: 2 };

/** Cells that one worker steps, or replays, at once. They share one thread: more of them only makes smaller steps (docs/adr/0035). */
const STEPS_AT_ONCE = 3;

/** For steps, the ringer and signs of life; the senders have their own. */
const CONNECTIONS = 12;

/** Writes down what one time of a schedule of drills leads to. */
export type WishDrill = (database: Database, due: { scheduleId: number; dueAt: number }) => Promise<unknown>;

export type RunningWorker = {
  /** Resolves when the worker has stopped; rejects where it failed. */
  readonly done: Promise<void>;
  stop(): Promise<void>;
};

/**
 * Starts a worker with all queues of its kind, and its ringer. PostgreSQL has to answer: nothing starts before it is known that all
 * senders are of this kind.
 */
export async function startWorker(input: {
  config: Config;
  /** By which a drill reaches people who agreed. @default null, there are none */
  account?: Config | null;
  log: (line: string) => void;
  /** What is done when the time of a scheduled drill has come. Left out: another worker does it. */
  wishDrill?: WishDrill;
  /** Workflows kept in memory; 0 replays every one at every task, which the tests use to find nondeterminism. */
  maxCachedWorkflows?: number;
}): Promise<RunningWorker> {
  const { log } = input;
  installRuntime(input.config, log);
  keepNoStacks();
  keepHeapsShort();
  const database = openDatabase({
    url: input.config.DATABASE_URL,
    schema: input.config.FENGHUO_SCHEMA,
    indexesOnly: true,
    connectionsMost: CONNECTIONS,
  });
  // What stays open would keep a process alive that could not start.
  const orUndo = async <T>(starting: Promise<T>, undo: () => Promise<void>): Promise<T> =>
    starting.catch(async (error: unknown) => {
      await undo();
      throw error;
    });
  const [config, account] = await orUndo(bindBoth(input, database), () => database.close());
  const { serves } = config;
  const namespace = namespaceOf(config, serves);
  const connection = await orUndo(connectWorker(config), () => database.close());
  const clientConnection = await Connection.connect(temporalOf(config));
  const client = new Client({ connection: clientConnection, namespace });
  const disconnect = async () => {
    await database.close();
    await clientConnection.close();
    await connection.close();
  };
  const senders = await orUndo(
    startSenders({ config, account, log, onOutcomes: messageCounter(config) }),
    disconnect,
  );
  const creating = createWorkers({
    config,
    connection,
    database,
    senders,
    wishDrill: input.wishDrill,
    maxCached: input.maxCachedWorkflows,
  });
  const workers = await orUndo(creating, async () => {
    await senders.close();
    await disconnect();
  });
  const name = ownSign(serves);
  const said = {
    name,
    kind: serves,
    part: 'worker',
    namespace,
    publicUrl: config.FENGHUO_PUBLIC_URL,
  } as const;
  await orUndo(sayServing(database, { ...said, senders: configuredSenders(config) }), async () => {
    await senders.close();
    await disconnect();
  });
  const ringer = startRinger({ database, client, kind: serves, log });
  const recorder = startRecorder({ database, config, log });
  const pulse = startPulse({ database, connection: clientConnection, namespace, name });
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) => worker.run());
  // Without its senders a worker is of no use: it ends, and is started anew.
  void senders.ended.then(stop);
  const close = async () => {
    pulse.stop();
    await recorder.stop();
    await ringer.stop();
    await senders.close();
    await disconnect();
    if (!(await senders.ended)) throw new Error('The thread that sends ended by itself.');
  };
  const done = Promise.all(runs).then(close, async (error: unknown) => {
    // One that failed takes the others with it: half a worker would hold up what it does not do.
    stop();
    await Promise.allSettled(runs);
    await close();
    throw error;
  });
  return {
    done,
    stop: async () => {
      stop();
      await done;
    },
  };
}

async function bindBoth(
  { config, account = null }: { config: Config; account?: Config | null },
  database: Database,
): Promise<[BoundConfig, BoundConfig | null]> {
  const own = await bindToKind(config, database);
  return [own, account && (await bindToKind(account, database))];
}

async function createWorkers(input: {
  config: BoundConfig;
  connection: NativeConnection;
  database: Database;
  senders: Senders;
  wishDrill: WishDrill | undefined;
  maxCached: number | undefined;
}): Promise<Worker[]> {
  const { config, connection, wishDrill } = input;
  const { serves } = config;
  const queues = queuesOf(config.FENGHUO_SCHEMA, serves);
  const shared = {
    connection,
    namespace: namespaceOf(config, serves),
    shutdownGraceTime: '10 seconds',
  } as const;
  const cells = Worker.create({
    ...shared,
    taskQueue: queues.cells,
    workflowBundle: await workflowBundle(),
    activities: {
      ...createStepActivities({ store: createStepStore(input.database), serves }),
      ...createProveActivities({ prove: (which) => input.senders.prove(which) }),
      // Drills are Exercises: whoever serves actual warnings asks for none.
      ...(serves === 'exercise' &&
        wishDrill &&
        createDrillActivities({ wish: (due) => wishDrill(input.database, due) })),
    },
    // A killed worker's sticky queue holds its cells back for this long.
    stickyQueueScheduleToStartTimeout: '2 seconds',
    // One for each step that runs: replayed a few at a time, long histories are through before Temporal gives up on them.
    maxConcurrentWorkflowTaskExecutions: STEPS_AT_ONCE,
    maxConcurrentLocalActivityExecutions: STEPS_AT_ONCE,
    ...(input.maxCached === undefined ? {} : { maxCachedWorkflows: input.maxCached }),
  });
  const pages = LANES.flatMap((lane) =>
    CHANNELS.map((channel) =>
      Worker.create({
        ...shared,
        taskQueue: queues.pages[lane][channel],
        activities: createPageActivities({
          serves,
          send: (pageId) => input.senders.send(channel, pageId),
        }),
        maxConcurrentActivityTaskExecutions: PAGES_AT_ONCE[lane],
      }),
    ),
  );
  return Promise.all([cells, ...pages]);
}

async function connectWorker(config: Config): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(temporalOf(config));
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

/**
 * Temporal's SDK keeps the stack of every promise that a workflow makes, mapped to its source, for its stack trace query: most of
 * the 12 ms of processor time that a step took in the workflow thread. Ours is always in the same loop, and contexts that are
 * made from here on, as workflows' are, keep no stacks. Errors of workflows lose theirs, and keep name and message.
 */
function keepNoStacks(): void {
  setFlagsFromString('--stack-trace-limit=0');
}

/**
 * V8 lets a heap grow to four times of what lived when it was last cleared as a whole, and each thread has its own. At twice as much a
 * worker takes some 550 MiB for a city instead of 715 to 735, for a twentieth more of its processor time (the city told after 51 to 55 s;
 * 48 to 52). At one and a half times 469 MiB, for a tenth.
 */
function keepHeapsShort(): void {
  setFlagsFromString('--heap-growing-percent=100');
}

function noop(): void {
  // The bundler's progress is of no use to an operator.
}

/** Senders have activities only; the SDK finds that worth a warning for each. */
const EXPECTED_WARNINGS: ReadonlySet<string> = new Set([
  'No workflows registered, not polling for workflow tasks',
  'No activities registered, not polling for activity tasks',
]);

let installed = false;

/**
 * Once in a process: Temporal's metrics, and its own words to our log, from warnings upwards: a workflow that fails its tasks
 * must be seen. Messages name workflows and queues, no people.
 */
function installRuntime(config: Config, log: (line: string) => void): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} }, ...exporter(config) },
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      if (EXPECTED_WARNINGS.has(message)) return;
      log(`temporal ${level}: ${message} ${meta?.error instanceof Error ? meta.error.message : ''}`.trim());
    }),
  });
}
