/** Text by the columns it takes on a terminal: a Chinese character takes two. Pure. */
import stringWidth from 'string-width';

const graphemes = new Intl.Segmenter('zh', { granularity: 'grapheme' });

/** Columns of a text without escape sequences. */
export function width(text: string): number {
  return stringWidth(text);
}

/** Fills up with spaces to so many columns; a longer text stays as it is. */
export function pad(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, columns - width(text)));
  return align === 'left' ? text + space : space + text;
}

/** At most so many columns; what was cut is marked by `…`. */
export function clip(text: string, columns: number): string {
  if (columns <= 0) return '';
  if (width(text) <= columns) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = used + width(segment);
    if (next > columns - 1) break;
    kept += segment;
    used = next;
  }
  return `${kept}…`;
}

// Chinese breaks between any two characters, but not before closing marks; other text breaks at spaces.
const CLOSING = '、。,;:!?)》」』】”’';
const WIDE = '\\u2e80-\\u9fff\\uf900-\\ufaff\\uff00-\\uffef\\u3000-\\u303f';
const TOKEN = new RegExp(`\\s+|[${WIDE}][${CLOSING}]*|[^\\s${WIDE}]+[${CLOSING}]*`, 'gu');

/** Breaks a text into lines of at most so many columns; its own line breaks stay. */
export function wrap(text: string, columns: number): string[] {
  return text.split(/\r?\n/).flatMap((paragraph) => wrapParagraph(paragraph, columns));
}

function wrapParagraph(paragraph: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const token of paragraph.match(TOKEN) ?? []) {
    if (line !== '' && width(line) + width(token.trimEnd()) > columns) {
      lines.push(line.trimEnd());
      line = token.trimStart();
    } else line += token;
    while (width(line.trimEnd()) > columns && columns > 1) {
      const [head, rest] = cut(line, columns);
      lines.push(head);
      line = rest;
    }
  }
  return [...lines, line.trimEnd()];
}

/** A word longer than the line is cut where the line ends. */
function cut(text: string, columns: number): [string, string] {
  let head = '';
  for (const { segment } of graphemes.segment(text)) {
    if (width(head) + width(segment) > columns) break;
    head += segment;
  }
  return head === '' ? [text, ''] : [head, text.slice(head.length)];
}

/** Without control characters: what people typed must not move the cursor of whoever reads it. Line breaks stay. */
export function harmless(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/gu, ' ');
}
