/** `fenghuo up`: everything on this machine, until told to stop. */
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { startInstallation } from './installation.ts';
import { untilToldToStop } from './life.ts';

export function addUpCommand(program: Command, context: () => Context): void {
  program
    .command('up')
    .summary('start the database, Temporal, a worker and the web')
    .description(
      'Starts everything on this machine and keeps it running until Ctrl-C: PostgreSQL (DATABASE_URL, else its own), ' +
        'Temporal (TEMPORAL_ADDRESS, else its own), a worker and the web. Other commands of this clone find it by themselves.',
    )
    .option('--sandbox', 'stand-ins for every channel, with people who answer; nothing leaves this machine')
    .option('--workers <n>', 'worker processes', '1')
    .addHelpText('after', '\nExample:\n  fenghuo up --sandbox\n')
    .action(async (options: { sandbox?: boolean; workers: string }) => {
      const { tell, env, say } = context();
      const stopped = untilToldToStop();
      const installation = await startInstallation({
        purpose: env['FENGHUO_INSTANCE'] ?? 'up',
        sandbox: options.sandbox ?? false,
        workers: Math.max(1, Number.parseInt(options.workers, 10) || 1),
        ui: true,
        log: (line) => tell(line),
        env: { ...env },
      });
      const { services, web, environment } = installation;
      tell(
        `PostgreSQL ${services.postgres.version} (${services.postgres.source}), Temporal ${services.temporal.version} ` +
          `(${services.temporal.store}), web ${environment['FENGHUO_PUBLIC_URL'] ?? ''} (process ${web.pid ?? '?'})`,
      );
      if (services.temporal.uiUrl) tell(`Temporal UI: ${services.temporal.uiUrl}`);
      tell(say('upReady'));
      await stopped;
      tell(say('upStopping'));
      await installation.stop();
    });
}
