/** The other open warnings that a person has been told of: what one answer page shows of them, and what it may settle. */
import type { AnswerKind } from '../domain/unit.ts';
import type { Sql } from './database.ts';
import { unitsOf } from './duties.ts';

export type OtherWarning = {
  warningId: number;
  hazard: string;
  level: string;
  /** The person's units in it, the highest first. */
  units: string[];
  /** The latest message of it to this person: what they answer. */
  deliveryId: number;
  /** What they said of it last. */
  lastKind: AnswerKind | null;
};

/** Open warnings of the same kind as `warningId`, the newest first, of which this person has been sent word. */
export async function findOtherWarnings(
  sql: Sql,
  input: { warningId: number; personId: number; most: number },
): Promise<OtherWarning[]> {
  return sql.query<OtherWarning>(
    `select w.id as "warningId", w.hazard, w.level, own.names as units, told.id as "deliveryId", said.kind as "lastKind"
     from warnings this
     join warnings w on w.status = 'open' and w.expires_at > clock_timestamp() and w.id <> this.id and w.kind = this.kind
     cross join lateral (
       select array_agg(u.name order by cardinality(u.path), u.id) as names, array_agg(u.id) as ids
       from (${unitsOf('$2', 'w.issued_at')}) held
       join units u on u.id = held.unit_id
       where exists (select from warning_areas x join units au on au.id = x.unit_id
         where x.warning_id = w.id and (x.unit_id = any(u.path) or u.id = any(au.path)))) own
     cross join lateral (
       select d.id from deliveries d where d.warning_id = w.id and d.unit_id = any(own.ids) and d.recipient_id = $2
         and d.audience = 'people' and d.purpose in ('rung', 'bridge notice', 'done reminder')
         and d.outcome in ('handed off', 'merged', 'unknown') order by d.at desc, d.id desc limit 1) told
     left join lateral (
       select a.kind from answers a where a.warning_id = w.id and a.unit_id = any(own.ids) and a.person_id = $2
       order by a.at desc, a.id desc limit 1) said on true
     where this.id = $1 order by w.id desc limit $3`,
    [input.warningId, input.personId, input.most],
    'find-other-warnings',
  );
}
