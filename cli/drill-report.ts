/** `drill report`, `drill compare`, `drill from-warning`: what came of a drill, looked at, compared, and rehearsed again. */
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Database } from '../db/database.ts';
import { compareReports } from '../domain/drill-compare.ts';
import { parseReport } from '../domain/drill-report-file.ts';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import type { Drilled } from '../operations/drill-reports.ts';
import { parseWarningId } from '../operations/warnings.ts';
import { comparePage } from './compare-page.ts';
import { renderComparison } from './compare-text.ts';
import type { Context } from './context.ts';
import { treeOf } from './drill-tree.ts';
import { example } from './example.ts';
import { oneOf, readTextFile, several, wholeNumber } from './options.ts';
import { withProgress } from './progress.ts';
import { followUpCsv } from './report-csv.ts';
import { reportPage } from './report-page.ts';
import { renderReport } from './report-text.ts';

type PlayOptions = {
  seed?: number;
  set?: string[];
  tree?: 'csv' | 'database';
  units?: string;
  rules?: string;
};

type CompareOptions = PlayOptions & { html?: string };
type ReportOptions = CompareOptions & { csv?: string; check?: boolean };

export function addReportCommands(drill: Command, context: Context): void {
  const { say } = context;
  const played = (command: Command) =>
    command
      .option('--seed <N>', say('help.seedNumber'), wholeNumber(0, 999_999_999))
      .option('--tree <WHICH>', say('help.tree'), oneOf(['csv', 'database']))
      .option('--units <FILE>', say('help.units'))
      .option('--rules <FILE>', say('help.rules'));
  played(drill.command('report'))
    .description(say('help.drillReport'))
    .argument('<WHAT>', say('help.reportOf'))
    .option('--set <CHANGE>', say('help.reportSet'), several)
    .option('--html <FILE>', say('help.reportHtml'))
    .option('--csv <FILE>', say('help.reportCsv'))
    .option('--check', say('help.checkExpectations'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo drill report quickstart --html report.html',
        'npx fenghuo drill report W12 --csv follow-up.csv --html W12.html --lang zh',
        'npx fenghuo drill report quickstart --json > before.json',
      ),
    )
    .action(async (what: string, options: ReportOptions) => report(context, what, options));
  played(drill.command('compare'))
    .description(say('help.drillCompare'))
    .argument('<BEFORE>', say('help.reportOf'))
    .argument('<AFTER>', say('help.reportOf'))
    .option('--html <FILE>', say('help.reportHtml'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo drill compare W12 W15',
        'npx fenghuo drill compare before.json quickstart',
      ),
    )
    .action(async (before: string, after: string, options: CompareOptions) =>
      compare(context, before, after, options),
    );
  drill
    .command('from-warning')
    .description(say('help.drillFromWarning'))
    .argument('<WARNING>', say('help.warningOnRecord'))
    .argument('[FILE]', say('help.fromFile'))
    .addHelpText('after', example(context, 'npx fenghuo drill from-warning W12 again.yaml'))
    .action(async (warning: string, file: string | undefined) => fromWarning(context, warning, file));
}

async function report(context: Context, what: string, options: ReportOptions): Promise<void> {
  refuseToPlay(context, what, options);
  const drilled = await gather(context, what, options);
  const { html, csv } = options;
  if (csv !== undefined && drilled.followUp === null)
    throw new FenghuoError({
      code: 'report-csv',
      refusal: 'usage',
      sentence: context.say('report.noFollowUp'),
    });
  if (html !== undefined) await keep(html, await reportPage(drilled.report, context));
  const people = csv === undefined ? [] : ((await drilled.followUp?.()) ?? []);
  if (csv !== undefined) await keep(csv, followUpCsv(people, context), OWN_FILE_MODE);
  context.print({ value: drilled.report, lines: () => renderReport(drilled.report, context) });
  for (const file of [html, csv])
    if (file !== undefined) context.hint(context.say('report.written', { file }));
  if (csv !== undefined && drilled.report.source.kind === 'rehearsal')
    context.hint(context.say('report.followUpDrawn'));
  const met = drilled.report.expectations.every((verdict) => verdict.met);
  if (options.check === true && !met) context.exitCode = EXIT_CODES.belowCoverage;
}

/** What has happened is not played again: an option of rehearsals there is a slip, and must not look as if it had been heeded. */
function refuseToPlay(context: Context, what: string, options: PlayOptions): void {
  const { seed, set, tree, units, rules } = options;
  const given = Object.entries({ seed, set, tree, units, rules }).find(([, value]) => value !== undefined);
  if (!ON_RECORD.test(what) || !given) return;
  const sentence = context.say('report.onRecord', { what, option: `--${given[0]}` });
  throw new FenghuoError({ code: 'report-options', refusal: 'usage', sentence });
}

async function compare(context: Context, one: string, other: string, options: CompareOptions): Promise<void> {
  const { report: before } = await gather(context, one, options);
  const { report: after } = await gather(context, other, options);
  const comparison = compareReports(before, after);
  const { html } = options;
  if (html !== undefined) await keep(html, await comparePage({ before, after }, comparison, context));
  context.print({ value: comparison, lines: () => renderComparison(comparison, context) });
  if (html !== undefined) context.hint(context.say('report.written', { file: html }));
}

/** A report, and its people where there are any to name: a file has none. */
type Gathered = Pick<Drilled, 'report'> & { followUp: Drilled['followUp'] | null };

/** A warning, a drill, or the file of a report. */
const ON_RECORD = /^(w|dr)\d+$|\.json$/i;

async function gather(context: Context, what: string, options: PlayOptions): Promise<Gathered> {
  if (/^w\d+$/i.test(what)) {
    const { reportOfWarning } = await import('../operations/drill-reports.ts');
    return reportOfWarning(await context.database(), parseWarningId(what));
  }
  if (/^dr\d+$/i.test(what)) return drillOf(context, what);
  if (/\.json$/i.test(what)) return readReport(context, what);
  return rehearsed(context, what, options);
}

/** Of a drill that is over the report that was kept then; of any other, how it stands, from its own schema. */
async function drillOf(context: Context, what: string): Promise<Gathered> {
  const { isOver, parseDrillId, requireDrill } = await import('../operations/drills.ts');
  const drill = await requireDrill(await context.database(), parseDrillId(what));
  const kept = isOver(drill.status) ? parseReport(JSON.stringify(drill.report)) : { fault: 'not over' };
  const { schema } = drill;
  if (schema === null) {
    if ('report' in kept) return { report: kept.report, followUp: null };
    throw new FenghuoError({
      code: 'no-report',
      refusal: 'notFound',
      sentence: context.say('report.notKept', { drill: drill.name }),
    });
  }
  const { drilledOf } = await import('../operations/drill-reports.ts');
  const read = <T>(work: (drilled: Drilled) => Promise<T>) =>
    inSchema(context, schema, async (own) => work(await drilledOf(own, drill)));
  const followUp = () => read((drilled) => drilled.followUp());
  return {
    report: 'report' in kept ? kept.report : await read(({ report: own }) => Promise.resolve(own)),
    followUp,
  };
}

/** A drill's tables are nobody's but its own role's and their owner's. */
async function inSchema<T>(
  context: Context,
  schema: string,
  work: (own: Database) => Promise<T>,
): Promise<T> {
  const { openDatabase } = await import('../db/database.ts');
  const { DATABASE_URL: url } = await context.config();
  const own = openDatabase({ url, schema, asOwner: true, connectionsMost: 2 });
  try {
    return await work(own);
  } finally {
    await own.close();
  }
}

async function readReport(context: Context, file: string): Promise<Gathered> {
  const found = parseReport(await readTextFile(file));
  if ('report' in found) return { report: found.report, followUp: null };
  throw new FenghuoError({
    code: 'report-file',
    refusal: 'usage',
    sentence: context.say('report.noReport', { file }),
    details: [found.fault],
  });
}

async function rehearsed(context: Context, name: string, options: PlayOptions): Promise<Gathered> {
  const { reportOfRehearsal } = await import('../operations/drill-reports.ts');
  const { changeSetup, setStage } = await import('../operations/rehearsals.ts');
  const { readRulePack } = await import('../operations/rule-packs.ts');
  const { readScenario } = await import('../operations/scenario-files.ts');
  const { register, grow } = await treeOf(context, options);
  const scenario = await readScenario(name, register);
  const whatIfs = options.set ?? [];
  const input = {
    scenario,
    register,
    pack: await readRulePack(options.rules),
    whatIfs,
    ...(grow && { grow }),
  };
  // What cannot be read is said before anything is played.
  changeSetup(input);
  return withProgress(context, context.say('drill.running', { name: scenario.name }), async (log) =>
    reportOfRehearsal(await setStage(input), {
      seed: options.seed ?? 1,
      whatIfs,
      people: grow ? 'registered' : 'made up',
      breathe: (minute) => log(context.say('drill.minute', { minute: Math.floor(minute) })),
    }),
  );
}

/** Of a file that names people: only for whoever writes it. */
const OWN_FILE_MODE = 0o600;

async function keep(file: string, text: string, mode?: number): Promise<void> {
  await writeFile(file, text, { mode }).catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unwritable';
    throw new FenghuoError({
      code: 'file',
      refusal: 'usage',
      sentence: `${basename(file)} cannot be written (${reason}). Name a file in a folder that is there.`,
      cause,
    });
  });
}

async function fromWarning(context: Context, word: string, file: string | undefined): Promise<void> {
  const { scenarioOfWarning } = await import('../operations/scenario-from-warning.ts');
  const { keepScenario } = await import('../operations/scenario-new.ts');
  const warningId = parseWarningId(word);
  const { text, scenario } = await scenarioOfWarning(await context.database(), warningId);
  if (file === undefined) {
    context.print({ value: scenario, lines: () => text.trimEnd().split('\n') });
    return;
  }
  await keepScenario(file, text, context.say('drill.exists', { file }));
  context.print({
    value: { file, name: scenario.name },
    lines: () => [context.say('drill.written', { file })],
  });
  context.hint(context.say('fromWarning.next', { file }));
}
