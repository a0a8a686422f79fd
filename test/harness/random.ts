/**
 * Draws that depend on their key only, never on the order in which they are asked for: the same seed gives the same
 * people and the same channel whatever the partition into cells.
 */
export type Draw = (...key: readonly number[]) => number;

/** A number in [0, 1) for each key, from the seed. */
export function drawsOf(seed: number): Draw {
  const start = mix(seed ^ 0x9e3779b9);
  return (...key) => {
    let hash = start;
    for (const part of key) hash = mix(hash ^ Math.imul(part + 0x7f4a7c15, 0x85ebca6b));
    return mix(hash ^ 0x165667b1) / 2 ** 32;
  };
}

/** A stream of numbers in [0, 1), for what may depend on order: shuffles, partitions, the tree itself. */
export function streamOf(seed: number): () => number {
  let state = mix(seed ^ 0x27d4eb2f);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(state) / 2 ** 32;
  };
}

export function shuffle<Item>(items: Item[], random: () => number): Item[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other] as Item, items[last] as Item];
  }
  return items;
}

function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
