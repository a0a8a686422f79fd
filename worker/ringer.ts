/**
 * The ringer is outbox, doorbell and recovery in one: a few times a second every worker looks which cells have mail, are
 * overdue or have not been stepped for long, and wakes their workflow, starting it where it is not there. A warning that was
 * accepted while Temporal was away starts when it returns; an open cell without a workflow is revived.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { ringableCells, type RingableCell } from '../db/ringing.ts';
import { isUnreachable, type Database } from '../db/database.ts';
import type { WarningKind } from '../domain/kinds.ts';
import { cell, doorbell } from '../workflows/cell.ts';
import { queuesOf } from './queues.ts';

const LOOK_EVERY_MS = 100;
/**
 * So at most 20 rings a second: each is a workflow task and a step, whose fixed cost is the same for one letter as for a
 * thousand. A city of 39 cells under a flood of answers has each stepped every two seconds; what stops a send is read from
 * the facts themselves and does not wait for a step, and deadlines wake their cell without a ring.
 */
const CELLS_MOST = 2;

/**
 * Who has lost its workflows replays them, all at once. An event takes 0.4 ms, so a run of 4,128 takes 1.7 s alone, and the 39 of a city
 * at 2,000 events each took more than the five seconds that Temporal waits for a task: each was begun again and again, and nothing was
 * sent any more (docs/adr/0035).
 */
const EVENTS_MOST = 500;

export type Ringer = { stop(): Promise<void> };

/** Rings until stopped. Faults are logged once per kind and minute; nothing that fails here is lost. */
export function startRinger(input: {
  database: Database;
  client: Client;
  kind: WarningKind;
  log: (line: string) => void;
}): Ringer {
  const stopping = new AbortController();
  const done = ringUntil(stopping.signal, input);
  return {
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}

async function ringUntil(signal: AbortSignal, input: Parameters<typeof startRinger>[0]): Promise<void> {
  const quietly = complainSeldom(input.log);
  while (!signal.aborted) {
    try {
      const cells = await ringableCells(input.database, { kind: input.kind, most: CELLS_MOST });
      await Promise.all(cells.map((cellToRing) => ring(input, cellToRing).catch(quietly)));
    } catch (error) {
      quietly(error);
    }
    await wait(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function ring(input: Parameters<typeof startRinger>[0], target: RingableCell): Promise<void> {
  const queues = queuesOf(input.database.schema, input.kind);
  await input.client.workflow.signalWithStart(cell, {
    workflowId: `${input.database.schema}-${input.kind}-w${target.warningId}-c${target.cellId}-i${target.incarnation}`,
    taskQueue: queues.cells,
    args: [{ cellId: target.cellId, level: target.level, eventsMost: EVENTS_MOST, pageQueues: queues.pages }],
    signal: doorbell,
    signalArgs: [],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    // A step that a killed worker was in holds its cell back for this long; longer steps are extended by the SDK.
    workflowTaskTimeout: '5 seconds',
    searchAttributes: {
      FenghuoWarning: [`W${target.warningId}`],
      FenghuoLevel: [target.level],
      FenghuoKind: [input.kind],
      FenghuoDivision: [target.code ?? ''],
    },
    staticSummary: `W${target.warningId} ${target.hazard} ${target.level}: ${target.unitName}`,
  });
}

/** Logs a fault once a minute for each kind: a server that is away for an hour fills no log. */
function complainSeldom(log: (line: string) => void): (error: unknown) => void {
  const said = new Map<string, number>();
  return (error) => {
    const sentence = isUnreachable(error)
      ? 'The ringer cannot reach PostgreSQL; it goes on trying.'
      : `The ringer cannot reach Temporal (${error instanceof Error ? error.name : 'unknown fault'}); it goes on trying.`;
    const now = Date.now();
    if (now - (said.get(sentence) ?? 0) < 60_000) return;
    said.set(sentence, now);
    log(sentence);
  };
}
