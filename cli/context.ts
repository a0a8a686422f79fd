/** What every command works with: where it writes, in which form and language, and how it reaches the database. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readConfig, withSecrets, type Config } from '../config.ts';
import { openDatabase, type Database } from '../db/database.ts';
import type { Operator } from '../domain/authority.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { Language } from '../domain/texts.ts';
import { sayIn, type Values, type WordKey } from './words.ts';

export type OutputMode = 'text' | 'json' | 'jsonl';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A stream as far as the command line needs it; tests give a list of strings behind it. */
export type Writer = {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
};

/** What surrounds the process. */
export type Surroundings = { stdout: Writer; stderr: Writer; env: Environment };

/** The global options, as far as they were given. */
export type Globals = { output: OutputMode; lang: Language | null };

export type Context = Surroundings & {
  readonly output: OutputMode;
  readonly lang: Language;
  /** Whether standard output takes colours. */
  readonly colour: boolean;
  /** The terminal's width, null where standard output is none: then nothing is cut. */
  columns: () => number | null;
  /** A sentence of the command line's own, in the language of the user. */
  say: (key: WordKey, values?: Values) => string;
  /** Data: lines on standard output, or the value where JSON was asked for; `items` are the lines of `jsonl`. */
  print: (result: { lines: () => readonly string[]; value: unknown; items?: readonly unknown[] }) => void;
  /** All that is not data: lines on standard error. */
  tell: (...lines: string[]) => void;
  /** What to type next, and other help that only a person reads: not beside JSON. */
  hint: (...lines: string[]) => void;
  /** The environment commands work in: the process's, or that of a running `up` where no database is named. */
  environment: () => Promise<Environment>;
  config: () => Promise<Config>;
  /** Opens at the first call; the context closes it. */
  database: () => Promise<Database>;
  /** Who is logged in, by FENGHUO_TOKEN or `fenghuo login`; null where nobody is. Throws where the token is not good. */
  operator: () => Promise<Operator | null>;
  close: () => Promise<void>;
  /** What the process ends with when nothing is thrown. */
  exitCode: number;
};

/** Connections of one command: it asks a few things at once, and leaves the rest to workers. */
const CONNECTIONS_MOST = 4;

export function createContext(surroundings: Surroundings, globals: Globals): Context {
  const { stdout, stderr, env } = surroundings;
  const lang = globals.lang ?? languageOf(env);
  const environment = once(() => commandEnvironment(env));
  const config = once(async () => readConfig(await environment()));
  let opened: Database | undefined;
  const database = async () => {
    const { DATABASE_URL: url, FENGHUO_SCHEMA: schema } = await config();
    opened ??= openDatabase({ url, schema, connectionsMost: CONNECTIONS_MOST });
    return opened;
  };
  return {
    ...surroundings,
    output: globals.output,
    lang,
    colour: takesColour(stdout, env),
    columns: () => (stdout.isTTY ? (stdout.columns ?? 80) : null),
    say: (key, values) => sayIn(lang, key, values),
    print: ({ lines, value, items }) => stdout.write(format(globals.output, { lines, value, items })),
    tell: (...lines) => void stderr.write(lines.map((line) => `${line}\n`).join('')),
    hint: (...lines) => {
      if (globals.output === 'text') stderr.write(lines.map((line) => `${line}\n`).join(''));
    },
    environment,
    config,
    database,
    operator: once(async () => {
      const { readToken } = await import('./token.ts');
      const token = await readToken(env);
      if (token === null) return null;
      const { authenticate } = await import('../operations/operators.ts');
      return authenticate(await database(), token);
    }),
    close: async () => {
      const closing = opened;
      opened = undefined;
      await closing?.close();
    },
    exitCode: 0,
  };
}

/** The language of the locale, in the order of POSIX: the first variable that is set decides. */
export function languageOf(env: Environment): Language {
  const locale = [env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find(
    (value) => value !== undefined && value !== '',
  );
  return locale?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** Colours on a terminal only, and never against NO_COLOR (no-color.org: any value but the empty one). */
export function takesColour(writer: Writer, env: Environment): boolean {
  return writer.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

function format(
  output: OutputMode,
  result: { lines: () => readonly string[]; value: unknown; items?: readonly unknown[] | undefined },
): string {
  switch (output) {
    case 'text':
      return result
        .lines()
        .map((line) => `${line}\n`)
        .join('');
    case 'json':
      return `${JSON.stringify(result.value, null, 2)}\n`;
    case 'jsonl':
      return (result.items ?? [result.value]).map((item) => `${JSON.stringify(item)}\n`).join('');
    default:
      return output satisfies never;
  }
}

const environmentFile = z.record(z.string(), z.string());

/** A named database stands alone: it is never mixed with the secret of another installation. */
async function commandEnvironment(env: Environment): Promise<Environment> {
  const given = withSecrets(env);
  if (given['DATABASE_URL'] !== undefined) return given;
  const { instanceOf } = await import('../runtime/places.ts');
  const { directory } = instanceOf({ purpose: given['FENGHUO_INSTANCE'] ?? 'up', env: given });
  return { ...(await readEnvironmentFile(join(directory, 'environment.json'))), ...given };
}

/** What a running `up` left for the commands beside it; empty where there is none. */
async function readEnvironmentFile(file: string): Promise<Record<string, string>> {
  try {
    return environmentFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new FenghuoError({
      code: 'environment-file',
      refusal: 'failed',
      sentence: `${file} cannot be read. Stop \`npx fenghuo up\`, start it again, and it is written anew; or set DATABASE_URL.`,
      cause,
    });
  }
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}
