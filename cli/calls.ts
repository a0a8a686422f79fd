/** `calls`: the duty desk. Whom to telephone now; an officer takes a line, calls, and records what came of it by one key. */
import { Option, type Command } from 'commander';
import type { Call, CallOutcome, Line } from '../db/calls.ts';
import type { SilentPerson } from '../db/warnings.ts';
import { isoWithOffset } from '../domain/time.ts';
import { listLines, phoneNext, recordCall, takeLine } from '../operations/calls.ts';
import { maskAddress } from '../operations/organisation-person.ts';
import { requireNumbers } from '../operations/operators.ts';
import { parseWarningId } from '../operations/warnings.ts';
import { actorIfKnown, requireActor } from './actor.ts';
import type { Context } from './context.ts';
import { askAtDesk } from './desk.ts';
import { example } from './example.ts';
import { wholeNumber } from './options.ts';
import { rankName } from './organisation.ts';
import { hazardName, levelName, personShape, tierName, unitName, warningId } from './shapes.ts';
import { renderTable } from './table.ts';
import { clock, isoOrNull } from './times.ts';
import { harmless } from './width.ts';

const LISTED_MOST = 50;
const COUNT_MOST = 100_000_000;
const CALLS_MOST = 999_999_999;

/** The words of `--outcome`; the interactive desk has a key for each. */
const OUTCOMES: Readonly<Record<string, CallOutcome>> = {
  received: 'received',
  done: 'done',
  'cannot-act': 'cannot act',
  'no-answer': 'no answer',
  'wrong-number': 'wrong number',
  'given-back': 'given back',
};

type ListOptions = { officer?: string; numbers?: boolean; most?: number };
type NextOptions = { officer?: string; numbers?: boolean };

export function addCallsCommands(program: Command, context: Context): void {
  const calls = program.command('calls').description(context.say('help.calls'));
  calls
    // Without a word behind it `calls` is this list: as a command of its own its options stay apart from those of the others.
    .command('list', { isDefault: true })
    .description(context.say('help.callsList'))
    .argument('[WARNING]', context.say('help.callsWarning'))
    .option('--officer <NAME>', context.say('help.callsOfficer'))
    .option('--numbers', context.say('help.numbers'))
    .option('--most <N>', context.say('help.most'), wholeNumber(1, 100_000))
    .addHelpText(
      'after',
      example(context, 'npx fenghuo calls', 'npx fenghuo calls W12', 'npx fenghuo calls list W12 --numbers'),
    )
    .action(async (id: string | undefined, options: ListOptions) => list(context, numberOf(id), options));
  calls
    .command('next')
    .description(context.say('help.callsNext'))
    .argument('[WARNING]', context.say('help.callsWarning'))
    .option('--officer <NAME>', context.say('help.officer'))
    .option('--numbers', context.say('help.numbers'))
    .addHelpText('after', example(context, 'npx fenghuo calls next --officer 王值班 --numbers'))
    .action(async (id: string | undefined, options: NextOptions) => next(context, numberOf(id), options));
  calls
    .command('record')
    .description(context.say('help.callsRecord'))
    .argument('<CALL>', context.say('help.call'), wholeNumber(1, CALLS_MOST))
    .addOption(
      new Option('--outcome <OUTCOME>', context.say('help.outcome'))
        .choices(Object.keys(OUTCOMES))
        .makeOptionMandatory(),
    )
    .option('--count <N>', context.say('help.done'), wholeNumber(0, COUNT_MOST))
    .addHelpText('after', example(context, 'npx fenghuo calls record 7 --outcome done --count 35'))
    .action(async (callId: number, options: { outcome: string; count?: number }) =>
      record(context, callId, options),
    );
}

function numberOf(id: string | undefined): number | null {
  return id === undefined ? null : parseWarningId(id);
}

async function list(context: Context, number: number | null, options: ListOptions): Promise<void> {
  const { officer, numbers = false } = options;
  const most = options.most ?? LISTED_MOST;
  // One more than is shown says whether there are more.
  const database = await context.database();
  const found = await listLines(database, { warningId: number, most: most + 1 });
  const warningIds = found.map(({ warningId: id }) => id);
  if (numbers) await requireNumbers(database, context.operator, warningIds);
  const lines = found
    .slice(0, most)
    .filter(({ takenBy }) => officer === undefined || takenBy === null || takenBy === officer)
    .map((line) => shown(line, numbers));
  const shapes = lines.map(lineShape);
  context.print({
    value: { warning: number === null ? null : warningId(number), more: found.length > most, lines: shapes },
    items: shapes,
    lines: () => (lines.length === 0 ? [] : renderLines(lines, context, Date.now())),
  });
  if (lines.length === 0) context.hint(context.say('calls.none'));
  if (found.length > most) context.hint(context.say('silent.more', { most }));
  if (lines.length > 0) context.hint(context.say('calls.next'));
}

async function next(context: Context, number: number | null, options: NextOptions): Promise<void> {
  const { numbers = false } = options;
  const database = await context.database();
  const officer = await requireActor(context, options.officer, '--officer');
  const take = async () => {
    // Before a line is taken: one that may not be read would lie there for five minutes.
    const lines = numbers ? await listLines(database, { warningId: number, most: LISTED_MOST }) : [];
    await requireNumbers(
      database,
      context.operator,
      lines.map(({ warningId: id }) => id),
    );
    return takeLine(database, { warningId: number, officer });
  };
  if (context.output === 'text' && context.stdout.isTTY === true && process.stdin.isTTY) {
    const write = async (callId: number, outcome: CallOutcome) => {
      const actor = await actorIfKnown(context);
      await recordCall(database, { callId, outcome, doneCount: null, actor });
    };
    await askAtDesk(context, {
      take,
      record: write,
      show: (call) => renderCall(shown(call, numbers), context, Date.now()),
    });
    return;
  }
  const taken = await take();
  const call = taken && shown(taken, numbers);
  context.print({
    value: { call: call && callShape(call) },
    items: call ? [callShape(call)] : [],
    lines: () => (call ? renderCall(call, context, Date.now()) : []),
  });
  if (call) context.hint(context.say('calls.record', { call: call.callId }));
  else context.hint(context.say('calls.none'));
}

async function record(
  context: Context,
  callId: number,
  options: { outcome: string; count?: number },
): Promise<void> {
  const outcome = OUTCOMES[options.outcome] ?? 'given back';
  const ended = await recordCall(await context.database(), {
    callId,
    outcome,
    doneCount: options.count ?? null,
    actor: await actorIfKnown(context),
  });
  const id = warningId(ended.warningId);
  context.print({
    value: { call: String(callId), warning: id, unitId: String(ended.unitId), unit: ended.unit, outcome },
    lines: () => [
      context.say('calls.recorded', { id, unit: ended.unit, outcome: context.say(`outcome.${outcome}`) }),
    ],
  });
}

/** A line as it may be shown: numbers in full only where that was asked for. */
function shown<One extends Line>(line: One, numbers: boolean): One {
  if (numbers) return line;
  const mask = (person: SilentPerson) => ({
    ...person,
    phone: person.phone === null ? null : maskAddress(person.phone),
  });
  return { ...line, people: line.people.map(mask) };
}

function lineShape(line: Line) {
  return {
    warning: warningId(line.warningId),
    hazard: line.hazard,
    level: line.level,
    unitId: String(line.unitId),
    code: line.code,
    path: line.path,
    tier: line.tier,
    told: line.told,
    silentAt: isoOrNull(line.silentAt),
    phoneNext: personShape(phoneNext(line.people)),
    takenBy: line.takenBy,
    takenUntil: isoOrNull(line.takenUntil),
  };
}

function callShape(call: Call) {
  return { call: String(call.callId), ...lineShape(call), phoneNext: personShape(calledPerson(call)) };
}

/** Whom the line was taken to call. */
function calledPerson(call: Call): SilentPerson | null {
  return call.people.find(({ personId }) => personId === call.personId) ?? phoneNext(call.people);
}

function renderLines(lines: readonly Line[], context: Context, now: number): string[] {
  const { lang } = context;
  return renderTable(
    lines,
    [
      { title: context.say('list.id'), of: (line) => warningId(line.warningId) },
      { title: context.say('list.level'), of: ({ level }) => levelName(level, lang) },
      { title: context.say('tier.tier'), of: ({ tier }) => tierName(tier, lang) },
      { title: context.say('silent.unit'), of: ({ path }) => unitName(path), shrinks: true },
      {
        title: context.say('silent.for'),
        of: ({ silentAt }) => (silentAt === null ? '-' : clock(now - silentAt)),
        align: 'right',
      },
      { title: context.say('silent.phone'), of: (line) => personLine(phoneNext(line.people), context) },
      { title: context.say('calls.takenBy'), of: ({ takenBy }) => harmless(takenBy ?? ''), shrinks: true },
    ],
    context.columns(),
  );
}

/** One line as it lies before the officer: what, who, and how long silent. */
function renderCall(call: Call, context: Context, now: number): string[] {
  const { lang } = context;
  const named = { hazard: hazardName(call.hazard, lang), level: levelName(call.level, lang) };
  const person = calledPerson(call);
  return [
    `${call.path.join(' / ')}  ${call.code ?? '-'}`,
    `${warningId(call.warningId)}  ${context.say('warning.name', named)}  ${context.say('calls.silentFor', {
      time: clock(now - (call.silentAt ?? now)),
    })}`,
    `${personLine(person, context)}${person ? `  ${person.title}` : ''}`,
    context.say('calls.yours', { call: call.callId, until: isoWithOffset(call.takenUntil).slice(11, 16) }),
  ];
}

function personLine(person: SilentPerson | null, context: Context): string {
  if (!person) return context.say('silent.noNumber');
  return `${person.phone ?? ''} ${person.name} ${person.rank === 0 ? '' : rankName(person.rank, context)}`.trimEnd();
}
