/** `migrate`, `worker` and `web`: what an operator runs where `up` does not run it all. */
import type { Command } from 'commander';
import { temporalOf } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { sayReady, untilToldToStop } from './life.ts';

export function addMigrateCommand(program: Command, context: Context): void {
  program
    .command('migrate')
    .description(context.say('help.migrate'))
    .option('--temporal', context.say('help.migrate.temporal'))
    .addHelpText('after', example(context, 'npx fenghuo migrate', 'npx fenghuo migrate --temporal'))
    .action(async (options: { temporal?: boolean }) => {
      const applied = await migrate(await context.database());
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

/** What `up` does for servers of its own: Temporal's namespace and search attributes. */
async function registerWithTemporal(context: Context): Promise<void> {
  const config = await context.config();
  const { readyNamespace } = await import('../runtime/temporal.ts');
  await readyNamespace(temporalOf(config), config.TEMPORAL_NAMESPACE);
  context.hint(context.say('migrate.registered', { namespace: config.TEMPORAL_NAMESPACE }));
}

export function addWorkerCommand(program: Command, context: Context): void {
  program
    .command('worker')
    .description(context.say('help.worker'))
    .addHelpText('after', example(context, 'npx fenghuo worker'))
    .action(async () => {
      const config = await context.config();
      await serve(context, async () => {
        const [{ startWorker }, { yieldToOthers }] = await Promise.all([
          import('../worker/worker.ts'),
          import('../worker/priority.ts'),
        ]);
        yieldToOthers();
        const worker = await startWorker({ config, log: (line) => context.tell(line) });
        context.tell(context.say('worker.started', { address: config.TEMPORAL_ADDRESS }));
        return worker;
      });
    });
}

export function addWebCommand(program: Command, context: Context): void {
  program
    .command('web')
    .description(context.say('help.web'))
    .addHelpText('after', example(context, 'FENGHUO_WEB_PORT=8080 npx fenghuo web'))
    .action(async () => {
      const config = await context.config();
      await serve(context, async () => {
        const [{ startWeb }, { answerKeys }, { createDoors }] = await Promise.all([
          import('../web/server.ts'),
          import('../worker/channels.ts'),
          import('../worker/doors.ts'),
        ]);
        const doors = createDoors(config);
        const { gateway, twilio } = doors;
        const log = (line: string) => context.tell(line);
        const web = await startWeb({ config, keys: answerKeys(config), log, gateway, twilio });
        context.tell(context.say('web.started', { url: web.url }));
        return { stop: () => web.stop().then(() => doors.close()) };
      });
    });
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
