/**
 * Door to door: the households of one group that nobody has heard from, and what its leader found at their doors. Both are
 * answers, with the household and who vouches for it; a household has no state, so nobody is told by letter.
 */
import { messageOrder } from '../domain/unit.ts';
import { householdAnswered } from './chains.ts';
import type { Sql } from './database.ts';
import { DELIVERY_ID_STRIDE } from './pages.ts';

/** How a leader knows. Who was not there has been visited and not heard from: they stay on the list. */
export const AT_THE_DOOR = 'at the door';
export const NOBODY_THERE = 'nobody there';

/** The task that a delivery carries: the group whose doors it is about. */
export type DoorTask = { warningId: number; unitId: number; unit: string; personId: number; leader: string };

/** The task of a delivery; null where it carries none. */
export async function findDoorTask(sql: Sql, deliveryId: number): Promise<DoorTask | null> {
  const [row] = await sql.query<DoorTask>(
    `select g.warning_id as "warningId", u.id as "unitId", u.name as unit, pe.id as "personId", pe.name as leader
     from pages g join units u on u.id = g.unit_ids[$2] join people pe on pe.id = g.recipients[$2]
     where g.id = $1 and g.purpose = 'door to door' and g.audience = 'people'`,
    [Math.floor(deliveryId / DELIVERY_ID_STRIDE), (deliveryId % DELIVERY_ID_STRIDE) + 1],
    'find-door-task',
  );
  return row ?? null;
}

/** Of an answer of a household: its leader found nobody, so it has not been heard from. */
export const NOBODY_HEARD = `coalesce(how = '${NOBODY_THERE}' and vouched_by is not null, false)`;

export type Door = {
  householdId: number;
  name: string;
  /** When nobody was there last, in milliseconds. */
  nobodyAt: number | null;
};

/** What each household of a unit has said or had said for it; `$1` the warning, `$2` the unit. */
const HEARD = `heard as (
  select household_id as id, bool_or(not ${NOBODY_HEARD}) as reached,
    max(at) filter (where ${NOBODY_HEARD}) as nobody_at
  from answers where warning_id = $1 and unit_id = $2 and household_id is not null group by household_id)`;

export type DoorList = {
  /** Households of the unit, those not reached, and of these how many come before the list. */
  households: number;
  unreached: number;
  before: number;
  doors: Door[];
};

/** Households not reached from `from` on, in the order of their ids, which is that of the import. */
export async function listDoors(
  sql: Sql,
  input: { warningId: number; unitId: number; from: number; most: number },
): Promise<DoorList> {
  const [row] = await sql.query<DoorList>(
    `with ${HEARD},
     mine as (
       select h.id, h.name, heard.nobody_at, heard.reached is true as reached
       from households h left join heard using (id) where h.unit_id = $2)
     select (select count(*) from mine)::int as households,
       (select count(*) from mine where not reached)::int as unreached,
       (select count(*) from mine where not reached and id < $3)::int as before,
       coalesce((select json_agg(json_build_object('householdId', id, 'name', name,
           'nobodyAt', floor(extract(epoch from nobody_at) * 1000)) order by id)
         from (select * from mine where not reached and id >= $3 order by id limit $4) shown), '[]') as doors`,
    [input.warningId, input.unitId, input.from, input.most],
    'list-doors',
  );
  return row ?? { households: 0, unreached: 0, before: 0, doors: [] };
}

export type Visits = {
  warningId: number;
  unitId: number;
  deliveryId: number;
  leader: string;
  reached: readonly number[];
  nobody: readonly number[];
  /** Besides these, all that are not reached from the first id to the last; null for none. */
  rest: { from: number; until: number } | null;
};

/** Stores what was found at doors of the unit, for those not reached before; gives how many were reached, and how many not. */
export async function storeVisits(sql: Sql, visits: Visits): Promise<{ reached: number; nobody: number }> {
  const [row] = await sql.query<{ reached: number; nobody: number }>(
    `with ${HEARD},
     facts as (
       insert into answers (warning_id, unit_id, household_id, kind, via, delivery_id, vouched_by, how, at)
       select $1, $2, h.id, case when found.reached then 'received' else 'cannot act' end, 'page', $3, $4,
         case when found.reached then '${AT_THE_DOOR}' else '${NOBODY_THERE}' end, clock_timestamp()
       from households h left join heard using (id)
       cross join lateral (select h.id <> all($6::bigint[])
         and (h.id = any($5::bigint[]) or h.id between $7 and $8) is true as reached) found
       where h.unit_id = $2 and heard.reached is not true and (found.reached or h.id = any($6::bigint[]))
       order by h.id
       returning how),
     letter as (
       insert into inbox (cell_id, unit_id, priority, body)
       select c.id, null, $9::smallint, ${householdAnswered('json_build_array($2::int)')}
       from warnings w join units u on u.id = $2 join cells c on c.warning_id = w.id and c.unit_id = u.cell_unit_id
       where w.id = $1 and w.status = 'superseded' and exists (select from facts))
     select (count(*) filter (where how = '${AT_THE_DOOR}'))::int as reached,
       (count(*) filter (where how = '${NOBODY_THERE}'))::int as nobody from facts`,
    [
      visits.warningId,
      visits.unitId,
      visits.deliveryId,
      visits.leader,
      visits.reached,
      visits.nobody,
      visits.rest?.from ?? null,
      visits.rest?.until ?? null,
      messageOrder('answered'),
    ],
    'store-visits',
  );
  return row ?? { reached: 0, nobody: 0 };
}
