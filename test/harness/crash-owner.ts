/** An installation that belongs to another process, which may be killed; and what a kill leaves running. */
import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { identify, isAlive, waitUntil, type ProcessIdentity } from '../../runtime/processes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ENTRY = fileURLToPath(new URL('../../cli/fenghuo.mjs', import.meta.url));
const READY_MS_MAX = 90_000;
const DIE_MS_MAX = 5_000;

export type Owner = {
  readonly pid: number;
  /** What it said so far, on both streams. */
  said(): string;
  /** Resolves when the command says that it is ready; only those that serve do. */
  ready(): Promise<void>;
  /** The processes it has started and that live. */
  children(): ProcessIdentity[];
  /** kill -9; returns once it is gone. Safe to call twice. */
  kill(): Promise<void>;
};

/** Runs a command of ours in a process of its own, like `up --sandbox`. */
export function startOwner(args: string[], env: NodeJS.ProcessEnv): Owner {
  const child = fork(ENTRY, args, { env, execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let text = '';
  let isReady = false;
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (part: Buffer) => (text += part.toString()));
  child.on('message', (message: Record<string, unknown>) => (isReady ||= message['ready'] === true));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    pid: child.pid ?? 0,
    said: () => text,
    ready: async () => {
      const started = () => {
        if (child.exitCode !== null) throw new Error(`it ended:\n${text}`);
        return isReady;
      };
      await waitUntil(started, { deadlineMs: READY_MS_MAX, what: `${args.join(' ')} to be ready` });
    },
    children: () => childrenOf(child),
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function childrenOf({ pid }: ChildProcess): ProcessIdentity[] {
  return processes('pid=,ppid=')
    .filter(([, parent]) => Number(parent) === pid)
    .flatMap(([child]) => identify(Number(child)) ?? []);
}

/** What runs on data in this directory: servers bear it in their arguments. */
export function serversIn(directory: string): ProcessIdentity[] {
  return processes('pid=,args=')
    .filter(([, ...words]) => words.some((word) => word.startsWith(directory)))
    .flatMap(([pid]) => identify(Number(pid)) ?? []);
}

function processes(columns: string): string[][] {
  const shown = spawnSync('ps', ['-axww', '-o', columns], { encoding: 'utf8', maxBuffer: 1 << 24 });
  return shown.stdout.split('\n').map((line) => line.trim().split(/\s+/));
}

/** Ends by -9 what is left; for the end of a test that failed. */
export async function killAll(processes: readonly ProcessIdentity[]): Promise<void> {
  for (const one of processes) if (isAlive(one)) process.kill(one.pid, 'SIGKILL');
  await waitUntil(() => !processes.some(isAlive), { deadlineMs: DIE_MS_MAX, what: 'the rest to die' });
}

export type Ran = { code: number | null; stdout: string; stderr: string };

/** `npm run --silent demo -- --json` in a clone, to its end. */
export function runDemo(env: NodeJS.ProcessEnv, clone: string = ROOT): Promise<Ran> {
  const child = spawn('npm', ['run', '--silent', 'demo', '--', '--json'], { cwd: clone, env });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (part: Buffer) => (ran.stdout += part.toString()));
  child.stderr.on('data', (part: Buffer) => (ran.stderr += part.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...ran, code })));
}
