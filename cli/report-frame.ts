/** What the pages of a report and of a comparison are made of: one file, a policy that lets nothing in, and tables. */
import { html, raw } from 'hono/html';
import type { NamedUnit } from '../domain/drill-report.ts';
import type { Language } from '../domain/texts.ts';
import type { Context } from './context.ts';
import { patterns, type Html } from './report-charts.ts';
import { grouped, tierWord } from './report-parts.ts';
import { REPORT_STYLE } from './report-style.ts';

/** `rows`: how many units each list shows. */
export type PageWords = Pick<Context, 'say' | 'lang'> & { rows: number };

/** A figure that is written with its unit stands to the right, as a number does. */
export type Cell = string | number | Html | { figure: string };

/** Units that are listed in all, and at least for each list: a city has a hundred thousand, and somebody prints this. */
const LISTED_MOST = 120;
const LISTED_LEAST = 15;
const LISTS_OF_A_WARNING = 2;

/** Nothing may be loaded, run or sent, whatever a name in the report says. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The words of a page about so many warnings. */
export function pageWords({ say, lang }: Pick<Context, 'say' | 'lang'>, warnings: number): PageWords {
  const lists = LISTS_OF_A_WARNING * Math.max(1, warnings);
  return { say, lang, rows: Math.max(LISTED_LEAST, Math.floor(LISTED_MOST / lists)) };
}

export async function framed(page: { title: string; lang: Language }, body: Html): Promise<string> {
  const text = html`<!doctype html>
    <html lang="${page.lang === 'zh' ? 'zh-CN' : 'en'}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <title>${page.title}</title>
        <style>
          ${raw(REPORT_STYLE)}
        </style>
      </head>
      <body>
        ${patterns()}
        <main>${body}</main>
      </body>
    </html>`;
  return String(await text);
}

export function figure(text: string): Cell {
  return { figure: text };
}

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): Html {
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          ${head.map((title, place) => html`<th class="${isFigure(rows[0]?.[place]) ? 'n' : ''}">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell) => html`<td class="${isFigure(cell) ? 'n' : ''}">${shown(cell)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function isFigure(cell: Cell | undefined): boolean {
  return typeof cell === 'number' || (typeof cell === 'object' && 'figure' in cell);
}

function shown(cell: Cell): string | Html {
  if (typeof cell === 'number') return grouped(cell);
  return typeof cell === 'object' && 'figure' in cell ? cell.figure : cell;
}

/** The first of a list of units, and how many more there are. */
export function listed(
  head: readonly string[],
  units: readonly (readonly Cell[])[],
  { say, rows }: PageWords,
): Html {
  const left = units.length - rows;
  return html`${table(head, units.slice(0, rows))}
  ${left > 0 ? html`<p class="note">${say('report.more', { count: left })}</p>` : ''}`;
}

export function unitHead({ say }: PageWords): string[] {
  return [say('tier.tier'), say('report.unit')];
}

export function unitCells({ tier, name, above, key }: NamedUnit, words: PageWords): Cell[] {
  const place = [above, key].filter((part) => part !== '').join(' · ');
  return [tierWord(tier, words), html`${name} <small>${place}</small>`];
}
