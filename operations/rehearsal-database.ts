/** The tree of a rehearsal from the database: the units and people that a run would have, read and nothing else. */
import type { Sql } from '../db/database.ts';
import { readAllUnits, readPostsOf, type RegisteredPost } from '../db/rehearsal-tree.ts';
import { keyOfText } from '../domain/rehearsal/chance.ts';
import { Register } from '../domain/rehearsal/register.ts';
import { channelBit, type PersonId, type Tree, type TreeUnit } from '../domain/rehearsal/tree.ts';
import type { UnitId } from '../domain/unit.ts';
import type { RulePack } from '../domain/rules.ts';
import type { Scenario } from '../domain/scenario.ts';
import type { Instant } from '../domain/time.ts';
import { setStage, type Grow, type Stage } from './rehearsals.ts';

/** A tree, and who its units and people are in the database, at the place of their numbers. */
export type DatabaseTree = { tree: Tree; unitIds: number[]; references: string[] };

/**
 * The stage of a scenario on the units and people of a database, with what was known of addresses at `knownAt`, or is now. Throws as
 * `setStage` does.
 */
export async function setDatabaseStage(
  sql: Sql,
  input: { scenario: Scenario; pack: RulePack; knownAt?: Instant },
): Promise<Stage & DatabaseTree> {
  const { register, grow } = await readDatabaseTree(sql, input.knownAt);
  let grown: DatabaseTree | null = null;
  const stage = await setStage({
    ...input,
    register,
    grow: async (areas, setup) => {
      const own = await grow(areas, setup);
      grown = own;
      return own;
    },
  });
  const { unitIds, references } = (grown as DatabaseTree | null) ?? { unitIds: [], references: [] };
  return { ...stage, unitIds, references };
}

type GrowDatabase = (...input: Parameters<Grow>) => Promise<Awaited<ReturnType<Grow>> & DatabaseTree>;

/** The register of the database, and how a tree is grown from it. */
export async function readDatabaseTree(
  sql: Sql,
  knownAt?: Instant,
): Promise<{ register: Register; grow: GrowDatabase }> {
  const units = await readAllUnits(sql);
  const placeOf = new Map(units.map(({ unitId }, place) => [unitId, place]));
  const register = new Register(
    units.map(({ superiorId, ...unit }) => ({
      ...unit,
      superior: superiorId === null ? null : (placeOf.get(superiorId) ?? null),
    })),
  );
  const grow: GrowDatabase = async (areas) => {
    const places = [...register.scopeOf(areas)].sort((one, other) => one - other);
    const unitOf = new Map(places.map((place, unitId) => [place, unitId]));
    const idOf = new Map(places.map((place, unitId) => [units[place]?.unitId ?? 0, unitId]));
    const posts = await readPostsOf(sql, [...idOf.keys()], knownAt);
    const grown = places.map((place, unitId): TreeUnit => {
      const unit = units[place];
      const superiorId = unit?.superiorId == null ? null : (idOf.get(unit.superiorId) ?? null);
      const key = unit?.code ?? register.path(place);
      return { unitId, key, name: unit?.name ?? '', tier: unit?.tier ?? '', superiorId };
    });
    return { ...plant(grown, posts, idOf), unitOf, unitIds: [...idOf.keys()] };
  };
  return { register, grow };
}

function plant(
  units: TreeUnit[],
  posts: readonly RegisteredPost[],
  idOf: ReadonlyMap<number, UnitId>,
): Omit<DatabaseTree, 'unitIds'> {
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
  const tree = {
    units,
    subordinates,
    posts: heldBy,
    personKeys: Uint32Array.from(keys),
    personChannels: Uint8Array.from(channels),
    severalPosts: new Map(
      heldIn.flatMap((held, person) => (held.length > 1 ? [[person, held] as const] : [])),
    ),
  };
  return { tree, references: [...people.keys()] };
}
