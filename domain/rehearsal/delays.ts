/**
 * How long people take to answer: a curve with a median and a p90, log-normal between and beyond. `Math.log`, `exp` and `pow` may
 * differ in their last digit between machines; this file has only + − × ÷ and the square root, which may not (IEEE 754).
 */
import { MINUTE_MS } from '../time.ts';

/** Half of the answers come within `median` minutes, nine of ten within `p90`. */
export type Curve = { median: number; p90: number };

/** Product choices: no measurement of officials was found. `usual` is near to the model of the stand-in people. */
export const CURVES = {
  prompt: { median: 0.5, p90: 1.5 },
  usual: { median: 1.5, p90: 4 },
  slow: { median: 5, p90: 15 },
  night: { median: 4, p90: 20 },
} as const satisfies Record<string, Curve>;

export type CurveName = keyof typeof CURVES;

/** The whole curve as a table: its value in milliseconds at every 1,024th. */
export type Delays = Float64Array;

const STEPS = 1_024;

/** The normal distribution from its middle up, as in any table of it: share, and distance from the mean in deviations. */
const NORMAL: readonly (readonly [share: number, deviations: number])[] = [
  [0.5, 0],
  [0.55, 0.12566],
  [0.6, 0.25335],
  [0.65, 0.38532],
  [0.7, 0.5244],
  [0.75, 0.67449],
  [0.8, 0.84162],
  [0.85, 1.03643],
  [0.9, 1.28155],
  [0.925, 1.43953],
  [0.95, 1.64485],
  [0.975, 1.95996],
  [0.99, 2.32635],
  [0.995, 2.57583],
  [0.999, 3.09023],
];
const P90_DEVIATIONS = 1.28155;

/** The table of a curve; `slower` multiplies all of it. */
export function delaysOf({ median, p90 }: Curve, slower = 1): Delays {
  const ratio = p90 / median;
  const table = new Float64Array(STEPS + 1);
  for (let step = 0; step <= STEPS; step += 1) {
    const deviations = normal(step / STEPS) / P90_DEVIATIONS;
    table[step] = median * slower * MINUTE_MS * power(ratio, deviations);
  }
  return table;
}

/** The delay of a draw from 0 to 2³² − 1, in whole milliseconds, at least one. */
export function delayMs(delays: Delays, draw: number): number {
  const step = draw >>> 22;
  const within = (draw & 0x3fffff) / 0x400000;
  const low = delays[step] ?? 0;
  const high = delays[step + 1] ?? low;
  return Math.max(1, Math.round(low + (high - low) * within));
}

/** Deviations from the mean below which this share lies; flat beyond 0.1 % at both ends. */
function normal(share: number): number {
  if (share < 0.5) return -normal(1 - share);
  for (let place = 1; place < NORMAL.length; place += 1) {
    const [from, low] = NORMAL[place - 1] ?? [0.5, 0];
    const [to, high] = NORMAL[place] ?? [1, 0];
    if (share <= to) return low + ((high - low) * (share - from)) / (to - from);
  }
  return NORMAL.at(-1)?.[1] ?? 0;
}

const FRACTION_BITS = 24;

/** `base` to the power of `exponent`, by roots and products alone. */
function power(base: number, exponent: number): number {
  if (exponent < 0) return 1 / power(base, -exponent);
  let result = 1;
  for (let whole = Math.floor(exponent); whole > 0; whole -= 1) result *= base;
  let rest = exponent - Math.floor(exponent);
  let root = base;
  for (let bit = 0; bit < FRACTION_BITS; bit += 1) {
    root = Math.sqrt(root);
    rest *= 2;
    if (rest >= 1) {
      result *= root;
      rest -= 1;
    }
  }
  return result;
}
