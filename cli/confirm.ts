/** What must be typed before something goes out that cannot be taken back: by hand at a terminal, else as an option. */
import { createInterface } from 'node:readline/promises';
import { FenghuoError } from '../domain/errors.ts';
import type { Context } from './context.ts';

/** True where a person sits at the terminal and no machine reads along: only then anything is asked. */
export function mayAsk(context: Context): boolean {
  return context.output === 'text' && context.stdout.isTTY === true && process.stdin.isTTY;
}

/**
 * The word that was given by --confirm, or typed at the terminal. Throws (not permitted) where it is another, with the sentence
 * `refused`; JSON output and pipes never ask.
 */
export async function confirmed(
  context: Context,
  input: { given: string | undefined; wanted: string; refused: string },
): Promise<string> {
  const { wanted, refused } = input;
  const typed = input.given ?? (mayAsk(context) ? await ask(context.say('confirm.type', { wanted })) : '');
  if (typed.trim().toUpperCase() === wanted.toUpperCase()) return typed.trim();
  throw new FenghuoError({
    code: 'confirm',
    refusal: 'notPermitted',
    sentence: refused,
  });
}

/** One line from the terminal; the question goes to standard error. */
export async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
