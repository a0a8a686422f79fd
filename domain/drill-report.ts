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
      /** Real ones who agreed to be told; everybody else is simulated. */
      people: number;
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
  /** In a drill with real people those of the simulated alone: what real people did is no part of how a model behaves. */
  channels: ChannelTally[];
  /** Null where nobody real was written to, or nobody is simulated. */
  real: RealPeople | null;
  /** Never heard from; `told` is whether any message reached a channel. */
  silentUnits: (NamedUnit & { sinceMinute: number; told: boolean })[];
  /** Passed over: those below reported to the unit above. The highest tier first, as of the silent. */
  bridges: (NamedUnit & { atMinute: number })[];
};

/** The people of a drill who are no stand-ins, and their units, the highest tier first. */
export type RealPeople = {
  /** A channel has taken a message for them. */
  told: number;
  answered: number;
  channels: ChannelTally[];
  /** `afterMinute`: the first answer of one of them, from the issue; null where none has answered. */
  units: (NamedUnit & { told: number; answered: number; afterMinute: number | null })[];
};

/**
 * A time in which the installation stood still: when, in minutes of the story, and for how many real seconds. `behind`: it ran on, and
 * one message in twenty left so late or later: two seconds at least, and a minute of the story.
 */
export type Interruption = {
  kind: 'no answers taken' | 'paused' | 'processes gone' | 'behind';
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
  /** Of these, in a drill, who is real; left out where all are of one sort. */
  real?: ReadonlySet<number>;
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
  const { run, hazard, areas, people, real } = warning;
  const tally = (of: readonly DrilledPerson[]) =>
    tallyChannels(
      of,
      (unitId) => tree.units[unitId]?.tier ?? '',
      TIERS.map(({ id }) => id),
    );
  const realPeople = people.filter(({ personId }) => real?.has(personId));
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
    channels: tally(people.filter(({ personId }) => !real?.has(personId))),
    real:
      realPeople.length === 0
        ? null
        : {
            told: realPeople.filter(wasTold).length,
            answered: realPeople.filter(({ answered }) => answered !== null).length,
            channels: tally(realPeople),
            units: unitsOfReal(realPeople, tree, minuteOf),
          },
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

function wasTold({ by }: DrilledPerson): boolean {
  return Object.values(by).some(({ handedOff }) => handedOff > 0);
}

function unitsOfReal(
  people: readonly DrilledPerson[],
  tree: Tree,
  minuteOf: (at: Instant) => number,
): RealPeople['units'] {
  const ids = [...new Set(people.map(({ unitId }) => unitId))].sort((one, other) => one - other);
  return ids.map((unitId) => {
    const own = people.filter((person) => person.unitId === unitId);
    const answers = own.flatMap(({ answered }) => (answered === null ? [] : [answered.at]));
    return {
      ...namedUnit(tree, unitId),
      told: own.filter(wasTold).length,
      answered: answers.length,
      afterMinute: answers.length === 0 ? null : minuteOf(Math.min(...answers)),
    };
  });
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
