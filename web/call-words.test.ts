import { describe, expect, test } from 'vitest';
import type { CallText } from '../operations/call-text.ts';
import {
  askingTwiml,
  CALL_WORDS,
  closingTwiml,
  nothingTwiml,
  sayInCall,
  type CallWord,
} from './call-words.ts';

const CALL: CallText = {
  language: 'zh',
  kind: 'exercise',
  state: 'open',
  hazard: '暴雨',
  level: 'red',
  issuer: '城气象台',
  text: '立即转移 <低洼> & 沿河群众。',
  units: ['濯水镇', '双龙村', '三组', '四组'],
};
const WORDS = Object.keys(CALL_WORDS.zh) as CallWord[];

test('both languages have the same sentences, with the same blanks', () => {
  expect(Object.keys(CALL_WORDS.en).sort()).toEqual(Object.keys(CALL_WORDS.zh).sort());
  const blanks = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const word of WORDS) expect(blanks(CALL_WORDS.en[word]), word).toEqual(blanks(CALL_WORDS.zh[word]));
});

describe.each(['zh', 'en'] as const)('in %s', (language) => {
  test.each(WORDS)('%s leaves no blank', (word) => {
    expect(sayInCall({ ...CALL, language }, word)).not.toMatch(/[{}]/);
  });
});

test('a question says the warning, names each key, and an Exercise is marked first and last', () => {
  const twiml = askingTwiml(CALL, 'https://fenghuo.example/twilio/voice/1.1/key?step=1#rc=4');
  expect(twiml).toContain('numDigits="1"');
  expect(twiml).toContain('finishOnKey=""');
  expect(twiml).toContain('actionOnEmptyResult="true"');
  expect(twiml).toContain('action="https://fenghuo.example/twilio/voice/1.1/key?step=1#rc=4"');
  expect(twiml).toMatch(/<Say language="zh-CN">【演练】立即转移 &lt;低洼&gt; &amp; 沿河群众。<\/Say>/);
  expect(twiml).toMatch(/收到请按1,重听请按2,无法执行请按3,按星号键重复。【演练】<\/Say><\/Gather>/);
  expect(twiml).toContain('濯水镇、双龙村、三组注意');
});

test('an actual warning carries no mark', () => {
  expect(askingTwiml({ ...CALL, kind: 'actual' }, '/x')).not.toContain('演练');
  expect(closingTwiml({ ...CALL, kind: 'actual' }, 'received')).not.toContain('演练');
});

test('what closes a call asks for no key', () => {
  for (const word of WORDS) {
    const twiml = closingTwiml(CALL, word, word === 'machine');
    expect(twiml).not.toContain('Gather');
    expect(twiml).toMatch(/<Say language="zh-CN">【演练】.*【演练】<\/Say><Hangup\/><\/Response>$/);
  }
  expect(closingTwiml(CALL, 'machine', true)).toContain('立即转移');
  expect(nothingTwiml()).not.toContain('Gather');
});
