/** One person, several warnings: the page of one lists the others they were told of, and its number settles those that are ticked. */
import { storeLinkAnswers } from '../db/answer-links.ts';
import type { AnswerAct } from '../db/answers.ts';
import type { Database, Sql } from '../db/database.ts';
import { findOtherWarnings, type OtherWarning } from '../db/other-warnings.ts';
import type { AnswerKeys } from '../domain/links.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { LIMITS } from './answer-links.ts';
import { withNumber, type Admitted } from './link-number.ts';

/** More than one person is ever told of at once; the newest come first. */
export const OTHERS_SHOWN_MAX = 6;

export async function listOtherWarnings(
  sql: Sql,
  person: { warningId: number; personId: number },
): Promise<OtherWarning[]> {
  return findOtherWarnings(sql, { ...person, most: OTHERS_SHOWN_MAX });
}

/** What was ticked for another warning of the page. */
export type OtherAnswer = { warningId: number; answer: AnswerKind };

export type OtherRecorded = OtherWarning & { answer: AnswerKind };

/**
 * Stores an answer for each warning that was ticked, each through the latest message of its own: a warning that this person has
 * not been told of takes none. All of them in one commit.
 */
export async function answerOthers(
  database: Database,
  keys: AnswerKeys,
  form: { token: string; number: string; others: readonly OtherAnswer[] },
): Promise<Admitted<OtherRecorded[]>> {
  return withNumber(database, keys, form, async (sql, { warningId, audience, recipientId }) => {
    if (audience !== 'people') return [];
    const answers = new Map(form.others.map((other) => [other.warningId, other.answer]));
    const told = await listOtherWarnings(sql, { warningId, personId: recipientId });
    const ticked = told.flatMap((other) => {
      const answer = answers.get(other.warningId);
      return answer === undefined ? [] : [{ ...other, answer }];
    });
    if (ticked.length === 0) return [];
    const acts = ticked.map(({ warningId: id, deliveryId, answer }): AnswerAct => ({
      warningId: id,
      kind: answer,
      doneCount: null,
      via: 'page',
      deliveryId,
      by: { audience, recipientId },
    }));
    const records = await storeLinkAnswers(sql, acts, LIMITS);
    return ticked.filter((_, place) => records[place]?.outcome === 'recorded');
  });
}
