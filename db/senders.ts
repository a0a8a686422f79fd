/**
 * Senders over all workers: the rate of each as one row by GCRA (the generic cell rate algorithm: the row holds the moment at
 * which the next message may leave), and its circuit. Each statement is a commit of its own, so that nobody waits for a lock
 * longer than that.
 */
import type { Channel } from '../domain/rules.ts';
import type { Sql } from './database.ts';

export type RegisteredSender = { id: string; channel: Channel; perSecond: number | null };

/** Makes the senders of a configuration known; the last one who says so sets the rate. */
export async function registerSenders(sql: Sql, senders: readonly RegisteredSender[]): Promise<void> {
  await sql.query(
    `insert into senders (id, channel, per_second)
     select * from unnest($1::text[], $2::text[], $3::float8[])
     on conflict (id) do update set channel = excluded.channel, per_second = excluded.per_second
     where (senders.channel, senders.per_second) is distinct from (excluded.channel, excluded.per_second)`,
    [senders.map(({ id }) => id), senders.map(({ channel }) => channel), senders.map((one) => one.perSecond)],
  );
}

/** `startsInMs`: until the first of the turns, `gapMs` between two of them. Without a grant: ask again in so many milliseconds. */
export type Turns =
  { granted: true; startsInMs: number; gapMs: number } | { granted: false; againInMs: number };

/** A message that waits keeps its level's right of way for so long; whoever waits asks more often. */
const WAITING_MS = 600;

/** Where a more urgent level waits, and it is not known how long. */
const AGAIN_MS = 50;

/**
 * Reserves `parts` turns of a sender from the moment at which the next one is free. Nobody reserves before the slice that runs
 * now is almost over (`leadMs`), so a red message waits for that slice and for nothing else: while it waits, the levels below it
 * get nothing. `more`: messages of the same level wait beyond these.
 */
export async function reserveTurns(
  sql: Sql,
  ask: { id: string; level: number; parts: number; more: boolean; leadMs: number; share: number },
): Promise<Turns> {
  const [row] = await sql.query<{
    granted: boolean;
    gap_ms: number;
    starts_in_ms: number;
    free_in_ms: number;
  }>(
    `with s as materialized (
       select id, next_free, waiting_level, coalesce(waiting_until > clock_timestamp(), false) as somebody_waits,
         clock_timestamp() as now,
         1000 / (per_second * $6 * case when slowed_until > clock_timestamp() then 0.5 else 1 end) as gap_ms
       from senders where id = $1 for no key update),
     g as materialized (
       select *, greatest(next_free, now) as starts,
         next_free <= now + $5 * interval '1 millisecond' and not (somebody_waits and waiting_level < $2) as granted
       from s),
     m as materialized (
       select *, (not granted or $4) and not (somebody_waits and waiting_level < $2) as waits from g)
     update senders t set
       next_free = case when m.granted then m.starts + $3 * m.gap_ms * interval '1 millisecond' else t.next_free end,
       waiting_level = case when m.waits then $2 else t.waiting_level end,
       waiting_until = case when m.waits then m.now + $7 * interval '1 millisecond' else t.waiting_until end
     from m where t.id = m.id
     returning m.granted, m.gap_ms::float8, (extract(epoch from m.starts - m.now) * 1000)::float8 as starts_in_ms,
       (extract(epoch from m.next_free - m.now) * 1000)::float8 as free_in_ms`,
    [ask.id, ask.level, ask.parts, ask.more, ask.leadMs, ask.share, WAITING_MS],
    'reserve-turns',
  );
  if (!row) throw new RangeError(`sender ${ask.id} is not registered`);
  if (row.granted) return { granted: true, startsInMs: row.starts_in_ms, gapMs: row.gap_ms };
  const againInMs = row.free_in_ms - ask.leadMs;
  return { granted: false, againInMs: againInMs > 0 ? againInMs : AGAIN_MS };
}

/** Halves a sender's rate for so long. */
export async function slowSender(sql: Sql, id: string, forMs: number): Promise<void> {
  await sql.query(
    `update senders set slowed_until = clock_timestamp() + $2 * interval '1 millisecond', changed_at = clock_timestamp()
     where id = $1`,
    [id, forMs],
    'slow-sender',
  );
}

/** The circuit of a sender: without a reason it is open. After `closedForMs` one probe is let through. */
export type SenderHealth = { id: string; closedForMs: number; reason: string | null; failures: number };

export async function readSenderHealth(sql: Sql): Promise<SenderHealth[]> {
  return sql.query<SenderHealth>(
    `select id, closed_reason as reason, failures,
       greatest(0, coalesce(extract(epoch from closed_until - clock_timestamp()) * 1000, 0))::float8 as "closedForMs"
     from senders`,
    [],
    'read-sender-health',
  );
}

/** Closes a circuit, unless it is closed for longer already. */
export async function closeSender(
  sql: Sql,
  input: { id: string; reason: string; forMs: number; failures: number },
): Promise<void> {
  await sql.query(
    `update senders set closed_until = clock_timestamp() + $3 * interval '1 millisecond', closed_reason = $2, failures = $4,
       changed_at = clock_timestamp()
     where id = $1
       and (closed_reason is null or closed_until < clock_timestamp() + $3 * interval '1 millisecond' or closed_reason = $2)`,
    [input.id, input.reason, input.forMs, input.failures],
    'close-sender',
  );
}

/** Takes the one probe of a circuit whose time is over; nobody else gets it within `leaseMs`. */
export async function takeProbe(sql: Sql, id: string, leaseMs: number): Promise<boolean> {
  const rows = await sql.query(
    `update senders set closed_until = clock_timestamp() + $2 * interval '1 millisecond'
     where id = $1 and closed_reason is not null and closed_until <= clock_timestamp() returning id`,
    [id, leaseMs],
    'take-probe',
  );
  return rows.length > 0;
}

/** Opens a circuit; also by an operator who has mended something. */
export async function openSender(sql: Sql, id: string): Promise<void> {
  await sql.query(
    `update senders set closed_until = null, closed_reason = null, failures = 0, changed_at = clock_timestamp()
     where id = $1 and closed_reason is not null`,
    [id],
    'open-sender',
  );
}

/** A sender as an operator sees it. Those of actual warnings have `actual ` before their id. */
export type SenderState = SenderHealth & { channel: string; perSecond: number | null; changedAt: number };

export async function readSenders(sql: Sql): Promise<SenderState[]> {
  return sql.query<SenderState>(
    `select id, channel, per_second as "perSecond", closed_reason as reason, failures,
       floor(extract(epoch from changed_at) * 1000)::float8 as "changedAt",
       greatest(0, coalesce(extract(epoch from closed_until - clock_timestamp()) * 1000, 0))::float8 as "closedForMs"
     from senders order by channel, id`,
  );
}
