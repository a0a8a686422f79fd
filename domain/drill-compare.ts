/** Two reports beside each other: what got better or worse per tier, who is newly silent and who newly heard. Pure. */
import type { DrillReport, NamedUnit, TierReport, WarningReport } from './drill-report.ts';
import { isGoal, SCORED_MINUTES, shareAt, type Score } from './drill-score.ts';
import type { Verdict } from './rehearsal/expectations.ts';
import { TIERS, type TierId } from './tiers.ts';

export type Course = 'better' | 'worse' | 'same';

/** One figure before and after; null where it never was, or there is nothing to count. */
export type Change = { before: number | null; after: number | null; course: Course };

/** Per cent of the tier's units; minutes from the issue. */
export type Measure =
  'reachedIn10' | 'answeredIn15' | 'answeredAtEnd' | 'silentAtEnd' | 'half' | 'nineTenths';

export type TierComparison = {
  tier: TierId;
  units: { before: number; after: number };
  changes: Record<Measure, Change>;
  /** `mixed`: some figures are better, some worse. */
  course: Course | 'mixed';
};

export type WarningComparison = {
  before: string;
  after: string;
  /** Tiers of both reports. */
  tiers: TierComparison[];
  newlySilent: NamedUnit[];
  newlyHeard: NamedUnit[];
  /** Silent in both. */
  stillSilent: number;
  /** Silent in one, and no part of the other: neither better nor worse. */
  elsewhere: { before: number; after: number };
};

/** `goal`: to meet it is better; see `isGoal`. */
export type ExpectationComparison = {
  expectation: Verdict['expectation'];
  goal: boolean;
  before: boolean;
  after: boolean;
};

export type Compared = Pick<DrillReport, 'source' | 'title' | 'startsAt' | 'score' | 'interruptions'>;

export type Comparison = {
  before: Compared;
  after: Compared;
  points: Change;
  parts: { part: Score['parts'][number]['part']; change: Change }[];
  warnings: WarningComparison[];
  /** Warnings that only one of the two has. */
  leftOut: { before: string[]; after: string[] };
  /** Those that both reports judge. */
  expectations: ExpectationComparison[];
};

/** What is less counts as the same: chance alone moves as much. Product choices, no source. */
const NOTICEABLE = { percent: 1, minutes: 0.5, points: 1 } as const;

const MEASURES: Readonly<
  Record<Measure, { unit: keyof typeof NOTICEABLE; more: Course; of: (tier: Looked) => number | null }>
> = {
  reachedIn10: {
    unit: 'percent',
    more: 'better',
    of: (tier) => share(tier, 'reached', SCORED_MINUTES.reached),
  },
  answeredIn15: {
    unit: 'percent',
    more: 'better',
    of: (tier) => share(tier, 'answered', SCORED_MINUTES.answered),
  },
  answeredAtEnd: { unit: 'percent', more: 'better', of: (tier) => share(tier, 'answered', Infinity) },
  silentAtEnd: { unit: 'percent', more: 'worse', of: ({ silent, units }) => percent(silent, units) },
  half: { unit: 'minutes', more: 'worse', of: ({ answeredWithin }) => answeredWithin.half },
  nineTenths: { unit: 'minutes', more: 'worse', of: ({ answeredWithin }) => answeredWithin.nineTenths },
};

type Looked = TierReport & { minutes: readonly number[] };

export function compareReports(before: DrillReport, after: DrillReport): Comparison {
  const pairs = pairsOf(before.warnings, after.warnings);
  const paired = new Set(pairs.flat());
  const leftOut = ({ warnings }: DrillReport) =>
    warnings.filter((warning) => !paired.has(warning)).map(({ name }) => name);
  return {
    before: headOf(before),
    after: headOf(after),
    points: change(before.score.points, after.score.points, 'better', NOTICEABLE.points),
    parts: before.score.parts.map(({ part, percent: was }) => {
      const is = after.score.parts.find((other) => other.part === part)?.percent ?? null;
      const course =
        was === null || is === null ? 'same' : change(was, is, 'better', NOTICEABLE.percent).course;
      return { part, change: { before: was, after: is, course } };
    }),
    warnings: pairs.map(([one, other]) => compareWarnings(one, other)),
    leftOut: { before: leftOut(before), after: leftOut(after) },
    expectations: before.expectations.flatMap(({ expectation, met }) => {
      const same = after.expectations.find((other) => meansTheSame(expectation, other.expectation));
      return same ? [{ expectation, goal: isGoal(expectation), before: met, after: same.met }] : [];
    }),
  };
}

function headOf({ source, title, startsAt, score, interruptions }: DrillReport): Compared {
  return { source, title, startsAt, score, interruptions };
}

/** By their names where both know one; else one after the other, as a warning on record has a name of its own. */
function pairsOf(
  before: readonly WarningReport[],
  after: readonly WarningReport[],
): [WarningReport, WarningReport][] {
  const named = before.flatMap((one): [WarningReport, WarningReport][] => {
    const same = after.find(({ name }) => name === one.name);
    return same ? [[one, same]] : [];
  });
  if (named.length > 0) return named;
  return before.flatMap((one, place): [WarningReport, WarningReport][] => {
    const other = after[place];
    return other ? [[one, other]] : [];
  });
}

function compareWarnings(before: WarningReport, after: WarningReport): WarningComparison {
  const tiers = TIERS.flatMap(({ id }) => {
    const [was, is] = [before, after].map(({ tiers: all, minutes }) => {
      const found = all.find(({ tier }) => tier === id);
      return found && { ...found, minutes };
    });
    return was && is ? [compareTiers(was, is)] : [];
  });
  const [was, is] = [before, after].map(({ silentUnits }) => new Set(silentUnits.map(({ key }) => key)));
  const onlyBefore = before.silentUnits.filter(({ key }) => !is?.has(key));
  const onlyAfter = after.silentUnits.filter(({ key }) => !was?.has(key));
  const newlyHeard = onlyBefore.filter((unit) => concerns(after, unit)).map(plain);
  const newlySilent = onlyAfter.filter((unit) => concerns(before, unit)).map(plain);
  return {
    before: before.name,
    after: after.name,
    tiers,
    newlySilent,
    newlyHeard,
    stillSilent: before.silentUnits.length - onlyBefore.length,
    elsewhere: {
      before: onlyBefore.length - newlyHeard.length,
      after: onlyAfter.length - newlySilent.length,
    },
  };
}

/** The unit lies in an area of the warning, or on the way down to one. */
function concerns({ areas }: WarningReport, unit: NamedUnit): boolean {
  return areas.some(
    (area) => area.key === unit.key || unit.within.includes(area.key) || area.within.includes(unit.key),
  );
}

function plain({ key, name, above, tier, within }: NamedUnit): NamedUnit {
  return { key, name, above, tier, within };
}

function compareTiers(before: Looked, after: Looked): TierComparison {
  const changes = Object.fromEntries(
    Object.entries(MEASURES).map(([measure, { unit, more, of }]) => [
      measure,
      change(of(before), of(after), more, NOTICEABLE[unit]),
    ]),
  ) as Record<Measure, Change>;
  const courses = new Set(Object.values(changes).map(({ course }) => course));
  const [better, worse] = [courses.has('better'), courses.has('worse')];
  return {
    tier: before.tier,
    units: { before: before.units, after: after.units },
    changes,
    course: better && worse ? 'mixed' : better ? 'better' : worse ? 'worse' : 'same',
  };
}

/** `more` is what a larger figure means. Of times, null is never: later than all. */
function change(before: number | null, after: number | null, more: Course, noticeable: number): Change {
  const grown = (after ?? Infinity) - (before ?? Infinity);
  if (Number.isNaN(grown) || Math.abs(grown) < noticeable) return { before, after, course: 'same' };
  const less = more === 'better' ? 'worse' : 'better';
  return { before, after, course: grown > 0 ? more : less };
}

function share(tier: Looked, count: 'reached' | 'answered', within: number): number {
  return Math.round(shareAt(tier, count, within) * 10) / 10;
}

function percent(count: number, of: number): number {
  return of === 0 ? 0 : Math.round((1_000 * count) / of) / 10;
}

/** The change that would meet it is advice, and no part of what is expected. */
function meansTheSame(one: Verdict['expectation'], other: Verdict['expectation']): boolean {
  const flat = ({ metWith: _, ...rest }: Verdict['expectation']) => JSON.stringify(sorted(rest));
  return flat(one) === flat(other);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return entries.map(([key, below]) => [key, sorted(below)]);
}
