// Temporal as in production: one server process whose tables lie in two databases of a PostgreSQL, beside ours. The dev
// server keeps a file of its own; durability and scale are measured on this one.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cloneRoot } from './places.ts';
import { ensureNamespace, ownNamespace } from './temporal.ts';
import { plugin, storeOf } from './temporal-databases.ts';
import type { Instance } from './places.ts';
import type { ServerPlan } from './server.ts';
import type { Store } from './temporal-databases.ts';
import type { TemporalServerPrograms } from './temporal-server-binary.ts';

/** Fixed for ever with the first start. 16 to 64 are advised for two cores; a city has some 40 cells. */
const historyShards = 32;

/** The same file as in containers. */
const limitsFile = join(cloneRoot, 'deploy/temporal-limits.yaml');

/** Ports in a row, beginning with the one that clients connect to. */
const ports = [
  'FRONTEND_GRPC_PORT',
  'FRONTEND_HTTP_PORT',
  'FRONTEND_MEMBERSHIP_PORT',
  'HISTORY_GRPC_PORT',
  'HISTORY_MEMBERSHIP_PORT',
  'MATCHING_GRPC_PORT',
  'MATCHING_MEMBERSHIP_PORT',
  'WORKER_GRPC_PORT',
  'WORKER_MEMBERSHIP_PORT',
];

/** How to run the server of an instance on the PostgreSQL of `url`. */
export function temporalOnPostgresPlan(input: {
  instance: Instance;
  programs: TemporalServerPrograms;
  url: string;
}): ServerPlan {
  const { instance, programs } = input;
  const directory = join(instance.directory, `temporal-on-postgres-${programs.version}`);
  const store = storeOf(input.url);
  return {
    name: 'Temporal on PostgreSQL',
    failure: 'temporal-failed',
    binary: programs.server,
    version: programs.version,
    dataArgument: directory,
    portOption: '--root',
    portCount: ports.length,
    wantedArgument: null,
    logFile: `${directory}.log`,
    command: (port) => {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      return {
        file: programs.server,
        // Configured by its environment, the server reads no --root: they say on which port and data this process is.
        args: ['--root', String(port), '--root', directory, '--allow-no-auth', 'start'],
        cwd: directory,
        env: { PATH: '/usr/bin:/bin', HOME: directory, LC_ALL: 'C', ...configuration(port, store) },
        account: null,
      };
    },
    ready: async (port) => ensureNamespace({ address: `127.0.0.1:${port}` }, ownNamespace(instance)),
    readyWithinMs: 90_000,
    stopSteps: [
      { signal: 'SIGTERM', waitMs: 15_000 },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ],
    passing: [],
    advice: 'Set TEMPORAL_ADDRESS to a server of yours to do without it.',
  };
}

/** The variables that the official image is configured by too: the template for them is part of the server. */
function configuration(port: number, store: Store): Record<string, string> {
  return {
    DB: plugin,
    POSTGRES_SEEDS: store.host,
    DB_PORT: store.port,
    POSTGRES_USER: store.user,
    POSTGRES_PWD: store.password,
    DBNAME: store.databases.main,
    VISIBILITY_DBNAME: store.databases.visibility,
    NUM_HISTORY_SHARDS: String(historyShards),
    BIND_ON_IP: '127.0.0.1',
    TEMPORAL_BROADCAST_ADDRESS: '127.0.0.1',
    DYNAMIC_CONFIG_FILE_PATH: limitsFile,
    LOG_LEVEL: 'error',
    ...Object.fromEntries(ports.map((name, offset) => [name, String(port + offset)])),
  };
}
