/**
 * The referee: reads PostgreSQL and the far side's ledgers and says which promises hold, with the counts behind each word.
 * It shares no rule with the engine: what should have been sent it works out by its own queries. The tenth promise, no personal
 * data in Temporal, logs and metrics, cannot be seen from here: test/personal-data.test.ts looks for it.
 */
import type { Database, Sql } from '../db/database.ts';
import { findFalseAnswers, findLostAnswers, findRegressions, type Act } from '../db/referee-answers.ts';
import { findUnaudited } from '../db/referee-audit.ts';
import { findOvertaking, findUnnoticed, findWrongCarries, findWrongEnds } from '../db/referee-chains.ts';
import {
  findLostDeliveries,
  findUnflaggedDuplicates,
  findUnrecordedSends,
  findUnseenHandOffs,
} from '../db/referee-deliveries.ts';
import { findLiveSends, findSendsAfterEnd, findSendsOutside } from '../db/referee-permission.ts';
import { findChasedAfterAnswer, findMistimed, findStuck } from '../db/referee-times.ts';
import {
  lookAtOneMoment,
  mergeFindings,
  SHOWN_MOST,
  type Finding,
  type TakenAttempt,
} from '../db/referee.ts';
import type { Channel } from '../domain/rules.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { verifyMoment } from './audit-verify.ts';
import { requireWarning } from './warnings.ts';

/** What the far side has of one warning: what it took, and what its people did. */
export type FarSideLedger = {
  /** Messages for each attempt, by `<delivery>.<attempt>`. */
  attempts: ReadonlyMap<string, number>;
  /** When the last message of an attempt came, in milliseconds. */
  arrivals: ReadonlyMap<string, number>;
  /** Acts, each written down before it was done, with the HTTP status that came of it. */
  acts: readonly FarSideAct[];
};

export type FarSideAct = {
  actId: string;
  deliveryId: string;
  address: string;
  via: Channel;
  kind: AnswerKind;
  /** ISO. */
  at: string;
  /** `given-up` where nobody took it, null where nothing is known. */
  status: number | 'given-up' | null;
};

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

/** Judges one warning. Call it when the warning is over, or at any time: what is under way is not counted as lost. */
export async function judge(
  database: Database,
  warningId: number,
  farSide: FarSideLedger,
): Promise<Invariant[]> {
  await requireWarning(database, warningId);
  return database.transaction(async (sql) => {
    await lookAtOneMoment(sql);
    return judgeMoment(sql, warningId, farSide);
  });
}

/** Judges what one transaction sees. */
export async function judgeMoment(sql: Sql, warningId: number, farSide: FarSideLedger): Promise<Invariant[]> {
  const taken = takenAttempts(farSide);
  const acts = actsOf(farSide);
  const ends = await findWrongEnds(sql, warningId);
  const lost = mergeFindings(
    await findLostDeliveries(sql, warningId),
    await findUnseenHandOffs(sql, warningId, taken),
    await findUnnoticed(sql, warningId),
    ends,
  );
  const duplicates = await findUnflaggedDuplicates(sql, warningId, taken);
  const live = await findLiveSends(sql, warningId);
  const carries = await findWrongCarries(sql, warningId);
  return [
    verdict(1, 'no lost delivery', lost, [
      'missing',
      'groundless',
      'unopened',
      'unseen',
      'unnoticed',
      'endUnsaid',
    ]),
    verdict(2, 'no unrecorded send', await findUnrecordedSends(sql, warningId, taken), ['unrecorded']),
    verdict(3, 'no false answer', mergeFindings(await findFalseAnswers(sql, warningId, acts), carries), [
      'falseAnswers',
      'notTheirs',
      'carriedFalsely',
    ]),
    {
      ...verdict(4, 'no live send from a drill', live, []),
      holds: live.counts['exercise'] === 1 && live.counts['toRealPeople'] === 0,
    },
    verdict(
      5,
      'no send after the end or outside the area',
      mergeFindings(
        await findSendsAfterEnd(sql, warningId, taken),
        await findSendsOutside(sql, warningId),
        await findOvertaking(sql, warningId),
        ends,
      ),
      ['late', 'outside', 'overtaking', 'endNeedless'],
    ),
    { ...verdict(6, 'bounded duplicates', duplicates, []), holds: bounded(duplicates, lost) },
    verdict(
      7,
      'escalations on time, nobody chased after answering',
      mergeFindings(
        await findChasedAfterAnswer(sql, warningId, taken),
        await findMistimed(sql, warningId),
        await findStuck(sql, warningId, OVERDUE_MS),
      ),
      ['chased', 'early', 'overdue', 'waiting'],
    ),
    verdict(
      8,
      'no answer is lost or regresses, states only rise',
      mergeFindings(
        await findLostAnswers(sql, warningId, acts),
        await findRegressions(sql, warningId),
        carries,
      ),
      ['lostAnswers', 'regressed', 'revived', 'uncarried'],
    ),
    verdict(
      9,
      'the audit is complete, and nobody has tampered with it',
      mergeFindings(await findUnaudited(sql, warningId), await findTampered(sql, warningId)),
      ['unaudited', 'uncounted', 'unsettled', 'tampered'],
    ),
  ];
}

/** What `audit verify` finds in the chains and the sealed facts of the warning. Anchors lie elsewhere, and are not asked here. */
async function findTampered(sql: Sql, warningId: number): Promise<Finding> {
  const { lines, facts, faults, faultCount } = await verifyMoment(sql, { warningId });
  return {
    counts: { chained: lines, sealed: facts, tampered: faultCount },
    first: faults.slice(0, SHOWN_MOST).map(({ chain, place, kind }) => `${chain} ${place}: ${kind}`),
  };
}

/** Holds where none of the counts named in `faults` is above 0; a count that is missing is a fault of the referee's own. */
function verdict(number: number, name: string, finding: Finding, faults: readonly string[]): Invariant {
  const { counts, first } = finding;
  return { number, name, holds: faults.every((fault) => counts[fault] === 0), counts, first };
}

/** An attempt whose outcome stayed unknown was flagged for good reason, whether or not its message had arrived. */
function bounded(duplicates: Finding, lost: Finding): boolean {
  const { flags = 0, duplicates: real = 0, inFlightAtCrashes = 0, unflagged, toldTwice } = duplicates.counts;
  const { unknown = 0, again = 0 } = lost.counts;
  if (unflagged !== 0 || toldTwice !== 0) return false;
  return flags <= FLAGS_PER_DUPLICATE * real + inFlightAtCrashes + unknown + again;
}

function takenAttempts({ attempts, arrivals }: FarSideLedger): TakenAttempt[] {
  return [...attempts].map(([reference, messages]) => {
    const [deliveryId, attempt] = reference.split('.').map(Number);
    return {
      deliveryId: deliveryId ?? 0,
      attempt: attempt ?? 0,
      messages,
      lastAt: arrivals.get(reference) ?? null,
    };
  });
}

function actsOf({ acts }: FarSideLedger): Act[] {
  return acts.map(({ actId, deliveryId, address, via, kind, at, status }) => ({
    ...{ actId, address, via, kind },
    deliveryId: Number(deliveryId),
    at: Date.parse(at),
    thanked: typeof status === 'number' && status >= 200 && status < 300,
  }));
}
