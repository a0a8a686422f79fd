/** Whether an installation is ready for Exercises and for actual warnings, and what is missing. */
import type { Sql } from '../db/database.ts';
import { readKindFacts } from '../db/kinds.ts';
import { FenghuoError } from '../domain/errors.ts';
import { gapsOf, stopsPublishing, type Gap, type KindFacts, type WarningKind } from '../domain/kinds.ts';

/** Workers show themselves every 4 s; three missed signs are a silence. */
const ALIVE_WITHIN_MS = 15_000;

export type Readiness = { facts: KindFacts; gaps: Gap[] };

/** How one kind stands. Temporal is not asked. */
export async function readinessOf(sql: Sql, kind: WarningKind): Promise<Readiness> {
  const facts = await readKindFacts(sql, kind, ALIVE_WITHIN_MS);
  return { facts, gaps: gapsOf(facts) };
}

/** Refuses (not permitted) where what is published of this kind would go nowhere: better a refusal than a released warning nobody gets. */
export async function requireReady(sql: Sql, kind: WarningKind): Promise<void> {
  const { gaps } = await readinessOf(sql, kind);
  const stopping = gaps.filter(stopsPublishing);
  if (stopping.length === 0) return;
  throw new FenghuoError({
    code: 'not-ready',
    refusal: 'notPermitted',
    sentence: `Nothing of kind ${kind} could leave (${stopping.join(', ')}). Nothing was published, and the approval still stands: \`fenghuo doctor\` says what to start.`,
  });
}

/** The senders by which warnings of a kind leave: this process's own where it serves that kind, else those its living workers have. */
export async function sendersOfKind(
  sql: Sql,
  kind: WarningKind,
  own: { serves: WarningKind; senders: readonly string[] },
): Promise<readonly string[]> {
  if (own.serves === kind) return own.senders;
  const { workers } = (await readinessOf(sql, kind)).facts;
  return [...new Set(workers.flatMap(({ senders }) => senders))];
}
