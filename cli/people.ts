/** `people`: who stands for the units, and the synthetic population of exercises. */
import type { Command } from 'commander';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';
import { generatePopulation, type PopulationInput } from '../operations/generate-population.ts';
import { findUnits } from '../operations/organisation-find.ts';
import { importPeople, type PeopleImported } from '../operations/organisation-people.ts';
import { listPeople, type UnreachableUnit } from '../operations/organisation-read.ts';
import { checkHygiene, isClean, type Finding, type Hygiene } from '../operations/people-check.ts';
import { testPerson, type TestedPerson } from '../operations/people-test.ts';
import type { Context } from './context.ts';
import { oneOf, several, wholeNumber } from './options.ts';
import { importFile, renderPeople } from './organisation.ts';
import { withProgress } from './progress.ts';
import { addProveCommand } from './prove.ts';
import { example } from './example.ts';
import { tierName } from './shapes.ts';
import { renderTable } from './table.ts';
import { isoOrNull, minuteOf } from './times.ts';
import { harmless, wrap } from './width.ts';

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
    .option('--area <UNIT>', context.say('help.under'))
    .option('--check', context.say('help.check'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 100_000))
    .addHelpText('after', example(context, 'npx fenghuo people check --area 黔江区 --check'))
    .action(async (options: CheckOptions) => check(context, options));
  addTestCommand(people, context);
  addProveCommand(people, context);
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

type CheckOptions = { area?: string; check?: boolean; most?: number };

async function check(context: Context, options: CheckOptions): Promise<void> {
  const most = options.most ?? LISTED_MOST;
  const hygiene = await checkHygiene(await context.database(), {
    ...(options.area === undefined ? {} : { area: options.area }),
    most,
  });
  const { units, counts, findings, proven } = hygiene;
  const clean = isClean(hygiene);
  context.print({
    value: {
      ok: clean,
      units,
      counts,
      findings: findings.map(findingShape),
      proven: { ...proven, oldestAt: isoOrNull(proven.oldestAt) },
    },
    items: [...units.units, ...findings.map(findingShape)],
    lines: () => renderHygiene(hygiene, context),
  });
  context.hint(context.say(clean ? 'people.clean' : 'people.mend'));
  if (!clean && options.check === true) context.exitCode = EXIT_CODES.belowCoverage;
}

function findingShape({ personId, ...finding }: Finding) {
  return { personId: String(personId), ...finding };
}

/** Units out of reach, then what is wrong with single contacts, then what was never proven. */
export function renderHygiene(hygiene: Hygiene, context: Context): string[] {
  const { units, counts, findings, proven } = hygiene;
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const table = renderTable(
    findings,
    [
      { title: context.say('check.what'), of: ({ kind }) => context.say(`check.${kind}`) },
      { title: context.say('people.name'), of: ({ name }) => harmless(name) },
      {
        title: context.say('unit.path'),
        of: ({ place }) => place.split('/').slice(-2).join('/'),
        shrinks: true,
      },
      {
        title: context.say('check.address'),
        of: ({ address, fault }) => [address ?? '-', ...(fault === null ? [] : [fault])].join(' '),
      },
    ],
    context.columns(),
  );
  return [
    ...(units.total > 0 ? [...renderUnreachable(units, context), ''] : []),
    ...(total > 0 ? [context.say('check.found', { count: total }), ...table] : []),
    ...(total > findings.length ? [context.say('more', { count: total - findings.length })] : []),
    ...(total > 0 ? [''] : []),
    context.say('check.proven', {
      addresses: proven.addresses,
      never: proven.neverProven,
      oldest: proven.oldestAt === null ? '-' : minuteOf(proven.oldestAt),
    }),
  ];
}

function addTestCommand(people: Command, context: Context): void {
  people
    .command('test')
    .description(context.say('help.peopleTest'))
    .argument('<PERSON>', context.say('help.person'))
    .option('--channel <CHANNEL>', context.say('help.channel'), oneOf(CHANNELS))
    .addHelpText('after', example(context, 'npx fenghuo people test 13800138000 --channel sms'))
    .action(async (person: string, options: { channel?: Channel }) => test(context, person, options.channel));
}

/** Sends the test here and now; what is not handed over ends with exit code 1. */
async function test(context: Context, person: string, channel: Channel | undefined): Promise<void> {
  const [config, database] = [await context.config(), await context.database()];
  const [{ createChannels }, { bindToKind }] = await Promise.all([
    import('../worker/channels.ts'),
    import('../worker/wall.ts'),
  ]);
  const created = createChannels(await bindToKind(config, database), database, () => undefined);
  const { channels } = created;
  try {
    const tested = await testPerson(database, {
      ...{ person, channels, live: config.FENGHUO_CHANNELS === 'live', issuer: config.FENGHUO_ISSUER },
      ...(channel === undefined ? {} : { channel }),
    });
    const shape = { ...tested, personId: String(tested.personId) };
    context.print({ value: shape, items: tested.results, lines: () => renderTested(tested, context) });
    const arrived = tested.results.every(({ outcome }) => outcome === 'handed off');
    if (arrived) context.hint(context.say('test.asked'));
    else context.exitCode = EXIT_CODES.failed;
  } finally {
    await created.close();
  }
}

function renderTested(tested: TestedPerson, context: Context): string[] {
  return [
    `${harmless(tested.name)}${tested.synthetic ? ` (${context.say('people.made')})` : ''}`,
    ...renderTable(
      tested.results,
      [
        { title: context.say('delivery.channel'), of: ({ channel }) => channel },
        { title: context.say('delivery.address'), of: ({ address }) => address },
        {
          title: context.say('delivery.outcome'),
          of: ({ outcome, reason }) =>
            [context.say(`test.${outcome}`), ...(reason === null ? [] : [reason])].join(' '),
        },
        { title: context.say('test.sender'), of: ({ sender }) => sender ?? '-' },
      ],
      context.columns(),
    ),
  ];
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
  return [
    ...wrap(head, context.columns() ?? Infinity),
    ...(list.people.length > 0 ? renderPeople(list.people, context) : []),
  ];
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
