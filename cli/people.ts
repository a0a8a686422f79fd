/** `people`: who stands for the units, and the synthetic population of exercises. */
import type { Command } from 'commander';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import { generatePopulation, type PopulationInput } from '../operations/generate-population.ts';
import { findUnits } from '../operations/organisation-find.ts';
import { importPeople, type PeopleImported } from '../operations/organisation-people.ts';
import { checkPeople, listPeople, type UnreachableUnit } from '../operations/organisation-read.ts';
import type { Context } from './context.ts';
import { several, wholeNumber } from './options.ts';
import { importFile, renderPeople } from './organisation.ts';
import { withProgress } from './progress.ts';
import { example } from './example.ts';
import { tierName } from './shapes.ts';
import { renderTable } from './table.ts';

const LISTED_MOST = 100;

export function addPeopleCommands(program: Command, context: Context): void {
  const people = program.command('people').description(context.say('help.people'));
  people
    .command('import')
    .description(context.say('help.peopleImport'))
    .argument('<FILE>', context.say('help.file'))
    .option('--errors <FILE>', context.say('help.errors'))
    .option('--dry-run', context.say('help.dryRun'))
    .option('--synthetic', context.say('help.importSynthetic'))
    .addHelpText('after', example(context, 'npx fenghuo people import people.csv --errors faulty.csv'))
    .action(async (file: string, options: { errors?: string; dryRun?: boolean; synthetic?: boolean }) => {
      const { dryRun = false, synthetic = false } = options;
      const imported = await importFile(context, { file, ...options }, async (bytes) =>
        importPeople({ database: await context.database(), file: bytes, dryRun, synthetic }),
      );
      context.print({ value: imported, lines: () => renderPeopleImported(imported, context) });
      if (!dryRun) context.hint(context.say('people.nextCheck'));
    });
  people
    .command('list')
    .description(context.say('help.peopleList'))
    .argument('<UNIT>', context.say('help.unit'))
    .addHelpText('after', example(context, 'npx fenghuo people list 黔江区/濯水镇'))
    .action(async (path: string) => {
      const list = await listPeople(await context.database(), path);
      context.print({ value: list, items: list.people, lines: () => renderList(list, context) });
      if (list.people.length === 0) context.hint(context.say('people.none'));
    });
  people
    .command('check')
    .description(context.say('help.peopleCheck'))
    .option('--under <UNIT>', context.say('help.under'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 100_000))
    .addHelpText('after', example(context, 'npx fenghuo people check --under 黔江区'))
    .action(async (options: { under?: string; most?: number }) => check(context, options));
  addGenerateCommand(people, context);
}

type GenerateOptions = {
  synthetic?: boolean;
  seed: string;
  groups?: number;
  deputies?: number;
  households?: number;
  under?: string[];
  householdsUnder?: string[];
};

function addGenerateCommand(people: Command, context: Context): void {
  people
    .command('generate')
    .description(context.say('help.peopleGenerate'))
    .option('--synthetic', context.say('help.synthetic'))
    .option('--seed <TEXT>', context.say('help.seed'), '1')
    .option('--groups <N>', context.say('help.groups'), wholeNumber(0, 99))
    .option('--deputies <N>', context.say('help.deputies'), wholeNumber(0, 20))
    .option('--households <N>', context.say('help.households'), wholeNumber(0, 2_000))
    .option('--under <UNIT>', context.say('help.generateUnder'), several)
    .option('--households-under <UNIT>', context.say('help.householdsUnder'), several)
    .addHelpText(
      'after',
      example(context, 'npx fenghuo people generate --synthetic --households-under 黔江区/濯水镇'),
    )
    .action(async (options: GenerateOptions) => generate(context, options));
}

/** Made-up people stay apart from real ones for ever: whoever makes them must say so. */
async function generate(context: Context, options: GenerateOptions): Promise<void> {
  if (options.synthetic !== true) {
    throw new FenghuoError({ code: 'synthetic', refusal: 'usage', sentence: context.say('generate.sayIt') });
  }
  const database = await context.database();
  const ids = async (paths: readonly string[]) => {
    const units = [];
    for (const path of paths) units.push(await findUnits(database, path));
    return units.map(({ id }) => id);
  };
  const under = options.under ? await ids(options.under) : 'all';
  const input: PopulationInput = {
    database,
    seed: options.seed,
    villagesUnder: under,
    peopleUnder: under,
    householdsUnder: options.householdsUnder ? await ids(options.householdsUnder) : 'none',
    ...(options.groups === undefined ? {} : { groupsPerVillage: options.groups }),
    ...(options.deputies === undefined ? {} : { deputiesPerUnit: options.deputies }),
    ...(options.households === undefined ? {} : { householdsPerGroup: options.households }),
  };
  const made = await withProgress(context, context.say('generate.running'), (log) =>
    generatePopulation({ ...input, log }),
  );
  const { groups, people, posts, households } = made;
  context.print({
    value: { ...made, synthetic: true },
    lines: () => [context.say('generate.made', { groups, people, posts, households })],
  });
}

async function check(context: Context, options: { under?: string; most?: number }): Promise<void> {
  const most = options.most ?? LISTED_MOST;
  const under = options.under === undefined ? {} : { under: options.under };
  const { total, units } = await checkPeople(await context.database(), { ...under, most });
  context.print({
    value: { total, units },
    items: units,
    lines: () => (total === 0 ? [] : renderUnreachable({ total, units }, context)),
  });
  if (total === 0) context.hint(context.say('people.allReachable'));
  else context.hint(context.say('people.mend'));
  context.exitCode = total === 0 ? EXIT_CODES.done : EXIT_CODES.failed;
}

function renderPeopleImported(imported: PeopleImported, context: Context): string[] {
  const { people, posts, ignoredHeaders } = imported;
  return [
    context.say('people.imported', people),
    context.say('people.posts', posts),
    ...(ignoredHeaders.length > 0
      ? [context.say('import.ignored', { headers: ignoredHeaders.join(', ') })]
      : []),
  ];
}

function renderList(list: Awaited<ReturnType<typeof listPeople>>, context: Context): string[] {
  const head = `${list.unit.place}  ${list.unit.code ?? '-'}  ${tierName(list.unit.tier, context.lang)}`;
  return [head, ...(list.people.length > 0 ? renderPeople(list.people, context) : [])];
}

/** Units where nobody can be reached, by name, then how many more there are. */
export function renderUnreachable(
  found: { total: number; units: readonly Pick<UnreachableUnit, 'code' | 'place' | 'tier' | 'reason'>[] },
  context: Context,
): string[] {
  const { total, units } = found;
  const reasons = {
    'no post is held': context.say('reason.noPost'),
    'no address': context.say('reason.noAddress'),
  };
  const table = renderTable(
    units,
    [
      { title: context.say('tier.tier'), of: ({ tier }) => tierName(tier, context.lang) },
      { title: context.say('unit.path'), of: ({ place }) => place, shrinks: true },
      { title: context.say('unit.code'), of: ({ code }) => code ?? '-' },
      { title: context.say('unit.reason'), of: ({ reason }) => reasons[reason] },
    ],
    context.columns(),
  );
  return [
    context.say('people.unreachable', { count: total }),
    ...table,
    ...(total > units.length ? [context.say('more', { count: total - units.length })] : []),
  ];
}
