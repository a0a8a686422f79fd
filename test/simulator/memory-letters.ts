/** Letters in the memory database: where they go, and what the insert gives them. */
import type { UnitId } from '../../domain/unit.ts';
import type { MemoryDatabase } from './memory-database.ts';
import type { InboxRow } from './memory-tables.ts';

/** The cell that carries a unit; null where the unit is not concerned. */
export function cellOf(db: MemoryDatabase, unitId: UnitId): number | null {
  const unit = db.world.unit(unitId);
  if (!unit) return null;
  for (const cell of db.cells.values()) if (cell.unitId === unit.cellUnitId) return cell.cellId;
  return null;
}

/** A letter with its id and time, as the insert gives them; it can be read from the commit on. */
export function newLetter(db: MemoryDatabase, letter: Omit<InboxRow, 'id' | 'at'>): InboxRow {
  return { ...letter, id: ++db.counters.inbox, at: db.now };
}
