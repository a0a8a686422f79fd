/** Counts for whoever watches the installation over time; ids, names and addresses stay out. */
import type { Sql } from './database.ts';

export type Backlog = {
  /** Letters that wait for a step. */
  letters: number;
  /** Attempts that wait for their time. */
  retries: number;
  /** Pages that are not sent to the end. */
  pages: number;
  /** Letters that no step could take; each wants a person to look. */
  deadLetters: number;
};

/** What waits at this moment. */
export async function readBacklog(sql: Sql): Promise<Backlog> {
  const [backlog] = await sql.query<Backlog>(
    `select (select count(*) from inbox)::int as letters, (select count(*) from retries)::int as retries,
       (select count(*) from pages where ended_at is null)::int as pages,
       (select count(*) from dead_letters)::int as "deadLetters"`,
  );
  return backlog ?? { letters: 0, retries: 0, pages: 0, deadLetters: 0 };
}
