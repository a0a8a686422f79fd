/**
 * Runs a warning over real PostgreSQL without Temporal: the same step and send-page code, in a plain loop. For tests of what
 * happens between the two; whether Temporal drives them is the end-to-end tests' matter.
 */
import { sendPage } from '../../activities/send-page.ts';
import { stepCell } from '../../activities/step.ts';
import type { Database } from '../../db/database.ts';
import { createPageStore } from '../../db/page-store.ts';
import { createStepStore } from '../../db/step-store.ts';
import type { AnswerKeys } from '../../domain/links.ts';
import type { ChannelPort, OutgoingMessage, SendResult } from '../../domain/ports.ts';
import type { Channel } from '../../domain/rules.ts';
import type { PageStore } from '../../domain/store.ts';
import type { Timers } from '../../domain/unit.ts';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';

export const TEST_KEYS: AnswerKeys = [{ id: '1', secret: 'a secret of the tests, of no use elsewhere' }];

/** A channel that keeps what it was given; the far side's ledger of these tests. */
export type RecordingChannel = ChannelPort & { messages: OutgoingMessage[] };

export function recordingChannel(
  channel: Channel,
  respond: (message: OutgoingMessage) => SendResult | Promise<SendResult> = () => ({
    outcome: 'handed off',
    providerId: 'p',
  }),
): RecordingChannel {
  const messages: OutgoingMessage[] = [];
  return {
    channel,
    live: false,
    concurrency: 8,
    messageTimeoutMs: 1_000,
    messages,
    async send(message) {
      messages.push(message);
      return respond(message);
    },
    close: async () => undefined,
  };
}

/** Steps every cell of a warning and sends its pages until nothing is left to do at this moment. */
export async function runUntilQuiet(
  database: Database,
  warningId: number,
  channels: ChannelPort[],
  /** Breaks the store on purpose. */
  wrap: (store: PageStore) => PageStore = (store) => store,
): Promise<void> {
  const steps = createStepStore(database);
  const pages = wrap(createPageStore(database));
  for (let busy = true; busy;) {
    busy = false;
    const cells = await database.query<{ id: number }>(
      'select id from cells where warning_id = $1 order by id',
      [warningId],
    );
    for (const { id } of cells) {
      const result = await stepCell(steps, { cellId: id, withCounts: true, serves: 'exercise' });
      if (result.took > 0 || result.more) busy = true;
      for (const page of result.openPages) {
        const channel = channels.find((candidate) => candidate.channel === page.channel);
        if (!channel) throw new RangeError(`no ${page.channel} in this test`);
        const sent = await sendPage(
          {
            store: pages,
            serves: 'exercise',
            channel,
            keys: TEST_KEYS,
            publicUrl: 'http://answers.example',
            monotonic: () => performance.now(),
            pause: (ms) => wait(ms),
          },
          page.pageId,
        );
        if (sent.ended || sent.againInMs === 0) busy = true;
      }
    }
  }
}

/** Moves timers of a warning into the past, all or those named, so that the next step finds them due: no test sleeps. */
export async function makeDeadlinesDue(
  database: Database,
  warningId: number,
  only?: (keyof Timers)[],
): Promise<void> {
  await database.query(
    `update unit_states set next_at = clock_timestamp() - interval '1 millisecond',
       state = (select jsonb_set(state::jsonb, '{timers}', (
         select jsonb_object_agg(key, case when value = 'null' or not ($2::text[] is null or key = any($2)) then value
           else to_jsonb(floor(extract(epoch from clock_timestamp()) * 1000) - 1) end)
         from jsonb_each(state::jsonb -> 'timers')))::json)
     where warning_id = $1 and next_at is not null`,
    [warningId, only ?? null],
  );
  await database.query(
    `update retries r set due_at = clock_timestamp() - interval '1 millisecond' from cells c
     where c.id = r.cell_id and c.warning_id = $1`,
    [warningId],
  );
}
