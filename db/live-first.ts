/**
 * Actual warnings go first: while one is being sent, drills beside it send nothing and ring no cells. Whoever conducts a drill looks into
 * the live schema, which the drill itself may not, and leaves a sign in the drill's own.
 */
import type { Sql } from './database.ts';
import { beat } from './liveness.ts';
import { MAILED } from './mailed.ts';

const LIVE_FIRST_SIGN = 'live first';

/** The sign has to come again so soon: should nobody look any more, a drill goes on. */
const HOLDS = '1 second';

/** True in a drill's schema while an actual warning goes first: for the statements that claim and ring Exercises. An actual warning gives way to nobody. */
export const YIELDS = `(exists (select from liveness where name = '${LIVE_FIRST_SIGN}' and at > clock_timestamp() - interval '${HOLDS}'))`;

/** Leaves the sign, in the schema of a drill. */
export async function showLiveFirst(own: Sql): Promise<void> {
  await beat(own, LIVE_FIRST_SIGN);
}

/** What nobody has moved for so long does not count: a provider that is away for an hour holds no drill for an hour. */
const MOVES_WITHIN = '2 seconds';

/**
 * True while an actual warning is being sent, in the live schema: it has pages of which something moves, or mail for a cell that was
 * written just now or whose cell a worker rings or steps, or rests from a step. Mail that no worker takes lies there for as long as none is started.
 */
export async function isActualSending(live: Sql): Promise<boolean> {
  const [row] = await live.query<{ sending: boolean }>(
    `with recursive ${MAILED}
     select exists (
       select from mailed m join cells c on c.id = m.cell_id join warnings w on w.id = c.warning_id
       where w.kind = 'actual' and (
         greatest(c.rung_at, c.stepped_at, c.ring_after) > clock_timestamp() - interval '${MOVES_WITHIN}'
         or exists (select from inbox i where i.cell_id = c.id
           and i.at > clock_timestamp() - interval '${MOVES_WITHIN}')))
     or exists (
       select from pages p join warnings w on w.id = p.warning_id
       where p.ended_at is null and w.kind = 'actual' and (
         p.written_at > clock_timestamp() - interval '${MOVES_WITHIN}'
         or exists (select from claims k where k.page_id = p.id
           and coalesce(k.settled_at, k.claimed_at) > clock_timestamp() - interval '${MOVES_WITHIN}'))) as sending`,
    [],
    'actual-sending',
  );
  return row?.sending ?? false;
}
