import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  banded,
  circleShape,
  contains,
  shapesTouch,
  type Position,
  type Ring,
  type Shape,
} from './geometry.ts';

function square(west: number, south: number, side: number): Ring {
  const [east, north] = [west + side, south + side];
  return [
    [west, south],
    [east, south],
    [east, north],
    [west, north],
    [west, south],
  ];
}

const touch = (one: Shape, other: Shape) => shapesTouch(banded(one), banded(other));
const place = fc.integer({ min: 0, max: 20 });
const box = fc.record({ west: place, south: place, side: fc.integer({ min: 1, max: 10 }) });

describe('shapes', () => {
  it.each<[string, Shape, Shape, boolean]>([
    ['side by side with a common edge', [[square(0, 0, 1)]], [[square(1, 0, 1)]], true],
    ['with a common corner', [[square(0, 0, 1)]], [[square(1, 1, 1)]], true],
    ['apart', [[square(0, 0, 1)]], [[square(1.01, 0, 1)]], false],
    ['one within the other', [[square(0, 0, 10)]], [[square(4, 4, 1)]], true],
    ['one within the hole of the other', [[square(0, 0, 10), square(2, 2, 6)]], [[square(4, 4, 1)]], false],
    ['the second of two polygons', [[square(50, 50, 1)], [square(0, 0, 1)]], [[square(0.5, 0.5, 9)]], true],
  ])('%s', (_, one, other, expected) => {
    expect(touch(one, other)).toBe(expected);
    expect(touch(other, one)).toBe(expected);
  });

  it('of squares touch exactly where their sides say so', () => {
    fc.assert(
      fc.property(box, box, (one, other) => {
        const overlap = (from: number, length: number, second: number, secondLength: number) =>
          from <= second + secondLength && second <= from + length;
        const expected =
          overlap(one.west, one.side, other.west, other.side) &&
          overlap(one.south, one.side, other.south, other.side);
        const shapes = [one, other].map(({ west, south, side }): Shape => [[square(west, south, side)]]);
        expect(touch(shapes[0] ?? [], shapes[1] ?? [])).toBe(expected);
      }),
    );
  });

  it('with many edges answer as with few', () => {
    const fine = circleOf(10, 10, 5, 20_000);
    const coarse = circleOf(10, 10, 5, 2_000);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 20, noNaN: true }),
        fc.double({ min: 0, max: 20, noNaN: true }),
        (x, y) => {
          const distance = Math.hypot(x - 10, y - 10);
          fc.pre(Math.abs(distance - 5) > 0.01);
          expect(contains(fine, [x, y])).toBe(distance < 5);
          expect(contains(coarse, [x, y])).toBe(distance < 5);
        },
      ),
    );
  });

  it('of circles hold every place within the radius', () => {
    const shape = banded(circleShape([108.7, 29.5], 10));
    // A degree of longitude is shorter by the cosine of the latitude.
    const eastKm = 111.195 * Math.cos((29.5 * Math.PI) / 180);
    for (let angle = 0; angle < 360; angle += 7) {
      const at = (km: number): Position => [
        108.7 + (km * Math.cos((angle * Math.PI) / 180)) / eastKm,
        29.5 + (km * Math.sin((angle * Math.PI) / 180)) / 111.195,
      ];
      expect(contains(shape, at(9.99))).toBe(true);
      expect(contains(shape, at(10.1))).toBe(false);
    }
  });
});

function circleOf(x: number, y: number, radius: number, corners: number) {
  const ring = Array.from({ length: corners + 1 }, (_, index): Position => {
    const angle = ((index % corners) * 2 * Math.PI) / corners;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
  return banded([[ring]]);
}
