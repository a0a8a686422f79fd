/** Whether a rehearsal is as its scenario expects. Pure. */
import { kindOf } from '../scenario-check.ts';
import { spanMs, type Expectation } from '../scenario.ts';
import { MINUTE_MS } from '../time.ts';
import type { UnitId } from '../unit.ts';
import { momentOf, unitsOf } from './summary.ts';
import type { Tree } from './tree.ts';
import type { RunRecord } from './warning-run.ts';

/** What came of one expectation. `wanted` and `was` are numbers of the same measure; null where there is nothing to compare. */
export type Verdict = {
  expectation: Expectation;
  met: boolean;
  /** Per cent, units or minutes, as the expectation has it. */
  measure: 'percent' | 'units' | 'minutes' | 'messages';
  wanted: number;
  was: number | null;
};

/** Judges every expectation. `find` gives the unit of a place, which the check of the file has found before. */
export function judgeExpectations(
  expectations: readonly Expectation[],
  runs: readonly RunRecord[],
  tree: Tree,
  find: (place: string) => UnitId,
): Verdict[] {
  return expectations.map((expectation) => {
    const run = runs.find(({ warning }) => warning.name === expectation.warning) ?? runs[0];
    if (!run) throw new RangeError('a scenario without a warning');
    return { expectation, ...judge(expectation, run, tree, find) };
  });
}

type Judged = Omit<Verdict, 'expectation'>;

function judge(
  expectation: Expectation,
  run: RunRecord,
  tree: Tree,
  find: (place: string) => UnitId,
): Judged {
  const { at } = run.warning;
  const under = (place: string | undefined) => (place === undefined ? null : find(place));
  const kind = kindOf(expectation);
  switch (kind) {
    case 'answered':
    case 'told':
    case 'done': {
      const { tier, percent, within, where } = expectation[kind] ?? { tier: '', percent: 0, within: '0m' };
      const units = unitsOf(run, tree, { tier, under: under(where) });
      const moment = momentOf(units, at + spanMs(within));
      const was = units.length === 0 ? 100 : (100 * moment[kind]) / units.length;
      return { measure: 'percent', wanted: percent, was: Math.round(was * 10) / 10, met: was >= percent };
    }
    case 'silent': {
      const { tier, where, atMost, atLeast, after } = expectation.silent ?? { after: '0m' };
      const units = unitsOf(run, tree, { tier: tier ?? null, under: under(where) });
      const was = momentOf(units, at + spanMs(after)).silent;
      const met = was <= (atMost ?? Infinity) && was >= (atLeast ?? 0);
      return { measure: 'units', wanted: atMost ?? atLeast ?? 0, was, met };
    }
    case 'bridged': {
      const { where, within } = expectation.bridged ?? { where: '', within: '0m' };
      const bridgedAt = run.units[find(where)]?.bridgedAt ?? null;
      const wanted = spanMs(within) / MINUTE_MS;
      const was = bridgedAt === null ? null : Math.round(((bridgedAt - at) / MINUTE_MS) * 10) / 10;
      return { measure: 'minutes', wanted, was, met: bridgedAt !== null && bridgedAt - at <= spanMs(within) };
    }
    case 'notBridged': {
      const unit = run.units[find(expectation.notBridged?.where ?? '')];
      const was = unit?.bridgedAt == null ? 0 : 1;
      return { measure: 'units', wanted: 0, was, met: was === 0 };
    }
    case 'noSendAfterEnd': {
      const was = run.counts.afterEnd;
      return { measure: 'messages', wanted: 0, was, met: was === 0 };
    }
    case 'corrected': {
      const within = spanMs(expectation.corrected?.within ?? '0m');
      const { correctedAt } = run.counts;
      const was = correctedAt === null ? null : Math.round(((correctedAt - at) / MINUTE_MS) * 10) / 10;
      return {
        measure: 'minutes',
        wanted: within / MINUTE_MS,
        was,
        met: correctedAt !== null && correctedAt - at <= within,
      };
    }
    case null:
      throw new TypeError('an expectation that expects nothing');
    default:
      return kind satisfies never;
  }
}
