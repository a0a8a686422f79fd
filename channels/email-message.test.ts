import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { describe, expect, it } from 'vitest';
import { composeMessage, type EmailMessage } from './email-message.ts';

const PLAIN: EmailMessage = {
  from: 'warning@fenghuo.example',
  to: 'zhang@village.example',
  messageId: '<1025@fenghuo.example>',
  date: new Date('2026-07-01T00:30:00Z'),
  subject: '【演练】暴雨红色预警 濯水镇【演练】',
  text: '【演练】请立即转移。\n.\n..行首的点\r\n\r\nhttp://127.0.0.1/a/x【演练】',
  headers: { 'X-Fenghuo-Warning': '7', 'Auto-Submitted': 'auto-generated' },
};

describe('an e-mail', () => {
  it('is read as it was meant by another reader', async () => {
    const read = await simpleParser(composeMessage(PLAIN));
    expect(read.subject).toBe(PLAIN.subject);
    expect(read.text).toBe(PLAIN.text.replaceAll('\r\n', '\n'));
    expect(read.messageId).toBe(PLAIN.messageId);
    expect(read.date).toEqual(PLAIN.date);
    expect([read.from?.text, read.to && 'text' in read.to && read.to.text]).toEqual([PLAIN.from, PLAIN.to]);
    expect(read.headers.get('x-fenghuo-warning')).toBe('7');
    expect(read.headers.get('auto-submitted')).toBe('auto-generated');
  });

  it('keeps any subject and text, in lines that no server refuses', async () => {
    const word = fc.string({ unit: 'grapheme', maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(word, word, async (subject, text) => {
        const composed = composeMessage({ ...PLAIN, subject, text });
        const read = await simpleParser(composed);
        // A header's blanks at both ends are not its own (RFC 5322 §2.2); texts have line ends of one kind.
        expect((read.subject ?? '').trim()).toBe(subject.replace(/[\r\n]+/g, ' ').trim());
        expect(read.text ?? '').toBe(text.replace(/\r\n|\r/g, '\n'));
        expect(Math.max(...composed.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(78);
      }),
      { numRuns: 300 },
    );
  });

  it('lets nothing in a value become a header', () => {
    const composed = composeMessage({
      ...PLAIN,
      subject: 'flood\r\nBcc: all@village.example',
      headers: { 'X-Fenghuo-Step': '0\r\n\r\nbody' },
    });
    expect(composed.split('\r\n\r\n')).toHaveLength(2);
    expect(composed).not.toMatch(/^Bcc:/m);
  });
});
