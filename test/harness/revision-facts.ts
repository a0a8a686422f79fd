/**
 * What happened in a chain of warnings, as it was seen from outside of the engine, and what must be true of it: worked out from the
 * decisions, the words of people and the messages that were taken, by no rule of the engine's.
 */
import { LEVELS, type LevelId } from '../../domain/levels.ts';
import type { OutgoingMessage } from '../../domain/ports.ts';
import type { AnswerKind } from '../../domain/unit.ts';
import { streamOf } from './random.ts';

/** The units of the small tree, each with those above it. */
export const PLACES: Readonly<Record<string, readonly string[]>> = {
  城: ['城'],
  区: ['城', '区'],
  乡一: ['城', '区', '乡一'],
  村一: ['城', '区', '乡一', '村一'],
  组一: ['城', '区', '乡一', '村一', '组一'],
  乡二: ['城', '区', '乡二'],
  村二: ['城', '区', '乡二', '村二'],
  组二: ['城', '区', '乡二', '村二', '组二'],
};
export const UNITS = Object.keys(PLACES);

export const pathOf = (unit: string) => (PLACES[unit] ?? []).join('/');

/** What a seed decides. */
export type Draws = {
  random: () => number;
  below: (most: number) => number;
  any: <Item>(items: readonly Item[]) => Item;
};

export function drawsOf(seed: number): Draws {
  const random = streamOf(seed * 13 + 5);
  const below = (most: number) => Math.floor(random() * most);
  return { random, below, any: (items) => items[below(items.length)] as (typeof items)[number] };
}

/** A warning of the chain as it was decided. */
export type Link = { warningId: number; level: LevelId; areas: readonly string[]; asksAgain: boolean };

/** A message that the far side has, or may have. */
export type Heard = {
  warningId: number;
  address: string;
  deliveryId: string;
  /** It says that the warning is over. */
  over: boolean;
  /** It concerns its reader, and is no report on others. */
  own: boolean;
  /** A worker took it and was never heard of again: it may never have gone out, and did not where the worker was told to drop it. */
  maybe: null | 'sent' | 'dropped';
};

/** A word of an official about a unit, in the order in which they were said, to the warning it was said of. */
export type Said = { warningId: number; unit: string; kind: AnswerKind };

export type RevisionFacts = {
  readonly chain: readonly Link[];
  readonly said: readonly Said[];
  readonly heard: readonly Heard[];
  /** The same as the far side's ledger, in its order. */
  readonly messages: readonly OutgoingMessage[];
  /** When the last message of an attempt came, by `<delivery>.<attempt>`. */
  readonly arrivals: ReadonlyMap<string, number>;
  readonly over: 'cancelled' | 'expired' | null;
};

/** In its areas, or on the way down to them. */
export function concerns({ areas }: Link, unit: string): boolean {
  const path = PLACES[unit] ?? [];
  return areas.some((area) => path.includes(area) || (PLACES[area] ?? []).includes(unit));
}

/** A higher level, or words that somebody wrote anew, want a new answer; nothing else does. */
export function asksAgain(before: Link, after: { level: LevelId; ownWords: boolean }): boolean {
  return after.ownWords || rank(after.level) < rank(before.level);
}

/** 0 is the highest. */
function rank(level: LevelId): number {
  return LEVELS.findIndex(({ id }) => id === level);
}

/** The words that stand for the newest warning: its own, and those to earlier ones as long as none asked anew. */
export function standingWords(chain: readonly Link[], said: readonly Said[], unit: string): Said[] {
  const counting = new Set<number>();
  for (const link of chain.toReversed()) {
    if (!concerns(link, unit)) break;
    counting.add(link.warningId);
    if (link.asksAgain) break;
  }
  return said.filter((word) => word.unit === unit && counting.has(word.warningId));
}

/**
 * What is wrong with what one address has read, in its order: an older warning after a newer one, an end without a beginning, an end said
 * twice; and after the end of all, or after having been left out, a last word that is not the end.
 */
export function misread(heard: readonly Heard[], mustEnd: boolean): string[] {
  const faults: string[] = [];
  let newest = 0;
  let told = false;
  let ended: Heard | null = null;
  for (const message of heard) {
    const { warningId, over, own, maybe, deliveryId } = message;
    if (maybe === 'dropped') continue;
    if (warningId < newest) faults.push(`read of W${warningId} after W${newest}`);
    newest = Math.max(newest, warningId);
    if (!over) {
      told ||= own && !maybe;
      if (own) ended = null;
    } else if (maybe) continue;
    else if (ended && ended.deliveryId !== deliveryId) faults.push(`read twice that W${warningId} is over`);
    else if (heard.every((one) => one.over))
      faults.push(`read that W${warningId} is over, and of nothing before`);
    if (over) ended = message;
  }
  if (mustEnd && told && !ended) faults.push('never reads that it is over');
  return faults;
}
