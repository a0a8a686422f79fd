/**
 * Chance in whole numbers: a hash of a seed and a key. Only additions, shifts and 32-bit products, which every machine and every
 * version of Node compute alike, and nothing depends on the order in which it is asked. Not for secrets.
 */

/** How many values a draw has. */
export const CHANCES = 2 ** 32;

/** A whole number from 0 to 2³² − 1 for each key, the same for the same seed. */
export type Chance = (key: number, what: number, more: number) => number;

/** The draws of a seed. */
export function chanceOf(seed: number): Chance {
  const start = mix(seed ^ 0x9e3779b9);
  return (key, what, more) =>
    mix(mix(mix(start ^ key) ^ Math.imul(what + 1, 0x85ebca6b)) ^ Math.imul(more + 1, 0xc2b2ae35));
}

/** A key of 32 bits for a text. */
export function keyOfText(text: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  }
  return mix(hash);
}

/** True for so many per cent of all draws. */
export function happens(draw: number, percent: number): boolean {
  return draw < (percent / 100) * CHANCES;
}

/** Murmur3's finish: each bit of the input moves half of the output's. */
function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
