/**
 * `npm run demo`: one warning travels six tiers before your eyes. It calls what the commands call, with an installation of
 * its own; nothing else in the product knows that there is a demo.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { openDatabase, type Database } from '../db/database.ts';
import { readSendTimes } from '../db/warnings.ts';
import { EXIT_CODES } from '../domain/errors.ts';
import { findUnits } from '../operations/organisation-find.ts';
import { importOrganisation } from '../operations/organisation-import.ts';
import { generatePopulation } from '../operations/generate-population.ts';
import { judge, type Invariant } from '../operations/referee.ts';
import { issueWarning, viewWarning, type WarningView } from '../operations/warnings.ts';
import { readLedger, type LedgerSummary } from '../sandbox/ledger.ts';
import type { Context } from './context.ts';
import { startInstallation, type Installation } from './installation.ts';
import { renderFrame } from './frame.ts';
import { invariantLines } from './referee.ts';
import { example } from './example.ts';
import { INTERRUPTED_EXIT_CODE, untilInterrupted } from './signals.ts';
import { watchWarning } from './watch.ts';

const TREE = fileURLToPath(new URL('../scenarios/chongqing-units.csv', import.meta.url));

/** 黔江 was the pilot district of the six-tier system. */
const DISTRICT = '黔江区';
const TOWNSHIP = '黔江区/濯水镇';
/** One real second is a minute of the ladder. */
const SPEED = 60;
const LASTS = '+32m';
const WATCH_MS_MAX = 180_000;

export function addDemoCommand(program: Command, context: Context): void {
  program
    .command('demo')
    .description(context.say('help.demo'))
    .addHelpText('after', example(context, 'npm run demo', 'npm run --silent demo -- --json'))
    .action(() => untilInterrupted((signal) => runDemo(context, signal)));
}

async function runDemo(context: Context, signal: AbortSignal): Promise<void> {
  const { tell, say } = context;
  const startedAt = Date.now();
  const log = (line: string) => tell(line);
  const installation = await startInstallation({
    purpose: 'demo',
    sandbox: true,
    log,
    env: { ...context.env },
  });
  const database = openDatabase({
    url: installation.environment['DATABASE_URL'] ?? '',
    schema: installation.environment['FENGHUO_SCHEMA'] ?? '',
  });
  try {
    await loadTree(database, log);
    const { warningId } = await issueWarning(database, {
      hazard: '暴雨',
      level: 'red',
      areas: [TOWNSHIP],
      expires: LASTS,
      issuer: '重庆市气象台',
      speed: SPEED,
    });
    tell(say('demoIssued', { id: `W${warningId}` }));
    await watchWarning({
      database,
      warningId,
      context,
      until: 'closed',
      timeoutMs: WATCH_MS_MAX,
      quiet: context.output !== 'text',
      signal,
    });
    if (signal.aborted) {
      context.exitCode = INTERRUPTED_EXIT_CODE;
      return;
    }
    const result = await gather({ database, warningId, installation, startedAt });
    context.print({ lines: () => summaryLines(result, context), value: jsonOf(result) });
    if (!result.invariants.every((invariant) => invariant.holds)) context.exitCode = EXIT_CODES.failed;
  } finally {
    await database.close();
    await installation.stop();
  }
}

/** The real tree; people for the district and all above and below it, households for the township in full. */
async function loadTree(database: Database, log: (line: string) => void): Promise<void> {
  log('Loading the tree of Chongqing …');
  await importOrganisation({ database, file: await readFile(TREE) });
  const district = await findUnits(database, DISTRICT);
  const township = await findUnits(database, TOWNSHIP);
  await generatePopulation({
    database,
    seed: 'demo',
    villagesUnder: [district.id],
    peopleUnder: [district.id],
    householdsUnder: [township.id],
    log,
  });
}

type DemoResult = {
  view: WarningView;
  invariants: Invariant[];
  ledger: LedgerSummary;
  times: { firstSendMs: number | null; lastSendMs: number | null };
  services: Installation['services'];
  totalMs: number;
};

async function gather(input: {
  database: Database;
  warningId: number;
  installation: Installation;
  startedAt: number;
}): Promise<DemoResult> {
  const { database, warningId, installation } = input;
  const ledger = await readLedger(installation.ledgerDirectory, { warningId: String(warningId) });
  return {
    view: await viewWarning(database, warningId),
    invariants: await judge(database, warningId, ledger),
    ledger,
    times: await readSendTimes(database, warningId),
    services: installation.services,
    totalMs: Date.now() - input.startedAt,
  };
}

function jsonOf(result: DemoResult) {
  const { warning, tiers } = result.view;
  const lost = result.invariants.find((invariant) => invariant.number === 1)?.counts ?? {};
  const duplicates = result.invariants.find((invariant) => invariant.number === 6)?.counts ?? {};
  return {
    warning: {
      id: `W${warning.warningId}`,
      hazard: warning.hazard,
      level: warning.level,
      status: warning.status,
    },
    temporal: { version: result.services.temporal.version, store: result.services.temporal.store },
    postgres: { version: result.services.postgres.version },
    tiers: tiers.map(({ tier, units, told, answered, silent, escalated }) => ({
      tier,
      units,
      told,
      answered,
      silent,
      escalated,
    })),
    deliveries: {
      planned: lost['planned'] ?? 0,
      sent: lost['sent'] ?? 0,
      failed: lost['failed'] ?? 0,
      unknown: lost['unknown'] ?? 0,
      possibleDuplicates: duplicates['flags'] ?? 0,
    },
    farSide: { email: result.ledger.messages.email, sms: result.ledger.messages.sms, voice: 0 },
    seconds: {
      total: seconds(result.totalMs),
      firstSend: seconds(result.times.firstSendMs),
      lastSend: seconds(result.times.lastSendMs),
    },
    invariants: result.invariants.map(({ number, name, holds, counts }) => ({
      name: `${number} ${name}`,
      holds,
      counts,
    })),
  };
}

function seconds(ms: number | null): number {
  return Math.round(ms ?? 0) / 1_000;
}

function summaryLines(result: DemoResult, context: Context): string[] {
  const json = jsonOf(result);
  const { planned, sent, failed, unknown, possibleDuplicates } = json.deliveries;
  return [
    renderFrame(result.view, {
      columns: context.columns() ?? 80,
      lang: context.lang,
      colour: context.colour,
      now: Date.now(),
    }),
    '',
    context.say('demoDeliveries', { planned, sent, failed, unknown, possibleDuplicates }),
    context.say('demoFarSide', {
      sms: json.farSide.sms,
      email: json.farSide.email,
      acts: result.ledger.acts.length,
    }),
    context.say('demoSeconds', {
      first: json.seconds.firstSend,
      last: json.seconds.lastSend,
      total: json.seconds.total,
    }),
    '',
    ...invariantLines(result.invariants, context),
  ];
}
