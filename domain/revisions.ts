/**
 * Revisions: what an update changes, who has to answer anew, and how urgent a repeated warning is. Pure rules; how a chain of
 * warnings runs is told in docs/adr/0023.
 */
import { LEVELS, type LevelId } from './levels.ts';
import type { Rules } from './rules.ts';
import { isStandardText, type Language } from './texts.ts';
import type { Instant } from './time.ts';

/** How a warning has ended. What is superseded has another in its place. */
export type Ending = 'cancelled' | 'expired' | 'superseded';

export type WarningStatus = 'open' | Ending;

/** A warning as far as an update of it is weighed. */
export type RevisedWarning = {
  issuer: string;
  hazard: string;
  level: LevelId;
  textZh: string;
  textEn: string;
};

/** Whether units that have answered must answer anew, and why. */
export type Asking =
  | { again: true; because: 'higher level' | 'new text' }
  | { again: false; because: 'lower level' | 'same order' };

/**
 * An answer says: I have this order and act on it. A higher level asks for more, and a text that somebody wrote anew may ask for
 * something else: both want an answer of their own, rather one too many than an order nobody has confirmed. A lower level, another area
 * or another expiry under the same words, or under the standing words on both sides, ask for nothing that was not confirmed.
 * Product choice, no source: CAP leaves it open.
 */
export function askingOf(before: RevisedWarning, after: RevisedWarning): Asking {
  if (rankOf(after.level) < rankOf(before.level)) return { again: true, because: 'higher level' };
  const sameWords = (['zh', 'en'] as const).every(
    (language) =>
      textOf(language, before) === textOf(language, after) ||
      (isStandardText(language, before) && isStandardText(language, after)),
  );
  if (!sameWords) return { again: true, because: 'new text' };
  return { again: false, because: after.level === before.level ? 'same order' : 'lower level' };
}

function textOf(language: Language, { textZh, textEn }: RevisedWarning): string {
  return language === 'zh' ? textZh : textEn;
}

/** 0 is the highest. */
function rankOf(level: LevelId): number {
  return LEVELS.findIndex(({ id }) => id === level);
}

/** What a recipient was told of the chain before, as far as their next message leads with the change. */
export type ToldBefore = { level: LevelId; expiresAt: Instant; textZh: string; textEn: string };

/**
 * The rules of a red that is not the first of its incident: the first rung calls everyone, and the superior
 * hears of the silent with the next, one rung earlier. Zhengzhou had
 * five red signals within a day before the highest response (State Council investigation report); from which one on is the
 * rule pack's to say.
 */
export function risen(rules: Rules, nthRed: number): Rules {
  const [first, second, ...rest] = rules.ladder;
  if (!rules.repeated || nthRed < rules.repeated.from || !first) return rules;
  const by = [
    ...new Set([
      ...first.by,
      ...rules.ladder.slice(1).flatMap((rung) => (rung.who === 'everyone' ? rung.by : [])),
    ]),
  ];
  // Not with the first rung: nobody is silent before their time, and a superior who hears of everybody hears of nobody.
  const next = second ? [{ ...second, tellSuperior: true }] : [];
  return { ...rules, ladder: [{ ...first, who: 'everyone', by }, ...next, ...rest] };
}
