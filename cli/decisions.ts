/** Decided not to send, because: of a draft, or of what nobody has written down; and the decisions that were taken. */
import type { Command } from 'commander';
import type { DecisionRow } from '../db/drafts.ts';
import { FenghuoError } from '../domain/errors.ts';
import { isoWithOffset } from '../domain/time.ts';
import { decideNotToSend, listDecisions, requireDecision } from '../operations/draft-ends.ts';
import { draftName, parseDraftId } from '../operations/drafts.ts';
import { findOccasion } from '../operations/warnings.ts';
import type { Context } from './context.ts';
import { printDraft } from './drafts.ts';
import { example } from './example.ts';
import { requireOperator } from './operators.ts';
import { several, wholeNumber } from './options.ts';
import { hazardName, levelName } from './shapes.ts';
import { renderTable } from './table.ts';
import { minuteOf } from './times.ts';
import { harmless, wrap } from './width.ts';

const LISTED_MOST = 50;
const NUMBER_MOST = 2_147_483_647;

export function addDecisionCommands(warning: Command, context: Context): void {
  warning
    .command('decide-not')
    .description(context.say('help.decideNot'))
    .argument('[DRAFT]', context.say('help.draft'))
    .option('--hazard <HAZARD>', context.say('help.hazard'))
    .option('--level <LEVEL>', context.say('help.level'))
    .option('--area <UNIT>', context.say('help.area'), several)
    .requiredOption('--reason <TEXT>', context.say('help.reason'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo warning decide-not D12 --reason 雨势减弱',
        'npx fenghuo warning decide-not --hazard 暴雨 --level orange --area 黔江区 --reason 雨势减弱',
      ),
    )
    .action(async (id: string | undefined, options: DecideOptions) => decideNot(context, id, options));
  warning
    .command('decisions')
    .description(context.say('help.decisions'))
    .argument('[NUMBER]', context.say('help.decision'), wholeNumber(1, NUMBER_MOST))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 10_000))
    .addHelpText(
      'after',
      example(context, 'npx fenghuo warning decisions', 'npx fenghuo warning decisions 7'),
    )
    .action(async (number: number | undefined, { most = LISTED_MOST }: { most?: number }) =>
      number === undefined ? list(context, most) : show(context, number),
    );
}

type DecideOptions = { hazard?: string; level?: string; area?: string[]; reason: string };

/** Of a draft, or of something nobody has written down: then hazard, level and area say what it would have been. */
async function decideNot(context: Context, id: string | undefined, options: DecideOptions): Promise<void> {
  const { hazard, level, area, reason } = options;
  const database = await context.database();
  if (id !== undefined) {
    if (hazard !== undefined || level !== undefined || area !== undefined) throw decideWhat(context);
    const draftId = parseDraftId(id);
    await decideNotToSend(database, await requireOperator(context), { draftId }, reason);
    return printDraft(context, draftId);
  }
  if (hazard === undefined || level === undefined || area === undefined) throw decideWhat(context);
  const operator = await requireOperator(context);
  const found = await findOccasion(database, { hazard, level, areas: area });
  const about = { hazard: found.hazard.code, level: found.level.id, areaIds: found.areaIds };
  const decision = await decideNotToSend(database, operator, about, reason);
  context.print({
    value: decisionShape(decision),
    lines: () => [context.say('decision.done', wordsOf(decision, context))],
  });
}

function decideWhat(context: Context): FenghuoError {
  return new FenghuoError({ code: 'decide-what', refusal: 'usage', sentence: context.say('decision.what') });
}

async function list(context: Context, most: number): Promise<void> {
  const decisions = await listDecisions(await context.database(), most);
  const shapes = decisions.map(decisionShape);
  context.print({
    value: shapes,
    items: shapes,
    lines: () => (decisions.length === 0 ? [] : renderDecisions(decisions, context)),
  });
  if (decisions.length === 0) context.hint(context.say('decision.none'));
}

async function show(context: Context, decisionId: number): Promise<void> {
  const decision = await requireDecision(await context.database(), decisionId);
  const { name, areas, by, reason } = wordsOf(decision, context);
  const draft = decision.draftId === null ? '' : ` (${draftName(decision.draftId)})`;
  context.print({
    value: decisionShape(decision),
    lines: () => [
      context.say('decision.head', { id: decisionId, name, draft }),
      context.say('issue.areas', { areas }),
      context.say('decision.by', { by, at: isoWithOffset(decision.at) }),
      ...wrap(context.say('show.reason', { reason }), context.columns() ?? 100),
    ],
  });
}

/** What JSON has of a decision. */
function decisionShape({ decisionId, draftId, hazard, level, areas, operator, reason, at }: DecisionRow) {
  return {
    decision: String(decisionId),
    at: isoWithOffset(at),
    by: operator,
    hazard: { code: hazard, zh: hazardName(hazard, 'zh'), en: hazardName(hazard, 'en') },
    level,
    areas,
    draft: draftId === null ? null : draftName(draftId),
    reason,
  };
}

function renderDecisions(decisions: readonly DecisionRow[], context: Context): string[] {
  const { say, lang } = context;
  return renderTable(
    decisions,
    [
      { title: say('list.id'), of: ({ decisionId }) => String(decisionId), align: 'right' },
      { title: say('decision.at'), of: ({ at }) => minuteOf(at) },
      { title: say('list.level'), of: ({ level }) => levelName(level, lang) },
      { title: say('list.hazard'), of: ({ hazard }) => hazardName(hazard, lang) },
      { title: say('list.areas'), of: (decision) => wordsOf(decision, context).areas, shrinks: true },
      { title: say('decision.operator'), of: (decision) => wordsOf(decision, context).by, shrinks: true },
      { title: say('decision.reason'), of: (decision) => wordsOf(decision, context).reason, shrinks: true },
    ],
    context.columns(),
  );
}

function wordsOf({ hazard, level, areas, operator, reason }: DecisionRow, { say, lang }: Context) {
  return {
    name: say('warning.name', { hazard: hazardName(hazard, lang), level: levelName(level, lang) }),
    areas: areas.map(harmless).join(lang === 'zh' ? '、' : ', '),
    by: harmless(operator),
    reason: harmless(reason),
  };
}
