/** What a draft says, as one canonical text with one hash: what an approval is bound to. */
import { createHash } from 'node:crypto';
import type { DraftRow } from '../db/drafts.ts';
import type { Database } from '../db/database.ts';
import type { WarningRow } from '../db/warnings.ts';
import { FenghuoError } from '../domain/errors.ts';
import type { LevelId } from '../domain/levels.ts';
import type { RulePack, Rules } from '../domain/rules.ts';
import { standardAllClear, standardCorrection } from '../domain/texts.ts';
import type { Instant } from '../domain/time.ts';
import { readRulePack } from './rule-packs.ts';
import { prepareWarning, type WarningRequest } from './warnings.ts';

const SECOND_MS = 1_000;
const REASON_CHARACTERS_MAX = 1_000;
/** Longer names are of nobody. Product choice, no source. */
export const IDENTIFIER_CHARACTERS_MAX = 200;

/** What somebody wants said. `supersedesId` is the warning that is updated or cancelled; null for a new one. */
export type DraftContent = {
  act: 'issue' | 'update' | 'cancel';
  supersedesId: number | null;
  hazard: string;
  level: LevelId;
  areaIds: number[];
  textZh: string;
  textEn: string;
  correctionZh: string;
  correctionEn: string;
  expiresAt: Instant;
  issuer: string;
  rulePack: { id: string; version: number };
  identifier: string | null;
  /** Why, of a cancel: for the record. */
  reason?: string;
};

/** What is released: the content, and the rules it goes out by, channels and minutes included. */
export type ReleasedContent = DraftContent & { rules: Rules };

/** A draft as people see it. */
export type Draft = Omit<DraftRow, 'content'> & { content: ReleasedContent };

/** `D12`: what is typed to publish. */
export function draftName(draftId: number): string {
  return `D${draftId}`;
}

/** The number behind `D12` or `12`. */
export function parseDraftId(word: string): number {
  const match = /^[Dd]?(\d{1,9})$/.exec(word.trim());
  if (match?.[1]) return Number(match[1]);
  throw new FenghuoError({
    code: 'draft-id',
    refusal: 'usage',
    sentence: `"${word}" is not a draft; it looks like D12. \`fenghuo warning drafts\` lists those that wait.`,
  });
}

/** One text for one content: keys in a fixed order, areas sorted. This very text is hashed, and kept. */
export function canonicalText(content: ReleasedContent): string {
  const { rules, rulePack, areaIds, ...said } = content;
  const areas = [...new Set(areaIds)].sort((one, other) => one - other);
  return JSON.stringify(sorted({ ...said, areaIds: areas, rulePack, rules }));
}

/** sha256, in hex, of the canonical text: what an approval is bound to. */
export function contentHash(content: ReleasedContent): string {
  return hashOf(canonicalText(content));
}

/** What a request comes to as a draft: the standing words where nobody wrote any, and a whole second as its end. */
export async function contentOfRequest(
  database: Database,
  request: WarningRequest,
  more: { identifier?: string | null; correctionZh?: string; correctionEn?: string } = {},
): Promise<{ content: DraftContent; pack: RulePack }> {
  const prepared = await prepareWarning(database, { ...request, actual: true });
  const pack = await readRulePack(request.rulePackFile);
  const { areaIds, textZh, textEn, issuer, lastsMs } = prepared;
  const [hazard, level] = [prepared.hazard.code, prepared.level.id];
  const correction = (language: 'zh' | 'en') => standardCorrection(language, { issuer, hazard, level });
  return {
    pack,
    content: {
      ...{ act: 'issue', supersedesId: null, hazard, level, areaIds, textZh, textEn, issuer },
      correctionZh: more.correctionZh ?? correction('zh'),
      correctionEn: more.correctionEn ?? correction('en'),
      expiresAt: Math.round((Date.now() + lastsMs) / SECOND_MS) * SECOND_MS,
      rulePack: { id: pack.id, version: pack.version },
      identifier: more.identifier ?? null,
    },
  };
}

/** The cancel of a warning as a draft; `textZh` and `textEn` are what those told will read, the standing words where nobody wrote any. */
export function contentOfCancel(
  warning: WarningRow,
  said: { textZh?: string | null; textEn?: string | null; reason?: string | null },
): DraftContent {
  const { hazard, level, areaIds, issuer, expiresAt, rules } = warning;
  const { textZh, textEn, reason } = said;
  return {
    ...{ act: 'cancel', supersedesId: warning.warningId, hazard, level, areaIds, issuer, expiresAt },
    textZh: textZh ?? standardAllClear('zh', warning),
    textEn: textEn ?? standardAllClear('en', warning),
    ...{ correctionZh: '', correctionEn: '', rulePack: rules.pack, identifier: null },
    ...(reason == null ? {} : { reason: requiredReason(reason) }),
  };
}

/** A row with its content read. */
export function draftOf(row: DraftRow): Draft {
  return { ...row, content: contentOf(row.content) };
}

/** Our own canonical text: it was parsed when it came in. */
export function contentOf(text: string): ReleasedContent {
  return JSON.parse(text) as ReleasedContent;
}

/** sha256 of a text, in hex. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** A reason that can stand in the record; refused where it is empty or a page long. */
export function requiredReason(reason: string): string {
  const trimmed = reason.trim();
  if (trimmed !== '' && trimmed.length <= REASON_CHARACTERS_MAX) return trimmed;
  throw new FenghuoError({
    code: 'empty-option',
    refusal: 'usage',
    sentence: `Give a reason in up to ${REASON_CHARACTERS_MAX} characters: it is kept for the record.`,
  });
}
