/** Where the token of whoever is logged in lies: FENGHUO_TOKEN, or a file for its owner alone in the instance's directory. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withSecrets } from '../config.ts';
import { instanceOf } from '../runtime/places.ts';
import type { Environment } from './context.ts';

/** The token of this environment, else of the file; null where there is neither. */
export async function readToken(env: Environment): Promise<string | null> {
  const given = env['FENGHUO_TOKEN']?.trim();
  if (given !== undefined && given !== '') return given;
  try {
    return (await readFile(tokenFile(env), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Keeps a token for the commands to come; written whole or not at all. */
export async function keepToken(env: Environment, token: string): Promise<void> {
  const file = tokenFile(env);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${token}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Forgets the kept token. */
export async function forgetToken(env: Environment): Promise<void> {
  await rm(tokenFile(env), { force: true });
}

/** One for the installation of this clone, and one for each database that is named: a token is never shown to another. */
export function tokenFile(env: Environment): string {
  const given = withSecrets(env);
  const { directory } = instanceOf({ purpose: given['FENGHUO_INSTANCE'] ?? 'up', env: given });
  const url = given['DATABASE_URL'];
  if (url === undefined || !URL.canParse(url)) return join(directory, 'operator-token');
  const { host, pathname } = new URL(url);
  const where = `${host}${pathname} ${given['FENGHUO_SCHEMA'] ?? ''}`;
  return join(directory, `operator-token-${createHash('sha256').update(where).digest('hex').slice(0, 16)}`);
}
