import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createContext, languageOf, takesColour } from './context.ts';
import { createProgram } from './main.ts';
import { keepingWriter, run } from './testing.ts';
import { firstCommand, readGlobals } from './usage.ts';
import { width } from './width.ts';

const ISSUE = ['warning', 'issue', '--hazard', '暴雨', '--level', 'red', '--area', 'x', '--expires', '+6h'];

describe('a wrong use ends with 2, a sentence, and the help of that command', () => {
  test.each<[string, string[], string, string]>([
    ['nothing at all', [], 'Say what to do', 'Usage: fenghuo '],
    ['a group alone', ['warning'], 'Say what to do', 'Usage: fenghuo warning '],
    ['an unknown command', ['wraning'], 'There is no command wraning. Perhaps warning?', 'Usage: fenghuo '],
    ['an unknown one below', ['warning', 'isue'], 'Perhaps issue?', 'Usage: fenghuo warning '],
    [
      'an unknown option',
      ['warning', 'list', '--al'],
      'There is no option --al',
      'Usage: fenghuo warning list',
    ],
    ['a missing argument', ['warning', 'show'], 'WARNING is missing', 'Usage: fenghuo warning show'],
    [
      'a missing option',
      ['warning', 'issue'],
      '--hazard <HAZARD> is missing',
      'Usage: fenghuo warning issue',
    ],
    ['a missing value', ['warning', 'issue', '--hazard'], 'needs a value', 'Usage: fenghuo warning issue'],
    ['too many words', ['warning', 'show', 'W1', 'W2'], 'Too many words', 'Usage: fenghuo warning show'],
    ['a speed that is no number', [...ISSUE, '--speed', 'fast'], 'fast is no value', 'warning issue'],
    ['a span without a unit', ['warning', 'watch', 'W1', '--timeout', '10'], '90s, 10m', 'warning watch'],
    ['a coverage above all', ['warning', 'watch', 'W1', '--coverage', '101'], '0 … 100', 'warning watch'],
    ['an unknown end', ['warning', 'watch', 'W1', '--until', 'x'], 'settled, closed', 'warning watch'],
    ['an unknown form', ['warning', 'list', '-o', 'xml'], 'text, json, jsonl', 'Usage: fenghuo '],
    ['an unknown language', ['warning', 'list', '--lang', 'fr'], 'zh, en', 'Usage: fenghuo '],
    [
      'done and cannot',
      [
        'answer',
        '--warning',
        'W1',
        '--unit',
        'x',
        '--done',
        '1',
        '--cannot',
        '--vouched-by',
        'a',
        '--how',
        'b',
      ],
      'cannot stand together',
      'Usage: fenghuo answer',
    ],
    [
      'an answer nobody vouches for',
      ['answer', '--warning', 'W1', '--unit', 'x'],
      '--vouched-by <NAME> is missing',
      'Usage: fenghuo answer',
    ],
  ])('%s', async (_name, argv, sentence, usage) => {
    const ran = await run(argv);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toContain(sentence);
    expect(ran.stderr).toContain(usage);
  });

  test('in JSON it is one object', async () => {
    const ran = await run(['warning', 'show', '--json']);
    expect(ran.code).toBe(2);
    expect(JSON.parse(ran.stderr)).toEqual({
      error: { code: 'usage', sentence: 'WARNING is missing.', details: [] },
    });
  });

  test('in Chinese', async () => {
    const ran = await run(['warning', 'show'], { LANG: 'zh_CN.UTF-8' });
    expect(ran.stderr).toContain('缺少 WARNING。');
    expect(ran.stderr).toContain('用法:');
  });
});

describe('help', () => {
  test('goes to standard output and ends with 0', async () => {
    const ran = await run(['warning', 'issue', '--help']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain('npx fenghuo warning issue --hazard 暴雨');
  });

  for (const lang of ['zh', 'en'] as const) {
    test(`in ${lang} every command, option and argument is described, and nothing is too wide`, async () => {
      const stdout = keepingWriter({ columns: 80 });
      const stderr = keepingWriter({ columns: 80 });
      const context = createContext({ stdout, stderr, env: {} }, { output: 'text', lang });
      const program = await createProgram(context, null);
      for (const command of commandsOf(program)) {
        const name = command.name();
        expect(command.description(), name).not.toBe('');
        for (const option of command.options)
          expect(option.description, `${name} ${option.flags}`).not.toBe('');
        for (const argument of command.registeredArguments) expect(argument.description, name).not.toBe('');
        for (const line of command.helpInformation().split('\n'))
          expect(width(line), line).toBeLessThanOrEqual(80);
      }
    });
  }

  test('every command that does something has an example in its help', async () => {
    const stdout = keepingWriter();
    const context = createContext(
      { stdout, stderr: keepingWriter(), env: {} },
      { output: 'text', lang: 'en' },
    );
    const leaves = commandsOf(await createProgram(context, null)).filter(
      (command) => command.commands.length === 0,
    );
    // `sandbox` is started by `up --sandbox`, not typed.
    for (const command of leaves.filter((leaf) => leaf.name() !== 'sandbox')) {
      const path = pathOf(command);
      const ran = await run([...path, '--help']);
      expect(ran.stdout, path.join(' ')).toContain(`fenghuo ${path.join(' ')}`);
      expect(ran.stdout, path.join(' ')).toContain('Example:');
    }
  });
});

function commandsOf(command: Command): Command[] {
  return command.commands.flatMap((below) => [below, ...commandsOf(below)]);
}

function pathOf(command: Command): string[] {
  return command.parent ? [...pathOf(command.parent), command.name()] : [];
}

describe('global options', () => {
  test.each<[string[], string, string | null]>([
    [['warning', 'list'], 'text', null],
    [['--json', 'warning', 'list'], 'json', null],
    [['warning', 'list', '-o', 'jsonl', '--lang', 'zh'], 'jsonl', 'zh'],
    [['-ojson', '--lang=en'], 'json', 'en'],
    [['--output=jsonl'], 'jsonl', null],
    [['warning', 'cancel', 'W1', '--', '--json'], 'text', null],
  ])('%j', (argv, output, lang) => {
    expect(readGlobals(argv)).toEqual({ output, lang });
  });

  test.each<[string[], string | null]>([
    [['-o', 'json', 'warning', 'list'], 'warning'],
    [['--lang', 'zh', '--json', 'silent', 'W1'], 'silent'],
    [['--help'], null],
    [[], null],
  ])('the command of %j is %s', (argv, command) => {
    expect(firstCommand(argv)).toBe(command);
  });

  test.each([
    [{ LC_ALL: 'en_US.UTF-8', LANG: 'zh_CN.UTF-8' }, 'en'],
    [{ LC_ALL: '', LC_MESSAGES: 'zh_TW.UTF-8', LANG: 'C' }, 'zh'],
    [{ LANG: 'zh_CN.UTF-8' }, 'zh'],
    [{}, 'en'],
  ])('the locale %j speaks %s', (env, lang) => {
    expect(languageOf(env)).toBe(lang);
  });

  test.each([
    [true, {}, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, {}, false],
  ])('terminal %s with %j takes colours: %s', (isTTY, env, colour) => {
    expect(takesColour({ write: () => true, isTTY }, env)).toBe(colour);
  });
});

describe('where the database is', () => {
  const nowhere = () => ({ FENGHUO_DATA_DIR: mkdtempSync(join(tmpdir(), 'fenghuo-cli-')) });

  test('without any, a sentence that says what to do', async () => {
    const ran = await run(['warning', 'list'], nowhere());
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('npx fenghuo up');
    expect(ran.stderr).toContain('DATABASE_URL');
  });

  test('an unreachable one ends with 6 and shows no password', async () => {
    const env = { DATABASE_URL: 'postgres://me:geheim@127.0.0.1:1/x', FENGHUO_SECRET: 'x'.repeat(32) };
    const ran = await run(['warning', 'list'], env);
    expect(ran.code).toBe(6);
    expect(ran.stderr).not.toContain('geheim');
  });

  test('that of a running `up` is found by its file; a broken file is said', async () => {
    const env = nowhere();
    const { instanceOf } = await import('../runtime/places.ts');
    const { mkdirSync } = await import('node:fs');
    const { directory } = instanceOf({ purpose: 'up', env });
    mkdirSync(directory, { recursive: true });
    const variables = { DATABASE_URL: 'postgres://me@127.0.0.1:1/x', FENGHUO_SECRET: 'x'.repeat(32) };
    writeFileSync(join(directory, 'environment.json'), JSON.stringify(variables));
    expect((await run(['warning', 'list'], env)).code).toBe(6);
    writeFileSync(join(directory, 'environment.json'), '{');
    const broken = await run(['warning', 'list'], env);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain('environment.json cannot be read');
  });
});
