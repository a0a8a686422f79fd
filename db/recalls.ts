/**
 * Recalls: messages that a provider has, may not have passed on yet, and that an answer or the end of their warning made needless.
 * What to ask for back is worked out from deliveries and receipts, so a worker that dies forgets nothing.
 */
import type { WarningKind } from '../domain/kinds.ts';
import type { Recall, RecallStore, RecallVerdict } from '../domain/store.ts';
import type { Database, Sql } from './database.ts';
import { insertReceipts } from './receipts.ts';

/** No provider keeps an SMS in its queue for longer (Twilio: 36,000 s); what is older is not asked for. */
const QUEUED_HOURS_MOST = 10;

/** A claim that saw its warning open may commit a moment after the end did, and settles within its lease. */
const SETTLED_AFTER_SECONDS = 60;

/** Answers become visible at their commit, and a statement ends within 15 s: those of so long are looked at again. */
const SEEN_AGAIN_SECONDS = 30;

/** What a sender does not say is asked so often, this far apart; a message that goes out meanwhile needs no more asking. */
const TRIES_MOST = 5;
const AGAIN_SECONDS = 2;

/** `senders` are the ids of those that can take something back; warnings of the other kind are left alone. */
export function createRecallStore(
  database: Database,
  input: { serves: WarningKind; senders: readonly string[] },
): RecallStore {
  return {
    wish: (since) => database.transaction((sql) => wishRecalls(sql, { ...input, since })),
    take: (most) => takeDueRecalls(database, { ...input, most }),
    settle: (verdicts) => database.transaction((sql) => settleRecalls(sql, verdicts, input.serves)),
  };
}

/** Handed off by a sender that can take back, and nothing said of it that is an end or the way to one. `d` is the delivery. */
const QUEUED = `d.outcome = 'handed off' and d.sender = any($2::text[]) and d.provider_id is not null
  and d.at > clock_timestamp() - interval '${QUEUED_HOURS_MOST} hours'
  and not exists (select from receipts r where r.delivery_id = d.id and r.attempt = d.attempt
    and r.state in ('sent', 'delivered', 'undelivered', 'failed', 'read'))
  and not exists (select from recalls x where x.delivery_id = d.id and x.attempt = d.attempt)`;

/**
 * Writes down what should be asked for back and is not yet: of warnings that have ended everything but the word that they have; of open
 * ones first messages to units that have answered since `since`. Messages that speak for more, for a person of several units or of
 * several warnings, go out. Gives the moment from which to look next.
 */
async function wishRecalls(
  sql: Sql,
  input: { serves: WarningKind; senders: readonly string[]; since: number },
): Promise<number> {
  const [row] = await sql.query<{ since: number }>(
    `with now as materialized (select clock_timestamp() as at),
     ended as materialized (
       select w.id, w.ended_at, case when w.status = 'open' then 'expired' else w.status end as because from warnings w
       where w.kind = $1 and (w.status <> 'open' or w.expires_at <= clock_timestamp())
         and coalesce(w.ended_at, w.expires_at) > clock_timestamp() - interval '${QUEUED_HOURS_MOST} hours'
         and not exists (select from recalled_warnings x where x.warning_id = w.id)),
     needless as (
       select d.id, d.attempt, d.sender, d.provider_id, e.because from ended e join deliveries d on d.warning_id = e.id
       where d.purpose not in ('cancel notice', 'change notice') and ${QUEUED}
       union
       select d.id, d.attempt, d.sender, d.provider_id, 'answered' from warnings w
       join lateral (
         select distinct on (a.unit_id) a.unit_id, a.kind, a.at from answers a
         where a.warning_id = w.id and a.household_id is null and a.at > to_timestamp($3::float8 / 1000)
         order by a.unit_id, a.at desc, a.kind = 'cannot act' desc) said on said.kind <> 'cannot act'
       join deliveries d on d.warning_id = w.id and d.unit_id = said.unit_id and d.audience = 'people' and d.purpose = 'rung'
       where w.kind = $1 and w.status = 'open' and w.expires_at > clock_timestamp() and ${QUEUED}
         and not exists (select from combined c where c.into_id = d.id)
         and not exists (select from message_keys k where k.warning_id = w.id and k.person_id = d.recipient_id)),
     wished as (
       insert into recalls (delivery_id, attempt, sender, provider_id, because)
       select id, attempt, sender, provider_id, because from needless order by 1, 2 on conflict do nothing),
     looked_through as (
       insert into recalled_warnings (warning_id) select e.id from ended e
       where e.ended_at < clock_timestamp() - interval '${SETTLED_AFTER_SECONDS} seconds' and not exists (
         select from pages p join claims k on k.page_id = p.id
         where p.warning_id = e.id and k.settled_at is null and k.lease_until > clock_timestamp() - interval '1 minute')
       on conflict do nothing)
     select (extract(epoch from at - interval '${SEEN_AGAIN_SECONDS} seconds') * 1000)::float8 as since from now`,
    [input.serves, input.senders, input.since],
    'wish-recalls',
  );
  return row?.since ?? input.since;
}

/** Takes recalls that are due, each for one try: whoever takes them does not come back counts as not said. */
async function takeDueRecalls(
  sql: Sql,
  input: { serves: WarningKind; senders: readonly string[]; most: number },
): Promise<Recall[]> {
  return sql.query<Recall>(
    `update recalls r set tries = tries + 1, due_at = clock_timestamp() + interval '${AGAIN_SECONDS} seconds' * (tries + 1)
     from (
       select delivery_id, attempt from recalls x where outcome is null and due_at <= clock_timestamp() and sender = any($1)
         -- A live sender and a stand-in bear the same name: each takes back what it was given.
         and exists (select from deliveries d join warnings w on w.id = d.warning_id where d.id = x.delivery_id and w.kind = $3)
       order by due_at limit $2 for update skip locked) due
     where r.delivery_id = due.delivery_id and r.attempt = due.attempt
     returning r.delivery_id as "deliveryId", r.attempt, r.sender, r.provider_id as "providerId", r.tries`,
    [input.senders, input.most, input.serves],
    'take-recalls',
  );
}

/** Writes what came of recalls. What was taken back has failed, by our own word: its receipt says so. */
async function settleRecalls(
  sql: Sql,
  verdicts: readonly RecallVerdict[],
  serves: WarningKind,
): Promise<void> {
  const ended = verdicts.filter(({ result, tries }) => result !== 'unknown' || tries >= TRIES_MOST);
  if (ended.length === 0) return;
  await sql.query(
    `update recalls r set outcome = t.outcome, ended_at = clock_timestamp()
     from unnest($1::bigint[], $2::smallint[], $3::text[]) as t (id, attempt, outcome)
     where r.delivery_id = t.id and r.attempt = t.attempt and r.outcome is null`,
    [
      ended.map(({ deliveryId }) => deliveryId),
      ended.map(({ attempt }) => attempt),
      ended.map(({ result }) => result),
    ],
    'settle-recalls',
  );
  const recalled = ended.filter(({ result }) => result === 'recalled');
  if (recalled.length === 0) return;
  await insertReceipts(
    sql,
    recalled.map(({ deliveryId, attempt, sender, providerId }) => ({
      ...{ deliveryId, attempt, sender, providerId },
      ...{ state: 'failed', code: 'recalled', reason: 'recalled' },
    })),
    serves,
  );
}
