/**
 * What a database that was restored from a backup must be told before anybody works on it. What was sent, and which ids were
 * given, between the backup and the loss stands nowhere any more; so all that was open is taken for what a dead worker had in
 * its hands, and ids go on where the lost ones cannot have reached.
 */
import type { Sql } from './database.ts';

/** Ids that the lost time may have used up, by far: a link must never come to belong to somebody else. */
const IDS_SKIPPED = { pages: 1_000_000, warnings: 100 } as const;

/**
 * Gives the database a new incarnation and returns it: seconds since 2020, so that two restores of one backup differ. It is part
 * of workflow ids.
 */
export async function renewIncarnation(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ incarnation: number }>(
    `update installation set incarnation =
       greatest(incarnation + 1, floor(extract(epoch from clock_timestamp() - timestamptz '2020-01-01Z'))::int)
     returning incarnation`,
  );
  return row?.incarnation ?? 0;
}

/**
 * Claims whatever is left of the open pages, with leases that have run out, and ends the leases that run. The next worker finds
 * dead slices: their outcomes are unknown, and what is sent again is flagged. Gives back how many deliveries that are.
 */
export async function abandonOpenPages(sql: Sql): Promise<number> {
  await sql.query(
    `update claims set lease_until = clock_timestamp() where settled_at is null and lease_until > clock_timestamp()`,
  );
  await sql.query(
    `insert into claims (page_id, first, size, lease_until)
     select p.id, t.next, p.size - t.next, clock_timestamp()
     from pages p, lateral (
       select coalesce(max(k.first + k.size), 0)::int as next from claims k where k.page_id = p.id) t
     where p.ended_at is null and t.next < p.size`,
  );
  const [row] = await sql.query<{ abandoned: number }>(
    'select coalesce(sum(size), 0)::int as abandoned from claims where settled_at is null',
  );
  return row?.abandoned ?? 0;
}

/** The attempts that have become due since the backup may have been made: each counts as one of unknown outcome. */
export async function abandonDueRetries(sql: Sql): Promise<number> {
  const rows = await sql.query(
    `with due as (
       update retries set attempt = attempt + 1 where due_at <= clock_timestamp() returning *)
     insert into deliveries (id, attempt, page_id, warning_id, cell_id, unit_id, recipient_id, audience, purpose, step, channel,
       outcome, reason, at)
     select d.delivery_id, d.attempt - 1, p.id, p.warning_id, p.cell_id, d.unit_id, d.recipient_id, p.audience, p.purpose, p.step,
       p.channel, 'unknown', 'lease-ran-out', clock_timestamp()
     from due d join pages p on p.id = d.page_id returning id`,
  );
  return rows.length;
}

/** Passes over the ids that the lost time may have given to messages and warnings. */
export async function skipLostIds(sql: Sql): Promise<void> {
  for (const [table, skipped] of Object.entries(IDS_SKIPPED)) {
    await sql.query(
      `select setval(pg_get_serial_sequence($1, 'id'), nextval(pg_get_serial_sequence($1, 'id')) + $2)`,
      [table, skipped],
    );
  }
}

/** Lets every open cell be rung at once. Gives back of how many warnings they are. */
export async function ringOpenCells(sql: Sql): Promise<number> {
  const rows = await sql.query<{ warning_id: number }>(
    `update cells set rung_at = null, ring_after = null, stepped_at = null where status = 'open' returning warning_id`,
  );
  return new Set(rows.map((row) => row.warning_id)).size;
}
