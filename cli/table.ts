/** Tables in aligned columns, for Chinese as for English. Pure. */
import { clip, pad, width } from './width.ts';

export type Column<Row> = {
  title: string;
  of: (row: Row) => string;
  /** @default 'left' */
  align?: 'left' | 'right';
  /** Gives way first where the table is wider than the terminal. */
  shrinks?: boolean;
  /** Is left out where nothing else helps: the others are worth more. */
  drops?: boolean;
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
  if (most !== null) {
    shrink(widths, columns, most);
    if (total(widths) > most && columns.some(({ drops }) => drops)) {
      return renderTable(
        rows,
        columns.filter(({ drops }) => !drops),
        most,
      );
    }
  }
  return cells.map((line) => {
    const padded = line.map((cell, place) => {
      const columnWidth = widths[place] ?? 0;
      return pad(clip(cell, columnWidth), columnWidth, columns[place]?.align);
    });
    const text = padded.join(GAP).trimEnd();
    return most === null ? text : clip(text, most);
  });
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
}

function shrink<Row>(widths: number[], columns: readonly Column<Row>[], most: number): void {
  columns.forEach(({ shrinks }, place) => {
    const over = total(widths) - most;
    const own = widths[place] ?? 0;
    if (shrinks && over > 0) widths[place] = Math.max(Math.min(own, SHRUNK_LEAST), own - over);
  });
}
