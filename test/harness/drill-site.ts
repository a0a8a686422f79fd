/** Drills as somebody at a terminal runs them, each command in a process of its own, beside an installation with the small tree. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import { ENTRY } from '../../cli/installation.ts';
import { openDatabase, type Database } from '../../db/database.ts';
import { dropDrillSchema } from '../../db/drill-schema.ts';
import { judge, type Invariant } from '../../operations/referee.ts';
import { RuntimeError } from '../../runtime/errors.ts';
import { isAlive, waitUntil, type ProcessIdentity } from '../../runtime/processes.ts';
import { readLedger, type LedgerSummary } from '../../sandbox/ledger.ts';
import { testDatabase } from '../database.ts';
import { plantSmallTree, type SmallTree } from './small-tree.ts';
import { broken } from './stack.ts';

export type Ran = { code: number | null; stdout: string; stderr: string };
export type Command = {
  child: ChildProcess;
  done: Promise<Ran>;
  /** What it has written to stderr so far. */
  said(): string;
  kill(): Promise<void>;
};
/** A drill in the register. */
export type Row = { id: string; status: string; schema: string | null };

export type DrillSite = {
  live: Database;
  tree: SmallTree;
  directory: string;
  /** Writes a scenario; gives its path. */
  scenario(name: string, story: string): Promise<string>;
  /** A command of `drill`. */
  drill: (...words: string[]) => Command;
  /** The same with other variables. */
  drillWith(variables: NodeJS.ProcessEnv, ...words: string[]): Command;
  /** Waits for its end, and expects this exit code. */
  done(command: Command, code?: number): Promise<Ran>;
  /** The newest drill of this seed: each test has its own. */
  rowOf(seed: number): Promise<Row | null>;
  /** The drill that a command conducts. */
  rowOfCommand(command: Command): Promise<Row>;
  until(seed: number, what: string, condition: (row: Row) => Promise<boolean> | boolean): Promise<Row>;
  /** Messages handed off so far. */
  told(row: Row): Promise<number>;
  /** Where a drill keeps its ledger and writes down its processes. */
  placeOf(row: Row): Promise<string>;
  /** By their names. */
  processesOf(row: Row): Promise<Map<string, ProcessIdentity>>;
  alive(row: Row): Promise<ProcessIdentity[]>;
  ledgerOf(row: Row, warningId?: number): Promise<LedgerSummary>;
  /** What the referee finds broken in any warning of a drill. */
  wrongs(row: Row): Promise<Invariant[]>;
  close(): Promise<void>;
};

const DEADLINE_MS = 60_000;

/** `name` is the test file's; `variables` are what its installation has beside the usual ones. */
export async function openDrillSite(name: string, variables: NodeJS.ProcessEnv = {}): Promise<DrillSite> {
  const live = await testDatabase(name);
  const tree = await plantSmallTree(live);
  const directory = await mkdtemp(join(tmpdir(), `fenghuo-${name}-`));
  const environment = {
    ...process.env,
    FENGHUO_SCHEMA: live.schema,
    FENGHUO_DATA_DIR: directory,
    LANG: 'C.UTF-8',
    ...variables,
  };
  const commands: Command[] = [];

  function drillWith(more: NodeJS.ProcessEnv, ...words: string[]): Command {
    const child = fork(ENTRY, ['drill', ...words], {
      ...{ env: { ...environment, ...more }, execArgv: [] },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const ran: Ran = { code: null, stdout: '', stderr: '' };
    child.stdout?.on('data', (part: Buffer) => (ran.stdout += part.toString()));
    child.stderr?.on('data', (part: Buffer) => (ran.stderr += part.toString()));
    const done = new Promise<Ran>((resolve) => child.once('close', (code) => resolve({ ...ran, code })));
    const kill = async () => {
      child.kill('SIGKILL');
      await done;
    };
    const command = { child, done, kill, said: () => ran.stderr };
    commands.push(command);
    return command;
  }

  async function rowOf(seed: number): Promise<Row | null> {
    const [row] = await live.query<Row>(
      `select 'DR' || id as id, status, schema_name as schema from drills where seed = $1 order by id desc limit 1`,
      [seed],
    );
    return row ?? null;
  }

  async function rowOfCommand(command: Command): Promise<Row> {
    return waitUntil(
      async () => {
        if (command.child.exitCode !== null)
          throw new RuntimeError('process-failed', `no drill began: ${command.said()}`);
        const drillId = /\bDR(\d+)/.exec(command.said())?.[1];
        const [row] = await live.query<Row>(
          `select 'DR' || id as id, status, schema_name as schema from drills where id = $1 and started_at is not null`,
          [drillId ?? 0],
        );
        return row ?? null;
      },
      { deadlineMs: DEADLINE_MS, what: 'a drill to begin' },
    );
  }

  async function placeOf({ schema }: Row): Promise<string> {
    const [instance = ''] = (await readdir(directory)).filter((entry) => entry.endsWith('-up'));
    return join(directory, instance, 'drills', schema ?? '');
  }

  async function processesOf(row: Row): Promise<Map<string, ProcessIdentity>> {
    const place = join(await placeOf(row), 'processes');
    const files = await readdir(place);
    const records = await Promise.all(files.map((file) => readFile(join(place, file), 'utf8')));
    return new Map(
      records.map((record, at) => [
        basename(files[at] ?? '', '.json'),
        JSON.parse(record) as ProcessIdentity,
      ]),
    );
  }

  async function ledgerOf(row: Row, warningId?: number): Promise<LedgerSummary> {
    const only = warningId === undefined ? {} : { warningId: String(warningId) };
    return readLedger(join(await placeOf(row), 'ledger'), only);
  }

  return {
    ...{ live, tree, directory, drillWith, rowOf, rowOfCommand, placeOf, processesOf, ledgerOf },
    drill: (...words) => drillWith({}, ...words),
    async scenario(file, story) {
      const path = join(directory, file);
      await writeFile(path, story);
      return path;
    },
    async done(command, code = 0) {
      const ran = await command.done;
      expect(`${ran.code} ${ran.code === code ? '' : ran.stderr}`).toBe(`${code} `);
      return ran;
    },
    async until(seed, what, condition) {
      return waitUntil(
        async () => {
          const row = await rowOf(seed);
          return row && (await condition(row)) ? row : null;
        },
        { deadlineMs: DEADLINE_MS, what: `the drill of seed ${seed}: ${what}` },
      );
    },
    async told({ schema }) {
      if (schema === null) return 0;
      const [row] = await live
        .query<{ told: number }>(
          `select count(*)::int as told from ${schema}.deliveries where outcome = 'handed off'`,
        )
        .catch(() => []);
      return row?.told ?? 0;
    },
    alive: async (row) => [...(await processesOf(row)).values()].filter(isAlive),
    async wrongs(row) {
      const own = openDatabase({
        url: process.env['DATABASE_URL'] ?? '',
        schema: row.schema ?? '',
        asOwner: true,
      });
      try {
        const warnings = await own.query<{ id: number }>('select id from warnings');
        const found = [];
        for (const { id } of warnings) found.push(...broken(await judge(own, id, await ledgerOf(row, id))));
        return found;
      } finally {
        await own.close();
      }
    },
    async close() {
      for (const command of commands) await command.kill();
      const left = await live.query<{ name: string }>(
        'select schema_name as name from drills where schema_name is not null',
      );
      for (const { name: schema } of left) await dropDrillSchema(live, schema);
      await live.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
