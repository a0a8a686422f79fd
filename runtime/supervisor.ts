/**
 * Keeps a process of ours alive: starts it, waits until it is ready, starts it again when it dies, stops it in order.
 *
 * A process whose supervisor is gone ends by itself, because the channel between them closes. One that hangs does not: so who
 * was started is written down, and the next supervisor of the same data ends it, by its identity, before it starts another.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { RuntimeError } from './errors.ts';
import { giveWay } from '../give-way.ts';
import { identify, isAlive, logTail, pause, rotate, stopProcess, waitUntil } from './processes.ts';
import type { StopStep } from './processes.ts';

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
/** A process that dies is started again at once; one that goes on dying ever more rarely. */
const RESTART_AFTER_MS = 500;
const RESTART_AFTER_MS_MAX = 3_000;
/** Whoever lived so long has earned a quick restart. */
const STEADY_MS = 30_000;

/** What is left of a dead supervisor has been ending since that died; what does not is ended by force. */
const LEFTOVER_STOP: readonly StopStep[] = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

export type Supervised = {
  readonly name: string;
  readonly pid: number | null;
  /** How often it was started again after a death. */
  readonly restarts: number;
  /** What the process said of itself when it became ready. */
  readonly said: Record<string, unknown>;
  /** Resolves when the process is ready; rejects with the tail of its log where it ends before. */
  ready(): Promise<void>;
  stop(): Promise<void>;
};

/** Starts `file` with a channel by which it says that it is ready, and notices when we are gone. */
export function supervise(input: {
  name: string;
  file: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  logFile: string;
  /** Where it is written down who was started; `endLeftovers` reads it. */
  recordsDirectory: string;
  log: (line: string) => void;
  /** @default true */
  restart?: boolean;
  /** How long it may take to become ready. @default a minute */
  readyMsMost?: number;
  /** By how much it gives way to others, a nice value. @default like others */
  niceness?: number;
}): Supervised {
  let child: ChildProcess | null = null;
  let said: Record<string, unknown> | null = null;
  let ended: string | null = null;
  let stopping = false;
  let restarts = 0;
  let wasReady = false;
  let startedAt = 0;
  let again = RESTART_AFTER_MS / 2;

  function start(): void {
    rotate(input.logFile);
    const output = openSync(input.logFile, 'a', 0o600);
    said = null;
    ended = null;
    startedAt = Date.now();
    const started = fork(input.file, input.args, {
      env: input.env,
      // Its own session: Ctrl-C in the terminal reaches us alone, and we stop it in order.
      detached: true,
      execArgv: [],
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    child = started;
    if (started.pid !== undefined) {
      writeRecord(input.recordsDirectory, input.name, started.pid);
      if (input.niceness !== undefined) giveWay(started.pid, input.niceness);
    }
    started.on('message', (message: Record<string, unknown>) => {
      if (typeof message['tell'] === 'string') input.log(`${input.name}: ${message['tell']}`);
      if (message['ready'] !== true) return;
      said = message;
      wasReady = true;
    });
    // What could not be started has no exit to wait for; an error of one that runs is followed by its exit.
    started.on('error', (error) => {
      if (started.pid === undefined) onEnd(error.message);
    });
    started.on('exit', (code, signal) => onEnd(signal ?? `exit code ${code ?? 'unknown'}`));

    function onEnd(how: string): void {
      ended = how;
      child = null;
      // What never came up is a fault of its configuration: `ready` says so, and nothing is tried for ever.
      if (stopping || !wasReady || input.restart === false) return;
      again =
        Date.now() - startedAt > STEADY_MS ? RESTART_AFTER_MS : Math.min(again * 2, RESTART_AFTER_MS_MAX);
      restarts += 1;
      input.log(`${input.name} ended (${ended}); it is started again.`);
      void pause(again).then(() => {
        if (!stopping) start();
      });
    }
  }

  start();
  return {
    name: input.name,
    get pid() {
      return child?.pid ?? null;
    },
    get restarts() {
      return restarts;
    },
    get said() {
      return said ?? {};
    },
    async ready() {
      await waitUntil(
        () => {
          if (ended !== null && !wasReady) {
            throw new RuntimeError(
              'process-failed',
              `${input.name} ended (${ended}) before it was ready. Its log says:\n${logTail(input.logFile)}`,
            );
          }
          return said !== null;
        },
        {
          deadlineMs: input.readyMsMost ?? READY_MS_MAX,
          what: `${input.name} to become ready (log: ${input.logFile})`,
        },
      );
    },
    async stop() {
      stopping = true;
      const last = child;
      if (!last) return;
      last.kill('SIGTERM');
      const gone = await waitUntil(() => child === null, { deadlineMs: STOP_MS_MAX, what: input.name }).catch(
        () => false,
      );
      if (gone !== false) return;
      last.kill('SIGKILL');
      await waitUntil(() => child === null, { deadlineMs: STOP_MS_MAX, what: input.name });
    },
  };
}

const record = z.object({ pid: z.number(), startedAt: z.string() });

function writeRecord(directory: string, name: string, pid: number): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${name}.json`), JSON.stringify(identify(pid)));
}

/** Ends what an earlier supervisor of the same data left alive, and forgets it. Call it while the data are owned. */
export async function endLeftovers(
  directory: string,
  log: (line: string) => void,
  steps: readonly StopStep[] = LEFTOVER_STOP,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const files = readdirSync(directory).filter((file) => file.endsWith('.json'));
  await Promise.all(
    files.map(async (file) => {
      const path = join(directory, file);
      const name = file.slice(0, -'.json'.length);
      const left = readRecord(path);
      if (left !== null && isAlive(left)) {
        log(`${name} of an earlier run still lives (process ${left.pid}); it is ended.`);
        await stopProcess(left, steps, name);
      }
      rmSync(path, { force: true });
    }),
  );
}

function readRecord(path: string): z.infer<typeof record> | null {
  try {
    return record.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // Half written, or of a process that was gone before it could be looked at.
    return null;
  }
}
