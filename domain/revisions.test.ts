import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { askingOf, risen, type Asking, type RevisedWarning } from './revisions.ts';
import { resolveRules, rulePackSchema } from './rules.ts';
import { isStandardText, standardText } from './texts.ts';

const standing = (level: RevisedWarning['level'], areas = ['黔江区'], issuedAt = 0): RevisedWarning => {
  const about = { issuer: '城气象台', hazard: '11B03', level };
  const words = { ...about, areas, issuedAt };
  return { ...about, textZh: standardText('zh', words), textEn: standardText('en', words) };
};
const written = (level: RevisedWarning['level'], textZh = '请转移。'): RevisedWarning => ({
  ...standing(level),
  textZh,
});

describe('who has answered must answer anew', () => {
  it.each<[string, RevisedWarning, RevisedWarning, Asking]>([
    ['to a higher level', standing('orange'), standing('red'), { again: true, because: 'higher level' }],
    ['to a text that somebody wrote', standing('red'), written('red'), { again: true, because: 'new text' }],
    ['to another text', written('red'), written('red', '请到学校。'), { again: true, because: 'new text' }],
    [
      'to a lower level with a new text',
      written('red'),
      written('blue', '留在家中。'),
      { again: true, because: 'new text' },
    ],
    ['not to a lower level', standing('red'), standing('yellow'), { again: false, because: 'lower level' }],
    [
      'not to a lower level in the same words',
      written('red'),
      written('orange'),
      { again: false, because: 'lower level' },
    ],
    [
      'not to another area, at another time',
      standing('red'),
      standing('red', ['秀山', '酉阳'], 7e6),
      { again: false, because: 'same order' },
    ],
  ])('%s', (_what, before, after, asking) => {
    expect(askingOf(before, after)).toEqual(asking);
  });
});

it('knows the standing words whatever time and areas they name, and nothing else', () => {
  expect(isStandardText('zh', standing('red', ['一', '二'], 9e9))).toBe(true);
  expect(isStandardText('zh', written('red'))).toBe(false);
  expect(isStandardText('en', written('red'))).toBe(true);
  expect(isStandardText('zh', { ...standing('red'), level: 'orange' })).toBe(false);
  expect(isStandardText('zh', { ...standing('red'), textZh: `${standing('red').textZh}请转移。` })).toBe(
    false,
  );
});

describe('urgency', () => {
  const file = new URL('../scenarios/rules/default-unofficial.yaml', import.meta.url);
  const rules = resolveRules(rulePackSchema.parse(parse(readFileSync(file, 'utf8'))), 'red');

  it('rises from the second red of an incident on: everyone is called at first, and the superior hears with the next', () => {
    expect(risen(rules, 1)).toBe(rules);
    expect(risen(rules, 2).ladder[0]).toMatchObject({
      ...{ who: 'everyone', tellSuperior: false, waitMs: rules.ladder[0]?.waitMs },
    });
    expect(risen(rules, 2).ladder[1]).toEqual({ ...rules.ladder[1], tellSuperior: true });
    expect(risen(rules, 2).ladder.slice(2)).toEqual(rules.ladder.slice(2));
  });

  it('does not rise where the rule pack does not say so', () => {
    const without = { ...rules };
    delete without.repeated;
    expect(risen(without, 5)).toBe(without);
  });
});
