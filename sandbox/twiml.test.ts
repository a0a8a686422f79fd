import { expect, test } from 'vitest';
import { readTwiml } from './twiml.ts';

test('verbs are read in order, with attributes, text and what stands in them', () => {
  const read = readTwiml(
    '<?xml version="1.0" encoding="UTF-8"?><Response><Gather action="/key?a=1&amp;b=2" numDigits="1"><Say language="zh-CN">你好 &lt;1&gt; &#x4E2D;&#25991;</Say><Pause length="1"/></Gather><Hangup/></Response>',
  );
  expect(read?.map(({ name }) => name)).toEqual(['Gather', 'Hangup']);
  expect(read?.[0]?.attributes).toEqual({ action: '/key?a=1&b=2', numDigits: '1' });
  expect(read?.[0]?.children.map(({ name, text }) => [name, text])).toEqual([
    ['Say', '你好 <1> 中文'],
    ['Pause', ''],
  ]);
  expect(readTwiml('<Response/>')).toEqual([]);
});

test.each([
  '',
  'page',
  '<html><body>busy</body></html>',
  '<Response><Say>open</Response>',
  '<Response><Dial>+1</Dial></Response>',
  '<Response/><Response/>',
  '<!DOCTYPE Response><Response/>',
  '<Response><!-- hidden --></Response>',
  '<Response></Response></Response>',
])('%j is refused', (document) => {
  expect(readTwiml(document)).toBeNull();
});
