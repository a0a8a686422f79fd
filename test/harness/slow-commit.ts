/** A transaction that has written and whose commit is long in coming: what happens meanwhile does not see it, and it does not see that. */
import type { Database } from '../../db/database.ts';

export type HoldingCommit = {
  /** Its first transaction waits with the commit. */
  database: Database;
  /** Everything is written. */
  stored: Promise<void>;
  commit: () => void;
};

export function holdingCommit(database: Database): HoldingCommit {
  let commit = () => {};
  let written = () => {};
  const stored = new Promise<void>((resolve) => (written = resolve));
  const allowed = new Promise<void>((resolve) => (commit = resolve));
  const transaction: Database['transaction'] = (work) =>
    database.transaction(async (sql) => {
      const result = await work(sql);
      written();
      await allowed;
      return result;
    });
  return { database: { ...database, transaction }, stored, commit };
}
