import { segmentsOf } from '../test/harness/segments.ts';
import { describe, expect, it } from 'vitest';
import {
  CATALOGUES,
  denialIn,
  EXERCISE_MARK,
  render,
  standardText,
  type MessageContent,
  type WarningText,
} from './texts.ts';

const ISSUED_AT = Date.parse('2026-07-09T02:42:00+08:00');

const wording = { issuer: '重庆市气象台', hazard: '11B03', level: 'red' as const, issuedAt: ISSUED_AT };

const warning = (kind: 'exercise' | 'actual'): WarningText => ({
  warningId: 12,
  kind,
  hazard: '11B03',
  level: 'red',
  issuer: '重庆市气象台',
  textZh: standardText('zh', { ...wording, areas: ['濯水镇'] }),
  textEn: standardText('en', { ...wording, areas: ['Zhuoshui'] }),
});

const content = (changes: Partial<MessageContent> = {}): MessageContent => ({
  purpose: 'rung',
  language: 'zh',
  units: ['濯水镇'],
  number: '4821',
  link: null,
  bridge: null,
  digest: null,
  report: null,
  ...changes,
});

const PURPOSES = [
  ...(['rung', 'bridge notice', 'digest', 'end report', 'household', 'cancel notice'] as const),
  ...(['done reminder', 'door to door', 'change notice'] as const),
];
const LANGUAGES = ['zh', 'en'] as const;

it('has the same texts with the same blanks in both languages', () => {
  const blanks = (text: string) => [...new Set(text.match(/\{(\w+)/g) ?? [])].sort();
  expect(Object.keys(CATALOGUES.en)).toEqual(Object.keys(CATALOGUES.zh));
  for (const key of Object.keys(CATALOGUES.zh) as (keyof typeof CATALOGUES.zh)[]) {
    expect(blanks(CATALOGUES.en[key]), key).toEqual(blanks(CATALOGUES.zh[key]));
  }
});

describe('an Exercise that denies to be one', () => {
  const denials = [
    '注意:这不是演练!',
    '此次并非 演练',
    '这不是一次演练',
    '绝非演習',
    '请注意,这不 是“演练”',
    'THIS IS NOT A DRILL',
    'This isn’t an exercise.',
    'It is not just a test',
    'No drill!',
  ];

  it.each(denials)('is found out: %s', (text) => {
    expect(denialIn(text)).not.toBeNull();
  });

  it.each([
    '这是一次演练',
    '除非演练结束',
    '不是所有演练点位都开放',
    'Test of the drill',
    'not an exercised right',
  ])('what says nothing of the kind is not: %s', (text) => {
    expect(denialIn(text)).toBeNull();
  });

  it.each(denials)('goes out without these words, whatever was written: %s', (denial) => {
    const said = { textZh: `暴雨。${denial}`, textEn: `Rain. ${denial}` };
    for (const language of LANGUAGES) {
      const { text } = render({ ...warning('exercise'), ...said }, content({ language }));
      expect(denialIn(text)).toBeNull();
      expect(render({ ...warning('actual'), ...said }, content({ language })).text).toContain(denial);
    }
  });
});

describe.each(LANGUAGES)('in %s', (language) => {
  it.each(PURPOSES)('an Exercise is marked at both ends of subject and text: %s', (purpose) => {
    const message = render(warning('exercise'), content({ purpose, language }));
    for (const part of [message.subject, message.text]) {
      expect(part.startsWith(EXERCISE_MARK[language])).toBe(true);
      expect(part.endsWith(EXERCISE_MARK[language])).toBe(true);
    }
  });

  it.each(PURPOSES)('an actual warning carries no mark and leaves no blank: %s', (purpose) => {
    const { subject, text } = render(warning('actual'), content({ purpose, language }));
    expect(subject + text).not.toMatch(/演练|EXERCISE|\{|\}|undefined|null/);
  });

  it('leads with issuer, level and place, then says how to answer, with the number', () => {
    const { text } = render(warning('actual'), content({ language }));
    expect(text.startsWith('重庆市气象台')).toBe(true);
    expect(text.indexOf('4821')).toBeGreaterThan(text.length / 2);
  });
});

it('writes a warning as China’s services publish it', () => {
  expect(standardText('zh', { ...wording, areas: ['濯水镇'] })).toBe(
    '重庆市气象台2026年7月9日02时42分发布暴雨红色预警信号:濯水镇。请立即按预案组织防范,转移危险区域群众。',
  );
});

it.each([
  ['an official', content(), 2],
  ['a household', content({ purpose: 'household' }), 2],
  ['a bridged official', content({ bridge: { silent: '濯水镇', reportsTo: '黔江区' } }), 2],
  ['an all-clear', content({ purpose: 'cancel notice' }), 1],
  ['a reminder', content({ purpose: 'done reminder' }), 2],
  [
    'a door-to-door task of six households',
    content({ purpose: 'door to door', doors: { count: 9, names: Array<string>(6).fill('欧阳建国家') } }),
    2,
  ],
  [
    'a digest of six names',
    content({
      purpose: 'digest',
      digest: { count: 12, names: ['一', '二', '三', '四', '五', '六'].map((n) => `第${n}村民委员会`) },
    }),
    2,
  ],
])('keeps %s within its parts of an SMS (67 characters each)', (_who, message, partsMost) => {
  expect(segmentsOf(render(warning('exercise'), message).text)).toBeLessThanOrEqual(partsMost);
});

it('names what a bridged unit must know: who is silent, and whom to report to', () => {
  const { text } = render(
    warning('exercise'),
    content({ bridge: { silent: '濯水镇', reportsTo: '黔江区' } }),
  );
  expect(text).toContain('您的上级濯水镇暂未应答,请直接向黔江区报告。');
});
