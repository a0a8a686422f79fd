/** Brings a schema to the newest version: numbered, forward-only SQL files, under a lock, each in its transaction. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import type { Database } from './database.ts';

const directory = join(dirname(fileURLToPath(import.meta.url)), 'migrations');

/** Applies what is missing; gives back the names of the migrations that were applied. Safe to run from many processes. */
export async function migrate(
  database: Database,
  log: (line: string) => void = () => undefined,
): Promise<string[]> {
  return database.withClient(async (client) => {
    // Another process may hold the lock for as long as its migrations take.
    await client.query("set lock_timeout = '60s'; set statement_timeout = 0");
    const applied = await runner({
      dbClient: client,
      dir: directory,
      direction: 'up',
      schema: database.schema,
      createSchema: true,
      migrationsTable: 'migrations',
      migrationsSchema: database.schema,
      count: Infinity,
      log: () => undefined,
      advisoryLockMode: 'wait',
    });
    await client.query('reset all');
    for (const { name } of applied) log(`migration ${name} applied`);
    return applied.map(({ name }) => name);
  });
}
