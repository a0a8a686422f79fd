/** Rounds of recalls beside the sending, in every worker that has a sender which can take messages back. */
import { setTimeout as wait } from 'node:timers/promises';
import { FROM_THE_BEGINNING, recallSome, type Recaller } from '../activities/recall.ts';
import type { RecallStore } from '../domain/store.ts';

/** A provider's queue that is worth recalling from is longer than this. */
const EVERY_MS = 1_000;

/** Begins at once, with all that is open: what a dead worker has left is found again. */
export function startRecaller(input: { store: RecallStore; senders: readonly Recaller[] }): {
  stop(): Promise<void>;
} {
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = (async () => {
    for (let look = FROM_THE_BEGINNING; !signal.aborted;) {
      let asked = 0;
      try {
        ({ asked, look } = await recallSome(input, look));
      } catch {
        // PostgreSQL is away; what is to be recalled is found again.
      }
      if (asked === 0) await wait(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  })();
  return {
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}
