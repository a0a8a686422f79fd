/** How a rehearsal reads: tiers, the curve of answers, expectations, what-ifs. Pure. */
import { rangeOf, tierRanges, verdictRanges, type Range } from '../domain/rehearsal/ranges.ts';
import type { Verdict } from '../domain/rehearsal/expectations.ts';
import type { TierMoment, WarningSummary } from '../domain/rehearsal/summary.ts';
import { kindOf } from '../domain/scenario-check.ts';
import { spanMs, writeSpan, type Expectation, type Scenario } from '../domain/scenario.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { Rehearsed } from '../operations/rehearsals.ts';
import type { Context } from './context.ts';
import { paint } from './paint.ts';
import { levelName, tierName } from './shapes.ts';
import { renderTable, type Column } from './table.ts';
import { span } from './times.ts';
import { harmless } from './width.ts';

/** The plain run and each what-if: its text, and its rehearsals by seed. */
export type Played = { whatIf: string | null; scenario: Scenario; rehearsals: Rehearsed[] };

type Words = Pick<Context, 'say' | 'lang' | 'columns' | 'colour'>;

/** Minutes at which the curve is shown; a terminal of 80 columns holds so many. */
const CURVE_MINUTES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 60, 120];

/** Of units that nobody heard from; JSON has more. */
const SILENT_SHOWN_MOST = 8;

/** All of it, as lines. */
export function renderRehearsal(played: readonly Played[], context: Words): string[] {
  const [plain] = played;
  const [first] = plain?.rehearsals ?? [];
  if (!plain || !first) return [];
  const title = harmless(plain.scenario.title[context.lang]);
  const seeds = plain.rehearsals.length;
  const head =
    seeds === 1
      ? context.say('drill.head', { title, seed: first.seed })
      : context.say('drill.headSeeds', { title, seed: first.seed, seeds });
  return [
    head,
    ...first.warnings.flatMap((_, index) => renderWarning(plain.rehearsals, index, context)),
    ...renderExpectations(plain, context),
    ...(played.length > 1 ? renderWhatIfs(played, context) : []),
  ];
}

function renderWarning(rehearsals: readonly Rehearsed[], index: number, context: Words): string[] {
  const all = rehearsals.flatMap(({ warnings }) => warnings.slice(index, index + 1));
  const [first] = all;
  if (!first) return [];
  const { say, lang } = context;
  return [
    '',
    say('drill.warning', {
      name: first.name,
      level: levelName(first.level, lang),
      at: writeSpan(first.atMinute * MINUTE_MS),
      end: say(`end.${first.end}`),
      lasts: span(first.lastsMinutes * MINUTE_MS, lang),
    }),
    ...(all.length === 1 ? tierTable(first, context) : rangeTable(all, context)),
    '',
    say('drill.curve'),
    ...curveTable(all, context),
    ...(all.length === 1 ? renderRest(first, rehearsals[0]?.seed ?? 1, context) : []),
  ];
}

function tierTable(summary: WarningSummary, { say, lang, columns }: Words): string[] {
  type Tier = WarningSummary['tiers'][number];
  const count = (title: string, of: (tier: Tier) => number): Column<Tier> => ({
    title,
    of: (tier) => String(of(tier)),
    align: 'right',
  });
  return renderTable(
    summary.tiers,
    [
      { title: say('tier.tier'), of: ({ tier }) => tierName(tier, lang) },
      count(say('tier.units'), ({ units }) => units),
      count(say('drill.opened'), ({ opened }) => opened),
      count(say('tier.told'), ({ told }) => told),
      count(say('tier.answered'), ({ answered }) => answered),
      count(say('drill.doneSaid'), ({ done }) => done),
      count(say('drill.silent'), ({ silent }) => silent),
      count(say('tier.escalated'), ({ escalated }) => escalated),
      count(say('drill.bridged'), ({ bridged }) => bridged),
      {
        title: say('drill.nineTenths'),
        of: ({ answeredWithin }) => minutes(answeredWithin.nineTenths),
        align: 'right',
      },
    ],
    columns(),
  );
}

function rangeTable(all: readonly WarningSummary[], { say, lang, columns }: Words): string[] {
  type Tier = ReturnType<typeof tierRanges>[number];
  const range = (title: string, of: (tier: Tier) => Range | null): Column<Tier> => ({
    title,
    of: (tier) => written(of(tier)),
    align: 'right',
  });
  return renderTable(
    tierRanges(all),
    [
      { title: say('tier.tier'), of: ({ tier }) => tierName(tier, lang) },
      { title: say('tier.units'), of: ({ units }) => String(units), align: 'right' },
      range(say('tier.answered'), ({ answered }) => answered),
      range(say('drill.silent'), ({ silent }) => silent),
      range(say('tier.escalated'), ({ escalated }) => escalated),
      range(say('drill.bridged'), ({ bridged }) => bridged),
      range(say('drill.nineTenths'), ({ nineTenthsAnswered }) => nineTenthsAnswered),
    ],
    columns(),
  );
}

/** The share of units that had answered by each minute: of several seeds, the median. */
function curveTable(all: readonly WarningSummary[], { say, lang, columns }: Words): string[] {
  const [first] = all;
  if (!first) return [];
  const shown = CURVE_MINUTES.filter((minute) => first.minutes.includes(minute));
  return renderTable(
    first.tiers,
    [
      { title: say('tier.tier'), of: ({ tier }) => tierName(tier, lang) },
      ...shown.map((minute): Column<WarningSummary['tiers'][number]> => ({
        title: String(minute),
        of: ({ tier, units }) => {
          const place = first.minutes.indexOf(minute);
          const shares = all.map(({ tiers }) =>
            answeredAt(tiers.find((each) => each.tier === tier)?.over[place]),
          );
          return units === 0 ? '' : percent(rangeOf(shares).median / units);
        },
        align: 'right',
      })),
    ],
    columns(),
  );
}

function answeredAt(moment: TierMoment | undefined): number {
  return moment?.answered ?? 0;
}

function renderRest(summary: WarningSummary, seed: number, { say, lang, columns }: Words): string[] {
  const { households, correction, silentUnits } = summary;
  const silent = summary.tiers.reduce((sum, tier) => sum + tier.silent, 0);
  const messages = Object.values(summary.messages).reduce((sum, count) => sum + count, 0);
  return [
    '',
    say('drill.messages', { messages, dropped: summary.dropped, failed: summary.failed }),
    ...(households.told === 0
      ? []
      : [say('drill.households', { told: households.told, after: minutes(households.lastAfterMinutes) })]),
    ...(correction === null
      ? []
      : [
          say('drill.correction', { messages: correction.messages, after: minutes(correction.afterMinutes) }),
        ]),
    ...(silentUnits.length === 0
      ? []
      : [
          say('drill.silentUnits', { seed }),
          ...renderTable(
            silentUnits.slice(0, SILENT_SHOWN_MOST),
            [
              { title: say('tier.tier'), of: ({ tier }) => tierName(tier, lang) },
              { title: say('drill.name'), of: ({ name }) => harmless(name), shrinks: true },
              { title: say('unit.code'), of: ({ key }) => key },
            ],
            columns(),
          ),
          ...(silent > SILENT_SHOWN_MOST ? [say('more', { count: silent - SILENT_SHOWN_MOST })] : []),
        ]),
  ];
}

// ── expectations ────────────────────────────────────────────────────────────────────────────────────────────

function renderExpectations(plain: Played, context: Words): string[] {
  const { say, colour } = context;
  const ranges = verdictRanges(plain.rehearsals.map(({ verdicts }) => verdicts));
  if (ranges.length === 0) return [];
  const several = plain.rehearsals.length > 1;
  const lines = ranges.flatMap(({ met, of, was }, place) => {
    const verdict = plain.rehearsals[0]?.verdicts[place];
    if (!verdict) return [];
    const all = met === of;
    const result = several ? say('drill.metTimes', { met, of }) : say(all ? 'drill.met' : 'drill.unmet');
    const value = several ? (was === null ? say('drill.never') : `${written(was)}`) : wasOf(verdict, context);
    const sentence = `${expectationWords(verdict.expectation, context)}  (${say('drill.was', { was: value })})`;
    const change = verdict.expectation.metWith?.join('; ');
    return [
      `  ${paint(result, all ? 'good' : 'bad', colour)}  ${sentence}`,
      ...(all || change === undefined ? [] : [`      ${say('drill.metWith', { change: harmless(change) })}`]),
    ];
  });
  return ['', say('drill.expected'), ...lines];
}

function wasOf({ was, measure }: Verdict, { say }: Words): string {
  if (was === null) return say('drill.never');
  return measure === 'percent' ? `${was} %` : measure === 'minutes' ? minutes(was) : String(was);
}

/** An expectation as a sentence. */
export function expectationWords(
  expectation: Expectation,
  { say, lang }: Pick<Context, 'say' | 'lang'>,
): string {
  const of = (tier: string | undefined) =>
    tier === undefined ? say('expect.allTiers') : tierName(tier, lang);
  const at = (where: string | undefined) => (where === undefined ? '' : ` ${harmless(where)}`);
  // `10m` in a file is ten minutes; to a reader it may be ten metres.
  const time = (written = '') => (spanMs(written) === 0 ? written : span(spanMs(written), lang));
  const kind = kindOf(expectation);
  const named = expectation.warning === undefined ? '' : `${expectation.warning}: `;
  switch (kind) {
    case 'answered':
    case 'told':
    case 'done': {
      const {
        tier,
        where,
        percent: share,
        within,
      } = expectation[kind] ?? { tier: '', percent: 0, within: '' };
      return (
        named +
        say(`expect.${kind}`, { tier: of(tier), where: at(where), percent: share, within: time(within) })
      );
    }
    case 'silent': {
      const { tier, where, atMost, atLeast, after = '' } = expectation.silent ?? {};
      const place = { tier: of(tier), where: at(where), after: time(after) };
      return (
        named +
        [
          ...(atMost === undefined ? [] : [say('expect.silentMost', { ...place, units: atMost })]),
          ...(atLeast === undefined ? [] : [say('expect.silentLeast', { ...place, units: atLeast })]),
        ].join(', ')
      );
    }
    case 'bridged':
      return (
        named +
        say('expect.bridged', {
          where: expectation.bridged?.where ?? '',
          within: time(expectation.bridged?.within),
        })
      );
    case 'notBridged':
      return named + say('expect.notBridged', { where: '', ...expectation.notBridged });
    case 'noSendAfterEnd':
      return named + say('expect.noSendAfterEnd');
    case 'corrected':
      return named + say('expect.corrected', { within: time(expectation.corrected?.within) });
    case null:
      return named;
    default:
      return kind satisfies never;
  }
}

// ── what if ─────────────────────────────────────────────────────────────────────────────────────────────────

/** What a run comes to in a few numbers, for one line of the table and for JSON. */
export function inShort({ warnings, verdicts }: Rehearsed) {
  const tiers = warnings.flatMap((warning) =>
    warning.tiers.map((tier) => ({ tier, minutes: warning.minutes })),
  );
  const sum = (of: (each: (typeof tiers)[number]) => number) =>
    tiers.reduce((total, each) => total + of(each), 0);
  const units = sum(({ tier }) => tier.units);
  const share = (count: number) => (units === 0 ? 0 : Math.round((1_000 * count) / units) / 10);
  return {
    answeredIn15Percent: share(
      sum(({ tier, minutes: at }) => tier.over[at.findLastIndex((m) => m <= 15)]?.answered ?? 0),
    ),
    answeredAtEndPercent: share(sum(({ tier }) => tier.answered)),
    silent: sum(({ tier }) => tier.silent),
    escalated: sum(({ tier }) => tier.escalated),
    bridged: sum(({ tier }) => tier.bridged),
    met: verdicts.filter(({ met }) => met).length,
    expectations: verdicts.length,
  };
}

function renderWhatIfs(played: readonly Played[], context: Words): string[] {
  const { say } = context;
  const rows = played.map(({ whatIf, rehearsals }) => ({ whatIf, shorts: rehearsals.map(inShort) }));
  type Row = (typeof rows)[number];
  const range = (title: string, of: (short: ReturnType<typeof inShort>) => number): Column<Row> => ({
    title,
    of: ({ shorts }) => written(rangeOf(shorts.map(of))),
    align: 'right',
  });
  return [
    '',
    say('drill.answeredHead'),
    ...renderTable(
      rows,
      [
        {
          title: say('drill.whatIf'),
          of: ({ whatIf }) => (whatIf === null ? say('drill.asItIs') : harmless(whatIf)),
          shrinks: true,
        },
        range(say('drill.answeredIn15'), (short) => short.answeredIn15Percent),
        range(say('drill.answeredAtEnd'), (short) => short.answeredAtEndPercent),
        range(say('drill.silent'), (short) => short.silent),
        range(say('tier.escalated'), (short) => short.escalated),
        range(say('drill.bridged'), (short) => short.bridged),
        range(say('drill.met'), (short) => short.met),
      ],
      context.columns(),
    ),
  ];
}

/** `9 (8 … 9)`; one number where the range is none. */
function written(range: Range | null): string {
  if (range === null) return '–';
  const { median, p5, p95 } = range;
  const number = (value: number) => (value === Infinity ? '–' : String(value));
  return p5 === p95 ? number(median) : `${number(median)} (${number(p5)} … ${number(p95)})`;
}

function percent(share: number): string {
  const value = 100 * share;
  return value > 99 && value < 100 ? '99' : String(Math.round(value));
}

function minutes(value: number | null): string {
  return value === null ? '–' : `${value} min`;
}
