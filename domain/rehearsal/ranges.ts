/** Ranges over seeds: what usually comes of it, and how bad or good it may be. Pure. */
import type { TierId } from '../tiers.ts';
import type { Verdict } from './expectations.ts';
import type { TierSummary, WarningSummary } from './summary.ts';

/** Half of the seeds lie at or below `median`; one in twenty below `p5`, one in twenty above `p95`. */
export type Range = { median: number; p5: number; p95: number };

export type Ranged = 'told' | 'answered' | 'silent' | 'escalated' | 'bridged';

export type TierRanges = Record<Ranged, Range> & {
  tier: TierId;
  units: number;
  /** Minutes until nine of ten had answered; null where that never was in more than half of the seeds. */
  nineTenthsAnswered: Range | null;
};

export type VerdictRange = { met: number; of: number; was: Range | null };

/** The range of some numbers; they need not be in order. */
export function rangeOf(numbers: readonly number[]): Range {
  const inOrder = [...numbers].sort((one, other) => one - other);
  const at = (share: number) => inOrder[Math.max(0, Math.ceil(share * inOrder.length) - 1)] ?? 0;
  return { median: at(0.5), p5: at(0.05), p95: at(0.95) };
}

/** The ranges of each tier of one warning over several rehearsals of it. */
export function tierRanges(rehearsals: readonly WarningSummary[]): TierRanges[] {
  return (rehearsals[0]?.tiers ?? []).map(({ tier, units }) => {
    const all = rehearsals.flatMap(({ tiers }) => tiers.filter((each) => each.tier === tier));
    const range = (of: (tier: TierSummary) => number) => rangeOf(all.map(of));
    const within = all.map(({ answeredWithin }) => answeredWithin.nineTenths ?? Infinity);
    const nineTenths = rangeOf(within);
    return {
      tier,
      units,
      told: range((each) => each.told),
      answered: range((each) => each.answered),
      silent: range((each) => each.silent),
      escalated: range((each) => each.escalated),
      bridged: range((each) => each.bridged),
      nineTenthsAnswered: nineTenths.median === Infinity ? null : nineTenths,
    };
  });
}

/** How often each expectation was met. */
export function verdictRanges(all: readonly (readonly Verdict[])[]): VerdictRange[] {
  return (all[0] ?? []).map((_, place) => {
    const verdicts = all.flatMap((each) => each.slice(place, place + 1));
    const numbers = verdicts.flatMap(({ was }) => (was === null ? [] : [was]));
    return {
      met: verdicts.filter(({ met }) => met).length,
      of: verdicts.length,
      was: numbers.length === 0 ? null : rangeOf(numbers),
    };
  });
}
