/**
 * Files for imports, whatever office program wrote them. A workbook's first sheet becomes the CSV it could have been saved as,
 * one line for each row, so that all further reading and every fault by line is the same: a line is the sheet's row.
 */
import { FenghuoError } from '../domain/errors.ts';
import { decodeFile, writeCsv } from './organisation-csv.ts';

/** A file's text as CSV: a workbook's first sheet, else what `decodeFile` reads. */
export async function fileText(file: string | Uint8Array): Promise<string> {
  return typeof file !== 'string' && isWorkbook(file) ? workbookText(file) : decodeFile(file);
}

/** A ZIP archive: no text begins so. */
function isWorkbook(file: Uint8Array): boolean {
  return file[0] === 0x50 && file[1] === 0x4b && file[2] === 0x03 && file[3] === 0x04;
}

async function workbookText(file: Uint8Array): Promise<string> {
  const { readSheet } = await import('read-excel-file/node');
  let rows: readonly (readonly unknown[])[];
  try {
    rows = await readSheet(Buffer.from(file));
  } catch (cause) {
    throw new FenghuoError({
      code: 'import',
      refusal: 'usage',
      sentence:
        'The file is no Excel workbook that can be read; nothing was imported. Save it as .xlsx without a password, or as CSV (UTF-8).',
      cause,
    });
  }
  return writeCsv(rows.map((row) => row.map(cellText)));
}

/** A cell as somebody would have typed it. A line break would end the row: it becomes a space. */
function cellText(cell: unknown): string {
  if (typeof cell === 'string') return cell.replaceAll(/\s*[\r\n]+\s*/g, ' ');
  if (typeof cell === 'number' || typeof cell === 'boolean') return String(cell);
  return cell instanceof Date ? dateText(cell) : '';
}

/** Dates of a sheet have no time zone; they come as if they were UTC. */
function dateText(date: Date): string {
  // A sheet counts in days, so a minute comes back a few milliseconds away from itself.
  const rounded = new Date(Math.round(date.getTime() / 1_000) * 1_000);
  return rounded.toISOString().slice(0, 16).replace('T', ' ');
}
