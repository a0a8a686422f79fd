/** Imports and the generator change the tree one at a time: each reads what is there and writes the difference. */
import { FenghuoError } from '../domain/errors.ts';
import type { Sql } from './database.ts';

/** PostgreSQL's code for a lock that was not had within `lock_timeout`. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Held until the transaction ends; refused as a conflict when another import does not end in time. */
export async function lockOrganisation(sql: Sql): Promise<void> {
  await lock(sql, `select pg_advisory_xact_lock(hashtextextended('organisation ' || current_schema(), 0))`);
}

/** Keeps every other writer of these tables out until the transaction ends; reading and answering go on. */
export async function lockOrganisationTables(sql: Sql): Promise<void> {
  await lock(sql, 'lock table units, people, person_channels, posts, households in share row exclusive mode');
}

/** No warning is issued or ended until this transaction ends: what `openWarningsConcerning` finds stays true. */
export async function lockWarnings(sql: Sql): Promise<void> {
  await lock(sql, 'lock table warnings in share mode');
}

/**
 * For the rest of the transaction. Between its statements an import compares a whole province, and writes it in one
 * statement: the limits that guard short work are too narrow for that.
 */
export async function allowLongWork(sql: Sql): Promise<void> {
  await sql.query(
    `select set_config('idle_in_transaction_session_timeout', '60s', true), set_config('statement_timeout', '60s', true)`,
  );
}

async function lock(sql: Sql, statement: string): Promise<void> {
  try {
    await sql.query(statement);
  } catch (error) {
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
    throw new FenghuoError({
      code: 'organisation-busy',
      refusal: 'conflict',
      sentence:
        'Another import, the generator or a warning being issued holds the organisation. Try again in a moment.',
      cause: error,
    });
  }
}
