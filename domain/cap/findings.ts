/** What is wrong with a CAP message, or could be better: a code, the place in the file, and the values of its sentence. */
import type { Language } from '../texts.ts';
import { CAP_SENTENCES } from './sentences.ts';

export type CapCode = keyof typeof CAP_SENTENCES;

export type Finding = {
  code: CapCode;
  /** From 1; null where no place in the file is meant. */
  line: number | null;
  column: number | null;
  /** Such as `/alert/info[2]/area/polygon`; empty where no element is meant. */
  path: string;
  values: Readonly<Record<string, string>>;
};

export type Place = { line: number; column: number; path: string };

/** Values can be a whole polygon. */
const SHOWN_CHARACTERS_MOST = 80;

export function finding(
  code: CapCode,
  place: Place | null,
  values: Readonly<Record<string, string | number>> = {},
): Finding {
  const { line, column, path } = place ?? { line: null, column: null, path: '' };
  return {
    code,
    line,
    column,
    path,
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, shown(String(value))])),
  };
}

export function isError({ code }: { code: CapCode }): boolean {
  return CAP_SENTENCES[code].kind === 'error';
}

export function sentenceOf({ code, values }: Finding, language: Language): string {
  return CAP_SENTENCES[code][language].replace(/\{(\w+)\}/g, (place, name: string) => values[name] ?? place);
}

function shown(value: string): string {
  return value.length > SHOWN_CHARACTERS_MOST ? `${value.slice(0, SHOWN_CHARACTERS_MOST)}…` : value;
}
