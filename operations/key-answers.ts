/** Answers by a key pressed during a call. Voicemail presses none, so only a person answers. */
import { findLinkOwners } from '../db/answer-links.ts';
import type { Database } from '../db/database.ts';
import { takeReplies } from '../db/replies.ts';
import { markAddresses } from '../db/receipts.ts';
import { nameOfKind, type WarningKind } from '../domain/kinds.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { GRACE_MS } from './answers.ts';

/** Keys that answer; the others ask for something, such as to hear the call again. */
const ANSWERS: Readonly<Record<string, AnswerKind>> = { '1': 'received', '3': 'cannot act' };

/** A key, as a provider of calls reported it. `step` counts the questions of one call, from 1. */
export type KeyPress = {
  deliveryId: number;
  callId: string;
  step: number;
  key: string;
  via: 'voice' | 'twilio';
  /** What the provider serves: a key counts for no warning of the other kind. */
  serves: WarningKind;
};

export type KeyVerdict = 'recorded' | 'repeated' | 'no answer' | 'too late' | 'no such delivery';

/**
 * Takes a key as the answer of the person who was called, once for each question of a call. `no answer` is a key that says nothing,
 * `too late` one for a warning whose grace has passed.
 */
export async function answerByKey(database: Database, press: KeyPress): Promise<KeyVerdict> {
  const kind = Object.hasOwn(ANSWERS, press.key) ? ANSWERS[press.key] : undefined;
  if (kind === undefined) return 'no answer';
  const [owner] = await findLinkOwners(database, [press.deliveryId], press.serves);
  if (!owner) return 'no such delivery';
  const { warningId, audience, recipientId } = owner;
  const id = nameOfKind(press.serves, `key:${press.callId}:${press.step}`);
  const taken = await database.transaction(async (sql) => {
    const place = { audience, recipientId, channel: 'voice' as const };
    await markAddresses(sql, [{ place, fault: null }]);
    return takeReplies(
      sql,
      [
        {
          id,
          verdict: 'recorded',
          act: {
            warningId,
            kind,
            doneCount: null,
            via: press.via,
            deliveryId: press.deliveryId,
            by: { audience, recipientId },
          },
        },
      ],
      GRACE_MS,
    );
  });
  const answer = taken.get(id);
  if (!answer) return 'repeated';
  return answer.units.length > 0 ? 'recorded' : 'too late';
}
