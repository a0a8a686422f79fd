/** Parsers of option values. Each refuses by saying what is expected; commander puts the option's name in front. */
import { readFile } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { FenghuoError } from '../domain/errors.ts';

/** Gathers an option that may be given several times. */
export function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,9}$/.test(text.trim()) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`${least} … ${most}`);
  };
}

/** A number from `least` to `most`, decimals allowed. */
export function plainNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,9}(\.\d{1,6})?$/.test(text.trim()) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`${least} … ${most}`);
  };
}

/** One of a few words. */
export function oneOf<Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((known) => known === text);
    if (word !== undefined) return word;
    throw new InvalidArgumentError(words.join(', '));
  };
}

/** The bytes of a file a person named. */
export async function readNamedFile(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: unknown) => {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new FenghuoError({
      code: 'file',
      refusal: 'usage',
      sentence: `The file ${file} cannot be read (${reason}). Check its name and rights, then try again.`,
      cause,
    });
  });
}

/** A text file in UTF-8; another encoding is refused, because a garbled warning is worse than none. */
export async function readTextFile(file: string): Promise<string> {
  const bytes = await readNamedFile(file);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FenghuoError({
      code: 'file',
      refusal: 'usage',
      sentence: `The file ${file} is not UTF-8 text. Save it as UTF-8 and try again.`,
      cause,
    });
  }
}
