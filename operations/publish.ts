/** Publishing 发布: the one way in which a warning enters the cascade, whoever asked for it and on whose word. */
import { putLetters } from '../db/cells.ts';
import type { Sql } from '../db/database.ts';
import {
  countReds,
  findIncident,
  insertWarning,
  keepRulePack,
  readCellRoots,
  readWarning,
  type NewWarning,
} from '../db/warnings.ts';
import { FenghuoError } from '../domain/errors.ts';
import { risen } from '../domain/revisions.ts';
import type { RulePack, Rules } from '../domain/rules.ts';
import { MINUTE_MS } from '../domain/time.ts';
import type { Message } from '../domain/unit.ts';
import { requireNoDenial } from './warning-request.ts';

/** Warnings of one hazard over the same places within this time are one incident where the rule pack says nothing. Product choice. */
const INCIDENT_MS = 24 * 60 * MINUTE_MS;

/**
 * Writes the warning, its cells and the letters that open them, in the caller's transaction; gives back its number. Where it repeats
 * others of its incident urgency rises, but for released rules: they go out as they were released (`risenRules` is for the draft).
 */
export async function publishWarning(sql: Sql, pack: RulePack, warning: NewWarning): Promise<number> {
  const { textZh, textEn, correctionZh, correctionEn } = warning;
  requireNoDenial(warning.kind, [textZh, textEn, correctionZh, correctionEn]);
  if (!(await keepRulePack(sql, pack))) {
    throw new FenghuoError({
      code: 'rule-pack-changed',
      refusal: 'conflict',
      sentence: `Rule pack ${pack.id} version ${pack.version} was used before with other content. Raise its version and try again.`,
    });
  }
  const incidentId = await incidentOf(sql, warning);
  const rules = warning.releaseId == null ? await risenRules(sql, warning) : warning.rules;
  const warningId = await insertWarning(sql, { ...warning, rules, incidentId });
  // Where nobody above has to be waited for, every cell opens at once (直达基层); the superior's own letter finds it open.
  const waits = (tier: string) => rules.descendWaitMs[tier] !== undefined;
  const roots = (await readCellRoots(sql, warningId)).filter((root) => !root.tiersAbove.some(waits));
  const message: Message = { kind: 'opened' };
  await putLetters(
    sql,
    warningId,
    roots.map((root) => ({ unitId: root.unitId, message })),
  );
  return warningId;
}

/** A warning as far as its incident is looked for. */
type Repeating = Pick<
  NewWarning,
  'kind' | 'hazard' | 'level' | 'areaIds' | 'rules' | 'speed' | 'supersedesId'
>;

/** The rules by which a warning goes out: those of its level, risen where it is not the first red of its incident. */
export async function risenRules(sql: Sql, warning: Repeating): Promise<Rules> {
  if (warning.level !== 'red') return warning.rules;
  const incidentId = await incidentOf(sql, warning);
  const reds = incidentId === null ? 0 : await countReds(sql, incidentId);
  const before = warning.supersedesId == null ? null : await readWarning(sql, warning.supersedesId);
  return risen(warning.rules, before?.level === 'red' ? reds : reds + 1);
}

/** An update belongs to the incident of what it supersedes, however long that has lasted. */
async function incidentOf(sql: Sql, warning: Repeating): Promise<number | null> {
  const { kind, hazard, areaIds, rules, speed, supersedesId } = warning;
  const before = supersedesId == null ? null : await readWarning(sql, supersedesId);
  if (before) return before.incidentId ?? before.warningId;
  const withinMs = rules.repeated?.withinMs ?? INCIDENT_MS / speed;
  return findIncident(sql, { kind, hazard, areaIds, withinMs });
}
