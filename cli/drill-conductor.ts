/**
 * Conducting a drill: its schema and processes are made ready, its story is played, its processes end. Whoever is killed in the middle
 * is followed by the next one: all that counts stands in PostgreSQL.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporalOf } from '../config.ts';
import { openDatabase, type Database } from '../db/database.ts';
import { isActualSending, showLiveFirst } from '../db/live-first.ts';
import { drillsAtOnceMost } from '../db/drill-schema.ts';
import {
  conductAlone,
  countConducted,
  keepReport,
  markFailed,
  markOver,
  markResumed,
  markStarted,
  readNow,
  readStopWish,
} from '../db/drills.ts';
import type { DrillClock } from '../domain/drill-clock.ts';
import type { DrillReport } from '../domain/drill-report.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { Cast } from '../domain/rehearsal/cast.ts';
import type { Channel } from '../domain/rules.ts';
import { keepWhatPeopleProved } from '../operations/drill-participants.ts';
import { castOf, senderRates, writeCast } from '../operations/drill-cast.ts';
import {
  clockOf,
  deadSince,
  goOn,
  holdStill,
  playStory,
  type Outcome,
  type Progress,
} from '../operations/drill-play.ts';
import {
  drillName,
  isOver,
  prepareSchema,
  renewPassword,
  requireDrill,
  type Drill,
} from '../operations/drills.ts';
import { reportOfDrill } from '../operations/drill-reports.ts';
import { giveWay } from '../give-way.ts';
import { inspectServer, readyNamespace } from '../runtime/temporal.ts';
import type { Context } from './context.ts';
import { readyAccount } from './drill-people.ts';
import { drillNamespace, loginUrl } from './drill-environment.ts';
import {
  DRILL_NICENESS,
  drillDirectory,
  drillProcesses,
  endOldProcesses,
  readyEnvironment,
} from './drill-processes.ts';

/** So long the people of a drill take to begin, about: the clock goes on when they are there. */
const PEOPLE_LEAD_MS = 3_000;
/** Reading a cast of so many takes a millisecond more. */
const PEOPLE_PER_MS = 100;
/** A drill whose processes die more often while one conducts it fails; somebody should look. Product choice. */
const DEATHS_MOST = 5;
/** So often somebody looks whether an actual warning is being sent: its first message leaves a fifth of a second after its issue at the earliest. */
const LIVE_LOOK_MS = 150;
/** Of the drill's own; see DRILL_CONNECTIONS_MOST. */
const CONNECTIONS_MOST = 3;
/** The lock of a conductor that was killed a moment ago is still being let go. */
const LOCK_TRIES = 10;
const LOCK_AGAIN_MS = 200;

/** How it went; the report of a drill that is over and that was played. */
export type Conducted = { outcome: Outcome; drill: Drill; report: DrillReport | null };

type Show = (own: Database, progress: Progress) => Promise<void>;

/**
 * Conducts a drill until it is over or `signal` aborts; null where somebody else conducts it. What fails is written down with the
 * drill, and thrown; it can be resumed or stopped then.
 */
export async function conduct(
  context: Context,
  drillId: number,
  signal: AbortSignal,
  show: Show,
): Promise<Conducted | null> {
  const live = await context.database();
  await requireTemporal(context);
  for (let tried = 1; ; tried += 1) {
    const conducted = await conductAlone(live, drillId, async (still) => {
      await requireRoom(live, drillId);
      try {
        await markResumed(live, drillId);
        return await conductLocked({ context, live, drillId, signal, show, still });
      } catch (error) {
        await markFailed(live, drillId, error instanceof Error ? error.message : String(error)).catch(
          () => undefined,
        );
        throw error;
      }
    });
    if (conducted) return conducted.result;
    if (tried === LOCK_TRIES) return null;
    await new Promise((resolve) => setTimeout(resolve, LOCK_AGAIN_MS));
  }
}

/** Live processes always find a connection to PostgreSQL: drills have no more than their part. One that is to be ended finds room. */
async function requireRoom(live: Database, drillId: number): Promise<void> {
  const { stopAskedAt, name } = await requireDrill(live, drillId);
  const [others, most] = [(await countConducted(live)) - 1, await drillsAtOnceMost(live)];
  if (stopAskedAt !== null || others < most) return;
  throw new FenghuoError({
    code: 'drills-many',
    refusal: 'conflict',
    sentence:
      `${name} does not begin: other drills run (${others}), and PostgreSQL has connections for no more of them at once beside live ` +
      `warnings. When one is over: \`fenghuo drill resume ${name}\`.`,
  });
}

/** Said before anything is written down. */
export async function requireTemporal(context: Context): Promise<void> {
  const config = await context.config();
  await inspectServer(temporalOf(config)).catch((cause: unknown) => {
    throw new FenghuoError({
      code: 'temporal-unreachable',
      refusal: 'unreachable',
      sentence: `Temporal does not answer at ${config.TEMPORAL_ADDRESS}. A drill runs on the servers of a running installation: start them with \`npx fenghuo up\` in another terminal.`,
      cause,
    });
  });
}

type Locked = {
  context: Context;
  live: Database;
  drillId: number;
  signal: AbortSignal;
  show: Show;
  still: () => Promise<boolean>;
};

async function conductLocked(input: Locked): Promise<Conducted> {
  const { context, live, drillId } = input;
  let drill = await requireDrill(live, drillId);
  if (isOver(drill.status)) return { outcome: drill.status as Outcome, drill, report: null };
  // What it starts inherits it.
  giveWay(process.pid, DRILL_NICENESS);
  const log = (line: string) => context.hint(`${drillName(drillId)} ${line}`);
  if (drill.schema !== null) await endOldProcesses(directoryOf(context, drill.schema), log);
  if (drill.startedAt === null && drill.stopAskedAt !== null) {
    // Nobody was told anything.
    await markOver(live, drillId, 'stopped');
    return { outcome: 'stopped', drill: await requireDrill(live, drillId), report: null };
  }
  const password = randomBytes(24).toString('hex');
  const account = drill.withPeople ? await readyAccount(context, drill) : null;
  const schema = await ready(input, drill, { password, agreedBy: account?.channels ?? [] });
  drill = await requireDrill(live, drillId);
  const { DATABASE_URL, FENGHUO_ISSUER: issuer } = await context.config();
  const databaseUrl = loginUrl(DATABASE_URL, schema, password);
  const own = openDatabase({ url: databaseUrl, schema, connectionsMost: CONNECTIONS_MOST });
  const directory = directoryOf(context, schema);
  const environment = await environmentOf(context, drill, schema, databaseUrl);
  const start = () => drillProcesses(directory, environment, log, account?.variables);
  try {
    const outcome = await play({ ...input, directory, drill, own }, start, issuer);
    if (outcome !== 'ended' && outcome !== 'stopped')
      return { outcome, drill: await requireDrill(live, drillId), report: null };
    drill = { ...(await requireDrill(live, drillId)), status: outcome };
    const report = await reportOfDrill(own, drill);
    await keepReport(live, drillId, report);
    if (drill.withPeople) await keepWhatPeopleProved(live, own, drillId);
    // Last: whoever is killed before it is followed by somebody who finds nothing left to play.
    await markOver(live, drillId, outcome);
    return { outcome, drill: await requireDrill(live, drillId), report };
  } finally {
    await own.close();
  }
}

/** Again and again, because the drill stands still where one of its processes dies, until all are there again. */
async function play(
  input: Omit<Beginning, 'processes'>,
  start: () => Beginning['processes'],
  issuer: string,
): Promise<Outcome> {
  for (let deaths = 0; deaths <= DEATHS_MOST; deaths += 1) {
    const drill = await requireDrill(input.live, input.drillId);
    const outcome = await playWhole({ ...input, drill, processes: start() }, issuer);
    if (outcome !== 'process gone') return outcome;
    input.context.hint(input.context.say('drillRun.processGone', { name: drill.name }));
  }
  throw new Error(
    `its processes died ${DEATHS_MOST + 1} times; their logs: ${join(input.directory, 'logs')}`,
  );
}

/** From the first process to the end of the last. */
async function playWhole(input: Beginning, issuer: string): Promise<Outcome | 'process gone'> {
  const { live, drill, own, processes, signal, still } = input;
  const giving = giveActualTheWay(live, own);
  try {
    const clock = await begin(input);
    const outcome = await playStory({
      ...{ own, drill, issuer, clock, signal, still, whole: () => processes.whole() },
      show: (progress) => input.show(own, progress),
      stopWish: () => readStopWish(live, drill.drillId),
    });
    // While its processes end nothing goes on that would have to be moved.
    if (outcome === 'interrupted') await holdStill(own);
    return outcome;
  } finally {
    try {
      await processes.stop();
    } finally {
      await giving.stop();
    }
  }
}

/** Looks for actual warnings that are being sent, and tells the drill's worker of each look that found one. */
function giveActualTheWay(live: Database, own: Database): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const done = (async () => {
    while (!signal.aborted) {
      const sending = await isActualSending(live).catch(() => false);
      if (sending) await showLiveFirst(own).catch(() => undefined);
      await sleep(LIVE_LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    stop: () => {
      stopping.abort();
      return done;
    },
  };
}

function directoryOf(context: Context, schema: string): string {
  return drillDirectory(context.env, schema);
}

/** Schema, role and namespace; gives back the schema's name. */
async function ready(
  { context, live }: Locked,
  drill: Drill,
  { password, agreedBy }: { password: string; agreedBy: readonly Channel[] },
): Promise<string> {
  const config = await context.config();
  const access = { live, ownerUrl: config.DATABASE_URL };
  const makeNamespace = readyNamespace(temporalOf(config), drillNamespace(config.TEMPORAL_NAMESPACE));
  const makeSchema = async (): Promise<string> => {
    if (drill.schema !== null && drill.startedAt !== null) {
      await renewPassword(access, drill.schema, password);
      return drill.schema;
    }
    const { schema, snapshot } = await prepareSchema(access, drill, password, agreedBy);
    context.hint(context.say('drillRun.copied', { name: drill.name, schema, ...snapshot }));
    return schema;
  };
  const [schema] = await Promise.all([makeSchema(), makeNamespace]);
  return schema;
}

async function environmentOf(
  context: Context,
  drill: Drill,
  schema: string,
  databaseUrl: string,
): Promise<Record<string, string>> {
  const config = await context.config();
  const environment = await readyEnvironment(directoryOf(context, schema), {
    parent: { ...context.env, ...(await context.environment()) },
    namespace: config.TEMPORAL_NAMESPACE,
    secret: config.FENGHUO_SECRET,
    ...{ drillId: drill.drillId, schema, databaseUrl },
  });
  return { ...environment, ...senderRates(drill.scenario, drill.speed) };
}

type Beginning = Locked & {
  directory: string;
  drill: Drill;
  own: Database;
  processes: ReturnType<typeof drillProcesses>;
};

/** Starts the processes, and the story's clock or the clock's going on; gives back the clock. */
async function begin(input: Beginning): Promise<DrillClock> {
  const { live, drill, own } = input;
  const before = await clockOf(own, drill);
  await (before ? takeUp(input, before) : beginStory(input));
  const clock = await clockOf(own, await requireDrill(live, drill.drillId));
  if (!clock) throw new Error(`${drill.name} has no beginning`);
  return clock;
}

/** The first instant of the story lies a little ahead: the people know it when they begin to live. */
async function beginStory({ live, drill, own, processes, directory }: Beginning): Promise<void> {
  const [cast] = await Promise.all([castOf(own, { ...drill, startAt: 0 }), processes.serve()]);
  const startAt = (await readNow(own)) + leadMs(cast);
  await processes.populate(await writtenCast(directory, { ...cast, startAt }));
  // Nothing has happened yet: who begins late makes the story begin late.
  await markStarted(live, drill.drillId, Math.max(startAt, await readNow(own)));
}

/** Everything is held until all processes are there; the gap ends a little ahead, for the same reason. */
async function takeUp(input: Beginning, before: DrillClock): Promise<void> {
  const { context, drill, own, processes, directory } = input;
  await holdStill(own);
  const [from] = await Promise.all([deadSince(own, before), processes.serve()]);
  const { startAt, gaps } = before;
  const cast = await castOf(own, { ...drill, startAt, gaps });
  const until = (await readNow(own)) + leadMs(cast);
  await processes.populate(await writtenCast(directory, { ...cast, gaps: [...gaps, { from, until }] }));
  // Not before the clock does: a deadline that counts from a hand-off within the gap would come too early.
  await sleep(Math.max(0, until - (await readNow(own))));
  const gap = { from, until: Math.max(until, await readNow(own)) };
  await goOn(own, gap);
  const seconds = Math.round((gap.until - gap.from) / 1_000);
  context.hint(context.say('drillRun.gap', { name: drill.name, seconds }));
}

function leadMs({ people }: Cast): number {
  return PEOPLE_LEAD_MS + people.length / PEOPLE_PER_MS;
}

/** What the stand-ins are told of the drill's people. */
async function writtenCast(directory: string, cast: Cast): Promise<Record<string, string>> {
  const file = join(directory, 'cast.jsonl');
  await writeCast(file, cast);
  return { FENGHUO_SANDBOX_CAST: file, FENGHUO_SANDBOX_SEED: String(cast.seed) };
}
