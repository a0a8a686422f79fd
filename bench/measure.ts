/** The arithmetic of the benches: rounds run in turn, ratios per round, spreads, percentiles. No clock and no I/O of its own. */
import type { Spread } from './bench.ts';

/** The middle value; of an even number the mean of the two. */
export function median(values: readonly number[]): number {
  const sorted = sort(values);
  const upper = Math.floor(sorted.length / 2);
  const lower = sorted.length % 2 === 0 ? upper - 1 : upper;
  return ((sorted[lower] ?? NaN) + (sorted[upper] ?? NaN)) / 2;
}

/** The value that `share` of all values do not exceed (nearest rank): 0.99 of 1,000 is the 990th. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = sort(values);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1))] ?? NaN;
}

/** The spread of ratios, where more is better: the worst is the least. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), worst: Math.min(...values), best: Math.max(...values) };
}

/** How many times as fast the first was as the second, round by round, from what each took. */
export function ratiosOf(seconds: readonly number[], rivalSeconds: readonly number[]): number[] {
  if (seconds.length !== rivalSeconds.length)
    throw new RangeError('rounds are compared one with one: both sides need as many');
  return seconds.map((mine, round) => (rivalSeconds[round] ?? NaN) / mine);
}

/**
 * Runs every contender once, in order, then again, so that whatever the machine does meanwhile meets all of them alike. The
 * first round is run and thrown away: connections, prepared plans and compiled code are there from the second on.
 */
export async function interleave<Name extends string, Run>(
  contenders: Record<Name, (round: number) => Promise<Run>>,
  rounds: number,
): Promise<Record<Name, Run[]>> {
  const names = Object.keys(contenders) as Name[];
  const runs = Object.fromEntries(names.map((name) => [name, [] as Run[]])) as Record<Name, Run[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      const run = await contenders[name](round);
      if (round > 0) runs[name].push(run);
    }
  }
  return runs;
}

/** Cut to the digits that mean something in a printed figure. */
export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

function sort(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError('nothing was measured');
  return [...values].sort((one, other) => one - other);
}
