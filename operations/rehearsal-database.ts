/** The tree of a rehearsal from the database: the units and people that a run would have, read and nothing else. */
import type { Sql } from '../db/database.ts';
import { readAllUnits, readPostsOf, type RegisteredPost } from '../db/rehearsal-tree.ts';
import { keyOfText } from '../domain/rehearsal/chance.ts';
import { Register } from '../domain/rehearsal/register.ts';
import { channelBit, type PersonId, type Tree, type TreeUnit } from '../domain/rehearsal/tree.ts';
import type { UnitId } from '../domain/unit.ts';
import type { Grow } from './rehearsals.ts';

/** The register of the database, and how a tree is grown from it. */
export async function readDatabaseTree(sql: Sql): Promise<{ register: Register; grow: Grow }> {
  const units = await readAllUnits(sql);
  const placeOf = new Map(units.map(({ unitId }, place) => [unitId, place]));
  const register = new Register(
    units.map(({ superiorId, ...unit }) => ({
      ...unit,
      superior: superiorId === null ? null : (placeOf.get(superiorId) ?? null),
    })),
  );
  const grow: Grow = async (areas) => {
    const places = [...register.scopeOf(areas)].sort((one, other) => one - other);
    const unitOf = new Map(places.map((place, unitId) => [place, unitId]));
    const idOf = new Map(places.map((place, unitId) => [units[place]?.unitId ?? 0, unitId]));
    const posts = await readPostsOf(sql, [...idOf.keys()]);
    const grown = places.map((place, unitId): TreeUnit => {
      const unit = units[place];
      const superiorId = unit?.superiorId == null ? null : (idOf.get(unit.superiorId) ?? null);
      const key = unit?.code ?? register.path(place);
      return { unitId, key, name: unit?.name ?? '', tier: unit?.tier ?? '', superiorId };
    });
    return { tree: plant(grown, posts, idOf), unitOf };
  };
  return { register, grow };
}

function plant(units: TreeUnit[], posts: readonly RegisteredPost[], idOf: ReadonlyMap<number, UnitId>): Tree {
  const people = new Map<string, PersonId>();
  const keys: number[] = [];
  const channels: number[] = [];
  const heldBy: PersonId[][] = units.map(() => []);
  const heldIn: UnitId[][] = [];
  for (const post of posts) {
    const unitId = idOf.get(post.unitId);
    if (unitId === undefined) continue;
    const person = people.get(post.reference) ?? keys.length;
    if (!people.has(post.reference)) {
      people.set(post.reference, person);
      keys.push(keyOfText(post.reference));
      channels.push(post.channels.reduce((bits, channel) => bits | channelBit(channel), 0));
      heldIn.push([]);
    }
    heldBy[unitId]?.push(person);
    heldIn[person]?.push(unitId);
  }
  const subordinates: UnitId[][] = units.map(() => []);
  for (const { unitId, superiorId } of units) if (superiorId !== null) subordinates[superiorId]?.push(unitId);
  return {
    units,
    subordinates,
    posts: heldBy,
    personKeys: Uint32Array.from(keys),
    personChannels: Uint8Array.from(channels),
    severalPosts: new Map(
      heldIn.flatMap((held, person) => (held.length > 1 ? [[person, held] as const] : [])),
    ),
  };
}
