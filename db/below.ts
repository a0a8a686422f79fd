/**
 * Who below an official is still silent, and whom to phone for it. All of it is found by the official's own units: those of
 * their posts and duties, as far as the warning concerns them.
 */
import type { Sql } from './database.ts';
import { phoneOf, standsFor, unitsOf } from './duties.ts';

/** The official's units in the warning; `$1` the warning, `$2` the person. */
export const OWN_UNITS = `own as materialized (
  select distinct u.id, u.path from warnings w
  cross join lateral (${unitsOf('$2', 'w.issued_at')}) held join units u on u.id = held.unit_id
  where w.id = $1 and exists (select from warning_areas x join units au on au.id = x.unit_id
    where x.warning_id = w.id and (x.unit_id = any(u.path) or u.id = any(au.path))))`;

/** Past a deadline without an answer, in need of help, or received and not done in time: `s` is the unit's state. */
const SILENT = `(s.status <> 'answered' and (s.silent_at is not null or s.state->>'cannotActAt' is not null)
  or s.overdue_at is not null and s.done_at is null)`;

/** A silent unit directly below, or one that reports to the official past a silent superior. */
export type SilentBelow = {
  unitId: number;
  name: string;
  trouble: 'cannot act' | 'silent' | 'not done';
  /** Since when, in milliseconds. */
  since: number | null;
};

/** The silent units directly below, those that cannot act first, then the longest silent; at most `most` of `count`. */
export async function findSilentBelow(
  sql: Sql,
  input: { warningId: number; personId: number; most: number },
): Promise<{ count: number; units: SilentBelow[] }> {
  const rows = await sql.query<SilentBelow & { count: number }>(
    `with ${OWN_UNITS},
     below as (
       select c.id from own join units c on c.parent_id = own.id
       union select s.unit_id from own join unit_states s on s.warning_id = $1 and s.reports_to = own.id)
     select u.id as "unitId", u.name, t.trouble, count(*) over ()::int as count, case t.trouble
       when 'cannot act' then (s.state->>'cannotActAt')::float8
       else floor(extract(epoch from case t.trouble when 'silent' then s.silent_at else s.overdue_at end) * 1000)::float8
       end as since
     from below join units u on u.id = below.id
     join lateral (select * from unit_states x where x.warning_id = $1 and x.unit_id = below.id offset 0) s on true
     cross join lateral (select case when s.status = 'answered' then 'not done'
       when s.state->>'cannotActAt' is not null then 'cannot act' else 'silent' end as trouble) t
     -- What has been said counts at once, also before the unit's cell has heard of it.
     left join lateral (
       select a.kind from answers a where a.warning_id = $1 and a.unit_id = u.id and a.household_id is null
       order by a.at desc, a.kind = 'cannot act' desc limit 1) word on true
     where ${SILENT} and u.id not in (select id from own)
       and (word.kind is null or word.kind = case t.trouble when 'not done' then 'received' else 'cannot act' end)
     order by array_position(array['cannot act', 'silent', 'not done'], t.trouble), since, u.id limit $3`,
    [input.warningId, input.personId, input.most],
    'find-silent-below',
  );
  return { count: rows[0]?.count ?? 0, units: rows.map(({ count: _, ...unit }) => unit) };
}

/** How many units further down than those of `findSilentBelow` are silent. */
export async function countSilentDeeper(
  sql: Sql,
  input: { warningId: number; personId: number },
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `with ${OWN_UNITS}
     select count(distinct u.id)::int as count from own join units u on u.path @> array[own.id]
     join lateral (select * from unit_states x where x.warning_id = $1 and x.unit_id = u.id offset 0) s on true
     where u.id <> all(array(select id from own)) and u.parent_id <> all(array(select id from own))
       and coalesce(s.reports_to, 0) <> all(array(select id from own)) and ${SILENT}`,
    [input.warningId, input.personId],
    'count-silent-deeper',
  );
  return row?.count ?? 0;
}

/** Who stands for a unit at this hour, by the first of its posts that has a telephone; `phone` is null where none has. */
export type Holder = { unitId: number; name: string; phone: string | null };

/**
 * Whom to phone for units, as posts were held at issue. Only units directly below the official, or that report to them, are
 * answered for: a telephone number is for the superior of its unit.
 */
export async function findHolders(
  sql: Sql,
  input: { warningId: number; personId: number; unitIds: readonly number[] },
): Promise<Holder[]> {
  return sql.query<Holder>(
    `with ${OWN_UNITS}
     select u.id as "unitId", h.name, h.phone from units u join warnings w on w.id = $1
     cross join lateral (
       select pe.name, a.phone from posts p join people pe on pe.id = ${standsFor('p')}
       cross join lateral (select ${phoneOf('pe.id')} as phone) a
       where p.unit_id = u.id and p.held_from <= w.issued_at and (p.held_until is null or p.held_until > w.issued_at)
       order by a.phone is null, p.rank limit 1) h
     where u.id = any($3::int[]) and (u.parent_id in (select id from own)
       or (select s.reports_to from unit_states s where s.warning_id = $1 and s.unit_id = u.id) in (select id from own))`,
    [input.warningId, input.personId, input.unitIds],
    'find-holders',
  );
}

/** The person's name, and which of these units lie below one of theirs in the warning: those they may vouch for. */
export async function findVouchable(
  sql: Sql,
  input: { warningId: number; personId: number; unitIds: readonly number[] },
): Promise<{ name: string; unitIds: number[] }> {
  const [row] = await sql.query<{ name: string; unitIds: number[] }>(
    `with ${OWN_UNITS}
     select pe.name, array(select u.id from units u where u.id = any($3::int[]) and exists (
       select from own where own.id = any(u.path) and own.id <> u.id)) as "unitIds"
     from people pe where pe.id = $2`,
    [input.warningId, input.personId, input.unitIds],
    'find-vouchable',
  );
  return row ?? { name: '', unitIds: [] };
}
