/** Which of the pages that wait for one sender goes first, on the real server: the priorities are Temporal's, and so is the queue. */
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Purpose } from '../domain/guard.ts';
import type { LevelId } from '../domain/levels.ts';
import type { OpenPage } from '../domain/store.ts';
import { waitUntil } from '../runtime/processes.ts';
import { workflowBundle } from '../worker/worker.ts';
import { cell } from '../workflows/cell.ts';

const QUEUES = { cells: 'page-order-cells', pages: 'page-order-pages' };
const address = process.env['TEMPORAL_ADDRESS'] ?? '';
const namespace = process.env['TEMPORAL_NAMESPACE'] ?? '';

let client: Client;
let connection: NativeConnection;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  client = new Client({ connection: await Connection.connect({ address }), namespace });
  connection = await NativeConnection.connect({ address });
});
afterAll(async () => {
  await connection.close();
  await client.connection.close();
});

/** Cells whose only step opens these pages, before anybody sends one; gives the order in which one sender then gets them. */
async function orderOf(cells: readonly { level: LevelId; pages: readonly OpenPage[] }[]): Promise<number[]> {
  const steps = await Worker.create({
    ...{ connection, namespace, taskQueue: QUEUES.cells, workflowBundle: await workflowBundle() },
    activities: {
      step: ({ cellId }: { cellId: number }) => {
        const openPages = cells[cellId]?.pages ?? [];
        return { known: true, closed: false, more: false, nextInMs: null, openPages, took: 1, tiers: null };
      },
    },
  });
  const sent: number[] = [];
  const sender = () =>
    Worker.create({
      ...{ connection, namespace, taskQueue: QUEUES.pages, maxConcurrentActivityTaskExecutions: 1 },
      activities: {
        sendPage: ({ pageId }: { pageId: number }) => {
          sent.push(pageId);
          return { ended: true, againInMs: 0 };
        },
      },
    });
  const lane = { sms: QUEUES.pages };
  return steps.runUntil(async () => {
    const handles = [];
    for (const [cellId, { level, pages }] of cells.entries()) {
      const handle = await client.workflow.start(cell, {
        workflowId: `page-order-${cellId}-${Date.now()}`,
        taskQueue: QUEUES.cells,
        args: [{ cellId, level, pageQueues: { officials: lane, households: lane } }],
      });
      handles.push(handle);
      await waitUntil(
        async () => ((await handle.describe()).raw.pendingActivities?.length ?? 0) === pages.length,
        { deadlineMs: 20_000, what: 'the pages to wait' },
      );
    }
    const all = cells.flatMap(({ pages }) => pages).length;
    await (
      await sender()
    ).runUntil(waitUntil(() => sent.length === all, { deadlineMs: 20_000, what: 'the pages to be sent' }));
    for (const handle of handles) await handle.terminate();
    return sent;
  });
}

let pageId = 0;
const page = (purpose: Purpose, step = 0): OpenPage => ({
  ...{ pageId: (pageId += 1), channel: 'sms', size: 1, purpose, step },
});

it('red goes before blue, and a first word before reminders of its level, whichever was there first', async () => {
  const blue = [page('digest'), page('rung'), page('rung')];
  const orange = [page('rung', 2), page('rung')];
  const red = [page('rung', 1), page('end report'), page('cancel notice'), page('rung'), page('household')];
  const order = await orderOf([
    { level: 'blue', pages: blue },
    { level: 'orange', pages: orange },
    { level: 'red', pages: red },
  ]);
  const ids = (pages: readonly (OpenPage | undefined)[]) => pages.map((one) => one?.pageId).sort();
  expect(order.slice(0, 3).sort()).toEqual(ids(red.slice(2)));
  // Reminders of red stand beside the first words of orange.
  expect(order.slice(3, 6).sort()).toEqual(ids([red[0], red[1], orange[1]]));
  // Within one priority the server promises no order.
  expect(order[6]).toBe(orange[0]?.pageId);
  expect(order.slice(7, 9).sort()).toEqual(ids(blue.slice(1)));
  expect(order.slice(9)).toEqual(ids(blue.slice(0, 1)));
});

it('many reminders of a cell keep no first word of it from being under way', async () => {
  const reminders = Array.from({ length: 8 }, () => page('rung', 1));
  const first = page('rung');
  const order = await orderOf([{ level: 'red', pages: [...reminders, first] }]);
  expect(order[0]).toBe(first.pageId);
});
