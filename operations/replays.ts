/** Plays a warning again from its own record, and says where the engine's states differ from it. */
import type { Database } from '../db/database.ts';
import { readStepRecords, readUnitStates, readWarnedUnits } from '../db/replays.ts';
import { replay, type Replayed, type ReplayTree } from '../domain/rehearsal/replay.ts';
import type { UnitId, UnitState } from '../domain/unit.ts';
import { requireWarning } from './warnings.ts';

export type WarningReplay = {
  replayed: Replayed;
  /** Units whose state in the database is not that of the record; `replayed` null where the record has nothing of it. */
  differing: { unitId: UnitId; stored: UnitState; replayed: UnitState | null }[];
};

/** The replay of a warning, by its frozen rules. Throws where there is no such warning. */
export async function replayWarning(database: Database, warningId: number): Promise<WarningReplay> {
  const warning = await requireWarning(database, warningId);
  const units = await readWarnedUnits(database, warning.areaIds);
  const records = await readStepRecords(database, warningId);
  const replayed = replay(treeOf(units), warning.rules, records);
  const states = await readUnitStates(database, warningId);
  const differing = states
    .map((stored) => ({ unitId: stored.unitId, stored, replayed: replayed.units.get(stored.unitId) ?? null }))
    .filter(({ stored, replayed: own }) => own === null || !same(stored, own));
  return { replayed, differing };
}

function treeOf(units: Awaited<ReturnType<typeof readWarnedUnits>>): ReplayTree {
  const below = new Map<UnitId, UnitId[]>();
  for (const { unitId, superiorId } of units) {
    if (superiorId !== null) below.set(superiorId, [...(below.get(superiorId) ?? []), unitId]);
  }
  return new Map(
    units.map(({ unitId, tier, superiorId }) => [
      unitId,
      { tier, superiorId, subordinates: below.get(unitId) ?? [] },
    ]),
  );
}

/** Plain data, whatever the order of its keys. */
function same(one: UnitState, other: UnitState): boolean {
  const flat = ({ timers, ...unit }: UnitState) =>
    JSON.stringify([unit, timers].map((part) => Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))));
  return flat(one) === flat(other);
}
