/** `migrate`, `worker` and `web`: what an operator runs where `up` does not run it all. */
import type { Command } from 'commander';
import { namespaceOf, readConfig, temporalOf, type Config } from '../config.ts';
import { openDatabase } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';
import { KINDS, type SenderSide, type WarningKind } from '../domain/kinds.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { sayReady, untilToldToStop } from './life.ts';
import { accountFor, environmentFor } from './live-environment.ts';
import { oneOf } from './options.ts';

export function addMigrateCommand(program: Command, context: Context): void {
  program
    .command('migrate')
    .description(context.say('help.migrate'))
    .option('--temporal', context.say('help.migrate.temporal'))
    .addHelpText('after', example(context, 'npx fenghuo migrate', 'npx fenghuo migrate --temporal'))
    .action(async (options: { temporal?: boolean }) => {
      const { DATABASE_URL: url, FENGHUO_SCHEMA: schema } = await context.config();
      const database = openDatabase({ url, schema, connectionsMost: 1, asOwner: true });
      const applied = await migrate(database).finally(() => database.close());
      if (options.temporal) await registerWithTemporal(context);
      context.print({
        value: { applied },
        items: applied.map((name) => ({ applied: name })),
        lines: () =>
          applied.length > 0 ? applied.map((name) => context.say('migrate.applied', { name })) : [],
      });
      if (applied.length === 0) context.hint(context.say('migrate.none'));
    });
}

/** What `up` does for servers of its own: Temporal's namespace of each kind and the search attributes. */
async function registerWithTemporal(context: Context): Promise<void> {
  const config = await context.config();
  const { readyNamespace } = await import('../runtime/temporal.ts');
  for (const kind of KINDS) {
    const namespace = namespaceOf(config, kind);
    await readyNamespace(temporalOf(config), namespace);
    context.hint(context.say('migrate.registered', { namespace }));
  }
}

/** Of a drill with people, who agreed to be told by an account of its own, processes say `drill`. */
const SIDES = [...KINDS, 'drill'] as const satisfies readonly SenderSide[];

/** The configuration of a process that serves one kind: of the kind that was asked for, or not at all. */
async function configOf(context: Context, kind: WarningKind | undefined): Promise<Config> {
  return readConfig(environmentFor(kind, await context.environment()));
}

/** What a worker sends by: in a drill with people, stand-ins and the account. */
async function configsOf(
  context: Context,
  side: SenderSide | undefined,
): Promise<{ config: Config; account: Config | null }> {
  if (side !== 'drill') return { config: await configOf(context, side), account: null };
  const account = readConfig(accountFor(await context.environment()));
  return { config: await configOf(context, 'exercise'), account };
}

export function addWorkerCommand(program: Command, context: Context): void {
  program
    .command('worker')
    .description(context.say('help.worker'))
    .option('--kind <KIND>', context.say('help.kind'), oneOf(SIDES))
    .addHelpText('after', example(context, 'npx fenghuo worker', 'npx fenghuo worker --kind actual'))
    .action(async (options: { kind?: SenderSide }) => {
      const { config, account } = await configsOf(context, options.kind);
      await serve(context, async () => {
        const [{ startWorker }, { yieldToOthers }, { wishDrill }] = await Promise.all([
          import('../worker/worker.ts'),
          import('../worker/priority.ts'),
          import('../operations/drill-schedules.ts'),
        ]);
        yieldToOthers();
        const log = (line: string) => context.tell(line);
        const worker = await startWorker({ config, account, log, wishDrill });
        context.tell(context.say('worker.started', { address: config.TEMPORAL_ADDRESS }));
        return worker;
      });
    });
}

export function addWebCommand(program: Command, context: Context): void {
  program
    .command('web')
    .description(context.say('help.web'))
    .option('--kind <KIND>', context.say('help.kind'), oneOf(SIDES))
    .addHelpText('after', example(context, 'FENGHUO_WEB_PORT=8080 npx fenghuo web'))
    .action(async (options: { kind?: SenderSide }) => {
      const { config: usual, account } = await configsOf(context, options.kind);
      // Answers of stand-ins' people come to another process.
      const config = account ?? usual;
      await serve(context, async () => {
        const [{ startWeb }, { answerKeys }, { createDoors }] = await Promise.all([
          import('../web/server.ts'),
          import('../worker/channels.ts'),
          import('../worker/doors.ts'),
        ]);
        const doors = createDoors(await bound(config));
        const { gateway, twilio } = doors;
        const log = (line: string) => context.tell(line);
        const web = await startWeb({ config, keys: answerKeys(config), log, gateway, twilio });
        context.tell(context.say('web.started', { url: web.url }));
        return { stop: () => web.stop().then(() => doors.close()) };
      });
    });
}

/** Its senders speak back to people, so they too must be of the kind that is served. */
async function bound(config: Config) {
  const { bindToKind } = await import('../worker/wall.ts');
  const database = openDatabase({
    url: config.DATABASE_URL,
    schema: config.FENGHUO_SCHEMA,
    connectionsMost: 1,
  });
  try {
    return await bindToKind(config, database);
  } finally {
    await database.close();
  }
}

type Running = { readonly done?: Promise<void>; stop(): Promise<void> };

/** Serves until it is told to stop or fails by itself; returns when it has stopped. */
export async function serve(context: Context, start: () => Promise<Running>): Promise<void> {
  const told = untilToldToStop().then(() => 'told' as const);
  try {
    const running = await start();
    sayReady();
    const ended = running.done ? [running.done.then(() => 'ended' as const)] : [];
    if ((await Promise.race([told, ...ended])) === 'ended') return;
    context.tell(context.say('serve.stopping'));
    await running.stop();
    context.tell(context.say('serve.stopped'));
  } finally {
    // An open channel to the supervisor would keep the process alive.
    if (process.connected) process.disconnect();
  }
}
