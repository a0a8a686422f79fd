/** `pause` and `resume`: everything stands still by somebody's word, and goes on by somebody's word. */
import type { Command } from 'commander';
import type { Pause } from '../db/pauses.ts';
import { isoWithOffset } from '../domain/time.ts';
import { pauseEverything, resumeEverything } from '../operations/pauses.ts';
import { actorIfKnown, requireActor } from './actor.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { pauseShape } from './shapes.ts';
import { span } from './times.ts';
import { harmless } from './width.ts';

export function addPauseCommand(program: Command, context: Context): void {
  program
    .command('pause')
    .description(context.say('help.pause'))
    .option('--by <NAME>', context.say('help.by'))
    .requiredOption('--reason <TEXT>', context.say('help.reason'))
    .addHelpText('after', example(context, 'npx fenghuo pause --by 王值班 --reason 误发核实'))
    .action(async (options: { by?: string; reason: string }) => {
      const by = await requireActor(context, options.by, '--by');
      const pause = await pauseEverything(await context.database(), { ...options, by });
      context.print({ value: { paused: pauseShape(pause) }, lines: () => [pauseLine(pause, context)] });
      context.hint(context.say('pause.next'));
    });
}

export function addResumeCommand(program: Command, context: Context): void {
  program
    .command('resume')
    .description(context.say('help.resume'))
    .option('--by <NAME>', context.say('help.by'))
    .addHelpText('after', example(context, 'npx fenghuo resume --by 王值班'))
    .action(async (options: { by?: string }) => {
      const by = await requireActor(context, options.by, '--by');
      const actor = await actorIfKnown(context);
      const pause = await resumeEverything(await context.database(), { by, actor });
      context.print({
        value: { paused: null, ended: { ...pauseShape(pause), until: isoWithOffset(pause.until) } },
        lines: () => [
          context.say('pause.resumed', { lasted: span(pause.until - pause.since, context.lang) }),
        ],
      });
      context.hint(context.say('pause.resumedNext'));
    });
}

/** By whom, since when and why. */
export function pauseLine(pause: Pause, context: Pick<Context, 'say'>): string {
  const { by, reason, since } = pause;
  return context.say('pause.paused', {
    by: harmless(by),
    reason: harmless(reason),
    at: isoWithOffset(since),
  });
}
