/**
 * The schema of a drill: its role, what that role may do, and a copy of the tree and of the people whom the drill concerns. All of it
 * is done by the owner of the tables; the copy has none of the people's real addresses.
 */
import type { Database, Sql } from './database.ts';
import { APPLICATION_ROLE, DRILL_POOL_MOST } from './database.ts';
import { inScope } from './warnings.ts';

/** What a copy of a whole city may take, in one statement. */
export const SNAPSHOT_MS_MOST = 300_000;

/**
 * Connections of one drill, all its processes together: two pools of the worker and one of each web process, which are two where people
 * agreed, one more for what is said back to them, and three of whoever conducts it.
 */
export const DRILL_CONNECTIONS_MOST = 4 * DRILL_POOL_MOST + 4;

/** True where a role or a schema has this name: of roles there is one set for all databases of a server. */
export async function isTaken(sql: Sql, name: string): Promise<boolean> {
  const [row] = await sql.query<{ taken: boolean }>(
    `select exists (select from pg_roles where rolname = $1) or exists (select from pg_namespace where nspname = $1) as taken`,
    [name],
  );
  return row?.taken ?? false;
}

/**
 * Makes the role that a drill's processes log in as, or gives the one that is there another password. It inherits nothing and is a
 * member of nothing: what it may do, `grantLikeApplication` says. PostgreSQL itself sees to it that it never has more connections than
 * one drill may have.
 */
export async function readyRole(sql: Sql, role: string, password: string): Promise<void> {
  const [known] = await sql.query('select from pg_roles where rolname = $1', [role]);
  const verb = known ? 'alter' : 'create';
  await execute(
    sql,
    `${verb} role %I login noinherit nosuperuser nocreatedb nocreaterole connection limit ${DRILL_CONNECTIONS_MOST} password %L`,
    [role, password],
  );
}

/** Of the connections that PostgreSQL gives to logins without privileges: all drills together have no more than this part of them. */
const SHARE_OF_DRILLS = 0.5;

/** How many drills may be conducted at the same time, so that live processes always find a connection; one at least. */
export async function drillsAtOnceMost(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ connections: number }>(
    `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true), '0')::int as connections`,
  );
  return Math.max(1, Math.floor(((row?.connections ?? 0) * SHARE_OF_DRILLS) / DRILL_CONNECTIONS_MOST));
}

/** Gives the role, in this schema alone, every right that the application's role has there, table by table and column by column. */
export async function grantLikeApplication(sql: Sql, role: string): Promise<void> {
  await execute(sql, 'grant usage on schema %I to %I', [await currentSchema(sql), role]);
  const grants = await sql.query<{ statement: string }>(
    `with relations as (
       select c.oid, c.relacl, c.relkind, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = current_schema() and c.relkind in ('r', 'p', 'v', 'S'))
     select format('grant %s on %s %s to %I', a.privilege_type, case r.relkind when 'S' then 'sequence' else 'table' end, r.name,
       $1::text) as statement
     from relations r cross join lateral aclexplode(r.relacl) a where a.grantee = $2::regrole
     union all
     select format('grant %s (%I) on table %s to %I', a.privilege_type, t.attname, r.name, $1::text)
     from relations r join pg_attribute t on t.attrelid = r.oid and t.attnum > 0 and not t.attisdropped
     cross join lateral aclexplode(t.attacl) a where a.grantee = $2::regrole`,
    [role, APPLICATION_ROLE],
  );
  await sql.query(grants.map(({ statement }) => statement).join(';\n'));
}

/** Removes schema and role with all they have, also half-made ones. */
export async function dropDrillSchema(sql: Sql, schema: string): Promise<void> {
  await execute(sql, 'drop schema if exists %I cascade', [schema]);
  const [known] = await sql.query('select from pg_roles where rolname = $1', [schema]);
  if (!known) return;
  await execute(sql, 'drop owned by %I', [schema]);
  await execute(sql, 'drop role %I', [schema]);
}

/** What was copied. */
export type Snapshot = {
  units: number;
  people: number;
  addresses: number;
  posts: number;
  /** Of the roster: those under way and those to come. */
  duties: number;
  households: number;
};

/**
 * Copies from the live schema into this one, as of one moment: all units with their ids; of those that a warning over these areas
 * concerns, the posts held now, the roster from now on, their people, and the households. Each distinct address becomes one that cannot
 * exist, the same one wherever it stood, and everybody counts as made up, so that no live channel would take them. The roster changes
 * at the drill's speed, as if the story began now.
 */
export async function copySnapshot(
  database: Database,
  live: string,
  { areaIds, speed }: { areaIds: readonly number[]; speed: number },
): Promise<Snapshot> {
  return database.transaction(async (sql) => {
    await sql.query(
      `set transaction isolation level repeatable read; set local idle_in_transaction_session_timeout = '60s'`,
    );
    const from = (table: string) => `"${live}".${table}`;
    const units = await count(
      sql,
      `insert into units (id, code, name, tier, parent_id, path, cell_unit_id, synthetic) overriding system value
       select id, code, name, tier, parent_id, path, cell_unit_id, synthetic from ${from('units')}`,
    );
    await sql.query(
      `create temp table concerned on commit drop as
       select u.id from units u where ${inScope(`'{${areaIds.join(',')}}'::int[]`)}`,
    );
    await sql.query(
      `create temp table held on commit drop as
       select p.id, p.unit_id, p.person_id, p.title, p.rank, p.held_from
       from ${from('posts')} p join concerned on concerned.id = p.unit_id
       where p.held_from <= clock_timestamp() and (p.held_until is null or p.held_until > clock_timestamp());
       create temp table rostered on commit drop as
       select d.id, d.unit_id, d.rank, d.person_id, ${atPace('d.from_at', speed)} as from_at, ${atPace('d.until_at', speed)} as until_at
       from ${from('duties')} d join concerned on concerned.id = d.unit_id where d.until_at > now();
       create temp table told on commit drop as
       select h.* from ${from('households')} h join concerned on concerned.id = h.unit_id;
       create temp table involved on commit drop as
       select person_id from held union select person_id from rostered;
       create temp table addressed on commit drop as
       select c.* from ${from('person_channels')} c join involved using (person_id);
       create temp table made_up on commit drop as
       select kind, address, row_number() over () as n
       from (select ${KIND} as kind, address from addressed union select ${KIND}, address from told) known;
       analyze held, rostered, involved, told, addressed, made_up`,
    );
    const people = await count(
      sql,
      `insert into people (id, reference, name, language, synthetic) overriding system value
       select p.id, case when ${LIKE_AN_ADDRESS} then 'drill ' || p.id else p.reference end, p.name, p.language, true
       from ${from('people')} p join involved on involved.person_id = p.id`,
    );
    const addresses = await count(
      sql,
      `insert into person_channels (person_id, channel, address, fault, fault_at, proven_at)
       select c.person_id, c.channel, ${MADE_UP}, c.fault, c.fault_at, c.proven_at
       from addressed c join made_up m on m.kind = ${KIND} and m.address = c.address`,
    );
    const posts = await count(
      sql,
      `insert into posts (id, unit_id, person_id, title, rank, held_from) overriding system value select * from held`,
    );
    const duties = await count(
      sql,
      `insert into duties (id, unit_id, rank, person_id, from_at, until_at) overriding system value select * from rostered`,
    );
    const households = await count(
      sql,
      `insert into households (id, unit_id, name, channel, address, language, synthetic, fault, fault_at, proven_at)
         overriding system value
       select c.id, c.unit_id, c.name, c.channel, ${MADE_UP}, c.language, true, c.fault, c.fault_at, c.proven_at
       from told c join made_up m on m.kind = ${KIND} and m.address = c.address`,
    );
    // What leads outside is known here too: a process of the drill that is given a live sender does not start.
    await sql.query(
      `insert into kind_marks (mark, kind, variable) select mark, kind, variable from ${from('kind_marks')} where kind <> 'exercise'`,
    );
    await sql.query('select analyze_organisation()');
    return { units, people, addresses, posts, duties, households };
  });
}

/** An instant as far from now as the drill needs to come to it. */
const atPace = (instant: string, speed: number) => `now() + (${instant} - now()) / ${speed}::float8`;

/** A telephone is one address, whether it is written to or called. */
const KIND = `case when channel in ('sms', 'voice') then 'phone' else channel end`;

/**
 * Telephone numbers as in operations/generate-numbers.ts, which cannot exist; mail that RFC 2606 gives to nobody; names of loudspeakers,
 * robots and topics that only stand-ins know.
 */
const MADE_UP = `case m.kind when 'phone' then '+86100' || (20000000 + m.n)
  when 'email' then 'a' || m.n || '@drill.example' else 'drill-' || m.n end`;

/** Somebody without a staff number is known by the telephone or the mail address: a key that looks like one is left behind. */
const LIKE_AN_ADDRESS = `(p.reference ~ '@' or p.reference ~ '^[+0-9][0-9 ()./-]{5,}$')`;

/** How many posts in these areas are held now: nobody can be told where there is none. */
export async function countPosts(sql: Sql, areaIds: readonly number[]): Promise<number> {
  const [row] = await sql.query<{ posts: number }>(
    `select count(*)::int as posts from posts p join units u on u.id = p.unit_id
     where p.held_from <= clock_timestamp() and (p.held_until is null or p.held_until > clock_timestamp())
       and ${inScope('$1::int[]')}`,
    [areaIds],
  );
  return row?.posts ?? 0;
}

async function count(sql: Sql, statement: string): Promise<number> {
  const [row] = await sql.query<{ rows: number }>(
    `with written as (${statement} returning 1) select count(*)::int as rows from written`,
  );
  return row?.rows ?? 0;
}

async function currentSchema(sql: Sql): Promise<string> {
  const [row] = await sql.query<{ name: string }>('select current_schema() as name');
  return row?.name ?? '';
}

/** A statement that takes no values of its own: names and texts are quoted by PostgreSQL's `format`. */
async function execute(sql: Sql, form: string, values: readonly string[]): Promise<void> {
  const [row] = await sql.query<{ statement: string }>(
    `select format($1, ${values.map((_, place) => `$${place + 2}::text`).join(', ')}) as statement`,
    [form, ...values],
  );
  await sql.query(row?.statement ?? '');
}
