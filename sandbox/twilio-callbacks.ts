/**
 * How Twilio calls back: a form by POST, signed over the URL and the fields. What the URL's fragment asks for is done: `rc`
 * repetitions on the faults that `rp` names.
 */
import { setMaxListeners } from 'node:events';
import twilio from 'twilio';
import { Agent, request } from 'undici';
import { backoff } from './reply-push.ts';

/** Twilio ends all tries of a webhook after 15 seconds. */
const CALLBACK_TIMEOUT_MS = 15_000;

const CONNECTIONS = 16;

export type CallbackAnswer = { status: number; body: string };

export type Callbacks = {
  /** The last answer; status 0 where nothing answered. */
  post(url: string, fields: Readonly<Record<string, string>>): Promise<CallbackAnswer>;
  /** Callbacks under way. */
  waiting(): number;
  stop(): Promise<void>;
};

export function createCallbacks(authToken: string): Callbacks {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  const stopping = new AbortController();
  // Every callback that waits for its repetition listens to this one signal.
  setMaxListeners(0, stopping.signal);
  let waiting = 0;

  async function post(url: string, fields: Readonly<Record<string, string>>): Promise<CallbackAnswer> {
    const [target = '', fragment = ''] = url.split('#');
    const overrides = new URLSearchParams(fragment);
    const tries = 1 + Number(overrides.get('rc') ?? 0);
    const repeats5xx = (overrides.get('rp') ?? 'ct').split(',').some((one) => one === '5xx' || one === 'all');
    waiting += 1;
    try {
      for (let tried = 1; ; tried++) {
        const answer = await postOnce(target, fields);
        const again = answer.status === 0 || (answer.status >= 500 && repeats5xx);
        if (!again || tried >= tries || stopping.signal.aborted) return answer;
        await backoff(tried, stopping.signal);
      }
    } finally {
      waiting -= 1;
    }
  }

  async function postOnce(url: string, fields: Readonly<Record<string, string>>): Promise<CallbackAnswer> {
    try {
      const answer = await request(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'x-twilio-signature': twilio.getExpectedTwilioSignature(authToken, url, fields),
        },
        body: new URLSearchParams(fields).toString(),
        dispatcher: agent,
        headersTimeout: CALLBACK_TIMEOUT_MS,
        bodyTimeout: CALLBACK_TIMEOUT_MS,
      });
      return { status: answer.statusCode, body: await answer.body.text() };
    } catch {
      return { status: 0, body: '' };
    }
  }

  return {
    post,
    waiting: () => waiting,
    stop: async () => {
      stopping.abort();
      await agent.destroy();
    },
  };
}
