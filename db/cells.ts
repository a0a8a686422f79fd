/** The cell's row, its inbox and its audit: what one step locks, takes and leaves. */
import type { Letter } from '../domain/cascade.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { Ending, WarningStatus } from '../domain/revisions.ts';
import type { Rules } from '../domain/rules.ts';
import type {
  CellLeft,
  CellLetter,
  CellRest,
  InboxLetter,
  LockedCell,
  OpenPage,
  TierCount,
} from '../domain/store.ts';
import { FIRST_WORDS } from '../domain/pages.ts';
import { messageOrder } from '../domain/unit.ts';
import { joinJson, jsonTexts, type Sql } from './database.ts';
import { PAUSED } from './pauses.ts';

/**
 * Locks the cell for one step. `for no key update`: with `for update`, the foreign keys of the inbox make two steps wait for
 * each other and stall answers. The clock is read after the lock, because `now()` is older than the wait for it.
 * Gives null where there is no such cell.
 */
export async function lockCell(sql: Sql, cellId: number): Promise<LockedCell | null> {
  const [cell] = await sql.query<{
    id: number;
    unit_id: number;
    status: 'open' | 'closed';
    notices_written: boolean;
    answering: string[];
  }>(
    'select id, unit_id, status, notices_written, answering from cells where id = $1 for no key update',
    [cellId],
    'lock-cell',
  );
  if (!cell) return null;
  const [warning] = await sql.query<{
    id: number;
    kind: WarningKind;
    revision: number;
    status: WarningStatus;
    issued_ms: number;
    expires_ms: number;
    rules: Rules;
    now_ms: number;
  }>(
    `select w.id, w.kind, w.revision, w.status, w.rules,
       (extract(epoch from w.issued_at) * 1000)::float8 as issued_ms,
       (extract(epoch from w.expires_at) * 1000)::float8 as expires_ms,
       floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms
     from cells c join warnings w on w.id = c.warning_id where c.id = $1`,
    [cellId],
    'cell-warning',
  );
  if (!warning) return null;
  return {
    cellId: cell.id,
    rootUnitId: cell.unit_id,
    status: cell.status,
    noticesWritten: cell.notices_written,
    answering: cell.answering,
    now: warning.now_ms,
    warning: {
      warningId: warning.id,
      kind: warning.kind,
      revision: warning.revision,
      status: warning.status,
      issuedAt: warning.issued_ms,
      expiresAt: warning.expires_ms,
      rules: warning.rules,
    },
  };
}

/** Takes letters out of the inbox, what stops a send first. They are gone when the step commits, and only then. */
export async function takeInbox(sql: Sql, cellId: number, most: number): Promise<InboxLetter[]> {
  const rows = await sql.query<{ unit_id: number | null; body: unknown }>(
    `delete from inbox where id = any(array(
       select id from inbox where cell_id = $1 order by priority, id limit $2))
     returning unit_id, body`,
    [cellId, most],
    'take-inbox',
  );
  return rows.map((row) => ({ unitId: row.unit_id, body: row.body }) as InboxLetter);
}

/** Sends letters to the inboxes of the cells that carry their units. Units outside the warning are passed over. */
export async function putLetters(sql: Sql, warningId: number, letters: readonly Letter[]): Promise<void> {
  if (letters.length === 0) return;
  await sql.query(
    `insert into inbox (cell_id, unit_id, priority, body)
     select c.id, l.unit_id, l.priority, l.body
     from unnest($2::int[], $3::smallint[], ${jsonTexts('$4')}) as l (unit_id, priority, body)
     join units u on u.id = l.unit_id
     join cells c on c.warning_id = $1 and c.unit_id = u.cell_unit_id`,
    [
      warningId,
      letters.map((letter) => letter.unitId),
      letters.map((letter) => messageOrder(letter.message.kind)),
      joinJson(letters.map((letter) => letter.message)),
    ],
    'put-letters',
  );
}

/** Puts one letter for the cell itself. `settled` comes before timers, `ended` before everything. */
export async function putCellLetter(sql: Sql, cellId: number, letter: CellLetter): Promise<void> {
  const priority = letter.kind === 'ended' ? 0 : messageOrder('handed off');
  await sql.query(
    'insert into inbox (cell_id, priority, body) values ($1, $2, $3)',
    [cellId, priority, JSON.stringify(letter)],
    'put-cell-letter',
  );
}

/** Rings every cell of a warning at its next step: it was cancelled or superseded. */
export async function putEnded(sql: Sql, warningId: number): Promise<void> {
  await sql.query(
    `insert into inbox (cell_id, priority, body) select id, 0, $2 from cells where warning_id = $1`,
    [warningId, JSON.stringify({ kind: 'ended' } satisfies CellLetter)],
  );
}

/**
 * Units of the cell with a timer due and no letter waiting. None while a settlement waits: it may move any timer. None while
 * everything is paused.
 */
export async function dueUnits(sql: Sql, cellId: number, now: number, most: number): Promise<number[]> {
  const rows = await sql.query<{ unit_id: number }>(
    `select s.unit_id from unit_states s
     where s.cell_id = $1 and s.next_at <= to_timestamp($2::float8 / 1000)
       and not exists (select from inbox i where i.cell_id = $1 and i.unit_id = s.unit_id)
       and not exists (select from inbox i where i.cell_id = $1 and i.unit_id is null) and not ${PAUSED}
     order by s.next_at limit $3`,
    [cellId, now, most],
    'due-units',
  );
  return rows.map((row) => row.unit_id);
}

/** Units of the cell that have not ended yet, for a warning that has. */
export async function unendedUnits(sql: Sql, cellId: number, most: number): Promise<number[]> {
  const rows = await sql.query<{ unit_id: number }>(
    'select unit_id from unit_states where cell_id = $1 and ended is null limit $2',
    [cellId, most],
    'unended-units',
  );
  return rows.map((row) => row.unit_id);
}

/** What is left of the cell: mail, timers, units, pages. */
export async function cellRest(sql: Sql, cellId: number, pagesMost: number): Promise<CellRest> {
  const [rest] = await sql.query<{
    mail: boolean;
    next_deadline: number | null;
    next_retry: number | null;
    unended: boolean;
    now: number;
  }>(
    `select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now,
       exists (select from inbox where cell_id = $1) as mail,
       (select extract(epoch from min(next_at)) * 1000 from unit_states where cell_id = $1 and not ${PAUSED})::float8
         as next_deadline,
       (select extract(epoch from min(due_at)) * 1000 from retries where cell_id = $1)::float8 as next_retry,
       exists (select from unit_states where cell_id = $1 and ended is null) as unended`,
    [cellId],
    'cell-rest',
  );
  const openPages = await sql.query<OpenPage>(
    `select id as "pageId", channel, size, purpose, step from pages
     where cell_id = $1 and ended_at is null
     order by purpose = 'household', step = 0 and purpose = any($3) desc, id limit $2`,
    [cellId, pagesMost, FIRST_WORDS],
    'open-pages',
  );
  return {
    mail: rest?.mail ?? false,
    nextDeadline: rest?.next_deadline ?? null,
    nextRetry: rest?.next_retry ?? null,
    unended: rest?.unended ?? false,
    openPages,
    now: rest?.now ?? 0,
  };
}

/** How the tiers of one cell stand, of the units that were opened. */
export async function countCellTiers(sql: Sql, cellId: number): Promise<TierCount[]> {
  return sql.query<TierCount>(
    `select tier, count(*)::int as units, count(told_at)::int as told, count(answered_at)::int as answered,
       count(silent_at)::int as silent
     from unit_states where cell_id = $1 group by tier order by min(unit_id)`,
    [cellId],
    'count-cell-tiers',
  );
}

/** Leaves the cell: when it is next due, and whether it is closed. */
export async function leaveCell(sql: Sql, cellId: number, input: CellLeft): Promise<void> {
  await sql.query(
    `update cells set stepped_at = clock_timestamp(), steps = steps + 1,
       next_deadline = to_timestamp($2::float8 / 1000), ring_after = to_timestamp($6::float8 / 1000),
       status = case when $3 then 'closed' else 'open' end,
       notices_written = $4, answering = $5
     where id = $1`,
    [cellId, input.nextDeadline, input.closed, input.noticesWritten, input.answering, input.ringAfter],
    'leave-cell',
  );
}

/**
 * The warning's own end: the first step after its expiry writes it down. Gives back how it ended: the statement waits for a cancel
 * or an update that is under way, and a step that took such a one for an expiry closed its cell without telling anybody of the cancel.
 */
export async function markExpired(sql: Sql, warningId: number): Promise<Ending> {
  await sql.query(
    `update warnings set status = 'expired', ended_at = expires_at
     where id = $1 and status = 'open' and expires_at <= clock_timestamp()`,
    [warningId],
    'mark-expired',
  );
  const [warning] = await sql.query<{ status: WarningStatus }>(
    'select status from warnings where id = $1',
    [warningId],
    'how-ended',
  );
  return warning === undefined || warning.status === 'open' ? 'expired' : warning.status;
}

/** Appends what a step took, with its time; nothing is appended for a step that took nothing. */
export async function appendAudit(sql: Sql, cellId: number, now: number, body: unknown): Promise<void> {
  await sql.query(
    'insert into audit (cell_id, at, body) values ($1, to_timestamp($2::float8 / 1000), $3)',
    [cellId, now, JSON.stringify(body)],
    'append-audit',
  );
}

/** Puts letters aside and marks their units as faulty: shown as such, and not taken by the clock again and again. */
export async function putDeadLetters(
  sql: Sql,
  cellId: number,
  dead: readonly { letter: Letter; reason: string }[],
): Promise<void> {
  if (dead.length === 0) return;
  await sql.query(
    `insert into dead_letters (cell_id, unit_id, body, reason)
     select $1, * from unnest($2::int[], ${jsonTexts('$3')}, $4::text[])`,
    [
      cellId,
      dead.map(({ letter }) => letter.unitId),
      joinJson(dead.map(({ letter }) => letter.message)),
      dead.map(({ reason }) => reason),
    ],
  );
  await sql.query(
    'update unit_states set faulty = true, next_at = null where cell_id = $1 and unit_id = any($2)',
    [cellId, dead.map(({ letter }) => letter.unitId)],
  );
}
