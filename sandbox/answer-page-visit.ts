/** A person with a mail: opens the link, then sends the form with the number that stands in the mail. */
import { request, type Dispatcher } from 'undici';
import { backoff, type PushResult } from './reply-push.ts';

const VISIT_TIMEOUT_MS = 15_000;

/** A person who finds the page dead tries again for a few minutes. */
const TRIES_MOST = 60;

/** `signal` ends the tries; a visit under way ends with its agent. The HTTP status of the form, of the page where it did not open, or `given-up`. */
export async function visitAnswerPage(input: {
  link: string;
  number: string;
  answer: 'received' | 'done' | 'cannot';
  agent: Dispatcher;
  signal: AbortSignal;
}): Promise<PushResult> {
  for (let tries = 1; tries <= TRIES_MOST && !input.signal.aborted; tries++) {
    const status = await visitOnce(input);
    // The page's own refusals stand; what is busy or away is tried again.
    if (status !== 0 && status !== 429 && status < 500) return status;
    await backoff(tries, input.signal);
  }
  return 'given-up';
}

/** 0 where nothing answered. */
async function visitOnce(input: Parameters<typeof visitAnswerPage>[0]): Promise<number> {
  const common = { dispatcher: input.agent, headersTimeout: VISIT_TIMEOUT_MS, bodyTimeout: VISIT_TIMEOUT_MS };
  try {
    const page = await request(input.link, common);
    await page.body.dump();
    if (page.statusCode !== 200) return page.statusCode;
    const form = await request(input.link, {
      ...common,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ number: input.number, answer: input.answer }).toString(),
    });
    await form.body.dump();
    return form.statusCode;
  } catch {
    return 0;
  }
}
