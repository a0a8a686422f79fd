/** `silent`: every unit nobody has heard from, most urgent first, and whom to phone next. */
import type { Command } from 'commander';
import type { SilentUnit } from '../db/warnings.ts';
import { maskAddress } from '../operations/organisation-person.ts';
import { phoneNext } from '../operations/calls.ts';
import { requireNumbers } from '../operations/operators.ts';
import { listSilentUnits, parseWarningId } from '../operations/warnings.ts';
import type { Context } from './context.ts';
import { wholeNumber } from './options.ts';
import { rankName } from './organisation.ts';
import { example } from './example.ts';
import { personShape, tierName, warningId } from './shapes.ts';
import { renderTable } from './table.ts';
import { clock, isoOrNull } from './times.ts';

const LISTED_MOST = 200;

type Options = { numbers?: boolean; most?: number };

export function addSilentCommand(program: Command, context: Context): void {
  program
    .command('silent')
    .description(context.say('help.silent'))
    .argument('<WARNING>', context.say('help.warningId'))
    .option('--numbers', context.say('help.numbers'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 100_000))
    .addHelpText('after', example(context, 'npx fenghuo silent W12', 'npx fenghuo silent W12 --numbers'))
    .action(async (id: string, options: Options) => silent(context, parseWarningId(id), options));
}

async function silent(context: Context, number: number, options: Options): Promise<void> {
  const most = options.most ?? LISTED_MOST;
  // One more than is shown says whether there are more.
  const database = await context.database();
  if (options.numbers === true) await requireNumbers(database, context.operator, [number]);
  const found = await listSilentUnits(database, number, most + 1);
  const units = found.slice(0, most).map((unit) => (options.numbers === true ? unit : masked(unit)));
  const shapes = units.map(silentShape);
  const id = warningId(number);
  context.print({
    value: { warning: id, more: found.length > most, units: shapes },
    items: shapes,
    lines: () => (units.length === 0 ? [] : renderSilent(units, context, Date.now())),
  });
  if (units.length === 0) context.hint(context.say('silent.none', { id }));
  if (found.length > most) context.hint(context.say('silent.more', { most }));
  if (units.length > 0) context.hint(context.say('silent.next', { id }));
}

function masked(unit: SilentUnit): SilentUnit {
  const people = unit.people.map((person) => ({
    ...person,
    phone: person.phone === null ? null : maskAddress(person.phone),
  }));
  return { ...unit, people };
}

function silentShape(unit: SilentUnit) {
  return {
    unitId: String(unit.unitId),
    code: unit.code,
    path: unit.path,
    tier: unit.tier,
    rung: unit.rung,
    told: unit.told,
    silentAt: isoOrNull(unit.silentAt),
    phoneNext: personShape(phoneNext(unit.people)),
    people: unit.people.map((person) => ({ ...personShape(person), faults: person.faults })),
  };
}

/** A line for each silent unit; `now` is PostgreSQL's or this machine's, a second more or less does not matter. */
export function renderSilent(units: readonly SilentUnit[], context: Context, now: number): string[] {
  return renderTable(
    units,
    [
      { title: context.say('tier.tier'), of: ({ tier }) => tierName(tier, context.lang) },
      // The city stands above every unit and says nothing.
      { title: context.say('silent.unit'), of: ({ path }) => path.slice(-2).join('/'), shrinks: true },
      { title: context.say('unit.code'), of: ({ code }) => code ?? '-' },
      {
        title: context.say('silent.for'),
        of: ({ silentAt }) => (silentAt === null ? '-' : clock(now - silentAt)),
        align: 'right',
      },
      { title: context.say('silent.told'), of: ({ told }) => context.say(told ? 'yes' : 'no') },
      { title: context.say('silent.phone'), of: (unit) => phoneLine(unit, context) },
    ],
    context.columns(),
  );
}

function phoneLine(unit: SilentUnit, context: Context): string {
  const person = phoneNext(unit.people);
  if (!person) return context.say(unit.people.length === 0 ? 'reason.noPost' : 'silent.noNumber');
  const { phone, name, rank, faults } = person;
  const words = [phone ?? '', name, ...(rank === 0 ? [] : [rankName(rank, context)])];
  // Why nothing was heard of them: messages do not reach them.
  if (faults.sms) words.push(context.say(`fault.${faults.sms}`));
  return words.join(' ');
}
