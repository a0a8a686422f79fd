/** Two reports beside each other on a terminal. Pure. */
import type {
  Change,
  Comparison,
  Compared,
  Course,
  Measure,
  WarningComparison,
} from '../domain/drill-compare.ts';
import type { NamedUnit } from '../domain/drill-report.ts';
import type { Context } from './context.ts';
import { paint, type Tone } from './paint.ts';
import { expectationWords } from './rehearsal.ts';
import { interruptionWords, labelled, short, tierWord } from './report-parts.ts';
import { renderTable, type Column } from './table.ts';
import { harmless, wrap } from './width.ts';

type Words = Pick<Context, 'say' | 'lang' | 'columns' | 'colour'>;

const UNITS_SHOWN_MOST = 8;
const PROSE_COLUMNS = 100;
const MARKS: Readonly<Record<Course, string>> = { better: '▲', worse: '▼', same: '=' };
export function renderComparison(comparison: Comparison, words: Words): string[] {
  const { say } = words;
  const prose = (text: string) => wrap(text, words.columns() ?? PROSE_COLUMNS);
  const { before, after, points, parts, warnings, leftOut } = comparison;
  const only = [...leftOut.before, ...leftOut.after];
  return [
    ...prose(labelled(say('compare.before'), headWords(before, words), words)),
    ...prose(labelled(say('compare.after'), headWords(after, words), words)),
    ...behindWords(comparison, words).flatMap(prose),
    '',
    ...renderTable(
      [
        { name: say('report.score'), change: points, unit: '' },
        ...parts.map(({ part, change }) => ({ name: `  ${say(`part.${part}`)}`, change, unit: ' %' })),
      ],
      [
        { title: '', of: ({ name }) => name, shrinks: true },
        {
          title: say('compare.before'),
          of: ({ change, unit }) => written(change.before, unit),
          align: 'right',
        },
        {
          title: say('compare.after'),
          of: ({ change, unit }) => written(change.after, unit),
          align: 'right',
        },
        { title: '', of: ({ change }) => courseWords(change.course, words) },
      ],
      words.columns(),
    ),
    ...(warnings.length === 0 ? ['', say('compare.nothing')] : []),
    ...warnings.flatMap((warning) => warningLines(warning, words)),
    ...expectationLines(comparison, words),
    ...(only.length === 0
      ? []
      : ['', ...prose(say('compare.leftOut', { names: only.map(harmless).join(', ') }))]),
    '',
    ...prose(say('compare.note')),
  ];
}

/** What was compared, in one line. */
export function headWords(
  { source, title, startsAt }: Compared,
  { lang, say }: Pick<Words, 'lang' | 'say'>,
): string {
  const name = harmless(title[lang]);
  const at = startsAt.slice(0, 16).replace('T', ' ');
  switch (source.kind) {
    case 'rehearsal': {
      const whatIfs = source.whatIfs.length === 0 ? '' : `  ${harmless(source.whatIfs.join('; '))}`;
      return `${say('compare.rehearsal', { title: name, seed: source.seed })}${whatIfs}`;
    }
    case 'warning':
      return say('compare.warning', { title: name, id: source.id, at });
    case 'drill':
      return say('compare.drill', { title: name, id: source.id, speed: source.speed, seed: source.seed });
    default:
      return source satisfies never;
  }
}

/** Of a drill that was too fast for its machine a comparison says little. */
export function behindWords({ before, after }: Comparison, words: Pick<Words, 'lang' | 'say'>): string[] {
  const { say } = words;
  return (['before', 'after'] as const).flatMap((side) =>
    (side === 'before' ? before : after).interruptions
      .filter(({ kind }) => kind === 'behind')
      .map((one) => labelled(say(`compare.${side}`), interruptionWords(one, words), words)),
  );
}

/** `▲ better` */
export function courseWords(course: Course | 'mixed', { say }: Pick<Words, 'say'>): string {
  return `${course === 'mixed' ? '▲▼' : MARKS[course]} ${say(`compare.${course}`)}`;
}

type Row = { name: string; cells: string[] };

/** Measures are lines and tiers columns: that fits a terminal, and a tier's course is read downwards. */
function warningLines(warning: WarningComparison, words: Words): string[] {
  const { say, colour } = words;
  const { before, after, tiers } = warning;
  const name = [before, after].map(harmless);
  const [first] = tiers;
  const measures = first ? (Object.keys(first.changes) as Measure[]) : [];
  const rows: Row[] = [
    ...measures.map((measure) => ({
      name: say(`compare.${measure}`),
      cells: tiers.map(({ changes }) => changeWords(changes[measure])),
    })),
    { name: say('compare.inAll'), cells: tiers.map(({ course }) => courseWords(course, words)) },
  ];
  const columns = tiers.map(({ tier }, place): Column<Row> => ({
    title: tierWord(tier, words),
    of: ({ cells }) => cells[place] ?? '',
    align: 'right',
  }));
  const resized = tiers.filter(({ units }) => units.before !== units.after);
  return [
    '',
    paint(name[0] === name[1] ? (name[0] ?? '') : name.join(' → '), 'strong', colour),
    ...renderTable(
      rows,
      [{ title: '', of: ({ name: measure }) => measure, shrinks: true }, ...columns],
      words.columns(),
    ),
    ...resized.map(
      ({ tier, units }) => `  ${labelled(tierWord(tier, words), say('compare.units', units), words)}`,
    ),
    ...unitLines(
      say('compare.newlySilent', { count: warning.newlySilent.length }),
      warning.newlySilent,
      words,
    ),
    ...unitLines(say('compare.newlyHeard', { count: warning.newlyHeard.length }), warning.newlyHeard, words),
    say('compare.stillSilent', { count: warning.stillSilent }),
    ...(warning.elsewhere.before + warning.elsewhere.after === 0
      ? []
      : [say('compare.elsewhere', warning.elsewhere)]),
  ];
}

/** `91.7→100▲`: three of them and their tiers fit into 80 columns, five in most cases. */
export function changeWords(change: Change): string {
  const { before, after, course } = change;
  if (before === after) return `${written(after, '')} =`;
  return `${written(before, '')}→${written(after, '')} ${MARKS[course]}`;
}

function written(value: number | null, unit: string): string {
  return value === null ? '–' : `${short(value)}${unit}`;
}

function unitLines(head: string, units: readonly NamedUnit[], words: Words): string[] {
  const left = units.length - UNITS_SHOWN_MOST;
  return [
    head,
    ...units
      .slice(0, UNITS_SHOWN_MOST)
      .map(({ tier, name, above }) =>
        [
          '  ',
          tierWord(tier, words),
          '  ',
          harmless([name, above].filter((part) => part !== '').join(' · ')),
        ].join(''),
      ),
    ...(left > 0 ? [`  ${words.say('more', { count: left })}`] : []),
  ];
}

function expectationLines({ expectations }: Comparison, words: Words): string[] {
  const { say, colour } = words;
  const changed = expectations.filter(({ before, after }) => before !== after);
  if (changed.length === 0) return [];
  return [
    '',
    say('drill.expected'),
    ...changed.map(({ expectation, goal, after }) => {
      // What a story is to show is neither good nor bad.
      const tone: Tone = !goal ? 'plain' : after ? 'good' : 'bad';
      const what = paint(say(after ? 'compare.newlyMet' : 'compare.newlyUnmet'), tone, colour);
      return `  ${what}  ${expectationWords(expectation, words)}`;
    }),
  ];
}
