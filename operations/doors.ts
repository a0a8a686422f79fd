/** Door to door: a group's leader says for each household nobody has heard from what was found there. */
import type { Database, Sql } from '../db/database.ts';
import { findDoorTask, listDoors, storeVisits, type DoorList, type DoorTask } from '../db/doors.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { withNumber, type Admitted } from './link-number.ts';

/** Households of one page, which must stay within 14 KB. */
export const DOORS_SHOWN_MAX = 60;

export type Doors = { task: DoorTask; list: DoorList };

/** The households of a task that are not reached, from one on; null where the delivery carries no task. */
export async function openDoors(sql: Sql, deliveryId: number, from: number): Promise<Doors | null> {
  const task = await findDoorTask(sql, deliveryId);
  if (!task) return null;
  return { task, list: await listDoors(sql, { ...task, from, most: DOORS_SHOWN_MAX }) };
}

export type DoorsForm = {
  token: string;
  number: string;
  reached: readonly number[];
  nobody: readonly number[];
  /** All but those where nobody was: of the households that stood on the page, from the first to the last. */
  rest: { from: number; until: number } | null;
};

export type DoorsSeen = { reached: number; nobody: number; doors: Doors };

/** Takes what a leader found, and gives what is left from the first household on; null where the link carries no task. */
export async function answerDoors(
  database: Database,
  keys: AnswerKeys,
  form: DoorsForm,
): Promise<Admitted<DoorsSeen | null>> {
  return withNumber(database, keys, form, async (sql, { deliveryId }) => {
    const task = await findDoorTask(sql, deliveryId);
    if (!task) return null;
    const stored = await storeVisits(sql, { ...task, ...form, deliveryId });
    const list = await listDoors(sql, { ...task, from: 0, most: DOORS_SHOWN_MAX });
    return { ...stored, doors: { task, list } };
  });
}
