/** The small outbox of Ack and Error: each was written with its verdict and is posted until the sender's server takes it. */
import { claimReplies, settleReply } from '../db/cap.ts';
import type { Database } from '../db/database.ts';
import type { Post } from '../domain/cap/exchange.ts';
import { FenghuoError } from '../domain/errors.ts';

export type RepliesPosted = { sent: number; failed: number; givenUp: number };

const TAKEN_AT_ONCE = 20;
const ATTEMPTS_MOST = 8;
/** Half a minute, then twice as long each time: eight attempts within an hour. */
const RETRY_MS = 30_000;

export async function postReplies(database: Database, post: Post): Promise<RepliesPosted> {
  const posted: RepliesPosted = { sent: 0, failed: 0, givenUp: 0 };
  for (;;) {
    const due = await claimReplies(database, TAKEN_AT_ONCE);
    if (due.length === 0) return posted;
    for (const { replyId, url, body, attempts } of due) {
      try {
        await post(url, body);
        await settleReply(database, replyId, { fault: null, retryMs: null });
        posted.sent += 1;
      } catch (error) {
        if (!(error instanceof FenghuoError) || error.code !== 'cap-fetch') throw error;
        const givenUp = attempts >= ATTEMPTS_MOST;
        const retryMs = givenUp ? null : RETRY_MS * 2 ** (attempts - 1);
        await settleReply(database, replyId, { fault: error.message, retryMs });
        posted[givenUp ? 'givenUp' : 'failed'] += 1;
      }
    }
  }
}
