/**
 * pg-boss, a job for each mail, tuned by its documents: jobs inserted by one call, several workers that fetch in batches, one
 * insert of outcomes for each batch, and `notifyWorker`, without which a worker sleeps out its polling interval (at least
 * half a second) after each batch.
 */
import PgBoss from 'pg-boss';
import type { OutgoingMessage } from '../../domain/ports.ts';
import { CONNECTIONS, createMailer } from './mailer.ts';
import type { Sender, SenderInput } from './sender.ts';

const QUEUE = 'send';
const WORKERS = 4;
const BATCH = 100;
const POLLING_SECONDS = 0.5;

export async function pgBoss({ config, outcomes }: SenderInput): Promise<Sender> {
  const mailer = createMailer(config);
  const boss = new PgBoss({ connectionString: config.DATABASE_URL, max: 10, schedule: false });
  boss.on('error', (error) => process.stderr.write(`pg-boss: ${error.message}\n`));
  await boss.start();
  await boss.createQueue(QUEUE);
  let left = 0;
  let allDone = () => {};
  const workers: string[] = [];
  for (let place = 0; place < WORKERS; place += 1) {
    const id: string = await boss.work<OutgoingMessage>(
      QUEUE,
      { batchSize: BATCH, pollingIntervalSeconds: POLLING_SECONDS },
      async (jobs) => {
        const sent = await Promise.all(
          jobs.map(async ({ data }) => ({
            recipientId: Number(data.deliveryId),
            providerId: await mailer.send(data),
            at: Date.now(),
          })),
        );
        await outcomes.putAll(sent);
        boss.notifyWorker(id);
        left -= jobs.length;
        if (left === 0) allDone();
      },
    );
    workers.push(id);
  }
  return {
    channel: 'email',
    settings: { connections: CONNECTIONS, workers: WORKERS, batchSize: BATCH },
    keepsOutcomes: true,
    send: async (messages) => {
      left = messages.length;
      const done = new Promise<void>((resolve) => (allDone = resolve));
      await boss.insert(messages.map((data) => ({ name: QUEUE, data })));
      for (const id of workers) boss.notifyWorker(id);
      await done;
    },
    close: async () => {
      await boss.stop({ graceful: true, wait: true });
      mailer.close();
    },
  };
}
