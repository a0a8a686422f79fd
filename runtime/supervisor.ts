/** Keeps a process of ours alive: starts it, waits until it is ready, starts it again when it dies, stops it in order. */
import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { RuntimeError } from './errors.ts';
import { logTail, pause, waitUntil } from './processes.ts';

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
/** A process that dies is started again at once; one that goes on dying ever more rarely. */
const RESTART_AFTER_MS = 500;
const RESTART_AFTER_MS_MAX = 3_000;
/** Whoever lived so long has earned a quick restart. */
const STEADY_MS = 30_000;

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
  log: (line: string) => void;
  /** @default true */
  restart?: boolean;
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
    started.on('message', (message: Record<string, unknown>) => {
      if (message['ready'] !== true) return;
      said = message;
      wasReady = true;
    });
    started.on('error', () => undefined);
    started.on('exit', (code, signal) => {
      ended = signal ?? `exit code ${code ?? 'unknown'}`;
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
    });
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
        { deadlineMs: READY_MS_MAX, what: `${input.name} to become ready (log: ${input.logFile})` },
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
      if (gone === false) last.kill('SIGKILL');
    },
  };
}
