/** What is said back: in both languages, of every kind, and short. */
import { describe, expect, it, test } from 'vitest';
import { segmentsOf } from '../test/harness/segments.ts';
import { parseReply } from './reply.ts';
import { backText, REPLY_TEXTS, type Back, type ReplyTextKey } from './reply-texts.ts';

/** 02:42 in China. */
const AT = Date.parse('2026-07-09T02:42:00+08:00');

const recorded = {
  say: 'recorded',
  by: '李书记',
  units: ['濯水村'],
  answer: 'received',
  count: null,
  at: AT,
} as const;

const EVERY = [
  recorded,
  { ...recorded, answer: 'done', count: 12 },
  { ...recorded, answer: 'cannot act', units: ['甲村', '乙村', '丙村', '丁村', '戊村'] },
  {
    say: 'which warning',
    warnings: [
      { hazard: '11B03', level: 'red' },
      { hazard: '11B06', level: 'blue' },
    ],
  },
  { say: 'not understood' },
  { say: 'too late' },
  { say: 'stopped' },
  { say: 'started' },
] as const;

const KEYS = Object.keys(REPLY_TEXTS.zh) as ReplyTextKey[];
const places = (text: string) => [...text.matchAll(/\{(\w+)/g)].map(([, name]) => name).sort();

it('says everything in both languages, with the same values', () => {
  expect(Object.keys(REPLY_TEXTS.en).sort()).toEqual([...KEYS].sort());
  for (const key of KEYS) {
    const [zh, en] = [REPLY_TEXTS.zh[key], REPLY_TEXTS.en[key]];
    expect(zh.trim() && en.trim()).not.toBe('');
    // Chinese has no plural: what only chooses a word in English may be missing there.
    expect({ key, places: new Set(places(zh)) }).toEqual({
      key,
      places: new Set(places(en).filter((place) => place !== 'one' && place !== 'other')),
    });
  }
});

describe('says who was recorded, for what, and when', () => {
  test.each<[Back, string]>([
    [
      { ...recorded, language: 'zh', kind: 'actual' },
      '已记录:李书记(濯水村)于2026年7月9日02时42分应答“收到”。如有变化请再次回复。',
    ],
    [
      { ...recorded, answer: 'done', count: 12, language: 'zh', kind: 'exercise' },
      '【演练】已记录:李书记(濯水村)于2026年7月9日02时42分应答“已落实,12人”。如有变化请再次回复。【演练】',
    ],
    [
      { ...recorded, answer: 'done', count: 1, language: 'en', kind: 'exercise' },
      '[EXERCISE]Recorded: 李书记 (濯水村) answered "done, 1 person" at 2026-07-09 02:42. If that changes, reply again.[EXERCISE]',
    ],
    [
      {
        ...recorded,
        units: ['甲', '乙', '丙', '丁', '戊'],
        answer: 'cannot act',
        language: 'zh',
        kind: 'actual',
      },
      '已记录:李书记(甲、乙、丙等2个单位)于2026年7月9日02时42分应答“无法执行,已报告上级”。如有变化请再次回复。',
    ],
  ])('%#', (back, text) => {
    expect(backText(back)).toBe(text);
  });
});

it('names the warnings that a reply could mean', () => {
  const warnings = [
    { hazard: '11B03', level: 'red' },
    { hazard: '11B06', level: 'blue' },
  ];
  expect(backText({ say: 'which warning', warnings, language: 'zh', kind: 'actual' })).toContain(
    '暴雨红色、大风蓝色',
  );
  expect(backText({ say: 'which warning', warnings, language: 'en', kind: 'actual' })).toContain(
    'rainstorm, red, gale, blue',
  );
});

describe.each(['zh', 'en'] as const)('in %s', (language) => {
  it('carries the mark of an Exercise first and last, and never otherwise', () => {
    const mark = { zh: '【演练】', en: '[EXERCISE]' }[language];
    for (const one of EVERY) {
      const exercise = backText({ ...one, language, kind: 'exercise' });
      expect(exercise.startsWith(mark) && exercise.endsWith(mark)).toBe(true);
      expect(backText({ ...one, language, kind: 'actual' })).not.toContain(mark);
    }
  });

  it('fits three segments', () => {
    for (const one of EVERY)
      expect(segmentsOf(backText({ ...one, language, kind: 'exercise' }))).toBeLessThanOrEqual(3);
  });

  it('is itself no answer, so that two machines never answer each other', () => {
    for (const one of EVERY)
      for (const kind of ['exercise', 'actual'] as const)
        expect(parseReply(backText({ ...one, language, kind }))).toBeNull();
  });
});
