/** `people prove`: asks providers which addresses still work, now or by a schedule, without anybody noticing. */
import type { Command } from 'commander';
import { countProven } from '../db/proving.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { PracticeSchedule } from '../worker/practice.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { withProgress } from './progress.ts';
import { renderTable } from './table.ts';
import { isoOrNull, parseSpan, span } from './times.ts';

const DAY_MS = 86_400_000;
/** What was proven within a month counts as proven, and is not asked after again. */
const OLDER_THAN_MS = 30 * DAY_MS;
/** Temporal takes intervals of a second; below an hour a round asks the same people for nothing. */
const EVERY_MS_LEAST = 3_600_000;

type Options = { now?: boolean; every?: number; off?: boolean; olderThan?: number };

export function addProveCommand(people: Command, context: Context): void {
  people
    .command('prove')
    .description(context.say('help.prove'))
    .option('--now', context.say('help.proveNow'))
    .option('--every <SPAN>', context.say('help.proveEvery'), parseSpan)
    .option('--off', context.say('help.proveOff'))
    .option('--older-than <SPAN>', context.say('help.proveOlder'), parseSpan)
    .addHelpText(
      'after',
      example(context, 'npx fenghuo people prove --every 7d', 'npx fenghuo people prove --now'),
    )
    .action(async (options: Options) => prove(context, options));
}

async function prove(context: Context, options: Options): Promise<void> {
  const { now, every, off, olderThan: olderThanMs = OLDER_THAN_MS } = options;
  if ([now, every, off].filter((given) => given !== undefined).length > 1)
    throw new FenghuoError({ code: 'prove-one', refusal: 'usage', sentence: context.say('prove.one') });
  if (every !== undefined && every < EVERY_MS_LEAST)
    throw new FenghuoError({ code: 'prove-often', refusal: 'usage', sentence: context.say('prove.often') });
  const config = await context.config();
  const { practiseEvery, practiseNoMore, practiseNow, readPractice } = await import('../worker/practice.ts');
  if (off === true && !(await practiseNoMore(config))) context.hint(context.say('prove.wasOff'));
  if (every !== undefined) await practiseEvery({ config, everyMs: every, olderThanMs });
  const round =
    now === true
      ? await withProgress(context, context.say('prove.running'), () => practiseNow({ config, olderThanMs }))
      : null;
  const schedule = await readPractice(config);
  const channels = await countProven(await context.database(), olderThanMs);
  context.print({
    value: {
      round,
      schedule: schedule && { everyMs: schedule.everyMs, next: isoOrNull(schedule.nextAt) },
      channels,
    },
    lines: () => [
      ...(round ? [context.say('prove.asked', round)] : []),
      scheduleLine(schedule, context),
      ...renderTable(
        channels,
        [
          { title: context.say('prove.channel'), of: ({ channel }) => channel },
          { title: context.say('prove.addresses'), of: ({ addresses }) => String(addresses), align: 'right' },
          { title: context.say('people.proven'), of: ({ proven }) => String(proven), align: 'right' },
          { title: context.say('people.faulty'), of: ({ faulty }) => String(faulty), align: 'right' },
        ],
        context.columns(),
      ),
    ],
  });
  if (schedule === null) context.hint(context.say('prove.next'));
}

function scheduleLine(schedule: PracticeSchedule | null, context: Context): string {
  if (schedule === null) return context.say('prove.off');
  return context.say('prove.scheduled', {
    every: span(schedule.everyMs, context.lang),
    next: isoOrNull(schedule.nextAt) ?? '-',
  });
}
