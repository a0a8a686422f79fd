/**
 * What a person does about a message, by seed, person, message and light alone. The people of a rehearsal and those of a drill on the
 * real stack decide here, so that both do the same. Pure.
 */
import type { Purpose } from '../guard.ts';
import type { Channel } from '../rules.ts';
import type { Instant } from '../time.ts';
import type { UnitId } from '../unit.ts';
import {
  answerDelayMs,
  doneDelayMs,
  neverAnswers,
  notices,
  type Manner,
  type Stimulus,
} from './behaviour.ts';
import type { Chance } from './chance.ts';
import { lightAt, type Darkness } from './circumstances.ts';

/** A person: the key of their chance, the unit where they are, and how they behave. */
export type Actor = { key: number; unitId: UnitId; manner: Manner };

/** Which message it is: the warning's place in the story, and the rung or the notice's number. */
export type HeardMessage = { warning: number; purpose: Purpose; step: number; channel: Channel };

export type Response =
  | { kind: 'none' }
  /** A call that nobody takes ends then. */
  | { kind: 'rings out'; at: Instant }
  /** *Received*, or *cannot act*. */
  | { kind: 'answers'; at: Instant }
  /** Read: that it is not done yet. */
  | { kind: 'reminded' };

/** A telephone rings so long before a call counts as not answered: what networks usually give. */
const RINGS_MS = 30_000;
/** Channels that keep a message until the telephone is there again; a call or a loudspeaker is heard now or never. */
const STORED: ReadonlySet<Channel> = new Set(['sms', 'email', 'chat', 'push']);

const NONE: Response = { kind: 'none' };

/** What the person does about a message that was handed over at `at`. */
export function responseTo(
  chance: Chance,
  { key, unitId, manner }: Actor,
  message: HeardMessage,
  { at, darkness }: { at: Instant; darkness: Darkness },
): Response {
  const { purpose, channel } = message;
  const lit = lightAt(darkness, unitId, at);
  const stimulus: Stimulus = { warning: message.warning, step: stimulusStep(message), channel };
  const heard =
    (lit === at || STORED.has(channel)) &&
    lit < Infinity &&
    !neverAnswers(chance, key, manner) &&
    notices(chance, key, stimulus, manner);
  if (!heard)
    return channel === 'voice' && purpose === 'rung' ? { kind: 'rings out', at: at + RINGS_MS } : NONE;
  if (purpose === 'done reminder') return { kind: 'reminded' };
  if (purpose !== 'rung' && purpose !== 'bridge notice') return NONE;
  const answersAt = lightAt(darkness, unitId, lit + answerDelayMs(chance, key, stimulus, manner));
  return answersAt < Infinity ? { kind: 'answers', at: answersAt } : NONE;
}

/** When the person says *done*, after *received* (`reminder` 0) or after reminder n (n + 1) at `at`; null where they do not. */
export function saysDoneAt(
  chance: Chance,
  { key, unitId, manner }: Actor,
  when: { warning: number; reminder: number },
  { at, darkness }: { at: Instant; darkness: Darkness },
): Instant | null {
  const delay = doneDelayMs(chance, key, when, manner);
  if (delay === null) return null;
  const saidAt = lightAt(darkness, unitId, at + delay);
  return saidAt < Infinity ? saidAt : null;
}

/** Rungs, notices and reminders each have their own chance to be noticed. */
function stimulusStep({ purpose, step }: Pick<HeardMessage, 'purpose' | 'step'>): number {
  const kind = { 'bridge notice': 1, 'done reminder': 2 }[purpose as 'bridge notice' | 'done reminder'] ?? 0;
  return kind * 256 + step;
}
