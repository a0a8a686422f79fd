/**
 * The score of a drill, from 0 to 100, and what it is made of: shown beside it, never alone. What it leaves out and why it is so stands
 * in docs/adr/0031. Pure.
 */
import type { Expectation } from './scenario.ts';

export type ScorePart = 'reachedIn10' | 'answeredIn15' | 'answeredAtEnd' | 'goals';

/** `percent` null: there is nothing to count, and its weight falls to the others. */
export type Score = {
  points: number;
  parts: { part: ScorePart; percent: number | null; weight: number }[];
};

/** The minutes at which the score looks. Within ten the public is to be reached (national system, 2011); fifteen is a choice. */
export const SCORED_MINUTES = { reached: 10, answered: 15 } as const;

/**
 * Product choices, no standard was found: quick telling, quick answering, answering at all, and what the planner expected. Within a
 * part every tier of every warning counts alike, or a thousand groups would hide one silent district.
 */
export const SCORE_WEIGHTS: Readonly<Record<ScorePart, number>> = {
  reachedIn10: 20,
  answeredIn15: 30,
  answeredAtEnd: 30,
  goals: 20,
};

/** How the units of one tier stood, by minutes from the issue; the last moment is the end of the warning. */
export type ScoredTier = { units: number; minutes: readonly number[]; over: readonly ScoredMoment[] };
export type ScoredMoment = { reached: number; answered: number };

/**
 * Whether an expectation is something to reach. That a place is silent, or passed over, is what a story is to show: where everybody
 * answers it is not met, and nobody is worse off.
 */
export function isGoal(expectation: Expectation): boolean {
  const { silent, bridged } = expectation;
  return bridged === undefined && (silent === undefined || silent.atMost !== undefined);
}

export function scoreOf(
  tiers: readonly ScoredTier[],
  verdicts: readonly { expectation: Expectation; met: boolean }[],
): Score {
  const { reached, answered } = SCORED_MINUTES;
  const goals = verdicts.filter(({ expectation }) => isGoal(expectation));
  const mean = (of: (tier: ScoredTier) => number) => meanOf(tiers.map(of));
  const percents: Record<ScorePart, number | null> = {
    reachedIn10: mean((tier) => shareAt(tier, 'reached', reached)),
    answeredIn15: mean((tier) => shareAt(tier, 'answered', answered)),
    answeredAtEnd: mean((tier) => shareAt(tier, 'answered', Infinity)),
    goals: meanOf(goals.map(({ met }) => (met ? 100 : 0))),
  };
  const parts = (Object.keys(SCORE_WEIGHTS) as ScorePart[]).map((part) => {
    const percent = percents[part];
    return { part, percent: percent === null ? null : oneDecimal(percent), weight: SCORE_WEIGHTS[part] };
  });
  return { points: pointsOf(parts), parts };
}

/** The weighted mean of the parts that there are, in whole points: whoever recounts it from the table gets the same. */
export function pointsOf(parts: Score['parts']): number {
  const counted = parts.flatMap(({ percent, weight }) => (percent === null ? [] : [{ percent, weight }]));
  const weights = counted.reduce((sum, { weight }) => sum + weight, 0);
  const points = counted.reduce((sum, { percent, weight }) => sum + percent * weight, 0);
  return weights === 0 ? 0 : Math.round(points / weights);
}

/** Per cent of the tier's units at the last look within so many minutes: a warning that ended before is seen at its end. */
export function shareAt(
  { units, minutes, over }: ScoredTier,
  count: keyof ScoredMoment,
  within: number,
): number {
  const moment = over[minutes.findLastIndex((minute) => minute <= within)];
  return units === 0 ? 100 : (100 * (moment?.[count] ?? 0)) / units;
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10;
}
