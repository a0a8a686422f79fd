/** `warning`: plan and issue, list, show, watch, cancel. */
import type { Command } from 'commander';
import { configuredSenders } from '../config.ts';
import { EXIT_CODES } from '../domain/errors.ts';
import { isoWithOffset } from '../domain/time.ts';
import { planWarning } from '../operations/plan.ts';
import {
  cancelWarning,
  issueWarning,
  listWarnings,
  parseWarningId,
  requireWarning,
  viewWarning,
  type WarningRequest,
} from '../operations/warnings.ts';
import type { WarningRow } from '../db/warnings.ts';
import { hasWorker, processesAlive } from './alive.ts';
import type { Context } from './context.ts';
import { renderFrame } from './frame.ts';
import { oneOf, plainNumber, readTextFile, several, wholeNumber } from './options.ts';
import { pauseLine } from './pause.ts';
import { planShape, renderPlan } from './plan.ts';
import { example } from './example.ts';
import { coverageOf, hazardName, levelName, viewShape, warningId, warningShape } from './shapes.ts';
import { INTERRUPTED_EXIT_CODE, untilInterrupted } from './signals.ts';
import { renderTable } from './table.ts';
import { minuteOf, parseSpan, span } from './times.ts';
import { watchWarning } from './watch.ts';
import { harmless, wrap } from './width.ts';

const LISTED_MOST = 50;

export function addWarningCommands(program: Command, context: Context): void {
  const warning = program.command('warning').description(context.say('help.warning'));
  const sample = '--hazard 暴雨 --level red --area 黔江区/濯水镇 --expires +6h';
  requestOptions(warning.command('plan'), context)
    .description(context.say('help.plan'))
    .addHelpText('after', example(context, `npx fenghuo warning plan ${sample}`))
    .action(async (options: RequestOptions) => plan(context, options));
  requestOptions(warning.command('issue'), context)
    .description(context.say('help.issue'))
    .addHelpText('after', example(context, `npx fenghuo warning issue ${sample}`))
    .action(async (options: RequestOptions) => issue(context, options));
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
  warning
    .command('cancel')
    .description(context.say('help.cancel'))
    .argument('<WARNING>', context.say('help.warningId'))
    .option('--reason <TEXT>', context.say('help.reason'))
    .addHelpText('after', example(context, 'npx fenghuo warning cancel W12 --reason 雨势减弱'))
    .action(async (id: string, options: { reason?: string }) =>
      cancel(context, parseWarningId(id), options.reason ?? null),
    );
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

async function plan(context: Context, options: RequestOptions): Promise<void> {
  const senders = configuredSenders(await context.config());
  const planned = await planWarning(await context.database(), await requestOf(context, options), senders);
  context.print({ value: planShape(planned), lines: () => renderPlan(planned, context) });
  context.hint(context.say('plan.nothingSent'));
}

async function issue(context: Context, options: RequestOptions): Promise<void> {
  const database = await context.database();
  const issued = await issueWarning(database, await requestOf(context, options));
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
      { title: context.say('list.status'), of: (row) => context.say(`status.${row.status}`) },
      { title: context.say('list.issued'), of: (row) => minuteOf(row.issuedAt) },
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
    ],
  });
}

async function cancel(context: Context, number: number, reason: string | null): Promise<void> {
  const row = await cancelWarning(await context.database(), number, reason);
  const id = warningId(number);
  context.print({
    value: warningShape(row),
    lines: () => [context.say('cancel.done', { id, at: isoWithOffset(row.endedAt ?? row.expiresAt) })],
  });
  context.hint(context.say('cancel.next', { id }));
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
