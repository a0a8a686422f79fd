/** What went wrong, for people and for machines: one sentence, its details, and the documented exit code. */
import { isUnreachable } from '../db/database.ts';
import { EXIT_CODES, FenghuoError } from '../domain/errors.ts';
import { CommandStopped, usageFailure } from './usage.ts';
import type { Context } from './context.ts';
import { sayIn, zhOfCode, type WordKey } from './words.ts';

export type Failure = {
  code: string;
  sentence: string;
  details: readonly string[];
  exitCode: number;
  /** The help of the command, where it was used wrongly. */
  help?: string;
};

/** More lines of one error would push its sentence off the screen; JSON has them all. */
const DETAILS_SHOWN_MOST = 20;

/** PostgreSQL's own refusals that an operator can do something about. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const POSTGRES: Readonly<Record<string, { code: string; key: WordKey; exitCode: number }>> = {
  '42P01': { code: 'not-migrated', key: 'failure.notMigrated', exitCode: EXIT_CODES.failed },
  '42703': { code: 'not-migrated', key: 'failure.notMigrated', exitCode: EXIT_CODES.failed },
  '3F000': { code: 'not-migrated', key: 'failure.notMigrated', exitCode: EXIT_CODES.failed },
  // The application's role does not exist.
  '22023': { code: 'not-migrated', key: 'failure.notMigrated', exitCode: EXIT_CODES.failed },
  '3D000': { code: 'database-refused', key: 'failure.databaseRefused', exitCode: EXIT_CODES.unreachable },
  '28P01': { code: 'database-refused', key: 'failure.databaseRefused', exitCode: EXIT_CODES.unreachable },
  '28000': { code: 'database-refused', key: 'failure.databaseRefused', exitCode: EXIT_CODES.unreachable },
  '42501': { code: 'database-rights', key: 'failure.databaseRights', exitCode: EXIT_CODES.notPermitted },
  '53300': { code: 'database-busy', key: 'failure.databaseBusy', exitCode: EXIT_CODES.unreachable },
  '55P03': { code: 'database-busy', key: 'failure.databaseBusy', exitCode: EXIT_CODES.conflict },
  '57014': { code: 'database-slow', key: 'failure.databaseSlow', exitCode: EXIT_CODES.failed },
  '53100': { code: 'disk-full', key: 'failure.diskFull', exitCode: EXIT_CODES.failed },
};

const SYSTEM: Readonly<Record<string, { code: string; key: WordKey; exitCode: number }>> = {
  EADDRINUSE: { code: 'port-in-use', key: 'failure.portInUse', exitCode: EXIT_CODES.conflict },
  EACCES: { code: 'no-access', key: 'failure.noAccess', exitCode: EXIT_CODES.notPermitted },
  ENOSPC: { code: 'disk-full', key: 'failure.diskFull', exitCode: EXIT_CODES.failed },
  ERR_INVALID_URL: { code: 'database-refused', key: 'failure.databaseRefused', exitCode: EXIT_CODES.usage },
};

const NETWORK_CALLS: readonly string[] = ['connect', 'getaddrinfo'];

/** What an error means to whoever typed the command. Unknown ones are defects: their name, and no stack. */
export function describeFailure(error: unknown, lang: Context['lang']): Failure {
  if (error instanceof CommandStopped) return usageFailure(error, lang);
  if (error instanceof FenghuoError) {
    const { code, message: sentence, details, refusal } = error;
    return { code, sentence, details, exitCode: EXIT_CODES[refusal] };
  }
  const runtime = ofRuntime(error);
  if (runtime) return runtime;
  const known = POSTGRES[codeOf(error)] ?? SYSTEM[codeOf(error)];
  if (known) return { ...known, sentence: sayIn(lang, known.key), details: [messageOf(error)] };
  const gone =
    error instanceof Error && (isUnreachable(error) || NETWORK_CALLS.includes(fieldOf(error, 'syscall')));
  if (gone) {
    return {
      code: 'database-unreachable',
      sentence: sayIn(lang, 'failure.unreachable'),
      details: [],
      exitCode: EXIT_CODES.unreachable,
    };
  }
  const name = error instanceof Error ? error.name : typeof error;
  if (/^(TransportError|ServiceError|GrpcServiceError)$/.test(name)) {
    const details = [messageOf(error)];
    return {
      code: 'temporal-unreachable',
      sentence: sayIn(lang, 'failure.temporal'),
      details,
      exitCode: EXIT_CODES.unreachable,
    };
  }
  const sentence = sayIn(lang, 'failure.defect', { name, message: messageOf(error) });
  return { code: 'defect', sentence, details: [], exitCode: EXIT_CODES.failed };
}

/** Errors of `runtime/`, told by their shape: that folder is loaded only by the commands that need it. */
function ofRuntime(error: unknown): Failure | null {
  if (!(error instanceof Error) || !('exitCode' in error) || !('code' in error)) return null;
  const { code, exitCode } = error;
  if (typeof code !== 'string' || typeof exitCode !== 'number') return null;
  return { code, sentence: error.message, details: [], exitCode };
}

/** The lines of a failure on standard error. In Chinese the kind of error is said first, and the sentence with its names follows. */
export function renderFailure(
  failure: Failure,
  input: { lang: Context['lang']; output: Context['output'] },
): string {
  if (input.output !== 'text') {
    const { code, sentence, details } = failure;
    return `${JSON.stringify({ error: { code, sentence, details } })}\n`;
  }
  const more = failure.details.length - DETAILS_SHOWN_MOST;
  const translated = input.lang === 'zh' ? zhOfCode(failure.code) : null;
  const lines = [
    ...(translated === null ? [] : [translated]),
    failure.sentence,
    ...failure.details.slice(0, DETAILS_SHOWN_MOST).map((detail) => `  ${detail}`),
    ...(more > 0 ? [`  ${sayIn(input.lang, 'more', { count: more })}`] : []),
    ...(failure.help === undefined ? [] : ['', failure.help.trimEnd()]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Writes the failure, and with FENGHUO_DEBUG=1 where it came from; gives back the exit code. */
export function report(context: Context, error: unknown): number {
  if (error instanceof CommandStopped && error.exitCode === 0) return EXIT_CODES.done;
  const failure = describeFailure(error, context.lang);
  context.stderr.write(renderFailure(failure, context));
  if (context.env['FENGHUO_DEBUG'] === '1' && error instanceof Error && !(error instanceof CommandStopped)) {
    context.tell(error.stack ?? '', ...(error.cause instanceof Error ? [error.cause.stack ?? ''] : []));
  }
  return failure.exitCode;
}

function codeOf(error: unknown): string {
  return fieldOf(error, 'code');
}

function fieldOf(error: unknown, name: 'code' | 'syscall'): string {
  const value = (error as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}
