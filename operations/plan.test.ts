import { describe, expect, test } from 'vitest';
import { findHazard } from '../domain/hazards.ts';
import { findLevel } from '../domain/levels.ts';
import { resolveRules } from '../domain/rules.ts';
import { MINUTE_MS } from '../domain/time.ts';
import { firstDeadlines, plannedTexts, type PlannedText } from './plan.ts';
import { readRulePack } from './rule-packs.ts';

const pack = await readRulePack();

describe('first deadlines', () => {
  test('of a red warning, by the shipped rule pack', () => {
    expect(firstDeadlines(resolveRules(pack, 'red'))).toEqual({
      answerMs: 5 * MINUTE_MS,
      rungs: [
        { name: 'tell', afterMs: 0 },
        { name: 'other channel', afterMs: 5 * MINUTE_MS },
        { name: 'deputies', afterMs: 10 * MINUTE_MS },
        { name: 'bridge', afterMs: 15 * MINUTE_MS },
      ],
      superiorHearsMs: 12 * MINUTE_MS,
      bridgeMs: 15 * MINUTE_MS,
      cannotActHearsMs: MINUTE_MS / 2,
    });
  });

  test('are divided by the speed', () => {
    expect(firstDeadlines(resolveRules(pack, 'red', 60)).superiorHearsMs).toBe(12_000);
  });

  test('a ladder that tells nobody says so', () => {
    const rules = resolveRules(pack, 'red');
    const ladder = rules.ladder.map((rung) => ({ ...rung, tellSuperior: false, bridge: false }));
    expect(firstDeadlines({ ...rules, ladder })).toMatchObject({ superiorHearsMs: null, bridgeMs: null });
  });
});

describe('texts of the plan', () => {
  const warning = {
    hazard: findHazard('暴雨') as NonNullable<ReturnType<typeof findHazard>>,
    level: findLevel('red') as NonNullable<ReturnType<typeof findLevel>>,
    issuer: '市台',
    textZh: '暴雨。',
    textEn: 'Rain.',
  };
  const find = (texts: PlannedText[], language: string, purpose: string) =>
    texts.find((text) => text.language === language && text.purpose === purpose);

  test('a short Chinese SMS is one part of UCS-2, marked as an Exercise', () => {
    const text = find(plannedTexts(warning, '濯水镇'), 'zh', 'household');
    expect(text).toMatchObject({ parts: 1, encoding: 'UCS-2' });
    expect(text?.text).toMatch(/^【演练】.*【演练】$/);
  });

  test('a part of a longer one holds 67 characters', () => {
    const long = find(plannedTexts({ ...warning, textZh: '雨'.repeat(67 * 3) }, '镇'), 'zh', 'household');
    expect(long?.parts).toBe(Math.ceil((long?.characters ?? 0) / 67));
  });

  test('plain English is GSM-7', () => {
    expect(find(plannedTexts(warning, 'Zhuoshui'), 'en', 'rung')).toMatchObject({
      parts: 1,
      encoding: 'GSM-7',
    });
  });
});
