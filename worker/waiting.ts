/**
 * Tells people with authority of what waits for them: drafts of actual warnings, and what one person did alone. On the day of Valencia's
 * flood the red warning stood at 07:31 and the alert went out at 20:11: nobody must be able to say that they did not know.
 */
import { createOperatorMail } from '../channels/operator-mail.ts';
import { kindServed, type Config } from '../config.ts';
import type { Database } from '../db/database.ts';
import {
  claimAfterReviewPages,
  claimDraftPages,
  retryOperatorPage,
  type AfterReviewPage,
  type DraftPage,
  type OperatorPage,
} from '../db/operator-pages.ts';
import { MINUTE_MS } from '../domain/time.ts';

/** A draft that still waits is told of again, and then also to those who could publish it in an emergency. Product choice. */
const DRAFT_AGAIN_MS = 5 * MINUTE_MS;
const REVIEW_AGAIN_MS = 60 * MINUTE_MS;
/** What a mail server did not take is tried again after this. */
const RETRY_MS = MINUTE_MS;

type Mail = { subject: string; text: string };

/** The command line's own words. */
export type WaitingWords = {
  draft(page: DraftPage): Mail;
  afterReview(page: AfterReviewPage): Mail;
  failed(page: OperatorPage, reason: string): string;
};

/** Sends what is due now, one after the other; without a mail server nothing is due. Gives back how many were taken. */
export async function tellOfWaiting(input: {
  database: Database;
  config: Config;
  words: WaitingWords;
  log: (line: string) => void;
}): Promise<number> {
  const { database, config, words, log } = input;
  const { FENGHUO_SMTP_URL: url, FENGHUO_SMTP_FROM: from } = config;
  if (url === undefined) return 0;
  const synthetic = kindServed(config) === 'exercise';
  let taken = 0;
  const send = async (page: OperatorPage, mail: Mail, againMs: number) => {
    try {
      await createOperatorMail({ url, from, to: page.email }).send(mail);
      taken += 1;
    } catch (error) {
      log(words.failed(page, (error as { code?: string }).code ?? 'unknown fault'));
      await retryOperatorPage(database, page, { againMs, retryMs: RETRY_MS });
    }
  };
  const drafts = { againMs: DRAFT_AGAIN_MS, alsoDutyMs: DRAFT_AGAIN_MS, synthetic };
  for (const page of await claimDraftPages(database, drafts))
    await send(page, words.draft(page), DRAFT_AGAIN_MS);
  for (const page of await claimAfterReviewPages(database, { againMs: REVIEW_AGAIN_MS, synthetic }))
    await send(page, words.afterReview(page), REVIEW_AGAIN_MS);
  return taken;
}
