/** The wall between kinds, as PostgreSQL keeps it: whose a sender is, who serves which kind, and what came to the wrong side. */
import type { KindFacts, LivingWorker, SenderSide, WarningKind } from '../domain/kinds.ts';
import type { Database, Sql } from './database.ts';
import { alive } from './liveness.ts';

/** Something that belongs to one side: its keyed hash, and the variable that holds it. */
export type Mark = { mark: string; variable: string };

/** Binds marks to a side, all or none. Gives back the variables whose marks belong to another one; then nothing is bound. */
export async function bindMarks(
  database: Database,
  kind: SenderSide,
  marks: readonly Mark[],
): Promise<string[]> {
  return database.transaction(async (sql) => {
    // In one order for all, so that processes that start together do not wait for each other.
    const sorted = [...new Map(marks.map((one) => [one.mark, one])).values()].sort((one, other) =>
      one.mark < other.mark ? -1 : 1,
    );
    const taken = await sql.query<{ mark: string }>(
      `select mark from kind_marks where mark = any($1) and kind <> $2`,
      [sorted.map(({ mark }) => mark), kind],
    );
    const foreign = new Set(taken.map(({ mark }) => mark));
    if (foreign.size === 0) {
      const bound = await sql.query<{ mark: string }>(
        `insert into kind_marks (mark, kind, variable) select mark, $3, variable from unnest($1::text[], $2::text[]) as m (mark, variable)
         on conflict (mark) do update set variable = excluded.variable, used_at = clock_timestamp()
           where kind_marks.kind = excluded.kind
         returning mark`,
        [sorted.map(({ mark }) => mark), sorted.map(({ variable }) => variable), kind],
      );
      // Another side came first, just now.
      const own = new Set(bound.map(({ mark }) => mark));
      for (const { mark } of sorted) if (!own.has(mark)) foreign.add(mark);
    }
    return marks.filter(({ mark }) => foreign.has(mark)).map(({ variable }) => variable);
  });
}

/** What a process serves, under the name of its sign of life. Those that are long gone are forgotten. */
export async function sayServing(
  sql: Sql,
  serving: LivingWorker & { name: string; kind: WarningKind; part: 'worker' | 'web' },
): Promise<void> {
  await sql.query(
    `with gone as (
       delete from serving s where started_at < clock_timestamp() - interval '1 day' and name <> $1 and exists (
         select from serving n where n.kind = s.kind and n.part = s.part and n.started_at > s.started_at)
         and not exists (select from liveness l where l.name = s.name and l.at > clock_timestamp() - interval '1 day'))
     insert into serving (name, kind, part, senders, namespace, public_url) values ($1, $2, $3, $4, $5, $6)
     on conflict (name) do update set kind = excluded.kind, part = excluded.part, senders = excluded.senders,
       namespace = excluded.namespace, public_url = excluded.public_url, started_at = clock_timestamp()`,
    [serving.name, serving.kind, serving.part, serving.senders, serving.namespace, serving.publicUrl],
  );
}

/** Writes down that a payload came to the wrong side; once for each, with how often. */
export async function noteMisdirected(
  sql: Sql,
  note: { what: 'cell' | 'page'; subject: number; warningId: number; kind: WarningKind; served: WarningKind },
): Promise<void> {
  await sql.query(
    `insert into misdirected (what, subject, warning_id, kind, served) values ($1, $2, $3, $4, $5)
     on conflict (what, subject, served) do update set times = misdirected.times + 1, last_at = clock_timestamp()`,
    [note.what, note.subject, note.warningId, note.kind, note.served],
  );
}

/** How the installation stands for one kind; `aliveWithinMs`: who has shown life since then lives. */
export async function readKindFacts(sql: Sql, kind: WarningKind, aliveWithinMs: number): Promise<KindFacts> {
  const names = await alive(sql, aliveWithinMs);
  const said = await sql.query<LivingWorker & { name: string; part: 'worker' | 'web'; seenAt: number }>(
    `select name, part, senders, namespace, public_url as "publicUrl",
       (extract(epoch from greatest(s.started_at, (select at from liveness l where l.name = s.name))) * 1000)::float8 as "seenAt"
     from serving s where kind = $1 order by name`,
    [kind],
  );
  const [rest] = await sql.query<{ misdirected: number; twoPersons: boolean }>(
    `with acting as (
       select g.operator_id, g.role from grants g join operators o on o.id = g.operator_id
       where g.revoked_at is null and o.revoked_at is null)
     select
       (select count(*) from misdirected
        where served = $1 and last_at > clock_timestamp() - interval '1 day')::int as misdirected,
       exists (select from acting r join acting d on d.operator_id <> r.operator_id
         where r.role = 'releaser' and d.role in ('author', 'releaser', 'duty officer')) as "twoPersons"`,
    [kind],
  );
  const workers = said.filter(({ part }) => part === 'worker');
  const living = said.filter(({ name }) => names.includes(name));
  return {
    kind,
    seenAt: workers.length > 0 ? Math.max(...workers.map(({ seenAt }) => seenAt)) : null,
    workers: living.filter(({ part }) => part === 'worker'),
    web: living.some(({ part }) => part === 'web'),
    misdirected: rest?.misdirected ?? 0,
    twoPersons: rest?.twoPersons ?? false,
  };
}
