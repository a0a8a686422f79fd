/** `answer`: an officer writes down what was heard by telephone, and who vouches for it. */
import { Option, type Command } from 'commander';
import type { RecordedAnswer } from '../db/answers.ts';
import { isoWithOffset } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { answerByCommand } from '../operations/answers.ts';
import { parseWarningId } from '../operations/warnings.ts';
import { actorIfKnown } from './actor.ts';
import type { Context } from './context.ts';
import { wholeNumber } from './options.ts';
import { example } from './example.ts';
import { warningId } from './shapes.ts';

type Options = {
  warning: string;
  unit: string;
  done?: number;
  cannot?: boolean;
  vouchedBy: string;
  how: string;
};

const DONE_MOST = 100_000_000;

export function addAnswerCommand(program: Command, context: Context): void {
  program
    .command('answer')
    .description(context.say('help.answer'))
    .requiredOption('--warning <WARNING>', context.say('help.warningId'))
    .requiredOption('--unit <UNIT>', context.say('help.unit'))
    .option('--done <N>', context.say('help.done'), wholeNumber(0, DONE_MOST))
    .addOption(new Option('--cannot', context.say('help.cannot')).conflicts('done'))
    .requiredOption('--vouched-by <NAME>', context.say('help.vouchedBy'))
    .requiredOption('--how <TEXT>', context.say('help.how'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo answer --warning W12 --unit 黔江区/濯水镇 --done 35 --vouched-by 王值班 --how 电话核实',
      ),
    )
    .action(async (options: Options) => answer(context, options));
}

async function answer(context: Context, options: Options): Promise<void> {
  const number = parseWarningId(options.warning);
  const kind: AnswerKind = options.cannot ? 'cannot act' : options.done === undefined ? 'received' : 'done';
  // Exercises need nobody to be logged in; who writes down an answer to an actual warning stands on record.
  const actor = await actorIfKnown(context);
  const recorded = await answerByCommand(await context.database(), {
    actor,
    warningId: number,
    unit: options.unit,
    answer: kind,
    doneCount: options.done ?? null,
    vouchedBy: options.vouchedBy,
    how: options.how,
  });
  const units = recorded.map(({ unitId, unit, at }) => ({
    unitId: String(unitId),
    unit,
    at: isoWithOffset(at),
  }));
  context.print({
    value: { warning: warningId(number), answer: kind, vouchedBy: options.vouchedBy, units },
    lines: () => recorded.map((one) => renderRecorded(one, kind, number, context)),
  });
}

function renderRecorded(
  recorded: RecordedAnswer,
  kind: AnswerKind,
  number: number,
  context: Context,
): string {
  return context.say('answer.recorded', {
    id: warningId(number),
    unit: recorded.unit,
    answer: context.say(`answer.${kind}`),
    at: isoWithOffset(recorded.at),
  });
}
