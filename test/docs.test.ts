/** The documents say what is there: commands, variables and files exist, and both READMEs say the same. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { faultOf, wholeProgram } from './harness/command-lines.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const README = 'README.md';
const README_ZH = 'README.zh-CN.md';
const DOCUMENTS = [
  README,
  README_ZH,
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...filesBelow('docs').filter((file) => file.endsWith('.md')),
];

/** Where variables of the environment are read. */
const SOURCES = [
  'config.ts',
  ...['runtime', 'cli', 'sandbox'].flatMap(filesBelow).filter((file) => /(?<!\.test)\.ts$/.test(file)),
];
const VARIABLE = /\b(?:FENGHUO_[A-Z_]+|TEMPORAL_[A-Z_]+|XDG_[A-Z_]+|DATABASE_URL|NO_COLOR)\b/g;

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

type Fence = { language: string; lines: string[] };

function fencesOf(text: string): Fence[] {
  return [...text.matchAll(/^ *```(\w*)\n([\s\S]*?)^ *```$/gm)].map(([, language = '', body = '']) => ({
    language,
    lines: body.split('\n').filter((line) => line.trim() !== ''),
  }));
}

/** Every command line of this project that a document names, in fences and in running text. */
function commandsOf(text: string): string[] {
  const fenced = fencesOf(text)
    .filter(({ language }) => language === 'bash')
    .flatMap(({ lines }) => lines);
  const prose = text.replace(/^ *```[\s\S]*?^ *```$/gm, '');
  const inline = [...prose.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
  return [...fenced, ...inline].map((line) => line.trim()).filter((line) => /^(npx fenghuo|npm) /.test(line));
}

function headings(text: string): string[] {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, '').match(/^#{1,6} .+$/gm) ?? [];
}

let program: Command;
beforeAll(async () => {
  program = await wholeProgram();
});

describe.each(DOCUMENTS)('%s', (document) => {
  const text = read(document);

  it('names only commands that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const faults = commandsOf(text).flatMap((line) => {
      const fault = line.startsWith('npx')
        ? faultOf(program, line.split(/\s+/).slice(2))
        : faultOfNpm(line, scripts);
      return fault === null ? [] : [`${line}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  it('links only to files that exist', () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const dead = targets
      .filter((target) => !/^(https?:|#)/.test(target))
      .filter((target) => !existsSync(join(ROOT, dirname(document), target.replace(/#.*$/, ''))));
    expect(dead).toEqual([]);
  });

  it('names only files of the product that exist', () => {
    // A path with a folder of ours in front; places that are yet to be filled end with a slash.
    const folders = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const named = [...text.matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|cjs|yaml|sql|csv|md))`/g)]
      .map(([, path = '']) => path)
      .filter((path) => folders.some(({ name }) => path.startsWith(`${name}/`)));
    expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

function faultOfNpm(line: string, scripts: Record<string, string>): string | null {
  const [, verb = '', ...rest] = line.split(/\s+/);
  if (verb === 'ci') return null;
  const name = verb === 'run' ? rest.find((word) => !word.startsWith('-')) : verb;
  return name !== undefined && name in scripts ? null : `no script ${name ?? ''}`;
}

describe('the two READMEs', () => {
  it('have the same sections', () => {
    const levels = (file: string) => headings(read(file)).map((heading) => heading.indexOf(' '));
    expect(levels(README_ZH)).toEqual(levels(README));
  });

  it('have the same commands and pictures in the same order', () => {
    expect(fencesOf(read(README_ZH))).toEqual(fencesOf(read(README)));
  });

  test.each([README, README_ZH])(
    '%s names the variables that the configuration has, and no others',
    (file) => {
      const named = new Set(read(file).match(VARIABLE));
      const known = new Set(SOURCES.flatMap((source) => read(source).match(VARIABLE) ?? []));
      expect([...named].filter((name) => !known.has(name))).toEqual([]);
      const configured = new Set(read('config.ts').match(VARIABLE));
      expect([...configured].filter((name) => !named.has(name))).toEqual([]);
    },
  );
});

it('no file of the repository names a path of the machine it was written on', () => {
  const tracked = execFileSync('git', ['-c', `safe.directory=${ROOT}`, 'ls-files', '-z'], { cwd: ROOT })
    .toString()
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)));
  // Put together here, or this file would name one.
  const path = ['', 'work', ''].join('/');
  expect(tracked.filter((file) => read(file).includes(path))).toEqual([]);
});
