/**
 * Bytes to text by the encoding a file declares: byte order mark first, then the XML declaration, then UTF-8
 * (XML 1.0, appendix F). Bytes that do not fit are an error, never a question mark in a warning.
 */
import { finding, type Finding } from './findings.ts';

/** A message with a polygon of 881 kB is real; one of more than twice that is not known. Also for feeds: some hundreds of entries. */
export const CAP_BYTES_MAX = 2 * 1024 * 1024;

/**
 * By the label of the declaration. ISO-8859-1 is read as Windows-1252, as the Encoding Standard and every browser do: they
 * differ only where ISO-8859-1 has control characters, which no text holds.
 */
const ENCODINGS: Readonly<Record<string, string>> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'us-ascii': 'utf-8',
  'iso-8859-1': 'windows-1252',
  'windows-1252': 'windows-1252',
  'iso-8859-2': 'iso-8859-2',
  'iso-8859-15': 'iso-8859-15',
  'windows-1250': 'windows-1250',
  gb2312: 'gb18030',
  gbk: 'gb18030',
  gb18030: 'gb18030',
  big5: 'big5',
};

const BYTE_ORDER_MARKS: readonly { bytes: readonly number[]; encoding: string }[] = [
  { bytes: [0xef, 0xbb, 0xbf], encoding: 'utf-8' },
  { bytes: [0xfe, 0xff], encoding: 'utf-16be' },
  { bytes: [0xff, 0xfe], encoding: 'utf-16le' },
];

/** UTF-16 without a mark shows itself by the `<` every XML file begins with. */
const UTF16_UNMARKED: readonly { bytes: readonly number[]; encoding: string }[] = [
  { bytes: [0x00, 0x3c], encoding: 'utf-16be' },
  { bytes: [0x3c, 0x00], encoding: 'utf-16le' },
];

const DECLARATION_BYTES_MOST = 200;

export type Decoded = { text: string; encoding: string } | { fault: Finding };

export function decode(bytes: Uint8Array): Decoded {
  if (bytes.length === 0) return { fault: finding('CAP-102', null) };
  if (bytes.length > CAP_BYTES_MAX) {
    return { fault: finding('CAP-101', null, { size: bytes.length, most: CAP_BYTES_MAX }) };
  }
  const marked = [...BYTE_ORDER_MARKS, ...UTF16_UNMARKED].find(({ bytes: mark }) =>
    mark.every((byte, index) => bytes[index] === byte),
  );
  const declared = marked?.encoding ?? declaredEncoding(bytes);
  const encoding = marked?.encoding ?? ENCODINGS[declared.toLowerCase()];
  if (encoding === undefined) return { fault: finding('CAP-103', null, { encoding: declared }) };
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes), encoding };
  } catch {
    return { fault: finding('CAP-104', null, { encoding: declared }) };
  }
}

function declaredEncoding(bytes: Uint8Array): string {
  const head = String.fromCharCode(...bytes.subarray(0, DECLARATION_BYTES_MOST));
  return /^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']/.exec(head)?.[1] ?? 'utf-8';
}
