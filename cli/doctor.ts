/** `doctor`: what is there, which versions, what is wrong and what to do. Looks only; starts and writes nothing. */
import type { Command } from 'commander';
import { isUnreachable, openDatabase, type Database } from '../db/database.ts';
import { knownMigrations, readAppliedMigrations } from '../db/schema-version.ts';
import { readWarnings } from '../db/warnings.ts';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import type { Config } from '../config.ts';
import type { Finding } from '../runtime/doctor.ts';
import { hasWorker, processesAlive } from './alive.ts';
import type { Context } from './context.ts';
import { describeFailure } from './failures.ts';
import { paint, type Tone } from './paint.ts';
import { example } from './example.ts';
import { pad, width, wrap } from './width.ts';

const WARNINGS_LOOKED_AT = 200;

export function addDoctorCommand(program: Command, context: Context): void {
  program
    .command('doctor')
    .description(context.say('help.doctor'))
    .addHelpText('after', example(context, 'npx fenghuo doctor', 'npx fenghuo doctor --json'))
    .action(async () => {
      const findings = [...(await inspectMachine(context)), ...(await inspectInstallation(context))];
      const ok = findings.every(({ status }) => status !== 'fail');
      context.print({
        value: { ok, findings },
        items: findings,
        lines: () => renderFindings(findings, context, context.columns() ?? 100),
      });
      context.exitCode = ok ? EXIT_CODES.done : EXIT_CODES.failed;
    });
}

async function inspectMachine(context: Context): Promise<Finding[]> {
  const { inspect } = await import('../runtime/doctor.ts');
  return inspect({ purpose: context.env['FENGHUO_INSTANCE'] || 'up', env: { ...context.env } });
}

/** The installation these commands work on: configuration, schema, Temporal, workers. */
async function inspectInstallation(context: Context): Promise<Finding[]> {
  const name = context.say('doctor.configuration');
  let config: Config;
  try {
    config = await context.config();
  } catch (error) {
    if (!(error instanceof FenghuoError)) throw error;
    const named = (await context.environment())['DATABASE_URL'] !== undefined;
    return [
      named
        ? { name, status: 'fail', found: [error.message, ...error.details].join(' ') }
        : {
            name,
            status: 'warn',
            found: context.say('doctor.nothingRuns'),
            advice: context.say('doctor.startUp'),
          },
    ];
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
    return [
      { name, status: 'ok', found },
      ...(await databaseFindings(database, context)),
      await temporalFinding(config, context),
    ];
  } finally {
    await database.close();
  }
}

async function databaseFindings(database: Database, context: Context): Promise<Finding[]> {
  const name = context.say('doctor.schema');
  try {
    const [known, applied] = [await knownMigrations(), await readAppliedMigrations(database)];
    const missing = known.filter((migration) => !applied.includes(migration));
    if (missing.length > 0) {
      const found = context.say('doctor.schemaBehind', {
        version: applied.at(-1) ?? '-',
        missing: missing.length,
      });
      return [{ name, status: 'fail', found, advice: context.say('doctor.migrate') }];
    }
    return [
      { name, status: 'ok', found: context.say('doctor.schemaAt', { version: applied.at(-1) ?? '-' }) },
      await livenessFinding(database, context),
    ];
  } catch (error) {
    const { sentence } = describeFailure(error, context.lang);
    const advice = isUnreachable(error) ? undefined : context.say('doctor.seeAbove');
    return [{ name, status: 'fail', found: sentence, ...(advice === undefined ? {} : { advice }) }];
  }
}

/** Without a worker nothing is sent: harmless while no warning is open, the worst of all while one is. */
async function livenessFinding(database: Database, context: Context): Promise<Finding> {
  const name = context.say('doctor.alive');
  const names = await processesAlive(database);
  const open = (await readWarnings(database, WARNINGS_LOOKED_AT)).filter(
    ({ status }) => status === 'open',
  ).length;
  const found = names.length > 0 ? names.join(', ') : context.say('doctor.nobody');
  if (hasWorker(names)) return { name, status: 'ok', found };
  return {
    name,
    status: open > 0 ? 'fail' : 'warn',
    found: open > 0 ? `${found}; ${context.say('doctor.openWarnings', { count: open })}` : found,
    advice: context.say('doctor.startWorker'),
  };
}

async function temporalFinding(config: Config, context: Context): Promise<Finding> {
  const name = context.say('doctor.temporal');
  const where = `${config.TEMPORAL_ADDRESS}, ${config.TEMPORAL_NAMESPACE}`;
  try {
    const { inspectServer } = await import('../runtime/temporal.ts');
    const version = await inspectServer({ address: config.TEMPORAL_ADDRESS }, config.TEMPORAL_NAMESPACE);
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
