/**
 * An installation of its own, of real servers and real processes, whose parts are killed by -9 while a warning runs; and
 * what a test needs to find the moment, to wait for the end and to say how long everything took.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startInstallation, type Installation } from '../../cli/installation.ts';
import { openDatabase, type Database } from '../../db/database.ts';
import type { Channel } from '../../domain/rules.ts';
import { judge, type Invariant } from '../../operations/referee.ts';
import { cancelWarning, issueWarning, viewWarning, type WarningView } from '../../operations/warnings.ts';
import { InstanceBusy } from '../../runtime/errors.ts';
import { identify, isAlive, waitUntil } from '../../runtime/processes.ts';
import type { FaultPlan } from '../../sandbox/faults.ts';
import { ledgerMessages, readLedger } from '../../sandbox/ledger.ts';
import type { PeopleModel } from '../../sandbox/people.ts';
import { plantDistrict, type DistrictShape } from './crash-tree.ts';
import { readTruth, type Truth, type TruthCounts } from './crash-truth.ts';
import { broken } from './stack.ts';

/** What may be killed. */
export const PARTS = ['worker', 'web', 'sandbox', 'postgres', 'temporal'] as const;
export type Part = (typeof PARTS)[number];

/** A kill, and what was under way then. */
export type Kill = {
  part: Part;
  pid: number;
  at: number;
  /** Claimed and not settled when the part died: what may be sent twice. */
  inFlight: { pageId: number; first: number; size: number }[];
  /** When another process of the part served; null until then. */
  backAt: number | null;
};

export type CrashSite = {
  installation: Installation;
  database: Database;
  issue(input: { area: string; speed: number; attemptsMost?: number }): Promise<number>;
  /** Replaces what goes wrong at the far side, from the next message on. */
  setFaults(plan: FaultPlan): Promise<void>;
  /** Waits for a moment that a query shows; it is asked as often as PostgreSQL answers. */
  moment(what: string, sql: string, values: unknown[], deadlineMs?: number): Promise<void>;
  /** Messages the far side has of a warning, by any channel or by one. */
  arrived(warningId: number, by?: Channel): Promise<number>;
  /** kill -9; returns once the process is gone. */
  kill(part: Part): Promise<Kill>;
  /** Waits until another process of this part serves. */
  back(kill: Kill): Promise<void>;
  /** Waits until everything of the warning that can be sent now has been: all but the slices that a kill left behind. */
  handedOn(warningId: number, kill: Kill): Promise<void>;
  /** True where nothing of the warning is under way or will become due. */
  isAtRest(warningId: number): Promise<boolean>;
  /** Waits until nothing of the warning is under way or will become due, then cancels it and waits for its last message. */
  carryToTheEnd(warningId: number, deadlineMs?: number): Promise<WarningView>;
  /** Judges a warning that has ended; prints the counts. */
  verdict(warningId: number, what: string): Promise<Verdict>;
  /** Prints how long what was hit by a kill took to go on. */
  printFigures(warningId: number, what: string, kill: Kill): Promise<void>;
  stop(): Promise<void>;
};

/** What became of a warning: what the far side's ledger finds, and by its side the invariants that the referee finds broken. */
export type Verdict = { counts: TruthCounts; wrongs: Truth['wrongs'] & { invariants?: Invariant[] } };

type KillFigures = {
  /** From the kill until another process served. */
  backMs: number | null;
  /** From the kill to the next message that the far side took; null where none followed. */
  firstNewSendMs: number | null;
  inFlight: number;
  /** From the kill until the last slice that was under way has its outcomes; null where none was. */
  deadSettledMs: number | null;
};

const PACK = fileURLToPath(new URL('../../scenarios/rules/default-unofficial.yaml', import.meta.url));

/** Runs of one suite in one clone at once; each takes an instance of its own. */
const RUNS_AT_ONCE_MAX = 9;
const BACK_MS_MAX = 60_000;
const END_MS_MAX = 120_000;

/**
 * Starts it with an empty schema and plants the district. The servers' data are kept between runs, so that a run that was
 * killed is found and taken over by the next.
 */
export async function startCrashSite(input: {
  purpose: string;
  shape: DistrictShape;
  faults?: FaultPlan;
  model?: Partial<PeopleModel>;
}): Promise<CrashSite> {
  const log = (line: string) => print(input.purpose, line);
  const schema = `crash_${process.pid}_${Date.now().toString(36)}`;
  const installation = await startFree({ ...input, schema, log });
  const database = openDatabase({
    url: installation.environment['DATABASE_URL'] ?? '',
    schema,
    lockTimeoutMs: 10_000,
    asOwner: true,
  });
  const stop = async () => {
    await database.query(`drop schema if exists ${schema} cascade`).catch(() => undefined);
    await database.close();
    await installation.stop();
    await rm(installation.ledgerDirectory, { recursive: true, force: true });
  };
  try {
    await plantDistrict(database, input.shape);
    return siteOf({ installation, database, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startFree(
  input: Parameters<typeof startCrashSite>[0] & { schema: string; log: (line: string) => void },
  run = 1,
): Promise<Installation> {
  try {
    return await startInstallation({
      purpose: run === 1 ? input.purpose : `${input.purpose}-${run}`,
      schema: input.schema,
      sandbox: true,
      log: input.log,
      env: ownServers(),
      sandboxEnvironment: {
        FENGHUO_SANDBOX_SEED: input.purpose,
        FENGHUO_SANDBOX_FAULTS: JSON.stringify(input.faults ?? {}),
        FENGHUO_SANDBOX_MODEL: JSON.stringify({ cannotActShare: 0, ...input.model }),
      },
    });
  } catch (error) {
    if (error instanceof InstanceBusy && run < RUNS_AT_ONCE_MAX) return startFree(input, run + 1);
    throw error;
  }
}

/** Our environment without the suite's servers, which nobody may kill. */
export function ownServers(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of ['DATABASE_URL', 'TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE']) delete env[name];
  return env;
}

function siteOf(base: Pick<CrashSite, 'installation' | 'database' | 'stop'>): CrashSite {
  const { installation, database } = base;
  const { ledgerDirectory } = installation;
  return {
    ...base,
    issue: async ({ area, speed, attemptsMost }) => {
      const request = {
        hazard: '暴雨',
        level: 'red',
        areas: [area],
        issuer: '城气象台',
        speed,
        expires: '+6h',
      };
      const pack =
        attemptsMost === undefined
          ? {}
          : { rulePackFile: await patientPack(installation.services.dataDirectory, attemptsMost) };
      return (await issueWarning(database, { ...request, ...pack })).warningId;
    },
    setFaults: async (plan) => {
      const url = `${installation.environment['FENGHUO_GATEWAY_URL']}/faults`;
      const answer = await fetch(url, { method: 'PUT', body: JSON.stringify(plan) });
      if (!answer.ok) throw new Error(`the fault plan was refused: ${await answer.text()}`);
    },
    moment: async (what, sql, values, deadlineMs = 30_000) => {
      await waitUntil(async () => (await database.query(sql, values)).length > 0, {
        what,
        deadlineMs,
        everyMs: 1,
      });
    },
    arrived: async (warningId, by) => {
      const { messages } = await readLedger(ledgerDirectory, { warningId: String(warningId) });
      return by === undefined ? messages.sms + messages.email : messages[by];
    },
    kill: (part) => kill(installation, database, part),
    back: (killed) => back(installation, killed),
    handedOn: (warningId, killed) => handedOn(database, warningId, killed),
    isAtRest: (warningId) => isAtRest(database, warningId),
    carryToTheEnd: (warningId, deadlineMs) => carryToTheEnd(database, warningId, deadlineMs),
    verdict: (warningId, what) => verdictOf({ database, ledgerDirectory, warningId, what }),
    printFigures: async (warningId, what, killed) =>
      print(what, await figures(database, ledgerDirectory, warningId, killed)),
  };
}

/** The rule pack of the product with more attempts: at speed 60, a restart that lasts 10 s is an outage of ten minutes. */
async function patientPack(directory: string, attemptsMost: number): Promise<string> {
  const pack = await readFile(PACK, 'utf8');
  const file = join(directory, `patient-${attemptsMost}.yaml`);
  const patient = pack
    .replace(/^id: .*$/m, `id: patient-${attemptsMost}`)
    .replaceAll(/attemptsMost: \{ value: \d+/g, `attemptsMost: { value: ${attemptsMost}`);
  await writeFile(file, patient);
  return file;
}

// ── killing ─────────────────────────────────────────────────────────────────────────────────────────────────

async function kill(installation: Installation, database: Database, part: Part): Promise<Kill> {
  const pid = pidOf(installation, part);
  const identity = pid === null ? null : identify(pid);
  if (!identity) throw new Error(`there is no ${part} to kill`);
  process.kill(identity.pid, 'SIGKILL');
  const at = Date.now();
  await waitUntil(() => !isAlive(identity), { deadlineMs: 5_000, what: `${part} to die`, everyMs: 5 });
  const killed: Kill = { part, pid: identity.pid, at, inFlight: [], backAt: null };
  if (part === 'postgres') await back(installation, killed);
  killed.inFlight = await database.query<Kill['inFlight'][number]>(
    `select page_id as "pageId", first, size from claims where settled_at is null`,
  );
  return killed;
}

function pidOf({ workers, web, sandbox, services }: Installation, part: Part): number | null {
  switch (part) {
    case 'worker':
      return workers[0]?.pid ?? null;
    case 'web':
      return web.pid;
    case 'sandbox':
      return sandbox?.pid ?? null;
    case 'postgres':
    case 'temporal':
      return services[part].pid;
    default:
      return part satisfies never;
  }
}

/** Waits until another process of this part serves. */
async function back(installation: Installation, killed: Kill): Promise<void> {
  const { part, pid } = killed;
  const next = await waitUntil(
    () => {
      const now = pidOf(installation, part);
      return now !== pid && now;
    },
    { deadlineMs: BACK_MS_MAX, what: `another ${part}`, everyMs: 20 },
  );
  // Servers are ready when they have a pid; the processes of ours say so themselves.
  const supervised = [...installation.workers, installation.web, installation.sandbox];
  await supervised.find((one) => one?.pid === next)?.ready();
  killed.backAt = Date.now();
}

/** Pages of the warning that somebody could send now: their members are neither settled nor claimed. */
const SENDABLE = `select from pages p where p.warning_id = $1 and p.ended_at is null
  and p.size > (select coalesce(sum(k.size), 0) from claims k where k.page_id = p.id)`;

async function handedOn(database: Database, warningId: number, { inFlight }: Kill): Promise<void> {
  const dead = inFlight.map(({ pageId, first }) => `${pageId}.${first}`);
  await waitUntil(
    async () => {
      const leased = await database.query(
        `select from claims k join pages p on p.id = k.page_id
         where p.warning_id = $1 and k.settled_at is null and not k.page_id || '.' || k.first = any($2)`,
        [warningId, dead],
      );
      return leased.length === 0 && (await database.query(SENDABLE, [warningId])).length === 0;
    },
    { deadlineMs: BACK_MS_MAX, what: `the rest of warning ${warningId} to be sent`, everyMs: 50 },
  );
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Something of the warning is under way, or will become due before its expiry, other than that what was received be done. */
const UNREST = `select from cells c where c.warning_id = $1 and (
    exists (select from inbox where cell_id = c.id) or exists (select from retries where cell_id = c.id)
    or exists (select from pages where cell_id = c.id and ended_at is null)
    or exists (select from unit_states s, json_object_keys(s.state->'timers') timer
      where s.cell_id = c.id and s.next_at is not null and timer <> 'doneBy'))
  or not exists (select from unit_states where warning_id = $1)`;

async function isAtRest(database: Database, warningId: number): Promise<boolean> {
  return (await database.query(UNREST, [warningId])).length === 0;
}

/** See `CrashSite.carryToTheEnd`. */
export async function carryToTheEnd(
  database: Database,
  warningId: number,
  deadlineMs = END_MS_MAX,
): Promise<WarningView> {
  await waitUntil(() => isAtRest(database, warningId), {
    deadlineMs,
    what: `warning ${warningId} to come to rest`,
    everyMs: 200,
  });
  await cancelWarning(database, warningId, 'the test is over');
  return waitUntil(
    async () => {
      const view = await viewWarning(database, warningId);
      return view.settled && view;
    },
    { deadlineMs, what: `warning ${warningId} to close`, everyMs: 100 },
  );
}

/** See `CrashSite.verdict`. */
export async function verdictOf(input: {
  database: Database;
  ledgerDirectory: string;
  warningId: number;
  what: string;
}): Promise<Verdict> {
  const { database, ledgerDirectory, warningId } = input;
  const { counts, wrongs } = await readTruth(database, ledgerDirectory, warningId);
  print(input.what, counts);
  const ledger = await readLedger(ledgerDirectory, { warningId: String(warningId) });
  const invariants = broken(await judge(database, warningId, ledger));
  return { counts, wrongs: invariants.length > 0 ? { ...wrongs, invariants } : wrongs };
}

/** Figures of a run are for whoever reads its output; no test depends on them. */
function print(what: string, said: string | object): void {
  process.stderr.write(`[crash] ${what}: ${typeof said === 'string' ? said : lineOf(said)}\n`);
}

// ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────

/** A supervised process is started again after this time: what arrives before was sent by the one that died. */
const DEAD_MS_LEAST = 400;

async function figures(
  database: Database,
  ledgerDirectory: string,
  warningId: number,
  { at, part, inFlight, backAt }: Kill,
): Promise<KillFigures> {
  const after = at + (part === 'worker' ? DEAD_MS_LEAST : 0);
  let first = Infinity;
  for await (const message of ledgerMessages(ledgerDirectory)) {
    if (message?.warningId !== String(warningId)) continue;
    const arrivedAt = Date.parse(message.at);
    if (arrivedAt > after) first = Math.min(first, arrivedAt);
  }
  const settled = await database.query<{ at: number; size: number }>(
    `select extract(epoch from k.settled_at)::float8 * 1000 as at, k.size
     from unnest($2::bigint[], $3::int[]) as f (page_id, first)
     join claims k using (page_id, first) join pages p on p.id = k.page_id where p.warning_id = $1`,
    [warningId, inFlight.map(({ pageId }) => pageId), inFlight.map((slice) => slice.first)],
  );
  return {
    backMs: backAt === null ? null : backAt - at,
    firstNewSendMs: first === Infinity ? null : first - at,
    inFlight: settled.reduce((sum, { size }) => sum + size, 0),
    deadSettledMs: settled.length === 0 ? null : Math.round(Math.max(...settled.map((row) => row.at)) - at),
  };
}

function lineOf(figures: object): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}
