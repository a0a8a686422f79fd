/**
 * Whether a drill went as a rehearsal of the same seed on the same people says: unit by unit, within what the latencies of the real
 * stack come to at the drill's speed.
 */
import type { Database } from '../db/database.ts';
import { readScenes } from '../db/drills.ts';
import { readHandOffs, readHeard, readUnitStates } from '../db/replays.ts';
import { storyMsAt } from '../domain/drill-clock.ts';
import {
  agreementOf,
  type Agreement,
  type Difference,
  type StoryUnit,
  type UnitStory,
} from '../domain/rehearsal/agreement.ts';
import type { WarningRun } from '../domain/rehearsal/warning-run.ts';
import { perChannel, type Channel } from '../domain/rules.ts';
import { storyOf } from '../domain/scenario-story.ts';
import type { Instant } from '../domain/time.ts';
import type { UnitId, UnitState } from '../domain/unit.ts';
import type { CastInput } from './drill-cast.ts';
import { setDatabaseStage, type DatabaseTree } from './rehearsal-database.ts';
import { playOnce, type Stage } from './rehearsals.ts';
import { replayWarning } from './replays.ts';
import { requireWarning } from './warnings.ts';

/** Real seconds within which an instant is the same; docs/drills.md says so. */
export const TOLERANCE_MS = 2_000;

export type DrillAgreement = Omit<Agreement, 'differing'> & {
  name: string;
  warningId: number;
  /** With the unit's code, or its path where it has none, and its name. */
  differing: (Difference & { key: string; unit: string })[];
};

/** Compares each warning of a drill that has been issued with its rehearsal. `own` is the drill's schema. */
export async function compareWithRehearsal(own: Database, input: CastInput): Promise<DrillAgreement[]> {
  const told = await setDatabaseStage(own, { ...input, knownAt: input.startAt });
  const stage = withDelays(told, input.speed, await readHandOffs(own));
  const rehearsed = await rehearseStories(stage, input.seed);
  const scenes = await readScenes(own);
  const agreements: DrillAgreement[] = [];
  for (const [place, { name, event }] of storyOf(input.scenario).warnings.entries()) {
    const warningId = scenes.find((scene) => scene.event === event)?.warningId;
    const stories = rehearsed[place];
    if (warningId === undefined || !stories) continue;
    const played = await readStories(own, warningId, input);
    const units = neighbourhood(stage).filter(({ unitId }) => stories.has(unitId) || played.has(unitId));
    const agreement = agreementOf(units, stories, played, TOLERANCE_MS * input.speed);
    const differing = agreement.differing.map((difference) => ({
      ...difference,
      ...nameOf(stage, difference.unitId),
    }));
    agreements.push({ ...agreement, name, warningId, differing });
  }
  return agreements;
}

function nameOf({ tree, unitIds }: Stage & DatabaseTree, unitId: UnitId): { key: string; unit: string } {
  const unit = tree.units[unitIds.indexOf(unitId)];
  return { key: unit?.key ?? '', unit: unit?.name ?? '' };
}

/**
 * The stage with each sender's delay as it was in the run, one number for each, in place of the scenario's: stand-ins take everything at
 * once, and what their machine takes for it is no part of any story.
 */
function withDelays<Staged extends Stage>(
  stage: Staged,
  speed: number,
  handOffs: readonly { channel: Channel; medianMs: number }[],
): Staged {
  const { senders } = stage.input;
  const secondsOf = new Map(handOffs.map(({ channel, medianMs }) => [channel, (medianMs * speed) / 1_000]));
  const delayed = perChannel((channel) => ({
    ...senders[channel],
    delaySeconds: secondsOf.get(channel) ?? senders[channel].delaySeconds,
  }));
  return { ...stage, input: { ...stage.input, senders: delayed } };
}

// ── the rehearsal ───────────────────────────────────────────────────────────────────────────────────────────

/** For each warning what its units go through, with the ids of the database. */
async function rehearseStories(stage: Stage & DatabaseTree, seed: number): Promise<Map<UnitId, UnitStory>[]> {
  const { tree, unitIds, references } = stage;
  const heard = new Map<WarningRun, Map<UnitId, UnitStory['heard']>>();
  const rungs = new Map<WarningRun, Map<UnitId, UnitStory['rungs']>>();
  const runs = await playOnce(stage, {
    seed,
    witness: (run, { kind, personId, unitId, at }) => {
      if (kind !== 'answered' && kind !== 'cannot act') return;
      const own = entry(heard, run);
      const word = { who: references[personId] ?? '', at: at - run.warning.at };
      for (const post of tree.severalPosts.get(personId) ?? [unitId])
        own.set(post, [...(own.get(post) ?? []), word]);
    },
    unitWitness: (run, before, after, now) => {
      const own = entry(rungs, run);
      const taken = rungsTaken(before, after, now - run.warning.at);
      if (taken.length > 0) own.set(after.unitId, [...(own.get(after.unitId) ?? []), ...taken]);
    },
  });
  const idOf = (unitId: UnitId) => unitIds[unitId] ?? 0;
  return runs.map((run) => {
    const told = run.units.filter((unit) => unit !== undefined);
    return new Map(
      told.map((unit) => [
        idOf(unit.unitId),
        {
          ...storyOfUnit(unit, (at) => at - run.warning.at),
          rungs: rungs.get(run)?.get(unit.unitId) ?? [],
          reportsTo: unit.reportsTo === null ? null : idOf(unit.reportsTo),
          heard: heard.get(run)?.get(unit.unitId) ?? [],
        },
      ]),
    );
  });
}

function entry<Value>(all: Map<WarningRun, Map<UnitId, Value>>, run: WarningRun): Map<UnitId, Value> {
  const known = all.get(run) ?? new Map<UnitId, Value>();
  all.set(run, known);
  return known;
}

/** The first rung comes with the warning; several may be taken in one turn. */
function rungsTaken(before: UnitState, after: UnitState, at: Instant): UnitStory['rungs'] {
  const from = Math.max(before.rung, 0);
  return Array.from({ length: Math.max(0, after.rung - from) }, (_, place) => ({
    rung: from + place + 1,
    at,
  }));
}

// ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────

async function readStories(
  own: Database,
  warningId: number,
  { startAt, speed, scenario, gaps = [] }: CastInput,
): Promise<Map<UnitId, UnitStory>> {
  const clock = { startAt, speed, gaps, storyStartAt: Date.parse(scenario.startsAt) };
  const { issuedAt } = await requireWarning(own, warningId);
  const begun = storyMsAt(clock, issuedAt);
  const story = (at: Instant) => storyMsAt(clock, at) - begun;
  const { replayed } = await replayWarning(own, warningId);
  const heard = new Map<UnitId, UnitStory['heard']>();
  for (const { unitId, reference, at } of await readHeard(own, warningId))
    heard.set(unitId, [...(heard.get(unitId) ?? []), { who: reference, at: story(at) }]);
  const states = await readUnitStates(own, warningId);
  return new Map(
    states.map((unit) => [
      unit.unitId,
      {
        ...storyOfUnit(unit, story),
        rungs: (replayed.paths.get(unit.unitId) ?? []).flatMap(({ what, at }) => {
          const rung = Number(/^rung (\d+)$/.exec(what)?.[1] ?? 0);
          return rung > 0 ? [{ rung, at: story(at) }] : [];
        }),
        heard: heard.get(unit.unitId) ?? [],
      },
    ]),
  );
}

function storyOfUnit(unit: UnitState, story: (at: Instant) => Instant): Omit<UnitStory, 'rungs' | 'heard'> {
  const at = (instant: Instant | null) => (instant === null ? null : story(instant));
  return {
    status: unit.status,
    openedAt: at(unit.openedAt),
    toldAt: at(unit.toldAt),
    answeredAt: at(unit.answeredAt),
    cannotActAt: at(unit.cannotActAt),
    silentAt: at(unit.silentAt),
    bridgedAt: at(unit.bridgedAt),
    doneAt: at(unit.doneAt),
    overdueAt: at(unit.overdueAt),
    reportsTo: unit.reportsTo,
  };
}

/** Every unit of the tree with those whose difference may be the cause of its own. */
function neighbourhood({ tree, unitIds }: Stage & DatabaseTree): StoryUnit[] {
  const idOf = (unitId: UnitId) => unitIds[unitId] ?? 0;
  const shared = new Map<UnitId, UnitId[]>();
  for (const held of tree.severalPosts.values())
    for (const unitId of held) shared.set(unitId, [...(shared.get(unitId) ?? []), ...held]);
  return tree.units.map(({ unitId, superiorId }) => ({
    unitId: idOf(unitId),
    neighbours: [
      ...(superiorId === null ? [] : [superiorId]),
      ...(tree.subordinates[unitId] ?? []),
      ...(shared.get(unitId) ?? []),
    ].map(idOf),
  }));
}
