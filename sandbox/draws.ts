/** Chance by hash: the same key gives the same draws whatever came before it, so that order and restarts do not matter. */
import { createHash } from 'node:crypto';

const DRAWS_PER_KEY = 8;

/** Eight numbers, each at least 0 and below 1, drawn by a seed and a key. */
export function draws(seed: string, ...key: readonly string[]): readonly number[] {
  const hash = createHash('sha256')
    .update(`${seed}|${key.join('|')}`)
    .digest();
  return Array.from({ length: DRAWS_PER_KEY }, (_, place) => hash.readUInt32BE(place * 4) / 2 ** 32);
}

/** The first of `draws`. */
export function draw(seed: string, ...key: readonly string[]): number {
  return (
    createHash('sha256')
      .update(`${seed}|${key.join('|')}`)
      .digest()
      .readUInt32BE(0) /
    2 ** 32
  );
}
