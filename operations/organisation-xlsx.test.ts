/** Workbooks as offices send them: the same people, the same faults, by the sheet's rows. */
import { crc32, deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../db/database.ts';
import { FenghuoError } from '../domain/errors.ts';
import { testDatabase } from '../test/database.ts';
import { importDuties } from './duty.ts';
import { importOrganisation } from './organisation-import.ts';
import { importPeople } from './organisation-people.ts';
import { fileText } from './organisation-xlsx.ts';

let database: Database;
beforeAll(async () => {
  database = await testDatabase('organisation_xlsx');
});
afterAll(() => database.close());
beforeEach(() => database.query('truncate units, people, posts, person_channels, duties cascade'));

type Cell = string | number | Date | null;

/** A workbook of one sheet; null leaves a cell out, an empty row a row. */
function workbook(rows: readonly (readonly Cell[])[]): Uint8Array {
  const sheetRows = rows.map((row, y) => {
    const cells = row.map((cell, x) =>
      cell === null ? '' : cellXml(`${String.fromCharCode(65 + x)}${y + 1}`, cell),
    );
    return row.length === 0 ? '' : `<row r="${y + 1}">${cells.join('')}</row>`;
  });
  const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
  const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  const packages = 'http://schemas.openxmlformats.org/package/2006';
  return zip({
    '[Content_Types].xml': `<Types xmlns="${packages}/content-types"></Types>`,
    '_rels/.rels': `<Relationships xmlns="${packages}/relationships"><Relationship Id="r1" Type="${office}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
    'xl/workbook.xml': `<workbook xmlns="${main}" xmlns:r="${office}"><sheets><sheet name="名单" sheetId="1" r:id="r1"/></sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': `<Relationships xmlns="${packages}/relationships"><Relationship Id="r1" Type="${office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="${office}/styles" Target="styles.xml"/></Relationships>`,
    // The second style is a date with a time (22).
    'xl/styles.xml': `<styleSheet xmlns="${main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>`,
    'xl/worksheets/sheet1.xml': `<worksheet xmlns="${main}"><sheetData>${sheetRows.join('')}</sheetData></worksheet>`,
  });
}

function cellXml(place: string, cell: string | number | Date): string {
  if (typeof cell === 'number') return `<c r="${place}"><v>${cell}</v></c>`;
  // Days since 1899-12-30, as spreadsheets count.
  if (cell instanceof Date) return `<c r="${place}" s="1"><v>${cell.getTime() / 86_400_000 + 25_569}</v></c>`;
  const text = cell.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<c r="${place}" t="inlineStr"><is><t xml:space="preserve">${text}</t></is></c>`;
}

/** A ZIP archive of these files. */
function zip(files: Record<string, string>): Uint8Array {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const [content, path] = [Buffer.from(text), Buffer.from(name)];
    const packed = deflateRawSync(content);
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(8, 4);
    head.writeUInt32LE(crc32(content), 10);
    head.writeUInt32LE(packed.length, 14);
    head.writeUInt32LE(content.length, 18);
    head.writeUInt16LE(path.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), head, path, packed]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    entries.push(Buffer.concat([Buffer.from('PK\u0001\u0002'), Buffer.from([20, 0]), head, place, path]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, Buffer.from('PK\u0005\u0006'), end]);
}

const TREE: Cell[][] = [
  ['编码', '名称', '上级编码', '层级'],
  [500000000000, '重庆市', null, '市'],
  ['500114000000', '黔江区', 500000000000, '区县'],
];
const HEAD: Cell[] = ['单位编码', '姓名', '岗位', '顺位', '手机', '编号'];

async function refused(work: Promise<unknown>): Promise<FenghuoError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof FenghuoError)) throw new Error('nothing was refused', { cause: error });
  return error;
}

test('units, people and duties come from a workbook as from CSV', async () => {
  expect(await importOrganisation({ database, file: workbook(TREE) })).toMatchObject({ added: 2 });
  const people = [
    HEAD,
    [500114000000, '陈一', '书记', '正职', 13_800_138_001, 'G1'],
    ['500114000000', '李二', '值班', 1, '13800138002', 'G2'],
  ];
  expect(await importPeople({ database, file: workbook(people) })).toMatchObject({ people: { added: 2 } });
  const roster = [
    ['单位', '顺位', '值班人', '开始', '结束'],
    [500114000000, 0, 'G2', new Date('2099-07-09T08:00:00Z'), new Date('2099-07-09T20:00:00Z')],
  ];
  await importDuties({ database, file: workbook(roster) });
  // A sheet's time has no zone: it is the roster's own, +08:00.
  expect(
    await database.query(`select from_at::timestamptz at time zone 'Asia/Shanghai' as "from" from duties`),
  ).toEqual([{ from: new Date(2099, 6, 9, 8) }]);
  expect(await importPeople({ database, file: workbook(people) })).toMatchObject({
    people: { unchanged: 2 },
  });
});

test('faults are named by the row of the sheet, empty rows counted', async () => {
  await importOrganisation({ database, file: workbook(TREE) });
  const rows = [
    HEAD,
    ['500114000000', '陈一', '书记', '正职', '13800138001', 'G1'],
    [],
    ['999', '李二', '镇长', '副1', '1380013800', 'G2'],
  ];
  const { code, details } = await refused(importPeople({ database, file: workbook(rows) }));
  expect(code).toBe('import');
  expect(details.map((detail) => detail.slice(0, 6))).toEqual(['line 4', 'line 4']);
  expect(await database.query('select 1 from people')).toEqual([]);
});

test('a code that the sheet has shortened is refused, and a formula stays a text', async () => {
  const tree = [TREE[0] ?? [], ['5.00114E+11', '重庆市', null, '市']];
  expect((await refused(importOrganisation({ database, file: workbook(tree) }))).details.join()).toContain(
    'shortened',
  );
  expect(await fileText(workbook([['名称'], ['=1+1'], ['甲\n乙']]))).toBe("名称\r\n'=1+1\r\n甲 乙\r\n");
});

test('what is no workbook says how to save it', async () => {
  const broken = Uint8Array.from([0x50, 0x4b, 0x03, 0x04, 1, 2, 3]);
  expect(await refused(importPeople({ database, file: broken }))).toMatchObject({
    code: 'import',
    refusal: 'usage',
  });
});

test('an archive that unpacks to more than a workbook ever holds is refused before anything reads it', async () => {
  // 40 MB of blanks pack to 40 kB; its directory may say what it likes of its size.
  const blanks = ' '.repeat(40 << 20);
  const bomb = Object.fromEntries(
    Array.from({ length: 7 }, (_, part) => [`xl/worksheets/sheet${part}.xml`, blanks]),
  );
  const file = Buffer.from(zip(bomb));
  expect(file.length).toBeLessThan(1 << 20);
  for (let at = file.indexOf('PK\u0001\u0002'); at >= 0; at = file.indexOf('PK\u0001\u0002', at + 4))
    file.writeUInt32LE(9, at + 24);
  const error = await refused(fileText(file));
  expect(error).toMatchObject({ code: 'import', refusal: 'usage' });
  expect(error.message).toContain('256 MB');
});
