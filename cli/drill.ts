/** `drill`: list, new, validate, rehearse. */
import type { Command } from 'commander';
import { EXIT_CODES } from '../domain/errors.ts';
import { tierRanges, verdictRanges } from '../domain/rehearsal/ranges.ts';
import { storyOf } from '../domain/scenario-story.ts';
import type { Scenario } from '../domain/scenario.ts';
import { readRegister } from '../operations/rehearsal-tree.ts';
import { changeSetup, rehearseSeeds, setStage } from '../operations/rehearsals.ts';
import { readRulePack } from '../operations/rule-packs.ts';
import { readScenario, shippedScenarios } from '../operations/scenario-files.ts';
import type { Context } from './context.ts';
import { addAgreeCommand } from './drill-agree.ts';
import { addNewDrillCommand } from './drill-new.ts';
import { addReportCommands } from './drill-report.ts';
import { treeOf } from './drill-tree.ts';
import { addDrillRunCommands } from './drill-run.ts';
import { addDrillScheduleCommands } from './drill-schedule.ts';
import { addDrillServeCommand } from './drill-serve.ts';
import { example } from './example.ts';
import { oneOf, several, wholeNumber } from './options.ts';
import { withProgress } from './progress.ts';
import { expectationWords, inShort, renderRehearsal, type Played } from './rehearsal.ts';
import { renderTable } from './table.ts';
import { harmless } from './width.ts';

const SEEDS_MOST = 100_000;

export function addDrillCommands(program: Command, context: Context): void {
  const drill = program.command('drill').description(context.say('help.drill'));
  drill
    .command('list')
    .description(context.say('help.drillList'))
    .addHelpText('after', example(context, 'npx fenghuo drill list'))
    .action(async () => list(context));
  addNewDrillCommand(drill, context);
  drill
    .command('validate')
    .description(context.say('help.drillValidate'))
    .argument('<SCENARIO>', context.say('help.scenario'))
    .option('--tree <WHICH>', context.say('help.tree'), oneOf(['csv', 'database']))
    .option('--units <FILE>', context.say('help.units'))
    .addHelpText('after', example(context, 'npx fenghuo drill validate quickstart'))
    .action(async (name: string, options: Pick<RehearseOptions, 'tree' | 'units'>) =>
      validate(context, name, options),
    );
  drill
    .command('rehearse')
    .description(context.say('help.drillRehearse'))
    .argument('<SCENARIO>', context.say('help.scenario'))
    .option('--seed <N>', context.say('help.seedNumber'), wholeNumber(0, 999_999_999))
    .option('--seeds <M>', context.say('help.seeds'), wholeNumber(1, SEEDS_MOST))
    .option('--set <CHANGE>', context.say('help.set'), several)
    .option('--check', context.say('help.checkExpectations'))
    .option('--tree <WHICH>', context.say('help.tree'), oneOf(['csv', 'database']))
    .option('--units <FILE>', context.say('help.units'))
    .option('--rules <FILE>', context.say('help.rules'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo drill rehearse quickstart',
        'npx fenghuo drill rehearse quickstart --seeds 100 --set down=sms@黔江区 --set deputies=village+1',
      ),
    )
    .action(async (name: string, options: RehearseOptions) => rehearse(context, name, options));
  addReportCommands(drill, context);
  addAgreeCommand(drill, context);
  addDrillRunCommands(drill, context);
  addDrillScheduleCommands(drill, context);
  addDrillServeCommand(drill, context);
}

async function list(context: Context): Promise<void> {
  const register = await readRegister();
  const scenarios: Scenario[] = [];
  for (const name of await shippedScenarios()) scenarios.push(await readScenario(name, register));
  const shapes = scenarios.map(({ name, title, about, sources, startsAt, timeline, expect }) => ({
    name,
    title,
    about,
    sources,
    startsAt,
    warnings: storyOf({ timeline }).warnings.length,
    expectations: expect.length,
  }));
  context.print({
    value: shapes,
    items: shapes,
    lines: () =>
      renderTable(
        shapes,
        [
          { title: context.say('drill.name'), of: ({ name }) => name },
          { title: context.say('drill.warnings'), of: ({ warnings }) => String(warnings), align: 'right' },
          {
            title: context.say('drill.expectations'),
            of: ({ expectations }) => String(expectations),
            align: 'right',
          },
          {
            title: context.say('drill.title'),
            of: ({ title }) => harmless(title[context.lang]),
            shrinks: true,
          },
        ],
        context.columns(),
      ),
  });
}

async function validate(
  context: Context,
  name: string,
  options: Pick<RehearseOptions, 'tree' | 'units'>,
): Promise<void> {
  const scenario = await readScenario(name, (await treeOf(context, options)).register);
  const { warnings } = storyOf(scenario);
  const value = {
    name: scenario.name,
    ok: true,
    warnings: warnings.length,
    expectations: scenario.expect.length,
  };
  context.print({ value, lines: () => [context.say('drill.valid', { ...value, ok: '' })] });
}

type RehearseOptions = {
  seed?: number;
  seeds?: number;
  set?: string[];
  check?: boolean;
  tree?: 'csv' | 'database';
  units?: string;
  rules?: string;
};

async function rehearse(context: Context, name: string, options: RehearseOptions): Promise<void> {
  const { register, grow } = await treeOf(context, options);
  const scenario = await readScenario(name, register);
  const pack = await readRulePack(options.rules);
  const first = options.seed ?? 1;
  const seeds = Array.from({ length: options.seeds ?? 1 }, (_, place) => first + place);
  const plays = [null, ...(options.set ?? [])].map((whatIf) => ({
    whatIf,
    input: { scenario, register, pack, whatIfs: whatIf === null ? [] : [whatIf], ...(grow && { grow }) },
  }));
  // What cannot be read is said before the first one is played.
  for (const { input } of plays) changeSetup(input);
  const played = await withProgress(context, context.say('drill.running', { name }), async (log) => {
    const all: Played[] = [];
    for (const { whatIf, input } of plays) {
      const stage = await setStage(input);
      const rehearsals = await rehearseSeeds(stage, seeds, (done) =>
        log([whatIf ?? '', context.say('drill.seed', { done, of: seeds.length })].join(' ')),
      );
      all.push({ whatIf, scenario: stage.scenario, rehearsals });
    }
    return all;
  });
  context.print({ value: shapeOf(played, context), lines: () => renderRehearsal(played, context) });
  context.hint('', context.say('drill.nothing'));
  const met = played[0]?.rehearsals.every(({ verdicts }) => verdicts.every((verdict) => verdict.met)) ?? true;
  if (options.check === true && !met) context.exitCode = EXIT_CODES.belowCoverage;
}

/** One seed in full; of several, the ranges. */
function shapeOf(played: readonly Played[], context: Context) {
  const [plain] = played;
  const rehearsals = plain?.rehearsals ?? [];
  const [first] = rehearsals;
  const ranges = verdictRanges(rehearsals.map(({ verdicts }) => verdicts));
  return {
    scenario: plain?.scenario.name ?? '',
    seeds: rehearsals.map(({ seed }) => seed),
    warnings:
      rehearsals.length === 1
        ? first?.warnings
        : first?.warnings.map(({ name, atMinute, lastsMinutes, end, level }, index) => ({
            name,
            atMinute,
            lastsMinutes,
            end,
            level,
            tiers: tierRanges(rehearsals.flatMap(({ warnings }) => warnings.slice(index, index + 1))),
          })),
    expectations: (first?.verdicts ?? []).map(({ expectation, measure, wanted, was, met }, place) => ({
      sentence: expectationWords(expectation, context),
      ...expectation,
      measure,
      wanted,
      ...(rehearsals.length === 1 ? { was, met } : ranges[place]),
    })),
    whatIfs: played.slice(1).map(({ whatIf, rehearsals: runs }) => ({ whatIf, runs: runs.map(inShort) })),
  };
}
