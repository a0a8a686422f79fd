/** `restored`: what a database from a backup must be told before anybody works on it. */
import type { Command } from 'commander';
import { declareRestored } from '../operations/restored.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';

export function addRestoredCommand(program: Command, context: Context): void {
  program
    .command('restored')
    .description(context.say('help.restored'))
    .addHelpText('after', example(context, 'npx fenghuo restored'))
    .action(async () => {
      const restored = await declareRestored(await context.database());
      const { incarnation, openWarnings: warnings, possibleDuplicates: deliveries } = restored;
      context.print({
        value: restored,
        lines: () => [context.say('restored.done', { incarnation, warnings, deliveries })],
      });
      context.hint(context.say('restored.next'));
    });
}
