/** What a replay of a warning reads: its units, what its steps took, and the states they left. */
import type { Channel } from '../domain/rules.ts';
import type { StepRecord } from '../domain/rehearsal/replay.ts';
import type { UnitState } from '../domain/unit.ts';
import type { Sql } from './database.ts';
import { expand, type StoredState } from './units.ts';
import { inScope } from './warnings.ts';

/** The units of a warning, each with its superior where that is of the warning too. */
export async function readWarnedUnits(
  sql: Sql,
  areaIds: readonly number[],
): Promise<{ unitId: number; tier: string; superiorId: number | null }[]> {
  return sql.query(
    `select u.id as "unitId", u.tier, u.parent_id as "superiorId" from units u where ${inScope('$1::int[]')} order by u.id`,
    [areaIds],
  );
}

/** The lines of the audit that steps and pauses wrote, in the order of their commits as far as one needs another's letters. */
export async function readStepRecords(sql: Sql, warningId: number): Promise<StepRecord[]> {
  return sql.query(
    `select floor(extract(epoch from a.at) * 1000)::float8 as now, a.body->'letters' as letters, a.body->'paused' as paused
     from audit a join cells c on c.id = a.cell_id where c.warning_id = $1 and a.kind = 'step' order by a.id`,
    [warningId],
  );
}

/** The states of a warning's units as they are now. */
export async function readUnitStates(sql: Sql, warningId: number): Promise<UnitState[]> {
  const rows = await sql.query<{ state: StoredState }>(
    'select state from unit_states where warning_id = $1 order by unit_id',
    [warningId],
  );
  return rows.map(({ state }) => expand(state));
}

/** Half of the first attempts of each channel were handed off within so many milliseconds of the step that planned them. */
export async function readHandOffs(sql: Sql): Promise<{ channel: Channel; medianMs: number }[]> {
  return sql.query(
    `select d.channel, (extract(epoch from percentile_cont(0.5) within group (order by d.at - p.written_at)) * 1000)::float8 as "medianMs"
     from deliveries d join pages p on p.id = d.page_id
     where d.outcome = 'handed off' and d.attempt = 1 and d.audience = 'people' and d.purpose in ('rung', 'bridge notice') group by d.channel`,
  );
}

/**
 * Who was heard in each unit while the warning ran, by their references and in the order of time; answers that were carried over are
 * left out.
 */
export async function readHeard(
  sql: Sql,
  warningId: number,
): Promise<{ unitId: number; reference: string; at: number }[]> {
  return sql.query(
    `select a.unit_id as "unitId", p.reference, floor(extract(epoch from a.at) * 1000)::float8 as at
     from answers a join people p on p.id = a.person_id join warnings w on w.id = a.warning_id
     where a.warning_id = $1 and a.kind in ('received', 'cannot act') and a.carried_from is null
       and a.at < least(w.expires_at, w.ended_at)
     order by a.at, a.id`,
    [warningId],
  );
}
