/** What is said in a call about one delivery. The web asks for it when the call is taken, so it is as things stand then. */
import { findLink } from '../db/answer-links.ts';
import type { Database } from '../db/database.ts';
import type { Language } from '../domain/texts.ts';

export type CallText = {
  language: Language;
  kind: 'exercise' | 'actual';
  /** `open` takes answers; of the others only that they are over is said. */
  state: 'open' | 'cancelled' | 'expired';
  hazard: string;
  level: string;
  issuer: string;
  /** The warning's own text, in the language of the call. */
  text: string;
  /** The units of whoever is called, the highest first. */
  units: string[];
};

/** Null for a delivery that was never planned. */
export async function callText(database: Database, deliveryId: number): Promise<CallText | null> {
  // A key answers what was heard: whoever is called for a superseded warning hears that it is over, and is called anew.
  const link = await findLink(database, deliveryId, 'own');
  if (!link) return null;
  const { language, kind, hazard, level, issuer, textZh, textEn, units } = link;
  const status = link.status === 'superseded' ? 'expired' : link.status;
  const state = status === 'open' && link.now > link.endsAt ? 'expired' : status;
  return { language, kind, state, hazard, level, issuer, text: language === 'zh' ? textZh : textEn, units };
}
