/** The activities by name, as the workflows see them: thin shells with a heartbeat around `step` and `send page`. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import type { WarningKind } from '../domain/kinds.ts';
import type { StepStore } from '../domain/store.ts';
import type { Proved } from './prove.ts';
import type { SendPageResult } from './send-page.ts';
import { stepCell, type StepResult } from './step.ts';

const HEARTBEAT_MS = 1_000;

/** `step` runs beside the workflow, as a local activity. */
export function createStepActivities(dependencies: { store: StepStore; serves: WarningKind }) {
  const { store, serves } = dependencies;
  return {
    step: async (input: { cellId: number; withCounts: boolean }): Promise<StepResult> =>
      refusing(await stepCell(store, { ...input, serves }), serves),
  };
}

/** `sendPage` runs on the task queue of its channel; `send` makes one attempt at a page. */
export function createPageActivities(dependencies: {
  send: (pageId: number) => Promise<SendPageResult>;
  serves: WarningKind;
}) {
  const { send, serves } = dependencies;
  return {
    async sendPage(input: { pageId: number }): Promise<SendPageResult> {
      return refusing(await beating(() => send(input.pageId)), serves);
    },
  };
}

/** What came to a worker of the other kind fails for good: tried again, it would be refused again. */
function refusing<Result extends { misdirected?: true }>(result: Result, serves: WarningKind): Result {
  if (result.misdirected)
    throw ApplicationFailure.nonRetryable(`this worker serves ${serves} warnings only`, 'Misdirected');
  return result;
}

/** `prove` asks after some addresses that nobody has proven for long. */
export function createProveActivities(dependencies: {
  prove: (input: { olderThanMs: number }) => Promise<Proved>;
}) {
  return {
    async prove(input: { olderThanMs: number }): Promise<Proved> {
      return beating(() => dependencies.prove(input));
    },
  };
}

/** `wishDrill` asks for the drill of one time of a schedule, once however often it runs. */
export function createDrillActivities(dependencies: {
  wish: (input: { scheduleId: number; dueAt: number }) => Promise<unknown>;
}) {
  return {
    async wishDrill(input: { scheduleId: number; dueAt: number }): Promise<void> {
      await dependencies.wish(input);
    },
  };
}

/** Works with a heartbeat by a timer, not by progress: the truth is in PostgreSQL, this only says that the process lives. */
async function beating<T>(work: () => Promise<T>): Promise<T> {
  const { heartbeat } = Context.current();
  const beat = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
  }
}

export type DrillActivities = ReturnType<typeof createDrillActivities>;
export type ProveActivities = ReturnType<typeof createProveActivities>;
export type StepActivities = ReturnType<typeof createStepActivities>;
export type PageActivities = ReturnType<typeof createPageActivities>;
