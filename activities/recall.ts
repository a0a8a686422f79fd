/**
 * Takes messages back that a provider still has and that nobody needs any more. What cannot be taken back goes out as before: a
 * recall saves people a message, and promises nothing.
 */
import type { RecallResult, SenderPort } from '../domain/ports.ts';
import type { Recall, RecallLook, RecallStore } from '../domain/store.ts';

/** Recalls of one round, and asked at once: beside them the word that a warning is over has to get through. */
const ROUND_MOST = 200;
const AT_ONCE = 8;

/** A sender that can take messages back. */
export type Recaller = SenderPort & { recall: NonNullable<SenderPort['recall']> };

/** True for a sender that can take messages back. */
export function canRecall(sender: SenderPort): sender is Recaller {
  return sender.recall !== undefined;
}

/** Where the first round looks from. */
export const FROM_THE_BEGINNING: RecallLook = { seen: 0, next: null };

/** One round; gives how many were asked for, and from where to look next. */
export async function recallSome(
  { store, senders }: { store: RecallStore; senders: readonly Recaller[] },
  before: RecallLook,
): Promise<{ asked: number; look: RecallLook }> {
  const look = await store.wish(before);
  const recalls = await store.take(ROUND_MOST);
  const byId = new Map(senders.map((sender) => [sender.id, sender]));
  const results = new Map<Recall, RecallResult>();
  const queue = recalls.values();
  const askSome = async () => {
    for (const recall of queue) {
      const asked = byId
        .get(recall.sender)
        ?.recall(recall)
        .catch(() => 'unknown' as const);
      results.set(recall, (await asked) ?? 'unknown');
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, askSome));
  const verdicts = recalls.map((recall) => ({ ...recall, result: results.get(recall) ?? 'unknown' }));
  if (verdicts.length > 0) await store.settle(verdicts);
  return { asked: recalls.length, look };
}
