/** Tables in aligned columns, for Chinese as for English. Pure. */
import { clip, pad, width } from './width.ts';

export type Column<Row> = {
  title: string;
  of: (row: Row) => string;
  /** @default 'left' */
  align?: 'left' | 'right';
  /** Gives way first where the table is wider than the terminal. */
  shrinks?: boolean;
};

const GAP = '  ';
const SHRUNK_LEAST = 8;

/** A heading and a line for each row, at most `most` columns wide; null: as wide as the content. */
export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  most: number | null,
): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ of }) => of(row)))];
  const widths = columns.map((_, place) => Math.max(...cells.map((line) => width(line[place] ?? ''))));
  if (most !== null) shrink(widths, columns, most);
  return cells.map((line) => {
    const padded = line.map((cell, place) => {
      const columnWidth = widths[place] ?? 0;
      return pad(clip(cell, columnWidth), columnWidth, columns[place]?.align);
    });
    const text = padded.join(GAP).trimEnd();
    return most === null ? text : clip(text, most);
  });
}

function shrink<Row>(widths: number[], columns: readonly Column<Row>[], most: number): void {
  const total = () => widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
  columns.forEach(({ shrinks }, place) => {
    const over = total() - most;
    const own = widths[place] ?? 0;
    if (shrinks && over > 0) widths[place] = Math.max(Math.min(own, SHRUNK_LEAST), own - over);
  });
}
