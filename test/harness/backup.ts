/** A backup as `pg_dump` takes it, one moment of one schema, and its restore into another: for machines without that program. */
import { openDatabase, type Database, type Sql } from '../../db/database.ts';
import { migrate } from '../../db/migrate.ts';

export type Backup = { url: string; tables: { name: string; rows: string }[] };

const TABLES = `select c.relname as name from pg_class c where c.relnamespace = current_schema()::regnamespace
  and c.relkind = 'r' and c.relname <> 'migrations' order by 1`;

/** Everything as it stands at one moment, whatever goes on meanwhile. */
export async function takeBackup(database: Database, url: string): Promise<Backup> {
  return database.transaction(async (sql) => {
    await sql.query('set transaction isolation level repeatable read, read only');
    const tables: Backup['tables'] = [];
    for (const { name } of await sql.query<{ name: string }>(TABLES)) {
      const [table] = await sql.query<{ rows: string }>(
        `select coalesce(json_agg(t), '[]')::text as rows from ${name} t`,
      );
      tables.push({ name, rows: table?.rows ?? '[]' });
    }
    return { url, tables };
  });
}

/** A new schema with what the backup holds. */
export async function restoreBackup(backup: Backup, schema: string): Promise<Database> {
  const database = openDatabase({ url: backup.url, schema, asOwner: true });
  await database.query(`drop schema if exists ${schema} cascade`);
  await migrate(database);
  await database.transaction(async (sql) => {
    // As pg_restore does for data alone: the order of tables does not matter.
    await sql.query('set local session_replication_role = replica');
    for (const { name, rows } of backup.tables) {
      await sql.query(`delete from ${name}`);
      await sql.query(
        `insert into ${name} overriding system value select * from json_populate_recordset(null::${name}, $1)`,
        [rows],
      );
      await restoreSequences(sql, name);
    }
  });
  return database;
}

async function restoreSequences(sql: Sql, table: string): Promise<void> {
  const columns = await sql.query<{ name: string }>(
    `select attname as name from pg_attribute where attrelid = $1::regclass and attidentity <> ''`,
    [table],
  );
  for (const { name } of columns) {
    await sql.query(
      `select setval(pg_get_serial_sequence($1, $2), (select coalesce(max(${name}), 0) + 1 from ${table}))`,
      [table, name],
    );
  }
}
