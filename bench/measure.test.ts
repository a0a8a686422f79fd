import { describe, expect, it } from 'vitest';
import { interleave, median, percentile, ratiosOf, spreadOf } from './measure.ts';

describe('the arithmetic of the benches', () => {
  it('takes the middle value, and of an even number the mean of the two', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(() => median([])).toThrow(RangeError);
  });

  it('takes the nearest rank as a percentile', () => {
    const values = Array.from({ length: 1_000 }, (_, index) => 1_000 - index);
    expect(percentile(values, 0.99)).toBe(990);
    expect(percentile(values, 1)).toBe(1_000);
    expect(percentile([7], 0.5)).toBe(7);
  });

  it('compares round with round, and calls the least ratio the worst', () => {
    expect(ratiosOf([2, 4, 1], [1, 8, 3])).toEqual([0.5, 2, 3]);
    expect(spreadOf([0.5, 2, 3])).toEqual({ median: 2, worst: 0.5, best: 3 });
    expect(() => ratiosOf([1], [1, 2])).toThrow(RangeError);
  });

  it('runs the contenders in turn and throws the first round away', async () => {
    const order: string[] = [];
    const contender = (name: string) => async (round: number) => {
      order.push(`${name}${round}`);
      return round;
    };
    const runs = await interleave({ a: contender('a'), b: contender('b') }, 2);
    expect(order).toEqual(['a0', 'b0', 'a1', 'b1', 'a2', 'b2']);
    expect(runs).toEqual({ a: [1, 2], b: [1, 2] });
  });
});
