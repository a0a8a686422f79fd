/** `fenghuo up`: everything on this machine, until told to stop. */
import { InvalidArgumentError, type Command } from 'commander';
import type { Context } from './context.ts';
import { startInstallation } from './installation.ts';
import { example } from './example.ts';
import { tellFirstOperator } from './first-operator.ts';
import { readLiveFile } from './live-environment.ts';
import { serve } from './serving.ts';

const WORKERS_MOST = 16;

export function addUpCommand(program: Command, context: Context): void {
  program
    .command('up')
    .description(context.say('help.up'))
    .option('--sandbox', context.say('help.up.sandbox'))
    .option('--workers <N>', context.say('help.up.workers'), readWorkers, 1)
    .addHelpText('after', example(context, 'npx fenghuo up --sandbox'))
    .action(async (options: { sandbox?: boolean; workers: number }) => {
      await serve(context, () => bringUp(context, options));
    });
}

async function bringUp(context: Context, options: { sandbox?: boolean; workers: number }) {
  const installation = await startInstallation({
    purpose: context.env['FENGHUO_INSTANCE'] ?? 'up',
    sandbox: options.sandbox ?? false,
    workers: options.workers,
    ui: true,
    watchdog: true,
    drillServer: true,
    live: readLiveFile(context.env),
    log: (line) => context.tell(line),
    env: { ...context.env },
  });
  const { services, environment } = installation;
  context.tell(
    `PostgreSQL ${services.postgres.version} (${services.postgres.source})`,
    `Temporal ${services.temporal.version} (${services.temporal.store}) ${services.temporal.uiUrl ?? ''}`,
    `web ${environment['FENGHUO_PUBLIC_URL'] ?? ''}`,
    ...(installation.actual
      ? [context.say('upActual', { url: installation.actual.environment['FENGHUO_PUBLIC_URL'] ?? '' })]
      : []),
    context.say('upReady'),
  );
  await tellFirstOperator(context, environment);
  return installation;
}

function readWorkers(text: string): number {
  const workers = Number(text);
  if (Number.isInteger(workers) && workers >= 1 && workers <= WORKERS_MOST) return workers;
  throw new InvalidArgumentError(`1 – ${WORKERS_MOST}`);
}
