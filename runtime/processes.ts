// Processes as the operating system sees them: who is who, who still lives, how to start one that
// outlives a Ctrl-C in our terminal and how to end one. Nothing here knows PostgreSQL or Temporal.
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { RuntimeError, errorText } from './errors.ts';

/** A process for good: a pid alone is reused, a pid with its start time is not. */
export type ProcessIdentity = { pid: number; startedAt: string };

/** The account a server runs under, when it is not ours. */
export type Account = { name: string; uid: number; gid: number };

/**
 * The identity of a living process, or null if there is none. A zombie counts as dead: in a
 * container whose first process reaps nobody, killed orphans stay zombies for ever.
 */
export function identify(pid: number): ProcessIdentity | null {
  const startedAt = process.platform === 'linux' ? startedAtByProc(pid) : startedAtByPs(pid);
  return startedAt === null ? null : { pid, startedAt };
}

/** Whether this very process, not a later one with the same pid, still lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startedAt === identity.startedAt;
}

/** The identity of the process that runs this code. */
export function ownIdentity(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, startedAt: 'unknown' };
}

function startedAtByProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in brackets and may itself hold brackets and spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    const startTicks = fields[19];
    if (state === undefined || startTicks === undefined || state === 'Z' || state === 'X') return null;
    // Ticks count from boot, so the same pid and ticks can come back after a restart of the machine.
    return `${bootId()}:${startTicks}`;
  } catch {
    return null;
  }
}

let knownBootId: string | undefined;
function bootId(): string {
  try {
    knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 8);
  } catch {
    knownBootId = 'boot';
  }
  return knownBootId;
}

function startedAtByPs(pid: number): string | null {
  const shown = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' });
  const line = (shown.stdout ?? '').trim();
  if (line === '' || line.startsWith('Z')) return null;
  return line.replace(/^\S+\s+/, '');
}

/**
 * The living processes that were started with exactly this argument, with all their arguments. Finds a server
 * whose starter was killed before it could write down the pid. A child that still bears its parent's command line
 * (a PostgreSQL backend in its first instant) is left out.
 */
export function findByArgument(argument: string): (ProcessIdentity & { command: string[] })[] {
  const found: (ProcessIdentity & { command: string[] })[] = [];
  for (const { pid, command } of commandLines()) {
    if (!command.includes(argument)) continue;
    const identity = identify(pid);
    if (identity !== null) found.push({ ...identity, command });
  }
  const pids = new Set(found.map(({ pid }) => pid));
  return found.filter(({ pid }) => !pids.has(parentOf(pid)));
}

function parentOf(pid: number): number {
  if (process.platform !== 'linux') {
    return Number(spawnSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }).stdout);
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

function commandLines(): { pid: number; command: string[] }[] {
  if (process.platform !== 'linux') {
    const shown = spawnSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8' });
    return (shown.stdout ?? '').split('\n').map((line) => {
      const [pid, ...command] = line.trim().split(/\s+/);
      return { pid: Number(pid), command };
    });
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return { pid: Number(name), command: readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') };
      } catch {
        return { pid: Number(name), command: [] };
      }
    });
}

// Below the range from which the kernel takes the near ends of outgoing connections (Linux 32768+, macOS
// 49152+): a server that is restarted must get its own port back, and no client may sit on it meanwhile.
const portMin = 20_000;
const portMax = 32_000;
const portTriesMax = 50;

/**
 * A TCP port on 127.0.0.1 that is free, with the `count` - 1 ports after it; `preferred` if that holds for it.
 * Nothing is reserved: the caller must bind soon.
 */
export async function freePort(
  wanted: { preferred?: number | undefined; count?: number } = {},
): Promise<number> {
  const count = wanted.count ?? 1;
  for (let tries = 0; tries < portTriesMax; tries += 1) {
    const port =
      tries === 0 && wanted.preferred !== undefined ? wanted.preferred : randomInt(portMin, portMax);
    const free = await Promise.all(
      Array.from({ length: count }, async (_, offset) => isPortFree(port + offset)),
    );
    if (free.every(Boolean)) return port;
  }
  throw new RuntimeError(
    'deadline-passed',
    `No free port was found between ${portMin} and ${portMax} in ${portTriesMax} tries. Close what holds them and try again.`,
  );
}

/** Whether a server could listen on this port of 127.0.0.1 now. */
export async function isPortFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A pause; only for polling a condition, never in place of one. */
export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Polls until `condition` gives something other than false, null or undefined, and returns that. What it
 * throws counts as "not yet" unless it is a RuntimeError, and the last such text is quoted when the deadline passes.
 */
export async function waitUntil<T>(
  condition: () => Promise<T | false | null | undefined> | T | false | null | undefined,
  options: { deadlineMs: number; what: string; everyMs?: number },
): Promise<T> {
  const end = Date.now() + options.deadlineMs;
  let last = '';
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) return value;
    } catch (error) {
      if (error instanceof RuntimeError) throw error;
      last = ` (last: ${errorText(error)})`;
    }
    if (Date.now() >= end) {
      const seconds = Math.round(options.deadlineMs / 1000);
      throw new RuntimeError('deadline-passed', `Waited ${seconds} s in vain for ${options.what}${last}.`);
    }
    await pause(options.everyMs ?? 50);
  }
}

/** How to start a program. `account` null: as ourselves. */
export type Command = {
  file: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  account: Account | null;
};

const logBytesMax = 8 * 1024 * 1024;

/**
 * Starts a program in a session of its own, so that a Ctrl-C in our terminal does not reach it before our
 * orderly stop, with its output appended to `logFile`. It does not keep our event loop alive.
 */
export async function spawnDetached(input: Command & { logFile: string }): Promise<ProcessIdentity> {
  rotate(input.logFile);
  const output = openSync(input.logFile, 'a', 0o600);
  try {
    const child = spawn(input.file, input.args, {
      cwd: input.cwd,
      env: input.env,
      detached: true,
      stdio: ['ignore', output, output],
      ...(input.account === null ? {} : { uid: input.account.uid, gid: input.account.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid as number;
    return identify(pid) ?? { pid, startedAt: 'gone' };
  } finally {
    closeSync(output);
  }
}

/** Puts a log that has grown large aside, in place of the one put aside before. */
export function rotate(logFile: string): void {
  try {
    if (statSync(logFile).size > logBytesMax) renameSync(logFile, `${logFile}.old`);
  } catch {
    // No log yet.
  }
}

/** The last lines of a log, for quoting in an error; empty if there is none. */
export function logTail(logFile: string, linesMax = 12): string {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-linesMax).join('\n').slice(-3000);
  } catch {
    return '';
  }
}

/** What a short program printed. `code` is null if it could not run or was stopped by the time limit. */
export type Ran = { code: number | null; stdout: string; stderr: string };

const outputCharactersMax = 20_000;

/** Runs a short program to its end, or kills it after `timeoutMs`. Never throws. */
export async function run(input: Command & { timeoutMs: number }): Promise<Ran> {
  return await new Promise((resolve) => {
    const ran: Ran = { code: null, stdout: '', stderr: '' };
    const child = spawn(input.file, input.args, {
      cwd: input.cwd,
      env: input.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: input.timeoutMs,
      killSignal: 'SIGKILL',
      ...(input.account === null ? {} : { uid: input.account.uid, gid: input.account.gid }),
    });
    child.stdout.on(
      'data',
      (part: Buffer) => (ran.stdout = (ran.stdout + part.toString()).slice(-outputCharactersMax)),
    );
    child.stderr.on(
      'data',
      (part: Buffer) => (ran.stderr = (ran.stderr + part.toString()).slice(-outputCharactersMax)),
    );
    child.once('error', (error) => resolve({ ...ran, stderr: error.message }));
    child.once('close', (code) => resolve({ ...ran, code }));
  });
}

/** One step of ending a process: the signal, and how long to wait before the next. */
export type StopStep = { signal: NodeJS.Signals; waitMs: number };

/** Ends a process by ever stronger signals. Returns once it is gone; says nothing if it already was. */
export async function stopProcess(
  identity: ProcessIdentity,
  steps: readonly StopStep[],
  what: string,
): Promise<void> {
  for (const [index, step] of steps.entries()) {
    if (!isAlive(identity)) return;
    try {
      process.kill(identity.pid, step.signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    try {
      await waitUntil(() => !isAlive(identity), {
        deadlineMs: step.waitMs,
        what: `${what} to stop`,
        everyMs: 20,
      });
      return;
    } catch (error) {
      if (index === steps.length - 1) throw error;
    }
  }
}
