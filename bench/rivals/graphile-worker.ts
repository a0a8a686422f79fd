/**
 * Graphile Worker, a job for each mail, tuned by its page on performance: a local queue, batched completion, more jobs at once
 * than connections, jobs added by one call. Each job stores its outcome before it is done, as its documents have tasks do.
 */
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import type { OutgoingMessage } from '../../domain/ports.ts';
import { CONNECTIONS, createMailer } from './mailer.ts';
import type { Sender, SenderInput } from './sender.ts';

/** Twice the connections, so that a mail leaves while other jobs wait for their commit. */
const JOBS_AT_ONCE = 2 * CONNECTIONS;
const LOCAL_QUEUE = 500;
const COMPLETE_BATCH_DELAY_MS = 0;
/** Jobs in one call of `addJobs`. */
const JOBS_PER_CALL = 5_000;

export async function graphileWorker({ config, outcomes }: SenderInput): Promise<Sender> {
  const mailer = createMailer(config);
  // Its usual logger says a line for each job.
  const logger = new Logger(() => () => undefined);
  const connectionString = config.DATABASE_URL;
  let left = 0;
  let allDone = () => {};
  const worker = await run({
    connectionString,
    logger,
    noHandleSignals: true,
    preset: {
      worker: {
        concurrentJobs: JOBS_AT_ONCE,
        maxPoolSize: JOBS_AT_ONCE + 1,
        localQueue: { size: LOCAL_QUEUE },
        completeJobBatchDelay: COMPLETE_BATCH_DELAY_MS,
        failJobBatchDelay: COMPLETE_BATCH_DELAY_MS,
      },
    },
    taskList: {
      async send(payload) {
        const message = payload as OutgoingMessage;
        const providerId = await mailer.send(message);
        await outcomes.put({ recipientId: Number(message.deliveryId), providerId, at: Date.now() });
        left -= 1;
        if (left === 0) allDone();
      },
    },
  });
  const utils = await makeWorkerUtils({ connectionString, logger });
  return {
    channel: 'email',
    settings: {
      connections: CONNECTIONS,
      concurrentJobs: JOBS_AT_ONCE,
      localQueue: LOCAL_QUEUE,
      completeJobBatchDelay: COMPLETE_BATCH_DELAY_MS,
    },
    keepsOutcomes: true,
    send: async (messages) => {
      left = messages.length;
      const done = new Promise<void>((resolve) => (allDone = resolve));
      for (let from = 0; from < messages.length; from += JOBS_PER_CALL) {
        const some = messages.slice(from, from + JOBS_PER_CALL);
        await utils.addJobs(some.map((payload) => ({ identifier: 'send', payload })));
      }
      await done;
    },
    close: async () => {
      await worker.stop();
      await utils.release();
      mailer.close();
    },
  };
}
