/** The processes of one drill: stand-ins, web and worker, started and watched by whoever conducts it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { instanceOf } from '../runtime/places.ts';
import { endLeftovers, supervise, type Supervised } from '../runtime/supervisor.ts';
import type { Environment } from './context.ts';
import { drillEnvironment, type DrillEnvironmentInput } from './drill-environment.ts';
import {
  ENTRY,
  keptPort,
  readEnvironment,
  ROOM_IN_WEB,
  standInVariables,
  writeEnvironment,
} from './installation.ts';

/** A drill's processes run after those of the installation: live warnings come first. Nice value, 0 to 19. */
export const DRILL_NICENESS = 15;

/** The stand-ins of a city that goes on read a hundred megabytes of their ledger, in the last turn of a machine that is busy otherwise. */
const READY_MS_MOST = 300_000;

/** Where a drill keeps its ledger and its logs, and where it is written down who runs. */
export function drillDirectory(env: Environment, schema: string): string {
  const { directory } = instanceOf({ purpose: env['FENGHUO_INSTANCE'] ?? 'up', env });
  return join(directory, 'drills', schema);
}

/** Ends what a conductor that was killed left behind: two workers never serve one drill. */
export async function endOldProcesses(directory: string, log: (line: string) => void): Promise<void> {
  await endLeftovers(join(directory, 'processes'), log);
}

/** The environment of the drill's processes, with the ports of an earlier run: links that were sent lead to them. */
export async function readyEnvironment(
  directory: string,
  input: Omit<DrillEnvironmentInput, 'webPort' | 'standIns'>,
): Promise<Record<string, string>> {
  mkdirSync(join(directory, 'logs'), { recursive: true });
  const kept = readEnvironment(directory);
  const standIns = await standInVariables(kept, join(directory, 'ledger'));
  const webPort = await keptPort(kept['FENGHUO_PUBLIC_URL']);
  const environment = drillEnvironment({ ...input, webPort, standIns });
  writeEnvironment(directory, { ...standIns, FENGHUO_PUBLIC_URL: environment['FENGHUO_PUBLIC_URL'] ?? '' });
  return environment;
}

export type DrillProcesses = {
  /** Answers and sends. */
  serve(): Promise<void>;
  /** People who answer. */
  populate(variables: Record<string, string>): Promise<void>;
  /** Whether all that were started live. */
  whole(): boolean;
  stop(): Promise<void>;
};

/**
 * Nothing is started yet. `account`, where people agreed: the variables that name the account which reaches them. The worker sends by it
 * as well, and what those people answer comes to a web process of its own.
 */
export function drillProcesses(
  directory: string,
  environment: Record<string, string>,
  log: (line: string) => void,
  account: Record<string, string> | null = null,
): DrillProcesses {
  const started: Supervised[] = [];
  const run = (name: string, args: string[], extra: Record<string, string> = {}) => {
    const process = supervise({
      ...{ name, file: ENTRY, args, log },
      env: { ...environment, ...extra },
      logFile: join(directory, 'logs', `${name}.log`),
      recordsDirectory: join(directory, 'processes'),
      niceness: DRILL_NICENESS,
      readyMsMost: READY_MS_MOST,
      // Its conductor makes a gap of the time without it.
      restart: false,
    });
    started.push(process);
    return process;
  };
  return {
    serve: async () => {
      const all = [
        run('web', ['web', '--kind', 'exercise'], ROOM_IN_WEB),
        ...(account
          ? [
              run('web-people', ['web', '--kind', 'drill'], { ...ROOM_IN_WEB, ...account }),
              run('worker', ['worker', '--kind', 'drill'], account),
            ]
          : [run('worker', ['worker', '--kind', 'exercise'])]),
      ];
      await Promise.all(all.map((process) => process.ready()));
    },
    populate: (variables) => run('sandbox', ['sandbox'], variables).ready(),
    whole: () => started.every(({ pid }) => pid !== null),
    stop: async () => {
      // The worker first: it hands nothing to stand-ins that are gone.
      const isWorker = ({ name }: Supervised) => name === 'worker';
      const ends = [
        ...(await stopAll(started.filter(isWorker))),
        ...(await stopAll(started.filter((process) => !isWorker(process)))),
      ];
      // One that does not end keeps none of the others.
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason as Error;
    },
  };
}

function stopAll(processes: readonly Supervised[]): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled(processes.map((process) => process.stop()));
}
