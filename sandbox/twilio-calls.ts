/**
 * Calls as Twilio makes them: it rings, somebody or something takes it or nobody does, the TwiML of our web process is played, and
 * pressed keys go where a `<Gather>` wants them.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { draws } from './draws.ts';
import type { PushResult } from './reply-push.ts';
import type { Callbacks } from './twilio-callbacks.ts';
import { readTwiml, type TwimlNode } from './twiml.ts';

/** Documents that one call fetches at the most: a menu that never ends is cut. */
const DOCUMENTS_MOST = 20;

/** Of ten people who take the call, one has it repeated and one presses the key for it by its number. */
const REPEATS_SHARE = 0.1;

/** What becomes of calls that no person answers; the rest are taken by nobody. Shares of our own choice. */
const UNANSWERED = [
  { share: 0.4, ends: 'voicemail' },
  { share: 0.15, ends: 'says nothing' },
  { share: 0.1, ends: 'busy' },
] as const;

export type CallEnd = (typeof UNANSWERED)[number]['ends'] | 'no answer';

/** How a call that no person answers ends; the same seed and reference decide alike. */
export function unansweredEnd(seed: string, reference: string): CallEnd {
  let [left = 0] = draws(seed, 'call', reference);
  for (const { share, ends } of UNANSWERED) {
    if (left < share) return ends;
    left -= share;
  }
  return 'no answer';
}

/** The keys of a person who answers in the end with `key`. */
export function keysOf(seed: string, reference: string, key: string): string[] {
  const [, drawn = 0] = draws(seed, 'call', reference);
  if (drawn < REPEATS_SHARE) return ['*', key];
  return drawn < 2 * REPEATS_SHARE ? ['2', key] : [key];
}

/** What a call tells with every request. */
export type CallFields = Readonly<Record<string, string>>;

/** What was heard in a call, and what became of the last key. */
export type Played = { heard: string[]; keyStatus: PushResult };

/** Plays the TwiML at `url` to somebody who presses `keys`, one at each `<Gather>`. */
export async function playCall(input: {
  callbacks: Callbacks;
  url: string;
  fields: CallFields;
  keys: readonly string[];
  ended: () => boolean;
}): Promise<Played> {
  const { callbacks, fields, ended } = input;
  const keys = [...input.keys];
  const played: Played = { heard: [], keyStatus: 'given-up' };
  let next: { url: string; fields: CallFields } | null = { url: input.url, fields };
  for (let documents = 0; next && documents < DOCUMENTS_MOST && !ended(); documents++) {
    const { url, fields: sent }: { url: string; fields: CallFields } = next;
    const answer = await callbacks.post(url, sent);
    const pressed = sent['Digits'] !== undefined && sent['Digits'] !== '';
    if (pressed && keys.length === 0) played.keyStatus = answer.status === 0 ? 'given-up' : answer.status;
    const verbs = answer.status === 200 ? readTwiml(answer.body) : null;
    next = verbs ? follow(verbs, { url, fields, keys, heard: played.heard }) : null;
    // Speech takes time, but nobody waits for it here; other calls get their turn.
    await wait(0);
  }
  return played;
}

/** The next document, or null where the call ends. */
function follow(
  verbs: readonly TwimlNode[],
  call: { url: string; fields: CallFields; keys: string[]; heard: string[] },
): { url: string; fields: CallFields } | null {
  for (const { name, attributes, text, children } of verbs) {
    const target = (relative: string | undefined) => new URL(relative ?? '', withoutFragment(call.url)).href;
    switch (name) {
      case 'Say':
        call.heard.push(text.trim());
        break;
      case 'Gather': {
        for (const child of children) if (child.name === 'Say') call.heard.push(child.text.trim());
        const key = call.keys.shift();
        if (key === undefined && attributes['actionOnEmptyResult'] !== 'true') break;
        return { url: target(attributes['action']), fields: { ...call.fields, Digits: key ?? '' } };
      }
      case 'Redirect':
        return { url: target(text.trim()), fields: call.fields };
      case 'Hangup':
        return null;
      default:
    }
  }
  return null;
}

function withoutFragment(url: string): string {
  return url.split('#')[0] ?? '';
}
