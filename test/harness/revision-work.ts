/** What workers do with a chain: a step of one of its cells, one of its pages, or neither, because they die. */
import { sendPage } from '../../activities/send-page.ts';
import { stepCell } from '../../activities/step.ts';
import type { Database } from '../../db/database.ts';
import { createPageStore } from '../../db/page-store.ts';
import { createStepStore } from '../../db/step-store.ts';
import type { ChannelPort } from '../../domain/ports.ts';
import type { PageStore } from '../../domain/store.ts';
import { makeDeadlinesDue, runUntilQuiet, TEST_KEYS } from './local-cascade.ts';
import type { Draws, Heard } from './revision-facts.ts';

export type Working = {
  database: Database;
  draws: Draws;
  channels: ChannelPort[];
  warningIds: readonly number[];
};

/** What tells of others. */
export const REPORTS: readonly string[] = ['digest', 'end report', 'bridge notice', 'door to door'];
/** Members of a slice: pages of the small tree would be one slice, and nothing could come between. */
const SLICE = 2;
const LEASE_MS = 60_000;
/** More than any ladder has rungs, or a delivery has attempts. */
const ROUNDS_MOST = 16;

export async function stepOne({ database, draws, warningIds }: Working): Promise<void> {
  const cells = await database.query<{ id: number }>(
    'select id from cells where warning_id = any($1) order by id',
    [warningIds],
  );
  const input = { cellId: draws.any(cells).id, withCounts: true, serves: 'exercise' } as const;
  await stepCell(createStepStore(database), input);
}

/** False where no page was open. */
export async function sendOne(working: Working): Promise<boolean> {
  const page = await openPage(working);
  if (!page) return false;
  const channel = working.channels.find((one) => one.channel === page.channel);
  if (!channel) throw new RangeError(`no ${page.channel} here`);
  await sendPage(
    {
      ...{ store: inSlices(createPageStore(working.database)), serves: 'exercise', channel, keys: TEST_KEYS },
      publicUrl: 'http://answers.example',
      monotonic: () => performance.now(),
      pause: () => Promise.resolve(),
    },
    page.id,
  );
  return true;
}

/** A worker takes a slice and is never heard of again; gives back what it may have sent. `ends`: also of an end. */
export async function dieOne(working: Working, ends: boolean): Promise<Heard[]> {
  const page = await openPage(working);
  if (!page || (!ends && page.purpose === 'cancel notice')) return [];
  const claimed = await createPageStore(working.database).claim(page.id, {
    ...{ serves: 'exercise', most: SLICE, leaseMs: LEASE_MS, closedForMs: 0 },
  });
  if (claimed.kind !== 'slice') return [];
  const { warningId, purpose } = claimed.slice.page;
  const about = { warningId, over: purpose === 'cancel notice', own: !REPORTS.includes(purpose) };
  return claimed.slice.deliveries.flatMap(({ deliveryId, address, drop }): Heard[] =>
    address === null
      ? []
      : [
          {
            ...about,
            ...{ address, deliveryId: String(deliveryId), maybe: drop === null ? 'sent' : 'dropped' },
          },
        ],
  );
}

/** Leases of the dead have run out, and nobody waits for them any more. Not while a living one sends. */
export async function lapse({ database, warningIds }: Working): Promise<void> {
  await database.query(
    `update claims k set lease_until = clock_timestamp() - interval '1 minute' from pages p
     where p.id = k.page_id and p.warning_id = any($1) and k.settled_at is null`,
    [warningIds],
  );
}

/** Goes on until nothing is left to do now, nor would be later; false where there is no end of it. */
export async function settle(working: Working): Promise<boolean> {
  const { database, channels, warningIds } = working;
  for (let round = 0; round < ROUNDS_MOST; round += 1) {
    await lapse(working);
    for (const id of warningIds) await runUntilQuiet(database, id, channels);
    const left = await database.query(
      `select from retries r join cells c on c.id = r.cell_id where c.warning_id = any($1)
       union all select from unit_states where warning_id = any($1) and next_at is not null`,
      [warningIds],
    );
    if (left.length === 0) return true;
    for (const id of warningIds) await makeDeadlinesDue(database, id);
  }
  return false;
}

async function openPage({ database, draws, warningIds }: Working) {
  const pages = await database.query<{ id: number; channel: string; purpose: string }>(
    'select id, channel, purpose from pages where warning_id = any($1) and ended_at is null order by id',
    [warningIds],
  );
  return pages.length > 0 ? draws.any(pages) : null;
}

const inSlices = (store: PageStore): PageStore => ({
  ...store,
  claim: (pageId, input) => store.claim(pageId, { ...input, most: SLICE }),
});
