/**
 * The pictures of a report, as SVG: what a tier's units were doing over time, and how the answers of all tiers rose. Colours differ in
 * brightness too, lines in their dashes, so that a print without colours can be read. Pure.
 */
import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import type { Phases, WarningReport } from '../domain/drill-report.ts';

export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

type Tier = WarningReport['tiers'][number];

/** Ground upwards; what nothing has happened to is left blank, and the silent hang from the top. */
const GROUND: readonly (keyof Phases)[] = ['answered', 'told', 'opened'];

/** For each tier from the top. */
const LINES: readonly { colour: string; dashes: string }[] = [
  { colour: '#7048a8', dashes: '' },
  { colour: '#0b6e99', dashes: '7 3' },
  { colour: '#b85c00', dashes: '2 3' },
  { colour: '#0a7d4b', dashes: '10 3 2 3' },
  { colour: '#1f2933', dashes: '' },
];

const TWO = {
  before: { colour: '#7a8791', dashes: '5 4' },
  after: { colour: '#0b6e69', dashes: '' },
} as const;

/** The tier's place from the top, or which of two. */
export type LinePlace = number | keyof typeof TWO;

function lineOf(place: LinePlace): { colour: string; dashes: string } {
  if (typeof place === 'string') return TWO[place];
  return LINES[place % LINES.length] ?? { colour: '#000', dashes: '' };
}

type Frame = { width: number; height: number; left: number; right: number; top: number; bottom: number };

const SMALL: Frame = { width: 340, height: 150, left: 32, right: 6, top: 6, bottom: 22 };
const LARGE: Frame = { width: 360, height: 236, left: 32, right: 6, top: 8, bottom: 36 };

/** Labels of the time axis lie at least so far apart. */
const TICK_GAP = 30;
const TICKS = [0, 1, 2, 5, 10, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1_440, 2_880, 4_320];
const SHARES = [0, 50, 100];

/** Where a minute lies, from 0 to 1. The beginning is drawn wider: by the logarithm, with a minute added so that 0 has a place. */
export function placeOf(minute: number, last: number): number {
  return last <= 0 ? 0 : Math.log1p(Math.min(Math.max(minute, 0), last)) / Math.log1p(last);
}

/** What the units of one tier were doing, as areas above each other. `name` is read out instead of the picture. */
export function phasesChart(tier: Tier, minutes: readonly number[], name: string): Html {
  const draw = plotter(SMALL, minutes.at(-1) ?? 0);
  const share = (count: number) => (tier.units === 0 ? 0 : count / tier.units);
  const layers = GROUND.map((phase, depth) => {
    const below = GROUND.slice(0, depth);
    const sum = (place: number, phases: readonly (keyof Phases)[]) =>
      phases.reduce((total, each) => total + share(tier.over[place]?.phases[each] ?? 0), 0);
    return {
      phase,
      upper: minutes.map((minute, place) => draw.point(minute, sum(place, [...below, phase]))),
      lower: minutes.map((minute, place) => draw.point(minute, sum(place, below))),
    };
  });
  const silent = {
    upper: minutes.map((minute) => draw.point(minute, 1)),
    lower: minutes.map((minute, place) =>
      draw.point(minute, 1 - share(tier.over[place]?.phases.silent ?? 0)),
    ),
  };
  return html`<svg class="chart" viewBox="0 0 ${SMALL.width} ${SMALL.height}" role="img" aria-label="${name}">
    ${draw.ground()} ${layers.map(({ phase, upper, lower }) => area(phase, upper, lower))}
    ${area('silent', silent.upper, silent.lower)} ${draw.axes(null)}
  </svg>`;
}

/** The answers of every tier as lines. */
export function curvesChart(
  { tiers, minutes }: Pick<WarningReport, 'tiers' | 'minutes'>,
  words: { name: string; axis: string },
): Html {
  const draw = plotter(LARGE, minutes.at(-1) ?? 0);
  return html`<svg
    class="chart"
    viewBox="0 0 ${LARGE.width} ${LARGE.height}"
    role="img"
    aria-label="${words.name}"
  >
    ${draw.ground()}
    ${tiers.map(({ over, units }, place) => {
      const { colour, dashes } = lineOf(place);
      const points = minutes.map((minute, at) =>
        draw.point(minute, units === 0 ? 0 : (over[at]?.answered ?? 0) / units),
      );
      return html`<polyline
        points="${points.join(' ')}"
        fill="none"
        stroke="${colour}"
        stroke-width="2"
        stroke-dasharray="${dashes}"
        stroke-linejoin="round"
      />`;
    })}
    ${draw.axes(words.axis)}
  </svg>`;
}

/** Shares from 0 to 1 by minutes. */
export type Curve = { minutes: readonly number[]; shares: readonly number[] };

/** One tier's answers in two drills, over the longer of both times. */
export function beforeAfterChart(before: Curve, after: Curve, name: string): Html {
  const draw = plotter(SMALL, Math.max(before.minutes.at(-1) ?? 0, after.minutes.at(-1) ?? 0));
  const line = ({ minutes, shares }: Curve, place: LinePlace) => {
    const { colour, dashes } = lineOf(place);
    const points = minutes.map((minute, at) => draw.point(minute, shares[at] ?? 0)).join(' ');
    return html`<polyline
      points="${points}"
      fill="none"
      stroke="${colour}"
      stroke-width="2"
      stroke-dasharray="${dashes}"
    />`;
  };
  return html`<svg class="chart" viewBox="0 0 ${SMALL.width} ${SMALL.height}" role="img" aria-label="${name}">
    ${draw.ground()} ${line(before, 'before')} ${line(after, 'after')} ${draw.axes(null)}
  </svg>`;
}

/** The score as a ring that is filled so far. */
export function scoreRing(points: number, name: string): Html {
  const radius = 52;
  const round = 2 * Math.PI * radius;
  const filled = (round * Math.min(100, Math.max(0, points))) / 100;
  return html`<svg class="ring" viewBox="0 0 130 130" role="img" aria-label="${name}">
    <circle cx="65" cy="65" r="${radius}" fill="none" stroke="#e3e8ec" stroke-width="13" />
    <circle
      cx="65"
      cy="65"
      r="${radius}"
      fill="none"
      stroke="#0b6e69"
      stroke-width="13"
      stroke-dasharray="${fixed(filled)} ${fixed(round)}"
      transform="rotate(-90 65 65)"
    />
    <text x="65" y="72" text-anchor="middle" class="big">${points}</text>
    <text x="65" y="90" text-anchor="middle" class="small">/ 100</text>
  </svg>`;
}

/** A bar of a table's row: a share from 0 to 100. */
export function shareBar(percent: number): Html {
  const long = fixed(Math.min(100, Math.max(0, percent)));
  return html`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    <rect width="100" height="10" fill="#e3e8ec" />
    <rect width="${long}" height="10" fill="#0b6e69" />
  </svg>`;
}

/** A piece of the key beside the pictures, in the colour of its phase. */
export function phaseKey(phase: keyof Phases): Html {
  return html`<svg class="key" viewBox="0 0 18 12" aria-hidden="true">
    <rect x=".5" y=".5" width="17" height="11" fill="${fillOf(phase)}" stroke="#8a949c" />
  </svg>`;
}

export function lineKey(place: LinePlace): Html {
  const { colour, dashes } = lineOf(place);
  return html`<svg class="key" viewBox="0 0 30 12" style="width:30px" aria-hidden="true">
    <line x1="0" y1="6" x2="30" y2="6" stroke="${colour}" stroke-width="2.5" stroke-dasharray="${dashes}" />
  </svg>`;
}

/** What every picture may use; it stands once on the page. */
export function patterns(): Html {
  return html`<svg width="0" height="0" style="position:absolute" aria-hidden="true">
    <defs>
      <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect width="5" height="5" fill="#b3261e" />
        <line x1="0" y1="0" x2="0" y2="5" stroke="#fff" stroke-width="1.6" />
      </pattern>
    </defs>
  </svg>`;
}

const FILLS: Readonly<Record<keyof Phases, string>> = {
  answered: '#0b6e69',
  told: '#9fd3c7',
  opened: '#d5dde2',
  unopened: '#fff',
  silent: 'url(#hatch)',
};

function fillOf(phase: keyof Phases): string {
  return FILLS[phase];
}

function area(phase: keyof Phases, upper: readonly string[], lower: readonly string[]): Html {
  return html`<polygon points="${[...upper, ...[...lower].reverse()].join(' ')}" fill="${fillOf(phase)}" />`;
}

/** The frame of a picture of so many minutes: points, ground and axes. */
function plotter({ width, height, left, right, top, bottom }: Frame, last: number) {
  const x = (minute: number) => left + placeOf(minute, last) * (width - left - right);
  const y = (share: number) => height - bottom - share * (height - top - bottom);
  return {
    point: (minute: number, share: number) => `${fixed(x(minute))},${fixed(y(share))}`,
    ground: () =>
      html`<rect
        x="${left}"
        y="${top}"
        width="${width - left - right}"
        height="${height - top - bottom}"
        fill="#fff"
        stroke="#c3ccd2"
      />`,
    axes: (label: string | null) =>
      html`${SHARES.map(
        (share) =>
          html`<line
              x1="${left}"
              x2="${width - right}"
              y1="${y(share / 100)}"
              y2="${y(share / 100)}"
              class="grid"
            />
            <text x="${left - 4}" y="${y(share / 100) + 3.5}" text-anchor="end">${share}</text>`,
      )}
      ${ticksOf(last, x).map(
        (minute) =>
          html`<line
              x1="${fixed(x(minute))}"
              x2="${fixed(x(minute))}"
              y1="${height - bottom}"
              y2="${height - bottom + 3}"
              class="tick"
            />
            <text
              x="${fixed(x(minute))}"
              y="${height - bottom + 14}"
              text-anchor="${minute === last ? 'end' : 'middle'}"
            >
              ${tickWords(minute)}
            </text>`,
      )}
      ${
        label === null
          ? ''
          : html`<text x="${(width + left) / 2}" y="${height - 4}" text-anchor="middle">${label}</text>`
      }`,
  };
}

/** The last minute, and of the others as many as have room before it. */
function ticksOf(last: number, x: (minute: number) => number): number[] {
  const ticks: number[] = [];
  for (const minute of TICKS) {
    if (minute >= last) break;
    const before = ticks.at(-1);
    const room = before === undefined || x(minute) - x(before) >= TICK_GAP;
    if (room && x(last) - x(minute) >= TICK_GAP + 6) ticks.push(minute);
  }
  return [...ticks, last];
}

function tickWords(minute: number): string {
  return minute >= 60 && minute % 60 === 0 ? `${minute / 60} h` : String(Math.round(minute * 10) / 10);
}

function fixed(value: number): string {
  return String(Math.round(value * 100) / 100);
}
