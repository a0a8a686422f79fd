/** Settling a slice: outcomes, retries, the letter to the cell and the end of the page, in one transaction. */
import { notAfter, type SettledSlice, type Settlement } from '../domain/store.ts';
import { classOf } from '../domain/results.ts';
import { putCellLetter } from './cells.ts';
import type { Database, Sql } from './database.ts';
import { markAddresses } from './receipts.ts';

/** See `PageStore.settle`. A slice that was settled before is left as it is. */
export async function settleSlice(database: Database, sent: SettledSlice): Promise<void> {
  const { page, first } = sent;
  await database.transaction(async (sql) => {
    // Two slices of a page settled at once would each not see the other, and the page would never end.
    await sql.query(
      'select from pages where id = $1 for no key update',
      [page.pageId],
      'lock-page-to-settle',
    );
    const [mine] = await sql.query<{ now: number }>(
      `update claims set settled_at = clock_timestamp() where page_id = $1 and first = $2 and settled_at is null
       returning ceil(extract(epoch from settled_at) * 1000)::float8 as now`,
      [page.pageId, first],
      'settle-claim',
    );
    if (!mine) return;
    const slice = notAfter(sent, mine.now);
    await insertOutcomes(sql, slice);
    await insertRetries(sql, slice);
    await settleKeys(sql, slice);
    await markFaultyAddresses(sql, slice);
    const ended = await endPage(sql, slice.page.pageId);
    const { handedOff, exhausted } = slice.letter;
    if (ended || handedOff.length > 0 || exhausted.length > 0)
      await putCellLetter(sql, slice.page.cellId, slice.letter);
  });
}

/**
 * Ends the page with its last slice. The cell always hears of it by a letter, so that nothing but the ringer has to wake it: woken
 * by each page, a city under load took three steps where one would do.
 */
async function endPage(sql: Sql, pageId: number): Promise<boolean> {
  const ended = await sql.query(
    `update pages set ended_at = clock_timestamp() where id = $1 and size = (
       select coalesce(sum(size), 0) from claims where page_id = $1 and settled_at is not null)
     returning id`,
    [pageId],
    'end-page',
  );
  return ended.length > 0;
}

async function insertOutcomes(sql: Sql, slice: SettledSlice): Promise<void> {
  const { page, settlements } = slice;
  const column = <T>(pick: (settlement: Settlement) => T) => settlements.map(pick);
  await sql.query(
    `insert into deliveries (id, attempt, page_id, warning_id, cell_id, unit_id, recipient_id, audience, purpose, step,
       channel, outcome, reason, provider_id, sender, possible_duplicate, at)
     select d.id, d.attempt, $1, $2, $3, d.unit_id, d.recipient_id, $4, $5, $6, $7, d.outcome, d.reason, d.provider_id,
       d.sender, d.possible_duplicate, d.at
     from unnest($8::bigint[], $9::smallint[], $10::int[], $11::bigint[], $12::text[], $13::text[], $14::text[],
       $15::text[], $16::boolean[], $17::timestamptz[])
       as d (id, attempt, unit_id, recipient_id, outcome, reason, provider_id, sender, possible_duplicate, at)
     -- A receipt and a lease that ran out may each have asked for the same attempt: the first to be settled stands.
     on conflict (id, attempt) do nothing`,
    [
      page.pageId,
      page.warningId,
      page.cellId,
      page.audience,
      page.purpose,
      page.step,
      page.channel,
      column((settlement) => settlement.deliveryId),
      column((settlement) => settlement.attempt),
      column((settlement) => settlement.unitId),
      column((settlement) => settlement.recipientId),
      column((settlement) => settlement.outcome),
      column((settlement) => settlement.reason),
      column((settlement) => settlement.providerId),
      column((settlement) => settlement.sender),
      column((settlement) => settlement.possibleDuplicate),
      column((settlement) => new Date(settlement.at).toISOString()),
    ],
    'insert-outcomes',
  );
}

async function insertRetries(sql: Sql, slice: SettledSlice): Promise<void> {
  const again = slice.settlements.filter((settlement) => settlement.retryAfterMs !== null);
  if (again.length === 0) return;
  await sql.query(
    `insert into retries (delivery_id, attempt, cell_id, page_id, unit_id, recipient_id, due_at)
     select r.delivery_id, r.attempt, $1, $2, r.unit_id, r.recipient_id,
       clock_timestamp() + r.after_ms * interval '1 millisecond'
     from unnest($3::bigint[], $4::smallint[], $5::int[], $6::bigint[], $7::int[])
       as r (delivery_id, attempt, unit_id, recipient_id, after_ms)
     -- A receipt may have asked for the same attempt before this slice was settled.
     on conflict do nothing`,
    [
      slice.page.cellId,
      slice.page.pageId,
      again.map((settlement) => settlement.deliveryId),
      again.map((settlement) => settlement.attempt + 1),
      again.map((settlement) => settlement.unitId),
      again.map((settlement) => settlement.recipientId),
      again.map((settlement) => settlement.retryAfterMs),
    ],
    'insert-retries',
  );
  // The cell must look at its clock anew: the retry may be due before anything else.
  await sql.query(
    `update cells set next_deadline = least(next_deadline, clock_timestamp() + $2 * interval '1 millisecond')
     where id = $1`,
    [slice.page.cellId, Math.min(...again.map((settlement) => settlement.retryAfterMs ?? 0))],
    'hasten-cell',
  );
}

/** What a provider says at once of an address is kept as what it says later by a receipt. */
async function markFaultyAddresses(sql: Sql, { page, settlements }: SettledSlice): Promise<void> {
  const { audience, channel } = page;
  const marks = settlements.flatMap(({ reason, recipientId }) => {
    const fault = classOf(reason ?? '')?.address;
    return fault ? [{ place: { audience, channel, recipientId }, fault }] : [];
  });
  if (marks.length > 0) await markAddresses(sql, marks);
}

/**
 * Tells the person's other deliveries of the same rung what became of this one, once it is certain. One that was dropped after
 * an attempt that may have arrived keeps its key: freed, another unit's delivery would tell the person again, unflagged.
 */
async function settleKeys(sql: Sql, slice: SettledSlice): Promise<void> {
  const certain = slice.settlements.filter(
    (settlement) => settlement.keyed && settlement.retryAfterMs === null && settlement.outcome !== 'merged',
  );
  if (certain.length === 0) return;
  const { page } = slice;
  await sql.query(
    `update message_keys k set outcome = s.outcome, at = s.at
     from unnest($6::bigint[], $7::bigint[], $8::text[], $9::timestamptz[]) as s (person_id, delivery_id, outcome, at)
     where k.warning_id = $1 and k.revision = $2 and k.purpose = $3 and k.step = $4 and k.channel = $5
       -- Both, so that the whole key is looked up: with the join alone each slice read every key of the rung (3.3 ms).
       and k.person_id = any($6::bigint[]) and k.person_id = s.person_id and k.delivery_id = s.delivery_id`,
    [
      page.warningId,
      page.revision,
      page.purpose,
      page.step,
      page.channel,
      certain.map((settlement) => settlement.recipientId),
      certain.map((settlement) => settlement.deliveryId),
      certain.map(({ outcome, possibleDuplicate }) =>
        outcome === 'dropped' && possibleDuplicate ? 'unknown' : outcome,
      ),
      certain.map((settlement) => new Date(settlement.at).toISOString()),
    ],
    'settle-keys',
  );
}
