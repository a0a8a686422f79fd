/**
 * The cast 演员表 of a drill on the real stack: its people, how they behave, and what goes wrong around them, as a rehearsal of the same
 * scenario and seed has it. Written once as lines of JSON and read by the stand-ins, which have no database. Units have the ids of the
 * drill's database; all instants but `startAt` are of the story. Pure.
 */
import type { DrillClock } from '../drill-clock.ts';
import { perChannel, type Channel } from '../rules.ts';
import type { TierId } from '../tiers.ts';
import type { Instant } from '../time.ts';
import type { UnitId } from '../unit.ts';
import type { Manner } from './behaviour.ts';
import type { Interval } from './circumstances.ts';

export type Cast = CastHead & { people: CastPerson[]; households: CastHousehold[] };

export type CastHead = DrillClock & {
  seed: number;
  /** In the order of the story. */
  warnings: CastWarning[];
  manners: Manner[];
  darkness: (Interval & { unitId: UnitId })[];
  /** `units` null: everywhere. */
  outages: (Interval & { channel: Channel; units: UnitId[] | null })[];
};

export type CastWarning = {
  /** Its number in the drill's schema; null where it was not issued yet. */
  warningId: number | null;
  at: Instant;
  endsAt: Instant;
  /** The warning that takes its place. */
  successor: number | null;
  /** The warning whose answers stand for this one. */
  carries: number | null;
  /** Who says *done* in it. */
  doneTiers: TierId[];
};

/** Somebody with a post or on a roster; `key` is that of their chance, `unitId` where they are, `tiers` those of all their posts. */
export type CastPerson = {
  key: number;
  unitId: UnitId;
  manner: number;
  tiers: TierId[];
  addresses: Partial<Record<Channel, string>>;
};

/** A household where something goes wrong with power or providers: its people are no part of a scenario, its place is. */
export type CastHousehold = { unitId: UnitId; channel: Channel; address: string };

/**
 * The place in the story of a warning of the drill's schema. One that the cast does not know was issued later: numbers go up with the
 * story, by one each.
 */
export function placeInStory(warnings: readonly CastWarning[], warningId: number): number {
  const known = warnings.findIndex((warning) => warning.warningId === warningId);
  if (known >= 0) return known;
  const last = warnings.findLastIndex((warning) => warning.warningId !== null);
  return last + warningId - (warnings[last]?.warningId ?? 0);
}

/** Lines of JSON: the head, then one for each person and household. */
export function* castLines({ people, households, ...head }: Cast): Generator<string> {
  yield JSON.stringify({ head }, plainly);
  for (const person of people) yield JSON.stringify({ person });
  for (const household of households) yield JSON.stringify({ household });
}

type CastLine = { head?: CastHead; person?: CastPerson; household?: CastHousehold };

/** Reads the lines of `castLines`. Throws where the first is not a head. */
export function readCastLines(lines: Iterable<string>): Cast {
  let head: CastHead | null = null;
  const people: CastPerson[] = [];
  const households: CastHousehold[] = [];
  for (const line of lines) {
    if (line === '') continue;
    const entry = JSON.parse(line) as CastLine;
    if (entry.head) head = revived(entry.head);
    if (entry.person) people.push(entry.person);
    if (entry.household) households.push(entry.household);
  }
  if (!head) throw new TypeError('the cast has no head');
  return { ...head, people, households };
}

/** JSON knows no typed arrays, and no end of time. */
function plainly(_key: string, value: unknown): unknown {
  if (value === Infinity) return null;
  return value instanceof Float64Array ? [...value] : value;
}

function revived(head: CastHead): CastHead {
  const delays = (table: ArrayLike<number>) => Float64Array.from(table);
  const endless = <Part extends { to: Instant | null }>(part: Part) => ({ ...part, to: part.to ?? Infinity });
  return {
    ...head,
    darkness: head.darkness.map(endless),
    outages: head.outages.map(endless),
    manners: head.manners.map((manner) => ({
      ...manner,
      delays: perChannel((channel) => delays(manner.delays[channel])),
      done: { ...manner.done, delays: delays(manner.done.delays) },
    })),
  };
}
