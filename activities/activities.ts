/** The activities by name, as the workflows see them: thin shells with a heartbeat around `step` and `send page`. */
import { Context } from '@temporalio/activity';
import type { StepStore } from '../domain/store.ts';
import type { Proved } from './prove.ts';
import type { SendPageResult } from './send-page.ts';
import { stepCell, type StepResult } from './step.ts';

const HEARTBEAT_MS = 1_000;

/** `step` runs beside the workflow, as a local activity. */
export function createStepActivities(dependencies: { store: StepStore }) {
  return {
    step: (input: { cellId: number; withCounts: boolean }): Promise<StepResult> =>
      stepCell(dependencies.store, input),
  };
}

/** `sendPage` runs on the task queue of its channel; `send` makes one attempt at a page. */
export function createPageActivities(dependencies: { send: (pageId: number) => Promise<SendPageResult> }) {
  return {
    async sendPage(input: { pageId: number }): Promise<SendPageResult> {
      return beating(() => dependencies.send(input.pageId));
    },
  };
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

export type ProveActivities = ReturnType<typeof createProveActivities>;
export type StepActivities = ReturnType<typeof createStepActivities>;
export type PageActivities = ReturnType<typeof createPageActivities>;
