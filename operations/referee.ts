/**
 * The referee: reads PostgreSQL and the far side's ledger and says which promises hold, with the counts behind each word.
 * It shares no rule with the engine: what should have been sent it works out by its own queries.
 */
import type { Database, Sql } from '../db/database.ts';
import {
  findChasedAfterAnswer,
  findLiveSends,
  findLostDeliveries,
  findMistimed,
  findStuck,
  findUnflaggedDuplicates,
  findUnrecordedSends,
  findUnseenHandOffs,
  takeTime,
  type Finding,
} from '../db/referee.ts';
import { requireWarning } from './warnings.ts';

/** What the far side took for one warning: messages for each attempt, by `<delivery>.<attempt>`. */
export type FarSideLedger = { attempts: ReadonlyMap<string, number> };

export type Invariant = {
  /** As numbered in the README. */
  number: number;
  name: string;
  holds: boolean;
  counts: Record<string, number>;
  /** The first offending rows; ids only. */
  first: string[];
};

/** A doorbell lost or a worker restarted may cost this much; longer is standing still. */
const OVERDUE_MS = 30_000;
/** Flags may be three times the real duplicates, beside what was in flight at crashes. */
const FLAGS_PER_DUPLICATE = 3;

const NOTHING_FOUND: Finding = { counts: {}, first: [] };

/** Judges one warning. Call it when the warning is over, or at any time: what is under way is not counted as lost. */
export async function judge(
  database: Database,
  warningId: number,
  farSide: FarSideLedger,
): Promise<Invariant[]> {
  const warning = await requireWarning(database, warningId);
  const taken = [...farSide.attempts].map(([reference, messages]) => {
    const [deliveryId, attempt] = reference.split('.').map(Number);
    return { deliveryId: deliveryId ?? 0, attempt: attempt ?? 0, messages };
  });
  return database.transaction(async (sql) => {
    await takeTime(sql);
    return judgeFacts(sql, { warningId, over: warning.status !== 'open', taken });
  });
}

async function judgeFacts(
  sql: Sql,
  input: {
    warningId: number;
    over: boolean;
    taken: { deliveryId: number; attempt: number; messages: number }[];
  },
): Promise<Invariant[]> {
  const { warningId, over, taken } = input;
  const lost = await findLostDeliveries(sql, warningId);
  // While the warning is open, what has no outcome yet is under way.
  const missing = over ? (lost.counts['missing'] ?? 0) + (lost.counts['again'] ?? 0) : 0;
  // The ledger was read before: while the warning is open, messages may have arrived since.
  const unseen = over ? await findUnseenHandOffs(sql, warningId, taken) : NOTHING_FOUND;
  const unrecorded = await findUnrecordedSends(sql, warningId, taken);
  const live = await findLiveSends(sql, warningId);
  const duplicates = await findUnflaggedDuplicates(sql, warningId, repeatedDeliveries(taken));
  const chased = await findChasedAfterAnswer(sql, warningId, taken);
  const mistimed = await findMistimed(sql, warningId);
  const stuck = await findStuck(sql, warningId, OVERDUE_MS);
  const { flags = 0, duplicates: real = 0, inFlightAtCrashes = 0, unflagged = 0 } = duplicates.counts;
  return [
    verdict(
      1,
      'no lost delivery',
      missing + (lost.counts['unopened'] ?? 0) + (unseen.counts['unseen'] ?? 0) === 0,
      merge(lost, unseen),
    ),
    verdict(2, 'no unrecorded send', unrecorded.counts['unrecorded'] === 0, unrecorded),
    verdict(
      4,
      'no live send from a drill',
      live.counts['exercise'] === 1 && live.counts['toRealPeople'] === 0,
      live,
    ),
    verdict(
      6,
      'bounded duplicates',
      unflagged === 0 && flags <= FLAGS_PER_DUPLICATE * real + inFlightAtCrashes + unknowns(lost),
      duplicates,
    ),
    verdict(
      7,
      'escalations on time, nobody chased after answering',
      onTime(chased, mistimed, stuck),
      merge(chased, mistimed, stuck),
    ),
  ];
}

/** An attempt whose outcome stayed unknown was flagged for good reason, whether or not its message had arrived. */
function unknowns(lost: Finding): number {
  return (lost.counts['unknown'] ?? 0) + (lost.counts['again'] ?? 0);
}

function onTime(chased: Finding, mistimed: Finding, stuck: Finding): boolean {
  const bad = [
    chased.counts['chased'],
    mistimed.counts['early'],
    stuck.counts['overdue'],
    stuck.counts['waiting'],
  ];
  return bad.every((count) => count === 0);
}

function repeatedDeliveries(taken: readonly { deliveryId: number; messages: number }[]) {
  const messages = new Map<number, number>();
  for (const entry of taken)
    messages.set(entry.deliveryId, (messages.get(entry.deliveryId) ?? 0) + entry.messages);
  return [...messages]
    .filter(([, count]) => count > 1)
    .map(([deliveryId, count]) => ({ deliveryId, messages: count }));
}

function merge(...findings: Finding[]): Finding {
  return {
    counts: Object.assign({}, ...findings.map((finding) => finding.counts)) as Record<string, number>,
    first: findings.flatMap((finding) => finding.first),
  };
}

function verdict(number: number, name: string, holds: boolean, finding: Finding): Invariant {
  return { number, name, holds, counts: finding.counts, first: finding.first };
}
