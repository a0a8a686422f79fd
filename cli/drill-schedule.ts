/** `drill schedule`: drills at fixed times. */
import type { Command } from 'commander';
import { readSchedules, type LastOccasion } from '../db/drill-schedules.ts';
import { lastSign, readNow } from '../db/drills.ts';
import { CHINA_ZONE, type Instant } from '../domain/time.ts';
import { DRILL_SERVER_SIGN } from '../domain/watchdog.ts';
import {
  addSchedule,
  parseScheduleId,
  removeSchedule,
  requireSchedule,
  scheduleName,
} from '../operations/drill-schedules.ts';
import { drillName } from '../operations/drills.ts';
import type { ScheduleTimes } from '../worker/drill-schedules.ts';
import { actorIfKnown } from './actor.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { plainNumber, wholeNumber } from './options.ts';
import { renderTable } from './table.ts';
import { isoOrNull, minuteOf } from './times.ts';

const SPEED_MOST = 3_600;
const USUAL_SPEED = 60;
const NEXT_SHOWN = 3;
/** Whoever conducts shows life every few seconds. */
const GONE_AFTER_MS = 60_000;

type AddOptions = { cron: string; speed: number; seed?: number };

const ADD_EXAMPLE = 'npx fenghuo drill schedule add quickstart --cron "0 14 * * 2"';

export function addDrillScheduleCommands(drill: Command, context: Context): void {
  const { say } = context;
  const schedule = drill.command('schedule').description(say('help.drillSchedule'));
  schedule
    .command('add')
    .description(say('help.drillScheduleAdd'))
    .argument('<SCENARIO>', say('help.scenario'))
    .requiredOption('--cron <TIMES>', say('help.drillCron'))
    .option('--speed <N>', say('help.drillSpeed'), plainNumber(1, SPEED_MOST), USUAL_SPEED)
    .option('--seed <N>', say('help.drillScheduleSeed'), wholeNumber(0, 999_999_999))
    .addHelpText('after', example(context, 'npx fenghuo drill schedule add quickstart --cron "0 14 * * 2"'))
    .action(async (scenario: string, options: AddOptions) => add(context, scenario, options));
  schedule
    .command('list')
    .description(say('help.drillScheduleList'))
    .addHelpText('after', example(context, 'npx fenghuo drill schedule list'))
    .action(async () => list(context));
  schedule
    .command('now')
    .description(say('help.drillScheduleNow'))
    .argument('<SCHEDULE>', say('help.drillScheduleId'))
    .addHelpText('after', example(context, 'npx fenghuo drill schedule now DS1'))
    .action(async (word: string) => now(context, parseScheduleId(word)));
  schedule
    .command('remove')
    .description(say('help.drillScheduleRemove'))
    .argument('<SCHEDULE>', say('help.drillScheduleId'))
    .addHelpText('after', example(context, 'npx fenghuo drill schedule remove DS1'))
    .action(async (word: string) => remove(context, parseScheduleId(word)));
}

async function add(context: Context, scenario: string, options: AddOptions): Promise<void> {
  const { cron, speed, seed = null } = options;
  const { config, temporal } = await reach(context);
  const createdBy = await actorIfKnown(context);
  const row = await addSchedule(
    await context.database(),
    { scenario, cron, speed, seed, createdBy },
    (schedule) => temporal.startSchedule(config, schedule),
  );
  const [times = null] = await temporal.readScheduleTimes(config, [row.scheduleId]);
  const name = scheduleName(row.scheduleId);
  context.print({
    value: scheduleShape({ ...row, last: null }, times),
    lines: () => [
      context.say('schedule.added', {
        name,
        scenario: row.scenario,
        speed,
        next: times?.next[0] === undefined ? '-' : minuteOf(times.next[0]),
      }),
    ],
  });
  await hintServer(context);
}

async function list(context: Context): Promise<void> {
  const rows = await readSchedules(await context.database());
  const { config, temporal } = await reach(context);
  const times = await temporal.readScheduleTimes(
    config,
    rows.map(({ scheduleId }) => scheduleId),
  );
  const all = rows.map((row, index) => ({ row, times: times[index] ?? null }));
  const shapes = all.map((one) => scheduleShape(one.row, one.times));
  const { say } = context;
  context.print({
    value: shapes,
    items: shapes,
    lines: () =>
      all.length === 0
        ? []
        : renderTable(
            all,
            [
              { title: say('schedule.id'), of: ({ row }) => scheduleName(row.scheduleId) },
              { title: say('schedule.scenario'), of: ({ row }) => row.scenario, shrinks: true },
              { title: say('schedule.cron'), of: ({ row }) => row.cron },
              {
                title: say('schedule.next'),
                of: ({ times }) => (times ? shortly(times.next[0]) : say('schedule.unknown')),
              },
              {
                title: say('schedule.lastDue'),
                of: ({ row }) => shortly(row.last?.dueAt),
              },
              { title: say('schedule.lastDrill'), of: ({ row }) => lastWords(context, row.last) },
              {
                title: say('schedule.score'),
                of: ({ row }) => String(row.last?.points ?? '-'),
                align: 'right',
              },
            ],
            context.columns(),
          ),
  });
  if (all.length === 0) return context.hint(say('schedule.none'), `  ${ADD_EXAMPLE}`);
  context.hint(say('schedule.zone', { zone: CHINA_ZONE }));
  for (const one of all) {
    const named = { name: scheduleName(one.row.scheduleId) };
    const skipped = one.row.last?.skipped ?? null;
    if (skipped !== null) context.hint(say('schedule.why', { ...named, why: say(`skipped.${skipped}`) }));
    if (one.times === null) context.hint(say('schedule.gone', named));
    const missed = one.times?.missed ?? 0;
    if (missed > 0) context.hint(say('schedule.missed', { ...named, missed }));
  }
  await hintServer(context);
}

async function now(context: Context, scheduleId: number): Promise<void> {
  await requireSchedule(await context.database(), scheduleId);
  const { config, temporal } = await reach(context);
  await temporal.triggerSchedule(config, scheduleId);
  const name = scheduleName(scheduleId);
  context.print({
    value: { id: name, triggered: true },
    lines: () => [context.say('schedule.triggered', { name })],
  });
  await hintServer(context);
}

async function remove(context: Context, scheduleId: number): Promise<void> {
  const live = await context.database();
  await requireSchedule(live, scheduleId);
  const { config, temporal } = await reach(context);
  // Its times first: one of a schedule that is gone asks for nothing.
  await temporal.endSchedule(config, scheduleId);
  await removeSchedule(live, scheduleId, await actorIfKnown(context));
  const name = scheduleName(scheduleId);
  context.print({
    value: { id: name, removed: true },
    lines: () => [context.say('schedule.removed', { name })],
  });
}

async function reach(context: Context) {
  const { requireTemporal } = await import('./drill-conductor.ts');
  await requireTemporal(context);
  const temporal = await import('../worker/drill-schedules.ts');
  return { config: await context.config(), temporal };
}

type Listed = Awaited<ReturnType<typeof readSchedules>>[number];

function scheduleShape(row: Listed, times: ScheduleTimes | null) {
  const { scenario, cron, speed, seed, last } = row;
  return {
    id: scheduleName(row.scheduleId),
    ...{ scenario, cron, timezone: CHINA_ZONE, speed, seed },
    createdAt: isoOrNull(row.createdAt),
    createdBy: row.createdBy,
    next: times?.next.slice(0, NEXT_SHOWN).map(isoOrNull) ?? null,
    missed: times?.missed ?? null,
    last: last && {
      due: isoOrNull(last.dueAt),
      drill: last.drillId === null ? null : drillName(last.drillId),
      ...{ status: last.status, reason: last.stopReason, skipped: last.skipped, score: last.points },
    },
  };
}

/** `11-24 14:00`; with the year where it is another one; a dash where there is none. */
function shortly(at: Instant | undefined): string {
  if (at === undefined) return '-';
  const [whole, today] = [minuteOf(at), minuteOf(Date.now())];
  return whole.slice(0, 5) === today.slice(0, 5) ? whole.slice(5) : whole;
}

/** `DR3 ended`; why there was none stands below the table. */
function lastWords(context: Context, last: LastOccasion | null): string {
  if (last === null) return '-';
  if (last.skipped !== null) return context.say('schedule.skipped');
  const status = last.status === null ? '' : context.say(`drillStatus.${last.status}`);
  return `${drillName(last.drillId ?? 0)} ${status}`;
}

async function hintServer(context: Context): Promise<void> {
  const live = await context.database();
  const sign = await lastSign(live, DRILL_SERVER_SIGN);
  if (sign === null || (await readNow(live)) - sign > GONE_AFTER_MS)
    context.hint(context.say('schedule.noServer'));
}
