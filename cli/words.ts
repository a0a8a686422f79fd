/**
 * The command line's own sentences, in English and Chinese, under the same keys. What operations say comes as it is; in
 * Chinese the kind of each of their refusals is said first (`zhOfCode`).
 */
import type { Language } from '../domain/texts.ts';
import { EN } from './words-en.ts';
import { REFUSALS_ZH } from './words-refusals.ts';
import { ZH } from './words-zh.ts';

export type WordKey = keyof typeof EN;

export type Values = Readonly<Record<string, string | number>>;

export const WORDS: Readonly<Record<Language, Readonly<Record<WordKey, string>>>> = { en: EN, zh: ZH };

/** A sentence with its values; a value that is missing shows its name, which a test of the words finds. */
export function sayIn(lang: Language, key: WordKey, values: Values = {}): string {
  return WORDS[lang][key].replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

/** What kind of refusal a code names, in Chinese; null where the sentence is Chinese already or the code unknown. */
export function zhOfCode(code: string): string | null {
  return REFUSALS_ZH[code] ?? null;
}
