/**
 * What a bench is, what it gives back, and which there are: one file per question. `run.ts` is the command; `site.ts` starts
 * servers, worker and stand-ins for a bench; `measure.ts` holds the arithmetic; `report.ts` the JSON object and the table.
 */
import type { Invariant } from '../operations/referee.ts';

/** A figure of several rounds. `worst` is the one that speaks most against the engine. */
export type Spread = { median: number; worst: number; best: number };

/** Temporal's server: on the same PostgreSQL as everything else, as in production, or the dev server on a file. */
export type TemporalServer = 'postgres' | 'dev';

export type CityWide = {
  /** Units whose message was handed to the channel. */
  told: number;
  /** From the commit to the last hand-off of the first rung. */
  seconds: number;
  firstSendMs: number;
  answered95Seconds: number;
  workflows: number;
  workerRssMiB: number;
  maxHistoryEvents: number;
  /** Messages that the far side took beyond one for each delivery. */
  farSideDuplicates: number;
};

export type Kill = { lost: number; twice: number; flagged: number; firstNewSendSeconds: number };

export type Answers = { perSecond: number; p99IdleMs: number; p99BusyMs: number; lost: number };

/** What the benches measure; each bench fills its own part. All but `devServer` are on PostgreSQL alone. */
export type Figures = {
  ratios?: {
    smtp?: { engineVsBare: Spread; engineVsGraphileWorker: Spread; engineVsPgBoss: Spread };
    gateway?: { engineVsLoop: Spread };
  };
  /** Per second; medians. */
  rates?: { smtp?: number; gateway?: number; answers?: number };
  cityWide?: CityWide;
  kill?: Kill;
  answers?: Answers;
  devServer?: { cityWide?: CityWide; kill?: Kill };
};

/** The referee's word on one warning; `broken` is empty where every promise holds. */
export type Verdict = { warning: string; server: TemporalServer; judged: number[]; broken: Invariant[] };

export type Result = {
  figures: Figures;
  /** Sizes, connections and whatever else a reader needs to do it again. */
  settings: Record<string, string | number>;
  /** What the far side counted itself. */
  farSide: Record<string, number>;
  verdicts: Verdict[];
  /** Everything else worth keeping: rounds, splits, limits of the far side. Printed below the table, kept in the JSON. */
  details?: Record<string, unknown>;
};

export type BenchContext = {
  /** Smaller and fewer: the whole bench in five minutes. */
  quick: boolean;
  /** Progress, on standard error. */
  say: (line: string) => void;
  /** The servers to measure on: the first gives the figures, `dev` those of `devServer`. */
  servers: readonly TemporalServer[];
  /** Notes the version of something that was started, for the report. */
  noteVersion: (name: string, version: string) => void;
};

/** Each file exports one of these as `bench`. It starts what it needs by `startSite` and stops it again. */
export type Bench = { name: string; question: string; run(context: BenchContext): Promise<Result> };

/** Loaded when they are run: one bench must not pay for the modules of another. */
export const BENCHES: Record<string, () => Promise<{ bench: Bench }>> = {
  email: () => import('./email.ts'),
  gateway: () => import('./gateway.ts'),
  city: () => import('./city.ts'),
  answers: () => import('./answers.ts'),
  replies: () => import('./replies.ts'),
};
