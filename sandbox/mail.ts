/**
 * Reads the mails of our own making: headers, and one part of plain text in UTF-8. A general parser costs more than the
 * whole SMTP exchange, and most mails need their headers only; the body is decoded for those who will answer.
 */

export type ReadMail = {
  /** Each header's last value, unfolded, by its name in lower case. */
  headers: ReadonlyMap<string, string>;
  /** Bytes of the body as it came. */
  bodyBytes: number;
  /** The decoded text; null where the encoding is none of base64, quoted-printable, 7bit and 8bit. */
  text: () => string | null;
};

/** Never throws: a line that is no header is passed over. */
export function readMail(raw: Buffer): ReadMail {
  const end = raw.indexOf('\r\n\r\n');
  const head = raw.toString('latin1', 0, end < 0 ? raw.length : end);
  const body = end < 0 ? Buffer.alloc(0) : raw.subarray(end + 4);
  const headers = new Map<string, string>();
  for (const line of head.replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const encoding = (headers.get('content-transfer-encoding') ?? '7bit').toLowerCase();
  return { headers, bodyBytes: body.length, text: () => decode(body, encoding) };
}

function decode(body: Buffer, encoding: string): string | null {
  switch (encoding) {
    case '7bit':
    case '8bit':
      return body.toString('utf8');
    case 'base64':
      return Buffer.from(body.toString('latin1'), 'base64').toString('utf8');
    case 'quoted-printable':
      return quotedPrintable(body.toString('latin1'));
    default:
      return null;
  }
}

function quotedPrintable(body: string): string {
  const bytes = body
    .replace(/=[ \t]*\r\n/g, '')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
