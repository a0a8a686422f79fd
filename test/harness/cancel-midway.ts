/** A cancel in the middle of a cascade: what still went out after it, whom the correction reached, and how soon. */
import type { Database } from '../../db/database.ts';

/** Slices that were claimed before the cancel could be read may be sent for so long. */
export const LEASED_MS_MAX = 3_000;

export type CancelMeasure = {
  /** Deliveries handed over before the command, and what share of all planned these were. */
  sentBefore: number;
  /** Handed over after the commit, all of slices that were claimed before it, and how long after it the last was. */
  leasedSends: number;
  leasedLastMs: number;
  /** Handed over of slices that were claimed after it: none. */
  sendsAfter: number;
  /** Recipients by channel who were told, or may have been; those who have the correction, or a drop of it with its reason. */
  told: number;
  corrected: number;
  /** Told and without a correction; with a correction and never told. */
  missed: number;
  needless: number;
  /** From the commit to the first and the last correction. */
  firstCorrectionMs: number;
  lastCorrectionMs: number;
};

/** Reads it all from the engine's tables once its cells are closed; `committedAt` is when the cancel had been committed. */
export async function measureCancel(
  database: Database,
  warningId: number,
  committedAt: number,
): Promise<CancelMeasure> {
  const [row] = await database.query<CancelMeasure>(
    `with sent as (
       select d.*, k.claimed_at > to_timestamp($2::float8 / 1000) as claimed_after,
         (extract(epoch from d.at) * 1000)::float8 - $2 as after_ms
       from deliveries d join pages p on p.id = d.page_id
       join claims k on k.page_id = d.page_id
         and coalesce(array_position(p.delivery_ids, d.id) - 1, d.id % 1024) between k.first and k.first + k.size - 1
       where d.warning_id = $1),
     told as (
       select distinct audience, recipient_id, channel from sent
       where purpose <> 'cancel notice' and outcome in ('handed off', 'unknown', 'merged')),
     corrected as (
       select distinct audience, recipient_id, channel from sent where purpose = 'cancel notice' and outcome <> 'dropped')
     select
       (count(*) filter (where purpose <> 'cancel notice' and outcome = 'handed off' and after_ms <= 0))::int as "sentBefore",
       (count(*) filter (where purpose <> 'cancel notice' and outcome = 'handed off' and after_ms > 0 and not claimed_after))::int
         as "leasedSends",
       coalesce(max(after_ms) filter (where purpose <> 'cancel notice' and outcome = 'handed off' and after_ms > 0), 0)::float8
         as "leasedLastMs",
       (count(*) filter (where purpose <> 'cancel notice' and outcome = 'handed off' and claimed_after))::int as "sendsAfter",
       (select count(*) from told)::int as told, (select count(*) from corrected)::int as corrected,
       (select count(*) from told t left join corrected c using (audience, recipient_id, channel) where c.channel is null)::int
         as missed,
       (select count(*) from corrected c left join told t using (audience, recipient_id, channel) where t.channel is null)::int
         as needless,
       coalesce(min(after_ms) filter (where purpose = 'cancel notice' and outcome = 'handed off'), -1)::float8
         as "firstCorrectionMs",
       coalesce(max(after_ms) filter (where purpose = 'cancel notice' and outcome = 'handed off'), -1)::float8
         as "lastCorrectionMs"
     from sent`,
    [warningId, committedAt],
  );
  if (!row) throw new RangeError(`nothing is known of W${warningId}`);
  return row;
}
