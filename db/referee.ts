/**
 * What the referee's queries share. They stand in files by what they look at: `referee-deliveries.ts` (invariants 1, 2, 6),
 * `referee-permission.ts` (4, 5), `referee-answers.ts` (3, 8), `referee-times.ts` (7), `referee-audit.ts` (9). All work from the
 * tree, the rule pack, the people and what the far side has; from the engine's pages only where the question is about pages.
 */
import type { Sql } from './database.ts';

/** Offending rows shown for each invariant. */
export const SHOWN_MOST = 5;

/** From the moment that stands in an answer or a cancel to its commit, before which no claim can see it. */
export const COMMIT_MS_MAX = 1_000;

/** Counts; faults come with the first offending rows, ids only. */
export type Finding = { counts: Record<string, number>; first: string[] };

/** A message that the far side took: the attempt it names, how often it came, and when last (milliseconds; null where unknown). */
export type TakenAttempt = { deliveryId: number; attempt: number; messages: number; lastAt: number | null };

/** Counts of one row whose columns are numbers, but the column `first`, which holds the first offending rows. */
export type CountsRow = { first: string[] | null } & Record<string, number | string[] | null>;

/**
 * All that the referee asks is asked of one moment, or a step between two questions would look like a fault. It may take its
 * time: a city's deliveries are a hundred thousand rows. First in a transaction.
 */
export async function lookAtOneMoment(sql: Sql): Promise<void> {
  await sql.query('set transaction isolation level repeatable read, read only');
  await prepareForMuch(sql);
}

/** The planner takes the far side's lists for a hundred rows; by nested loops a hundred thousand took minutes. */
async function prepareForMuch(sql: Sql): Promise<void> {
  await sql.query("set local statement_timeout = '5min'");
  await sql.query('set local enable_nestloop = off');
}

/** In the area of the warning or on the way down to it. `u` is the unit, `$1` the warning. */
export const IN_SCOPE = `exists (select from warning_areas a join units au on au.id = a.unit_id
  where a.warning_id = $1 and (a.unit_id = any(u.path) or u.id = any(au.path)))`;

/** The first offending rows of an aggregate: `line` where `fault` holds. */
export function firstOf(line: string, fault: string): string {
  return `(array_agg(${line}) filter (where ${fault}))[1:${SHOWN_MOST}]`;
}

/** How many of an aggregate's rows a condition holds for. */
export function countOf(condition: string): string {
  return `(count(*) filter (where ${condition}))::int`;
}

/** One row of counts and offenders as a finding. */
export function findingOf(row: CountsRow | undefined): Finding {
  const { first = null, ...counts } = row ?? { first: null };
  return { counts: counts as Record<string, number>, first: first ?? [] };
}

/** Several findings about one invariant. */
export function mergeFindings(...findings: Finding[]): Finding {
  return {
    counts: Object.assign({}, ...findings.map((finding) => finding.counts)) as Record<string, number>,
    first: findings.flatMap((finding) => finding.first).slice(0, SHOWN_MOST),
  };
}
