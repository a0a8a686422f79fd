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
 * Takes the cells of one kind that have mail, are overdue by more than a second, or are open and unstepped for a minute, and
 * marks them as rung: at most one ring in 0.8 s and cell over all workers, so that a lost doorbell is made good within a
 * second. A drill rings none while an actual warning goes first. `skip locked` passes over a cell that is being stepped right now: it looks at its mail itself.
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
       where g.kind = $1 and (g.kind = 'actual' or not ${YIELDS}) and coalesce(c.rung_at, '-infinity') < clock_timestamp() - interval '800 milliseconds'
       order by c.rung_at nulls first limit $2 for no key update of c skip locked
     )
     update cells c set rung_at = clock_timestamp()
     from due, warnings g, units u, installation
     where c.id = due.id and g.id = c.warning_id and u.id = c.unit_id
     returning c.id as "cellId", c.warning_id as "warningId", installation.incarnation, g.hazard, g.level, u.code,
       u.name as "unitName"`,
    [input.kind, input.most],
    'ringable-cells',
  );
}
