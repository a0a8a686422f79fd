/** The part of both READMEs that quotes the bench: everything between two marks is replaced. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tableOf, type Language, type Report } from './report.ts';

const READMES: Record<Language, string> = { en: '../README.md', zh: '../README.zh-CN.md' };
const BEGIN = '<!-- bench: written by npm run bench -- --write-readme -->';
const END = '<!-- /bench -->';

/** Writes the tables; a README without the two marks is an error, for nobody would notice its old figures. */
export function writeReadmes(report: Report): void {
  for (const [language, name] of Object.entries(READMES) as [Language, string][]) {
    const file = fileURLToPath(new URL(name, import.meta.url));
    writeFileSync(file, withTable(readFileSync(file, 'utf8'), tableOf(report, language)));
  }
}

/** The text with the table between its marks. */
export function withTable(text: string, table: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`a README lacks the marks "${BEGIN}" and "${END}"`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`;
}
