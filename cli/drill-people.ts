/** Drills with people who agreed: the account that reaches them, and the command that takes the list of their references. */
import { resolve } from 'node:path';
import { capabilities } from '../capabilities.ts';
import { configuredSenders, readConfig, type Config } from '../config.ts';
import { countParticipants } from '../db/drill-participants.ts';
import { profileOf } from '../domain/capabilities.ts';
import { FenghuoError } from '../domain/errors.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';
import { createDrillWithPeople } from '../operations/drill-participants.ts';
import type { Drill, DrillRequest } from '../operations/drills.ts';
import { bindSenders } from '../worker/wall.ts';
import type { Context } from './context.ts';
import { accountFor, DRILL_FILE } from './live-environment.ts';
import { readNamedFile } from './options.ts';

/** Writes down a drill with the people of a list. Nothing is started where anything is wrong with the list or with the account. */
export async function createWithPeople(
  context: Context,
  request: DrillRequest,
  file: string,
): Promise<Drill> {
  const account = await readAccount(context);
  const live = await context.database();
  const senders = configuredSenders(account);
  return createDrillWithPeople(live, request, {
    list: await readNamedFile(file),
    account: {
      carries: (channel, address) =>
        senders.some(
          (id) => channelOf(id) === channel && profileOf(capabilities(), id, address)?.sends === true,
        ),
      bind: () => bindSenders(account, live),
    },
  });
}

/** How a drill's processes reach people who agreed. */
export type PeopleAccount = {
  channels: Channel[];
  /** For the processes that need it. */
  variables: Record<string, string>;
};

/** The account of a drill that is to begin or to go on: what its file says may have changed, and is bound again. */
export async function readyAccount(context: Context, { drillId, name }: Drill): Promise<PeopleAccount> {
  const account = await readAccount(context);
  const live = await context.database();
  await bindSenders(account, live);
  const senders = configuredSenders(account);
  const people = await countParticipants(live, drillId);
  context.hint(context.say('drillRun.people', { name, people, senders: senders.join(', ') }));
  const { [DRILL_FILE]: path = '' } = await environmentOf(context);
  return {
    channels: CHANNELS.filter((channel) => senders.some((id) => channelOf(id) === channel)),
    variables: { [DRILL_FILE]: resolve(path) },
  };
}

async function readAccount(context: Context): Promise<Config> {
  const config = readConfig(accountFor(await environmentOf(context)));
  if (configuredSenders(config).length > 0) return config;
  throw new FenghuoError({
    code: 'drill-file',
    refusal: 'usage',
    sentence: `The file that ${DRILL_FILE} names holds no whole sender: an address and, for a gateway, its secret. Nobody could be told.`,
  });
}

async function environmentOf(context: Context) {
  return { ...context.env, ...(await context.environment()) };
}

function channelOf(senderId: string): Channel | undefined {
  return capabilities().senders[senderId]?.channel;
}
