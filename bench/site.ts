/**
 * Where a bench measures: servers, worker, web and stand-ins of its own, as `fenghuo up --sandbox` starts them, in a schema
 * that nobody used before. What the far side took is read from the stand-ins' own ledger, never from the engine's tables.
 */
import { rm } from 'node:fs/promises';
import { request } from 'undici';
import { startInstallation, type Installation } from '../cli/installation.ts';
import { openDatabase, type Database } from '../db/database.ts';
import type { Channel } from '../domain/rules.ts';
import { judge } from '../operations/referee.ts';
import { waitUntil } from '../runtime/processes.ts';
import type { Pace } from '../sandbox/faults.ts';
import { readLedger, type LedgerSummary } from '../sandbox/ledger.ts';
import type { PeopleModel } from '../sandbox/people.ts';
import type { BenchContext, TemporalServer, Verdict } from './bench.ts';
import { cpuSeconds } from './cpu.ts';

/** A model under which nobody answers: where only sending is measured. */
export const NOBODY_ANSWERS: Partial<PeopleModel> = { neverAnswersShare: 1, householdAnswersShare: 0 };

const LOOK_EVERY_MS = 25;

export type Site = {
  server: TemporalServer;
  installation: Installation;
  database: Database;
  /** Waits until the far side has so many messages of a warning; `warning` is its number, or a rival's own word. */
  untilTaken(input: {
    warning: string;
    channel: Channel;
    messages: number;
    deadlineMs: number;
  }): Promise<void>;
  ledger(warning: string): Promise<LedgerSummary>;
  /** CPU seconds since their start of the parts of this site, and of what else is named. */
  cpu(more?: Record<string, number | null>): Promise<Record<string, number>>;
  /** From now on the gateway is as fast as this, or as it can be. */
  pace(pace: Pace | null): Promise<void>;
  /** Stops the stand-ins: nobody answers any more, so that ledger and tables stand still. */
  hush(): Promise<void>;
  /** The referee's word on a warning. Where people answer, `hush` first: an answer under way would look like nobody's. */
  judge(warningId: number): Promise<Verdict>;
  /** Stops everything and removes its data. */
  stop(): Promise<void>;
};

/** Starts a site. Its data lies where that of every installation lies, so that the disk is the one production would use. */
export async function startSite(
  context: Pick<BenchContext, 'say' | 'noteVersion'>,
  input: {
    name: string;
    server: TemporalServer;
    /** What is left out is as in USUAL_PEOPLE. */
    people?: Partial<PeopleModel>;
    /** @default 1 */
    workers?: number;
    /** Faults, seed and whatever else the stand-ins take. */
    sandboxEnvironment?: Record<string, string>;
  },
): Promise<Site> {
  const schema = `bench_${Date.now().toString(36)}`;
  const installation = await startInstallation({
    purpose: `bench-${input.name}-${input.server}`,
    sandbox: true,
    log: context.say,
    schema,
    temporal: input.server,
    workers: input.workers ?? 1,
    sandboxEnvironment: {
      ...(input.people ? { FENGHUO_SANDBOX_MODEL: JSON.stringify(input.people) } : {}),
      ...input.sandboxEnvironment,
    },
  });
  const { environment, services, ledgerDirectory } = installation;
  const { postgres, temporal } = services;
  context.noteVersion('PostgreSQL', postgres.version);
  context.noteVersion(`Temporal server (${temporal.store})`, temporal.version);
  const database = openDatabase({ url: postgres.url, schema, statementTimeoutMs: 120_000, asOwner: true });
  const ledger = (warning: string) => readLedger(ledgerDirectory, { warningId: warning });
  return {
    server: input.server,
    installation,
    database,
    ledger,
    untilTaken: async ({ warning, channel, messages, deadlineMs }) => {
      const url = `${environment['FENGHUO_GATEWAY_URL'] ?? ''}/ledger/stats?warning=${warning}`;
      await waitUntil(
        async () => {
          const answer = await request(url);
          const counts = (await answer.body.json()) as { messages: Record<Channel, number> };
          return counts.messages[channel] >= messages;
        },
        { deadlineMs, what: `${messages} messages of ${warning} at the far side`, everyMs: LOOK_EVERY_MS },
      );
    },
    cpu: (more = {}) => {
      const { workers, web, sandbox } = installation;
      return cpuSeconds({
        ...Object.fromEntries(workers.map(({ name, pid }) => [name, pid])),
        postgres: postgres.pid,
        temporal: temporal.pid,
        web: web.pid,
        farSide: sandbox?.pid ?? null,
        ...more,
      });
    },
    pace: async (pace) => {
      const answer = await request(`${environment['FENGHUO_GATEWAY_URL'] ?? ''}/faults`, {
        method: 'PUT',
        body: JSON.stringify(pace ? { sms: { pace } } : {}),
      });
      await answer.body.dump();
      if (answer.statusCode !== 200)
        throw new Error(`the gateway did not take the pace: ${answer.statusCode}`);
    },
    hush: async () => installation.sandbox?.stop(),
    judge: async (warningId) => {
      const invariants = await judge(database, warningId, await ledger(String(warningId)));
      return {
        warning: `W${warningId}`,
        server: input.server,
        judged: invariants.map((invariant) => invariant.number),
        broken: invariants.filter((invariant) => !invariant.holds),
      };
    },
    stop: async () => {
      await database.close();
      await installation.stop();
      await rm(services.dataDirectory, { recursive: true, force: true });
    },
  };
}

/** What decides about durability and speed of this PostgreSQL, as the server itself says it. */
export async function databaseSettings(database: Database): Promise<Record<string, string>> {
  const rows = await database.query<{ name: string; setting: string }>(
    `select name, current_setting(name) as setting from pg_settings
     where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_connections') order by name`,
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}
