/** Lines of pieces with a tone each: cut to the terminal first, coloured last, so that colours never break widths. Pure. */
import { clip, width } from './width.ts';

export type Tone =
  'plain' | 'strong' | 'faint' | 'good' | 'bad' | 'busy' | 'red' | 'orange' | 'yellow' | 'blue';

export type Piece = { text: string; tone: Tone };

const CODES: Readonly<Record<Tone, string>> = {
  plain: '',
  strong: '1',
  faint: '2',
  good: '32',
  bad: '31',
  busy: '33',
  red: '1;31',
  orange: '1;38;5;208',
  yellow: '1;33',
  blue: '1;34',
};

/** One line of at most so many columns; any number of columns where it is null. */
export function paintLine(pieces: readonly Piece[], columns: number | null, colour: boolean): string {
  let left = columns ?? Infinity;
  let line = '';
  for (const piece of pieces) {
    if (left <= 0) break;
    const text = left === Infinity ? piece.text : clip(piece.text, left);
    left -= width(text);
    line += paint(text, piece.tone, colour);
    if (text !== piece.text) break;
  }
  return line;
}

/** A text in its tone, or as it is where colours are off. */
export function paint(text: string, tone: Tone, colour: boolean): string {
  const code = CODES[tone];
  return colour && code !== '' && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text;
}

export function piece(text: string, tone: Tone = 'plain'): Piece {
  return { text, tone };
}
