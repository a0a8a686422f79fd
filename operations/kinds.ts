/** Whether an installation is ready for Exercises and for actual warnings, and what is missing. */
import type { Sql } from '../db/database.ts';
import { readKindFacts } from '../db/kinds.ts';
import { gapsOf, type Gap, type KindFacts, type WarningKind } from '../domain/kinds.ts';

/** Workers show themselves every 4 s; three missed signs are a silence. */
const ALIVE_WITHIN_MS = 15_000;

export type Readiness = { facts: KindFacts; gaps: Gap[] };

/** How one kind stands. Temporal is not asked. */
export async function readinessOf(sql: Sql, kind: WarningKind): Promise<Readiness> {
  const facts = await readKindFacts(sql, kind, ALIVE_WITHIN_MS);
  return { facts, gaps: gapsOf(facts) };
}
