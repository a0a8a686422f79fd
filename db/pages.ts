/** Pages: the fixed lists of recipients that steps write. Claiming and settling their slices is in claims.ts. */
import type { Purpose } from '../domain/guard.ts';
import type { Channel } from '../domain/rules.ts';
import { groupPages } from '../domain/pages.ts';
import type { Audience, PlannedPage } from '../domain/store.ts';
import { findToldInCell } from './chains.ts';
import type { Sql } from './database.ts';

export const PAGE_RECIPIENTS_MAX = 1_000;

/** Delivery ids are page id × this + place: no table is needed to know whom a link belongs to. */
export const DELIVERY_ID_STRIDE = 1_024;

/** A delivery's page, and its place there from 1. */
export const pageOf = (deliveryId: number) => Math.floor(deliveryId / DELIVERY_ID_STRIDE);
export const placeOf = (deliveryId: number) => (deliveryId % DELIVERY_ID_STRIDE) + 1;

/** Writes pages, cut to their greatest size. */
export async function writePages(
  sql: Sql,
  cell: { cellId: number; warningId: number; revision: number },
  pages: readonly PlannedPage[],
): Promise<void> {
  for (const page of pages) {
    for (let from = 0; from < page.deliveries.length; from += PAGE_RECIPIENTS_MAX) {
      const part = page.deliveries.slice(from, from + PAGE_RECIPIENTS_MAX);
      const again = part.some((delivery) => delivery.again);
      await sql.query(
        `insert into pages (cell_id, warning_id, revision, purpose, step, channel, audience, size, recipients, unit_ids,
           delivery_ids, attempts)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
        [
          cell.cellId,
          cell.warningId,
          cell.revision,
          page.purpose,
          page.step,
          page.channel,
          page.audience,
          part.length,
          part.map((delivery) => delivery.recipientId),
          part.map((delivery) => delivery.unitId),
          again ? part.map((delivery) => delivery.again?.deliveryId ?? null) : null,
          again ? part.map((delivery) => delivery.again?.attempt ?? 1) : null,
        ],
        'write-page',
      );
    }
  }
}

/** Takes the attempts that are due by `until`, as pages to be written, grouped as they were; null takes all. */
export async function takeRetries(
  sql: Sql,
  cellId: number,
  until: number | null,
  most: number,
): Promise<PlannedPage[]> {
  const rows = await sql.query<{
    delivery_id: number;
    attempt: number;
    unit_id: number;
    recipient_id: number;
    purpose: Purpose;
    step: number;
    channel: Channel;
    audience: Audience;
  }>(
    `with due as (
       delete from retries where (delivery_id, attempt) in (
         select delivery_id, attempt from retries
         where cell_id = $1 and ($2::float8 is null or due_at <= to_timestamp($2::float8 / 1000))
         order by due_at limit $3)
       returning *)
     select d.delivery_id, d.attempt, d.unit_id, d.recipient_id, p.purpose, p.step, p.channel, p.audience
     from due d join pages p on p.id = d.page_id order by d.delivery_id`,
    [cellId, until, most],
    'take-retries',
  );
  return groupPages(
    rows.map((row) => ({
      purpose: row.purpose,
      step: row.step,
      channel: row.channel,
      audience: row.audience,
      delivery: {
        unitId: row.unit_id,
        recipientId: row.recipient_id,
        again: { deliveryId: row.delivery_id, attempt: row.attempt },
      },
    })),
  );
}

/** Those who must hear of the end of the cell's warning; see `StepTransaction.findPossiblyTold`. */
export async function findPossiblyTold(
  sql: Sql,
  cell: { cellId: number; warningId: number },
): Promise<PlannedPage[]> {
  const rows = await findToldInCell(sql, cell);
  return groupPages(
    rows.map((row) => ({
      purpose: 'cancel notice',
      step: 0,
      channel: row.channel,
      audience: row.audience,
      delivery: { unitId: row.unit_id, recipientId: row.recipient_id },
    })),
  );
}
