/**
 * What a CAP message asks of this engine: hazard, level, texts, end, and where. Pure: which units a geocode or a shape stands for
 * is found by operations/cap-areas.ts.
 */
import { findHazard, HAZARDS, type Hazard } from '../hazards.ts';
import { findLevel, LEVELS, type Level } from '../levels.ts';
import type { Instant } from '../time.ts';
import type { CapAlert, CapArea, CapInfo } from './alert.ts';
import { finding, isError, type Finding } from './findings.ts';
import { instantOf } from './values.ts';

export type CapMeaning = {
  hazard: Hazard;
  level: Level;
  /** Null where the message has no text in the language. */
  textZh: string | null;
  textEn: string | null;
  expiresAt: Instant;
  /** Who speaks, as people read it. */
  issuer: string;
  /** Each once, from all languages. */
  areas: readonly CapArea[];
};

export type Understood = { meaning: CapMeaning | null; findings: Finding[] };

/** Without `expires` each receiver decides (3.2.2): a day. Product choice, no source. */
const WITHOUT_EXPIRES_HOURS = 24;
const HOUR_MS = 3_600_000;
/** As for a text that is typed (`operations/warnings.ts`). */
export const TEXT_CHARACTERS_MAX = 1_000;

/** Of an Alert or Update. A null meaning comes with an error. */
export function understand(alert: CapAlert, now: Instant): Understood {
  const findings: Finding[] = [];
  const [first] = alert.infos;
  if (!first) return { meaning: null, findings: [finding('CAP-701', null, { event: '', codes: '' })] };
  const hazards = alert.infos.map((info) => hazardOf(info));
  const known = hazards.find((hazard) => hazard !== null) ?? null;
  const levels = alert.infos.map((info) => levelOf(info));
  const level = levels.find((one) => one !== null) ?? null;
  if (!known) findings.push(finding('CAP-701', null, { event: first.event, codes: codesOf(first) }));
  if (!level) findings.push(finding('CAP-702', null, { severity: first.severity }));
  const names = severalOf(alert.infos, hazards, levels);
  if (names.length > 1) findings.push(finding('CAP-708', null, { names: names.join(', ') }));
  for (const [index, info] of alert.infos.entries()) {
    const said = levels[index];
    if (said && severityLevel(info.severity) !== said.id && info.severity !== 'Unknown')
      findings.push(finding('CAP-703', null, { colour: said.zh, severity: info.severity }));
  }
  if (known && level && !known.levels.includes(level.id))
    findings.push(finding('CAP-713', null, { hazard: known.zh, level: level.zh }));
  const expiresAt = endOf(alert, findings);
  if (expiresAt <= now) findings.push(finding('CAP-707', null, { expires: first.expires ?? alert.sent }));
  const textZh = textIn(alert, 'zh', findings);
  const textEn = textIn(alert, 'en', findings);
  if (!known || !level || findings.some(isError)) return { meaning: null, findings };
  const issuer =
    alert.infos.find(({ senderName }) => senderName !== null)?.senderName?.trim() ?? alert.sender;
  return {
    meaning: { hazard: known, level, textZh, textEn, expiresAt, issuer, areas: areasOf(alert.infos) },
    findings,
  };
}

/** By event code, else by the words of the event, the longest first: 雷雨大风 is not 大风. */
function hazardOf(info: CapInfo): Hazard | null {
  const coded = info.eventCodes.map(({ value }) => findHazard(value)).find((hazard) => hazard !== null);
  if (coded) return coded;
  const event = info.event.toLowerCase();
  const named = HAZARDS.filter(({ zh, en }) => event.includes(zh) || event.includes(en));
  return named.toSorted((one, other) => other.zh.length - one.zh.length)[0] ?? null;
}

/** By the colour the text names, which is what people read; else by severity. */
function levelOf(info: CapInfo): Level | null {
  const text = `${info.event} ${info.headline ?? ''}`;
  const named = LEVELS.filter(({ zh, en }) => text.includes(zh) || new RegExp(`\\b${en}\\b`, 'i').test(text));
  const [colour] = named;
  if (colour && named.length === 1) return colour;
  return findLevel(severityLevel(info.severity) ?? '');
}

function severityLevel(severity: CapInfo['severity']): Level['id'] | null {
  return LEVELS.find((level) => level.severity === severity)?.id ?? null;
}

/** Blocks in several languages say one thing; blocks that say different things are several warnings. */
function severalOf(
  infos: readonly CapInfo[],
  hazards: readonly (Hazard | null)[],
  levels: readonly (Level | null)[],
): string[] {
  const said = infos.flatMap((_, index) => {
    const [hazard, level] = [hazards[index], levels[index]];
    return hazard && level ? [`${hazard.zh}${level.zh}`] : [];
  });
  return [...new Set(said)];
}

function endOf(alert: CapAlert, findings: Finding[]): Instant {
  const ends = alert.infos.map(({ expires }) => instantOf(expires ?? '')).filter((end) => !Number.isNaN(end));
  if (ends.length > 0) return Math.max(...ends);
  findings.push(finding('CAP-712', null, { hours: WITHOUT_EXPIRES_HOURS }));
  return instantOf(alert.sent) + WITHOUT_EXPIRES_HOURS * HOUR_MS;
}

/** Description and instruction of the blocks in a language; headline where there is no description. */
function textIn(alert: CapAlert, language: 'zh' | 'en', findings: Finding[]): string | null {
  const blocks = alert.infos.filter((info) => languageOf(info) === language);
  const [block] = blocks;
  const full = block && joined([block.description ?? block.headline, block.instruction]);
  if (!block || !full) {
    findings.push(finding('CAP-716', null, { language: language === 'zh' ? 'zh-CN' : 'en-US' }));
    return null;
  }
  if (full.length <= TEXT_CHARACTERS_MAX) return full;
  const short = joined([block.headline, block.instruction]);
  const fits = block.headline !== null && short.length <= TEXT_CHARACTERS_MAX;
  findings.push(
    fits
      ? finding('CAP-719', null)
      : finding('CAP-711', null, { count: full.length, most: TEXT_CHARACTERS_MAX }),
  );
  return fits ? short : null;
}

/** Without `language` it is en-US by the standard, unless it is plainly Chinese. */
function languageOf(info: CapInfo): string {
  if (info.language !== null) return info.language.toLowerCase().split('-')[0] ?? '';
  return /\p{Script=Han}/u.test(`${info.description ?? ''}${info.headline ?? ''}`) ? 'zh' : 'en';
}

function joined(parts: readonly (string | null)[]): string {
  return parts
    .map((part) => part?.replaceAll(/\s+/g, ' ').trim() ?? '')
    .filter((part) => part !== '')
    .join(' ');
}

function areasOf(infos: readonly CapInfo[]): CapArea[] {
  const all = infos.flatMap((info) => info.areas);
  const seen = new Map(
    all.map((area) => [JSON.stringify({ ...area, areaDesc: placed(area) ? '' : area.areaDesc }), area]),
  );
  return [...seen.values()];
}

function placed(area: CapArea): boolean {
  return area.geocodes.length + area.polygons.length + area.circles.length > 0;
}

function codesOf(info: CapInfo): string {
  return info.eventCodes.map(({ valueName, value }) => `${valueName}=${value}`).join(', ');
}
