/** The tree of a rehearsal: the units concerned and their people, numbered from 0. Plain data. */
import { CHANNELS, type Channel } from '../rules.ts';
import type { TierId } from '../tiers.ts';
import type { UnitId } from '../unit.ts';

export type PersonId = number;

export type TreeUnit = {
  readonly unitId: UnitId;
  /** Names the unit outside of the rehearsal: its code, or its path where it has none. */
  readonly key: string;
  readonly name: string;
  readonly tier: TierId;
  readonly superiorId: UnitId | null;
};

export type Tree = {
  /** At the place of their id. */
  readonly units: readonly TreeUnit[];
  readonly subordinates: readonly (readonly UnitId[])[];
  /** Who holds the posts of a unit, the principal first. */
  readonly posts: readonly (readonly PersonId[])[];
  /** A number that stays with the person, whatever tree they are read into: their chance hangs on it. */
  readonly personKeys: Uint32Array;
  /** A bit for each channel by which the person can be reached. */
  readonly personChannels: Uint8Array;
  /** The units of those who hold several posts. */
  readonly severalPosts: ReadonlyMap<PersonId, readonly UnitId[]>;
};

/** The bit of a channel in `personChannels`. */
export function channelBit(channel: Channel): number {
  return 1 << CHANNELS.indexOf(channel);
}

/** These units, all below them, and those on the way down to them: whom a warning there concerns. */
export function scopeOf(tree: Tree, areas: readonly UnitId[]): Uint8Array {
  const scope = new Uint8Array(tree.units.length);
  const open = [...areas];
  for (let unitId = open.pop(); unitId !== undefined; unitId = open.pop()) {
    if (scope[unitId] === 1) continue;
    scope[unitId] = 1;
    open.push(...(tree.subordinates[unitId] ?? []));
  }
  for (const area of areas) {
    for (let above = superiorOf(tree, area); above !== null; above = superiorOf(tree, above))
      scope[above] = 1;
  }
  return scope;
}

/** Where a person is: in the lowest unit whose post they hold, whichever of their posts a message is for. */
export function homeOf(tree: Tree, person: PersonId, unitId: UnitId): UnitId {
  // Superiors come before those below them.
  return tree.severalPosts.get(person)?.reduce((lowest, other) => Math.max(lowest, other)) ?? unitId;
}

/** The unit and all below it. */
export function unitsUnder(tree: Tree, unitId: UnitId): UnitId[] {
  const under: UnitId[] = [unitId];
  for (let place = 0; place < under.length; place += 1) {
    for (const below of tree.subordinates[under[place] ?? 0] ?? []) under.push(below);
  }
  return under;
}

export function superiorOf(tree: Tree, unitId: UnitId): UnitId | null {
  return tree.units[unitId]?.superiorId ?? null;
}
