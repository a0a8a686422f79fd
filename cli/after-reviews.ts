/** `warning review-after`: what one person did alone in an emergency, and what somebody else says of it afterwards. */
import { Option, type Command } from 'commander';
import type { AfterReview } from '../db/drafts.ts';
import { FenghuoError } from '../domain/errors.ts';
import { isoWithOffset } from '../domain/time.ts';
import { listAfterReviews, reviewAfterwards } from '../operations/draft-ends.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { requireOperator } from './operators.ts';
import { wholeNumber } from './options.ts';
import { warningId } from './shapes.ts';
import { minuteOf } from './times.ts';
import { harmless } from './width.ts';

type Options = { justified?: boolean; notJustified?: boolean; finding?: string };

export function addAfterReviewCommand(warning: Command, context: Context): void {
  warning
    .command('review-after')
    .description(context.say('help.reviewAfter'))
    .argument('[NUMBER]', context.say('help.releaseId'), wholeNumber(1, 999_999_999))
    .option('--justified', context.say('help.justified'))
    .addOption(new Option('--not-justified', context.say('help.notJustified')).conflicts('justified'))
    .option('--finding <TEXT>', context.say('help.finding'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo warning review-after',
        'npx fenghuo warning review-after 7 --justified --finding 溃坝属实,无人可签发',
      ),
    )
    .action(async (releaseId: number | undefined, options: Options) =>
      releaseId === undefined ? list(context) : review(context, releaseId, options),
    );
}

async function list(context: Context): Promise<void> {
  const open = await listAfterReviews(await context.database());
  const shapes = open.map(reviewShape);
  context.print({ value: shapes, items: shapes, lines: () => open.map((one) => reviewLine(one, context)) });
  if (open.length === 0) context.hint(context.say('afterReview.none'));
}

async function review(context: Context, releaseId: number, options: Options): Promise<void> {
  const { justified = false, notJustified = false, finding = '' } = options;
  if (justified === notJustified) {
    throw new FenghuoError({
      code: 'verdict',
      refusal: 'usage',
      sentence: context.say('afterReview.verdict'),
    });
  }
  const operator = await requireOperator(context);
  await reviewAfterwards(await context.database(), operator, { releaseId, justified, finding });
  context.print({
    value: { review: String(releaseId), operator: operator.name, justified, finding },
    lines: () => [context.say('afterReview.done', { id: releaseId, name: operator.name })],
  });
}

function reviewShape(one: AfterReview) {
  return {
    review: String(one.releaseId),
    act: one.act,
    warning: one.warningId === null ? null : warningId(one.warningId),
    operator: one.operator,
    reason: one.reason,
    at: isoWithOffset(one.at),
  };
}

/** What waits to be looked at: number, act, warning, by whom, when and why. */
export function reviewLine(one: AfterReview, context: Pick<Context, 'say'>): string {
  return context.say('afterReview.line', {
    id: one.releaseId,
    act: context.say(`draft.act.${one.act}`),
    warning: one.warningId === null ? '' : warningId(one.warningId),
    name: harmless(one.operator),
    at: minuteOf(one.at),
    reason: harmless(one.reason),
  });
}
