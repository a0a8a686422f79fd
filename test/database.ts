/** A schema of its own for each test file, fresh and at the newest version. */
import { openDatabase, type Database } from '../db/database.ts';
import { migrate } from '../db/migrate.ts';

/** PostgreSQL cuts longer names off, and two files would share a schema. */
const NAME_CHARACTERS_MOST = 58;

/**
 * Opens the schema `test_<name>`, dropped and migrated anew; `name` is the test file's. The caller closes it.
 * The server is the one of DATABASE_URL, which the global set-up provides.
 */
export async function testDatabase(name: string): Promise<Database> {
  const url = process.env['DATABASE_URL'];
  if (url === undefined) throw new Error('DATABASE_URL is not set: run the tests by `npm test`');
  const word = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  if (word.length > NAME_CHARACTERS_MOST)
    throw new RangeError(`${name} is too long for the name of a schema`);
  const database = openDatabase({ url, schema: `test_${word}`, asOwner: true });
  await database.query(`drop schema if exists test_${word} cascade`);
  await migrate(database);
  return database;
}
