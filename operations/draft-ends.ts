/** How a draft ends other than by going out, and what one person does alone: decided not to send, retracted, looked at afterwards. */
import { appendRecord } from '../db/audit.ts';
import type { Database, Sql } from '../db/database.ts';
import {
  endDraft,
  insertAfterReview,
  insertDecision,
  insertRetraction,
  lockWaitingDraft,
  readDecision,
  readDecisions,
  readOpenAfterReviews,
  type AfterReview,
  type DecisionRow,
} from '../db/drafts.ts';
import { showToken } from '../db/operators.ts';
import { readWarning } from '../db/warnings.ts';
import type { Action, Operator } from '../domain/authority.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { LevelId } from '../domain/levels.ts';
import { contentOf, draftName, requiredReason } from './draft-content.ts';
import { requireMayAct, requireOneOf } from './operators.ts';
import { acting, refusalOf, refusing } from './refusals.ts';
import { endByCancel } from './updates.ts';

/** A reviewer or releaser sends a draft back for good. */
export async function rejectDraft(
  database: Database,
  operator: Operator,
  draftId: number,
  reason: string,
): Promise<void> {
  await end(database, operator, { draftId, status: 'rejected', reason, actions: ['review', 'release'] });
}

/** Whoever may write it takes it back. */
export async function withdrawDraft(
  database: Database,
  operator: Operator,
  draftId: number,
  reason: string,
): Promise<void> {
  await end(database, operator, { draftId, status: 'withdrawn', reason, actions: ['draft', 'cancel'] });
}

/** Decided not to send, because: of a draft, or of something nobody has written down yet. The decision is kept for good. */
export async function decideNotToSend(
  database: Database,
  operator: Operator,
  about: { draftId: number } | { hazard: string; level: LevelId; areaIds: number[] },
  reason: string,
): Promise<DecisionRow> {
  const because = requiredReason(reason);
  return acting(database, operator, async (sql) => {
    const draftId = 'draftId' in about ? about.draftId : null;
    const { hazard, level, areaIds } =
      'draftId' in about ? contentOf((await lockWaitingDraft(sql, about.draftId)).content) : about;
    await requireOneOf(sql, operator, ['draft', 'release'], { hazard, level, areaIds });
    const { operatorId } = operator;
    const decision = { draftId, hazard, level, areaIds, operatorId, reason: because };
    const decided = await requireDecision(sql, await insertDecision(sql, decision));
    if (draftId !== null) await endDraft(sql, { draftId, status: 'not sent', operatorId, reason: because });
    await appendRecord(sql, {
      kind: 'decided not to send',
      warningId: null,
      actor: operator.name,
      // With the names: whoever reads the record has no tree to look numbers up in.
      body: { ...decision, areas: decided.areas, draft: draftId === null ? null : draftName(draftId) },
    });
    return decided;
  });
}

/** What somebody decided not to send, newest first. */
export async function listDecisions(database: Database, most: number): Promise<DecisionRow[]> {
  return readDecisions(database, most);
}

/** One of them; refused where there is none of that number. */
export async function requireDecision(sql: Sql, decisionId: number): Promise<DecisionRow> {
  const decision = await readDecision(sql, decisionId);
  if (decision) return decision;
  throw new FenghuoError({
    code: 'no-such-decision',
    refusal: 'notFound',
    sentence: `There is no decision ${decisionId}. \`fenghuo warning decisions\` lists them.`,
  });
}

/**
 * One person takes an actual warning back, in the caller's transaction: its correction was released with it. Whoever ends the warning
 * as retracted next, within the same transaction, does so on this word; somebody else looks at it afterwards.
 */
export async function permitRetraction(
  sql: Sql,
  operator: Operator | null,
  warningId: number,
  reason: string,
): Promise<void> {
  const because = requiredReason(reason);
  const warning = await readWarning(sql, warningId);
  if (!operator) throw refusalOf('no-operator');
  if (warning) await requireMayAct(sql, operator, 'retract', warning);
  await showToken(sql, operator.token);
  const releaseId = await refusing(() =>
    insertRetraction(sql, { warningId, operatorId: operator.operatorId, reason: because }),
  );
  await appendRecord(sql, {
    kind: 'release alone',
    warningId,
    actor: operator.name,
    body: { releaseId, reason: because },
  });
}

/** Takes back an actual warning that was false: those who were told read its correction. One person, at once. */
export async function retractByOne(
  database: Database,
  operator: Operator | null,
  warningId: number,
  reason: string,
): Promise<void> {
  await database.transaction(async (sql) => {
    await permitRetraction(sql, operator, warningId, reason);
    await endByCancel(sql, warningId, { reason, retracted: true, actor: operator?.name ?? null });
  });
}

/** Somebody else looks at what one person did alone. */
export async function reviewAfterwards(
  database: Database,
  operator: Operator,
  input: { releaseId: number; justified: boolean; finding: string },
): Promise<void> {
  const { releaseId, justified } = input;
  const finding = requiredReason(input.finding);
  const verdict = justified ? 'justified' : 'not justified';
  await acting(database, operator, async (sql) => {
    const open = (await readOpenAfterReviews(sql)).find((one) => one.releaseId === releaseId);
    if (!open) {
      throw new FenghuoError({
        code: 'no-such-after-review',
        refusal: 'notFound',
        sentence: `There is no open after-review ${releaseId}. \`fenghuo warning review-after\` lists them.`,
      });
    }
    await insertAfterReview(sql, { releaseId, operatorId: operator.operatorId, verdict, finding });
    await appendRecord(sql, {
      kind: 'after-review',
      warningId: open.warningId,
      actor: operator.name,
      body: { releaseId, verdict, finding },
    });
  });
}

export async function listAfterReviews(database: Database): Promise<AfterReview[]> {
  return readOpenAfterReviews(database);
}

async function end(
  database: Database,
  operator: Operator,
  input: {
    draftId: number;
    status: 'rejected' | 'withdrawn';
    reason: string;
    actions: readonly Action[];
  },
): Promise<void> {
  const { draftId, status, actions } = input;
  const reason = requiredReason(input.reason);
  await acting(database, operator, async (sql) => {
    const content = contentOf((await lockWaitingDraft(sql, draftId)).content);
    await requireOneOf(sql, operator, actions, content);
    await endDraft(sql, { draftId, status, operatorId: operator.operatorId, reason });
    await appendRecord(sql, {
      kind: status,
      warningId: content.supersedesId,
      actor: operator.name,
      body: { draft: draftName(draftId), reason },
    });
  });
}
