/**
 * The durable loop of one cell: step, run the pages that are open, wait for a doorbell, a deadline or a page's end.
 *
 * It holds nothing that matters: every fact is PostgreSQL's, so losing this workflow, running it twice or continuing it as
 * new changes no path of any unit. Its ids are all it knows; no name, number or address ever comes here.
 */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { PageActivities, StepActivities } from '../activities/activities.ts';
import type { TierCount } from '../domain/store.ts';

export type CellInput = {
  cellId: number;
  /** Task queues of pages by channel: exercises and actual warnings never share one, nor do officials and households. */
  pageQueues: Record<'officials' | 'households', Record<string, string>>;
};

export type CellStatus = {
  steps: number;
  /** Letters taken in all. */
  took: number;
  openPages: number;
  nextInMs: number | null;
  closed: boolean;
  tiers: TierCount[];
};

/** Mail waits, or something is overdue. */
export const doorbell = defineSignal('doorbell');
export const status = defineQuery<CellStatus>('status');

/** Longest silence before a step looks on its own; the ringer of every worker looks far more often. */
const IDLE_MS = 60_000;
/** The counts per tier cost a query, so they are read at most this often. */
const COUNTS_EVERY_MS = 1_000;
/** Pages of one cell under way at once. */
const PAGES_MOST = 8;

const { step } = proxyLocalActivities<StepActivities>({
  startToCloseTimeout: '20 seconds',
  // PostgreSQL away: try on, calmly; every other failure is tried on too, because a cell must not stop.
  retry: { initialInterval: '100 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
  localRetryThreshold: '10 seconds',
});

export async function cell(input: CellInput): Promise<void> {
  const loop = new CellLoop(input);
  await loop.run();
}

class CellLoop {
  private readonly input: CellInput;
  private rung = false;
  private readonly running = new Set<number>();
  private current: CellStatus = { steps: 0, took: 0, openPages: 0, nextInMs: null, closed: false, tiers: [] };
  private countedAt = 0;

  constructor(input: CellInput) {
    this.input = input;
    setHandler(doorbell, () => {
      this.rung = true;
    });
    setHandler(status, () => this.current);
  }

  async run(): Promise<void> {
    for (;;) {
      this.rung = false;
      const withCounts = Date.now() - this.countedAt >= COUNTS_EVERY_MS;
      const result = await step({ cellId: this.input.cellId, withCounts });
      this.note(result);
      if (result.closed && this.running.size === 0 && !this.rung) return;
      for (const page of result.openPages) this.start(page.pageId, page);
      if (result.more) continue;
      if (workflowInfo().continueAsNewSuggested) await this.continueAnew();
      await condition(() => this.rung, Math.min(result.nextInMs ?? IDLE_MS, IDLE_MS));
    }
  }

  private note(result: Awaited<ReturnType<typeof step>>): void {
    this.current = {
      steps: this.current.steps + 1,
      took: this.current.took + result.took,
      openPages: result.openPages.length,
      nextInMs: result.nextInMs,
      closed: result.closed,
      tiers: result.tiers ?? this.current.tiers,
    };
    if (!result.tiers) return;
    this.countedAt = Date.now();
    setCurrentDetails(detailsOf(this.current));
  }

  /** Runs a page to its end beside the loop; its end rings the bell. */
  private start(
    pageId: number,
    page: { channel: string; size: number; purpose: string; step: number },
  ): void {
    const lane = page.purpose === 'household' ? 'households' : 'officials';
    const queue = this.input.pageQueues[lane][page.channel];
    if (queue === undefined || this.running.has(pageId) || this.running.size >= PAGES_MOST) return;
    this.running.add(pageId);
    void this.sendToEnd(pageId, queue, `${page.purpose} ${page.step}: ${page.size} by ${page.channel}`);
  }

  private async sendToEnd(pageId: number, taskQueue: string, summary: string): Promise<void> {
    const { sendPage } = proxyActivities<PageActivities>({
      taskQueue,
      summary,
      startToCloseTimeout: '60 seconds',
      // Short, because it decides how long a crash stalls the page.
      heartbeatTimeout: '4 seconds',
      retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
    });
    try {
      for (;;) {
        const result = await sendPage({ pageId });
        if (result.ended) return;
        if (result.againInMs > 0) await sleep(result.againInMs);
      }
    } catch {
      // Cancelled from outside: the page stays open, and the next step lists it again.
      await sleep(IDLE_MS);
    } finally {
      this.running.delete(pageId);
      this.rung = true;
    }
  }

  /** Leases make it safe to leave pages behind: the next run finds them open and goes on. */
  private async continueAnew(): Promise<never> {
    await condition(() => this.running.size === 0 && allHandlersFinished(), '10 seconds');
    return continueAsNew<typeof cell>(this.input);
  }
}

/** What an operator reads in Temporal's own UI: a row per tier, counts only. */
function detailsOf(current: CellStatus): string {
  const rows = current.tiers.map(
    ({ tier, units, told, answered, silent }) => `| ${tier} | ${units} | ${told} | ${answered} | ${silent} |`,
  );
  return [
    '| tier | units | told | answered | silent |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `${current.closed ? 'closed' : 'open'}, ${current.openPages} pages under way, ${current.steps} steps, ${current.took} letters`,
  ].join('\n');
}
