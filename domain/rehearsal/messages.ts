/** What a rehearsal has under way: messages, and all that can happen at an instant. Plain data, and what is read off it. */
import type { Purpose } from '../guard.ts';
import type { Channel } from '../rules.ts';
import type { Send, UnitId } from '../unit.ts';
import type { PersonId, Tree } from './tree.ts';
import type { WarningRun } from './warning-run.ts';

/** One message to one person. */
export type Message = {
  run: WarningRun;
  unitId: UnitId;
  person: PersonId;
  channel: Channel;
  purpose: Purpose;
  /** The rung, or the notice's number. */
  step: number;
  attempt: number;
};

export type Happening =
  | { kind: 'begin'; run: WarningRun }
  | { kind: 'end'; run: WarningRun }
  | { kind: 'timer'; run: WarningRun; unitId: UnitId }
  | { kind: 'attempt'; message: Message }
  /** It asks for its turn at the sender again. */
  | { kind: 'retry'; message: Message }
  /** A call that was made rings out: nobody took it. */
  | { kind: 'rang out'; message: Message }
  | Word;

/** Something a person says; `by` the channel whose message they answer, null for what they say later of their own accord. */
export type Word = {
  kind: 'word';
  run: WarningRun;
  person: PersonId;
  unitId: UnitId;
  word: 'received' | 'done';
  by: Channel | null;
};

/** Red warnings have a queue of their own at the senders. */
export function queueOf({ warning }: WarningRun): 'red' | 'other' {
  return warning.rules.level === 'red' ? 'red' : 'other';
}

/** The same for all messages that are one for their person, whatever posts they hold. */
export function mergeKey({ run, person, channel, purpose, step }: Message): string {
  return [run.index, person, channel, purpose, step].join('|');
}

/** The people of a unit that a send is for, the principal first. */
export function holders(tree: Tree, unitId: UnitId, who: Send['who']): readonly PersonId[] {
  const posts = tree.posts[unitId] ?? [];
  switch (who) {
    case 'principal':
      return posts.slice(0, 1);
    case 'deputies':
      return posts.slice(1);
    case 'everyone':
    case 'told before':
      return posts;
    default:
      return who satisfies never;
  }
}

/** The rung of a send, or its number. */
export function stepOf(send: Send): number {
  if (send.kind === 'rung') return send.rung;
  return 'number' in send ? send.number : 0;
}
