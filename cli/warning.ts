/** `warning`: plan and issue, list, show, watch. */
import type { Command } from 'commander';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import { isoWithOffset } from '../domain/time.ts';
import { findPeopleWithoutAnswer, planWarning } from '../operations/plan.ts';
import {
  issueWarning,
  listWarnings,
  parseWarningId,
  requireWarning,
  viewWarning,
  type WarningRequest,
} from '../operations/warnings.ts';
import { findOverlapping, type WarningRow } from '../db/warnings.ts';
import { addAfterReviewCommand } from './after-reviews.ts';
import { hasWorker, processesAlive } from './alive.ts';
import { addExportCommand, capOption, issueCap } from './cap-warning.ts';
import type { Context } from './context.ts';
import { addDecisionCommands } from './decisions.ts';
import { addDraftCommands, draftOptions, draftRequest, type DraftOptions } from './drafts.ts';
import { renderFrame } from './frame.ts';
import { oneOf, plainNumber, readTextFile, several, wholeNumber } from './options.ts';
import { pauseLine } from './pause.ts';
import { planShape, renderCannotAnswer, renderPlan } from './plan.ts';
import { plannedSenders } from './planned-senders.ts';
import { example } from './example.ts';
import { coverageOf, hazardName, levelName, viewShape, warningId, warningShape } from './shapes.ts';
import { INTERRUPTED_EXIT_CODE, untilInterrupted } from './signals.ts';
import { renderTable } from './table.ts';
import { minuteOf, parseSpan, span } from './times.ts';
import { addUpdateCommands } from './warning-update.ts';
import { watchWarning } from './watch.ts';
import { harmless, wrap } from './width.ts';

const LISTED_MOST = 50;

export function addWarningCommands(program: Command, context: Context): void {
  const warning = program.command('warning').description(context.say('help.warning'));
  const sample = '--hazard 暴雨 --level red --area 黔江区/濯水镇 --expires +6h';
  requestOptions(warning.command('plan'), context)
    .description(context.say('help.plan'))
    .option('--check', context.say('help.planCheck'))
    .addHelpText('after', example(context, `npx fenghuo warning plan ${sample} --check`))
    .action(async (options: RequestOptions & { check?: boolean }) => plan(context, options));
  capOption(draftOptions(requestOptions(warning.command('issue'), context), context), context)
    .description(context.say('help.issue'))
    .addHelpText(
      'after',
      example(context, `npx fenghuo warning issue ${sample}`, `npx fenghuo warning issue ${sample} --actual`),
    )
    .action(async (options: RequestOptions & DraftOptions & { cap?: string }) => issue(context, options));
  warning
    .command('list')
    .description(context.say('help.list'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 10_000))
    .addHelpText('after', example(context, 'npx fenghuo warning list', 'npx fenghuo warning list -o jsonl'))
    .action(async ({ most }: { most?: number }) => list(context, most ?? LISTED_MOST));
  warning
    .command('show')
    .description(context.say('help.show'))
    .argument('<WARNING>', context.say('help.warningId'))
    .addHelpText('after', example(context, 'npx fenghuo warning show W12'))
    .action(async (id: string) => show(context, parseWarningId(id)));
  addUpdateCommands(warning, context);
  addDraftCommands(warning, context);
  addDecisionCommands(warning, context);
  addAfterReviewCommand(warning, context);
  addExportCommand(warning, context);
  addWatchCommand(warning, context);
}

function addWatchCommand(warning: Command, context: Context): void {
  warning
    .command('watch')
    .description(context.say('help.watch'))
    .argument('<WARNING>', context.say('help.warningId'))
    .option('--until <WHEN>', context.say('help.until'), oneOf(['settled', 'closed']))
    .option('--timeout <TIME>', context.say('help.timeout'), parseSpan)
    .option('--coverage <PERCENT>', context.say('help.coverage'), plainNumber(0, 100))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo warning watch W12',
        'npx fenghuo warning watch W12 --until settled --timeout 10m --coverage 95',
      ),
    )
    .action(async (id: string, options: WatchOptions) => watch(context, parseWarningId(id), options));
}

type RequestOptions = {
  hazard: string;
  level: string;
  area: string[];
  expires: string;
  textFile?: string;
  textEnFile?: string;
  speed?: number;
  issuer?: string;
  rules?: string;
  actual?: boolean;
};

function requestOptions(command: Command, context: Context): Command {
  return command
    .requiredOption('--hazard <HAZARD>', context.say('help.hazard'))
    .requiredOption('--level <LEVEL>', context.say('help.level'))
    .requiredOption('--area <UNIT>', context.say('help.area'), several)
    .requiredOption('--expires <TIME>', context.say('help.expires'))
    .option('--text-file <FILE>', context.say('help.textFile'))
    .option('--text-en-file <FILE>', context.say('help.textEnFile'))
    .option('--speed <N>', context.say('help.speed'), plainNumber(0, 1_000_000))
    .option('--issuer <NAME>', context.say('help.issuer'))
    .option('--rules <FILE>', context.say('help.rules'))
    .option('--actual', context.say('help.actual'));
}

async function requestOf(context: Context, options: RequestOptions): Promise<WarningRequest> {
  const { hazard, level, area, expires, speed, rules, actual } = options;
  return {
    hazard,
    level,
    areas: area,
    expires,
    issuer: options.issuer ?? (await context.config()).FENGHUO_ISSUER,
    ...(options.textFile === undefined ? {} : { textZh: await readTextFile(options.textFile) }),
    ...(options.textEnFile === undefined ? {} : { textEn: await readTextFile(options.textEnFile) }),
    ...(speed === undefined ? {} : { speed }),
    ...(rules === undefined ? {} : { rulePackFile: rules }),
    ...(actual === undefined ? {} : { actual }),
  };
}

/** With `--check` a plan that refuses somebody, or leaves a unit that nobody can be reached in, ends below coverage. */
async function plan(context: Context, options: RequestOptions & { check?: boolean }): Promise<void> {
  const senders = await plannedSenders(context, options.actual === true ? 'actual' : 'exercise');
  const planned = await planWarning(await context.database(), await requestOf(context, options), senders);
  context.print({ value: planShape(planned), lines: () => renderPlan(planned, context) });
  context.hint(context.say('plan.nothingSent'));
  const { hazard, areaIds } = planned.warning;
  const others = await findOverlapping(await context.database(), {
    ...{ kind: planned.kind, hazard: hazard.code, areaIds },
  });
  for (const other of others) context.hint(context.say('plan.overlaps', { id: warningId(other) }));
  const complete = planned.cannotAnswer.total === 0 && planned.unreachable.total === 0;
  if (!complete && options.check === true) context.exitCode = EXIT_CODES.belowCoverage;
}

/** The file says it all: whoever adds `--actual` or a level must not believe that it counts. */
function besideCap(context: Context, names: readonly string[]): FenghuoError {
  const options = names.map(
    (name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  );
  return new FenghuoError({
    code: 'beside-cap',
    refusal: 'usage',
    sentence: context.say('issue.besideCap', { options: options.join(' ') }),
  });
}

async function issue(
  context: Context,
  options: RequestOptions & DraftOptions & { cap?: string },
): Promise<void> {
  const { cap, speed, rules, ...others } = options;
  if (cap !== undefined) {
    const beside = Object.entries(others).filter(([, value]) => value !== undefined);
    if (beside.length > 0)
      throw besideCap(
        context,
        beside.map(([name]) => name),
      );
    return issueCap(context, {
      cap,
      ...(speed === undefined ? {} : { speed }),
      ...(rules === undefined ? {} : { rules }),
    });
  }
  const database = await context.database();
  const request = await requestOf(context, options);
  if (request.actual === true) return draftRequest(context, request, options);
  const issued = await issueWarning(database, request);
  const row = await requireWarning(database, issued.warningId);
  const id = warningId(row.warningId);
  context.print({ value: warningShape(row), lines: () => renderIssued(row, context) });
  context.hint(
    context.say('issue.next'),
    `  npx fenghuo warning watch ${id}`,
    `  npx fenghuo silent ${id}`,
    `  npx fenghuo warning cancel ${id} --reason …`,
  );
  if (!hasWorker(await processesAlive(database))) context.tell(context.say('issue.noWorker'));
  await tellWhoCannotAnswer(context, request);
  await tellOfOverlapping(context, row);
}

/** Two open warnings of one hazard over the same places say two things: an update says one. */
async function tellOfOverlapping(context: Context, row: WarningRow): Promise<void> {
  const others = await findOverlapping(await context.database(), row);
  for (const other of others.filter((id) => id !== row.warningId))
    context.hint(context.say('issue.overlaps', { id: warningId(other), own: warningId(row.warningId) }));
}

/** After the commit: a warning waits for nobody's telephone, but whoever issued it knows whom to look after. */
async function tellWhoCannotAnswer(context: Context, request: WarningRequest): Promise<void> {
  const senders = await plannedSenders(context, 'exercise');
  const refused = await findPeopleWithoutAnswer(await context.database(), request, senders);
  if (refused.total > 0) context.tell(...renderCannotAnswer(refused, context), context.say('issue.goesOut'));
}

/** What was issued: its number, its area, its end. */
export function renderIssued(row: WarningRow, context: Context): string[] {
  const named = { hazard: hazardName(row.hazard, context.lang), level: levelName(row.level, context.lang) };
  return [
    context.say('issue.done', {
      id: warningId(row.warningId),
      kind: context.say(`kind.${row.kind}`),
      name: context.say('warning.name', named),
    }),
    context.say('issue.areas', { areas: row.areas.join(context.lang === 'zh' ? '、' : ', ') }),
    context.say('issue.expires', {
      at: isoWithOffset(row.expiresAt),
      left: span(row.expiresAt - row.issuedAt, context.lang),
    }),
  ];
}

async function list(context: Context, most: number): Promise<void> {
  const rows = await listWarnings(await context.database(), most);
  const shapes = rows.map(warningShape);
  context.print({
    value: shapes,
    items: shapes,
    lines: () => (rows.length === 0 ? [] : renderList(rows, context)),
  });
  if (rows.length === 0) context.hint(context.say('list.empty'));
}

/** The latest warnings, newest first. */
export function renderList(rows: readonly WarningRow[], context: Context): string[] {
  const { lang } = context;
  return renderTable(
    rows,
    [
      { title: context.say('list.id'), of: (row) => warningId(row.warningId) },
      { title: context.say('list.kind'), of: (row) => context.say(`kind.${row.kind}`) },
      { title: context.say('list.level'), of: (row) => levelName(row.level, lang) },
      { title: context.say('list.hazard'), of: (row) => hazardName(row.hazard, lang) },
      { title: context.say('list.status'), of: (row) => statusOf(row, context) },
      { title: context.say('list.issued'), of: (row) => minuteOf(row.issuedAt), drops: true },
      { title: context.say('list.expires'), of: (row) => minuteOf(row.expiresAt) },
      {
        title: context.say('list.areas'),
        of: (row) => row.areas.join(lang === 'zh' ? '、' : ', '),
        shrinks: true,
      },
    ],
    context.columns(),
  );
}

/** With what took its place, where something has. */
function statusOf({ status, retracted, supersededById }: WarningRow, context: Context): string {
  const words = context.say(`status.${retracted ? 'retracted' : status}`);
  return supersededById === null ? words : `${words} → ${warningId(supersededById)}`;
}

async function show(context: Context, number: number): Promise<void> {
  const view = await viewWarning(await context.database(), number);
  const columns = context.columns() ?? 100;
  const { warning } = view;
  context.print({
    value: viewShape(view),
    lines: () => [
      ...renderFrame(view, {
        columns,
        lang: context.lang,
        colour: context.colour,
        now: Date.now(),
        ...(view.paused ? { note: pauseLine(view.paused, context) } : {}),
      }).split('\n'),
      '',
      ...wrap(harmless(context.lang === 'zh' ? warning.textZh : warning.textEn), columns),
      context.say('show.rules', {
        pack: warning.rules.pack.id,
        version: warning.rules.pack.version,
        speed: warning.speed,
      }),
      ...(warning.endReason === null
        ? []
        : [context.say('show.reason', { reason: harmless(warning.endReason) })]),
      ...(view.endNotices === null
        ? []
        : [
            context.say('show.endNotices', {
              sent: view.endNotices.sent,
              first: (view.endNotices.firstMs / 1_000).toFixed(1),
              last: (view.endNotices.lastMs / 1_000).toFixed(1),
            }),
          ]),
    ],
  });
}

type WatchOptions = { until?: 'settled' | 'closed'; timeout?: number; coverage?: number };

async function watch(context: Context, number: number, options: WatchOptions): Promise<void> {
  const database = await context.database();
  await untilInterrupted(async (signal) => {
    const view = await watchWarning({
      database,
      warningId: number,
      context,
      until: options.until ?? 'closed',
      signal,
      ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
    });
    if (context.output === 'json') context.print({ value: viewShape(view), lines: () => [] });
    const coverage = coverageOf(view);
    if (signal.aborted) {
      context.exitCode = INTERRUPTED_EXIT_CODE;
      context.tell(context.say('watch.interrupted', { id: warningId(number) }));
    } else if (options.coverage !== undefined && coverage < options.coverage) {
      context.exitCode = EXIT_CODES.belowCoverage;
      context.tell(
        context.say('watch.belowCoverage', { coverage, asked: options.coverage, id: warningId(number) }),
      );
    }
  });
}
