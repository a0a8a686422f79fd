/** The timeline of a scenario as warnings, each with its beginning and its end. Pure. */
import { findHazard } from './hazards.ts';
import type { LevelId } from './levels.ts';
import { spanMs, type Scenario, type TimelineEvent } from './scenario.ts';

export type StoryEnd = 'expired' | 'cancelled' | 'retracted' | 'superseded';

/** One warning of the story. Times in milliseconds from the start of the scenario. */
export type StoryWarning = {
  name: string;
  /** Its place in the timeline. */
  event: number;
  atMs: number;
  endsAtMs: number;
  end: StoryEnd;
  /** Its place in the story's warnings; null where it is no update. */
  supersedes: number | null;
  /** Its code; the word of the file where it is not known. */
  hazard: string;
  level: LevelId;
  where: readonly string[];
  textZh: string | null;
  textEn: string | null;
};

/** A fault of the timeline, by its place in the file. */
export type StoryFault = { path: (string | number)[]; sentence: string };

/** What a scenario tells; `faults` names what cannot be told, and is empty for a good one. */
export function storyOf(scenario: Pick<Scenario, 'timeline'>): {
  warnings: StoryWarning[];
  faults: StoryFault[];
} {
  const teller = new Teller();
  for (const [place, event] of scenario.timeline.entries()) teller.tell(event, place);
  return { warnings: teller.warnings, faults: teller.faults };
}

class Teller {
  readonly warnings: StoryWarning[] = [];
  readonly faults: StoryFault[] = [];
  private lastMs = 0;

  tell(event: TimelineEvent, place: number): void {
    const atMs = spanMs(event.at);
    if (atMs < this.lastMs) this.fault(place, 'at', `${event.at} lies before the event above it`);
    this.lastMs = Math.max(this.lastMs, atMs);
    const kinds = (['warning', 'update', 'cancel', 'retract'] as const).filter(
      (kind) => event[kind] !== undefined,
    );
    if (kinds.length !== 1) {
      this.faults.push({
        path: ['timeline', place],
        sentence: 'must have one of warning, update, cancel and retract',
      });
      return;
    }
    if (event.warning) this.begin(event.warning, place, atMs);
    if (event.update) this.update(event.update, place, atMs);
    if (event.cancel) this.end(event.cancel.of, place, atMs, 'cancelled');
    if (event.retract) this.end(event.retract.of, place, atMs, 'retracted');
  }

  private begin(warning: NonNullable<TimelineEvent['warning']>, place: number, atMs: number): void {
    this.add({
      name: this.named(warning.name, place, 'warning'),
      event: place,
      atMs,
      endsAtMs: atMs + spanMs(warning.expires),
      end: 'expired',
      supersedes: null,
      hazard: codeOf(warning.hazard),
      level: warning.level,
      where: warning.where,
      textZh: warning.textZh ?? null,
      textEn: warning.textEn ?? null,
    });
  }

  private update(update: NonNullable<TimelineEvent['update']>, place: number, atMs: number): void {
    const before = this.end(update.of, place, atMs, 'superseded');
    if (before === null) return;
    const old = this.warnings[before.index] as StoryWarning;
    this.add({
      name: this.named(update.name, place, 'update'),
      event: place,
      atMs,
      endsAtMs: update.expires === undefined ? before.endsAtMs : atMs + spanMs(update.expires),
      end: 'expired',
      supersedes: before.index,
      hazard: update.hazard === undefined ? old.hazard : codeOf(update.hazard),
      level: update.level ?? old.level,
      where: update.where ?? old.where,
      textZh: update.textZh ?? null,
      textEn: update.textEn ?? null,
    });
  }

  /** Ends an open warning; gives back which, and when it would have ended. */
  private end(
    of: string | undefined,
    place: number,
    atMs: number,
    how: 'cancelled' | 'retracted' | 'superseded',
  ): { index: number; endsAtMs: number } | null {
    const kind = { cancelled: 'cancel', retracted: 'retract', superseded: 'update' }[how];
    const index =
      of === undefined ? this.warnings.length - 1 : this.warnings.findIndex(({ name }) => name === of);
    const warning = this.warnings[index];
    if (!warning) {
      this.fault(
        place,
        kind,
        of === undefined ? 'there is no warning before it' : `there is no warning ${of} before it`,
      );
      return null;
    }
    if (warning.end !== 'expired' || warning.endsAtMs <= atMs) {
      this.fault(place, kind, `the warning ${warning.name} has ended before`);
      return null;
    }
    const { endsAtMs } = warning;
    warning.endsAtMs = atMs;
    warning.end = how;
    return { index, endsAtMs };
  }

  private add(warning: StoryWarning): void {
    if (warning.endsAtMs <= warning.atMs)
      this.fault(warning.event, 'at', 'the warning would expire before it begins');
    this.warnings.push(warning);
  }

  private named(given: string | undefined, place: number, kind: string): string {
    const name = given ?? `w${this.warnings.length + 1}`;
    if (this.warnings.some((warning) => warning.name === name))
      this.faults.push({
        path: ['timeline', place, kind, 'name'],
        sentence: `there is a warning ${name} already`,
      });
    return name;
  }

  private fault(place: number, key: string, sentence: string): void {
    this.faults.push({ path: ['timeline', place, key], sentence });
  }
}

function codeOf(word: string): string {
  return findHazard(word)?.code ?? word;
}
