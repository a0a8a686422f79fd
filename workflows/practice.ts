/**
 * Practice: what a schedule does while no warning runs. For now, asking which addresses still work, so that a dead number is
 * found on a quiet Tuesday and not in the night.
 */
import { continueAsNew, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { ProveActivities } from '../activities/activities.ts';
import type { Proved } from '../activities/prove.ts';

export type PracticeInput = {
  /** Addresses proven within this time are left alone. */
  olderThanMs: number;
  /** What was found so far, where a long run goes on. */
  sofar?: Proved;
};

const { prove } = proxyActivities<ProveActivities>({
  startToCloseTimeout: '5 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' },
});

/** Asks until nothing is left to ask; gives how many were asked, and what was found. */
export async function practice({ olderThanMs, sofar }: PracticeInput): Promise<Proved> {
  const sum = sofar ?? { asked: 0, reachable: 0, unreachable: 0 };
  for (;;) {
    const some = await prove({ olderThanMs });
    if (some.asked === 0) return sum;
    sum.asked += some.asked;
    sum.reachable += some.reachable;
    sum.unreachable += some.unreachable;
    if (workflowInfo().continueAsNewSuggested)
      return continueAsNew<typeof practice>({ olderThanMs, sofar: sum });
  }
}
