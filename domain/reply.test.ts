import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseReply, type Reply } from './reply.ts';

const received = (code: string | null = null): Reply => ({ answer: 'received', count: null, code });
const done = (count: number | null, code: string | null = null): Reply => ({ answer: 'done', count, code });
const cannotAct = (code: string | null = null): Reply => ({ answer: 'cannot act', count: null, code });
const stop: Reply = { stop: true };
const start: Reply = { start: true };

const TABLE: readonly [text: string, reply: Reply | null][] = [
  ['收到', received()],
  ['已收到', received()],
  ['确认', received()],
  ['1', received()],
  ['OK', received()],
  ['ACK', received()],
  ['ok', received()],
  ['Ack!', received()],
  ['O.K.', received()],
  ['１', received()],
  ['1️⃣', received()],
  ['①', received()],
  ['收 到', received()],
  ['“收到”。', received()],
  ['ＯＫ', received()],
  ['1 4821', received('4821')],
  ['1,4821', received('4821')],
  ['１　４８２１', received('4821')],
  ['１　４８２１', received('4821')],
  ['4821 1', received('4821')],
  ['4821收到', received('4821')],
  ['收到4821。', received('4821')],
  ['OK 4821', received('4821')],
  ['1 0007', received('0007')],
  [' \r\n1\t4821 ', received('4821')],

  ['已转移 12 人', done(12)],
  ['已转移12人', done(12)],
  ['已转移 12', done(12)],
  ['已转移 1200 人', done(1200)],
  ['已转移 1200', done(null, '1200')],
  ['已转移', done(null)],
  ['已转移 12 人 4821', done(12, '4821')],
  ['4821 已转移12人', done(12, '4821')],
  ['已转移 1200 人 4821', done(1200, '4821')],
  ['2', done(null)],
  ['2 12', done(12)],
  ['2 0', done(0)],
  ['２　１２', done(12)],
  ['2 12 4821', done(12, '4821')],
  ['4821 2 12', done(12, '4821')],
  ['2 4821', done(null, '4821')],
  ['4821 2', done(null, '4821')],
  ['2 1200 4821', done(1200, '4821')],
  ['4821 2 1200', done(1200, '4821')],
  ['2 123456', done(123456)],

  ['无法执行', cannotAct()],
  ['3', cannotAct()],
  ['3 4821', cannotAct('4821')],
  ['4821:无法执行!', cannotAct('4821')],

  ['TD', stop],
  ['T', stop],
  ['stop', stop],
  ['STOP', stop],
  ['退订', stop],
  ['TD 4821', stop],
  ['ＴＤ。', stop],

  ['TY', start],
  ['start', start],
  ['START', start],
  ['恢复', start],

  ['received', received()],
  ['Received 4821', received('4821')],
  ['done', done(null)],
  ['done 12', done(12)],
  ['Done: 12, 4821', done(12, '4821')],
  ['moved 12 people', done(12)],
  ['Moved 1200 people. 4821', done(1200, '4821')],
  ['cannot act', cannotAct()],
  ['Cannot act 4821', cannotAct('4821')],

  ['done 12 people', null],
  ['moved 12 人', null],
  ['cannot', null],
  ['act', null],
  ['restart', null],

  ['', null],
  ['   ', null],
  ['。!', null],
  ['4821', null],
  ['4821 4821', null],
  ['14821', null],
  ['12', null],
  ['4', null],
  ['01', null],
  ['1 12', null],
  ['1 482', null],
  ['1 48210', null],
  ['3 12', null],
  ['1 4821 4821', null],
  ['4821 1 4821', null],
  ['2 12 12', null],
  ['2 4821 12', null],
  ['2 12345678', null],
  ['12 2', null],
  ['2 12 人', null],
  ['收到 12', null],
  ['没收到', null],
  ['未收到', null],
  ['不确认', null],
  ['收到了吗', null],
  ['not ok', null],
  ['OK STOP', null],
  ['1 不', null],
  ['请勿 1 4821', null],
  ['1.5', null],
  ['½', null],
  ['١ 4821', null],
  ['https://example.com/1', null],
  ['1'.repeat(100_000), null],
  [`${' '.repeat(300)}1`, null],
  ['\ud800', null],
];

test.each(TABLE)('%j is read as %j', (text, reply) => {
  expect(parseReply(text)).toEqual(reply);
});

describe('for any text', () => {
  const wide = (text: string) =>
    text.replace(/[!-~]/g, (char) => String.fromCharCode(char.charCodeAt(0) + 0xfee0));
  const fragment = fc.constantFrom(
    '1',
    '2',
    '3',
    '12',
    '4821',
    ' ',
    ',',
    '收到',
    '已转移',
    '人',
    '无法执行',
    'td',
    'ok',
    '①',
  );
  const likely = fc.array(fragment, { maxLength: 6 }).map((parts) => parts.join(''));
  const any = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), likely);

  test('reading never throws, and texts that are equal under NFKC are read equally', () => {
    fc.assert(
      fc.property(any, (text) => {
        const reply = parseReply(text);
        expect(parseReply(text.normalize('NFKC'))).toEqual(reply);
        expect(parseReply(text.normalize('NFKD').normalize('NFKC'))).toEqual(reply);
        expect(parseReply(wide(text))).toEqual(reply);
      }),
      { numRuns: 2_000 },
    );
  });

  test('only done carries a count, and a code is four digits', () => {
    fc.assert(
      fc.property(likely, (text) => {
        const reply = parseReply(text);
        if (reply === null || 'stop' in reply || 'start' in reply) return;
        if (reply.answer !== 'done') expect(reply.count).toBeNull();
        if (reply.code !== null) expect(reply.code).toMatch(/^[0-9]{4}$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
