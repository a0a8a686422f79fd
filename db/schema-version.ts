/** Which migrations there are, and which of them a schema has. */
import { readdir } from 'node:fs/promises';
import type { Database } from './database.ts';

/** The migrations of this release, oldest first. */
export async function knownMigrations(): Promise<string[]> {
  const files = await readdir(new URL('migrations/', import.meta.url));
  return files
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort();
}

/** The migrations a schema has, oldest first; none where it was never migrated. */
export async function readAppliedMigrations(database: Database): Promise<string[]> {
  const [found] = await database.query<{ there: boolean }>(
    `select to_regclass(format('%I.migrations', $1::text)) is not null as there`,
    [database.schema],
  );
  if (found?.there !== true) return [];
  const rows = await database.query<{ name: string }>('select name from migrations order by id');
  return rows.map(({ name }) => name);
}
