/**
 * A drill's report as one file to look at, to print and to show around: no script, no image, no font, nothing from elsewhere. Long
 * tables show their beginning; the JSON of the same report has everything.
 */
import { html } from 'hono/html';
import { hazardTitle, type DrillReport, type Phases, type WarningReport } from '../domain/drill-report.ts';
import { pointsOf } from '../domain/drill-score.ts';
import { writeSpan } from '../domain/scenario.ts';
import { findLevel } from '../domain/levels.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { Context } from './context.ts';
import { expectationWords } from './rehearsal.ts';
import {
  curvesChart,
  lineKey,
  phaseKey,
  phasesChart,
  scoreRing,
  shareBar,
  type Html,
} from './report-charts.ts';
import {
  figure,
  framed,
  listed,
  pageWords,
  table,
  unitCells,
  unitHead,
  type Cell,
  type PageWords as Words,
} from './report-frame.ts';
import {
  channelName,
  grouped,
  interruptionsOf,
  labelled,
  leadWords,
  minutesWords,
  percentOf,
  perHundred,
  short,
  silentNotes,
  sourceWords,
  tierWord,
  totalsOf,
  wasWords,
} from './report-parts.ts';
import { restWords, SCORE_NOTES } from './report-text.ts';
import { span } from './times.ts';

const PHASES: readonly (keyof Phases)[] = ['answered', 'told', 'opened', 'unopened', 'silent'];

export async function reportPage(
  report: DrillReport,
  { say, lang }: Pick<Context, 'say' | 'lang'>,
): Promise<string> {
  const words = pageWords({ say, lang }, report.warnings.length);
  const title = report.title[lang];
  return framed(
    { title: `${title} · ${say('report.title')}`, lang },
    html`<header>
        <p class="kind">${say('report.title')}</p>
        <h1>${title}</h1>
        <p class="note">${say('report.starts', { at: report.startsAt.replace('T', ' ') })}</p>
        <div class="source">${sourceWords(report, words).map((line) => html`<p>${line}</p>`)}</div>
        ${interruptionsOf(report, 'behind', words).map((line) => html`<p><b>${line}</b></p>`)}
      </header>
      ${scoreCard(report, words)} ${expectations(report, words)}
      ${report.warnings.length === 0 ? html`<p>${say('report.noWarnings')}</p>` : overview(report, words)}
      ${report.warnings.map((warning) => warningPart(warning, words))} ${interruptions(report, words)}
      <footer>${say('report.foot')}</footer>`,
  );
}

function scoreCard({ score }: DrillReport, { say }: Words): Html {
  const counted = score.parts.filter(({ percent }) => percent !== null);
  const weights = counted.reduce((sum, { weight }) => sum + weight, 0);
  const rows = score.parts.map(({ part, percent, weight }) => {
    const points = percent === null || weights === 0 ? '–' : short((percent * weight) / weights);
    return html`<tr>
      <td>${say(`part.${part}`)}</td>
      <td class="wide">${percent === null ? '' : shareBar(percent)}</td>
      <td class="n">${percent === null ? say('report.nothingToCount') : `${percent} %`}</td>
      <td class="n">× ${weight}</td>
      <td class="n">${points}</td>
    </tr>`;
  });
  return html`<section class="card score">
    <div class="dial">
      <h2>${say('report.score')}</h2>
      ${scoreRing(score.points, say('report.of100', { points: score.points }))}
    </div>
    <div class="sum">
      <h3>${say('report.how')}</h3>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>${say('report.part')}</th>
              <th></th>
              <th class="n">${say('report.share')}</th>
              <th class="n">${say('report.weight')}</th>
              <th class="n">${say('report.points')}</th>
            </tr>
          </thead>
          <tbody>
            ${rows}
            <tr class="total">
              <td colspan="4">${say('report.score')}</td>
              <td class="n">${pointsOf(score.parts)}</td>
            </tr>
          </tbody>
        </table>
      </div>
    </div>
    <div class="note">${SCORE_NOTES.map((note) => html`<p>${say(note)}</p>`)}</div>
  </section>`;
}

function expectations({ expectations: verdicts, expectationsLeftOut }: DrillReport, words: Words): Html {
  const { say } = words;
  const items = verdicts.map((verdict) => {
    const { expectation, met } = verdict;
    const change = expectation.metWith?.join('; ');
    return html`<li class="${met ? 'met' : 'unmet'}">
      <b>${met ? '✓' : '✗'} ${say(met ? 'drill.met' : 'drill.unmet')}</b>
      <span
        >${expectationWords(expectation, words)}
        <i>${say('drill.was', { was: wasWords(verdict, words) })}</i>
        ${met || change === undefined ? '' : html`<br /><i>${say('drill.metWith', { change })}</i>`}</span
      >
    </li>`;
  });
  return html`<section>
    <h2>${say('report.expectations')}</h2>
    ${
      items.length === 0
        ? html`<p>${say('report.noExpectations')}</p>`
        : html`<ul class="verdicts">
            ${items}
          </ul>`
    }
    ${expectationsLeftOut === 0 ? '' : html`<p class="note">${say('report.leftOut', { count: expectationsLeftOut })}</p>`}
  </section>`;
}

/** One line for each warning, where there are several. */
function overview({ warnings }: DrillReport, words: Words): Html {
  const { say } = words;
  if (warnings.length < 2) return html``;
  const rows = warnings.map((warning): Cell[] => {
    const { units, reached, answered, silent, bridged } = totalsOf(warning);
    return [
      html`<b>${warning.name}</b> ${levelChip(warning, words)}`,
      writeSpan(warning.atMinute * MINUTE_MS),
      units,
      reached,
      answered,
      silent,
      bridged,
    ];
  });
  const head = [
    say('drill.warnings'),
    say('report.after'),
    say('tier.units'),
    say('tile.reached'),
    say('tile.answered'),
    say('tile.silent'),
    say('tile.bridged'),
  ];
  return html`<section>
    <h2>${say('report.warningsHead')}</h2>
    ${table(head, rows)}
  </section>`;
}

function levelChip({ level }: WarningReport, { lang }: Words): Html {
  const known = findLevel(level);
  return html`<span class="level ${known?.id ?? ''}">${known?.[lang] ?? level}</span>`;
}

function warningPart(warning: WarningReport, words: Words): Html {
  const { say, lang } = words;
  const { name, hazard, areas, atMinute, lastsMinutes, end } = warning;
  const time = {
    at: writeSpan(atMinute * MINUTE_MS),
    end: say(`end.${end}`),
    lasts: span(lastsMinutes * MINUTE_MS, lang),
  };
  const places = areas.map((area) => area.name).join(lang === 'zh' ? '、' : ', ');
  return html`<section class="warning">
    <h2>${levelChip(warning, words)} ${hazardTitle(hazard)[lang]} <small>${name}</small></h2>
    <p class="note">${[say('report.when', time), places].filter((part) => part !== '').join(' · ')}</p>
    ${end === 'open' ? html`<p class="note">${say('report.open')}</p>` : ''}
    <p class="lead">${leadWords(warning, words)}</p>
    ${tiles(warning, words)} ${timeline(warning, words)} ${curves(warning, words)}
    ${tierTable(warning, words)} ${channelTables(warning, words)} ${realPeople(warning, words)}
    ${silentUnits(warning, words)} ${bridges(warning, words)}
    <h3>${say('report.rest')}</h3>
    ${restWords(warning, words).map((line) => html`<p>${line}</p>`)}
  </section>`;
}

function tiles(warning: WarningReport, { say }: Words): Html {
  const totals = totalsOf(warning);
  const tile = (key: 'reached' | 'answered' | 'silent' | 'bridged', mark: string) =>
    html`<div class="tile ${mark}">
      <b>${grouped(totals[key])}</b>
      <span>${say(`tile.${key}`)}</span>
      <small>${say('tile.of', { of: grouped(totals.units) })}</small>
    </div>`;
  return html`<div class="tiles">
    ${tile('reached', '')} ${tile('answered', '')} ${tile('silent', totals.silent > 0 ? 'bad' : '')}
    ${tile('bridged', '')}
    <div class="tile">
      <b>${grouped(totals.messages)}</b>
      <span>${say('tile.messages')}</span>
    </div>
  </div>`;
}

function timeline({ tiers, minutes }: WarningReport, words: Words): Html {
  const { say } = words;
  return html`<h3>${say('report.timeline')}</h3>
    <p class="note">${say('report.timelineNote')}</p>
    <p class="keys">
      ${PHASES.map((phase) => html`<span>${phaseKey(phase)} ${say(`phase.${phase}`)}</span>`)}
    </p>
    <div class="charts">
      ${tiers.map((tier) => {
        const name = tierWord(tier.tier, words);
        const answered = `${say('phase.answered')} ${percentOf(tier.answered, tier.units)} %`;
        return html`<figure>
          <figcaption>
            <b>${name}</b> <span>${say('tier.units')} ${grouped(tier.units)} · ${answered}</span>
          </figcaption>
          ${phasesChart(tier, minutes, `${name}: ${answered}`)}
        </figure>`;
      })}
    </div>`;
}

function curves(warning: WarningReport, words: Words): Html {
  const { say } = words;
  const name = say('report.curves');
  return html`<div class="whole">
    <h3>${name}</h3>
    <p class="note">${say('report.curvesNote')}</p>
    <figure class="curves">
      ${curvesChart(warning, { name, axis: say('report.minutesAxis') })}
      <figcaption class="keys">
        ${warning.tiers.map(({ tier }, place) => html`<span>${lineKey(place)} ${tierWord(tier, words)}</span>`)}
      </figcaption>
    </figure>
  </div>`;
}

function tierTable({ tiers }: WarningReport, words: Words): Html {
  const { say } = words;
  const rows = tiers.map((tier): Cell[] => [
    tierWord(tier.tier, words),
    tier.units,
    tier.told,
    tier.answered,
    tier.done,
    tier.silent,
    tier.escalated,
    tier.bridged,
    figure(minutesWords(tier.answeredWithin.half)),
    figure(minutesWords(tier.answeredWithin.nineTenths)),
  ]);
  const head = [
    say('tier.tier'),
    say('tier.units'),
    say('tier.told'),
    say('tier.answered'),
    say('drill.doneSaid'),
    say('drill.silent'),
    say('tier.escalated'),
    say('drill.bridged'),
    say('report.half'),
    say('drill.nineTenths'),
  ];
  return html`<h3>${say('report.tiers')}</h3>
    ${table(head, rows)}`;
}

type Channels = WarningReport['channels'];

/** Of all tiers together. */
function channelTable(channels: Channels, words: Words): Html {
  const { say } = words;
  const rows = channels.map((tally): Cell[] => {
    const share = perHundred(tally);
    return [
      channelName(tally.channel, words),
      tally.handedOff,
      tally.failed,
      tally.answered,
      share === null ? '' : html`<span class="share">${shareBar(share)} ${short(share)}</span>`,
      figure(minutesWords(tally.medianMinutes)),
    ];
  });
  const head = [
    say('report.channel'),
    say('report.handedOff'),
    say('report.failed'),
    say('report.firstAnswers'),
    say('report.perHundredLong'),
    say('report.medianLong'),
  ];
  return table(head, rows);
}

function channelTables({ channels, tiers }: WarningReport, words: Words): Html {
  const { say } = words;
  const all = channels.filter(({ tier }) => tier === null);
  if (all.length === 0)
    return html`<h3>${say('report.channels')}</h3>
      <p>${say('report.noChannels')}</p>`;
  const byTier = tiers.map(({ tier }): Cell[] => [
    tierWord(tier, words),
    ...all.map(({ channel }) => {
      const own = channels.find((each) => each.channel === channel && each.tier === tier);
      if (!own) return figure('–');
      if (own.channel === null) return own.answered;
      return figure(say('report.answersOf', { answered: own.answered, handedOff: own.handedOff }));
    }),
  ]);
  return html`<h3>${say('report.channels')}</h3>
    <p class="note">${say('report.channelsNote')}</p>
    ${channelTable(all, words)}
    <p class="note">${say('report.byTier')}</p>
    ${table([say('tier.tier'), ...all.map(({ channel }) => channelName(channel, words))], byTier)}`;
}

/** What real people did in a drill stands by itself. */
function realPeople({ real }: WarningReport, words: Words): Html {
  if (real === null) return html``;
  const { say } = words;
  const rows = real.units.map((unit): Cell[] => [
    ...unitCells(unit, words),
    unit.told,
    unit.answered,
    figure(minutesWords(unit.afterMinute)),
  ]);
  const head = [...unitHead(words), say('tier.told'), say('tier.answered'), say('report.after')];
  return html`<h3>${say('report.realHead')}</h3>
    <p class="note">${say('report.real', { told: real.told, answered: real.answered })}</p>
    ${channelTable(
      real.channels.filter(({ tier }) => tier === null),
      words,
    )}
    ${listed(head, rows, words)}`;
}

function silentUnits({ silentUnits: units, real }: WarningReport, words: Words): Html {
  const { say } = words;
  const rows = units.map((unit): Cell[] => [
    ...unitCells(unit, words),
    figure(minutesWords(unit.sinceMinute)),
    silentNotes(unit, real, words).join(' · '),
  ]);
  const head = [...unitHead(words), say('report.silentSince'), ''];
  return html`<h3>${labelled(say('report.silentUnits'), grouped(units.length), words)}</h3>
    <p class="note">${say(units.length === 0 ? 'report.noSilent' : 'report.silentNote')}</p>
    ${units.length === 0 ? '' : listed(head, rows, words)}`;
}

function bridges({ bridges: units }: WarningReport, words: Words): Html {
  const { say } = words;
  const rows = units.map((unit): Cell[] => [...unitCells(unit, words), figure(minutesWords(unit.atMinute))]);
  return html`<h3>${labelled(say('report.bridges'), grouped(units.length), words)}</h3>
    <p class="note">${say(units.length === 0 ? 'report.noBridges' : 'report.bridgesNote')}</p>
    ${units.length === 0 ? '' : listed([...unitHead(words), say('report.after')], rows, words)}`;
}

function interruptions(report: DrillReport, words: Words): Html {
  const all = interruptionsOf(report, 'others', words);
  if (all.length === 0) return html``;
  return html`<section>
    <h2>${words.say('report.interruptions')}</h2>
    ${all.map((line) => html`<p>${line}</p>`)}
  </section>`;
}
