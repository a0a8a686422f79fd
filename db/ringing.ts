/** Which cells need their workflow to look. */
import type { LevelId } from '../domain/levels.ts';
import type { Database } from './database.ts';
import { YIELDS } from './live-first.ts';
import { MAILED } from './mailed.ts';

export type RingableCell = {
  cellId: number;
  warningId: number;
  incarnation: number;
  hazard: string;
  level: LevelId;
  code: string | null;
  unitName: string;
};

/**
 * A ring is durable once Temporal has it: whoever waits for its step, behind the replay of a whole city, needs no second one. Rung
 * every second, cells that waited grew by a signal each time, and took the longer to replay.
 */
const AGAIN_AFTER = '5 seconds';

/** How often a cell is rung whose warning has ended, resting or not. */
const URGENT_AFTER = '800 milliseconds';

/**
 * Takes the cells of one kind that have mail, are overdue by more than a second, or are open and unstepped for a minute, and
 * marks them as rung, over all workers. None before its rest is over (activities/step.ts), unless its warning has ended. A drill rings
 * none while an actual warning goes first. `skip locked` passes over a cell that is being stepped right now: it looks at its mail itself.
 */
export async function ringableCells(
  database: Database,
  input: { kind: 'exercise' | 'actual'; most: number },
): Promise<RingableCell[]> {
  return database.query<RingableCell>(
    `with recursive ${MAILED},
     wanted as (
       select cell_id from mailed where cell_id is not null
       union
       select id from cells where status = 'open' and next_deadline < clock_timestamp() - interval '1 second'
       union
       select id from cells where status = 'open'
         and coalesce(stepped_at, '-infinity') < clock_timestamp() - interval '60 seconds'
     ),
     due as (
       select c.id from cells c join wanted w on w.cell_id = c.id join warnings g on g.id = c.warning_id
       where g.kind = $1 and (g.kind = 'actual' or not ${YIELDS}) and (
         coalesce(c.ring_after, '-infinity') < clock_timestamp()
         or coalesce(c.rung_at, '-infinity') < clock_timestamp() - interval '${URGENT_AFTER}'
           and exists (select from inbox i where i.cell_id = c.id and i.priority = 0))
       order by c.rung_at nulls first limit $2 for no key update of c skip locked
     )
     update cells c set rung_at = clock_timestamp(), ring_after = clock_timestamp() + interval '${AGAIN_AFTER}'
     from due, warnings g, units u, installation
     where c.id = due.id and g.id = c.warning_id and u.id = c.unit_id
     returning c.id as "cellId", c.warning_id as "warningId", installation.incarnation, g.hazard, g.level, u.code,
       u.name as "unitName"`,
    [input.kind, input.most],
    'ringable-cells',
  );
}
