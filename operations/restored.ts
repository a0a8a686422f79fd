/** After a restore from a backup, before the first worker starts. */
import { appendRecord } from '../db/audit.ts';
import { seal } from '../db/audit-seal.ts';
import type { Database } from '../db/database.ts';
import { alive } from '../db/liveness.ts';
import {
  abandonDueRetries,
  abandonOpenPages,
  renewIncarnation,
  ringOpenCells,
  skipLostIds,
} from '../db/restored.ts';
import { FenghuoError } from '../domain/errors.ts';

export type Restored = {
  /** Part of the workflow ids from now on. */
  incarnation: number;
  openWarnings: number;
  /** Deliveries that may have been made since the backup; they are made again, flagged. */
  possibleDuplicates: number;
};

/** Workers show themselves every few seconds. */
const ALIVE_WITHIN_MS = 15_000;

/**
 * Makes a restored database ready: a new incarnation, nothing open taken for unsent. Each further call flags again what is open
 * then. Refuses where a worker shows life: that is the database somebody works on.
 */
export async function declareRestored(database: Database): Promise<Restored> {
  const restored = await database.transaction(async (sql) => {
    const workers = (await alive(sql, ALIVE_WITHIN_MS)).filter((name) => name.startsWith('worker'));
    if (workers.length > 0) {
      throw new FenghuoError({
        code: 'workers-alive',
        refusal: 'conflict',
        sentence:
          'Workers are at work on this database. Check DATABASE_URL; if it is the restored one, stop them, wait 15 s and try again.',
        details: workers,
      });
    }
    const incarnation = await renewIncarnation(sql);
    const possibleDuplicates = (await abandonOpenPages(sql)) + (await abandonDueRetries(sql));
    await skipLostIds(sql);
    const said = { incarnation, openWarnings: await ringOpenCells(sql), possibleDuplicates };
    await appendRecord(sql, { kind: 'restored', warningId: null, actor: null, body: said });
    return said;
  });
  // At once: from the next seal on, what the lost time had sealed can be told from what follows (domain/anchors.ts).
  await seal(database);
  return restored;
}
