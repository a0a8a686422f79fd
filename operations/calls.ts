/** The duty desk: whom to telephone now, who takes which line, and what they heard. */
import {
  endCall,
  freeOverdueCalls,
  insertCall,
  readFreeLines,
  markWrongNumber,
  readCallOutcome,
  readLines,
  readOwnCall,
  type Call,
  type CallOutcome,
  type EndedCall,
  type Line,
} from '../db/calls.ts';
import { storeVouchedAnswer } from '../db/answers.ts';
import { appendRecord } from '../db/audit.ts';
import type { Database } from '../db/database.ts';
import type { SilentPerson } from '../db/warnings.ts';
import { FenghuoError } from '../domain/errors.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { refusalOf } from './refusals.ts';
import { requireWarning } from './warnings.ts';

/** A line is an officer's for so long; nobody who answers is kept waiting for one whose officer has gone for lunch. */
export const TAKEN_MS = 5 * MINUTE_MS;

/** Who did not answer is called again no earlier; until then another who stands for the unit is. */
const REST_MS = 5 * MINUTE_MS;

/** Other officers may take the same lines at the same moment: so many are tried, one after the other, and looked for again. */
const LINES_TRIED = 20;
const LOOKS_MOST = 5;

/** How the desk hears of an answer. */
const BY_TELEPHONE = 'telephone';

/** Whom to phone next: who was not called in vain yet, of those the highest post with a number; null where nobody has one. */
export function phoneNext(people: readonly SilentPerson[]): SilentPerson | null {
  const [first] = people
    .filter(({ phone }) => phone !== null)
    .sort((one, other) => (one.triedAt ?? 0) - (other.triedAt ?? 0) || one.rank - other.rank);
  return first ?? null;
}

/** Silent units of one warning, or of all that are open, most urgent first: by level, tier, and how long silent. */
export async function listLines(
  database: Database,
  input: { warningId: number | null; most: number },
): Promise<Line[]> {
  if (input.warningId !== null) await requireWarning(database, input.warningId);
  return readLines(database, input);
}

/**
 * Takes the most urgent free line for five minutes; null where there is none. An officer who has one open gets that one again:
 * nobody holds two. Two officers never get the same line.
 */
export async function takeLine(
  database: Database,
  input: {
    warningId: number | null;
    officer: string;
    /** Only lines in these units and below. @default anywhere */
    areaIds?: readonly number[];
    /** Whether the officer may have this one. @default they may */
    permits?: (line: Line) => Promise<boolean>;
  },
): Promise<Call | null> {
  const officer = requiredOfficer(input.officer);
  const { warningId, areaIds = null, permits } = input;
  if (warningId !== null) await requireWarning(database, warningId);
  await freeOverdueCalls(database);
  for (let look = 0; look < LOOKS_MOST; look += 1) {
    const own = await readOwnCall(database, { warningId, officer });
    if (own) return own;
    const lines = await readFreeLines(database, {
      ...{ warningId, officer, areaIds },
      ...{ restMs: REST_MS, most: LINES_TRIED },
    });
    for (const line of lines) {
      const personId = phoneNext(line.people)?.personId;
      if (personId === undefined || (permits && !(await permits(line)))) continue;
      const call = await insertCall(database, { ...line, personId, officer, takenMs: TAKEN_MS });
      if (call) return { ...line, ...call, personId, takenBy: officer };
    }
    if (lines.length < LINES_TRIED) return null;
  }
  return null;
}

const ANSWERS: Readonly<Partial<Record<CallOutcome, AnswerKind>>> = {
  received: 'received',
  done: 'done',
  'cannot act': 'cannot act',
};

/**
 * Writes down what came of a call. What somebody said becomes the unit's answer, vouched for by the officer, in the same commit;
 * a wrong number is not used again until it changes.
 */
export async function recordCall(
  database: Database,
  input: {
    callId: number;
    outcome: CallOutcome;
    doneCount: number | null;
    /** Who is logged in: nobody else decides anything about an actual warning. @default null */
    actor?: string | null;
  },
): Promise<EndedCall> {
  const { callId, outcome, doneCount, actor = null } = input;
  if (doneCount !== null && outcome !== 'done') {
    throw refuse('call-count', 'usage', '--count goes with --outcome done only.');
  }
  return database.transaction(async (sql) => {
    const call = await endCall(sql, callId, outcome);
    if (!call) throw notEnded(callId, await readCallOutcome(sql, callId));
    const kind = ANSWERS[outcome];
    // What decides who is told and who has answered: of an actual warning, nobody's word but that of somebody who is logged in.
    const decides = kind !== undefined || outcome === 'wrong number';
    if (decides && (await requireWarning(sql, call.warningId)).kind === 'actual') {
      if (actor === null) throw refusalOf('no-operator');
      const { warningId, unitId, officer } = call;
      await appendRecord(sql, {
        kind: 'call',
        warningId,
        actor,
        body: { call: callId, unit: unitId, outcome, officer },
      });
    }
    if (kind) {
      await storeVouchedAnswer(sql, {
        warningId: call.warningId,
        kind,
        doneCount,
        via: 'desk',
        deliveryId: null,
        by: { audience: 'vouched', unitId: call.unitId, vouchedBy: call.officer, how: BY_TELEPHONE },
      });
    }
    if (outcome === 'wrong number' && call.personId !== null) await markWrongNumber(sql, call.personId);
    return call;
  });
}

function notEnded(callId: number, outcome: CallOutcome | 'open' | null): FenghuoError {
  if (outcome === null) {
    return refuse(
      'no-such-call',
      'notFound',
      `There is no call ${callId}. \`fenghuo calls next\` takes one.`,
    );
  }
  return refuse(
    'call-recorded',
    'conflict',
    `Call ${callId} was recorded before (${outcome}). What was heard since goes in by \`fenghuo answer\`.`,
  );
}

function requiredOfficer(officer: string): string {
  const name = officer.trim();
  if (name !== '') return name;
  throw refuse('officer', 'usage', '--officer is empty. Give the name of whoever telephones.');
}

function refuse(code: string, refusal: 'usage' | 'notFound' | 'conflict', sentence: string): FenghuoError {
  return new FenghuoError({ code, refusal, sentence });
}
