/**
 * The referee on the audit (9): what people said, what opened and what was handed off stands in what the steps took, and each
 * settled slice has its outcomes. Whether lines were changed afterwards is for operations/audit-verify.ts to say.
 */
import type { Sql } from './database.ts';
import {
  countOf,
  findingOf,
  firstOf,
  mergeFindings,
  SHOWN_MOST,
  type CountsRow,
  type Finding,
} from './referee.ts';

/** What is looked for in the audit; all else a step took follows from these. */
const LETTERS = `('answered', 'cannot act', 'handed off', 'opened', 'past you')`;

/**
 * 9a. Each fact has its letter in the audit of its cell, with its time: words of officials, openings, the first hand-off of each
 * rung. A fact whose letter still waits, or was put aside, is passed over.
 */
export async function findUnaudited(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `with lines as materialized (
       select a.cell_id, round(extract(epoch from a.at) * 1000) as taken_ms, l.unit_id, l.kind, round(l.said_ms) as said_ms, l.rung
       from cells c join audit a on a.cell_id = c.id
       cross join lateral json_to_recordset(a.body->'letters') as t ("unitId" int, kind text, at float8, rung int)
       cross join lateral (select t."unitId" as unit_id, t.kind, t.at as said_ms, t.rung) l
       where c.warning_id = $1 and l.kind in ${LETTERS}),
     aside as (
       select i.cell_id, i.unit_id from cells c join inbox i on i.cell_id = c.id where c.warning_id = $1
       union all select d.cell_id, d.unit_id from cells c join dead_letters d on d.cell_id = c.id where c.warning_id = $1),
     facts as (
       select a.unit_id, case a.kind when 'cannot act' then a.kind else 'answered' end as kind,
         round(extract(epoch from a.at) * 1000) as ms, null::int as rung
       from answers a where a.warning_id = $1 and a.household_id is null
       union all
       select unit_id, 'opened', round(extract(epoch from opened_at) * 1000), null
       from unit_states where warning_id = $1 and opened_at is not null
       union all
       select unit_id, 'handed off', round(extract(epoch from min(at)) * 1000), step
       from deliveries where warning_id = $1 and purpose = 'rung' and outcome in ('handed off', 'merged') group by unit_id, step),
     audited as (
       select distinct unit_id, case kind when 'past you' then 'opened' else kind end as kind,
         case when kind in ('opened', 'past you') then taken_ms else said_ms end as ms,
         case kind when 'handed off' then rung end as rung
       from lines),
     weighed as (
       select f.*, a.unit_id is null and f.unit_id not in (select unit_id from aside where unit_id is not null)
         and s.cell_id not in (select cell_id from aside where unit_id is null) as missing
       from facts f left join unit_states s on s.warning_id = $1 and s.unit_id = f.unit_id
       left join audited a on a.unit_id = f.unit_id and a.kind = f.kind and a.ms = f.ms and a.rung is not distinct from f.rung)
     select count(*)::int as facts, ${countOf('missing')} as unaudited,
       ${firstOf("format('unit %s: %s is in no step', unit_id, kind)", 'missing')} as first
     from weighed`,
    [warningId],
  );
  return mergeFindings(
    findingOf(row),
    await findUncounted(sql, warningId),
    await findUnsettled(sql, warningId),
  );
}

/** 9b. No cell has more lines of steps in the audit than it took; the end of a pause has a line of its own. */
async function findUncounted(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select coalesce(sum(steps), 0)::int as steps, coalesce(sum(lines), 0)::int as lines, ${countOf('lines > steps')} as uncounted,
       ${firstOf("format('cell %s: %s lines of %s steps', id, lines, steps)", 'lines > steps')} as first
     from (select c.id, c.steps, (select count(*) from audit a where a.cell_id = c.id and a.body->'paused' is null) as lines
       from cells c where c.warning_id = $1) counted`,
    [warningId],
  );
  return findingOf(row);
}

/** 9c. Of each page as many outcomes stand as its settled slices have members. */
async function findUnsettled(sql: Sql, warningId: number): Promise<Finding> {
  const [row] = await sql.query<CountsRow>(
    `select count(*)::int as pages, ${countOf('settled <> outcomes')} as unsettled,
       (array_agg(format('page %s: %s settled, %s outcomes', id, settled, outcomes)) filter (where settled <> outcomes))[1:${SHOWN_MOST}] as first
     from (
       select p.id, coalesce(k.settled, 0) as settled, coalesce(d.outcomes, 0) as outcomes from pages p
       left join (select page_id, sum(size) as settled from claims where settled_at is not null group by page_id) k
         on k.page_id = p.id
       left join (select page_id, count(*) as outcomes from deliveries where warning_id = $1 group by page_id) d on d.page_id = p.id
       where p.warning_id = $1) weighed`,
    [warningId],
  );
  return findingOf(row);
}
