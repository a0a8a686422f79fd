/** What came of a rehearsal, per warning and tier: at the end, over time, and where it was silent. Plain data. */
import type { StoryEnd } from '../scenario-story.ts';
import { TIERS, type TierId } from '../tiers.ts';
import { MINUTE_MS, type Instant } from '../time.ts';
import type { UnitId, UnitState } from '../unit.ts';
import { unitsUnder, type Tree, type TreeUnit } from './tree.ts';
import type { Counts, RunRecord } from './warning-run.ts';

/** How the units of one tier stand at one moment. */
export type TierMoment = {
  opened: number;
  told: number;
  answered: number;
  done: number;
  /** Past a deadline and not answered by then. */
  silent: number;
  /** Passed over: those below report to the one above. */
  bridged: number;
};

export const momentKeys = [
  'opened',
  'told',
  'answered',
  'done',
  'silent',
  'bridged',
] as const satisfies readonly (keyof TierMoment)[];

export type TierSummary = TierMoment & {
  tier: TierId;
  units: number;
  /** Reached a rung above the first. */
  escalated: number;
  /** Minutes from the issue until so many per cent of the units had answered; null where it never was. */
  answeredWithin: { half: number | null; nineTenths: number | null };
  over: TierMoment[];
};

export type WarningSummary = {
  name: string;
  /** Minutes from the start of the scenario. */
  atMinute: number;
  lastsMinutes: number;
  end: StoryEnd | 'open';
  level: string;
  minutes: number[];
  tiers: TierSummary[];
  messages: Counts['messages'];
  dropped: number;
  failed: number;
  afterEnd: number;
  lateAnswers: number;
  households: { told: number; lastAfterMinutes: number | null };
  correction: { messages: number; afterMinutes: number } | null;
  /** Units that nobody heard from, the highest tier first; at most `SILENT_LISTED_MOST`. */
  silentUnits: { key: string; name: string; tier: TierId }[];
};

/** When a summary looks, in minutes from the issue; those before the warning's end. */
const LOOKS_AT = [1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 60, 90, 120, 180, 240, 360, 720, 1_440];
const SILENT_LISTED_MOST = 20;

/** The summary of one warning. */
export function summarise(run: RunRecord, tree: Tree, startAt: Instant): WarningSummary {
  const { warning, counts } = run;
  const lastsMinutes = (warning.endsAt - warning.at) / MINUTE_MS;
  const minutes = LOOKS_AT.filter((minute) => minute <= lastsMinutes);
  const byTier = new Map<TierId, (UnitState | undefined)[]>();
  for (const { unitId, tier } of tree.units) {
    if (run.scope[unitId] !== 1) continue;
    const units = byTier.get(tier);
    if (units) units.push(run.units[unitId]);
    else byTier.set(tier, [run.units[unitId]]);
  }
  const after = (at: Instant | null) => (at === null ? null : tenth((at - warning.at) / MINUTE_MS));
  return {
    name: warning.name,
    atMinute: (warning.at - startAt) / MINUTE_MS,
    lastsMinutes,
    end: warning.end,
    level: warning.rules.level,
    minutes,
    tiers: TIERS.flatMap(({ id }) => {
      const units = byTier.get(id);
      return units ? [tierSummary(id, units, warning, minutes)] : [];
    }),
    messages: counts.messages,
    dropped: counts.dropped,
    failed: counts.failed,
    afterEnd: counts.afterEnd,
    lateAnswers: counts.lateAnswers,
    households: { told: counts.households, lastAfterMinutes: after(counts.householdsToldAt) },
    correction:
      counts.correctedAt === null
        ? null
        : { messages: counts.corrections, afterMinutes: after(counts.correctedAt) ?? 0 },
    silentUnits: silentUnits(run, tree),
  };
}

function tierSummary(
  tier: TierId,
  units: readonly (UnitState | undefined)[],
  warning: { at: Instant; endsAt: Instant },
  minutes: readonly number[],
): TierSummary {
  const answers = units
    .flatMap((unit) => (unit?.answeredAt == null ? [] : [unit.answeredAt]))
    .sort((a, b) => a - b);
  const within = (share: number) => {
    const at = answers[Math.max(1, Math.ceil(units.length * share)) - 1];
    return at === undefined ? null : tenth((at - warning.at) / MINUTE_MS);
  };
  return {
    tier,
    units: units.length,
    ...momentOf(units, warning.endsAt),
    escalated: units.filter((unit) => (unit?.rung ?? -1) > 0).length,
    answeredWithin: { half: within(0.5), nineTenths: within(0.9) },
    over: minutes.map((minute) => momentOf(units, warning.at + minute * MINUTE_MS)),
  };
}

/** How these units stand at a moment. */
export function momentOf(units: readonly (UnitState | undefined)[], at: Instant): TierMoment {
  const moment = { opened: 0, told: 0, answered: 0, done: 0, silent: 0, bridged: 0 };
  for (const unit of units) {
    if (!unit) continue;
    if (by(unit.openedAt, at)) moment.opened += 1;
    if (by(unit.toldAt, at)) moment.told += 1;
    if (by(unit.doneAt, at)) moment.done += 1;
    if (by(unit.bridgedAt, at)) moment.bridged += 1;
    if (by(unit.answeredAt, at)) moment.answered += 1;
    else if (by(unit.silentAt, at)) moment.silent += 1;
  }
  return moment;
}

/** The states of a warning's units of a tier, under a place; null means all of either. */
export function unitsOf(
  run: RunRecord,
  tree: Tree,
  which: { tier: TierId | null; under: UnitId | null },
): (UnitState | undefined)[] {
  const units = which.under === null ? tree.units.map(({ unitId }) => unitId) : unitsUnder(tree, which.under);
  return units
    .filter(
      (unitId) =>
        run.scope[unitId] === 1 && (which.tier ?? tree.units[unitId]?.tier) === tree.units[unitId]?.tier,
    )
    .map((unitId) => run.units[unitId]);
}

function silentUnits(run: RunRecord, tree: Tree): WarningSummary['silentUnits'] {
  return stillSilent(run, tree)
    .slice(0, SILENT_LISTED_MOST)
    .map(({ key, name, tier }) => ({ key, name, tier }));
}

/** Units that nobody heard from, the highest tier first. */
export function stillSilent(run: RunRecord, tree: Tree): TreeUnit[] {
  const place = (tier: TierId) => TIERS.findIndex(({ id }) => id === tier);
  return tree.units
    .filter(({ unitId }) => {
      const unit = run.units[unitId];
      return unit?.silentAt != null && unit.answeredAt === null;
    })
    .sort((one, other) => place(one.tier) - place(other.tier) || one.unitId - other.unitId);
}

function by(at: Instant | null, moment: Instant): boolean {
  return at !== null && at <= moment;
}

function tenth(minutes: number): number {
  return Math.round(minutes * 10) / 10;
}
