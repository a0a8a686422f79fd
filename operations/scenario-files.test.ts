/** Bad scenario files: every problem by its line, and nothing is read that should not be. */
import { mkdtempSync, openSync, ftruncateSync, closeSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRegister } from './rehearsal-tree.ts';
import { parseScenario, readScenario, ScenarioRefused } from './scenario-files.ts';

const register = await readRegister();

const GOOD = `name: a-drill
title: { zh: 演练, en: A drill }
about: Something that happens.
startsAt: '2026-07-09T02:42:00+08:00'
timeline:
  - at: +0m
    warning: { name: one, hazard: 暴雨, level: red, where: [黔江区/濯水镇], expires: +6h }
  - at: +30m
    update: { of: one, name: two, level: orange }
  - at: +2h
    cancel: { of: two }
expect:
  - answered: { tier: village, percent: 90, within: 20m }
`;

/** Lines and sentences of what is wrong with a text. */
function problemsOf(text: string): [line: number | null, sentence: string][] {
  try {
    parseScenario(text, register, 'test');
  } catch (error) {
    if (error instanceof ScenarioRefused)
      return error.problems.map(({ line, place, sentence }) => [line, `${place}: ${sentence}`]);
    throw error;
  }
  return [];
}

test('a good file has none', () => {
  expect(problemsOf(GOOD)).toEqual([]);
});

describe('each problem has its line', () => {
  test.each<[what: string, from: string, to: string, line: number, sentence: RegExp]>([
    ['a unit that is not there', '黔江区/濯水镇', '黔江区/无此镇', 7, /there is no unit 黔江区\/无此镇/],
    ['a unit that is meant several ways', '黔江区/濯水镇', '和平社区居民委员会', 7, /units are called/],
    [
      'a unit of another place, with where it is',
      '黔江区/濯水镇',
      '万州区/濯水镇',
      7,
      /perhaps 重庆市\/黔江区\/濯水镇/,
    ],
    ['times out of order', '+2h', '+10m', 10, /lies before the event above it/],
    ['a time that is none', '+2h', 'two hours', 10, /must be a time from the start/],
    ['an event of no kind', '    cancel: { of: two }', '', 10, /must have one of warning, update/],
    ['a hazard that is not known', '暴雨', '洪荒', 7, /not a hazard/],
    ['a level the hazard has not', '暴雨, level: red', '沙尘暴, level: blue', 7, /has no blue warnings/],
    ['a level that is none', 'level: orange', 'level: purple', 9, /expected one of/],
    ['a warning that is not there', 'of: two', 'of: three', 11, /no warning three before it/],
    ['a warning that has ended', 'of: two', 'of: one', 11, /has ended before/],
    ['a name used twice', 'name: two', 'name: one', 9, /there is a warning one already/],
    ['a key that is none', 'about:', 'abuot:', 3, /abuot: is not a key/],
    ['an expectation past the end', 'within: 20m', 'within: 3h', 13, /ends before 3h/],
    [
      'a warning that nobody expects',
      '- answered',
      '- warning: ten\n    answered',
      13,
      /there is no warning ten/,
    ],
    ['more than all', 'percent: 90', 'percent: 130', 13, /<=100/],
  ])('%s', (_, from, to, line, sentence) => {
    const problems = problemsOf(GOOD.replace(from, to));
    expect(problems.map(([at, text]) => `${at} ${text}`).join('\n')).toMatch(sentence);
    expect(problems.map(([at]) => at)).toContain(line);
  });

  test.each(['response', 'order', 'facility'])('%s is reserved, and said so', (kind) => {
    expect(problemsOf(GOOD.replace('cancel: { of: two }', `${kind}: { level: I }`))).toContainEqual([
      11,
      `timeline[2].${kind}: "${kind}" is reserved: the engine has no such event yet. Leave it out`,
    ]);
  });

  test('all of them at once', () => {
    const bad = GOOD.replace('暴雨', '洪荒').replace('濯水镇', '无此镇').replace('+2h', '+1m');
    expect(problemsOf(bad).map(([line]) => line)).toEqual([7, 7, 10]);
    const worse = bad.replace('percent: 90', 'percent: many').replace('about:', 'abuot:');
    expect(problemsOf(worse).map(([line]) => line)).toEqual([1, 3, 7, 13]);
  });
});

describe('expectations that contradict each other', () => {
  test.each<[string, string]>([
    ['answered twice', '- answered: { tier: village, percent: 80, within: 20m }'],
    [
      'silent although all answered',
      '- { silent: { tier: village, atLeast: 1, after: 20m } }\n  - answered: { tier: village, percent: 100, within: 15m }',
    ],
    [
      'bridged and not',
      '- bridged: { where: 黔江区/濯水镇, within: 20m }\n  - notBridged: { where: 黔江区/濯水镇 }',
    ],
    ['at most below at least', '- silent: { atMost: 1, atLeast: 2, after: 10m }'],
    [
      'one at most, two at least',
      '- silent: { atMost: 1, after: 10m }\n  - silent: { atLeast: 2, after: 10m }',
    ],
    ['a correction of what nobody took back', '- corrected: { within: 10m }'],
  ])('%s', (_, lines) => {
    const problems = problemsOf(`${GOOD}  ${lines}\n`);
    expect(problems).not.toEqual([]);
    expect(problems.map(([, sentence]) => sentence).join()).toMatch(/contradicts|neither cancelled nor/);
    for (const [line] of problems) expect(line).toBeGreaterThan(13);
  });
});

describe('files that would do harm', () => {
  const directory = mkdtempSync(join(tmpdir(), 'scenarios-'));

  test('a bomb of aliases is refused by its lines', () => {
    const bomb = `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n`;
    const problems = problemsOf(bomb);
    expect(problems.map(([line]) => line)).toEqual([1, 2, 2, 2, 3, 3]);
    expect(problems[0]?.[1]).toContain('aliases');
  });

  test('what is nested too deeply is refused', () => {
    expect(problemsOf(`a: ${'['.repeat(50_000)}`).length).toBeGreaterThan(0);
    expect(problemsOf(`a: ${'['.repeat(20_000)}${']'.repeat(20_000)}`).length).toBeGreaterThan(0);
  });

  test('100 MB are not even read', async () => {
    const file = join(directory, 'huge.yaml');
    const handle = openSync(file, 'w');
    ftruncateSync(handle, 100 * 1024 * 1024);
    closeSync(handle);
    const before = process.memoryUsage().arrayBuffers;
    await expect(readScenario(file, register)).rejects.toMatchObject({
      code: 'scenario',
      details: [expect.stringContaining('was not read')],
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ['not UTF-8', Uint8Array.of(0xff, 0xfe, 0x41), /not UTF-8/],
    ['empty', '', /expected object/],
    ['not YAML', 'a: b: c', /Nested mappings/],
    ['a key twice', 'name: a\nname: b\n', /unique/],
    ['a tag', 'name: !!js/function "x"\n', /tag/],
  ])('%s', async (name, content, sentence) => {
    const file = join(directory, `${name.replaceAll(' ', '-')}.yaml`);
    writeFileSync(file, content);
    await expect(readScenario(file, register)).rejects.toMatchObject({
      refusal: 'usage',
      details: expect.arrayContaining([expect.stringMatching(sentence)]) as unknown,
    });
  });

  test('a folder, and a file that is not there', async () => {
    await expect(readScenario(directory + '/', register)).rejects.toMatchObject({ refusal: 'usage' });
    await expect(readScenario('no-such-drill', register)).rejects.toMatchObject({ refusal: 'notFound' });
  });
});
