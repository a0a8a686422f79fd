/**
 * Draws that depend on a seed and a key, never on the order of calls: the same unit gets the same people whether it is
 * filled alone or with the whole tree.
 */

/** Numbers in [0, 1), one after the other, the same for the same seed and key. */
export type Draws = () => number;

/** A generator of its own for each key: sfc32, seeded by a hash of seed and key. */
export function draws(seed: string, key: string): Draws {
  const text = `${seed}\u0000${key}`;
  let a = hash(text, 0x9e3779b9);
  let b = hash(text, 0x243f6a88);
  let c = hash(text, 0xb7e15162);
  let counter = 1;
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
}

/** One of the list. */
export function pick<T>(draw: Draws, list: readonly T[]): T {
  const item = list[Math.floor(draw() * list.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** FNV-1a with a final mix (murmur3's), so that keys which differ in one digit lie far apart. */
function hash(text: string, basis: number): number {
  let value = basis;
  for (let place = 0; place < text.length; place += 1) {
    value = Math.imul(value ^ text.charCodeAt(place), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
