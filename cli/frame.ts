/** One picture of a running warning: a bar and figures for each tier, what is due next, what happened last. Pure. */
import { EXERCISE_MARK, type Language } from '../domain/texts.ts';
import type { Instant } from '../domain/time.ts';
import type { TierStanding, WarningEvent } from '../db/warnings.ts';
import type { WarningView } from '../operations/warnings.ts';
import { paintLine, piece, type Piece, type Tone } from './paint.ts';
import { coverageOf, hazardName, levelName, tierName, warningId } from './shapes.ts';
import { clock, minuteOf, timeOfDay } from './times.ts';
import { harmless, pad, width, wrap } from './width.ts';
import { sayIn, type WordKey } from './words.ts';

export type FrameInput = {
  /** The terminal's width; no line is wider. */
  columns: number;
  /** The terminal's height; the oldest events give way. @default unlimited */
  rows?: number;
  lang: Language;
  colour: boolean;
  now: Instant;
  /** A line of its own at the end, such as that the database does not answer. */
  note?: string;
};

type Figure = { key: WordKey; of: (tier: TierStanding) => number; tone: Tone; drops: number };

/** `drops`: which figure gives way first on a narrow terminal; 0 never does. */
const FIGURES: readonly Figure[] = [
  { key: 'tier.units', of: (tier) => tier.units, tone: 'plain', drops: 0 },
  { key: 'tier.told', of: (tier) => tier.told, tone: 'plain', drops: 2 },
  { key: 'tier.answered', of: (tier) => tier.answered, tone: 'good', drops: 0 },
  { key: 'tier.silent', of: (tier) => tier.silent, tone: 'bad', drops: 1 },
  { key: 'tier.escalated', of: (tier) => tier.escalated, tone: 'busy', drops: 3 },
];

const GAP = '  ';
const BAR_LEAST = 8;
const BAR_MOST = 30;
const EVENTS_MOST = 8;

/** The picture as lines joined by line breaks, each at most `columns` wide. */
export function renderFrame(view: WarningView, input: FrameInput): string {
  const lines: Piece[][] = [
    ...flow(titleLine(view, input.lang), input.columns),
    ...flow(timesLine(view, input), input.columns),
    [],
    ...tierLines(view, input),
    [],
    ...flow(dueLine(view, input), input.columns),
  ];
  const room = input.rows === undefined ? Infinity : input.rows - lines.length - (input.note ? 2 : 1);
  const events = view.events.slice(0, Math.max(0, Math.min(EVENTS_MOST, room)));
  lines.push(...events.map((event) => eventLine(event, input.lang)));
  if (input.note !== undefined)
    lines.push(...wrap(input.note, input.columns).map((line) => [piece(line, 'bad')]));
  return lines.map((line) => paintLine(line, input.columns, input.colour)).join('\n');
}

/** Parts of a line side by side; what does not fit beside the others gets a line of its own, so that nothing is cut. */
function flow(parts: readonly Piece[][], columns: number): Piece[][] {
  const lines: Piece[][] = [];
  let room = 0;
  for (const part of parts) {
    const partWidth = part.reduce((sum, { text }) => sum + width(text), 0);
    const line = lines.at(-1);
    if (line && room >= GAP.length + partWidth) {
      line.push(piece(GAP), ...part);
      room -= GAP.length + partWidth;
    } else {
      lines.push([...part]);
      room = columns - partWidth;
    }
  }
  return lines;
}

/** `【演练】 暴雨红色预警 W12 生效中  濯水镇`: what it is, before anything else. */
function titleLine(view: Pick<WarningView, 'warning'>, lang: Language): Piece[][] {
  const { warning } = view;
  const named = { hazard: hazardName(warning.hazard, lang), level: levelName(warning.level, lang) };
  return [
    [
      ...(warning.kind === 'exercise' ? [piece(`${EXERCISE_MARK[lang]} `, 'strong')] : []),
      piece(sayIn(lang, 'warning.name', named), warning.level),
    ],
    [
      piece(warningId(warning.warningId), 'strong'),
      piece(
        ` ${sayIn(lang, `status.${warning.retracted ? 'retracted' : warning.status}`)}`,
        warning.status === 'open' ? 'busy' : 'faint',
      ),
      ...(warning.supersededById === null
        ? []
        : [piece(` → ${warningId(warning.supersededById)}`, 'strong')]),
      ...(warning.supersedesId === null ? [] : [piece(` ← ${warningId(warning.supersedesId)}`, 'faint')]),
    ],
    [piece(harmless(warning.areas.join(lang === 'zh' ? '、' : ', ')))],
  ];
}

function timesLine({ warning }: WarningView, { lang, now }: FrameInput): Piece[][] {
  const left =
    warning.status === 'open'
      ? sayIn(lang, 'frame.left', { left: clock(warning.expiresAt - now) })
      : sayIn(lang, 'frame.endedAt', { at: minuteOf(warning.endedAt ?? warning.expiresAt) });
  return [
    [piece(sayIn(lang, 'frame.issued', { at: minuteOf(warning.issuedAt) }), 'faint')],
    [piece(sayIn(lang, 'frame.expires', { at: minuteOf(warning.expiresAt) }), 'faint')],
    [piece(left)],
  ];
}

function tierLines(view: WarningView, input: FrameInput): Piece[][] {
  const { lang } = input;
  const { tiers } = view;
  const names = tiers.map(({ tier }) => tierName(tier, lang));
  const nameWidth = Math.max(...names.map(width));
  const { figures, barWidth } = layOut(tiers, { ...input, nameWidth });
  const widths = figures.map((figure) => figureWidth(figure, tiers, lang));
  const heading = figures
    .map(({ key }, place) => GAP + pad(sayIn(lang, key), widths[place] ?? 0, 'right'))
    .join('');
  const indent = ' '.repeat(nameWidth + (barWidth > 0 ? barWidth + GAP.length : 0));
  return [
    [piece(indent + heading, 'faint')],
    ...tiers.map((tier, place) => [
      piece(pad(names[place] ?? '', nameWidth)),
      ...(barWidth > 0 ? [piece(GAP), ...bar(tier, barWidth)] : []),
      ...figures.map((figure, column): Piece => {
        const text = GAP + pad(grouped(figure.of(tier)), widths[column] ?? 0, 'right');
        return piece(text, figure.of(tier) > 0 ? figure.tone : 'faint');
      }),
    ]),
  ];
}

/** All figures and a bar where they fit; else fewer figures, then no bar. */
function layOut(tiers: readonly TierStanding[], input: FrameInput & { nameWidth: number }) {
  let figures = [...FIGURES];
  for (let drop = Math.max(...FIGURES.map(({ drops }) => drops)); ; drop -= 1) {
    const taken = figures.reduce(
      (sum, figure) => sum + GAP.length + figureWidth(figure, tiers, input.lang),
      0,
    );
    const room = input.columns - input.nameWidth - taken - GAP.length;
    if (room >= BAR_LEAST) return { figures, barWidth: Math.min(BAR_MOST, room) };
    if (drop < 1) return { figures, barWidth: 0 };
    figures = figures.filter(({ drops }) => drops !== drop);
  }
}

function figureWidth(figure: Figure, tiers: readonly TierStanding[], lang: Language): number {
  return Math.max(width(sayIn(lang, figure.key)), ...tiers.map((tier) => width(grouped(figure.of(tier)))));
}

/** Answered, told but not answered, not told yet. A share above nothing is never drawn as nothing, one below all never as all. */
export function bar(tier: Pick<TierStanding, 'units' | 'told' | 'answered'>, columns: number): Piece[] {
  const { units } = tier;
  const answered = cells(tier.answered, units, columns);
  // Who answered needs no telling: an answer may come before the first send.
  const told = Math.max(answered, cells(Math.max(tier.told, tier.answered), units, columns));
  return [
    piece('█'.repeat(answered), 'good'),
    piece('▒'.repeat(told - answered), 'busy'),
    piece('░'.repeat(columns - told), 'faint'),
  ];
}

function cells(count: number, units: number, columns: number): number {
  if (units <= 0 || count <= 0) return 0;
  if (count >= units) return columns;
  return Math.min(columns - 1, Math.max(1, Math.round((count / units) * columns)));
}

function dueLine(view: WarningView, { lang, now }: FrameInput): Piece[][] {
  const { nextDeadlines, mail, pagesOpen } = view.progress;
  const due =
    nextDeadlines.length > 0
      ? sayIn(lang, 'frame.due', { due: nextDeadlines.map((at) => clock(at - now)).join(' · ') })
      : sayIn(lang, 'frame.nothingDue');
  return [
    [piece(sayIn(lang, 'frame.coverage', { coverage: coverageOf(view).toFixed(1) }), 'strong')],
    [piece(due)],
    ...(mail + pagesOpen > 0 ? [[piece(sayIn(lang, 'frame.busy'), 'busy')]] : []),
  ];
}

const EVENT_TONES: Readonly<Partial<Record<WarningEvent['event'], Tone>>> = {
  ...{ answered: 'good', carried: 'good', late: 'good', silent: 'bad' },
  ...{ superseded: 'strong', cancelled: 'strong', retracted: 'strong', expired: 'strong' },
};

/** What happened to a unit, or to the warning itself: then with the other warning, where there is one. */
function eventLine({ at, event, unit, tier, other }: WarningEvent, lang: Language): Piece[] {
  const about =
    unit === null || tier === null
      ? other === null
        ? ''
        : `${GAP}${warningId(other)}`
      : `${GAP}${pad(tierName(tier, lang), TIER_WIDTH[lang])}${GAP}${harmless(unit)}`;
  return [
    piece(`${timeOfDay(at)}${GAP}`, 'faint'),
    piece(pad(sayIn(lang, `event.${event}`), EVENT_WIDTH[lang]), EVENT_TONES[event] ?? 'plain'),
    piece(about),
  ];
}

const EVENT_WIDTH: Readonly<Record<Language, number>> = { zh: 6, en: 9 };
const TIER_WIDTH: Readonly<Record<Language, number>> = { zh: 4, en: 9 };

/** `102,500`; from five digits on, thousands are set apart. */
function grouped(count: number): string {
  return count < 10_000 ? String(count) : count.toLocaleString('en-US');
}

/** One line of a log, for output that is no terminal: answered of units for each tier. */
export function renderChange(view: WarningView, input: { lang: Language; now: Instant }): string {
  const { lang, now } = input;
  const tiers = view.tiers
    .filter(({ units }) => units > 0)
    .map((tier) => {
      const late = tier.silent > 0 ? sayIn(lang, 'change.silent', { silent: tier.silent }) : '';
      const of = sayIn(lang, 'change.tier', { told: tier.told, answered: tier.answered, units: tier.units });
      return `${tierName(tier.tier, lang)} ${of}${late}`;
    });
  const status = sayIn(lang, `status.${view.warning.status}`);
  return `${timeOfDay(now)} ${warningId(view.warning.warningId)} ${status} | ${tiers.join(' | ')}`;
}
