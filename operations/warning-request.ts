/** What somebody who writes a warning or an update gives in words: checked here, refused with a sentence that says what to do. */
import { FenghuoError } from '../domain/errors.ts';
import type { WarningKind } from '../domain/kinds.ts';
import { denialIn } from '../domain/texts.ts';
import { MINUTE_MS } from '../domain/time.ts';

const TEXT_CHARACTERS_MAX = 1_000;
const LASTS_MS_MAX = 30 * 24 * 60 * MINUTE_MS;

/** Actual warnings go out and end by drafts (`operations/drafts.ts`); PostgreSQL refuses them otherwise as well. */
export function needsDraft(): FenghuoError {
  return refuse(
    'needs-draft',
    'An actual warning goes out and ends by two persons: write a draft (`fenghuo warning issue --actual`), and have it released.',
    [],
    'notPermitted',
  );
}

/** Milliseconds from now to the expiry. */
export function readExpiry(text: string): number {
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

export function checkText(text: string | undefined): string | undefined {
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

/** Refuses an Exercise that denies to be one, whoever wrote it. */
export function requireNoDenial(kind: WarningKind, texts: readonly (string | null | undefined)[]): void {
  if (kind === 'actual') return;
  for (const text of texts) {
    const denial = denialIn(text ?? '');
    if (denial !== null)
      throw refuse(
        'exercise-denied',
        `An Exercise must not say "${denial}": people would take it for the real thing. Write it without these words.`,
      );
  }
}

export function refuse(
  code: string,
  sentence: string,
  details: string[] = [],
  refusal: 'usage' | 'notFound' | 'conflict' | 'notPermitted' = 'usage',
): FenghuoError {
  return new FenghuoError({ code, refusal, sentence, details });
}
