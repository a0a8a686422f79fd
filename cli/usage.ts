/** commander as this command line wants it: help in two languages, nothing written behind our back, usage errors as data. */
import type { Command, CommanderError, Help } from 'commander';
import { EXIT_CODES } from '../domain/errors.ts';
import type { Language } from '../domain/texts.ts';
import type { Context, Globals, OutputMode } from './context.ts';
import type { Failure } from './failures.ts';
import { width, wrap } from './width.ts';
import { sayIn, type WordKey } from './words.ts';

const OUTPUTS: readonly OutputMode[] = ['text', 'json', 'jsonl'];

/** commander stopped a command: a wrong use, or help that was asked for (exit code 0). */
export class CommandStopped extends Error {
  readonly command: Command;
  readonly code: string;
  readonly exitCode: number;

  constructor(command: Command, cause: CommanderError) {
    super(cause.message, { cause });
    this.name = 'CommandStopped';
    this.command = command;
    this.code = cause.code;
    this.exitCode = cause.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
  }
}

const TITLES: Readonly<Record<string, WordKey>> = {
  'Usage:': 'help.usage',
  'Arguments:': 'help.arguments',
  'Options:': 'help.options',
  'Global Options:': 'help.globalOptions',
  'Commands:': 'help.commands',
};

/** Adapts a command and all below it. Called once, when every command is there. */
export function adapt(command: Command, context: Context): void {
  command
    .exitOverride((error) => {
      throw new CommandStopped(command, error);
    })
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: () => undefined,
      getOutHelpWidth: () => context.columns() ?? 100,
      getErrHelpWidth: () => context.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({
      showGlobalOptions: true,
      styleTitle: (title) => (TITLES[title] ? context.say(TITLES[title]) : title),
      displayWidth: width,
      boxWrap: (text: string, columns: number) => wrap(text, columns).join('\n'),
    } satisfies Partial<Help>)
    .helpOption('-h, --help', context.say('help.help'))
    .helpCommand(false);
  for (const below of command.commands) adapt(below, context);
}

const USAGE_WORDS: Readonly<Record<string, WordKey>> = {
  'commander.unknownOption': 'usage.unknownOption',
  'commander.unknownCommand': 'usage.unknownCommand',
  'commander.missingArgument': 'usage.missingArgument',
  'commander.optionMissingArgument': 'usage.optionMissingArgument',
  'commander.missingMandatoryOptionValue': 'usage.missingOption',
  'commander.invalidArgument': 'usage.invalidArgument',
  'commander.excessArguments': 'usage.excessArguments',
  'commander.conflictingOption': 'usage.conflictingOption',
  'commander.help': 'usage.noCommand',
};

/** The sentence of a wrong use, with the help of the command it happened in. */
export function usageFailure(stopped: CommandStopped, lang: Language): Failure {
  const quoted = [...stopped.message.matchAll(/'([^']*)'/g)].map((match) => match[1] ?? '');
  const key = USAGE_WORDS[stopped.code];
  const meant = /Did you mean (?:one of )?(.+)\?\)/.exec(stopped.message)?.[1];
  const expected = /is invalid(?: for [^.]*)?\. (.+)$/s.exec(stopped.message)?.[1];
  const sentence = key
    ? sayIn(lang, key, { one: quoted[0] ?? '', two: quoted[1] ?? '', expected: expected ?? '' }).trimEnd()
    : stopped.message;
  return {
    code: 'usage',
    sentence: meant === undefined ? sentence : `${sentence} ${sayIn(lang, 'usage.meant', { meant })}`,
    details: [],
    exitCode: stopped.exitCode,
    help: stopped.command.helpInformation({ error: true }),
  };
}

/**
 * The global options before commander reads them: help and errors need their language and form already. What is wrong with
 * them is said by commander later.
 */
export function readGlobals(argv: readonly string[]): Globals {
  const globals: Globals = { output: 'text', lang: null };
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  words.forEach((word, place) => {
    if (word === '--json') globals.output = 'json';
    const output = valueOf(['-o', '--output'], word, words[place + 1]);
    globals.output = OUTPUTS.find((known) => known === output) ?? globals.output;
    const lang = valueOf(['--lang'], word, words[place + 1]);
    if (lang === 'zh' || lang === 'en') globals.lang = lang;
  });
  return globals;
}

/** The first word that is neither a global option nor its value; null where there is none. */
export function firstCommand(argv: readonly string[]): string | null {
  for (let place = 0; place < argv.length; place += 1) {
    const word = argv[place] ?? '';
    if (['-o', '--output', '--lang'].includes(word)) place += 1;
    else if (!word.startsWith('-')) return word;
  }
  return null;
}

function valueOf(names: readonly string[], word: string, next: string | undefined): string | undefined {
  if (names.includes(word)) return next;
  const long = names.find((name) => name.startsWith('--') && word.startsWith(`${name}=`));
  if (long !== undefined) return word.slice(long.length + 1);
  return names.includes('-o') && /^-o./.test(word) ? word.slice(2).replace(/^=/, '') : undefined;
}
