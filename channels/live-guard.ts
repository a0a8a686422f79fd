/**
 * What may reach the public, in one positive predicate. Every channel asks it before anything leaves, whatever the queues,
 * schemas and credentials behind it should have made impossible already.
 */
import type { OutgoingMessage, SendResult } from '../domain/ports.ts';

/** True for an actual warning to a real person: the only message that a live channel takes. */
export function mayReachThePublic(
  message: Pick<OutgoingMessage, 'kind' | 'synthetic' | 'exercise'>,
): boolean {
  return message.kind === 'actual' && !message.synthetic && message.exercise === null;
}

/** The final result for a message that a channel must not carry; null where it may. */
export function refusal(message: OutgoingMessage, live: boolean): SendResult | null {
  if (!live || mayReachThePublic(message)) return null;
  return {
    outcome: 'failed',
    reason: message.synthetic ? 'synthetic-recipient' : 'exercise-on-live-channel',
  };
}
