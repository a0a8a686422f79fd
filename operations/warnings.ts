/** What a forecaster does with a warning: plan, issue, cancel, look. Functions that return data; the CLI and the web print it. */
import { findHazard, HAZARDS, type Hazard } from '../domain/hazards.ts';
import { findLevel, LEVELS, type Level } from '../domain/levels.ts';
import { resolveRules, type Rules } from '../domain/rules.ts';
import { standardText } from '../domain/texts.ts';
import { TIERS, tierDepth } from '../domain/tiers.ts';
import type { Database, Sql } from '../db/database.ts';
import { pausedSince, type Pause } from '../db/pauses.ts';
import {
  readEndNotices,
  readHouseholdStanding,
  readLatestEvents,
  readProgress,
  readSilentUnits,
  readStanding,
  readWarning,
  readWarnings,
  type EndNotices,
  type Progress,
  type SilentUnit,
  type TierStanding,
  type WarningEvent,
  type WarningRow,
} from '../db/warnings.ts';
import { findUnits } from './organisation-find.ts';
import { publishWarning } from './publish.ts';
import { readRulePack } from './rule-packs.ts';
import { endByCancel, type Cancel } from './updates.ts';
import { checkText, needsDraft, readExpiry, refuse } from './warning-request.ts';

export type WarningRequest = {
  hazard: string;
  level: string;
  /** Paths of names or codes; ambiguous ones are refused with the list. */
  areas: string[];
  /** `+6h`, `+90m`, or an instant with offset. */
  expires: string;
  textZh?: string;
  textEn?: string;
  issuer: string;
  /** Divides the rule pack's minutes and the time to expiry. Exercises only. @default 1 */
  speed?: number;
  rulePackFile?: string;
  actual?: boolean;
};

export type PreparedWarning = {
  hazard: Hazard;
  level: Level;
  areaIds: number[];
  areas: string[];
  /** Time to expiry after division by the speed. */
  lastsMs: number;
  speed: number;
  rules: Rules;
  textZh: string;
  textEn: string;
  issuer: string;
};

const SPEED_MAX = 3_600;

/** Checks a request against the tree and the rule pack; nothing is written. Every refusal says what to do. */
export async function prepareWarning(database: Database, request: WarningRequest): Promise<PreparedWarning> {
  if (request.actual && (request.speed ?? 1) !== 1)
    throw refuse('speed', 'An actual warning runs at the pace of life: leave out --speed.');
  const speed = request.speed ?? 1;
  if (!(speed >= 1 && speed <= SPEED_MAX))
    throw refuse('speed', `--speed must lie between 1 and ${SPEED_MAX}.`);
  const { hazard, level, areaIds, areas } = await findOccasion(database, request);
  const lastsMs = Math.round(readExpiry(request.expires) / speed);
  const pack = await readRulePack(request.rulePackFile);
  const wording = { issuer: request.issuer, hazard: hazard.code, level: level.id, issuedAt: Date.now() };
  return {
    hazard,
    level,
    areaIds,
    areas,
    lastsMs,
    speed,
    rules: resolveRules(pack, level.id, speed),
    textZh: checkText(request.textZh) ?? standardText('zh', { ...wording, areas }),
    textEn: checkText(request.textEn) ?? standardText('en', { ...wording, areas }),
    issuer: request.issuer,
  };
}

/** What a warning is about, as somebody names it. */
export type Occasion = Pick<WarningRequest, 'hazard' | 'level' | 'areas'>;

/** Finds hazard, level and areas; every refusal says what to do. */
export async function findOccasion(
  sql: Sql,
  named: Occasion,
): Promise<Pick<PreparedWarning, 'hazard' | 'level' | 'areaIds' | 'areas'>> {
  const hazard = findHazard(named.hazard) ?? refuseHazard(named.hazard);
  const level = findLevel(named.level) ?? refuseLevel(named.level);
  if (!hazard.levels.includes(level.id)) {
    throw refuse(
      'level-of-hazard',
      `${hazard.zh} has no ${level.zh} warnings; it has: ${hazard.levels.join(', ')}.`,
    );
  }
  if (named.areas.length === 0)
    throw refuse('area', 'Name at least one area with --area, such as 黔江区/濯水镇.');
  const units = [];
  for (const area of named.areas) units.push(await findUnits(sql, area));
  return {
    hazard,
    level,
    areaIds: [...new Set(units.map((unit) => unit.id))],
    areas: units.map((unit) => unit.name),
  };
}

/** Issues an Exercise: one transaction for the warning, its cells and the letters that open them. */
export async function issueWarning(
  database: Database,
  request: WarningRequest,
): Promise<{ warningId: number }> {
  if (request.actual) throw needsDraft();
  const prepared = await prepareWarning(database, request);
  const pack = await readRulePack(request.rulePackFile);
  const { hazard, level } = prepared;
  const warning = { ...prepared, kind: 'exercise' as const, hazard: hazard.code, level: level.id };
  return { warningId: await database.transaction((sql) => publishWarning(sql, pack, warning)) };
}

/** Cancels an Exercise; see `endByCancel`. */
export async function cancelWarning(
  database: Database,
  warningId: number,
  reason: string | null,
): Promise<WarningRow> {
  return endExercise(database, warningId, { reason, retracted: false });
}

/** Ends an Exercise: lifted or withdrawn, with words of its own or without. An actual warning ends by a released word only. */
export async function endExercise(database: Database, warningId: number, how: Cancel): Promise<WarningRow> {
  const warning = await requireWarning(database, warningId);
  if (warning.kind === 'actual') throw needsDraft();
  await database.transaction((sql) => endByCancel(sql, warningId, how));
  return requireWarning(database, warningId);
}

export type WarningView = {
  warning: WarningRow;
  /** Six rows, top down; units are households in the last. */
  tiers: TierStanding[];
  progress: Progress;
  /** Nothing is under way and nothing will become due: everybody answered, or every cell is closed. */
  settled: boolean;
  events: WarningEvent[];
  /** Everything stands still; null where it does not. */
  paused: Pause | null;
  /** How soon those told heard that it was cancelled or withdrawn; null where nobody has, or it was not. */
  endNotices: EndNotices | null;
};

const EVENTS_SHOWN = 8;

/** How a warning stands right now, per tier. */
export async function viewWarning(database: Database, warningId: number): Promise<WarningView> {
  const warning = await requireWarning(database, warningId);
  const standing = await readStanding(database, warningId, warning.areaIds);
  const households = await readHouseholdStanding(database, warningId, warning.areaIds);
  const progress = await readProgress(database, warningId);
  const events = await readLatestEvents(database, warningId, EVENTS_SHOWN);
  const paused = await pausedSince(database);
  const endNotices = warning.status === 'cancelled' ? await readEndNotices(database, warningId) : null;
  const tiers = TIERS.map((tier): TierStanding => {
    if (tier.role === 'told')
      return { tier: tier.id, opened: households.told, silent: 0, escalated: 0, ...households };
    const known = standing.find((row) => row.tier === tier.id);
    return known ?? { tier: tier.id, units: 0, opened: 0, told: 0, answered: 0, silent: 0, escalated: 0 };
  });
  const idle = progress.mail === 0 && progress.pagesOpen === 0;
  return { warning, tiers, progress, events, settled: progress.cellsOpen === 0 && idle, paused, endNotices };
}

export async function listWarnings(database: Database, most = 50): Promise<WarningRow[]> {
  return readWarnings(database, most);
}

/** Units nobody has heard from, most urgent first: the highest tier, then the longest silent. */
export async function listSilentUnits(
  database: Database,
  warningId: number,
  most = 200,
): Promise<SilentUnit[]> {
  await requireWarning(database, warningId);
  const rows = await readSilentUnits(database, warningId, most);
  return rows.sort(
    (one, other) =>
      tierDepth(one.tier) - tierDepth(other.tier) || (one.silentAt ?? 0) - (other.silentAt ?? 0),
  );
}

/** The number behind `W12` or `12`; a sentence where it is neither. */
export function parseWarningId(word: string): number {
  const match = /^[Ww]?(\d{1,9})$/.exec(word.trim());
  if (!match?.[1])
    throw refuse(
      'warning-id',
      `"${word}" is not a warning; it looks like W12. \`fenghuo warning list\` shows all.`,
    );
  return Number(match[1]);
}

/** The warning, or the sentence that it is not there. */
export async function requireWarning(sql: Sql, warningId: number): Promise<WarningRow> {
  const warning = await readWarning(sql, warningId);
  if (warning) return warning;
  throw refuse(
    'no-such-warning',
    `There is no warning W${warningId}. \`fenghuo warning list\` shows all.`,
    [],
    'notFound',
  );
}

function refuseHazard(word: string): never {
  throw refuse('hazard', `"${word}" is not a hazard that is known here. Known are:`, [
    HAZARDS.map((hazard) => `${hazard.zh} (${hazard.en})`).join(', '),
  ]);
}

function refuseLevel(word: string): never {
  throw refuse(
    'level',
    `"${word}" is not a level. Levels are: ${LEVELS.map((level) => `${level.id} ${level.zh}`).join(', ')}.`,
  );
}
