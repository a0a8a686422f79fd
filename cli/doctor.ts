/** `doctor`: what is there, which versions, what is wrong and what to do. Looks only; starts and writes nothing. */
import type { Command } from 'commander';
import { isUnreachable, openDatabase, type Database } from '../db/database.ts';
import { knownMigrations, readAppliedMigrations } from '../db/schema-version.ts';
import { pausedSince, type Pause } from '../db/pauses.ts';
import { readWatchFacts } from '../db/watchdog.ts';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import { namespaceOf, temporalOf, withSecrets, type Config } from '../config.ts';
import { GIVEN_UP_DAYS, isGrave, isWanted, KINDS, type WarningKind } from '../domain/kinds.ts';
import {
  AT_ONCE,
  DRILL_SERVER_SIGN,
  findTroubles,
  WATCHDOG_SIGN,
  type Trouble,
  type WatchFacts,
} from '../domain/watchdog.ts';
import type { Finding } from '../runtime/doctor.ts';
import { listAfterReviews } from '../operations/draft-ends.ts';
import { readinessOf, type Readiness } from '../operations/kinds.ts';
import { hasWorker, processesAlive } from './alive.ts';
import type { Context } from './context.ts';
import { loginFinding } from './doctor-login.ts';
import { describeFailure } from './failures.ts';
import { paint, type Tone } from './paint.ts';
import { pauseLine } from './pause.ts';
import { example } from './example.ts';
import { troubleAdvice, troubleExtent, troubleName } from './watchdog.ts';
import { pad, width, wrap } from './width.ts';
import { minuteOf } from './times.ts';

/** What an installation's looks gave, and whether PostgreSQL or Temporal was away: that has an exit code of its own. */
type Look = { findings: Finding[]; unreachable: boolean };

export function addDoctorCommand(program: Command, context: Context): void {
  program
    .command('doctor')
    .description(context.say('help.doctor'))
    .addHelpText('after', example(context, 'npx fenghuo doctor', 'npx fenghuo doctor --json'))
    .action(async () => {
      const installation = await inspectInstallation(context);
      const findings = [...(await inspectMachine(context)), ...installation.findings];
      const ok = findings.every(({ status }) => status !== 'fail');
      context.print({
        value: { ok, findings },
        items: findings,
        lines: () => renderFindings(findings, context, context.columns() ?? 100),
      });
      context.exitCode = exitCodeOf(ok, installation.unreachable);
    });
}

function exitCodeOf(ok: boolean, unreachable: boolean): number {
  if (ok) return EXIT_CODES.done;
  return unreachable ? EXIT_CODES.unreachable : EXIT_CODES.failed;
}

async function inspectMachine(context: Context): Promise<Finding[]> {
  const { inspect } = await import('../runtime/doctor.ts');
  return inspect({ purpose: context.env['FENGHUO_INSTANCE'] || 'up', env: withSecrets(context.env) });
}

/** The installation these commands work on: configuration, schema, Temporal, workers, and what a watchdog would shout. */
async function inspectInstallation(context: Context): Promise<Look> {
  const name = context.say('doctor.configuration');
  let config: Config;
  try {
    config = await context.config();
  } catch (error) {
    if (!(error instanceof FenghuoError)) throw error;
    const named = (await context.environment())['DATABASE_URL'] !== undefined;
    const finding: Finding = named
      ? { name, status: 'fail', found: [error.message, ...error.details].join(' ') }
      : {
          name,
          status: 'warn',
          found: context.say('doctor.nothingRuns'),
          advice: context.say('doctor.startUp'),
        };
    return { findings: [finding], unreachable: false };
  }
  const found = context.say('doctor.configured', {
    schema: config.FENGHUO_SCHEMA,
    channels: config.FENGHUO_CHANNELS,
  });
  const database = openDatabase({
    url: config.DATABASE_URL,
    schema: config.FENGHUO_SCHEMA,
    connectionsMost: 2,
  });
  try {
    const stored = await lookAtDatabase(database, config, context);
    const temporal = await temporalFinding(config, context);
    const kinds =
      stored.kinds && (await Promise.all(stored.kinds.map((one) => kindFinding(one, config, context))));
    const login = stored.kinds ? [await loginFinding(database, config, context)] : [];
    return {
      findings: [{ name, status: 'ok', found }, ...stored.findings, temporal, ...(kinds ?? []), ...login],
      unreachable: stored.unreachable || temporal.status === 'fail',
    };
  } finally {
    await database.close();
  }
}

async function lookAtDatabase(
  database: Database,
  config: Config,
  context: Context,
): Promise<Look & { kinds?: Readiness[] }> {
  const name = context.say('doctor.schema');
  try {
    const [known, applied] = [await knownMigrations(), await readAppliedMigrations(database)];
    const missing = known.filter((migration) => !applied.includes(migration));
    if (missing.length > 0) {
      const found = context.say('doctor.schemaBehind', {
        version: applied.at(-1) ?? '-',
        missing: missing.length,
      });
      const advice = context.say('doctor.migrate');
      return { findings: [{ name, status: 'fail', found, advice }], unreachable: false };
    }
    const found = context.say('doctor.schemaAt', { version: applied.at(-1) ?? '-' });
    const alive = await lookAtLife(database, config, context);
    const kinds = await Promise.all(KINDS.map((kind) => readinessOf(database, kind)));
    return {
      ...{ kinds, unreachable: alive.unreachable },
      findings: [
        { name, status: 'ok', found },
        ...alive.findings,
        ...(await lookAtAfterReviews(database, context)),
      ],
    };
  } catch (error) {
    const { sentence } = describeFailure(error, context.lang);
    const advice = isUnreachable(error) ? undefined : context.say('doctor.seeAbove');
    const finding: Finding = {
      name,
      status: 'fail',
      found: sentence,
      ...(advice === undefined ? {} : { advice }),
    };
    return { findings: [finding], unreachable: isUnreachable(error) };
  }
}

/** What one person did alone and nobody has looked at since: no fault of the installation, but never out of sight. */
async function lookAtAfterReviews(database: Database, context: Context): Promise<Finding[]> {
  const open = await listAfterReviews(database);
  const [oldest] = open;
  if (!oldest) return [];
  const values = { count: open.length, at: minuteOf(oldest.at) };
  return [
    {
      name: context.say('doctor.afterReviews'),
      status: 'warn',
      found: context.say('doctor.afterReviewsOpen', values),
      advice: context.say('doctor.afterReviewsAdvise'),
    },
  ];
}

/** Who lives, and what the watchdog would shout of now: it counts silences from the last sign, however long ago. */
async function lookAtLife(database: Database, config: Config, context: Context): Promise<Look> {
  const windowMs = config.FENGHUO_WATCHDOG_SECONDS * 1_000;
  const names = await processesAlive(database);
  const facts = await readWatchFacts(database, windowMs);
  const { troubles } = findTroubles(facts, { windowMs, watch: AT_ONCE });
  const paused = await pausedSince(database);
  return {
    findings: [
      aliveFinding(names, context),
      ...(Object.values(facts.intakeAt).every((at) => at === null) ? [noIntake(context)] : []),
      ...(paused === null ? [] : [pausedFinding(paused, context)]),
      watchdogFinding(names, context),
      ...scheduleFindings(facts, names, context),
      ...troubleFindings(troubles, context),
    ],
    unreachable: troubles.some(({ kind }) => kind === 'temporal gone'),
  };
}

/** Without a worker nothing is sent: harmless while no warning is open, a trouble once one is. */
function aliveFinding(names: readonly string[], context: Context): Finding {
  const name = context.say('doctor.alive');
  const found = names.length > 0 ? names.join(', ') : context.say('doctor.nobody');
  if (hasWorker(names)) return { name, status: 'ok', found };
  return { name, status: 'warn', found, advice: context.say('doctor.startWorker') };
}

function pausedFinding(pause: Pause, context: Context): Finding {
  const found = pauseLine(pause, context);
  return { name: context.say('doctor.paused'), status: 'warn', found, advice: context.say('doctor.resume') };
}

function noIntake(context: Context): Finding {
  const [name, found] = [context.say('doctor.intake'), context.say('doctor.noIntake')];
  return { name, status: 'warn', found, advice: context.say('doctor.startWeb') };
}

function watchdogFinding(names: readonly string[], context: Context): Finding {
  const name = context.say('doctor.watchdog');
  if (names.includes(WATCHDOG_SIGN)) return { name, status: 'ok', found: context.say('doctor.watching') };
  const found = context.say('doctor.notWatching');
  return { name, status: 'warn', found, advice: context.say('doctor.startWatchdog') };
}

/** Where schedules are not served, the trouble says so a moment later. */
function scheduleFindings(
  { scheduledSince }: WatchFacts,
  names: readonly string[],
  context: Context,
): Finding[] {
  const name = context.say('doctor.schedules');
  if (scheduledSince === null) return [{ name, status: 'ok', found: context.say('doctor.noSchedules') }];
  if (!names.includes(DRILL_SERVER_SIGN)) return [];
  return [{ name, status: 'ok', found: context.say('doctor.schedulesServed') }];
}

function troubleFindings(troubles: readonly Trouble[], context: Context): Finding[] {
  const { lang } = context;
  const name = context.say('doctor.trouble');
  if (troubles.length === 0) return [{ name, status: 'ok', found: context.say('doctor.troubleless') }];
  return troubles.map((trouble) => ({
    name,
    status: 'fail',
    found: `${troubleName(lang, trouble)} (${troubleExtent(lang, trouble)})`,
    advice: troubleAdvice(lang, trouble),
  }));
}

/** Ready or not, and why not. Actual warnings that nobody has set up are no fault; a worker that was there and is gone is one, for a week. */
async function kindFinding({ facts, gaps }: Readiness, config: Config, context: Context): Promise<Finding> {
  const { kind, workers, seenAt } = facts;
  const name = context.say(`doctor.kind.${kind}`);
  if (kind === 'actual' && seenAt === null)
    return { name, status: 'ok', found: context.say('doctor.kindNotSetUp') };
  if (kind === 'actual' && !isWanted(facts, Date.now())) {
    const values = { at: minuteOf(seenAt ?? 0), days: GIVEN_UP_DAYS };
    return { name, status: 'ok', found: context.say('doctor.kindGivenUp', values) };
  }
  const namespace = workers[0]?.namespace ?? namespaceOf(config, kind);
  const all = [...gaps, ...((await isNamespaceThere(config, namespace)) ? [] : ['no namespace' as const])];
  if (all.length === 0) {
    const senders = [...new Set(workers.flatMap((worker) => worker.senders))].join(', ');
    const found = context.say('doctor.kindReady', { senders, namespace, workers: workers.length });
    return { name, status: 'ok', found };
  }
  const told = all.map((gap) => context.say(`gap.${gap}`, { namespace, count: facts.misdirected }));
  const advice = all.map((gap) => context.say(adviceOf(gap, kind))).join(' ');
  const grave = all.some((gap) => gap === 'no namespace' || isGrave(gap));
  const found = context.say(grave ? 'doctor.kindGaps' : 'doctor.kindNotes', { gaps: told.join('; ') });
  return { name, status: grave && kind === 'actual' ? 'fail' : 'warn', found, advice };
}

function adviceOf(gap: Readiness['gaps'][number] | 'no namespace', kind: WarningKind) {
  return gap === 'no worker' ? (`advise.${kind}.no worker` as const) : (`advise.${gap}` as const);
}

/** Where Temporal itself does not answer, that is said elsewhere. */
async function isNamespaceThere(config: Config, namespace: string): Promise<boolean> {
  const { inspectServer } = await import('../runtime/temporal.ts');
  const answers = await inspectServer(temporalOf(config)).catch(() => null);
  if (answers === null) return true;
  return inspectServer(temporalOf(config), namespace).then(
    () => true,
    () => false,
  );
}

async function temporalFinding(config: Config, context: Context): Promise<Finding> {
  const name = context.say('doctor.temporal');
  const where = `${config.TEMPORAL_ADDRESS}, ${config.TEMPORAL_NAMESPACE}`;
  try {
    const { inspectServer } = await import('../runtime/temporal.ts');
    const version = await inspectServer(temporalOf(config), config.TEMPORAL_NAMESPACE);
    return { name, status: 'ok', found: `${version}, ${where}` };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return {
      name,
      status: 'fail',
      found: `${where}: ${reason}`,
      advice: context.say('doctor.startTemporal'),
    };
  }
}

const TONES: Readonly<Record<Finding['status'], Tone>> = { ok: 'good', warn: 'busy', fail: 'bad' };

/** One finding a line, its advice under it; long ones are broken at the terminal's width. */
export function renderFindings(
  findings: readonly Finding[],
  context: Pick<Context, 'say' | 'colour'>,
  columns: number,
): string[] {
  const statuses = {
    ok: context.say('doctor.ok'),
    warn: context.say('doctor.warn'),
    fail: context.say('doctor.fail'),
  };
  const statusWidth = Math.max(...Object.values(statuses).map(width));
  const nameWidth = Math.max(0, ...findings.map(({ name }) => width(name)));
  const indent = ' '.repeat(statusWidth + nameWidth + 4);
  return findings.flatMap(({ name, status, found, advice }) => {
    const texts = [found, ...(advice === undefined ? [] : [`→ ${advice}`])];
    const lines = texts.flatMap((text) => wrap(text, Math.max(20, columns - indent.length)));
    const head = `${paint(pad(statuses[status], statusWidth), TONES[status], context.colour)}  ${pad(name, nameWidth)}  `;
    return lines.map((line, place) => (place === 0 ? head : indent) + line);
  });
}
