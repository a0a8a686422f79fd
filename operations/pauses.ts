/** Everything stands still, and goes on again: by name, and with a reason. */
import { appendRecord } from '../db/audit.ts';
import type { Database } from '../db/database.ts';
import { allowLongWork } from '../db/organisation-lock.ts';
import {
  beginPause,
  endPause,
  hasOpenActual,
  lockOpenCells,
  moveTimers,
  pausedSince,
  type Pause,
} from '../db/pauses.ts';
import { FenghuoError } from '../domain/errors.ts';
import { isoWithOffset } from '../domain/time.ts';
import { refusalOf } from './refusals.ts';

/** From now on nothing is sent but what is being handed over at this moment, and no deadline passes. */
export async function pauseEverything(
  database: Database,
  input: { by: string; reason: string },
): Promise<Pause> {
  const by = required(input.by, '--by');
  const reason = required(input.reason, '--reason');
  const begun = await database.transaction(async (sql) => {
    if (!(await beginPause(sql, { by, reason }))) return false;
    await appendRecord(sql, { kind: 'pause', warningId: null, actor: by, body: { reason } });
    return true;
  });
  const pause = await pausedSince(database);
  if (begun && pause) return pause;
  throw new FenghuoError({
    code: 'already-paused',
    refusal: 'conflict',
    sentence: pause
      ? `Everything stands still already: ${pause.by} paused it at ${isoWithOffset(pause.since)} (${pause.reason}).`
      : 'The pause was ended at the same moment. Pause again if that is still what you want.',
  });
}

export type EndedPause = Pause & { until: number };

/**
 * Everything goes on, with the time it had left when it was paused. While an actual warning is open nobody lets it go on without being logged in:
 * `actor` is who. To stop needs nobody, for what goes wrong must be stopped by whoever sees it.
 */
export async function resumeEverything(
  database: Database,
  input: { by: string; actor?: string | null },
): Promise<EndedPause> {
  const by = required(input.by, '--by');
  return database.transaction(async (sql) => {
    await allowLongWork(sql);
    await lockOpenCells(sql);
    if ((input.actor ?? null) === null && (await hasOpenActual(sql))) throw refusalOf('no-operator');
    const pause = await endPause(sql, by);
    if (!pause) {
      throw new FenghuoError({
        code: 'not-paused',
        refusal: 'conflict',
        sentence: 'Nothing is paused, so there is nothing to resume.',
      });
    }
    await moveTimers(sql, pause);
    await appendRecord(sql, { kind: 'resume', warningId: null, actor: by, body: { began: pause } });
    return pause;
  });
}

function required(text: string, option: string): string {
  const trimmed = text.trim();
  if (trimmed !== '') return trimmed;
  throw new FenghuoError({
    code: 'empty-option',
    refusal: 'usage',
    sentence: `${option} is empty. Say it in a word or two: it is kept for the record.`,
  });
}
