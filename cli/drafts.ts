/** Drafts of actual warnings at the command line: written, reviewed, released, published, each by somebody with the right. */
import { Option, type Command } from 'commander';
import { FenghuoError } from '../domain/errors.ts';
import { stopsPublishing } from '../domain/kinds.ts';
import type { RulePack } from '../domain/rules.ts';
import { contentOfRequest } from '../operations/draft-content.ts';
import { listAfterReviews, rejectDraft, withdrawDraft } from '../operations/draft-ends.ts';
import {
  approveDraft,
  createDraft,
  draftName,
  editDraft,
  listDrafts,
  parseDraftId,
  publishDraft,
  reviewDraft,
  viewDraft,
  type DraftContent,
} from '../operations/drafts.ts';
import { planWarning, type WarningPlan } from '../operations/plan.ts';
import { readinessOf } from '../operations/kinds.ts';
import type { WarningRequest } from '../operations/warnings.ts';
import { confirmed } from './confirm.ts';
import type { Context } from './context.ts';
import { draftShape, HASH_SHOWN, isApproved, renderDraft, renderDrafts } from './draft-view.ts';
import { example } from './example.ts';
import { requireOperator } from './operators.ts';
import { readTextFile, wholeNumber } from './options.ts';
import { planShape, renderPlan } from './plan.ts';
import { plannedSenders } from './planned-senders.ts';
import { warningId } from './shapes.ts';
import { timeOfDay } from './times.ts';

const LISTED_MOST = 50;

export function addDraftCommands(warning: Command, context: Context): void {
  warning
    .command('drafts')
    .description(context.say('help.drafts'))
    .argument('[DRAFT]', context.say('help.draft'))
    .option('--all', context.say('help.draftsAll'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 10_000))
    .addHelpText('after', example(context, 'npx fenghuo warning drafts', 'npx fenghuo warning drafts D12'))
    .action(async (id: string | undefined, options: { all?: boolean; most?: number }) =>
      id === undefined ? list(context, options) : printDraft(context, parseDraftId(id)),
    );
  for (const step of ['review', 'approve'] as const) {
    warning
      .command(step)
      .description(context.say(`help.${step}`))
      .argument('<DRAFT>', context.say('help.draft'))
      .option('--confirm <HASH>', context.say('help.confirmHash'))
      .addHelpText('after', example(context, `npx fenghuo warning ${step} D12`))
      .action(async (id: string, options: { confirm?: string }) =>
        approve(context, step, parseDraftId(id), options.confirm),
      );
  }
  warning
    .command('publish')
    .description(context.say('help.publish'))
    .argument('<DRAFT>', context.say('help.draft'))
    .option('--confirm <DRAFT>', context.say('help.confirm'))
    .option('--emergency <REASON>', context.say('help.emergency'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo warning publish D12 --confirm=D12',
        'npx fenghuo warning publish D12 --confirm=D12 --emergency 溃坝,无人可签发',
      ),
    )
    .action(async (id: string, options: { confirm?: string; emergency?: string }) =>
      publish(context, parseDraftId(id), options),
    );
  addEndCommands(warning, context);
}

function addEndCommands(warning: Command, context: Context): void {
  for (const [name, end] of Object.entries({ reject: rejectDraft, withdraw: withdrawDraft })) {
    const key = name === 'reject' ? 'help.reject' : 'help.withdraw';
    warning
      .command(name)
      .description(context.say(key))
      .argument('<DRAFT>', context.say('help.draft'))
      .requiredOption('--reason <TEXT>', context.say('help.reason'))
      .addHelpText('after', example(context, `npx fenghuo warning ${name} D12 --reason 等级过高`))
      .action(async (id: string, { reason }: { reason: string }) => {
        const draftId = parseDraftId(id);
        await end(await context.database(), await requireOperator(context), draftId, reason);
        await printDraft(context, draftId);
      });
  }
}

/** The options that only an actual warning has, for the commands that write a draft. */
export function draftOptions(command: Command, context: Context): Command {
  return command
    .option('--correction-file <FILE>', context.say('help.correctionFile'))
    .option('--correction-en-file <FILE>', context.say('help.correctionEnFile'))
    .option('--identifier <IDENTIFIER>', context.say('help.identifier'))
    .addOption(new Option('--edit <DRAFT>', context.say('help.editDraft')).argParser(parseDraftId));
}

export type DraftOptions = {
  correctionFile?: string;
  correctionEnFile?: string;
  identifier?: string;
  /** The draft of which this is a new version. */
  edit?: number;
};

/** Writes the draft of a new actual warning, or a new version of one, and says what comes next. */
export async function draftRequest(
  context: Context,
  request: WarningRequest,
  options: DraftOptions,
): Promise<void> {
  const { correctionFile, correctionEnFile, identifier, edit } = options;
  const database = await context.database();
  await requireOperator(context);
  const plan = await planWarning(database, request, await plannedSenders(context, 'actual'));
  const { content, pack } = await contentOfRequest(database, request, {
    ...(correctionFile === undefined ? {} : { correctionZh: await readTextFile(correctionFile) }),
    ...(correctionEnFile === undefined ? {} : { correctionEn: await readTextFile(correctionEnFile) }),
    ...(identifier === undefined ? {} : { identifier }),
  });
  await draftContent(context, content, { pack, plan, ...(edit === undefined ? {} : { edit }) });
}

/** Writes a draft of this content and says what comes next: what issue, update and cancel of actual warnings do. */
export async function draftContent(
  context: Context,
  content: DraftContent,
  options: { pack?: RulePack; plan?: WarningPlan; edit?: number } = {},
): Promise<void> {
  const { pack, plan, edit } = options;
  const database = await context.database();
  const operator = await requireOperator(context);
  const { draftId } =
    edit === undefined
      ? await createDraft(database, operator, content, pack)
      : await editDraft(database, operator, edit, content, pack);
  await printDraft(context, draftId, plan);
  const id = draftName(draftId);
  context.hint(
    context.say('draft.next'),
    `  npx fenghuo warning approve ${id}`,
    `  npx fenghuo warning publish ${id} --confirm=${id}`,
  );
}

async function list(context: Context, options: { all?: boolean; most?: number }): Promise<void> {
  const { all = false, most = LISTED_MOST } = options;
  const drafts = await listDrafts(await context.database(), { all, most });
  const now = Date.now();
  const shapes = drafts.map((draft) => draftShape(draft, now));
  context.print({
    value: shapes,
    items: shapes,
    lines: () => (drafts.length === 0 ? [] : renderDrafts(drafts, context, now)),
  });
  if (drafts.length === 0) context.hint(context.say('draft.none'));
  const alone = await listAfterReviews(await context.database());
  if (alone.length > 0) context.hint(context.say('afterReview.open', { count: alone.length }));
}

/** A draft as it stands; with the plan of what it would do, where that was made. */
export async function printDraft(context: Context, draftId: number, plan?: WarningPlan): Promise<void> {
  const draft = await viewDraft(await context.database(), draftId);
  const now = Date.now();
  context.print({
    value: { ...draftShape(draft, now), ...(plan && { plan: planShape(plan) }) },
    lines: () => [...(plan ? [...renderPlan(plan, context), ''] : []), ...renderDraft(draft, context, now)],
  });
}

/** What is approved is what was read: the first digits of the version's hash are typed, or given. */
async function approve(
  context: Context,
  step: 'review' | 'approve',
  draftId: number,
  given: string | undefined,
): Promise<void> {
  const operator = await requireOperator(context);
  const database = await context.database();
  const draft = await viewDraft(database, draftId);
  const now = Date.now();
  if (given === undefined && context.output === 'text') context.tell(...renderDraft(draft, context, now));
  const wanted = draft.hash.slice(
    0,
    given === undefined ? HASH_SHOWN : Math.max(HASH_SHOWN, given.trim().length),
  );
  await confirmed(context, {
    given,
    wanted,
    refused: context.say('confirm.hash', { id: draftName(draftId) }),
  });
  const act = step === 'review' ? reviewDraft : approveDraft;
  const { validUntil } = await act(database, operator, draftId, draft.hash);
  const id = draftName(draftId);
  const approved = await viewDraft(database, draftId);
  context.print({
    value: draftShape(approved, Date.now()),
    lines: () => [
      context.say(`draft.${step}Done`, { id, name: operator.name, until: timeOfDay(validUntil) }),
    ],
  });
  if (isApproved(approved, Date.now())) context.hint(`  npx fenghuo warning publish ${id} --confirm=${id}`);
}

async function publish(
  context: Context,
  draftId: number,
  options: { confirm?: string; emergency?: string },
): Promise<void> {
  const operator = await requireOperator(context);
  const database = await context.database();
  const draft = await viewDraft(database, draftId);
  const wanted = draftName(draftId);
  if (options.confirm === undefined && context.output === 'text')
    context.tell(...renderDraft(draft, context, Date.now()));
  const confirm = await confirmed(context, {
    given: options.confirm,
    wanted,
    refused: context.say('confirm.name', { id: wanted }),
  });
  if (draft.act !== 'cancel') await requireReady(context);
  const { emergency } = options;
  const { warningId: number } = await publishDraft(database, operator, draftId, confirm, {
    ...(emergency === undefined ? {} : { emergency }),
  });
  const id = warningId(number);
  const published = await viewDraft(database, draftId);
  context.print({
    value: draftShape(published, Date.now()),
    lines: () => [context.say(`draft.published.${draft.act}`, { id, draft: wanted })],
  });
  if (emergency !== undefined)
    context.hint(context.say('draft.afterReview'), '  npx fenghuo warning review-after');
  context.hint(`  npx fenghuo warning watch ${id}`, `  npx fenghuo silent ${id}`);
}

/** Says what is missing, in the user's language, where nothing would leave; publishing itself refuses it as well. */
async function requireReady(context: Context): Promise<void> {
  const { gaps, facts } = await readinessOf(await context.database(), 'actual');
  const stopping = gaps.filter(stopsPublishing);
  if (stopping.length === 0) return;
  throw new FenghuoError({
    code: 'not-ready',
    refusal: 'notPermitted',
    sentence: context.say('draft.notReady'),
    details: stopping.map((gap) =>
      context.say(`gap.${gap}`, { namespace: facts.workers[0]?.namespace ?? '', count: facts.misdirected }),
    ),
  });
}
