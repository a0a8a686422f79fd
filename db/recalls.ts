/**
 * Recalls: messages that a provider has, may not have passed on yet, and that an answer or the end of their warning made needless.
 * What to ask for back is worked out from deliveries and receipts, so a worker that dies forgets nothing.
 */
import type { WarningKind } from '../domain/kinds.ts';
import type { Recall, RecallLook, RecallStore, RecallVerdict } from '../domain/store.ts';
import { tableWriters } from './audit-facts.ts';
import type { Database, Sql } from './database.ts';
import { insertReceipts } from './receipts.ts';

/** No provider keeps an SMS in its queue for longer (Twilio: 36,000 s); what is older is not asked for. */
const QUEUED_HOURS_MOST = 10;

/** A claim that saw its warning open may commit a moment after the end did, and settles within its lease. */
const SETTLED_AFTER_SECONDS = 60;

/** What a sender does not say is asked so often, this far apart; a message that goes out meanwhile needs no more asking. */
const TRIES_MOST = 5;
const AGAIN_SECONDS = 2;

/** `senders` are the ids of those that can take something back; warnings of the other kind are left alone. */
type Serving = { serves: WarningKind; senders: readonly string[] };

export function createRecallStore(database: Database, input: Serving): RecallStore {
  return {
    wish: (before) => database.transaction((sql) => look(sql, input, before)),
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
 * Looks at each answer about twice, a second apart, so that most messages that were on their way to their sender are found too, and again
 * at what was stored by whoever had not committed then.
 */
async function look(sql: Sql, input: Serving, before: RecallLook): Promise<RecallLook> {
  const [newest] = await sql.query<{ id: number }>(
    'select coalesce(max(id), 0)::float8 as id from answers',
    [],
    'newest-answer',
  );
  const writers = await tableWriters(sql, ['answers']);
  await wishForEnded(sql, input);
  await wishForAnswered(sql, input, before.seen);
  const gone = before.next?.writers.every((writer) => !writers.includes(writer)) ?? true;
  if (!gone) return before;
  return { seen: before.next?.seen ?? before.seen, next: { seen: newest?.id ?? 0, writers } };
}

/** Of warnings that have ended, everything but the word that they have is asked for back. */
async function wishForEnded(sql: Sql, input: Serving): Promise<void> {
  await sql.query(
    `with ended as materialized (
       select w.id, w.ended_at, case when w.status = 'open' then 'expired' else w.status end as because from warnings w
       where w.kind = $1 and (w.status <> 'open' or w.expires_at <= clock_timestamp())
         and coalesce(w.ended_at, w.expires_at) > clock_timestamp() - interval '${QUEUED_HOURS_MOST} hours'
         and not exists (select from recalled_warnings x where x.warning_id = w.id)),
     looked_through as (
       insert into recalled_warnings (warning_id) select e.id from ended e
       where e.ended_at < clock_timestamp() - interval '${SETTLED_AFTER_SECONDS} seconds' and not exists (
         select from pages p join claims k on k.page_id = p.id
         where p.warning_id = e.id and k.settled_at is null and k.lease_until > clock_timestamp() - interval '1 minute')
       on conflict do nothing)
     insert into recalls (delivery_id, attempt, sender, provider_id, because)
       select d.id, d.attempt, d.sender, d.provider_id, e.because from ended e join deliveries d on d.warning_id = e.id
       where d.purpose not in ('cancel notice', 'change notice') and ${QUEUED}
       order by 1, 2 on conflict do nothing`,
    [input.serves, input.senders],
    'wish-recalls-ended',
  );
}

/**
 * Of open warnings, first messages to units with an answer behind the number `seen` are asked for back. Messages that speak for more, for
 * a person of several units or of several warnings, go out.
 *
 * Answers are found by their numbers, and deliveries unit by unit (`offset 0`): joined in one piece, planned while a warning had hardly a
 * delivery, this read all deliveries of a city each second, half a processor where nothing was to be recalled (docs/adr/0035).
 */
async function wishForAnswered(sql: Sql, input: Serving, seen: number): Promise<void> {
  await sql.query(
    `with said as materialized (
       select distinct on (warning_id, unit_id) warning_id, unit_id, kind from answers
       where id > $3::bigint and household_id is null
       order by warning_id, unit_id, at desc, kind = 'cannot act' desc)
     insert into recalls (delivery_id, attempt, sender, provider_id, because)
       select d.id, d.attempt, d.sender, d.provider_id, 'answered' from said
       join warnings w on w.id = said.warning_id and w.kind = $1 and w.status = 'open' and w.expires_at > clock_timestamp()
       cross join lateral (
         select * from deliveries d where d.warning_id = said.warning_id and d.unit_id = said.unit_id offset 0) d
       where said.kind <> 'cannot act' and d.audience = 'people' and d.purpose = 'rung' and ${QUEUED}
         and not exists (select from combined c where c.into_id = d.id)
         and not exists (select from message_keys k where k.warning_id = said.warning_id and k.person_id = d.recipient_id)
       order by 1, 2 on conflict do nothing`,
    [input.serves, input.senders, seen],
    'wish-recalls-answered',
  );
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
