/** `duty`: the roster, in and out. */
import type { Command } from 'commander';
import type { ListedDuty } from '../db/duties.ts';
import { isoWithOffset } from '../domain/time.ts';
import { importDuties, listDuties } from '../operations/duty.ts';
import { maskAddress } from '../operations/organisation-person.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { wholeNumber } from './options.ts';
import { importFile, rankName } from './organisation.ts';
import { tierName, unitName } from './shapes.ts';
import { renderTable } from './table.ts';
import { minuteOf } from './times.ts';

const LISTED_MOST = 200;

export function addDutyCommands(program: Command, context: Context): void {
  const duty = program.command('duty').description(context.say('help.duty'));
  duty
    .command('import')
    .description(context.say('help.dutyImport'))
    .argument('<FILE>', context.say('help.rosterFile'))
    .option('--errors <FILE>', context.say('help.errors'))
    .option('--dry-run', context.say('help.dryRun'))
    .addHelpText(
      'after',
      example(context, 'npx fenghuo duty import roster.csv', 'npx fenghuo duty import 值班表.xlsx'),
    )
    .action(async (file: string, options: { errors?: string; dryRun?: boolean }) => {
      const { dryRun = false } = options;
      const imported = await importFile(context, { file, ...options }, async (bytes) =>
        importDuties({ database: await context.database(), file: bytes, dryRun }),
      );
      const { added, ended, unchanged, ignoredHeaders } = imported;
      context.print({
        value: imported,
        lines: () => [
          context.say('duty.imported', { added, ended, unchanged }),
          ...(ignoredHeaders.length > 0
            ? [context.say('import.ignored', { headers: ignoredHeaders.join(', ') })]
            : []),
        ],
      });
      if (!dryRun) context.hint(context.say('duty.next'));
    });
  duty
    .command('list')
    .description(context.say('help.dutyList'))
    .option('--at <TIME>', context.say('help.at'))
    .option('--unit <UNIT>', context.say('help.under'))
    .option('--numbers', context.say('help.numbers'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 100_000))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo duty list',
        'npx fenghuo duty list --at "2026-07-09 02:00" --unit 黔江区',
      ),
    )
    .action(async (options: ListOptions) => list(context, options));
}

type ListOptions = { at?: string; unit?: string; numbers?: boolean; most?: number };

async function list(context: Context, options: ListOptions): Promise<void> {
  const { at: moment, unit, numbers = false } = options;
  const most = options.most ?? LISTED_MOST;
  const { at, duties } = await listDuties(await context.database(), {
    ...(moment === undefined ? {} : { at: moment }),
    ...(unit === undefined ? {} : { unit }),
    most: most + 1,
  });
  const shown = duties
    .slice(0, most)
    .map((duty) => (numbers || duty.phone === null ? duty : { ...duty, phone: maskAddress(duty.phone) }));
  const shapes = shown.map(dutyShape);
  context.print({
    value: { at: isoWithOffset(at), more: duties.length > most, duties: shapes },
    items: shapes,
    lines: () => (shown.length === 0 ? [] : renderDuties(shown, context)),
  });
  if (shown.length === 0) context.hint(context.say('duty.none', { at: minuteOf(at) }));
  if (duties.length > most) context.hint(context.say('silent.more', { most }));
}

function dutyShape({ unitId, code, path, tier, rank, name, phone, from, until }: ListedDuty) {
  return {
    unitId: String(unitId),
    code,
    path,
    tier,
    rank,
    name,
    phone,
    from: isoWithOffset(from),
    until: isoWithOffset(until),
  };
}

function renderDuties(duties: readonly ListedDuty[], context: Context): string[] {
  return renderTable(
    duties,
    [
      { title: context.say('tier.tier'), of: ({ tier }) => tierName(tier, context.lang) },
      { title: context.say('unit.path'), of: ({ path }) => unitName(path), shrinks: true },
      { title: context.say('people.rank'), of: ({ rank }) => rankName(rank, context) },
      { title: context.say('people.name'), of: ({ name }) => name },
      { title: context.say('people.phone'), of: ({ phone }) => phone ?? '-' },
      { title: context.say('duty.from'), of: ({ from }) => minuteOf(from).slice(5) },
      { title: context.say('duty.until'), of: ({ until }) => minuteOf(until).slice(5) },
    ],
    context.columns(),
  );
}
