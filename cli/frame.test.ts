import { describe, expect, test } from 'vitest';
import { resolveRules } from '../domain/rules.ts';
import { readRulePack } from '../operations/rule-packs.ts';
import type { WarningView } from '../operations/warnings.ts';
import { bar, renderChange, renderFrame } from './frame.ts';
import { coverageOf } from './shapes.ts';
import { width } from './width.ts';

const NOW = Date.parse('2026-07-09T02:42:00+08:00');
const rules = resolveRules(await readRulePack(), 'red');

function view(change: Partial<WarningView> = {}): WarningView {
  const tier = (id: string, units: number, told: number, answered: number) => ({
    tier: id,
    units,
    opened: units,
    told,
    answered,
    silent: Math.floor(units / 10),
    escalated: Math.floor(units / 20),
  });
  return {
    warning: {
      warningId: 12,
      revision: 1,
      kind: 'exercise',
      hazard: '11B03',
      level: 'red',
      issuer: '重庆市气象台',
      textZh: '暴雨',
      textEn: 'rain',
      status: 'open',
      issuedAt: NOW - 60_000,
      expiresAt: NOW + 3_600_000,
      endedAt: null,
      endReason: null,
      ...{
        retracted: false,
        correctionZh: null,
        correctionEn: null,
        supersedesId: null,
        supersededById: null,
      },
      ...{ chainId: 12, incidentId: null, asksAgain: null },
      speed: 1,
      rules,
      areaIds: [1, 2],
      areas: ['黔江区濯水镇', '秀山土家族苗族自治县'],
    },
    tiers: [
      tier('city', 1, 1, 1),
      tier('district', 38, 38, 12),
      tier('township', 1_031, 1_031, 400),
      tier('village', 11_270, 9_000, 3_000),
      tier('group', 90_160, 60_000, 100),
      tier('household', 11_720_800, 5_000_000, 1),
    ],
    progress: { cellsOpen: 39, mail: 3, pagesOpen: 2, nextDeadlines: [NOW + 61_000, NOW + 3_725_000] },
    settled: false,
    events: [
      { at: NOW - 1_000, event: 'answered', unit: '蒲花居民委员会', tier: 'village', other: null },
      { at: NOW - 2_000, event: 'silent', unit: '第三组\u001b[2J', tier: 'group', other: null },
      { at: NOW - 60_000, event: 'replaces', unit: null, tier: null, other: 11 },
    ],
    paused: null,
    endNotices: null,
    ...change,
  };
}

describe('the picture of a running warning', () => {
  for (const lang of ['zh', 'en'] as const) {
    test.each([120, 80, 60, 40, 24, 10])(`in ${lang} no line is wider than %i columns`, (columns) => {
      const note = 'The database does not answer; trying again. 数据库没有应答,正在重试。';
      const frame = renderFrame(view(), { columns, lang, colour: false, now: NOW, note });
      for (const line of frame.split('\n')) expect(width(line)).toBeLessThanOrEqual(columns);
    });

    test(`in ${lang} columns stand under each other at 80`, () => {
      const lines = renderFrame(view(), { columns: 80, lang, colour: false, now: NOW }).split('\n');
      const heading = lines.findIndex((line) => /单位|units/.test(line));
      const table = lines.slice(heading, heading + 7);
      expect(new Set(table.map(width)).size).toBe(1);
    });
  }

  test('colours change no width and no word', () => {
    const input = { columns: 80, lang: 'zh', now: NOW } as const;
    const coloured = renderFrame(view(), { ...input, colour: true });
    expect(coloured).toContain('\u001b[1;31m暴雨红色预警');

    expect(coloured.replaceAll(/\u001b\[[\d;]*m/g, '')).toBe(
      renderFrame(view(), { ...input, colour: false }),
    );
  });

  test('it says what it is, how long it lasts, what is due, what happened', () => {
    const frame = renderFrame(view(), { columns: 80, lang: 'zh', colour: false, now: NOW });
    expect(frame).toContain('【演练】 暴雨红色预警  W12 生效中');
    expect(frame).toContain('剩余 1:00:00');
    expect(frame).toContain('下一时限 01:01 · 1:02:05');
    expect(frame).toContain('02:41:59  已应    村居  蒲花居民委员会');
    expect(frame).toContain('02:41:00  接替    W11');
  });

  test('an ended warning says when it ended, not how long it lasts', () => {
    const { warning } = view();
    const ended = view({ warning: { ...warning, status: 'cancelled', endedAt: NOW } });
    const frame = renderFrame(ended, { columns: 80, lang: 'en', colour: false, now: NOW });
    expect(frame).toContain('cancelled');
    expect(frame).toContain('ended 2026-07-09 02:42');
    expect(frame).not.toContain('left');
  });

  test('names cannot move the cursor', () => {
    expect(renderFrame(view(), { columns: 80, lang: 'zh', colour: false, now: NOW })).not.toMatch(/\u001b/);
  });

  test('on a low terminal the oldest events give way', () => {
    const rows = 13;
    const frame = renderFrame(view(), { columns: 80, rows, lang: 'zh', colour: false, now: NOW });
    expect(frame.split('\n').length).toBeLessThan(rows);
    expect(frame).toContain('户');
  });

  test('a line of a log has every tier with units', () => {
    expect(renderChange(view({ tiers: view().tiers.slice(0, 2) }), { lang: 'en', now: NOW })).toBe(
      '02:42:00 W12 open | city told 1 answered 1 of 1 | district told 38 answered 12 of 38, was silent 3',
    );
  });
});

describe('a bar', () => {
  const drawn = (units: number, told: number, answered: number) =>
    bar({ units, told, answered }, 10)
      .map(({ text }) => text)
      .join('');

  test.each([
    [0, 0, 0, '░░░░░░░░░░'],
    [10, 0, 0, '░░░░░░░░░░'],
    [10, 10, 5, '█████▒▒▒▒▒'],
    [10, 10, 10, '██████████'],
    // One of many is seen, one missing of many is seen.
    [10_000, 1, 1, '█░░░░░░░░░'],
    [10_000, 10_000, 9_999, '█████████▒'],
    [10_000, 9_999, 0, '▒▒▒▒▒▒▒▒▒░'],
    // An answer before the first send.
    [10, 0, 10, '██████████'],
  ])('%i units, %i told, %i answered: %s', (units, told, answered, expected) => {
    expect(drawn(units, told, answered)).toBe(expected);
  });
});

describe('coverage', () => {
  test('counts official units, not households, and never rounds up', () => {
    const tiers = view().tiers.map((tier) => ({ ...tier, units: 1_000, answered: 999 }));
    expect(coverageOf({ tiers })).toBe(99.9);
    expect(coverageOf({ tiers: tiers.map((tier) => ({ ...tier, units: 100_000, answered: 99_999 })) })).toBe(
      99.9,
    );
    expect(coverageOf({ tiers: [] })).toBe(100);
  });
});
