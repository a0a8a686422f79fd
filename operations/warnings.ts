/** What a forecaster does with a warning: plan, issue, cancel, look. Functions that return data; the CLI and the web print it. */
import { FenghuoError } from '../domain/errors.ts';
import { findHazard, HAZARDS, type Hazard } from '../domain/hazards.ts';
import { findLevel, LEVELS, type Level } from '../domain/levels.ts';
import { resolveRules, type Rules } from '../domain/rules.ts';
import { standardText } from '../domain/texts.ts';
import { TIERS, tierDepth } from '../domain/tiers.ts';
import { MINUTE_MS } from '../domain/time.ts';
import { putEnded } from '../db/cells.ts';
import type { Database } from '../db/database.ts';
import { pausedSince, type Pause } from '../db/pauses.ts';
import {
  endWarning,
  readHouseholdStanding,
  readLatestEvents,
  readProgress,
  readSilentUnits,
  readStanding,
  readWarning,
  readWarnings,
  type Progress,
  type SilentUnit,
  type TierStanding,
  type WarningEvent,
  type WarningRow,
} from '../db/warnings.ts';
import { findUnits } from './organisation-find.ts';
import { publishWarning } from './publish.ts';
import { readRulePack } from './rule-packs.ts';

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
const TEXT_CHARACTERS_MAX = 1_000;
const LASTS_MS_MAX = 30 * 24 * 60 * MINUTE_MS;

/** Checks a request against the tree and the rule pack; nothing is written. Every refusal says what to do. */
export async function prepareWarning(database: Database, request: WarningRequest): Promise<PreparedWarning> {
  if (request.actual)
    throw refuse(
      'actual',
      'Only Exercises can be issued in this version: leave out --actual.',
      [],
      'notPermitted',
    );
  const hazard = findHazard(request.hazard) ?? refuseHazard(request.hazard);
  const level = findLevel(request.level) ?? refuseLevel(request.level);
  if (!hazard.levels.includes(level.id)) {
    throw refuse(
      'level-of-hazard',
      `${hazard.zh} has no ${level.zh} warnings; it has: ${hazard.levels.join(', ')}.`,
    );
  }
  const speed = request.speed ?? 1;
  if (!(speed >= 1 && speed <= SPEED_MAX))
    throw refuse('speed', `--speed must lie between 1 and ${SPEED_MAX}.`);
  if (request.areas.length === 0)
    throw refuse('area', 'Name at least one area with --area, such as 黔江区/濯水镇.');
  const units = [];
  for (const area of request.areas) units.push(await findUnits(database, area));
  const lastsMs = Math.round(readExpiry(request.expires) / speed);
  const pack = await readRulePack(request.rulePackFile);
  const wording = { issuer: request.issuer, hazard: hazard.code, level: level.id, issuedAt: Date.now() };
  const areas = units.map((unit) => unit.name);
  return {
    hazard,
    level,
    areaIds: [...new Set(units.map((unit) => unit.id))],
    areas,
    lastsMs,
    speed,
    rules: resolveRules(pack, level.id, speed),
    textZh: checkText(request.textZh) ?? standardText('zh', { ...wording, areas }),
    textEn: checkText(request.textEn) ?? standardText('en', { ...wording, areas }),
    issuer: request.issuer,
  };
}

/** Issues an Exercise: one transaction for the warning, its cells and the letters that open them. */
export async function issueWarning(
  database: Database,
  request: WarningRequest,
): Promise<{ warningId: number }> {
  const prepared = await prepareWarning(database, request);
  const pack = await readRulePack(request.rulePackFile);
  const { hazard, level } = prepared;
  const warning = { ...prepared, kind: 'exercise' as const, hazard: hazard.code, level: level.id };
  return { warningId: await database.transaction((sql) => publishWarning(sql, pack, warning)) };
}

/** Cancels: from the commit on the guard stops every send that has not begun; those possibly told get the all-clear. */
export async function cancelWarning(
  database: Database,
  warningId: number,
  reason: string | null,
): Promise<WarningRow> {
  const warning = await requireWarning(database, warningId);
  await database.transaction(async (sql) => {
    if (!(await endWarning(sql, warningId, reason))) {
      throw refuse(
        'not-open',
        `W${warningId} is ${warning.status} already; there is nothing to cancel.`,
        [],
        'conflict',
      );
    }
    await putEnded(sql, warningId);
  });
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
  const tiers = TIERS.map((tier): TierStanding => {
    if (tier.role === 'told')
      return { tier: tier.id, opened: households.told, silent: 0, escalated: 0, ...households };
    const known = standing.find((row) => row.tier === tier.id);
    return known ?? { tier: tier.id, units: 0, opened: 0, told: 0, answered: 0, silent: 0, escalated: 0 };
  });
  const idle = progress.mail === 0 && progress.pagesOpen === 0;
  return { warning, tiers, progress, events, settled: progress.cellsOpen === 0 && idle, paused };
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
export async function requireWarning(database: Database, warningId: number): Promise<WarningRow> {
  const warning = await readWarning(database, warningId);
  if (warning) return warning;
  throw refuse(
    'no-such-warning',
    `There is no warning W${warningId}. \`fenghuo warning list\` shows all.`,
    [],
    'notFound',
  );
}

/** Milliseconds from now to the expiry. */
function readExpiry(text: string): number {
  const relative = /^\+(\d{1,5})([mhd])$/.exec(text.trim());
  const unitMs = { m: MINUTE_MS, h: 60 * MINUTE_MS, d: 24 * 60 * MINUTE_MS };
  const lasts = relative
    ? Number(relative[1]) * unitMs[relative[2] as keyof typeof unitMs]
    : Date.parse(withOffset(text)) - Date.now();
  if (Number.isNaN(lasts)) {
    throw refuse(
      'expiry',
      `"${text}" is not a time. Give --expires as +6h, +90m, +1d or 2026-07-09T08:00:00+08:00.`,
    );
  }
  if (lasts <= 0) throw refuse('expired', `The expiry ${text} has passed. Give one that lies ahead.`);
  if (lasts > LASTS_MS_MAX)
    throw refuse('expiry-far', 'A warning may last 30 days at most. Give an earlier expiry.');
  return lasts;
}

/** Without an offset a time means something else on every machine: it is refused, not guessed. */
function withOffset(text: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?([+-]\d\d:\d\d)$/.test(text.trim()) ? text.trim() : 'not a time';
}

function checkText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  if (trimmed === '') throw refuse('text', 'The warning text is empty.');
  if (trimmed.length > TEXT_CHARACTERS_MAX) {
    throw refuse(
      'text',
      `The warning text has ${trimmed.length} characters; at most ${TEXT_CHARACTERS_MAX} fit.`,
    );
  }
  return trimmed;
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

function refuse(
  code: string,
  sentence: string,
  details: string[] = [],
  refusal: 'usage' | 'notFound' | 'conflict' | 'notPermitted' = 'usage',
): FenghuoError {
  return new FenghuoError({ code, refusal, sentence, details });
}
