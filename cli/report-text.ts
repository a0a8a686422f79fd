/** A drill's report on a terminal. Pure. */
import type { DrillReport, WarningReport } from '../domain/drill-report.ts';
import { writeSpan } from '../domain/scenario.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { Context } from './context.ts';
import { paint, type Tone } from './paint.ts';
import { expectationWords } from './rehearsal.ts';
import {
  channelName,
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
  warningWords,
  wasWords,
} from './report-parts.ts';
import { renderTable, type Column } from './table.ts';
import { harmless, wrap } from './width.ts';

type Words = Pick<Context, 'say' | 'lang' | 'columns' | 'colour'>;

/** Of units that were silent or bridged; JSON and the page have more. */
const UNITS_SHOWN_MOST = 8;
/** Minutes whose figures stand beside the curve. */
const FIGURES_AT = [5, 10, 15, 30, 60];
const SPARKS = '▁▂▃▄▅▆▇█';
const PROSE_COLUMNS = 100;
/** From which a score is painted as good, and below which as bad: colours only, nothing hangs on them. */
const GOOD_POINTS = 90;
const BAD_POINTS = 70;

export function renderReport(report: DrillReport, words: Words): string[] {
  const { say, lang, colour } = words;
  const prose = (text: string) => wrap(text, words.columns() ?? PROSE_COLUMNS);
  return [
    paint(harmless(report.title[lang]), 'strong', colour),
    ...sourceWords(report, words).flatMap(prose),
    ...interruptionsOf(report, 'behind', words).flatMap(prose),
    '',
    ...scoreLines(report, words),
    ...(report.warnings.length === 0 ? ['', say('report.noWarnings')] : []),
    ...report.warnings.flatMap((warning) => warningLines(warning, words)),
    ...expectationLines(report, words),
    ...blockOf(interruptionsOf(report, 'others', words).flatMap(prose)),
  ];
}

const blockOf = (lines: readonly string[]) => (lines.length === 0 ? [] : ['', ...lines]);

/** How the score is made up, for whoever does not believe it. */
export const SCORE_NOTES = [
  'report.scoreMean',
  'report.scoreReached',
  'report.scoreGoals',
  'report.scoreChoice',
] as const;

function scoreLines({ score }: DrillReport, words: Words): string[] {
  const { say, colour } = words;
  const points = say('report.of100', { points: score.points });
  return [
    `${say('report.score')}  ${paint(points, scoreTone(score.points), colour)}`,
    ...renderTable(
      score.parts,
      [
        { title: `  ${say('report.part')}`, of: ({ part }) => `  ${say(`part.${part}`)}`, shrinks: true },
        {
          title: say('report.share'),
          of: ({ percent }) => (percent === null ? say('report.nothingToCount') : `${percent} %`),
          align: 'right',
        },
        { title: say('report.weight'), of: ({ weight }) => `× ${weight}`, align: 'right' },
      ],
      words.columns(),
    ),
    ...SCORE_NOTES.flatMap((key) =>
      wrap(say(key), words.columns() ?? PROSE_COLUMNS).map((line) => paint(line, 'faint', colour)),
    ),
  ];
}

export function scoreTone(points: number): Tone {
  return points >= GOOD_POINTS ? 'good' : points < BAD_POINTS ? 'bad' : 'busy';
}

function warningLines(warning: WarningReport, words: Words): string[] {
  const { say, colour } = words;
  return [
    '',
    paint(warningWords(warning, words), 'strong', colour),
    ...wrap(leadWords(warning, words), words.columns() ?? PROSE_COLUMNS),
    ...(warning.end === 'open' ? [say('report.open')] : []),
    '',
    ...tierTable(warning, words),
    '',
    ...wrap(say('report.curveTable'), words.columns() ?? PROSE_COLUMNS),
    ...curveTable(warning, words),
    '',
    ...channelTable(warning, words),
    ...realLines(warning, words),
    ...unitLines(warning, words),
    '',
    ...restWords(warning, words).flatMap((line) => wrap(line, words.columns() ?? PROSE_COLUMNS)),
  ];
}

type Tier = WarningReport['tiers'][number];

function tierTable({ tiers }: WarningReport, words: Words): string[] {
  const { say } = words;
  const count = (title: string, of: (tier: Tier) => number): Column<Tier> => ({
    title,
    of: (tier) => String(of(tier)),
    align: 'right',
  });
  return renderTable(
    tiers,
    [
      { title: say('tier.tier'), of: ({ tier }) => tierWord(tier, words) },
      count(say('tier.units'), ({ units }) => units),
      count(say('tier.told'), ({ told }) => told),
      count(say('tier.answered'), ({ answered }) => answered),
      count(say('drill.doneSaid'), ({ done }) => done),
      count(say('drill.silent'), ({ silent }) => silent),
      count(say('drill.bridged'), ({ bridged }) => bridged),
      {
        title: say('report.half'),
        of: ({ answeredWithin }) => minutesWords(answeredWithin.half),
        align: 'right',
      },
      {
        title: say('drill.nineTenths'),
        of: ({ answeredWithin }) => minutesWords(answeredWithin.nineTenths),
        align: 'right',
      },
    ],
    words.columns(),
  );
}

function curveTable({ tiers, minutes }: WarningReport, words: Words): string[] {
  const { say } = words;
  const last = minutes.length - 1;
  const places = [...FIGURES_AT.map((minute) => minutes.indexOf(minute)), last].filter(
    (place, index, all) => place > 0 && all.indexOf(place) === index,
  );
  return renderTable(
    tiers,
    [
      { title: say('tier.tier'), of: ({ tier }) => tierWord(tier, words) },
      {
        title: `0 … ${writeSpan((minutes[last] ?? 0) * MINUTE_MS).slice(1)}`,
        of: ({ over, units }) => over.map(({ answered }) => spark(answered, units)).join(''),
      },
      ...places.map((place): Column<Tier> => ({
        title: place === last ? say('report.atEnd') : short(minutes[place] ?? 0),
        of: ({ over, units }) => short(percentOf(over[place]?.answered ?? 0, units)),
        align: 'right',
      })),
    ],
    words.columns(),
  );
}

/** Nothing for none, the full height for all and for nothing less. */
function spark(count: number, of: number): string {
  if (count === 0 || of === 0) return ' ';
  const height = count === of ? SPARKS.length - 1 : Math.floor((count / of) * (SPARKS.length - 1));
  return SPARKS.charAt(height);
}

/** What real people did in a drill stands by itself. */
function realLines({ real }: WarningReport, words: Words): string[] {
  if (real === null) return [];
  const { say } = words;
  return [
    '',
    ...wrap(
      say('report.real', { told: real.told, answered: real.answered }),
      words.columns() ?? PROSE_COLUMNS,
    ),
    ...channelTable(real, words),
    '',
    ...renderTable(
      real.units,
      [
        { title: say('tier.tier'), of: ({ tier }) => tierWord(tier, words) },
        { title: say('report.unit'), of: ({ name }) => harmless(name), shrinks: true },
        { title: say('report.above'), of: ({ above }) => harmless(above), shrinks: true },
        { title: say('tier.told'), of: ({ told }) => String(told), align: 'right' },
        { title: say('tier.answered'), of: ({ answered }) => String(answered), align: 'right' },
        { title: say('report.after'), of: ({ afterMinute }) => minutesWords(afterMinute), align: 'right' },
      ],
      words.columns(),
    ),
  ];
}

function channelTable({ channels }: Pick<WarningReport, 'channels'>, words: Words): string[] {
  const { say } = words;
  const all = channels.filter(({ tier }) => tier === null);
  if (all.length === 0) return [say('report.noChannels')];
  return renderTable(
    all,
    [
      { title: say('report.channel'), of: ({ channel }) => channelName(channel, words) },
      { title: say('report.handedOff'), of: ({ handedOff }) => String(handedOff), align: 'right' },
      { title: say('report.failed'), of: ({ failed }) => String(failed), align: 'right' },
      { title: say('report.firstAnswers'), of: ({ answered }) => String(answered), align: 'right' },
      {
        title: say('report.perHundred'),
        of: (tally) => {
          const share = perHundred(tally);
          return share === null ? '–' : short(share);
        },
        align: 'right',
      },
      {
        title: say('report.median'),
        of: ({ medianMinutes }) => minutesWords(medianMinutes),
        align: 'right',
      },
    ],
    words.columns(),
  );
}

type Listed = { tier: string; name: string; above: string; when: string };

function unitLines({ silentUnits, bridges, real }: WarningReport, words: Words): string[] {
  const { say } = words;
  const silent = silentUnits.map((unit): Listed => ({
    ...unit,
    when: [minutesWords(unit.sinceMinute), ...silentNotes(unit, real, words)].join('  '),
  }));
  const bridged = bridges.map((unit): Listed => ({ ...unit, when: minutesWords(unit.atMinute) }));
  return [
    ...unitTable(
      silent,
      { head: say('report.silentUnits'), none: say('report.noSilent'), when: say('report.silentSince') },
      words,
    ),
    ...unitTable(
      bridged,
      { head: say('report.bridges'), none: say('report.noBridges'), when: say('report.after') },
      words,
    ),
  ];
}

function unitTable(
  units: readonly Listed[],
  title: { head: string; none: string; when: string },
  words: Words,
): string[] {
  const { say } = words;
  if (units.length === 0) return ['', title.none];
  const left = units.length - UNITS_SHOWN_MOST;
  return [
    '',
    labelled(title.head, String(units.length), words),
    ...renderTable(
      units.slice(0, UNITS_SHOWN_MOST),
      [
        { title: say('tier.tier'), of: ({ tier }) => tierWord(tier, words) },
        { title: say('report.unit'), of: ({ name }) => harmless(name), shrinks: true },
        { title: say('report.above'), of: ({ above }) => harmless(above), shrinks: true },
        { title: title.when, of: ({ when }) => when },
      ],
      words.columns(),
    ),
    ...(left > 0 ? [say('more', { count: left })] : []),
  ];
}

/** Messages, households, the word of the end, and what came too late. */
export function restWords(warning: WarningReport, { say }: Pick<Words, 'say'>): string[] {
  const { messages, dropped, failed, households, correction, lateAnswers, afterEnd } = warning;
  const total = Object.values(messages).reduce((sum, count) => sum + count, 0);
  return [
    say('drill.messages', { messages: total, dropped, failed }),
    ...(households.told === 0
      ? []
      : [
          say('drill.households', {
            told: households.told,
            after: minutesWords(households.lastAfterMinutes),
          }),
        ]),
    ...(correction === null || correction.messages === 0
      ? []
      : [
          say('drill.correction', {
            messages: correction.messages,
            after: minutesWords(correction.afterMinutes),
          }),
        ]),
    ...(lateAnswers === 0 ? [] : [say('report.lateAnswers', { count: lateAnswers })]),
    ...(afterEnd === 0 ? [] : [say('report.afterEnd', { count: afterEnd })]),
  ];
}

function expectationLines({ expectations, expectationsLeftOut }: DrillReport, words: Words): string[] {
  const { say, colour } = words;
  const columns = words.columns() ?? PROSE_COLUMNS;
  const lines = expectations.flatMap((verdict) => {
    const { met, expectation } = verdict;
    const result = paint(say(met ? 'drill.met' : 'drill.unmet'), met ? 'good' : 'bad', colour);
    const was = say('drill.was', { was: wasWords(verdict, words) });
    const change = expectation.metWith?.join('; ');
    return [
      ...wrap(`${expectationWords(expectation, words)}  (${was})`, columns - 4).map((line, place) =>
        place === 0 ? `  ${result}  ${line}` : `      ${line}`,
      ),
      ...(met || change === undefined ? [] : [`      ${say('drill.metWith', { change: harmless(change) })}`]),
    ];
  });
  return [
    '',
    say('drill.expected'),
    ...(lines.length === 0 ? [`  ${say('report.noExpectations')}`] : lines),
    ...(expectationsLeftOut === 0 ? [] : [`  ${say('report.leftOut', { count: expectationsLeftOut })}`]),
  ];
}
