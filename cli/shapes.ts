/** What JSON output holds: ids as strings, instants as ISO with offset, the same shapes in every command. Pure. */
import { findHazard } from '../domain/hazards.ts';
import { findLevel } from '../domain/levels.ts';
import type { Language } from '../domain/texts.ts';
import { TIERS } from '../domain/tiers.ts';
import { isoWithOffset } from '../domain/time.ts';
import type { WarningView } from '../operations/warnings.ts';
import type { Pause } from '../db/pauses.ts';
import type { SilentPerson, WarningRow } from '../db/warnings.ts';
import { isoOrNull } from './times.ts';

export function warningId(number: number): string {
  return `W${number}`;
}

/** A warning as it stands in lists and in `show`. */
export function warningShape(row: WarningRow) {
  return {
    id: warningId(row.warningId),
    revision: row.revision,
    supersedes: row.supersedesId === null ? null : warningId(row.supersedesId),
    supersededBy: row.supersededById === null ? null : warningId(row.supersededById),
    chain: warningId(row.chainId),
    incident: warningId(row.incidentId ?? row.warningId),
    asksAgain: row.asksAgain,
    retracted: row.retracted,
    kind: row.kind,
    hazard: { code: row.hazard, zh: hazardName(row.hazard, 'zh'), en: hazardName(row.hazard, 'en') },
    level: row.level,
    status: row.status,
    issuer: row.issuer,
    areas: row.areas,
    issuedAt: isoWithOffset(row.issuedAt),
    expiresAt: isoWithOffset(row.expiresAt),
    endedAt: isoOrNull(row.endedAt),
    endReason: row.endReason,
    speed: row.speed,
    rulePack: row.rules.pack,
    text: { zh: row.textZh, en: row.textEn },
  };
}

/** A unit and the one above it, its own name first: of a long path the tail is what must be read. */
export function unitName(path: readonly string[]): string {
  return path.slice(-2).reverse().join(' · ');
}

/** Whom to telephone: name, post and number. */
export function personShape<Person extends Pick<SilentPerson, 'name' | 'title' | 'rank' | 'phone'> | null>(
  person: Person,
) {
  if (person === null) return null;
  const { name, title, rank, phone } = person;
  return { name, title, rank, phone };
}

/** A pause of everything: by whom, why and since when. */
export function pauseShape({ by, reason, since }: Pause) {
  return { by, reason, since: isoWithOffset(since) };
}

/** How a warning stands: what `warning show` and `warning watch` give. */
export function viewShape(view: WarningView) {
  const { progress } = view;
  return {
    warning: warningShape(view.warning),
    tiers: view.tiers,
    coverage: coverageOf(view),
    progress: { ...progress, nextDeadlines: progress.nextDeadlines.map((at) => isoWithOffset(at)) },
    settled: view.settled,
    paused: view.paused && pauseShape(view.paused),
    endNotices: view.endNotices,
    events: view.events.map(({ at, other, ...event }) => ({
      at: isoWithOffset(at),
      ...event,
      other: other === null ? null : warningId(other),
    })),
  };
}

/** The share of official units that have answered, in per cent with one decimal; 100 where there are none. */
export function coverageOf(view: Pick<WarningView, 'tiers'>): number {
  const official = view.tiers.filter(({ tier }) => TIERS.find(({ id }) => id === tier)?.role !== 'told');
  const units = official.reduce((sum, tier) => sum + tier.units, 0);
  const answered = official.reduce((sum, tier) => sum + tier.answered, 0);
  return units === 0 ? 100 : Math.floor((answered * 1_000) / units) / 10;
}

export function hazardName(code: string, lang: Language): string {
  return findHazard(code)?.[lang] ?? code;
}

export function levelName(id: string, lang: Language): string {
  return findLevel(id)?.[lang] ?? id;
}

export function tierName(id: string, lang: Language): string {
  return TIERS.find((tier) => tier.id === id)?.[lang] ?? id;
}
