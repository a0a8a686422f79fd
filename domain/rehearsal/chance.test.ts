/** The same numbers on every machine and every version of Node: written down, not computed again. */
import { expect, test } from 'vitest';
import { Agenda } from './agenda.ts';
import { chanceOf, happens, keyOfText } from './chance.ts';
import { CURVES, delayMs, delaysOf } from './delays.ts';

/** Computed by another program in another language, from the description. */
const DRAWS = [2274244823, 1550682603, 2598115369, 2925559410, 2420306769];
const KEYS = [2872998923, 2737917506];
/** Of a median of two minutes and a p90 of eight, in milliseconds. */
const DELAYS = [4241, 9643, 57851, 248915, 1493656, 3395798];

test('draws are these numbers', () => {
  const chance = chanceOf(1);
  expect([chance(0, 0, 0), chance(1, 0, 0), chance(0, 1, 0), chance(0, 0, 1), chanceOf(2)(0, 0, 0)]).toEqual(
    DRAWS,
  );
  expect([keyOfText(''), keyOfText('synthetic 500114112000 0')]).toEqual(KEYS);
});

test('draws fill their range evenly, also for neighbouring keys', () => {
  const chance = chanceOf(7);
  const tenths = Array.from({ length: 10 }, () => 0);
  for (let key = 0; key < 100_000; key += 1) {
    const tenth = Math.floor((chance(key, 3, 5) / 2 ** 32) * 10);
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(400);
  let never = 0;
  for (let key = 0; key < 100_000; key += 1) if (happens(chance(key, 1, 0), 5)) never += 1;
  expect(Math.abs(never - 5_000)).toBeLessThan(250);
});

test('a curve has its median, its p90 and these numbers', () => {
  const delays = delaysOf({ median: 2, p90: 8 });
  const at = (share: number) => delayMs(delays, Math.floor(share * (2 ** 32 - 1)));
  expect(at(0.5)).toBe(120_000);
  expect(at(0.9) / 1_000).toBeCloseTo(480, 0);
  expect(at(0.1) / 1_000).toBeCloseTo(30, 0);
  expect([0, 0.01, 0.25, 0.75, 0.99, 1].map(at)).toEqual(DELAYS);
  for (const curve of Object.values(CURVES)) {
    const table = delaysOf(curve);
    for (let step = 1; step < table.length; step += 1)
      expect(table[step]).toBeGreaterThanOrEqual(table[step - 1] ?? 0);
  }
});

test('an agenda gives instants in order, and what falls together as it was added', () => {
  const agenda = new Agenda<number>();
  const chance = chanceOf(3);
  const added = Array.from({ length: 2_000 }, (_, item) => ({ at: chance(item, 0, 0) % 500, item }));
  for (const { at, item } of added) agenda.add(at, item);
  const taken: { at: number; item: number }[] = [];
  while (agenda.nextAt < Infinity) {
    const at = agenda.nextAt;
    for (const item of agenda.takeNext()) taken.push({ at, item });
  }
  expect(taken).toEqual(added.sort((one, other) => one.at - other.at || one.item - other.item));
});
