/** Whether somebody is there to do the work: workers and the web leave a sign of life in the database every few seconds. */
import type { Sql } from '../db/database.ts';
import { alive } from '../db/liveness.ts';

/** Workers show themselves every 5 s, the web every second; three missed signs are a silence. */
const ALIVE_WITHIN_MS = 15_000;

/** The processes that have shown themselves lately. */
export async function processesAlive(sql: Sql): Promise<string[]> {
  return alive(sql, ALIVE_WITHIN_MS);
}

/** True where one of these is a worker: without one nothing is sent. */
export function hasWorker(names: readonly string[]): boolean {
  return names.some((name) => name.startsWith('worker'));
}
