import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FenghuoError } from '../domain/errors.ts';
import {
  decodeFile,
  errorFile,
  ImportRefused,
  readTable,
  writeCsv,
  type Column,
} from './organisation-csv.ts';

const columns: Column[] = [
  { key: 'code', headers: ['code', '编码'], required: true },
  { key: 'name', headers: ['name', '名称'], required: true },
  { key: 'note', headers: ['note'], required: false },
];

function refusalOf(work: () => unknown): FenghuoError {
  try {
    work();
  } catch (error) {
    if (error instanceof FenghuoError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a file is decoded', () => {
  // 重庆 in GB18030.
  const gb18030 = Uint8Array.from([0xd6, 0xd8, 0xc7, 0xec]);

  test.each([
    ['UTF-8', new TextEncoder().encode('重庆')],
    ['UTF-8 with its mark', new TextEncoder().encode('\uFEFF重庆')],
    ['GB18030', gb18030],
  ])('from %s', (_, bytes) => {
    expect(decodeFile(bytes)).toBe('重庆');
  });

  test.each([
    ['an Excel workbook', Uint8Array.from([0x50, 0x4b, 3, 4]), 'Excel'],
    ['UTF-16', Uint8Array.from([0xff, 0xfe, 0x61, 0]), 'UTF-16'],
    ['a picture', Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xff, 0]), 'neither'],
    ['zeros', new Uint8Array(8), 'neither'],
  ])('but not from %s, and says how to save it', (_, bytes, word) => {
    const refusal = refusalOf(() => decodeFile(bytes));
    expect(refusal.message).toContain(word);
    expect(refusal.message).toContain('Save it as CSV');
    expect(refusal.refusal).toBe('usage');
  });
});

describe('a table is read', () => {
  test.each([
    ['English headers', 'code,name\n1,a\n'],
    ['Chinese headers', '编码,名称\n1,a\n'],
    ['headers with capitals, spaces and full-width letters', ' Code ,ＮＡＭＥ\r\n1,a\r\n'],
    ['blanks around cells', 'code,name\n 1 ,　a　\n'],
    ['zero-width characters', 'code,name\n1\u200B,\uFEFFa\n'],
  ])('with %s', (_, text) => {
    const { rows, errors } = readTable(text, columns);
    expect(errors).toEqual([]);
    expect(rows.map((row) => [row.cell('code'), row.cell('name'), row.cell('note')])).toEqual([
      ['1', 'a', ''],
    ]);
  });

  test('with the true line of each row, past blank lines and line breaks in cells', () => {
    const { rows } = readTable('code,name\r\n1,a\r\n\r\n2,"b\r\nb"\r\n,\r\n3,c', columns);
    expect(rows.map(({ line }) => line)).toEqual([2, 4, 7]);
  });

  test('and every ragged row is named, while the others are kept', () => {
    const { rows, errors } = readTable('code,name\n1\n2,b\n3,c,d\n', columns);
    expect(rows.map((row) => row.cell('code'))).toEqual(['2']);
    expect(errors).toEqual([
      { line: 2, column: null, sentence: 'the row has 1 cells, the header has 2' },
      { line: 4, column: null, sentence: 'the row has 3 cells, the header has 2' },
    ]);
  });

  test.each([
    ['a quotation mark inside a cell', 'code,name\n1,a\n2,"b"b\n3,c\n', 3, 'stands inside a cell'],
    ['a quotation mark that never closes', 'code,name\n1,a\n\n2,"b\n3,c\n', 4, 'never closes'],
  ])('up to %s', (_, text, line, words) => {
    const { rows, errors } = readTable(text, columns);
    expect(rows.map((row) => row.cell('code'))).toEqual(['1']);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ line, sentence: expect.stringContaining(words) as string });
  });

  test('and headers that name no column are given back', () => {
    expect(readTable('code,name,手机\n1,a,\n', columns).ignoredHeaders).toEqual(['手机']);
  });

  test.each([
    ['an empty file', '', 'no header'],
    ['a missing column', 'code\n1\n', 'no column for name / 名称'],
    ['two columns of one meaning', 'code,编码,name\n', 'two columns name the code'],
  ])('but not from %s', (_, text, words) => {
    const refusal = refusalOf(() => readTable(text, columns));
    expect(refusal).toBeInstanceOf(ImportRefused);
    expect(refusal.details.join()).toContain(words);
    expect(refusal.details[0]).toMatch(/^line 1: /);
  });

  test('and any table survives being written and read, whatever stands in its cells', () => {
    // What reading takes away by intent: blanks at the ends, zero-width characters, an apostrophe before a formula.
    const cell = fc
      .string({ unit: fc.constantFrom(...'a1 ,"\n=+-@;烽火　／') })
      .map((text) => text.trim())
      .filter((text) => text !== '');
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 20 }), (cells) => {
        const { rows, errors } = readTable(writeCsv([['code', 'name'], ...cells]), columns);
        expect(errors).toEqual([]);
        expect(rows.map((row) => [row.cell('code'), row.cell('name')])).toEqual(cells);
      }),
    );
  });
});

describe('what a spreadsheet would take for a formula is neutralised', () => {
  test.each(['=1+1', '+86', '-x', '@a', '＝1', '\tx'])('%j', (cell) => {
    expect(writeCsv([[cell]])).toBe(`'${cell}\r\n`);
  });

  test('and plain cells are not', () => {
    expect(writeCsv([['500101', '重庆-市', 'a=b']])).toBe('500101,重庆-市,a=b\r\n');
  });
});

describe('an error file', () => {
  const text = '\ncode,name\n1,=cmd\n2,b\n3\n';
  const errors = [
    { line: 5, column: null, sentence: 'the row is torn' },
    { line: 3, column: 'name', sentence: 'no name' },
    { line: 3, column: 'code', sentence: 'no code' },
  ];

  test('has the faulty lines with every reason, and no live formula', () => {
    expect(errorFile(errors, text)).toBe(
      "行/line,原因/reason,code,name\r\n3,name: no name; code: no code,1,'=cmd\r\n5,the row is torn,3,\r\n",
    );
  });

  test('is itself a file that can be imported, and whose own error file repeats no column', () => {
    const written = errorFile(errors, text);
    const table = readTable(written, columns);
    expect(table.errors).toEqual([]);
    expect(table.ignoredHeaders).toEqual([]);
    expect(table.rows.map((row) => [row.cell('code'), row.cell('name')])).toEqual([
      ['1', '=cmd'],
      ['3', ''],
    ]);
    expect(errorFile([{ line: 3, column: null, sentence: 'again' }], written)).toBe(
      '行/line,原因/reason,code,name\r\n3,again,3,\r\n',
    );
  });
});
