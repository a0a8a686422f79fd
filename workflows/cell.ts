/**
 * One cell as a workflow: Temporal keeps the loop of cell-loop.ts alive across any crash, wakes it, times it and gives its
 * pages to workers. Ids are all it knows; no name, number or address ever comes here.
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
import type { LevelId } from '../domain/levels.ts';
import type { OpenPage } from '../domain/store.ts';
import { CellLoop, laneOf, type CellStatus, type Lane } from './cell-loop.ts';

export type CellInput = {
  cellId: number;
  /** Of the warning; left out by earlier releases. */
  level?: LevelId;
  /** Task queues of pages by channel: exercises and actual warnings never share one, nor do officials and households. */
  pageQueues: Record<Lane, Record<string, string>>;
};

export const doorbell = defineSignal('doorbell');
export const status = defineQuery<CellStatus>('status');

const { step } = proxyLocalActivities<StepActivities>({
  startToCloseTimeout: '20 seconds',
  // PostgreSQL away: try on, calmly; every other failure is tried on too, because a cell must not stop.
  retry: { initialInterval: '100 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
  localRetryThreshold: '10 seconds',
});

export async function cell(input: CellInput): Promise<void> {
  const queueOf = (page: OpenPage) => input.pageQueues[laneOf(page)][page.channel];
  const loop = new CellLoop({
    step: ({ withCounts }) => step({ cellId: input.cellId, withCounts }),
    serves: (page) => queueOf(page) !== undefined,
    sendPage: (page) => pageSender(queueOf(page) ?? '', page, input.level)({ pageId: page.pageId }),
    sleep: (ms) => sleep(ms),
    waitUntil: async (holds, ms) => void (await condition(holds, ms)),
    now: () => Date.now(),
    shouldLeave: () => workflowInfo().continueAsNewSuggested,
    show: (current) => setCurrentDetails(detailsOf(current)),
  });
  setHandler(doorbell, () => loop.ring());
  setHandler(status, () => loop.status);
  if ((await loop.run()) === 'closed') return;
  await condition(allHandlersFinished);
  await continueAsNew<typeof cell>(input);
}

/** Red goes before blue wherever pages wait in one queue; 3 is Temporal's own middle. */
const PRIORITY: Record<LevelId, number> = { red: 1, orange: 2, yellow: 4, blue: 5 };

function pageSender(taskQueue: string, page: OpenPage, level: LevelId | undefined) {
  return proxyActivities<PageActivities>({
    taskQueue,
    summary: `${page.purpose} ${page.step}: ${page.size} by ${page.channel}`,
    startToCloseTimeout: '60 seconds',
    priority: { priorityKey: level === undefined ? 3 : PRIORITY[level] },
    // Short, because it decides how long a crash stalls the page.
    heartbeatTimeout: '4 seconds',
    retry: { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' },
  }).sendPage;
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
