/**
 * The duty desk for an operator who has logged in: the lines to be telephoned, and one of them taken at a time. Numbers are for those
 * whose authority reaches the unit; who may not read a line's number is not given the line.
 */
import { readLines, readOwnCall, type Call, type CallOutcome, type Line } from '../db/calls.ts';
import type { Database } from '../db/database.ts';
import { readPaths } from '../db/operators.ts';
import { mayAct, PERMITTED, type Operator } from '../domain/authority.ts';
import { FenghuoError } from '../domain/errors.ts';
import { recordCall, takeLine } from './calls.ts';

const LISTED_MOST = 30;

export type WebDesk = {
  /** The line this operator has taken; null where they have none. */
  own: Call | null;
  /** The most urgent, whoever has taken them. */
  lines: Line[];
  more: boolean;
  /** Whether this operator may take lines at all. */
  mayCall: boolean;
};

export async function openDesk(database: Database, operator: Operator): Promise<WebDesk> {
  const own = await readOwnCall(database, { warningId: null, officer: operator.name });
  const lines = await readLines(database, { warningId: null, most: LISTED_MOST + 1 });
  return {
    own: own && (await mayRead(database, operator, own)) ? own : null,
    lines: lines.slice(0, LISTED_MOST),
    more: lines.length > LISTED_MOST,
    mayCall: areasOf(operator).length > 0,
  };
}

/** Takes the most urgent free line of which this operator may read the number; null where there is none. */
export async function takeForOperator(database: Database, operator: Operator): Promise<Call | null> {
  return takeLine(database, {
    warningId: null,
    officer: operator.name,
    areaIds: areasOf(operator),
    permits: (line) => mayRead(database, operator, line),
  });
}

/** Writes down what came of the line this operator has taken, and of no other. */
export async function recordForOperator(
  database: Database,
  operator: Operator,
  input: { callId: number; outcome: CallOutcome; doneCount: number | null },
): Promise<void> {
  const own = await readOwnCall(database, { warningId: null, officer: operator.name });
  if (own?.callId !== input.callId) {
    throw new FenghuoError({
      code: 'call-recorded',
      refusal: 'conflict',
      sentence: `Call ${input.callId} is not yours any more: five minutes have passed, or it was recorded.`,
    });
  }
  await recordCall(database, { ...input, actor: operator.name });
}

function areasOf({ grants }: Operator): number[] {
  return grants.filter(({ role }) => PERMITTED[role].includes('read numbers')).map(({ areaId }) => areaId);
}

async function mayRead(database: Database, operator: Operator, line: Line): Promise<boolean> {
  const { level, hazard } = line;
  const areaPaths = await readPaths(database, [line.unitId]);
  return mayAct(operator, 'read numbers', { areaPaths, level, hazard }).allowed;
}
