/**
 * Revisions of a warning that is out: update, cancel, retract. A warning never changes: an update is another warning that takes its
 * place, in one transaction, and from its commit on the guard stops every send of the old one that has not begun.
 */
import { appendRecord } from '../db/audit.ts';
import { carryAnswers } from '../db/chains.ts';
import { putEnded } from '../db/cells.ts';
import type { Database, Sql } from '../db/database.ts';
import { readKeptRulePack } from '../db/drafts.ts';
import {
  endWarning,
  lockOpen,
  readNewest,
  readWarning,
  supersedeWarning,
  type NewWarning,
  type WarningRow,
} from '../db/warnings.ts';
import type { FenghuoError } from '../domain/errors.ts';
import { findHazard } from '../domain/hazards.ts';
import { findLevel, type Level } from '../domain/levels.ts';
import { askingOf, type Asking } from '../domain/revisions.ts';
import { resolveRules, rulePackSchema, type RulePack } from '../domain/rules.ts';
import { isStandardText, standardCorrection, standardText } from '../domain/texts.ts';
import { findUnits } from './organisation-find.ts';
import { publishWarning } from './publish.ts';
import { checkText, needsDraft, readExpiry, refuse, requireNoDenial } from './warning-request.ts';

/**
 * Puts a warning in the place of an open one; gives back its number. What both must have in common: kind and hazard. Throws a conflict
 * that names the successor where another update was first, or says how the old one ended. `actor`: who did it, null for the engine itself.
 */
export async function updateWarning(
  sql: Sql,
  pack: RulePack,
  supersedesId: number,
  warning: NewWarning,
  actor: string | null = null,
): Promise<number> {
  if (!(await lockOpen(sql, supersedesId))) throw await notOpen(sql, supersedesId);
  const before = await requireWarningRow(sql, supersedesId);
  if (before.kind !== warning.kind || before.hazard !== warning.hazard) {
    throw refuse(
      'update-of-another',
      `W${supersedesId} is of another kind or hazard: issue a new warning instead of an update.`,
      [],
      'usage',
    );
  }
  const asking = askingOf(before, warning);
  const warningId = await publishWarning(sql, pack, { ...warning, supersedesId, asksAgain: asking.again });
  await carryAnswers(sql, supersedesId, {});
  // Last, so that what was sent until the commit was sent before the end that is written down: a city's answers take a second.
  await supersedeWarning(sql, supersedesId);
  await putEnded(sql, supersedesId);
  await appendRecord(sql, {
    kind: 'update',
    warningId,
    actor,
    body: { supersedes: supersedesId, asksAgain: asking.again, because: asking.because },
  });
  return warningId;
}

/** How a warning is ended: lifted, or withdrawn because it was false. Texts stand in for the standing words of the all-clear. */
export type Cancel = {
  reason: string | null;
  retracted: boolean;
  textZh?: string;
  textEn?: string;
  /** Who does it; null or left out where the engine itself does. */
  actor?: string | null;
};

/** Cancels: from the commit on the guard stops every send that has not begun; those possibly told get the all-clear. */
export async function endByCancel(sql: Sql, warningId: number, how: Cancel): Promise<void> {
  const warning = await requireWarningRow(sql, warningId);
  const corrected = how.retracted ? correctionOf(warning) : { textZh: null, textEn: null };
  const { reason, retracted, textZh = corrected.textZh, textEn = corrected.textEn, actor = null } = how;
  requireNoDenial(warning.kind, [textZh, textEn]);
  if (!(await endWarning(sql, warningId, { reason, retracted, textZh, textEn })))
    throw await notOpen(sql, warningId);
  await putEnded(sql, warningId);
  await appendRecord(sql, {
    kind: retracted ? 'retract' : 'cancel',
    warningId,
    actor,
    body: { reason, textZh, textEn },
  });
}

/** What was written and released with the warning for this case; else the standing words. */
function correctionOf(warning: WarningRow): { textZh: string; textEn: string } {
  return {
    textZh: warning.correctionZh ?? standardCorrection('zh', warning),
    textEn: warning.correctionEn ?? standardCorrection('en', warning),
  };
}

/** What an update changes; what is left out stays. */
export type UpdateRequest = {
  level?: string;
  areas?: string[];
  expires?: string;
  textZh?: string;
  textEn?: string;
};

export type PreparedUpdate = { pack: RulePack; warning: NewWarning; asking: Asking };

/** What an update would put in the place of a warning; nothing is written. Refuses where it has ended or nothing would change. */
export async function prepareUpdate(
  sql: Sql,
  before: WarningRow,
  request: UpdateRequest,
): Promise<PreparedUpdate> {
  if (Object.values(request).every((value) => value === undefined)) {
    throw refuse(
      'nothing-changes',
      'Nothing would change. Give what is new: --level, --area, --expires or --text-file.',
      [],
      'usage',
    );
  }
  await requireOpen(sql, before);
  const level = request.level === undefined ? findLevel(before.level) : findLevel(request.level);
  if (!level) throw refuse('level', `"${request.level ?? ''}" is not a level.`, [], 'usage');
  requireLevelOfHazard(before, level);
  const units = [];
  for (const area of request.areas ?? []) units.push(await findUnits(sql, area));
  const areaIds = units.length > 0 ? [...new Set(units.map(({ id }) => id))] : before.areaIds;
  const areas = units.length > 0 ? units.map(({ name }) => name) : before.areas;
  const pack = rulePackSchema.parse(
    await readKeptRulePack(sql, before.rules.pack.id, before.rules.pack.version),
  );
  const { kind, hazard, issuer, speed } = before;
  // The standing words name level, areas and time: they are written anew. What somebody wrote stays.
  const textOf = (language: 'zh' | 'en', text: string) =>
    isStandardText(language, before) ? standardText(language, wording) : text;
  const wording = { issuer, hazard, level: level.id, areas, issuedAt: Date.now() };
  const correction = (language: 'zh' | 'en', text: string | null) =>
    text === standardCorrection(language, before) ? standardCorrection(language, wording) : text;
  const expiresAt =
    request.expires === undefined
      ? before.expiresAt
      : Date.now() + Math.round(readExpiry(request.expires) / speed);
  const warning: NewWarning = {
    ...{ kind, hazard, issuer, speed, areaIds, expiresAt },
    level: level.id,
    correctionZh: correction('zh', before.correctionZh),
    correctionEn: correction('en', before.correctionEn),
    textZh: checkText(request.textZh) ?? textOf('zh', before.textZh),
    textEn: checkText(request.textEn) ?? textOf('en', before.textEn),
    lastsMs: Math.max(1, expiresAt - Date.now()),
    rules: resolveRules(pack, level.id, speed),
  };
  return { pack, warning, asking: askingOf(before, warning) };
}

/** Updates an Exercise: a new warning in its place. Gives back both. */
export async function updateExercise(
  database: Database,
  supersedesId: number,
  request: UpdateRequest,
  actor: string | null = null,
): Promise<{ before: WarningRow; after: WarningRow; asking: Asking }> {
  return database.transaction(async (sql) => {
    const before = await requireWarningRow(sql, supersedesId);
    if (before.kind === 'actual') throw needsDraft();
    const { pack, warning, asking } = await prepareUpdate(sql, before, request);
    const warningId = await updateWarning(sql, pack, supersedesId, warning, actor);
    return { before, after: await requireWarningRow(sql, warningId), asking };
  });
}

function requireLevelOfHazard({ hazard }: WarningRow, level: Level): void {
  const known = findHazard(hazard);
  if (!known || known.levels.includes(level.id)) return;
  throw refuse(
    'level-of-hazard',
    `${known.zh} has no ${level.zh} warnings; it has: ${known.levels.join(', ')}.`,
    [],
    'usage',
  );
}

async function requireWarningRow(sql: Sql, warningId: number): Promise<WarningRow> {
  const warning = await readWarning(sql, warningId);
  if (warning) return warning;
  throw refuse(
    'no-such-warning',
    `There is no warning W${warningId}. \`fenghuo warning list\` shows all.`,
    [],
    'notFound',
  );
}

/** Refuses to begin what would come to nothing: the warning has ended. Of two at once `lockOpen` decides. */
export async function requireOpen(
  sql: Sql,
  { warningId, status, expiresAt }: Pick<WarningRow, 'warningId' | 'status' | 'expiresAt'>,
): Promise<void> {
  if (status !== 'open' || expiresAt <= Date.now()) throw await notOpen(sql, warningId);
}

/** Why nothing can be done with a warning any more: what took its place is what can. */
async function notOpen(sql: Sql, warningId: number): Promise<FenghuoError> {
  const warning = await requireWarningRow(sql, warningId);
  if (warning.status === 'superseded') {
    const newest = await readNewest(sql, warning.chainId);
    return refuse(
      'superseded',
      `W${warningId} was replaced by W${warning.supersededById ?? newest}. The warning that counts now is W${newest}: name that one.`,
      [],
      'conflict',
    );
  }
  const status = warning.status === 'open' ? 'expired' : warning.status;
  return refuse('not-open', `W${warningId} is ${status} already; nothing was done.`, [], 'conflict');
}
