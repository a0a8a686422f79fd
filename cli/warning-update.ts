/** `warning update`, `cancel` and `retract`: what is done with a warning that is out. */
import type { Command } from 'commander';
import type { WarningRow } from '../db/warnings.ts';
import { isoWithOffset } from '../domain/time.ts';
import { contentOfCancel, type DraftContent } from '../operations/draft-content.ts';
import { retractByOne } from '../operations/draft-ends.ts';
import { standardCorrection } from '../domain/texts.ts';
import { prepareUpdate, updateExercise, type UpdateRequest } from '../operations/updates.ts';
import { endExercise, parseWarningId, requireWarning } from '../operations/warnings.ts';
import { actorIfKnown } from './actor.ts';
import type { Context } from './context.ts';
import { draftContent } from './drafts.ts';
import { example } from './example.ts';
import { readTextFile, several } from './options.ts';
import { hazardName, levelName, warningId, warningShape } from './shapes.ts';
import { span } from './times.ts';

export function addUpdateCommands(warning: Command, context: Context): void {
  warning
    .command('update')
    .description(context.say('help.update'))
    .argument('<WARNING>', context.say('help.warningId'))
    .option('--level <LEVEL>', context.say('help.level'))
    .option('--area <UNIT>', context.say('help.area'), several)
    .option('--expires <TIME>', context.say('help.expires'))
    .option('--text-file <FILE>', context.say('help.textFile'))
    .option('--text-en-file <FILE>', context.say('help.textEnFile'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo warning update W12 --level red',
        'npx fenghuo warning update W12 --area 黔江区 --expires +12h',
      ),
    )
    .action(async (id: string, options: UpdateOptions) => update(context, parseWarningId(id), options));
  warning
    .command('cancel')
    .description(context.say('help.cancel'))
    .argument('<WARNING>', context.say('help.warningId'))
    .option('--reason <TEXT>', context.say('help.reason'))
    .option('--text-file <FILE>', context.say('help.endTextFile'))
    .option('--text-en-file <FILE>', context.say('help.textEnFile'))
    .addHelpText('after', example(context, 'npx fenghuo warning cancel W12 --reason 雨势减弱'))
    .action(async (id: string, options: CancelOptions) => cancel(context, parseWarningId(id), options));
  warning
    .command('retract')
    .description(context.say('help.retract'))
    .argument('<WARNING>', context.say('help.warningId'))
    .requiredOption('--reason <TEXT>', context.say('help.reason'))
    .addHelpText('after', example(context, 'npx fenghuo warning retract W12 --reason 误操作'))
    .action(async (id: string, { reason }: { reason: string }) =>
      retract(context, parseWarningId(id), reason),
    );
}

type TextOptions = { textFile?: string; textEnFile?: string };
type UpdateOptions = TextOptions & { level?: string; area?: string[]; expires?: string };
type CancelOptions = TextOptions & { reason?: string };

async function textsOf({ textFile, textEnFile }: TextOptions): Promise<{ textZh?: string; textEn?: string }> {
  return {
    ...(textFile === undefined ? {} : { textZh: await readTextFile(textFile) }),
    ...(textEnFile === undefined ? {} : { textEn: await readTextFile(textEnFile) }),
  };
}

async function update(context: Context, number: number, options: UpdateOptions): Promise<void> {
  const { level, area, expires } = options;
  const request: UpdateRequest = {
    ...(level === undefined ? {} : { level }),
    ...(area === undefined ? {} : { areas: area }),
    ...(expires === undefined ? {} : { expires }),
    ...(await textsOf(options)),
  };
  const database = await context.database();
  const known = await requireWarning(database, number);
  if (known.kind === 'actual') return draftUpdate(context, known, request);
  const actor = await actorIfKnown(context);
  const { before, after, asking } = await updateExercise(database, number, request, actor);
  const id = warningId(after.warningId);
  context.print({ value: warningShape(after), lines: () => renderUpdated(before, after, context) });
  context.hint(
    context.say(asking.again ? 'update.asksAgain' : 'update.answersStand'),
    `  npx fenghuo warning watch ${id}`,
  );
}

/** An actual warning is updated by a draft that others release. */
async function draftUpdate(context: Context, before: WarningRow, request: UpdateRequest): Promise<void> {
  const { pack, warning } = await prepareUpdate(await context.database(), before, request);
  const { hazard, level, areaIds, textZh, textEn, issuer, expiresAt } = warning;
  const content: DraftContent = {
    ...{ act: 'update', supersedesId: before.warningId, identifier: null },
    ...{ hazard, level, textZh, textEn, issuer, areaIds: [...areaIds] },
    correctionZh: warning.correctionZh ?? standardCorrection('zh', warning),
    correctionEn: warning.correctionEn ?? standardCorrection('en', warning),
    expiresAt: expiresAt ?? before.expiresAt,
    rulePack: { id: pack.id, version: pack.version },
  };
  await draftContent(context, content, { pack });
}

/** What took the place of what. */
export function renderUpdated(before: WarningRow, after: WarningRow, context: Context): string[] {
  const { lang } = context;
  const named = { hazard: hazardName(after.hazard, lang), level: levelName(after.level, lang) };
  return [
    context.say('update.done', {
      id: warningId(after.warningId),
      name: context.say('warning.name', named),
      before: warningId(before.warningId),
    }),
    context.say('issue.areas', { areas: after.areas.join(lang === 'zh' ? '、' : ', ') }),
    context.say('issue.expires', {
      at: isoWithOffset(after.expiresAt),
      left: span(after.expiresAt - after.issuedAt, lang),
    }),
  ];
}

async function cancel(context: Context, number: number, options: CancelOptions): Promise<void> {
  const database = await context.database();
  const texts = await textsOf(options);
  const known = await requireWarning(database, number);
  const reason = options.reason ?? null;
  if (known.kind === 'actual') return draftContent(context, contentOfCancel(known, { ...texts, reason }));
  const how = { reason, retracted: false, ...texts, actor: await actorIfKnown(context) };
  printEnded(context, await endExercise(database, number, how));
}

async function retract(context: Context, number: number, reason: string): Promise<void> {
  const database = await context.database();
  const known = await requireWarning(database, number);
  if (known.kind === 'exercise') {
    const how = { reason, retracted: true, actor: await actorIfKnown(context) };
    return printEnded(context, await endExercise(database, number, how));
  }
  await retractByOne(database, await context.operator(), number, reason);
  printEnded(context, await requireWarning(database, number));
  context.hint(context.say('draft.afterReview'), '  npx fenghuo warning review-after');
}

function printEnded(context: Context, row: WarningRow): void {
  const id = warningId(row.warningId);
  const at = isoWithOffset(row.endedAt ?? row.expiresAt);
  context.print({
    value: warningShape(row),
    lines: () => [context.say(row.retracted ? 'retract.done' : 'cancel.done', { id, at })],
  });
  context.hint(context.say('cancel.next'), `  npx fenghuo warning watch ${id}`);
}
