/**
 * Looks for people in whatever a process leaves behind: names, telephone numbers, e-mail addresses, as they are or as JSON,
 * base64 or a URL would write them. A text is cut into words that could be somebody's, and each word is looked up: ten thousand
 * people cost no more than one.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../../db/database.ts';

export type People = { count: number; words: ReadonlySet<string> };

/** Everybody in the database, people and households, with all they are known by. */
export async function readPeople(database: Database): Promise<People> {
  const rows = await database.query<{ name: string; reference: string; address: string | null }>(
    `select p.name, p.reference, c.address from people p left join person_channels c on c.person_id = p.id
     union all select name, name, address from households`,
  );
  const words = new Set<string>();
  for (const { name, reference, address } of rows) {
    for (const word of [name.replace('（虚拟）', ''), reference, address ?? '']) {
      const [whole, part] = wordOf(word);
      for (const known of [whole, part]) if (known !== undefined && known.length >= 2) words.add(known);
    }
  }
  const [all] = await database.query<{ count: number }>(
    'select (select count(*) from people)::int + (select count(*) from households)::int as count',
  );
  return { count: all?.count ?? 0, words };
}

/** How a word is written in the set: a number by its last eleven digits, an address also by what stands before the `@`. */
function wordOf(word: string): [string, string?] {
  if (/^\+?\d+$/.test(word)) return [word.slice(-NUMBER_DIGITS)];
  const at = word.indexOf('@');
  // A bare local part is looked up only where it is nobody's ordinary word.
  return at > 5 ? [word, word.slice(0, at)] : [word];
}

const NUMBER_DIGITS = 11;
const NUMBER = /(?<!\d)(?:00)?(?:86)?(\d{11})(?!\d)/g;
const ADDRESS = /[\w.+-]+@[\w.-]*\w/g;
const LOCAL_PART = /[\w.+-]{6,40}/g;
const HOUSEHOLD = /\d{3}号\p{Script=Han}家/gu;
const HAN = /\p{Script=Han}{2,}/gu;
const NAME_CHARACTERS = [2, 3, 4];

/** Words of a text that are somebody's, the first few. */
export function findPeople(text: string, people: People): string[] {
  const found = new Set<string>();
  for (const reading of readings(text))
    for (const word of wordsOf(reading)) if (people.words.has(word)) found.add(word);
  return [...found].slice(0, 5);
}

function* wordsOf(text: string): Generator<string> {
  for (const [, digits = ''] of text.matchAll(NUMBER)) yield digits;
  for (const expression of [ADDRESS, LOCAL_PART, HOUSEHOLD])
    for (const [word] of text.matchAll(expression)) yield word;
  for (const [run] of text.matchAll(HAN))
    for (const size of NAME_CHARACTERS)
      for (let at = 0; at + size <= run.length; at += 1) yield run.slice(at, at + size);
}

const BASE64 = /[A-Za-z0-9+/_-]{8,}/g;

/** The text as it stands, and as it reads without each writing that hides words. */
function readings(text: string): string[] {
  const unescaped = text.replaceAll(/\\u([0-9a-fA-F]{4})/g, (_all, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  const percent = text.replaceAll(/(?:[%=][0-9A-F]{2})+/g, (run) =>
    Buffer.from(run.replaceAll(/[%=]/g, ''), 'hex').toString(),
  );
  const decoded = (text.match(BASE64) ?? []).map((run) => Buffer.from(run, 'base64').toString()).join('\n');
  return [...new Set([text, unescaped, percent, decoded])];
}

/** All files below a folder with their text, but those whose path `left` names. */
export function filesBelow(folder: string, left: (path: string) => boolean): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (left(path)) continue;
    if (entry.isDirectory()) for (const [name, text] of filesBelow(path, left)) files.set(name, text);
    else if (statSync(path).isFile()) files.set(path, readFileSync(path).toString());
  }
  return files;
}
