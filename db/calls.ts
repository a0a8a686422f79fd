/**
 * Telephoning by hand: which lines are to be called, who has taken one, and what came of it. A line is a silent unit of an open
 * warning; the unique index of open calls is what keeps two officers from the same one.
 */
import type { WarningKind } from '../domain/kinds.ts';
import { LEVELS, type LevelId } from '../domain/levels.ts';
import type { Sql } from './database.ts';
import { SILENT_PEOPLE, SILENT_UNIT, type SilentUnit } from './warnings.ts';

export type CallOutcome = 'received' | 'done' | 'cannot act' | 'no answer' | 'wrong number' | 'given back';

export type Line = SilentUnit & {
  warningId: number;
  kind: WarningKind;
  hazard: string;
  level: LevelId;
  /** Who has taken it, and until when; null where it is free. */
  takenBy: string | null;
  takenUntil: number | null;
};

/** A line somebody has taken. */
export type Call = Line & { callId: number; personId: number | null; takenBy: string; takenUntil: number };

const LEVEL_ORDER = `array[${LEVELS.map(({ id }) => `'${id}'`).join(', ')}]`;

/** In the list of columns, so that people are looked up only for the lines that are shown, not for all that are sorted. */
const LINE = `${SILENT_UNIT}, w.id as "warningId", w.kind, w.hazard, w.level, ${SILENT_PEOPLE} as people, k.officer as "takenBy",
  floor(extract(epoch from k.taken_until) * 1000)::float8 as "takenUntil"`;

const TABLES = `unit_states s join units u on u.id = s.unit_id join warnings w on w.id = s.warning_id
  left join calls k on k.warning_id = s.warning_id and k.unit_id = s.unit_id and k.outcome is null
    and k.taken_until > clock_timestamp()`;

/** `$1` the warning or null for all that are open. Answers count from their commit on, before any step has seen them. */
const SILENT = `w.status = 'open' and ($1::int is null or w.id = $1) and s.status <> 'answered' and s.ended is null
  and s.silent_at is not null and not exists (
    select from answers a where a.warning_id = s.warning_id and a.unit_id = s.unit_id and a.household_id is null)`;

const MOST_URGENT = `order by array_position(${LEVEL_ORDER}, w.level), cardinality(u.path), s.silent_at, w.id, s.unit_id`;

/** So many of the most urgent free lines are looked through for one of which somebody has a number. */
const LOOKED_AT_MOST = 1_000;

/** Silent units of one open warning or of all, most urgent first: by level, tier, and how long silent. */
export async function readLines(
  sql: Sql,
  input: { warningId: number | null; most: number },
): Promise<Line[]> {
  return sql.query<Line>(`select ${LINE} from ${TABLES} where ${SILENT} ${MOST_URGENT} limit $2`, [
    input.warningId,
    input.most,
  ]);
}

/**
 * The most urgent lines that nobody has taken and of which somebody has a number they were not called at in vain within
 * `restMs`; without those that this officer gave back within `restMs`. With `areaIds` only lines of these units and below.
 */
export async function readFreeLines(
  sql: Sql,
  input: {
    warningId: number | null;
    officer: string;
    restMs: number;
    most: number;
    areaIds: readonly number[] | null;
  },
): Promise<Line[]> {
  return sql.query<Line>(
    `with free as materialized (
       select s.warning_id, s.unit_id, row_number() over () as place
       from (
         select s.warning_id, s.unit_id from ${TABLES}
         where ${SILENT} and ($5::int[] is null or u.path && $5::int[]) and k.officer is null and not exists (
           select from calls b where b.warning_id = s.warning_id and b.unit_id = s.unit_id and b.officer = $3
             and b.outcome = 'given back' and b.ended_at < b.taken_until
             and b.ended_at > clock_timestamp() - $2 * interval '1 millisecond')
         ${MOST_URGENT} limit ${LOOKED_AT_MOST}) s)
     select ${LINE} from ${TABLES} join free f on f.warning_id = s.warning_id and f.unit_id = s.unit_id
     where exists (
       select from json_to_recordset(${SILENT_PEOPLE}) as p (phone text, "triedAt" float8)
       where p.phone is not null
         and coalesce(p."triedAt", 0) < extract(epoch from clock_timestamp()) * 1000 - $2::float8)
     order by f.place limit $4`,
    [input.warningId, input.restMs, input.officer, input.most, input.areaIds],
  );
}

/** Frees lines that were taken too long ago; those that are being recorded at this moment are left. */
export async function freeOverdueCalls(sql: Sql): Promise<void> {
  await sql.query(
    `update calls set outcome = 'given back', ended_at = taken_until where id in (
       select id from calls where outcome is null and taken_until <= clock_timestamp() for update skip locked)`,
  );
}

/** Takes a line for `takenMs`; null where another officer was faster, even if only by a moment: their commit is waited for. */
export async function insertCall(
  sql: Sql,
  input: { warningId: number; unitId: number; personId: number; officer: string; takenMs: number },
): Promise<{ callId: number; takenUntil: number } | null> {
  const [row] = await sql.query<{ callId: number; takenUntil: number }>(
    `insert into calls (warning_id, unit_id, person_id, officer, taken_until)
     values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond')
     on conflict (warning_id, unit_id) where outcome is null do nothing
     returning id as "callId", floor(extract(epoch from taken_until) * 1000)::float8 as "takenUntil"`,
    [input.warningId, input.unitId, input.personId, input.officer, input.takenMs],
  );
  return row ?? null;
}

/** The line an officer has taken and not ended; null where they have none. */
export async function readOwnCall(
  sql: Sql,
  input: { warningId: number | null; officer: string },
): Promise<Call | null> {
  const [call] = await sql.query<Call>(
    `select ${LINE}, k.id as "callId", k.person_id as "personId" from ${TABLES}
     where ${SILENT} and k.officer = $2 order by k.id limit 1`,
    [input.warningId, input.officer],
  );
  return call ?? null;
}

export type EndedCall = {
  warningId: number;
  unitId: number;
  personId: number | null;
  officer: string;
  unit: string;
};

/**
 * Ends a call with its outcome; null where that was done before. What somebody said counts also where the line had meanwhile
 * been freed by time.
 */
export async function endCall(sql: Sql, callId: number, outcome: CallOutcome): Promise<EndedCall | null> {
  const [row] = await sql.query<EndedCall>(
    `update calls c set outcome = $2, ended_at = clock_timestamp() from units u
     where c.id = $1 and u.id = c.unit_id
       and (c.outcome is null or (c.outcome = 'given back' and c.ended_at = c.taken_until and $2 <> 'given back'))
     returning c.warning_id as "warningId", c.unit_id as "unitId", c.person_id as "personId", c.officer, u.name as unit`,
    [callId, outcome],
  );
  return row ?? null;
}

/** What a call came to; null where there is no such call, `open` where it has no outcome yet. */
export async function readCallOutcome(sql: Sql, callId: number): Promise<CallOutcome | 'open' | null> {
  const [row] = await sql.query<{ outcome: CallOutcome | null }>('select outcome from calls where id = $1', [
    callId,
  ]);
  return row ? (row.outcome ?? 'open') : null;
}

/** Marks somebody's telephone number as one that cannot be used, for calls and messages alike. */
export async function markWrongNumber(sql: Sql, personId: number): Promise<void> {
  await sql.query(
    `update person_channels c set fault = 'bad-contact', fault_at = clock_timestamp()
     where c.person_id = $1 and c.channel in ('sms', 'voice') and c.address = (
       select d.address from person_channels d where d.person_id = $1 and d.channel in ('voice', 'sms')
         and d.fault is distinct from 'bad-contact' order by d.channel desc limit 1)`,
    [personId],
  );
}
