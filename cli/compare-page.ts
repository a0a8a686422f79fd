/** Two reports beside each other as one file, as the report itself: the curve before dashed, the curve after drawn through. */
import { html } from 'hono/html';
import type { Comparison, Measure, WarningComparison } from '../domain/drill-compare.ts';
import type { DrillReport, NamedUnit, WarningReport } from '../domain/drill-report.ts';
import { changeWords, courseWords, headWords } from './compare-text.ts';
import type { Context } from './context.ts';
import { expectationWords } from './rehearsal.ts';
import { beforeAfterChart, lineKey, scoreRing, type Html } from './report-charts.ts';
import {
  figure,
  framed,
  listed,
  pageWords,
  table,
  unitCells,
  unitHead,
  type Cell,
  type PageWords,
} from './report-frame.ts';
import { interruptionsOf, labelled, percentOf, sourceWords, tierWord } from './report-parts.ts';

export async function comparePage(
  reports: { before: DrillReport; after: DrillReport },
  comparison: Comparison,
  { say, lang }: Pick<Context, 'say' | 'lang'>,
): Promise<string> {
  const words = pageWords({ say, lang }, comparison.warnings.length);
  const title = [...new Set([reports.before, reports.after].map((report) => report.title[lang]))].join(' → ');
  const { leftOut } = comparison;
  const only = [...leftOut.before, ...leftOut.after];
  return framed(
    { title: `${title} · ${say('compare.title')}`, lang },
    html`<header>
        <p class="kind">${say('compare.title')}</p>
        <h1>${title}</h1>
      </header>
      ${sides(reports, comparison, words)} ${scores(comparison, words)} ${expectations(comparison, words)}
      ${comparison.warnings.length === 0 ? html`<p>${say('compare.nothing')}</p>` : ''}
      ${comparison.warnings.map((warning) => warningPart(warning, reports, words))}
      ${only.length === 0 ? '' : html`<p>${say('compare.leftOut', { names: only.join(', ') })}</p>`}
      <footer>
        <p>${say('compare.note')}</p>
        <p>${say('report.foot')}</p>
      </footer>`,
  );
}

/** What each of the two is, and its score. */
function sides(
  reports: { before: DrillReport; after: DrillReport },
  { before, after }: Comparison,
  words: PageWords,
): Html {
  const { say } = words;
  const side = (label: string, report: DrillReport, name: string) =>
    html`<div class="side">
      <h2>${label}</h2>
      ${scoreRing(report.score.points, say('report.of100', { points: report.score.points }))}
      <p><b>${name}</b></p>
      ${sourceWords(report, words).map((line) => html`<p class="note">${line}</p>`)}
      ${interruptionsOf(report, 'behind', words).map((line) => html`<p><b>${line}</b></p>`)}
    </div>`;
  return html`<section class="card sides">
    ${side(say('compare.before'), reports.before, headWords(before, words))}
    ${side(say('compare.after'), reports.after, headWords(after, words))}
  </section>`;
}

function scores({ points, parts }: Comparison, words: PageWords): Html {
  const { say } = words;
  const rows = [
    { name: say('report.score'), change: points },
    ...parts.map(({ part, change }) => ({ name: `${say(`part.${part}`)}, %`, change })),
  ].map(({ name, change }): Cell[] => [name, figure(changeWords(change)), say(`compare.${change.course}`)]);
  return html`<h2>${say('report.score')}</h2>
    ${table(['', `${say('compare.before')} → ${say('compare.after')}`, ''], rows)}`;
}

function warningPart(
  warning: WarningComparison,
  reports: { before: DrillReport; after: DrillReport },
  words: PageWords,
): Html {
  const { say } = words;
  const { before, after, tiers, newlySilent, newlyHeard, stillSilent, elsewhere } = warning;
  const [first] = tiers;
  const measures = first ? (Object.keys(first.changes) as Measure[]) : [];
  const rows = [
    ...measures.map((measure): Cell[] => [
      say(`compare.${measure}`),
      ...tiers.map(({ changes }) => figure(changeWords(changes[measure]))),
    ]),
    [say('compare.inAll'), ...tiers.map(({ course }) => figure(courseWords(course, words)))],
  ];
  const resized = tiers.filter(({ units }) => units.before !== units.after);
  return html`<section class="warning">
    <h2>${before === after ? before : `${before} → ${after}`}</h2>
    ${curves(warning, reports, words)} ${table(['', ...tiers.map(({ tier }) => tierWord(tier, words))], rows)}
    ${resized.map(({ tier, units }) => html`<p class="note">${labelled(tierWord(tier, words), say('compare.units', units), words)}</p>`)}
    ${units(say('compare.newlySilent', { count: newlySilent.length }), newlySilent, words)}
    ${units(say('compare.newlyHeard', { count: newlyHeard.length }), newlyHeard, words)}
    <p>${say('compare.stillSilent', { count: stillSilent })}</p>
    ${elsewhere.before + elsewhere.after === 0 ? '' : html`<p>${say('compare.elsewhere', elsewhere)}</p>`}
  </section>`;
}

function curves(
  warning: WarningComparison,
  reports: { before: DrillReport; after: DrillReport },
  words: PageWords,
): Html {
  const { say } = words;
  const find = ({ warnings }: DrillReport, name: string) => warnings.find((each) => each.name === name);
  const [before, after] = [find(reports.before, warning.before), find(reports.after, warning.after)];
  if (!before || !after) return html``;
  return html`<h3>${say('report.curves')}</h3>
    <p class="keys">
      <span>${lineKey('before')} ${say('compare.before')}</span>
      <span>${lineKey('after')} ${say('compare.after')}</span>
    </p>
    <div class="charts">
      ${warning.tiers.map(({ tier }) => {
        const [was, is] = [curveOf(before, tier), curveOf(after, tier)];
        const name = tierWord(tier, words);
        const ends = [was, is].map(({ shares }) => `${percentOf(shares.at(-1) ?? 0, 1)} %`).join(' → ');
        return html`<figure>
          <figcaption><b>${name}</b> <span>${say('tier.answered')} ${ends}</span></figcaption>
          ${beforeAfterChart(was, is, `${name}: ${ends}`)}
        </figure>`;
      })}
    </div>`;
}

function curveOf({ tiers, minutes }: WarningReport, tier: string) {
  const own = tiers.find((each) => each.tier === tier);
  return {
    minutes,
    shares: (own?.over ?? []).map(({ answered }) => answered / Math.max(1, own?.units ?? 1)),
  };
}

function units(title: string, all: readonly NamedUnit[], words: PageWords): Html {
  const rows = all.map((unit) => unitCells(unit, words));
  return html`<h3>${title}</h3>
    ${all.length === 0 ? '' : listed(unitHead(words), rows, words)}`;
}

function expectations({ expectations: all }: Comparison, words: PageWords): Html {
  const { say } = words;
  const changed = all.filter(({ before, after }) => before !== after);
  if (changed.length === 0) return html``;
  return html`<h2>${say('report.expectations')}</h2>
    <ul class="verdicts">
      ${changed.map(
        ({ expectation, goal, after }) =>
          html`<li class="${!goal ? '' : after ? 'met' : 'unmet'}">
            <b>${after ? '✓' : '✗'} ${say(after ? 'compare.newlyMet' : 'compare.newlyUnmet')}</b>
            <span>${expectationWords(expectation, words)}</span>
          </li>`,
      )}
    </ul>`;
}
