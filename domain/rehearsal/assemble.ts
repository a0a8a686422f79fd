/** A scenario, a tree and rules put together to what a rehearsal runs on. Pure. */
import { CHANNELS, type Rules } from '../rules.ts';
import { spanMs, USUAL_SENDERS } from '../scenario.ts';
import { storyOf, type StoryWarning } from '../scenario-story.ts';
import { askingOf, risen, type RevisedWarning } from '../revisions.ts';
import { standardText } from '../texts.ts';
import type { LevelId } from '../levels.ts';
import type { Instant } from '../time.ts';
import type { UnitId } from '../unit.ts';
import { mannersOf } from './behaviour.ts';
import type { Darkness, Interval } from './circumstances.ts';
import type { RehearsalInput } from './rehearse.ts';
import type { RehearsedWarning } from './warning-run.ts';
import { unitsUnder, type Tree } from './tree.ts';
import type { Setup } from './what-if.ts';

/** Everything but the seed. `find` gives the unit of a place; `rulesOf` the rules of a level. */
export function assemble(
  setup: Setup,
  tree: Tree,
  find: (place: string) => UnitId,
  rulesOf: (level: LevelId) => Rules,
): Omit<RehearsalInput, 'seed'> {
  const { scenario } = setup;
  const startAt = Date.parse(scenario.startsAt);
  const unitsIn = (places: readonly string[] | undefined): ReadonlySet<UnitId> | null =>
    places === undefined ? null : new Set(places.flatMap((place) => unitsUnder(tree, find(place))));
  const { warnings } = storyOf(scenario);
  return {
    tree,
    warnings: warnings.map((warning, index) => ({
      name: warning.name,
      at: startAt + warning.atMs,
      endsAt: startAt + warning.endsAtMs,
      end: warning.end,
      successor: indexOrNull(warnings.findIndex(({ supersedes }) => supersedes === index)),
      predecessor: predecessorOf(warning, warnings),
      rules: risen(setup.adjustRules(rulesOf(warning.level)), nthRed(warnings, index, rulesOf)),
      areas: warning.where.map(find),
    })),
    mannerOf: mannersOf(
      tree,
      scenario.people.map(({ where, ...entry }) => ({ ...entry, units: unitsIn(where) })),
      setup.slower,
    ),
    darkness: darknessOf(
      scenario.failures.dark.map(({ where, ...times }) => ({
        units: unitsIn(where) ?? new Set(),
        ...intervalOf(times, startAt),
      })),
    ),
    outages: scenario.failures.outages.map(({ channel, where, ...times }) => ({
      channel,
      units: unitsIn(where),
      ...intervalOf(times, startAt),
    })),
    senders: Object.fromEntries(
      CHANNELS.map((channel) => [channel, scenario.senders[channel] ?? USUAL_SENDERS[channel]]),
    ) as typeof USUAL_SENDERS,
    householdsPerGroup: scenario.population.householdsPerGroup,
  };
}

/** An update of the same order asks for no new answer: `askingOf` says which is one. */
function predecessorOf(warning: StoryWarning, all: readonly StoryWarning[]): RehearsedWarning['predecessor'] {
  const before = warning.supersedes === null ? undefined : all[warning.supersedes];
  if (!before || warning.supersedes === null) return null;
  return { index: warning.supersedes, answersStand: !askingOf(revised(before), revised(warning)).again };
}

function revised({ hazard, level, textZh, textEn, where, atMs }: StoryWarning): RevisedWarning {
  const wording = { issuer: '', hazard, level, issuedAt: atMs, areas: [...where] };
  return {
    issuer: '',
    hazard,
    level,
    textZh: textZh ?? standardText('zh', wording),
    textEn: textEn ?? standardText('en', wording),
  };
}

/** The how manieth red of its hazard within the rule pack's time this is; an update of a red is no signal of its own. */
function nthRed(
  warnings: readonly StoryWarning[],
  index: number,
  rulesOf: (level: LevelId) => Rules,
): number {
  const own = warnings[index];
  if (own?.level !== 'red') return 0;
  const withinMs = rulesOf('red').repeated?.withinMs ?? Infinity;
  return warnings
    .slice(0, index + 1)
    .filter(
      ({ hazard, level, atMs }) => hazard === own.hazard && level === 'red' && own.atMs - atMs <= withinMs,
    )
    .filter(({ supersedes }) => supersedes === null || warnings[supersedes]?.level !== 'red').length;
}

/** Without an end it lasts as long as the rehearsal. */
function intervalOf({ from, to }: { from: string; to?: string | undefined }, startAt: Instant): Interval {
  return { from: startAt + spanMs(from), to: to === undefined ? Infinity : startAt + spanMs(to) };
}

function darknessOf(areas: readonly (Interval & { units: ReadonlySet<UnitId> })[]): Darkness {
  const darkness = new Map<UnitId, Interval[]>();
  for (const { units, from, to } of areas) {
    for (const unitId of units) darkness.set(unitId, [...(darkness.get(unitId) ?? []), { from, to }]);
  }
  return darkness;
}

function indexOrNull(index: number): number | null {
  return index < 0 ? null : index;
}
