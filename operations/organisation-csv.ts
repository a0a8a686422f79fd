/**
 * CSV files as offices send them: UTF-8 or GB18030, Chinese or English headers, full-width digits, torn rows.
 * A file is read as a whole and every fault gets its line, so that one round of corrections is enough.
 */
import { parse, type CsvError } from 'csv-parse/sync';
import { FenghuoError } from '../domain/errors.ts';

/** One fault: the line of the file (the header is line 1), the column's header as it stands there or null, and why. */
export type LineError = { line: number; column: string | null; sentence: string };

/** A column a file may have: the key used here, and every header that names it, in lower case. */
export type Column = { key: string; headers: readonly string[]; required: boolean };

export type TableRow = {
  line: number;
  /** The trimmed cell; empty where the file has no such column. */
  cell(key: string): string;
};

export type Table = {
  rows: TableRow[];
  errors: LineError[];
  has(key: string): boolean;
  /** The header under which the column stands in this file. */
  headerOf(key: string): string;
  /** Headers that name no column: shown, because a misspelt header would else lose data in silence. */
  ignoredHeaders: string[];
};

/** A province's whole register is far below; what is larger is the wrong file. */
const FILE_BYTES_MOST = 64 * 1024 * 1024;
const ROWS_MOST = 500_000;

/** The columns `errorFile` puts in front: a corrected error file can be imported as it is. */
const REPORT_HEADERS = ['行/line', '原因/reason'];

/** What a spreadsheet takes for a formula, half and full width (OWASP, CSV injection). */
const FORMULA_START = /^[=+\-@\t\r＝＋－＠]/;
const NEUTRALISED = /^'(?=[=+\-@\t\r＝＋－＠])/;

/** Thrown where a file has faults. Nothing was written. `errors` is what `errorFile` takes. */
export class ImportRefused extends FenghuoError {
  readonly errors: readonly LineError[];

  constructor(errors: readonly LineError[], refusal: 'usage' | 'conflict' = 'usage') {
    const inOrder = [...errors].sort((one, other) => one.line - other.line);
    super({
      code: 'import',
      refusal,
      sentence: `The file has ${errors.length} error${errors.length === 1 ? '' : 's'}; nothing was imported. Correct the lines and import again.`,
      details: inOrder.map(describe),
    });
    this.errors = inOrder;
  }
}

/** A file's text: UTF-8 with or without its mark, else GB18030. Refuses what is no text, saying how to save it. */
export function decodeFile(file: string | Uint8Array): string {
  if (typeof file === 'string') return file.replace(/^\uFEFF/, '');
  if (file.byteLength > FILE_BYTES_MOST)
    throw unreadable(`is larger than ${FILE_BYTES_MOST / 1024 / 1024} MB`);
  if (file[0] === 0x50 && file[1] === 0x4b) throw unreadable('is an Excel workbook');
  if ((file[0] === 0xff && file[1] === 0xfe) || (file[0] === 0xfe && file[1] === 0xff))
    throw unreadable('is UTF-16');
  for (const encoding of ['utf-8', 'gb18030']) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(file);
      if (!text.includes('\0')) return text;
    } catch {
      // Not this encoding: the next one, then the refusal below.
    }
  }
  throw unreadable('is neither UTF-8 nor GB18030 text');
}

/** Reads a table. Missing and doubled columns refuse the file at once; faults of single rows are collected. */
export function readTable(text: string, columns: readonly Column[]): Table {
  const { records, errors } = readRecords(text);
  const header = records.shift();
  if (!header || header.cells.every((cell) => cell === ''))
    throw headerFault('the file has no header line', columns);
  const places = findColumns(header.cells, columns);
  const rows: TableRow[] = [];
  for (const { line, cells } of records) {
    if (cells.every((cell) => cell === '')) continue;
    if (cells.length !== header.cells.length) {
      errors.push({
        line,
        column: null,
        sentence: `the row has ${cells.length} cells, the header has ${header.cells.length}`,
      });
      continue;
    }
    rows.push({ line, cell: (key) => cells[places.get(key) ?? -1] ?? '' });
  }
  const named = new Set(places.values());
  return {
    rows,
    errors,
    has: (key) => places.has(key),
    headerOf: (key) => header.cells[places.get(key) ?? -1] ?? key,
    ignoredHeaders: header.cells.filter(
      (cell, place) => cell !== '' && !named.has(place) && !REPORT_HEADERS.includes(cell),
    ),
  };
}

/** The faulty lines as CSV, each with its reasons, ready to be corrected and imported again. */
export function errorFile(errors: readonly LineError[], originalText: string): string {
  const { records } = readRecords(decodeFile(originalText));
  const reasons = new Map<number, string[]>();
  for (const { line, column, sentence } of errors) {
    reasons.set(line, [...(reasons.get(line) ?? []), column === null ? sentence : `${column}: ${sentence}`]);
  }
  const byLine = new Map(records.map((record) => [record.line, record.cells]));
  const header = records[0]?.cells ?? [];
  // An error file may itself be faulty: its report columns are replaced, not repeated.
  const kept = header
    .map((_, place) => place)
    .filter((place) => !REPORT_HEADERS.includes(header[place] ?? ''));
  const width = header.length;
  const rows = [...reasons.keys()]
    .filter((line) => line !== records[0]?.line)
    .sort((one, other) => one - other)
    .map((line) => {
      const cells = byLine.get(line) ?? [];
      return [
        String(line),
        (reasons.get(line) ?? []).join('; '),
        ...kept.map((place) => cells[place] ?? ''),
        ...cells.slice(width),
      ];
    });
  return writeCsv([[...REPORT_HEADERS, ...kept.map((place) => header[place] ?? '')], ...rows]);
}

/** CSV text with CRLF; a cell that a spreadsheet would take for a formula gets a leading apostrophe. */
export function writeCsv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => row.map(writeCell).join(',') + '\r\n').join('');
}

/** Full-width digits, letters and signs become plain ones: for codes, ranks, numbers and addresses. */
export function halfWidth(cell: string): string {
  return cell.normalize('NFKC').trim();
}

/** In a name only digits are normalised: full-width brackets belong to many names. */
export function plainName(cell: string): string {
  return cell
    .normalize('NFC')
    .replace(/[０-９]/g, (digit) => digit.normalize('NFKC'))
    .trim();
}

/** `line 12, column 上级编码: …` */
export function describe(error: LineError): string {
  const column = error.column === null ? '' : `, column ${error.column}`;
  return `line ${error.line}${column}: ${error.sentence}`;
}

function writeCell(cell: string): string {
  const safe = FORMULA_START.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

type Parsed = { info: { lines: number }; raw: string; record: string[] };

function readRecords(file: string): { records: { line: number; cells: string[] }[]; errors: LineError[] } {
  // The parser counts a Windows line break inside a cell as two lines.
  const text = file.replace(/\r\n?/g, '\n');
  const broken: { raw: string; code: string }[] = [];
  const parsed = parse(text, {
    bom: true,
    info: true,
    raw: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error: CsvError | undefined, raw: string | undefined) => {
      broken.push({ raw: raw ?? '', code: error?.code ?? '' });
      return undefined;
    },
  }) as unknown as Parsed[];
  if (parsed.length > ROWS_MOST) throw unreadable(`has more than ${ROWS_MOST} rows`);
  const errors: LineError[] = [];
  let lineOfBroken = Infinity;
  // After a broken quotation mark the rest of the file is guesswork, so only the first is reported.
  const [first] = broken;
  if (first) {
    lineOfBroken = 1 + newlines(text.slice(0, Math.max(0, text.indexOf(first.raw.trimStart()))));
    const sentence =
      first.code === 'CSV_QUOTE_NOT_CLOSED'
        ? 'a quotation mark opens here and never closes'
        : 'a quotation mark stands inside a cell; write it twice, and put the cell between quotation marks';
    errors.push({ line: lineOfBroken, column: null, sentence: `${sentence}; the lines below were not read` });
  }
  const records = parsed
    .map(({ info, raw, record }) => ({
      line: info.lines - newlines(raw.trim()),
      cells: record.map(cleanCell),
    }))
    .filter(({ line }) => line < lineOfBroken);
  return { records, errors };
}

/** Zero-width characters come with copying from chats and web pages, and make equal codes differ. */
function cleanCell(cell: string): string {
  return cell
    .replace(/[\u200B-\u200D\u2060\uFEFF]/g, '')
    .trim()
    .replace(NEUTRALISED, '');
}

function newlines(text: string): number {
  return text.split('\n').length - 1;
}

function findColumns(header: readonly string[], columns: readonly Column[]): Map<string, number> {
  const places = new Map<string, number>();
  header.forEach((cell, place) => {
    const word = halfWidth(cell)
      .toLowerCase()
      .replace(/[\s_]+/g, ' ');
    const column = columns.find(({ headers }) => headers.includes(word));
    if (!column) return;
    if (places.has(column.key))
      throw headerFault(`two columns name the ${column.headers[0] ?? column.key}`, columns);
    places.set(column.key, place);
  });
  const missing = columns.filter((column) => column.required && !places.has(column.key));
  if (missing.length > 0) {
    throw headerFault(
      `no column for ${missing.map(({ headers }) => headers.join(' / ')).join('; ')}`,
      columns,
    );
  }
  return places;
}

function headerFault(reason: string, columns: readonly Column[]): ImportRefused {
  const known = columns.map(({ headers }) => headers.join(' / ')).join('; ');
  return new ImportRefused([{ line: 1, column: null, sentence: `${reason}. Columns are: ${known}` }]);
}

function unreadable(what: string): FenghuoError {
  return new FenghuoError({
    code: 'import',
    refusal: 'usage',
    sentence: `The file ${what}; nothing was imported. Save it as CSV (UTF-8) and import that.`,
  });
}
