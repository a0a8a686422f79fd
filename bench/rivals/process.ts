/** The process of one rival: gathers the messages before each round, and times from the first thing it has to do for them. */
import { readConfig } from '../../config.ts';
import { openDatabase } from '../../db/database.ts';
import { bare } from './bare.ts';
import { gatewayLimit, smtpLimit } from './far-side-limit.ts';
import { graphileWorker } from './graphile-worker.ts';
import { loop } from './loop.ts';
import { readMessages } from './messages.ts';
import { createOutcomes } from './outcomes.ts';
import { pgBoss } from './pg-boss.ts';
import type { FromRival, RivalName, ToRival } from './rival.ts';
import type { Sender, SenderInput } from './sender.ts';

const SENDERS: Record<RivalName, (input: SenderInput) => Promise<Sender>> = {
  bare,
  'graphile-worker': graphileWorker,
  'pg-boss': pgBoss,
  'smtp-limit': smtpLimit,
  loop,
  'gateway-limit': gatewayLimit,
};

const config = readConfig();
const database = openDatabase({
  url: config.DATABASE_URL,
  schema: config.FENGHUO_SCHEMA,
  connectionsMost: 20,
  asOwner: true,
});
const outcomes = createOutcomes(database);
const sender = await SENDERS[process.argv[2] as RivalName]({ config, database, outcomes });

const answer = (message: FromRival) => process.send?.(message);

process.on('message', ({ round }: ToRival) => {
  void run(round);
});
process.on('disconnect', () => {
  void sender.close().then(() => database.close());
});
answer({ ready: sender.settings });

async function run(word: string): Promise<void> {
  const messages = await readMessages({ config, database, channel: sender.channel, word });
  await outcomes.clear();
  await sender.prepare?.(messages);
  const startedAt = Date.now();
  await sender.send(messages);
  const kept = await outcomes.count();
  if (sender.keepsOutcomes && kept !== messages.length)
    throw new Error(`${kept} outcomes were stored for ${messages.length} messages`);
  answer({ startedAt });
}
