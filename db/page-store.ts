/** The page's port over PostgreSQL. */
import type { PageStore } from '../domain/store.ts';
import { abandonedSlices, claimSlice } from './claims.ts';
import type { Database } from './database.ts';
import { settleSlice } from './settlements.ts';

export function createPageStore(database: Database): PageStore {
  return {
    claim: (pageId, input) => claimSlice(database, pageId, input),
    abandoned: (pageId, serves) => abandonedSlices(database, pageId, serves),
    settle: (slice) => settleSlice(database, slice),
  };
}
