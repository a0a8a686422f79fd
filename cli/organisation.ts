/** `org`: the tree of units, in and out. */
import { resolve } from 'node:path';
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { unitsForExport } from '../db/organisation-read.ts';
import { FenghuoError } from '../domain/errors.ts';
import { errorFile, ImportRefused } from '../operations/organisation-csv.ts';
import { importOrganisation, type UnitsImported } from '../operations/organisation-import.ts';
import {
  exportOrganisation,
  organisationSummary,
  showUnit,
  type ListedPerson,
  type OrganisationSummary,
  type TierLine,
  type UnitView,
} from '../operations/organisation-read.ts';
import { fileText } from '../operations/organisation-xlsx.ts';
import type { Context } from './context.ts';
import { readNamedFile, readTextFile } from './options.ts';
import { withProgress } from './progress.ts';
import { example } from './example.ts';
import { tierName } from './shapes.ts';
import { renderTable } from './table.ts';

export function addOrganisationCommands(program: Command, context: Context): void {
  const org = program.command('org').description(context.say('help.org'));
  org
    .command('import')
    .description(context.say('help.orgImport'))
    .argument('<FILE>', context.say('help.file'))
    .option('--errors <FILE>', context.say('help.errors'))
    .option('--dry-run', context.say('help.dryRun'))
    .addHelpText('after', example(context, 'npx fenghuo org import scenarios/chongqing-units.csv'))
    .action(async (file: string, options: { errors?: string; dryRun?: boolean }) => {
      const imported = await importFile(context, { file, ...options }, async (bytes) =>
        importOrganisation({
          database: await context.database(),
          file: bytes,
          dryRun: options.dryRun ?? false,
        }),
      );
      context.print({ value: imported, lines: () => renderUnitsImported(imported, context) });
      if (options.dryRun !== true && imported.added > 0) context.hint(context.say('org.nextPeople'));
    });
  org
    .command('show')
    .description(context.say('help.orgShow'))
    .argument('[UNIT]', context.say('help.unit'))
    .addHelpText('after', example(context, 'npx fenghuo org show', 'npx fenghuo org show 黔江区/濯水镇'))
    .action(async (unit: string | undefined) => showOrganisation(context, unit));
  org
    .command('export')
    .description(context.say('help.orgExport'))
    .option('--with-synthetic', context.say('help.withSynthetic'))
    .addHelpText('after', example(context, 'npx fenghuo org export > units.csv'))
    .action(async ({ withSynthetic = false }: { withSynthetic?: boolean }) => {
      const database = await context.database();
      if (context.output === 'text') {
        context.stdout.write(await exportOrganisation(database, { withSynthetic }));
        return;
      }
      const units = await unitsForExport(database, withSynthetic);
      context.print({ value: units, items: units, lines: () => [] });
    });
  addShapesCommand(org, context);
}

function addShapesCommand(org: Command, context: Context): void {
  org
    .command('shapes')
    .description(context.say('help.orgShapes'))
    .command('import')
    .description(context.say('help.orgShapesImport'))
    .argument('<FILE>', context.say('help.file'))
    .addHelpText('after', example(context, 'npx fenghuo org shapes import townships.geojson'))
    .action(async (file: string) => {
      const { importShapes } = await import('../operations/unit-shapes.ts');
      const imported = await importShapes(await context.database(), await readTextFile(file));
      const unknown = imported.unknown.length;
      context.print({
        value: imported,
        lines: () => [
          context.say('shapes.imported', { imported: imported.imported, unknown }),
          ...imported.unknown.slice(0, UNKNOWN_SHOWN_MOST).map((one) => `  ${one}`),
        ],
      });
    });
}

const UNKNOWN_SHOWN_MOST = 10;

/** Reads and imports a file; where lines are faulty, the error file is written before the error goes on. */
export async function importFile<T>(
  context: Context,
  input: { file: string; errors?: string },
  work: (bytes: Buffer) => Promise<T>,
): Promise<T> {
  const { file, errors } = input;
  if (errors !== undefined && resolve(errors) === resolve(file)) {
    throw new FenghuoError({
      code: 'errors-file',
      refusal: 'usage',
      sentence: context.say('import.sameFile'),
    });
  }
  const bytes = await readNamedFile(file);
  try {
    return await withProgress(context, context.say('import.running', { file }), () => work(bytes));
  } catch (error) {
    if (error instanceof ImportRefused && errors !== undefined) {
      await writeFile(errors, errorFile(error.errors, await fileText(bytes)));
      context.hint(context.say('import.errorsWritten', { file: errors }));
    }
    throw error;
  }
}

function renderUnitsImported(imported: UnitsImported, context: Context): string[] {
  const { added, changed, unchanged, ignoredHeaders } = imported;
  return [
    context.say('org.imported', { added, changed, unchanged }),
    ...(ignoredHeaders.length > 0
      ? [context.say('import.ignored', { headers: ignoredHeaders.join(', ') })]
      : []),
  ];
}

async function showOrganisation(context: Context, path: string | undefined): Promise<void> {
  const database = await context.database();
  if (path !== undefined) {
    const view = await showUnit(database, path);
    context.print({ value: view, lines: () => renderUnit(view, context) });
    return;
  }
  const summary = await organisationSummary(database);
  context.print({ value: summary, items: summary.tiers, lines: () => renderSummary(summary, context) });
  if (summary.tiers.every(({ units }) => units === 0)) context.hint(context.say('org.empty'));
  else if (summary.people.people === 0) context.hint(context.say('org.nextPeople'));
}

/** The whole organisation by tier, with the people under it. */
export function renderSummary(summary: OrganisationSummary, context: Context): string[] {
  const { people, households } = summary;
  return [
    ...renderTiers(summary.tiers, context),
    '',
    context.say('org.people', {
      people: people.people,
      posts: people.posts,
      several: people.severalPosts,
      synthetic: people.synthetic,
    }),
    context.say('org.households', { all: households.all, synthetic: households.synthetic }),
    ...(summary.unreachableUnits > 0
      ? [context.say('org.unreachable', { count: summary.unreachableUnits })]
      : []),
  ];
}

/** One unit: where it is, who stands for it, what is below it. */
export function renderUnit(view: UnitView, context: Context): string[] {
  return [
    `${view.names.join(' / ')}  ${view.unit.code ?? '-'}  ${tierName(view.unit.tier, context.lang)}`,
    '',
    ...(view.people.length > 0 ? renderPeople(view.people, context) : [context.say('people.none')]),
    ...(view.below.length > 0 ? ['', ...renderTiers(view.below, context)] : []),
  ];
}

export function renderPeople(people: readonly ListedPerson[], context: Context): string[] {
  const address = (person: ListedPerson, channel: string) =>
    person.channels.find((one) => one.channel === channel)?.address ?? '-';
  const phoneOf = (person: ListedPerson) =>
    person.channels.some(({ channel }) => channel === 'sms')
      ? address(person, 'sms')
      : address(person, 'voice');
  return renderTable(
    people,
    [
      { title: context.say('people.post'), of: ({ title }) => title, shrinks: true },
      { title: context.say('people.rank'), of: ({ rank }) => rankName(rank, context) },
      { title: context.say('people.name'), of: ({ name }) => name, shrinks: true },
      { title: context.say('people.phone'), of: (person) => phoneOf(person) },
      { title: context.say('people.email'), of: (person) => address(person, 'email'), shrinks: true },
      { title: context.say('people.proven'), of: (person) => provenOf(person, context) },
      { title: context.say('people.made'), of: ({ synthetic }) => (synthetic ? context.say('yes') : '') },
    ],
    context.columns(),
  );
}

/** The day on which somebody last provably had one of the addresses in their hand; or that one of them is faulty. */
function provenOf({ channels }: ListedPerson, context: Context): string {
  if (channels.some(({ fault }) => fault !== null)) return context.say('people.faulty');
  const days = channels.flatMap(({ provenAt }) => (provenAt === null ? [] : [provenAt.slice(0, 10)]));
  return days.sort().at(-1) ?? '-';
}

export function rankName(rank: number, context: Pick<Context, 'say'>): string {
  return rank === 0 ? context.say('rank.principal') : context.say('rank.deputy', { rank });
}

function renderTiers(tiers: readonly TierLine[], context: Context): string[] {
  const count = (title: string, of: (line: TierLine) => number) => ({
    title,
    of: (line: TierLine) => String(of(line)),
    align: 'right' as const,
  });
  return renderTable(
    tiers,
    [
      { title: context.say('tier.tier'), of: ({ tier }) => tierName(tier, context.lang) },
      count(context.say('tier.units'), ({ units }) => units),
      count(context.say('tier.synthetic'), ({ synthetic }) => synthetic),
      count(context.say('tier.unreachable'), ({ unreachable }) => unreachable),
    ],
    context.columns(),
  );
}
