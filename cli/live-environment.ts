/**
 * Where live senders are configured: a file apart (FENGHUO_LIVE_ENV_FILE), which only processes that serve actual warnings ever read.
 * Whoever serves Exercises is given neither the file nor anything that stands in it. In another one (FENGHUO_DRILL_ENV_FILE) stands the
 * account by which drills reach people who agreed; only processes of such a drill read it.
 */
import { readFileSync, statSync } from 'node:fs';
import { SENDER_ADDRESSES, SENDER_CREDENTIALS, SENDER_RATES, VARIABLES_OF_KIND } from '../config.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { Environment } from './context.ts';

type Variables = Record<string, string>;

/** A file of senders: the variable that names it, and what its FENGHUO_CHANNELS is. */
type SenderFile = { variable: string; channels: 'live' | 'drill'; code: string; whose: string };

/** Which file it is. */
export const LIVE_FILE = 'FENGHUO_LIVE_ENV_FILE';
export const DRILL_FILE = 'FENGHUO_DRILL_ENV_FILE';

const LIVE: SenderFile = {
  ...{ variable: LIVE_FILE, channels: 'live', code: 'live-file' },
  whose: 'the live senders',
};
const DRILL: SenderFile = {
  ...{ variable: DRILL_FILE, channels: 'drill', code: 'drill-file' },
  whose: 'the senders of drills',
};

/** What stands in the file that this environment names; null where it names none. Every fault of the file is named by its line. */
export function readLiveFile(env: Environment): Variables | null {
  return readSenderFile(env, LIVE);
}

/** The same of the senders of drills, which need an address of ours that leads to people. */
export function readDrillFile(env: Environment): Variables | null {
  const found = readSenderFile(env, DRILL);
  const missing = ['FENGHUO_PUBLIC_URL', 'FENGHUO_WEB_PORT'].filter((name) => found?.[name] === undefined);
  if (found === null || missing.length === 0) return found;
  throw refused(
    'The links in its messages lead to a web process of its own: say where it is reached, and its port here.',
    missing,
    DRILL,
  );
}

function readSenderFile(env: Environment, file: SenderFile): Variables | null {
  const path = env[file.variable];
  if (path === undefined || path === '') return null;
  const text = readForOwnerOnly(path, file);
  const found: Variables = {};
  const faults: string[] = [];
  text.split('\n').forEach((line, place) => {
    if (/^\s*(#|$)/.test(line)) return;
    const [, name = '', value = ''] = /^\s*([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    const fault = faultOf(name, found);
    if (fault === null) found[name] = unquoted(value.trim());
    else faults.push(`${path}:${place + 1}: ${fault}`);
  });
  if (found['FENGHUO_CHANNELS'] !== undefined && found['FENGHUO_CHANNELS'] !== file.channels)
    faults.push(`${path}: FENGHUO_CHANNELS is ${file.channels} here, or left out`);
  if (faults.length > 0) throw refused('What stands in it cannot be used:', faults, file);
  return found;
}

function faultOf(name: string, found: Variables): string | null {
  if (name === '') return 'is no line like NAME=value';
  if (!VARIABLES_OF_KIND.includes(name)) return `${name} is not for this file: it is the same for both kinds`;
  return name in found ? `${name} stands there twice` : null;
}

/** It holds what reaches the public: whoever else could read it, could warn a city. */
function readForOwnerOnly(path: string, file: SenderFile): string {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0)
      throw refused(
        `Others may read it. Close it: chmod 600 ${path}`,
        [`${path}: mode ${(mode & 0o777).toString(8)}`],
        file,
      );
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof FenghuoError) throw error;
    throw refused('It cannot be read.', [`${path}: ${(error as NodeJS.ErrnoException).code}`], file);
  }
}

function unquoted(value: string): string {
  return /^"([^"]*)"$/.exec(value)?.[1] ?? /^'([^']*)'$/.exec(value)?.[1] ?? value;
}

function refused(sentence: string, details: readonly string[], file = LIVE): FenghuoError {
  return new FenghuoError({
    code: file.code,
    refusal: 'usage',
    sentence: `${file.variable} names the file of ${file.whose}. ${sentence}`,
    details,
  });
}

/** The environment of a process that serves actual warnings: of what is said for one kind alone, only what the file says. */
export function environmentOfActual(env: Environment, live: Variables): Variables {
  return { ...without(env, [...VARIABLES_OF_KIND, DRILL_FILE]), ...live, FENGHUO_CHANNELS: 'live' };
}

/** A sender of drills whose rate is not said takes one message a second: a limit there always is. */
const DRILL_RATES: Variables = Object.fromEntries(SENDER_RATES.map((name) => [name, '1']));

/** The environment of the account of drills: of what is said for one kind alone, only what its file says. */
export function environmentOfAccount(env: Environment, account: Variables): Variables {
  return {
    ...without(env, [...VARIABLES_OF_KIND, LIVE_FILE, DRILL_FILE]),
    ...{ ...DRILL_RATES, ...account, FENGHUO_CHANNELS: 'drill' },
  };
}

/** The account of drills that this environment's file says, for processes of a drill. */
export function accountFor(env: Environment): Environment {
  const account = readDrillFile(env);
  if (account) return environmentOfAccount(env, account);
  throw new FenghuoError({
    code: 'drill-file',
    refusal: 'usage',
    sentence: `People who agreed to a drill are told by an account that belongs to drills alone. ${DRILL_FILE} names the file of its senders (docs/operations.md, Drills with people); it is not set.`,
  });
}

/** The environment of everybody else: without the file, and never live. */
export function environmentOfExercises(env: Environment, live: Variables | null): Variables {
  const shared = [...SENDER_ADDRESSES, ...SENDER_CREDENTIALS].filter(
    (name) => live?.[name] !== undefined && live[name] === env[name],
  );
  if (shared.length > 0)
    throw refused(
      'These are live and were given for Exercises too. Take them out of the environment:',
      shared,
    );
  if (env['FENGHUO_CHANNELS'] === 'live')
    throw refused('Live senders stand there, not in the environment. Take out:', ['FENGHUO_CHANNELS=live']);
  return without(env, [LIVE_FILE, DRILL_FILE]);
}

function without(env: Environment, names: readonly string[]): Variables {
  const kept = Object.entries(env).filter(([name, value]) => value !== undefined && !names.includes(name));
  return Object.fromEntries(kept) as Variables;
}

/**
 * The environment of a process that was started by hand for one kind: for actual warnings that of the file where one is named, else its
 * own, which must then say FENGHUO_CHANNELS=live. A process that was meant for one kind and configured for the other is refused.
 */
export function environmentFor(kind: WarningKind | undefined, env: Environment): Environment {
  const live = kind === 'actual' ? readLiveFile(env) : null;
  const own = live ? environmentOfActual(env, live) : env;
  const serves: WarningKind = own['FENGHUO_CHANNELS'] === 'live' ? 'actual' : 'exercise';
  if (kind === undefined || kind === serves) return without(own, [LIVE_FILE, DRILL_FILE]);
  throw new FenghuoError({
    code: 'other-kind',
    refusal: 'usage',
    sentence: `This environment is that of ${serves} warnings, and --kind ${kind} was asked for. Nothing was started.`,
    details: [
      kind === 'actual' ? `FENGHUO_CHANNELS=live, or ${LIVE_FILE}` : 'FENGHUO_CHANNELS=sandbox, or none',
    ],
  });
}
