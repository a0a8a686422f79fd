/**
 * Chains of warnings: each supersedes the one before. What was told and answered under the earlier ones is asked for here. None of
 * these statements runs for a warning that supersedes nothing.
 */
import { messageOrder, type UnitId } from '../domain/unit.ts';
import type { Channel } from '../domain/rules.ts';
import type { ToldBefore } from '../domain/revisions.ts';
import type { Audience } from '../domain/store.ts';
import type { Sql } from './database.ts';

/** A slice whose lease ran out so long ago is no longer waited for: whoever had it sends nothing more. */
const UNSETTLED_SECONDS_MAX = 10;

/** A message that left, or may have. Merged is what went along with another message to the same person. */
export const POSSIBLY_TOLD = `outcome in ('handed off', 'unknown', 'merged')`;

/** SQL for the ids of the warnings of a chain up to this one, as an array; `before` without itself. */
export function chainUpTo(warning: string, before = false): string {
  return `array(select c.id from warnings w join warnings c on c.id ${before ? '<' : '<='} w.id
    and (c.id = coalesce(w.chain_id, w.id) or c.chain_id = w.chain_id) where w.id = ${warning})`;
}

/** SQL for the newest warning of a chain. */
export function newestOf(warning: string): string {
  return `coalesce((select max(c.id) from warnings w join warnings c on c.chain_id = coalesce(w.chain_id, w.id)
    where w.id = ${warning}), ${warning})`;
}

/** SQL for whether unit `u` lies in the area, or on the way down to it, of any of these warnings. */
export function inAnyScope(warnings: string): string {
  return `exists (select from warning_areas x join units au on au.id = x.unit_id
    where x.warning_id = any(${warnings}) and (x.unit_id = any(u.path) or u.id = any(au.path)))`;
}

/** SQL for the ids of the warnings of a chain behind this one, as an array. */
function chainBehind(warning: string): string {
  return `array(select c.id from warnings w join warnings c on c.id > w.id and c.chain_id = coalesce(w.chain_id, w.id)
    where w.id = ${warning})`;
}

/**
 * Everybody in the cell to whom the end is to be said, once for each channel, by the unit with the lowest number; see
 * `StepTransaction.findPossiblyTold`. Of a superseded warning each unit is spoken to by the last link of the chain that has it. Slices of
 * dead workers, which nobody has settled yet, count: their messages may have gone out.
 */
export async function findToldInCell(
  sql: Sql,
  cell: { cellId: number; warningId: number },
): Promise<{ recipient_id: number; audience: Audience; channel: Channel; unit_id: UnitId }[]> {
  return sql.query(
    `with chain as materialized (
       select k.id from cells own join cells k on k.unit_id = own.unit_id
         and k.warning_id = any(${chainUpTo('$2')}) where own.id = $1),
     told as (
       select d.recipient_id, d.audience, d.channel, d.unit_id, d.purpose, d.at from deliveries d
       where d.warning_id = any(${chainUpTo('$2')}) and d.cell_id = any(array(select id from chain)) and d.${POSSIBLY_TOLD}
       union all
       select m.recipient_id, p.audience, p.channel, m.unit_id, p.purpose, least(k.lease_until, clock_timestamp())
       from pages p join claims k on k.page_id = p.id and k.settled_at is null
       cross join lateral unnest(p.unit_ids[k.first + 1 : k.first + k.size], p.recipients[k.first + 1 : k.first + k.size])
         as m (unit_id, recipient_id)
       where p.cell_id = any(array(select id from chain)) and p.ended_at is null and p.purpose <> 'cancel notice')
     select d.recipient_id, d.audience, d.channel, min(d.unit_id) as unit_id
     from told d join units u on u.id = d.unit_id
     where ${inAnyScope('array[$2::int]')} and not ${inAnyScope(chainBehind('$2'))}
     group by d.recipient_id, d.audience, d.channel
     having max(d.at) filter (where d.purpose <> 'cancel notice')
       > coalesce(max(d.at) filter (where d.purpose = 'cancel notice'), '-infinity')
     order by d.recipient_id, d.audience, d.channel`,
    [cell.cellId, cell.warningId],
    'told-in-cell',
  );
}

/** Of these units, those that a later warning of the chain has in its area. */
export async function findInLaterScope(
  sql: Sql,
  warningId: number,
  unitIds: readonly UnitId[],
): Promise<Set<UnitId>> {
  const rows = await sql.query<{ id: number }>(
    `select u.id from units u where u.id = any($2) and ${inAnyScope(chainBehind('$1'))}`,
    [warningId, [...new Set(unitIds)]],
    'in-later-scope',
  );
  return new Set(rows.map(({ id }) => id));
}

/** See `StepTransaction.findToldBefore`; with the members of slices that are under way, whose outcome nobody knows yet. */
export async function findToldBefore(
  sql: Sql,
  warningId: number,
  unitIds: readonly UnitId[],
): Promise<{ unitId: UnitId; personId: number; channel: Channel }[]> {
  return sql.query(
    `with before as materialized (select ${chainUpTo('$1', true)} as ids)
     select d.unit_id as "unitId", d.recipient_id as "personId", d.channel from deliveries d, before
     where d.warning_id = any(before.ids) and d.unit_id = any($2) and d.audience = 'people' and d.${POSSIBLY_TOLD}
       and d.purpose <> 'cancel notice'
     union
     select m.unit_id, m.recipient_id, p.channel from before join pages p on p.warning_id = any(before.ids) and p.ended_at is null
     join claims k on k.page_id = p.id and k.settled_at is null
     cross join lateral unnest(p.unit_ids[k.first + 1 : k.first + k.size], p.recipients[k.first + 1 : k.first + k.size])
       as m (unit_id, recipient_id)
     where m.unit_id = any($2) and p.audience = 'people' and p.purpose <> 'cancel notice'
     order by 2, 3, 1`,
    [warningId, unitIds],
    'told-before',
  );
}

/** What a recipient was told last before, and whether by this page's channel. */
export type Told = ToldBefore & { here: boolean };

/** What the members of a slice were told last by the warnings that theirs supersedes, by `unit recipient`. */
export async function readTold(
  sql: Sql,
  page: { warningId: number; audience: Audience; channel: Channel },
  members: readonly { unitId: UnitId; recipientId: number }[],
): Promise<Map<string, Told>> {
  const rows = await sql.query<Told & { unit_id: number; recipient_id: number }>(
    `select t.unit_id, t.recipient_id, t.here, w.level, w.text_zh as "textZh", w.text_en as "textEn",
       (extract(epoch from w.expires_at) * 1000)::float8 as "expiresAt"
     from (
       select d.unit_id, d.recipient_id, max(d.warning_id) as last, bool_or(d.channel = $5) as here from deliveries d
       where d.warning_id = any(${chainUpTo('$1', true)}) and d.unit_id = any($2) and d.recipient_id = any($3)
         and d.audience = $4 and d.${POSSIBLY_TOLD} and d.purpose <> 'cancel notice'
       group by d.unit_id, d.recipient_id) t
     join warnings w on w.id = t.last`,
    [
      page.warningId,
      [...new Set(members.map(({ unitId }) => unitId))],
      [...new Set(members.map(({ recipientId }) => recipientId))],
      page.audience,
      page.channel,
    ],
    'read-told',
  );
  return new Map(rows.map(({ unit_id, recipient_id, ...told }) => [toldKey(unit_id, recipient_id), told]));
}

export function toldKey(unitId: UnitId, recipientId: number): string {
  return `${unitId} ${recipientId}`;
}

/**
 * For how long slices of the superseded warnings may still go out in this cell, in milliseconds; null where none can. A page of the
 * new warning waits for them: what a person reads last must be what counts.
 */
export async function chainSendsForMs(sql: Sql, cellId: number): Promise<number | null> {
  const [row] = await sql.query<{ wait_ms: number | null }>(
    `select (extract(epoch from max(k.lease_until) - clock_timestamp()) * 1000)::float8 as wait_ms
     from cells own join warnings w on w.id = own.warning_id
     join warnings c on c.id < w.id and (c.id = w.chain_id or c.chain_id = w.chain_id)
     join cells old on old.warning_id = c.id and old.unit_id = own.unit_id
     join pages p on p.cell_id = old.id and p.ended_at is null
     join claims k on k.page_id = p.id and k.settled_at is null
       and k.lease_until > clock_timestamp() - interval '${UNSETTLED_SECONDS_MAX} seconds'
     where own.id = $1`,
    [cellId],
    'chain-sends',
  );
  return row?.wait_ms ?? null;
}

/** SQL for the letter to a cell that a household of these units (a JSON array) answered a superseded warning. */
export function householdAnswered(unitIds: string): string {
  return `json_build_object('kind', 'household answered', 'unitIds', ${unitIds})`;
}

/**
 * Copies answers to a warning to the one that took its place, with a letter for each, where that asks for no new answer: those of
 * these units, of one cell, or all; none twice. The copy names the answer it stands for. What households said has no letter, but
 * where the next warning was superseded itself: its cell carries it on. Where that is over otherwise, what was said before its end stands for
 * it all the same: a commit that took long must not leave somebody out who had answered.
 */
export async function carryAnswers(
  sql: Sql,
  warningId: number,
  of: { unitIds?: readonly UnitId[]; cellUnitId?: UnitId },
): Promise<void> {
  if (of.unitIds?.length === 0) return;
  await sql.query(
    `with successor as (
       select id, status, case when status in ('cancelled', 'expired') then coalesce(ended_at, expires_at) end as over_at
       from warnings where supersedes_id = $1 and not asks_again),
     carried as (
       insert into answers (warning_id, unit_id, person_id, household_id, kind, done_count, via, delivery_id, vouched_by, how,
         at, carried_from)
       select s.id, a.unit_id, a.person_id, a.household_id, a.kind, a.done_count, a.via, a.delivery_id, a.vouched_by, a.how,
         a.at, a.id
       from successor s join answers a on a.warning_id = $1 and ($2::int[] is null or a.unit_id = any($2))
       join units u on u.id = a.unit_id and ($5::int is null or u.cell_unit_id = $5)
       where ${inAnyScope('array[s.id]')} and a.at < coalesce(s.over_at, 'infinity') and not exists (select from answers c where c.carried_from = a.id)
       order by a.id
       returning warning_id, unit_id, household_id, kind, at)
     insert into inbox (cell_id, unit_id, priority, body)
     select c.id, a.unit_id, case a.kind when 'cannot act' then $4::smallint else $3::smallint end, json_build_object(
       'kind', case a.kind when 'cannot act' then a.kind else 'answered' end, 'answer', a.kind,
       'at', floor(extract(epoch from a.at) * 1000), 'carried', true)
     from carried a join units u on u.id = a.unit_id join cells c on c.warning_id = a.warning_id and c.unit_id = u.cell_unit_id
     where a.household_id is null
     union all
     select c.id, null, $3::smallint, ${householdAnswered('json_agg(distinct a.unit_id)')}
     from carried a join successor s on s.id = a.warning_id and s.status = 'superseded' join units u on u.id = a.unit_id
     join cells c on c.warning_id = a.warning_id and c.unit_id = u.cell_unit_id
     where a.household_id is not null group by c.id`,
    [
      ...[warningId, of.unitIds ?? null, messageOrder('answered'), messageOrder('cannot act')],
      of.cellUnitId ?? null,
    ],
    'carry-answers',
  );
}
