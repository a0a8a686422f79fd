import { describe, expect, test } from 'vitest';
import { renderTable } from './table.ts';
import { clock, parseSpan, span } from './times.ts';
import { clip, harmless, pad, width, wrap } from './width.ts';

describe('text by columns', () => {
  test.each([
    ['濯水镇', 6],
    ['W12 open', 8],
    ['█▒░…·→', 6],
    ['【演练】', 8],
  ])('%s takes %i columns', (text, columns) => {
    expect(width(text)).toBe(columns);
  });

  test.each([
    ['濯水镇', 10, '濯水镇'],
    ['濯水镇', 6, '濯水镇'],
    ['濯水镇', 5, '濯水…'],
    ['濯水镇', 4, '濯…'],
    ['village', 4, 'vil…'],
    ['village', 1, '…'],
    ['village', 0, ''],
  ])('%s clipped to %i columns is %s', (text, columns, expected) => {
    expect(clip(text, columns)).toBe(expected);
    expect(width(clip(text, columns))).toBeLessThanOrEqual(columns);
  });

  test('padding counts columns, not characters', () => {
    expect(pad('镇', 4)).toBe('镇  ');
    expect(pad('镇', 4, 'right')).toBe('  镇');
  });

  test.each([5, 8, 13, 40])('wrapped lines are at most %i columns wide and lose nothing', (columns) => {
    const text =
      '请立即按预案组织防范,转移危险区域群众。 Act on your plan-now-and-move people,out of 危险区域';
    const lines = wrap(text, columns);
    expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(columns);
    expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
  });

  test('control characters and direction marks become spaces, line breaks stay', () => {
    expect(harmless('a\u001b[2Jb\r\nc\u202ed')).toBe('a [2Jb\nc d');
  });
});

describe('tables', () => {
  const rows = [
    { unit: '重庆市/黔江区/濯水镇/蒲花居民委员会', count: 7 },
    { unit: 'a', count: 1_234 },
  ];
  const columns = [
    { title: 'unit', of: (row: (typeof rows)[number]) => row.unit, shrinks: true },
    { title: 'count', of: (row: (typeof rows)[number]) => String(row.count), align: 'right' as const },
  ];

  test('columns line up under double width', () => {
    expect(renderTable(rows, columns, null)).toEqual([
      'unit                                 count',
      '重庆市/黔江区/濯水镇/蒲花居民委员会      7',
      'a                                     1234',
    ]);
  });

  test.each([80, 30, 20, 10])('at %i columns no line is wider', (most) => {
    for (const line of renderTable(rows, columns, most)) expect(width(line)).toBeLessThanOrEqual(most);
  });
});

describe('times', () => {
  test.each([
    [0, '00:00'],
    [-5_000, '00:00'],
    [61_000, '01:01'],
    [3_661_000, '1:01:01'],
    [90_061_000, '1d 01:01:01'],
  ])('%i ms on the clock: %s', (ms, expected) => {
    expect(clock(ms)).toBe(expected);
  });

  test.each([
    [21_600_000, '6 h', '6 小时'],
    [90_000, '1 min 30 s', '1 分钟 30 秒'],
    [90_061_000, '1 d 1 h', '1 天 1 小时'],
    [83, '0.1 s', '0.1 秒'],
  ])('%i ms in words: %s, %s', (ms, en, zh) => {
    expect([span(ms, 'en'), span(ms, 'zh')]).toEqual([en, zh]);
  });

  test('spans of the command line', () => {
    expect(['90s', '10m', '2h', '1d'].map(parseSpan)).toEqual([90_000, 600_000, 7_200_000, 86_400_000]);
    for (const text of ['10', 'm', '-1m', '1.5h', '']) expect(() => parseSpan(text)).toThrow('90s, 10m');
  });
});
