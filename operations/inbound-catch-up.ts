/**
 * Replies that could not be pushed to us are listed and taken after an outage: Twilio repeats a push for some seconds only. A
 * watermark says up to when everything is known; what is listed twice is taken once, by its id.
 */
import type { Database } from '../db/database.ts';
import { readMark, writeMark } from '../db/liveness.ts';
import { nameOfKind, type SenderSide, type WarningKind } from '../domain/kinds.ts';
import type { AnswerKeys } from '../domain/links.ts';
import { MINUTE_MS } from '../domain/time.ts';
import { answerByReplies } from './answers.ts';

/** Each account has its own: the Exercises' list says nothing of what the live one holds, or that of a drill. */
const markOf = (side: SenderSide) => `mark ${nameOfKind(side, 'twilio inbound')}`;

/** A message may stand in the list some time after the second it bears, and the clocks are apart. */
const OVERLAP_MS = 5 * MINUTE_MS;

/** After a longer outage the rest is of warnings that have long ended. */
const LOOK_BACK_MS_MAX = 3 * 24 * 60 * MINUTE_MS;

export type InboundList = {
  /** Everything that came in since, in milliseconds, the oldest first. Throws where it cannot be asked. */
  since(instant: number): Promise<{ id: string; from: string; text: string }[]>;
};

/**
 * Takes what came in since the watermark and moves it on; gives how many were new. The first time ever nothing is listed: whoever
 * wrote before this installation was there has nothing to answer. Nothing is said back: by now it would only confuse.
 */
export async function catchUpInbound(
  database: Database,
  keys: AnswerKeys,
  inbound: InboundList,
  serves: WarningKind,
  side: SenderSide = serves,
): Promise<number> {
  const { mark, now } = await readMark(database, markOf(side));
  let fresh = 0;
  if (mark !== null) {
    const replies = await inbound.since(Math.max(mark - OVERLAP_MS, now - LOOK_BACK_MS_MAX));
    const outcomes = await answerByReplies(database, keys, replies, { via: 'twilio', serves });
    fresh = outcomes.filter(({ verdict }) => verdict !== 'repeated').length;
  }
  // As it was before the list was asked for; moved on only when everything is stored.
  await writeMark(database, markOf(side), now);
  return fresh;
}
