/**
 * Whether a drill that was disturbed came out like one that was not: the same report but for its own delay. Pure.
 *
 * Its own delay is what a disturbance may cost a drill, and nothing else is:
 *
 * - the interruptions that its report names, and its number. By the story's clock an interruption takes no time;
 * - instants that lie within the tolerance of those of the other, either way, because the latencies of the stack do;
 * - what a tier had come to at a look: as many as the other had at some moment within the tolerance of it.
 *
 * Everything else is the same to the letter: who was told, answered, silent or passed over, every count of messages, every expectation,
 * the score, and all that is so at the end.
 */
import type { DrillReport, ReportMoment, TierReport, WarningReport } from './drill-report.ts';

/** Fields that are minutes of the story. */
const INSTANTS: ReadonlySet<string> = new Set([
  'atMinute',
  'sinceMinute',
  'lastsMinutes',
  'afterMinutes',
  'afterMinute',
  'lastAfterMinutes',
  'half',
  'nineTenths',
  'medianMinutes',
  'wasMinutes',
]);

/** Each count only rises, so that a delay moves it sideways and never changes its height. */
const RISING: readonly ((moment: ReportMoment) => number)[] = [
  ({ opened }) => opened,
  ({ told }) => told,
  ({ answered }) => answered,
  ({ done }) => done,
  ({ bridged }) => bridged,
  ({ reached }) => reached,
  ({ answered, silent }) => answered + silent,
  ({ phases: { answered, silent } }) => answered + silent,
  ({ phases: { answered, silent, told } }) => answered + silent + told,
  ({ phases: { answered, silent, told, opened } }) => answered + silent + told + opened,
];

/** What differs by more than a delay, as `path: one | other`; `toleranceMinutes` of the story. */
export function beyondDelay(
  undisturbed: DrillReport,
  disturbed: DrillReport,
  toleranceMinutes: number,
): string[] {
  const found: string[] = [];
  compare(settled(undisturbed), settled(disturbed), '', toleranceMinutes, found);
  for (const [place, one] of undisturbed.warnings.entries()) {
    const other = disturbed.warnings[place];
    if (other) compareCurves(one, other, toleranceMinutes, found);
  }
  return found;
}

/** What does not depend on when somebody looked. */
function settled({ source, warnings, expectations, interruptions: _named, ...rest }: DrillReport): unknown {
  const byKey = <Part extends { key: string }>(parts: readonly Part[]) =>
    [...parts].sort((one, other) => (one.key < other.key ? -1 : 1));
  return {
    ...rest,
    source: { ...source, ...('id' in source && { id: '' }) },
    expectations: expectations.map(({ was, ...verdict }) => ({
      ...verdict,
      ...(verdict.measure === 'minutes' ? { wasMinutes: was } : { was }),
    })),
    warnings: warnings.map(({ tiers, silentUnits, bridges, minutes: _looks, ...warning }) => ({
      ...warning,
      tiers: tiers.map(({ over: _curve, ...tier }) => tier),
      // They stand in the order of their instants.
      silentUnits: byKey(silentUnits),
      bridges: byKey(bridges),
    })),
  };
}

function compare(one: unknown, other: unknown, path: string, tolerance: number, found: string[]): void {
  if (typeof one === 'number' && typeof other === 'number' && isInstant(path)) {
    if (Math.abs(one - other) > tolerance) found.push(`${path}: ${one} | ${other}`);
    return;
  }
  if (!isParent(one) || !isParent(other)) {
    if (one !== other) found.push(`${path}: ${JSON.stringify(one)} | ${JSON.stringify(other)}`);
    return;
  }
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)]))
    compare(one[key], other[key], path === '' ? key : `${path}.${key}`, tolerance, found);
}

function isParent(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The last word of a path, or of an element of a list the word before it. */
function isInstant(path: string): boolean {
  return INSTANTS.has(/(\w+)(?:\.\d+)?$/.exec(path)?.[1] ?? '');
}

function compareCurves(one: WarningReport, other: WarningReport, tolerance: number, found: string[]): void {
  for (const [place, tier] of one.tiers.entries()) {
    const rival = other.tiers[place];
    if (!rival) continue;
    for (const [look, minute] of other.minutes.entries()) {
      const moment = rival.over[look];
      const beyond = moment && RISING.some((count) => !isBetween(count, moment, tier, one.minutes, minute));
      if (beyond)
        found.push(`${one.name} ${tier.tier} at minute ${minute}: more than ${tolerance} minutes apart`);
    }
  }

  /** As many as at some moment within the tolerance: between the last look before it and the first after. */
  function isBetween(
    count: (moment: ReportMoment) => number,
    moment: ReportMoment,
    { over }: Pick<TierReport, 'over'>,
    minutes: readonly number[],
    minute: number,
  ): boolean {
    const before = over[minutes.findLastIndex((at) => at <= minute - tolerance)];
    const after = over[minutes.findIndex((at) => at >= minute + tolerance)] ?? over.at(-1);
    return count(moment) >= (before ? count(before) : 0) && (!after || count(moment) <= count(after));
  }
}
