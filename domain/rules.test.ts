/** Rule packs: what is shipped parses and cites, what is wrong is refused with its place, and speed scales every time. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { LEVELS } from './levels.ts';
import { resolveRules, rulePackSchema, type RulePack } from './rules.ts';
import { TIERS } from './tiers.ts';

const text = readFileSync(new URL('../scenarios/rules/default-unofficial.yaml', import.meta.url), 'utf8');

/** The shipped pack as plain data, to be spoiled. */
function draft(): RulePack {
  return structuredClone(parse(text)) as RulePack;
}

function refusal(pack: unknown): { path: string; message: string }[] {
  const result = rulePackSchema.safeParse(pack);
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
}

/** Every object with a `value`, with its path. */
function* numbers(node: unknown, path: string[] = []): Generator<{ path: string; source: unknown }> {
  if (typeof node === 'number') yield { path: path.join('.'), source: undefined };
  if (typeof node !== 'object' || node === null) return;
  if ('value' in node) yield { path: path.join('.'), source: 'source' in node ? node.source : undefined };
  else for (const [key, value] of Object.entries(node)) yield* numbers(value, [...path, key]);
}

describe('the shipped pack', () => {
  const pack = rulePackSchema.parse(parse(text));

  test('has rules for every level', () => {
    expect(Object.keys(pack.levels).sort()).toEqual(LEVELS.map(({ id }) => id as string).sort());
  });

  test('names a listed source for every number', () => {
    const all = [...numbers(pack.levels)];
    expect(all.length).toBeGreaterThan(40);
    expect(all.filter(({ source }) => typeof source !== 'string' || !(source in pack.sources))).toEqual([]);
  });

  test('lists no source that nothing cites, but the one of a rule without a number', () => {
    const cited = new Set([...numbers(pack.levels)].map(({ source }) => source));
    expect(Object.keys(pack.sources).filter((source) => !cited.has(source))).toEqual(['direct']);
  });

  test('names only tiers that exist', () => {
    const tiers = TIERS.map(({ id }) => id);
    for (const level of Object.values(pack.levels)) {
      for (const tier of [...level.endReport.tiers, ...Object.keys(level.descendWaitMinutes)]) {
        expect(tiers).toContain(tier);
      }
    }
  });

  test('goes straight to the grass roots on red: no tier waits', () => {
    expect(resolveRules(pack, 'red').descendWaitMs).toEqual({});
  });

  test.each(LEVELS.map(({ id }) => id))('tells a superior and bridges on %s', (level) => {
    const { ladder } = resolveRules(pack, level);
    expect(ladder.some((rung) => rung.tellSuperior)).toBe(true);
    expect(ladder.some((rung) => rung.bridge)).toBe(true);
    for (const rung of ladder) expect(rung.by.length > 0).toBe(rung.who !== 'nobody');
  });
});

describe('a pack is refused', () => {
  test('with a source that is not listed, and says where', () => {
    const pack = draft();
    const rung = pack.levels.yellow.ladder[1];
    if (rung) rung.waitMinutes.source = 'hearsay';
    expect(refusal(pack)).toContainEqual({
      path: 'levels.yellow.ladder.1.waitMinutes.source',
      message: 'source "hearsay" is not listed under sources',
    });
  });

  test.each([
    [
      'a number without a source',
      (pack: RulePack) => Object.assign(pack.levels.red, { handOffMaxMinutes: 2 }),
      'levels.red.handOffMaxMinutes',
    ],
    [
      'a negative time',
      (pack: RulePack) => Object.assign(pack.levels.red.handOffMaxMinutes, { value: -1 }),
      'levels.red.handOffMaxMinutes.value',
    ],
    [
      'an empty ladder',
      (pack: RulePack) => Object.assign(pack.levels.red, { ladder: [] }),
      'levels.red.ladder',
    ],
    [
      'an unknown channel',
      (pack: RulePack) => Object.assign(pack.levels.red.households, { by: ['pigeon'] }),
      'levels.red.households.by.0',
    ],
    ['an unknown word', (pack: RulePack) => Object.assign(pack.levels.red, { bridging: true }), 'levels.red'],
  ] as const)('with %s', (_what, spoil, path) => {
    const pack = draft();
    spoil(pack);
    expect(refusal(pack).map((issue) => issue.path)).toContain(path);
  });
});

describe('resolving', () => {
  const pack = rulePackSchema.parse(parse(text));

  test('minutes become milliseconds', () => {
    const { red } = pack.levels;
    const rules = resolveRules(pack, 'red');
    expect(rules.ladder.map((rung) => rung.waitMs)).toEqual(
      red.ladder.map(({ waitMinutes }) => waitMinutes.value * 60_000),
    );
    expect(rules.handOffMaxMs).toBe(red.handOffMaxMinutes.value * 60_000);
    expect(rules.digest.urgentWindowMs).toBe(red.digest.urgentWindowMinutes.value * 60_000);
  });

  test('a rung of several times is as many rungs, each with the whole wait', () => {
    const [first] = pack.levels.red.ladder;
    const times = { value: 3, source: 'choice' };
    const red = { ...pack.levels.red, ladder: [{ ...first, by: ['voice'], times }, first] };
    const rules = resolveRules({ ...pack, levels: { ...pack.levels, red } } as typeof pack, 'red');
    expect(rules.ladder.map(({ by, waitMs }) => [by, waitMs])).toEqual([
      ...Array<unknown>(3).fill([['voice'], 300_000]),
      [['sms'], 300_000],
    ]);
  });

  test('speed divides every time, and no count', () => {
    const real = resolveRules(pack, 'yellow');
    const fast = resolveRules(pack, 'yellow', 60);
    const compare = (one: unknown, other: unknown, key: string): void => {
      if (typeof one === 'object' && one !== null) {
        for (const [name, value] of Object.entries(one)) {
          // An Exercise that runs faster than life has no nights.
          if (name === 'quietHours') continue;
          compare(value, (other as Record<string, unknown>)[name], /Ms$/.test(key) ? key : name);
        }
      } else if (typeof one === 'number') {
        expect(other, key).toBe(/Ms$/.test(key) ? one / 60 : one);
      } else expect(other, key).toBe(one);
    };
    compare(real, fast, 'rules');
  });

  test('no time becomes nothing, however fast', () => {
    expect(resolveRules(pack, 'red', 1e9).ladder.every((rung) => rung.waitMs >= 1)).toBe(true);
  });
});

test('a pack that was read can be written and read again', () => {
  const pack = rulePackSchema.parse(parse(text));
  expect(rulePackSchema.parse(JSON.parse(JSON.stringify(pack)))).toEqual(pack);
  expect(resolveRules(pack, 'blue').quietHours).toEqual({ fromMinute: 22 * 60, toMinute: 7 * 60 });
});
