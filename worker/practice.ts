/** The schedule of practice: Temporal starts the round, so it survives restarts, and never runs twice at once. */
import { Client, Connection, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { kindServed, namespaceOf, temporalOf, type Config } from '../config.ts';
import { practice, type PracticeInput } from '../workflows/practice.ts';
import { queuesOf } from './queues.ts';

export type PracticeSchedule = { everyMs: number; nextAt: number | null };

type Scheduled = { config: Config; olderThanMs: number };

/** Runs one round now, and waits for its end. */
export async function practiseNow({ config, olderThanMs }: Scheduled) {
  return withClient(config, (client) =>
    client.workflow.execute(practice, {
      workflowId: `${idOf(config)}-now`,
      taskQueue: queuesOf(config.FENGHUO_SCHEMA, kindServed(config)).cells,
      args: [{ olderThanMs }],
      workflowIdConflictPolicy: 'USE_EXISTING',
    }),
  );
}

/** Makes the schedule, or moves the one that is there. */
export async function practiseEvery(input: Scheduled & { everyMs: number }): Promise<PracticeSchedule> {
  const { config, everyMs, olderThanMs } = input;
  const args: [PracticeInput] = [{ olderThanMs }];
  const spec = { intervals: [{ every: everyMs }] };
  const action = {
    type: 'startWorkflow' as const,
    workflowType: practice,
    taskQueue: queuesOf(config.FENGHUO_SCHEMA, kindServed(config)).cells,
    args,
  };
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' as const };
  return withClient(config, async (client) => {
    const handle = client.schedule.getHandle(idOf(config));
    if (await describe(client, config))
      await handle.update((previous) => ({ ...previous, spec, action, policies }));
    else await client.schedule.create({ scheduleId: idOf(config), spec, action, policies });
    return (await describe(client, config)) ?? { everyMs, nextAt: null };
  });
}

/** Ends the schedule; false where there was none. */
export async function practiseNoMore(config: Config): Promise<boolean> {
  return withClient(config, async (client) => {
    if (!(await describe(client, config))) return false;
    await client.schedule.getHandle(idOf(config)).delete();
    return true;
  });
}

/** The schedule; null where there is none. */
export async function readPractice(config: Config): Promise<PracticeSchedule | null> {
  return withClient(config, (client) => describe(client, config));
}

async function describe(client: Client, config: Config): Promise<PracticeSchedule | null> {
  try {
    const { spec, info } = await client.schedule.getHandle(idOf(config)).describe();
    return {
      everyMs: spec.intervals?.[0]?.every ?? 0,
      nextAt: info.nextActionTimes[0]?.getTime() ?? null,
    };
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

const idOf = (config: Config) => `${config.FENGHUO_SCHEMA}-${kindServed(config)}-practice`;

async function withClient<T>(config: Config, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect(temporalOf(config));
  try {
    return await work(new Client({ connection, namespace: namespaceOf(config, kindServed(config)) }));
  } finally {
    await connection.close();
  }
}
