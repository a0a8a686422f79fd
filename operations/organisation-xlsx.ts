/**
 * Files for imports, whatever office program wrote them. A workbook's first sheet becomes the CSV it could have been saved as,
 * one line for each row, so that all further reading and every fault by line is the same: a line is the sheet's row.
 */
import { inflateRawSync } from 'node:zlib';
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

/** What a workbook may come to when it is unpacked: that of a city with all its people comes to a fifth. */
const UNPACKED_BYTES_MOST = 256 << 20;
const PARTS_MOST = 1_000;

async function workbookText(file: Uint8Array): Promise<string> {
  refuseBomb(file);
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

/**
 * Refuses an archive that comes to more than anybody keeps in a workbook, before anything reads it. What its parts say of their size may
 * be a lie, so each is unpacked as far as it may go, and thrown away.
 */
function refuseBomb(file: Uint8Array): void {
  let left = UNPACKED_BYTES_MOST;
  let parts = 0;
  for (const packed of packedParts(Buffer.from(file.buffer, file.byteOffset, file.byteLength))) {
    parts += 1;
    left -= unpackedBytes(packed, left);
    if (left < 0 || parts > PARTS_MOST) {
      throw new FenghuoError({
        code: 'import',
        refusal: 'usage',
        sentence: `The workbook comes to more than ${UNPACKED_BYTES_MOST >> 20} MB when it is unpacked; nothing was imported. Split it, or save it as CSV (UTF-8).`,
      });
    }
  }
}

const CENTRAL = Buffer.from([0x50, 0x4b, 0x01, 0x02]);
const LOCAL_HEADER_BYTES = 30;

/** The packed bytes of each part that the archive's directory lists; what is broken is left to the reader, which says so. */
function* packedParts(archive: Buffer): Generator<Buffer> {
  for (let at = archive.indexOf(CENTRAL); at >= 0; at = archive.indexOf(CENTRAL, at + 4)) {
    if (at + 46 > archive.length) return;
    const local = archive.readUInt32LE(at + 42);
    if (local + LOCAL_HEADER_BYTES > archive.length) continue;
    const data =
      local + LOCAL_HEADER_BYTES + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    yield archive.subarray(data);
  }
}

/** No more than one above `most`. A part that is not packed, or cannot be unpacked, comes to nothing here. */
function unpackedBytes(packed: Buffer, most: number): number {
  try {
    return inflateRawSync(packed, { maxOutputLength: most + 1 }).length;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? most + 1 : 0;
  }
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
