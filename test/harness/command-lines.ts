/** Whether command lines that stand in documents and configurations are known to the program. */
import type { Command } from 'commander';
import { createContext } from '../../cli/context.ts';
import { createProgram } from '../../cli/main.ts';

/** The program with all its commands, which writes nowhere. */
export async function wholeProgram(): Promise<Command> {
  const nowhere = { write: () => true };
  const context = createContext(
    { stdout: nowhere, stderr: nowhere, env: {} },
    { output: 'text', lang: 'en' },
  );
  return createProgram(context, null);
}

/** What is wrong with the words after `fenghuo`; null where each of them is known. */
export function faultOf(program: Command, line: readonly string[]): string | null {
  let command = program;
  const words = [...line];
  while (words.length > 0) {
    const below = command.commands.find((one) => one.name() === words[0]);
    if (!below) break;
    command = below;
    words.shift();
  }
  if (command === program) return `no command ${words[0] ?? ''}`;
  if (command.commands.length > 0 && words.length > 0)
    return `no command ${words[0]} below ${command.name()}`;
  const options = [...command.options, ...program.options];
  const unknown = words
    .filter((word) => word.startsWith('-'))
    .map((word) => word.replace(/^(--[\w-]+)=.*$/, '$1'))
    .find((word) => word !== '--help' && !options.some(({ short, long }) => [short, long].includes(word)));
  return unknown === undefined ? null : `no option ${unknown}`;
}
