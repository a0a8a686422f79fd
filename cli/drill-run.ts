/** `drill run`, `resume`, `stop`, `runs`, `remove`: scenarios on the real stack. */
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Database } from '../db/database.ts';
import { storyMsAt } from '../domain/drill-clock.ts';
import type { DrillReport } from '../domain/drill-report.ts';
import { FenghuoError } from '../domain/errors.ts';
import { writeSpan } from '../domain/scenario.ts';
import type { Progress } from '../operations/drill-play.ts';
import {
  createDrill,
  drillName,
  isOver,
  listDrills,
  parseDrillId,
  removeDrill,
  requireDrill,
  wishStop,
  type Drill,
} from '../operations/drills.ts';
import { viewWarning, type WarningView } from '../operations/warnings.ts';
import type { Context } from './context.ts';
import { example } from './example.ts';
import { plainNumber, wholeNumber } from './options.ts';
import { renderReport } from './report-text.ts';
import { viewShape } from './shapes.ts';
import { INTERRUPTED_EXIT_CODE, untilInterrupted } from './signals.ts';
import { renderTable } from './table.ts';
import { clock, isoOrNull, minuteOf } from './times.ts';
import { createDisplay } from './watch.ts';
import { harmless } from './width.ts';

const SPEED_MOST = 3_600;
const USUAL_SPEED = 60;
const LOOK_AGAIN_MS = 300;
/** A picture is drawn so often at most, and takes no more than this part of the time: that of a city costs PostgreSQL 0.2 s and more. */
const SHOW_EVERY_MS = 1_000;
const SHOW_SHARE = 0.05;

export function addDrillRunCommands(drill: Command, context: Context): void {
  drill
    .command('run')
    .description(context.say('help.drillRun'))
    .argument('<SCENARIO>', context.say('help.scenario'))
    .option('--speed <N>', context.say('help.drillSpeed'), plainNumber(1, SPEED_MOST), USUAL_SPEED)
    .option('--seed <N>', context.say('help.seedNumber'), wholeNumber(0, 999_999_999), 1)
    .option('--rules <FILE>', context.say('help.rules'))
    .option('--with-people <LIST>', context.say('help.withPeople'))
    .addHelpText(
      'after',
      example(
        context,
        'npx fenghuo drill run quickstart',
        'npx fenghuo drill run quickstart --speed 120 --seed 7',
      ),
    )
    .action(async (scenario: string, options: RunOptions, command: Command) => {
      // Real people live at the speed of life, unless somebody says otherwise and is refused.
      const usual = command.getOptionValueSource('speed') === 'default';
      const speed = usual && options.withPeople !== undefined ? 1 : options.speed;
      return run(context, scenario, { ...options, speed });
    });
  drill
    .command('resume')
    .description(context.say('help.drillResume'))
    .argument('<DRILL>', context.say('help.drillId'))
    .addHelpText('after', example(context, 'npx fenghuo drill resume DR1'))
    .action(async (word: string) => resume(context, parseDrillId(word)));
  drill
    .command('stop')
    .description(context.say('help.drillStop'))
    .argument('<DRILL>', context.say('help.drillId'))
    .option('--reason <TEXT>', context.say('help.reason'))
    .addHelpText('after', example(context, 'npx fenghuo drill stop DR1 --reason 有真实预警'))
    .action(async (word: string, { reason }: { reason?: string }) =>
      stop(context, parseDrillId(word), reason ?? null),
    );
  drill
    .command('runs')
    .description(context.say('help.drillRuns'))
    .addHelpText('after', example(context, 'npx fenghuo drill runs'))
    .action(async () => runs(context));
  drill
    .command('remove')
    .description(context.say('help.drillRemove'))
    .argument('<DRILL>', context.say('help.drillId'))
    .addHelpText('after', example(context, 'npx fenghuo drill remove DR1'))
    .action(async (word: string) => remove(context, parseDrillId(word)));
}

type RunOptions = { speed: number; seed: number; rules?: string; withPeople?: string };

async function run(context: Context, scenario: string, options: RunOptions): Promise<void> {
  const { speed, seed, rules, withPeople } = options;
  const { requireTemporal } = await import('./drill-conductor.ts');
  await requireTemporal(context);
  const request = { scenario, speed, seed, ...(rules !== undefined && { rulePackFile: rules }) };
  const drill =
    withPeople === undefined
      ? await createDrill(await context.database(), request)
      : await (await import('./drill-people.ts')).createWithPeople(context, request, withPeople);
  context.hint(context.say('drillRun.begun', { name: drill.name, scenario: drill.scenario.name, speed }));
  await conductHere(context, drill.drillId);
}

async function resume(context: Context, drillId: number): Promise<void> {
  const drill = await requireDrill(await context.database(), drillId);
  if (isOver(drill.status)) throw refused('drill-over', 'drillRun.over', context, drill);
  await conductHere(context, drillId);
}

/** From anywhere and at any time: whoever conducts it sees to its end; where nobody does, we do. */
async function stop(context: Context, drillId: number, reason: string | null): Promise<void> {
  const live = await context.database();
  const drill = await requireDrill(live, drillId);
  if (!(await wishStop(live, drillId, reason))) throw refused('drill-over', 'drillRun.over', context, drill);
  context.hint(context.say('drillRun.stopping', { name: drill.name }));
  await untilInterrupted(async (signal) => {
    while (!signal.aborted) {
      const now = await requireDrill(live, drillId);
      if (isOver(now.status)) return printDrill(context, now, [], null);
      if (!now.conducted && (await conductShown(context, drillId, signal))) return;
      await sleep(LOOK_AGAIN_MS);
    }
    context.exitCode = INTERRUPTED_EXIT_CODE;
  });
}

async function conductHere(context: Context, drillId: number): Promise<void> {
  const conducted = await untilInterrupted((signal) => conductShown(context, drillId, signal));
  if (conducted) return;
  throw refused(
    'drill-conducted',
    'drillRun.conducted',
    context,
    await requireDrill(await context.database(), drillId),
  );
}

/** Conducts and shows it to its end; false where somebody else conducts it. */
async function conductShown(context: Context, drillId: number, signal: AbortSignal): Promise<boolean> {
  const { conduct } = await import('./drill-conductor.ts');
  const name = drillName(drillId);
  let progress: Progress | null = null;
  let views: WarningView[] = [];
  let showAgainAt = 0;
  const display = createDisplay(context, () => headLine(context, name, progress));
  const conducted = await conduct(context, drillId, signal, async (own, seen) => {
    progress = seen;
    const over = seen.bustle.underWay === 0 && seen.bustle.openWarnings.length === 0;
    const began = Date.now();
    if (began < showAgainAt && !over) return;
    views = await viewAll(own, seen.warningIds);
    const newest = views.findLast(({ warning }) => warning.status === 'open') ?? views.at(-1);
    if (newest) display.show(newest, seen.now);
    showAgainAt = began + Math.max(SHOW_EVERY_MS, (Date.now() - began) / SHOW_SHARE);
  }).finally(() => display.end());
  if (!conducted) return false;
  const { outcome, report } = conducted;
  // It was read while we conducted it.
  const drill = { ...conducted.drill, conducted: false };
  if (outcome === 'interrupted' || outcome === 'lost') {
    context.exitCode = INTERRUPTED_EXIT_CODE;
    context.tell(context.say(outcome === 'lost' ? 'drillRun.lost' : 'drillRun.left', { name }));
  }
  printDrill(context, drill, views, report);
  return true;
}

async function viewAll(own: Database, warningIds: readonly number[]): Promise<WarningView[]> {
  const views: WarningView[] = [];
  for (const warningId of warningIds) views.push(await viewWarning(own, warningId));
  return views;
}

/** `DR1 ×60  story +1h20m  next event in 0:12` */
function headLine(context: Context, name: string, progress: Progress | null): string {
  if (!progress) return name;
  const { now, nextAt, stopping, clock: drillClock } = progress;
  const story = writeSpan(Math.max(0, storyMsAt(drillClock, now)));
  const next = nextAt === null ? '' : context.say('drillRun.next', { left: clock(nextAt - now) });
  const state = stopping ? context.say('drillStatus.stopping') : next;
  return `${context.say('drillRun.head', { name, speed: drillClock.speed, story })}  ${state}`.trimEnd();
}

function printDrill(
  context: Context,
  drill: Drill,
  views: readonly WarningView[],
  report: DrillReport | null,
): void {
  context.print({
    value: { ...drillShape(drill), warnings: views.map(viewShape), report },
    lines: () => [
      context.say('drillRun.outcome', { name: drill.name, status: statusWord(context, drill) }),
      ...(report ? ['', ...renderReport(report, context)] : []),
    ],
  });
}

async function runs(context: Context): Promise<void> {
  const drills = await listDrills(await context.database());
  const shapes = drills.map(drillShape);
  context.print({
    value: shapes,
    items: shapes,
    lines: () =>
      renderTable(
        drills,
        [
          { title: context.say('drillRun.id'), of: ({ name }) => name },
          { title: context.say('drillRun.status'), of: (drill) => statusWord(context, drill) },
          { title: context.say('drillRun.speed'), of: ({ speed }) => `×${speed}`, align: 'right' },
          {
            title: context.say('schedule.score'),
            of: ({ points }) => String(points ?? '-'),
            align: 'right',
          },
          {
            title: context.say('drillRun.started'),
            of: ({ startedAt, createdAt }) => minuteOf(startedAt ?? createdAt),
          },
          {
            title: context.say('drill.title'),
            of: ({ scenario }) => harmless(scenario.title[context.lang]),
            shrinks: true,
          },
        ],
        context.columns(),
      ),
  });
}

async function remove(context: Context, drillId: number): Promise<void> {
  const live = await context.database();
  const { schema } = await requireDrill(live, drillId);
  const { DATABASE_URL: ownerUrl } = await context.config();
  const drill = await removeDrill({ live, ownerUrl }, drillId);
  const { drillDirectory } = await import('./drill-processes.ts');
  if (schema !== null) await rm(drillDirectory(context.env, schema), { recursive: true, force: true });
  context.print({
    value: drillShape(drill),
    lines: () => [context.say('drillRun.removed', { name: drill.name })],
  });
}

/** A drill in lists and at its end. */
export function drillShape(drill: Drill) {
  const {
    name: id,
    scenario,
    seed,
    speed,
    status,
    conducted,
    schema,
    withPeople,
    stopReason,
    fault,
    points,
  } = drill;
  return {
    id,
    scenario: scenario.name,
    title: scenario.title,
    ...{ seed, speed, status, conducted, schema, withPeople },
    createdAt: isoOrNull(drill.createdAt),
    startedAt: isoOrNull(drill.startedAt),
    endedAt: isoOrNull(drill.endedAt),
    ...{ stopReason, fault, score: points },
  };
}

/** What it is doing; of one that runs and that nobody conducts, that it stands still. */
function statusWord(context: Context, { status, conducted }: Drill): string {
  if (conducted || isOver(status) || status === 'failed') return context.say(`drillStatus.${status}`);
  return context.say('drillStatus.standing');
}

function refused(
  code: string,
  key: 'drillRun.over' | 'drillRun.conducted',
  context: Context,
  drill: Drill,
): FenghuoError {
  const sentence = context.say(key, { name: drill.name, status: statusWord(context, drill) });
  return new FenghuoError({ code, refusal: 'conflict', sentence });
}
