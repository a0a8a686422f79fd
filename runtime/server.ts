// One server of ours as a process: found again, started, watched until it is ready, started again after a
// death, ended. PostgreSQL and Temporal each describe themselves as a plan; the steps are the same.
import { RuntimeError, errorText } from './errors.ts';
import {
  findByArgument,
  freePort,
  isAlive,
  isPortFree,
  logTail,
  pause,
  spawnDetached,
  stopProcess,
} from './processes.ts';
import type { Command, ProcessIdentity, StopStep } from './processes.ts';
import type { ServerRecord } from './state.ts';

/** What must be known of a server to run it. */
export type ServerPlan = {
  /** As a person calls it. */
  name: string;
  failure: 'postgres-failed' | 'temporal-failed';
  binary: string;
  version: string;
  /** An argument that only a server on this very data has: its data's path. */
  dataArgument: string;
  /** The option whose next argument is the port. */
  portOption: string;
  /** How many ports in a row it takes, beginning with its own. */
  portCount: number;
  /** An argument without which a running server is not what is wanted now, and is started again. */
  wantedArgument: string | null;
  logFile: string;
  command(port: number): Command;
  /** Throws while the server does not answer yet. */
  ready(port: number): Promise<void>;
  readyWithinMs: number;
  stopSteps: readonly StopStep[];
  /** Parts of the log that mean: this failure passes, try again. */
  passing: readonly RegExp[];
  /** What a person may do when it does not start. */
  advice: string;
};

/** A server that is ready. */
export type RunningServer = {
  readonly pid: number | null;
  readonly port: number;
  readonly adopted: boolean;
  alive: () => boolean;
  restart: () => Promise<void>;
  stop: () => Promise<void>;
};

type Memory = { recorded: ServerRecord | undefined; record(record: ServerRecord): void };

const startTriesMax = 4;

/**
 * Adopts the server that already runs on this data, or starts one. The port is the one remembered if it is free.
 * Every change is recorded before it happens, so that a later run finds what this one leaves behind.
 * @throws RuntimeError with the end of the server's log
 */
export async function runServer(
  plan: ServerPlan,
  memory: Memory,
  log: (line: string) => void,
): Promise<RunningServer> {
  let current = await adopt(plan, memory.recorded, log);
  const adopted = current !== null;
  const remember = (process: ProcessIdentity | null, port: number): void =>
    memory.record({ process, port, binary: plan.binary, version: plan.version });
  current ??= await startOnSomePort(plan, memory.recorded?.port, remember);
  const { port } = current;
  let identity = current.process;
  remember(identity, port);
  return {
    get pid() {
      return isAlive(identity) ? identity.pid : null;
    },
    port,
    adopted,
    alive: () => isAlive(identity),
    restart: async () => {
      await stopProcess(identity, plan.stopSteps, plan.name);
      identity = await startOn(plan, port, remember, { portMayChange: false });
      remember(identity, port);
    },
    stop: async () => {
      await stopProcess(identity, plan.stopSteps, plan.name);
      remember(null, port);
    },
  };
}

type Found = { process: ProcessIdentity; port: number };
type Running = Found & { command: string[] };

async function adopt(
  plan: ServerPlan,
  recorded: ServerRecord | undefined,
  log: (line: string) => void,
): Promise<Found | null> {
  const found = findRunning(plan, recorded);
  const [first, ...others] = found;
  if (first === undefined) return null;
  // Two on one set of data cannot happen by our steps; should it, the elder holds the data.
  for (const other of others) await stopProcess(other.process, plan.stopSteps, plan.name);
  if (plan.wantedArgument !== null && !first.command.includes(plan.wantedArgument)) {
    await stopProcess(first.process, plan.stopSteps, plan.name);
    return null;
  }
  try {
    await untilReady(plan, first.process, first.port);
    log(`${plan.name} ${plan.version} was still running (process ${first.process.pid}); taken over.`);
    return first;
  } catch {
    log(
      `${plan.name} was still running (process ${first.process.pid}) but does not answer; starting it again.`,
    );
    await stopProcess(first.process, plan.stopSteps, plan.name);
    return null;
  }
}

/** The servers that run on this data: the one written down, and any whose starter died before writing it down. */
export function findRunning(
  plan: Pick<ServerPlan, 'dataArgument' | 'portOption'>,
  recorded: ServerRecord | undefined,
): Running[] {
  const found: Running[] = [];
  for (const { pid, startedAt, command } of findByArgument(plan.dataArgument)) {
    const port = Number(command[command.indexOf(plan.portOption) + 1]);
    if (command.includes(plan.portOption) && port > 0)
      found.push({ process: { pid, startedAt }, port, command });
  }
  const known = recorded?.process;
  if (
    recorded !== undefined &&
    known &&
    isAlive(known) &&
    !found.some((one) => one.process.pid === known.pid)
  ) {
    // Only where the command line cannot be read back exactly (outside Linux, a path with spaces).
    if (process.platform !== 'linux') found.push({ process: known, port: recorded.port, command: [] });
  }
  return found;
}

type Remember = (process: ProcessIdentity | null, port: number) => void;

async function startOnSomePort(
  plan: ServerPlan,
  preferred: number | undefined,
  remember: Remember,
): Promise<Found> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort({ preferred: tries === 1 ? preferred : undefined, count: plan.portCount });
    try {
      return { process: await startOn(plan, port, remember, { portMayChange: true }), port };
    } catch (error) {
      if (!(error instanceof PortTaken) || tries === startTriesMax) throw error;
    }
  }
}

/** Another process took the port between our look and the server's bind. */
class PortTaken extends RuntimeError {}

const portTaken = /address already in use|could not bind/i;

async function startOn(
  plan: ServerPlan,
  port: number,
  remember: Remember,
  options: { portMayChange: boolean },
): Promise<ProcessIdentity> {
  const end = Date.now() + plan.readyWithinMs;
  for (;;) {
    remember(null, port);
    const process = await launch(plan, port);
    try {
      remember(process, port);
      await untilReady(plan, process, port);
      return process;
    } catch (error) {
      await stopProcess(process, plan.stopSteps, plan.name);
      if (error instanceof RuntimeError) throw error;
      const tail = logTail(plan.logFile);
      const taken = portTaken.test(tail) && !(await isPortFree(port));
      if (taken && options.portMayChange)
        throw new PortTaken(plan.failure, errorText(error), { cause: error });
      const passes = taken || plan.passing.some((pattern) => pattern.test(tail));
      if (!passes || Date.now() >= end) throw startFailure(plan, error, tail);
      await pause(100);
    }
  }
}

async function launch(plan: ServerPlan, port: number): Promise<ProcessIdentity> {
  try {
    return await spawnDetached({ ...plan.command(port), logFile: plan.logFile });
  } catch (error) {
    throw startFailure(plan, error, '');
  }
}

/** Ready means: it answers, and it is this process that does, still there after it has answered. */
async function untilReady(plan: ServerPlan, process: ProcessIdentity, port: number): Promise<void> {
  const end = Date.now() + plan.readyWithinMs;
  for (;;) {
    let last: unknown;
    if (!isAlive(process)) throw new Error(`${plan.name} ended while starting`);
    try {
      await plan.ready(port);
      if (isAlive(process)) return;
    } catch (error) {
      if (error instanceof RuntimeError) throw error;
      last = error;
    }
    if (Date.now() >= end) {
      throw new Error(
        `${plan.name} did not answer within ${plan.readyWithinMs / 1000} s (${errorText(last)})`,
      );
    }
    await pause(50);
  }
}

function startFailure(plan: ServerPlan, error: unknown, tail: string): RuntimeError {
  const quoted = tail === '' ? '' : `\nThe end of its log:\n${tail.replace(/^/gm, '  | ')}`;
  return new RuntimeError(
    plan.failure,
    `${plan.name} ${plan.version} could not be started: ${errorText(error)}. ${plan.advice} Log: ${plan.logFile}.${quoted}`,
    { cause: error },
  );
}
