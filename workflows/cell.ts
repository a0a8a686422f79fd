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
import { isFirstWord } from '../domain/pages.ts';
import type { OpenPage } from '../domain/store.ts';
import { CellLoop, laneOf, type CellStatus, type Lane } from './cell-loop.ts';

export type CellInput = {
  cellId: number;
  /** Of the warning; left out by earlier releases. */
  level?: LevelId;
  /** A run with more events than this leaves for a new one when no page is under way, and in any case at twice as many; left out by earlier releases. */
  eventsMost?: number;
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
    shouldLeave: (idle) => hasGrown(input.eventsMost ?? Infinity, idle),
    show: (current) => setCurrentDetails(detailsOf(current)),
  });
  setHandler(doorbell, () => loop.ring());
  setHandler(status, () => loop.status);
  if ((await loop.run()) === 'closed') return;
  await condition(allHandlersFinished);
  await continueAsNew<typeof cell>(input);
}

function hasGrown(eventsMost: number, idle: boolean): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > (idle ? eventsMost : 2 * eventsMost);
}

/** Red goes before blue wherever pages wait in one queue, and a first word before reminders of its level, beside those of the level above. */
const PRIORITY: Record<LevelId, number> = { red: 1, orange: 2, yellow: 3, blue: 4 };

/** 1 to 5, the range that Temporal has; 3 is its own middle. */
function priorityOf(page: OpenPage, level: LevelId | undefined): number {
  return level === undefined ? 3 : PRIORITY[level] + (isFirstWord(page) ? 0 : 1);
}

function pageSender(taskQueue: string, page: OpenPage, level: LevelId | undefined) {
  return proxyActivities<PageActivities>({
    taskQueue,
    summary: `${page.purpose} ${page.step}: ${page.size} by ${page.channel}`,
    startToCloseTimeout: '60 seconds',
    priority: { priorityKey: priorityOf(page, level) },
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
