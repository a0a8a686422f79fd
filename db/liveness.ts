/** Signs of life: who was there, and when last, by PostgreSQL's clock; and when nobody was there to take answers. */
import type { WarningKind } from '../domain/kinds.ts';
import type { Outage } from '../domain/outages.ts';
import type { Sql } from './database.ts';

/** All web processes of one kind share one name: its answers are taken while any of them lives. */
export const INTAKE_SIGNS: Readonly<Record<WarningKind, string>> = { exercise: 'web', actual: 'web actual' };
/**
 * So long without a sign of a web process, which comes every second, is an outage. Less would take a busy second for one; of
 * an outage's first seconds nothing is known yet, so a deadline in them passes as usual.
 */
export const OUTAGE_AFTER_MS = 3_000;
/** The last so many outages of a warning count; a web process that comes and goes all the time makes no step slow. */
const OUTAGES_MOST = 100;
/** A worker that was started again has another name; those that have been gone for a day are of no use to anybody. */
const FORGET_AFTER = '1 day';

/** Writes one sign of life. */
export async function beat(sql: Sql, name: string): Promise<void> {
  await sql.query(
    `insert into liveness (name, at) values ($1, clock_timestamp())
     on conflict (name) do update set at = excluded.at`,
    [name],
    'beat',
  );
}

/** A sign that is good for `forMs` more: whoever gives it comes by again until then. */
export async function beatFor(sql: Sql, name: string, forMs: number): Promise<void> {
  await sql.query(
    `insert into liveness (name, at) values ($1, clock_timestamp() + $2 * interval '1 millisecond')
     on conflict (name) do update set at = excluded.at`,
    [name, forMs],
  );
}

/** Takes a sign back: whoever gave it has ended in good order, and nobody is to miss it. */
export async function endSign(sql: Sql, name: string): Promise<void> {
  await sql.query('delete from liveness where name = $1', [name]);
}

/** Names seen within the last `withinMs`. */
export async function alive(sql: Sql, withinMs: number): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    `select name from liveness where at > clock_timestamp() - $1 * interval '1 millisecond' and name not like 'mark %'
     order by name`,
    [withinMs],
  );
  return rows.map((row) => row.name);
}

/**
 * A sign of life of a web process. Where none of its kind had shown one for some seconds, that is written down as an outage, once:
 * its key is the old sign, which is the same for all that come back together.
 */
export async function beatIntake(sql: Sql, kind: WarningKind): Promise<void> {
  await sql.query(
    `with before as (select at from liveness where name = $1),
       outage as (
         insert into intake_outages (kind, began_at, ended_at)
         select $3, at, clock_timestamp() from before where at < clock_timestamp() - $2 * interval '1 millisecond'
         on conflict do nothing returning began_at)
     -- It reads the other first: once the row is changed, its old sign is out of sight.
     insert into liveness (name, at) select $1, clock_timestamp() from (select count(*) from outage) written
     on conflict (name) do update set at = excluded.at`,
    [INTAKE_SIGNS[kind], OUTAGE_AFTER_MS, kind],
    'beat-intake',
  );
}

/**
 * The outages of a kind's answer intake that reach past `since`, the open one included. None where no such web process ever lived: an
 * installation that takes answers by command alone must not wait for one.
 */
export async function intakeOutages(
  sql: Sql,
  input: { kind: WarningKind; since: number; now: number },
): Promise<Outage[]> {
  return sql.query<Outage>(
    `select floor(extract(epoch from began_at) * 1000)::float8 as "from",
       ceil(extract(epoch from ended_at) * 1000)::float8 as until
     from (
       (select began_at, ended_at from intake_outages where kind = $6 and ended_at > to_timestamp($2::float8 / 1000)
        order by began_at desc limit $5)
       union all
       select at, null from liveness where name = $1
         and at < to_timestamp($3::float8 / 1000) - $4 * interval '1 millisecond') o`,
    [INTAKE_SIGNS[input.kind], input.since, input.now, OUTAGE_AFTER_MS, OUTAGES_MOST, input.kind],
    'intake-outages',
  );
}

/** Forgets the names of workers that are long gone and serve nothing any more (db/kinds.ts); the last sign of anybody else is kept. */
export async function forgetOld(sql: Sql): Promise<void> {
  await sql.query(
    `delete from liveness where name like 'worker %' and at < clock_timestamp() - $1::interval
       and at < (select max(at) from liveness where name like 'worker %')
       and not exists (select from serving s where s.name = liveness.name)`,
    [FORGET_AFTER],
  );
}

/** Up to when something is known (its name begins with `mark `), in milliseconds of the database's clock; null where nothing is. And that clock. */
export async function readMark(sql: Sql, name: string): Promise<{ mark: number | null; now: number }> {
  const [row] = await sql.query<{ mark: number | null; now: number }>(
    `select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now,
       (select floor(extract(epoch from at) * 1000)::float8 from liveness where name = $1) as mark`,
    [name],
    'read-mark',
  );
  return row ?? { mark: null, now: 0 };
}

/** Moves a mark on, never back. */
export async function writeMark(sql: Sql, name: string, instant: number): Promise<void> {
  await sql.query(
    `insert into liveness as l (name, at) values ($1, to_timestamp($2::float8 / 1000))
     on conflict (name) do update set at = greatest(l.at, excluded.at)`,
    [name, instant],
    'write-mark',
  );
}
