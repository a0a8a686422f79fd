/** What a CAP message asks for, in our own terms: the warning to publish or draft, or the one to end. */
import { readWarning, type WarningRow } from '../db/warnings.ts';
import { readUnitNames, type WarningHead } from '../db/cap.ts';
import type { Sql } from '../db/database.ts';
import type { CapAlert } from '../domain/cap/alert.ts';
import { finding, isError, type Finding } from '../domain/cap/findings.ts';
import { TEXT_CHARACTERS_MAX, understand, type CapMeaning } from '../domain/cap/meaning.ts';
import { resolveRules, type RulePack } from '../domain/rules.ts';
import { standardCorrection, standardText, type Language } from '../domain/texts.ts';
import { MINUTE_MS, type Instant } from '../domain/time.ts';
import { unitsOfAreas } from './cap-areas.ts';
import { contentOfCancel, type DraftContent } from './draft-content.ts';
import { publishWarning } from './publish.ts';
import { readRulePack } from './rule-packs.ts';
import { updateWarning } from './updates.ts';

type Wanted = {
  act: 'issue';
  /** Whose place it takes. */
  head: WarningHead | null;
  meaning: CapMeaning;
  expiresAt: Instant;
  areaIds: number[];
  textZh: string;
  textEn: string;
  pack: RulePack;
};

type Ending = {
  act: 'cancel';
  head: WarningHead;
  warning: WarningRow;
  reason: string | null;
  textZh: string | null;
  textEn: string | null;
};

export type CapRequest = Wanted | Ending;

const LASTS_DAYS_MOST = 30;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SECOND_MS = 1_000;

/** Null where `findings` has an error. */
export async function requestOf(
  sql: Sql,
  message: { alert: CapAlert; head: WarningHead | null; rulePackFile?: string },
  findings: Finding[],
): Promise<CapRequest | null> {
  const { alert, head } = message;
  if (findings.some(isError)) return null;
  if (alert.msgType === 'Cancel') return ending(sql, alert, head);
  const { meaning, findings: understood } = understand(alert, Date.now());
  findings.push(...understood);
  if (!meaning) return null;
  const before = head && (await readWarning(sql, head.warningId));
  // An update may turn one hazard into another; here that is a warning of its own, and never lost.
  const changed = before !== null && before.hazard !== meaning.hazard.code;
  if (changed) findings.push(finding('CAP-724', null, { warning: `W${before.warningId}` }));
  const { unitIds, findings: placed } = await unitsOfAreas(sql, meaning.areas);
  findings.push(...placed);
  if (placed.some(isError)) return null;
  const latest = Date.now() + LASTS_DAYS_MOST * DAY_MS;
  if (meaning.expiresAt > latest) findings.push(finding('CAP-721', null, { days: LASTS_DAYS_MOST }));
  const names = await readUnitNames(sql, unitIds);
  const text = (language: Language, said: string | null) =>
    said ??
    standardText(language, {
      issuer: meaning.issuer,
      hazard: meaning.hazard.code,
      level: meaning.level.id,
      areas: names,
      issuedAt: Date.now(),
    });
  return {
    act: 'issue',
    head: changed ? null : head,
    meaning,
    expiresAt: Math.min(meaning.expiresAt, latest),
    areaIds: unitIds,
    textZh: text('zh', meaning.textZh),
    textEn: text('en', meaning.textEn),
    pack: await readRulePack(message.rulePackFile),
  };
}

async function ending(sql: Sql, alert: CapAlert, head: WarningHead | null): Promise<Ending | null> {
  const warning = head && (await readWarning(sql, head.warningId));
  if (!head || !warning) return null;
  return {
    act: 'cancel',
    head,
    warning,
    reason: alert.note?.trim().slice(0, TEXT_CHARACTERS_MAX) || null,
    textZh: saidIn(alert, 'zh'),
    textEn: saidIn(alert, 'en'),
  };
}

function saidIn(alert: CapAlert, language: Language): string | null {
  const info = alert.infos.find((one) => (one.language ?? 'en').toLowerCase().startsWith(language));
  const text = info?.description?.trim() ?? info?.headline?.trim() ?? '';
  return text === '' || text.length > TEXT_CHARACTERS_MAX ? null : text;
}

/** An Exercise goes out at once, in the caller's transaction, on the word of its sender. */
export async function publishExercise(
  sql: Sql,
  request: Wanted,
  { speed, sender }: { speed: number; sender: string },
): Promise<number> {
  const { meaning, pack, head } = request;
  const warning = {
    kind: 'exercise' as const,
    hazard: meaning.hazard.code,
    level: meaning.level.id,
    issuer: meaning.issuer,
    textZh: request.textZh,
    textEn: request.textEn,
    lastsMs: Math.max(1, Math.round((request.expiresAt - Date.now()) / speed)),
    speed,
    rules: resolveRules(pack, meaning.level.id, speed),
    areaIds: request.areaIds,
  };
  return head
    ? updateWarning(sql, pack, head.warningId, warning, sender)
    : publishWarning(sql, pack, warning);
}

/**
 * An Actual becomes a draft: a second person releases it. CAP brings no correction; whoever releases it may edit the standing one.
 * `identifier` is the message's, null where another warning has it already.
 */
export function draftOf(
  request: CapRequest,
  identifier: string | null,
): { content: DraftContent; pack?: RulePack } {
  if (request.act === 'cancel') {
    const { warning, textZh, textEn, reason } = request;
    return { content: contentOfCancel(warning, { textZh, textEn, reason }) };
  }
  const { meaning, head, pack, areaIds, textZh, textEn } = request;
  const { issuer } = meaning;
  const [hazard, level] = [meaning.hazard.code, meaning.level.id];
  const correction = (language: Language) => standardCorrection(language, { issuer, hazard, level });
  return {
    pack,
    content: {
      ...{ act: head ? 'update' : 'issue', supersedesId: head?.warningId ?? null, identifier },
      ...{ hazard, level, areaIds, textZh, textEn, issuer },
      correctionZh: correction('zh'),
      correctionEn: correction('en'),
      expiresAt: Math.floor(request.expiresAt / SECOND_MS) * SECOND_MS,
      rulePack: { id: pack.id, version: pack.version },
    },
  };
}
