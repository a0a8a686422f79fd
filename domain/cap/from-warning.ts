/** One of our warnings as a CAP message, in Chinese and English, and the Ack and Error that go back to a sender. */
import { findHazard } from '../hazards.ts';
import { findLevel, type LevelId } from '../levels.ts';
import { standardAllClear, type Language } from '../texts.ts';
import { isoWithOffset, type Instant } from '../time.ts';
import type { CapAlert, CapArea, CapInfo, CapReference } from './alert.ts';
import { chineseStamp } from './chinese.ts';
import { sentenceOf, type Finding } from './findings.ts';

/** A warning as far as CAP tells of it. */
export type WarningForCap = {
  warningId: number;
  kind: 'exercise' | 'actual';
  hazard: string;
  level: LevelId;
  issuer: string;
  textZh: string;
  textEn: string;
  /** What was said at its end; null where it was the standing words. */
  endTextZh: string | null;
  endTextEn: string | null;
  /** Its name in the world; null where it has none but ours. */
  identifier: string | null;
  status: 'open' | 'cancelled' | 'expired' | 'superseded';
  issuedAt: Instant;
  expiresAt: Instant;
  endedAt: Instant | null;
  endReason: string | null;
  supersedes: { warningId: number; issuedAt: Instant; identifier: string | null } | null;
  areas: readonly CapArea[];
};

/** Who we are to others. */
export type CapIdentity = {
  /** `sender` of CAP, such as an address of ours. */
  sender: string;
  /** The fourteen digits of GB/T 35965.1; null where the installation has none. */
  agency: string | null;
};

/** Urgency and certainty are not in a warning of China. Product choice, no source: the two higher levels tell people to act now. */
const URGENCY: Readonly<Record<LevelId, CapInfo['urgency']>> = {
  red: 'Immediate',
  orange: 'Immediate',
  yellow: 'Expected',
  blue: 'Expected',
};

/** A Cancel where the warning was cancelled; an Update where it took another's place; else an Alert. */
export function alertOfWarning(warning: WarningForCap, identity: CapIdentity): CapAlert {
  const cancelled = warning.status === 'cancelled' && warning.endedAt !== null;
  const at = cancelled ? (warning.endedAt ?? warning.issuedAt) : warning.issuedAt;
  const own = { sender: identity.sender, ...nameOf(warning, identity) };
  const replaced = warning.supersedes && {
    sender: identity.sender,
    ...nameOf(warning.supersedes, identity),
  };
  return {
    identifier: cancelled
      ? madeIdentifier(warning.warningId, at, identity, true)
      : nameOf(warning, identity).identifier,
    sender: identity.sender,
    sent: isoWithOffset(at),
    status: warning.kind === 'exercise' ? 'Exercise' : 'Actual',
    msgType: cancelled ? 'Cancel' : replaced ? 'Update' : 'Alert',
    source: null,
    scope: 'Public',
    restriction: null,
    addresses: null,
    codes: [],
    note: cancelled ? warning.endReason : null,
    references: cancelled ? [own] : replaced ? [replaced] : [],
    incidents: null,
    infos: [infoIn('zh', warning, cancelled), infoIn('en', warning, cancelled)],
  };
}

function infoIn(language: Language, warning: WarningForCap, cancelled: boolean): CapInfo {
  const hazard = findHazard(warning.hazard);
  const level = findLevel(warning.level);
  const event = hazard?.[language] ?? warning.hazard;
  const colour = level?.[language] ?? warning.level;
  const text = language === 'zh' ? warning.textZh : warning.textEn;
  const ending = language === 'zh' ? warning.endTextZh : warning.endTextEn;
  return {
    language: language === 'zh' ? 'zh-CN' : 'en-US',
    // 11Axx to 11Gxx are natural disasters; those of the list here come from the weather and the sea.
    categories: ['Met'],
    event,
    responseTypes: cancelled ? ['AllClear'] : ['Prepare'],
    urgency: cancelled ? 'Past' : URGENCY[warning.level],
    severity: level?.severity ?? 'Unknown',
    certainty: 'Likely',
    audience: null,
    eventCodes: [{ valueName: 'GB/T 35965', value: warning.hazard }],
    effective: isoWithOffset(warning.issuedAt),
    onset: null,
    expires: isoWithOffset(warning.expiresAt),
    senderName: warning.issuer,
    headline: headline(language, { issuer: warning.issuer, event, colour, cancelled }),
    description: cancelled ? (ending ?? standardAllClear(language, warning)) : text,
    instruction: null,
    web: null,
    contact: null,
    parameters: [{ valueName: 'level', value: colour }],
    resources: [],
    areas: warning.areas,
  };
}

function headline(
  language: Language,
  said: { issuer: string; event: string; colour: string; cancelled: boolean },
): string {
  const { issuer, event, colour, cancelled } = said;
  if (language === 'zh') return `${issuer}${cancelled ? '解除' : '发布'}${event}${colour}预警`;
  return cancelled
    ? `${issuer} lifted the ${colour} ${event} warning`
    : `${issuer}: ${colour} ${event} warning`;
}

function nameOf(
  warning: { warningId: number; issuedAt: Instant; identifier: string | null },
  identity: CapIdentity,
): { identifier: string; sent: string } {
  return {
    identifier: warning.identifier ?? madeIdentifier(warning.warningId, warning.issuedAt, identity, false),
    sent: isoWithOffset(warning.issuedAt),
  };
}

/** The same for ever, because later messages refer to it. A cancel has the moment of the cancel in it. */
function madeIdentifier(warningId: number, at: Instant, identity: CapIdentity, cancel: boolean): string {
  const stamp = chineseStamp(at);
  if (identity.agency !== null) return `${identity.agency}_${stamp}_${warningId}`;
  return `fenghuo-W${warningId}-${stamp}${cancel ? '-cancel' : ''}`;
}

/** What we say to a sender about a message: Ack that it was taken, Error with what is wrong. */
export function replyTo(
  message: CapReference & { status: CapAlert['status'] },
  said: { msgType: 'Ack' | 'Error'; findings: readonly Finding[]; identifier: string; at: Instant },
  identity: CapIdentity,
): CapAlert {
  const note = said.findings.map((one) =>
    `${one.code} ${one.path} ${sentenceOf(one, 'en')}`.replaceAll('  ', ' '),
  );
  return {
    identifier: said.identifier,
    sender: identity.sender,
    sent: isoWithOffset(said.at),
    status: message.status,
    msgType: said.msgType,
    source: null,
    scope: 'Private',
    restriction: null,
    addresses: message.sender,
    codes: [],
    note: note.length === 0 ? null : note.join('\n'),
    references: [{ sender: message.sender, identifier: message.identifier, sent: message.sent }],
    incidents: null,
    infos: [],
  };
}
