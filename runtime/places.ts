// Where things live: shared binaries (cache) and, per clone and purpose, data. As root everything lies
// where the unprivileged account that runs PostgreSQL can read it, never under root's own 0700 home.
import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeError } from './errors.ts';
import type { Account } from './processes.ts';

/** What one clone runs servers for. Each purpose has servers, data and ports of its own. */
export type Instance = {
  purpose: string;
  /** The clone's real path. */
  root: string;
  /** Short hash of the clone's real path; tells clones apart on shared servers. */
  hash: string;
  /** Where the instance keeps all it has. */
  directory: string;
  /** Shared binaries, for all clones of this user. */
  cacheDirectory: string;
};

/** The clone this code lies in. */
export const cloneRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Whether servers must be handed to another account, because PostgreSQL refuses to run as root. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Where shared binaries lie: FENGHUO_CACHE_DIR, else the user's cache, else (root) /var/cache/fenghuo. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  if (filled(env.FENGHUO_CACHE_DIR)) return resolve(env.FENGHUO_CACHE_DIR);
  if (isRoot()) return '/var/cache/fenghuo';
  return join(filled(env.XDG_CACHE_HOME) ? env.XDG_CACHE_HOME : join(home(env), '.cache'), 'fenghuo');
}

/** Where the data of all instances lies: FENGHUO_DATA_DIR, else the user's, else (root) /var/lib/fenghuo. */
export function dataDirectory(env: NodeJS.ProcessEnv): string {
  if (filled(env.FENGHUO_DATA_DIR)) return resolve(env.FENGHUO_DATA_DIR);
  if (isRoot()) return '/var/lib/fenghuo';
  return join(filled(env.XDG_DATA_HOME) ? env.XDG_DATA_HOME : join(home(env), '.local', 'share'), 'fenghuo');
}

/** The instance of this clone and purpose. Creates nothing. Throws on a purpose that cannot be part of a name. */
export function instanceOf(input: { purpose: string; env: NodeJS.ProcessEnv; root?: string }): Instance {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(input.purpose)) {
    throw new RuntimeError(
      'bad-setting',
      `"${input.purpose}" cannot name a purpose: use 1 to 31 of a-z, 0-9 and "-", beginning with a letter.`,
    );
  }
  const root = realpathSync(input.root ?? cloneRoot);
  const hash = createHash('sha256').update(root).digest('hex').slice(0, 10);
  return {
    purpose: input.purpose,
    root,
    hash,
    directory: join(dataDirectory(input.env), `${hash}-${input.purpose}`),
    cacheDirectory: cacheDirectory(input.env),
  };
}

/**
 * Makes a directory and, as root, opens it for reading to the database's account whatever the umask says;
 * for anyone else it stays private.
 */
export function makeDirectory(directory: string): void {
  try {
    if (mkdirSync(directory, { recursive: true, mode: isRoot() ? 0o755 : 0o700 }) !== undefined && isRoot()) {
      chmodSync(directory, 0o755);
    }
  } catch (error) {
    throw new RuntimeError(
      'bad-setting',
      `The directory ${directory} cannot be made (${(error as NodeJS.ErrnoException).code}). ` +
        'Point FENGHUO_DATA_DIR and FENGHUO_CACHE_DIR at directories you may write to.',
      { cause: error },
    );
  }
}

/**
 * The account for the database when we are root, else null. The owner of existing data wins, so that data stays
 * readable when an account `postgres` appears later; then `postgres`, then `nobody`.
 */
export function databaseAccount(existingData?: string): Account | null {
  if (!isRoot()) return null;
  const accounts = readAccounts();
  const owner = existingData === undefined ? undefined : ownerOf(existingData);
  const account =
    (owner === undefined || owner.uid === 0
      ? undefined
      : (accounts.find((one) => one.uid === owner.uid) ?? { name: `uid ${owner.uid}`, ...owner })) ??
    accounts.find((one) => one.name === 'postgres') ??
    accounts.find((one) => one.name === 'nobody');
  if (account === undefined) {
    throw new RuntimeError(
      'no-postgres',
      'PostgreSQL refuses to run as root, and there is neither an account "postgres" nor "nobody" to run it under. ' +
        'Create one (useradd --system postgres), run this command as an ordinary user, or set DATABASE_URL to a server of yours.',
    );
  }
  return account;
}

function readAccounts(): Account[] {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .filter((fields) => fields.length >= 4)
      .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  } catch {
    return [];
  }
}

function ownerOf(path: string): { uid: number; gid: number } | undefined {
  try {
    const { uid, gid } = statSync(path);
    return { uid, gid };
  } catch {
    return undefined;
  }
}

/** The first folder on the way to `path` that others may not enter, or null. Access lists are not looked at. */
export function closedFolder(path: string, account: Account): string | null {
  const parts = path.split('/');
  for (let length = 1; length <= parts.length; length += 1) {
    const folder = parts.slice(0, length).join('/') || '/';
    try {
      const found = statSync(folder);
      const bits = found.uid === account.uid ? 0o100 : found.gid === account.gid ? 0o010 : 0o001;
      if (found.isDirectory() && (found.mode & bits) === 0) return folder;
    } catch {
      return null;
    }
  }
  return null;
}

/** The executables of this name on the PATH, in its order. */
export function onPath(name: string, env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .filter(isExecutable);
}

/** Whether this file can be run by us. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Whether a setting is given: an empty variable counts as absent. */
export function filled(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== '';
}

function home(env: NodeJS.ProcessEnv): string {
  return filled(env.HOME) ? env.HOME : homedir();
}
