/**
 * Schedules of drills in Temporal, which knows of each its times and its number; what is played stands in PostgreSQL. One drill at a
 * time: a time that comes while the one before is being asked for is passed over, as is what an outage has kept back for long.
 */
import { Client, Connection, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { namespaceOf, temporalOf, type Config } from '../config.ts';
import { CHINA_ZONE, type Instant } from '../domain/time.ts';
import { askForDrill } from '../workflows/drill.ts';
import { queuesOf } from './queues.ts';

/** What came due in an outage is made up for so long. Short: yesterday's drill does not begin at three in the morning. */
const CATCH_UP = '10 minutes';
/** https://grpc.io/docs/guides/status-codes: what was asked for cannot be. */
const INVALID_ARGUMENT = 3;

/** The next times of a schedule, and how many an outage kept back for too long. */
export type ScheduleTimes = { next: Instant[]; missed: number };

/** Starts a schedule. Gives back what Temporal does not understand of its times; then there is none. Null: it has started. */
export async function startSchedule(
  config: Config,
  { scheduleId, cron }: { scheduleId: number; cron: string },
): Promise<string | null> {
  return withClient(config, async (client) => {
    try {
      await client.schedule.create({
        scheduleId: idOf(config, scheduleId),
        spec: { cronExpressions: [cron], timezone: CHINA_ZONE },
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP },
        action: {
          type: 'startWorkflow',
          workflowType: askForDrill,
          taskQueue: queuesOf(config.FENGHUO_SCHEMA, 'exercise').cells,
          args: [{ scheduleId }],
        },
      });
      return null;
    } catch (error) {
      const why = misunderstood(error);
      if (why === null) throw error;
      return why;
    }
  });
}

/** What Temporal's client, or its server, says of times that it does not understand; null of any other error. */
function misunderstood(error: unknown): string | null {
  if (error instanceof TypeError) return error.message;
  const { cause } = error as { cause?: { code?: unknown; details?: unknown } };
  return cause?.code === INVALID_ARGUMENT ? String(cause.details) : null;
}

/** Ends a schedule; nothing happens where there is none. */
export async function endSchedule(config: Config, scheduleId: number): Promise<void> {
  await withClient(config, (client) =>
    unlessGone(client.schedule.getHandle(idOf(config, scheduleId)).delete()),
  );
}

/** The times of each, in the order asked for; null for one that Temporal does not know. */
export async function readScheduleTimes(
  config: Config,
  scheduleIds: readonly number[],
): Promise<(ScheduleTimes | null)[]> {
  return withClient(config, (client) =>
    Promise.all(
      scheduleIds.map(async (scheduleId) => {
        const described = await unlessGone(client.schedule.getHandle(idOf(config, scheduleId)).describe());
        if (described === null) return null;
        const { nextActionTimes, numActionsMissedCatchupWindow } = described.info;
        return { next: nextActionTimes.map((at) => at.getTime()), missed: numActionsMissedCatchupWindow };
      }),
    ),
  );
}

/** Its time has come, right now. */
export async function triggerSchedule(config: Config, scheduleId: number): Promise<void> {
  await withClient(config, (client) => client.schedule.getHandle(idOf(config, scheduleId)).trigger());
}

async function unlessGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

const idOf = (config: Config, scheduleId: number) => `${config.FENGHUO_SCHEMA}-drill-${scheduleId}`;

async function withClient<T>(config: Config, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect(temporalOf(config));
  try {
    return await work(new Client({ connection, namespace: namespaceOf(config, 'exercise') }));
  } finally {
    await connection.close();
  }
}
