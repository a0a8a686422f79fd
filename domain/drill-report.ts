/**
 * The report of a drill: how each tier came through, by which channels, who stayed silent, what was expected, and a score. A rehearsal,
 * a warning on record and a drill that was run give the same report. Minutes are those of the story: a run at a speed of 60 is told as
 * if it had run at the pace of life. Pure.
 */
import { findHazard } from './hazards.ts';
import { minutesOf, tallyChannels, type ChannelTally, type DrilledPerson } from './drill-people.ts';
import { scoreOf, type Score } from './drill-score.ts';
import type { Verdict } from './rehearsal/expectations.ts';
import {
  momentOf,
  stillSilent,
  summarise,
  type TierMoment,
  type TierSummary,
  type WarningSummary,
} from './rehearsal/summary.ts';
import { superiorOf, type Tree } from './rehearsal/tree.ts';
import type { RunRecord } from './rehearsal/warning-run.ts';
import { TIERS, type TierId } from './tiers.ts';
import { isoWithOffset, MINUTE_MS, type Instant } from './time.ts';
import type { UnitId, UnitState } from './unit.ts';

/** What a report's JSON says of itself; another shape gets another number. */
export const REPORT_FORMAT = 'fenghuo drill report 1';

/**
 * Where it comes from. `people`: of a rehearsal, whether they are made up or those of the database; how they behave is drawn in both.
 */
export type ReportSource =
  | { kind: 'rehearsal'; scenario: string; seed: number; whatIfs: string[]; people: 'made up' | 'registered' }
  | { kind: 'warning'; id: string; of: 'exercise' | 'actual'; speed: number }
  | {
      kind: 'drill';
      id: string;
      scenario: string;
      seed: number;
      speed: number;
      ended: 'played' | 'stopped' | null;
    };

/** Where each unit of a tier is at one moment: every unit is in exactly one. */
export type Phases = { answered: number; silent: number; told: number; opened: number; unopened: number };

/** `reached`: told, or heard from without a message of this warning, by telephone or by an answer that still stands. */
export type ReportMoment = TierMoment & { reached: number; phases: Phases };

export type TierReport = Omit<TierSummary, 'over'> & { over: ReportMoment[] };

/** `key` names it in any report of the same tree; `within` are the keys of the units above it, from the top. */
export type NamedUnit = { key: string; name: string; above: string; tier: TierId; within: string[] };

export type WarningReport = Omit<WarningSummary, 'tiers' | 'silentUnits'> & {
  hazard: string;
  areas: NamedUnit[];
  /** The moments of `over`: 0, the usual looks, and the end. */
  minutes: number[];
  tiers: TierReport[];
  channels: ChannelTally[];
  /** Never heard from; `told` is whether any message reached a channel. */
  silentUnits: (NamedUnit & { sinceMinute: number; told: boolean })[];
  /** Passed over: those below reported to the unit above. The highest tier first, as of the silent. */
  bridges: (NamedUnit & { atMinute: number })[];
};

/** A time in which the installation stood still: when, in minutes of the story, and for how many real seconds. */
export type Interruption = {
  kind: 'no answers taken' | 'paused' | 'processes gone';
  atMinute: number;
  seconds: number;
};

export type DrillReport = {
  format: typeof REPORT_FORMAT;
  source: ReportSource;
  title: { zh: string; en: string };
  startsAt: string;
  warnings: WarningReport[];
  interruptions: Interruption[];
  expectations: Verdict[];
  /** Expectations about warnings that are not in this report. */
  expectationsLeftOut: number;
  score: Score;
};

/** One warning with everything that is known of it. */
export type DrilledWarning = {
  run: RunRecord;
  hazard: string;
  areas: readonly UnitId[];
  people: readonly DrilledPerson[];
};

/** When a report looks, in minutes from the issue: close at first, when most happens. */
const LOOKS_AT = [
  0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 90, 120, 180, 240, 300, 360, 420, 480,
  600, 720, 1_440,
];

export function drillReport(input: {
  source: ReportSource;
  title: { zh: string; en: string };
  startAt: Instant;
  tree: Tree;
  warnings: readonly DrilledWarning[];
  interruptions?: readonly Interruption[];
  verdicts: readonly Verdict[];
  expectationsLeftOut?: number;
}): DrillReport {
  const { source, title, startAt, tree, verdicts } = input;
  const warnings = input.warnings.map((warning) => warningReport(warning, tree, startAt));
  const tiers = warnings.flatMap(({ tiers: own, minutes }) => own.map((tier) => ({ ...tier, minutes })));
  return {
    format: REPORT_FORMAT,
    source,
    title,
    startsAt: isoWithOffset(startAt),
    warnings,
    interruptions: [...(input.interruptions ?? [])],
    expectations: [...verdicts],
    expectationsLeftOut: input.expectationsLeftOut ?? 0,
    score: scoreOf(tiers, verdicts),
  };
}

function warningReport(warning: DrilledWarning, tree: Tree, startAt: Instant): WarningReport {
  const { run, hazard, areas, people } = warning;
  const { tiers, ...summary } = summarise(run, tree, startAt);
  const { lastsMinutes } = summary;
  const minutes = [0, ...LOOKS_AT.filter((minute) => minute < lastsMinutes), lastsMinutes];
  const byTier = new Map<TierId, (UnitState | undefined)[]>(tiers.map(({ tier }) => [tier, []]));
  for (const { unitId, tier } of tree.units)
    if (run.scope[unitId] === 1) byTier.get(tier)?.push(run.units[unitId]);
  const minuteOf = (at: Instant) => minutesOf(at - run.warning.at);
  return {
    ...summary,
    hazard,
    areas: areas.map((unitId) => namedUnit(tree, unitId)),
    minutes,
    tiers: tiers.map(({ over: _over, ...tier }) => {
      const units = byTier.get(tier.tier) ?? [];
      return { ...tier, over: minutes.map((minute) => momentAt(units, run.warning.at + minute * MINUTE_MS)) };
    }),
    channels: tallyChannels(
      people,
      (unitId) => tree.units[unitId]?.tier ?? '',
      TIERS.map(({ id }) => id),
    ),
    silentUnits: stillSilent(run, tree).map(({ unitId }) => {
      const unit = run.units[unitId];
      const sinceMinute = minuteOf(unit?.silentAt ?? run.warning.endsAt);
      return { ...namedUnit(tree, unitId), sinceMinute, told: unit?.toldAt != null };
    }),
    bridges: run.units
      .flatMap((unit, unitId) =>
        unit?.bridgedAt == null ? [] : [{ ...namedUnit(tree, unitId), atMinute: minuteOf(unit.bridgedAt) }],
      )
      .sort((one, other) => depth(one.tier) - depth(other.tier) || one.atMinute - other.atMinute),
  };
}

function depth(tier: TierId): number {
  return TIERS.findIndex(({ id }) => id === tier);
}

function namedUnit(tree: Tree, unitId: UnitId): NamedUnit {
  const unit = tree.units[unitId];
  const superiorId = superiorOf(tree, unitId);
  const within: string[] = [];
  for (let above = superiorId; above !== null; above = superiorOf(tree, above))
    within.unshift(tree.units[above]?.key ?? '');
  return {
    key: unit?.key ?? '',
    name: unit?.name ?? '',
    above: superiorId === null ? '' : (tree.units[superiorId]?.name ?? ''),
    tier: unit?.tier ?? '',
    within,
  };
}

function momentAt(units: readonly (UnitState | undefined)[], at: Instant): ReportMoment {
  const phases: Phases = { answered: 0, silent: 0, told: 0, opened: 0, unopened: 0 };
  const past = (instant: Instant | null | undefined) => instant != null && instant <= at;
  let reached = 0;
  for (const unit of units) {
    const [answered, told] = [past(unit?.answeredAt), past(unit?.toldAt)];
    if (answered || told) reached += 1;
    // Answered comes before silent, silent before told: what is best or worst is seen.
    if (answered) phases.answered += 1;
    else if (past(unit?.silentAt)) phases.silent += 1;
    else if (told) phases.told += 1;
    else if (past(unit?.openedAt)) phases.opened += 1;
    else phases.unopened += 1;
  }
  return { ...momentOf(units, at), reached, phases };
}

/** The hazard of a code in both languages; the code where it is not known. */
export function hazardTitle(code: string): { zh: string; en: string } {
  const hazard = findHazard(code);
  return { zh: hazard?.zh ?? code, en: hazard?.en ?? code };
}
