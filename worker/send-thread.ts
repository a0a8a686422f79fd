/** Inside the thread: pages are sent here, beside the steps of the main thread. */
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { proveSome, type Proved } from '../activities/prove.ts';
import { freshPace, sendPage, type SendPageDependencies } from '../activities/send-page.ts';
import { openDatabase } from '../db/database.ts';
import { createProvingStore } from '../db/proving.ts';
import { createPageStore } from '../db/page-store.ts';
import { createRecallStore } from '../db/recalls.ts';
import type { ChannelPort, SendResult } from '../domain/ports.ts';
import type { Channel } from '../domain/rules.ts';
import { answerKeys, createChannels } from './channels.ts';
import { startRecaller } from './recaller.ts';
import type { Outcomes, SendReply, SendRequest, SendThreadData } from './senders.ts';

// Contexts that are made after the workflows' begin without stacks of errors; see worker.ts.
Error.stackTraceLimit = 10;

const CONNECTIONS = 12;

/** Addresses of one channel asked after by one activity. */
const PROVED_AT_ONCE = 500;

const port = parentPort;
if (!port) throw new Error('this file runs as a thread of a worker');
const { config, account } = workerData as SendThreadData;
const say = (reply: SendReply) => port.postMessage(reply);

const database = openDatabase({
  url: config.DATABASE_URL,
  schema: config.FENGHUO_SCHEMA,
  indexesOnly: true,
  connectionsMost: CONNECTIONS,
});
let outcomes: Outcomes = [];
const created = createChannels(config, database, (line) => say({ kind: 'log', line }), account);
const channels = created.channels.map(counted);

const sending = new Map<Channel, SendPageDependencies>(
  channels.map((channel) => [
    channel.channel,
    {
      store: createPageStore(database),
      serves: config.serves,
      channel,
      keys: answerKeys(config),
      publicUrl: config.FENGHUO_PUBLIC_URL,
      ...(account && { agreedUrl: account.FENGHUO_PUBLIC_URL }),
      monotonic: () => performance.now(),
      pause: (ms) => wait(ms),
      pace: freshPace(),
    },
  ]),
);

const { recallers: senders } = created;
const recaller =
  senders.length > 0
    ? startRecaller({
        senders,
        store: createRecallStore(database, { serves: config.serves, senders: senders.map(({ id }) => id) }),
      })
    : null;

port.on('message', (request: SendRequest) => {
  switch (request.kind) {
    case 'send':
      return void send(request);
    case 'prove':
      return void prove(request);
    case 'close':
      return void close();
    default:
      return request satisfies never;
  }
});

say({ kind: 'ready' });

function send({ id, channel, pageId }: Extract<SendRequest, { kind: 'send' }>): Promise<void> {
  return replying(id, async () => {
    const result = await sendPage(dependenciesOf(channel), pageId);
    return { kind: 'sent', id, result, outcomes: takeOutcomes() };
  });
}

/** One round over the channels that can be asked. */
function prove({ id, olderThanMs }: Extract<SendRequest, { kind: 'prove' }>): Promise<void> {
  return replying(id, async () => {
    const result: Proved = { asked: 0, reachable: 0, unreachable: 0 };
    for (const channel of channels) {
      const some = await proveSome(
        { store: createProvingStore(database, channel.channel), channel },
        { most: PROVED_AT_ONCE, olderThanMs },
      );
      result.asked += some.asked;
      result.reachable += some.reachable;
      result.unreachable += some.unreachable;
    }
    return { kind: 'proved', id, result };
  });
}

async function replying(id: number, work: () => Promise<SendReply>): Promise<void> {
  try {
    say(await work());
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error('unknown fault');
    say({ kind: 'failed', id, name, message });
  }
}

function dependenciesOf(name: Channel): SendPageDependencies {
  const dependencies = sending.get(name);
  if (!dependencies) throw new RangeError(`there is no channel ${name}`);
  return dependencies;
}

async function close(): Promise<void> {
  await recaller?.stop();
  await created.close();
  await database.close();
  port?.close();
}

/** The channel, counting its messages by outcome for the worker's metrics. */
function counted(channel: ChannelPort): ChannelPort {
  return {
    ...channel,
    send: async (message) => {
      const result = await channel.send(message);
      note(channel.channel, result.outcome);
      return result;
    },
  };
}

function note(channel: Channel, outcome: SendResult['outcome']): void {
  const known = outcomes.find((one) => one.channel === channel && one.outcome === outcome);
  if (known) known.count += 1;
  else outcomes.push({ channel, outcome, count: 1 });
}

function takeOutcomes(): Outcomes {
  const taken = outcomes;
  outcomes = [];
  return taken;
}
