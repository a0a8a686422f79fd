/** Publishing 发布: the one way in which a warning enters the cascade, whoever asked for it and on whose word. */
import { putLetters } from '../db/cells.ts';
import type { Sql } from '../db/database.ts';
import { insertWarning, keepRulePack, readCellRoots, type NewWarning } from '../db/warnings.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { RulePack } from '../domain/rules.ts';
import type { Message } from '../domain/unit.ts';

/** Writes the warning, its cells and the letters that open them, in the caller's transaction; gives back its number. */
export async function publishWarning(sql: Sql, pack: RulePack, warning: NewWarning): Promise<number> {
  if (!(await keepRulePack(sql, pack))) {
    throw new FenghuoError({
      code: 'rule-pack-changed',
      refusal: 'conflict',
      sentence: `Rule pack ${pack.id} version ${pack.version} was used before with other content. Raise its version and try again.`,
    });
  }
  const warningId = await insertWarning(sql, warning);
  // Where nobody above has to be waited for, every cell opens at once (直达基层); the superior's own letter finds it open.
  const waits = (tier: string) => warning.rules.descendWaitMs[tier] !== undefined;
  const roots = (await readCellRoots(sql, warningId)).filter((root) => !root.tiersAbove.some(waits));
  const message: Message = { kind: 'opened' };
  await putLetters(
    sql,
    warningId,
    roots.map((root) => ({ unitId: root.unitId, message })),
  );
  return warningId;
}
