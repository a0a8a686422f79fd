/** What channels have carried, and what a warning would give them to carry. */
import { nameOfKind, type WarningKind } from '../domain/kinds.ts';
import type { Channel } from '../domain/rules.ts';
import type { Sql } from './database.ts';

const WARNINGS_LOOKED_AT = 5;

/**
 * Messages a second by channel, as the latest warnings of this kind got rid of them: the best ten seconds that lie within a
 * longer run. The ends of a run, and messages that trickle, say nothing of what a channel can do.
 */
export async function readMeasuredRates(
  sql: Sql,
  kind: WarningKind,
): Promise<{ channel: Channel; perSecond: number }[]> {
  return sql.query(
    `with spans as (
       select d.channel, d.warning_id, floor(extract(epoch from d.at) / 10)::bigint as span, count(*) as messages
       from deliveries d
       where d.outcome = 'handed off' and d.warning_id in (
         select id from warnings where kind = $1 order by id desc limit ${WARNINGS_LOOKED_AT})
       group by 1, 2, 3),
     runs as (
       select *, lag(span) over run as before, lead(span) over run as after from spans
       window run as (partition by channel, warning_id order by span))
     select channel, max(messages)::float8 / 10 as "perSecond" from runs
     where before = span - 1 and after = span + 1 group by channel`,
    [kind],
  );
}

/** What the senders of each channel are allowed together, in parts a second; channels with a sender without limit are left out. */
export async function readConfiguredRates(
  sql: Sql,
  kind: WarningKind,
  senders: readonly string[],
): Promise<{ channel: Channel; perSecond: number }[]> {
  return sql.query(
    `select channel, sum(per_second)::float8 as "perSecond" from senders
     where id = any($1) group by channel having bool_and(per_second is not null)`,
    [senders.map((sender) => nameOfKind(kind, sender))],
  );
}
