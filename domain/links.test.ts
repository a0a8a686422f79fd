import fc from 'fast-check';
import { expect, it } from 'vitest';
import { answerNumber, answerToken, openToken, recipientName } from './links.ts';

const OLD = { id: '1', secret: 'an old secret that is long enough' };
const NEW = { id: '2', secret: 'a new secret that is long enough!' };

it('opens what it made, and every attempt has the same link', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 46 }), (deliveryId) => {
      const token = answerToken([NEW], deliveryId);
      expect(token).toBe(answerToken([NEW], deliveryId));
      expect(openToken([NEW], token)).toBe(deliveryId);
      expect(token.split('.')[1]).toHaveLength(16);
    }),
  );
});

it('opens no token in which one character is another', () => {
  const token = answerToken([NEW], 1_234_567);
  for (let place = 0; place < token.length; place += 1) {
    const other = token[place] === 'a' ? 'b' : 'a';
    expect(openToken([NEW], token.slice(0, place) + other + token.slice(place + 1))).toBeNull();
  }
});

it.each([
  '',
  '.',
  'x',
  '1.',
  '../../etc',
  'zz.!!!!!!!!!!!!!!!!',
  `1.${'a'.repeat(17)}`,
  '１.aaaaaaaaaaaaaaaa',
])('takes %j for no token', (token) => {
  expect(openToken([NEW], token)).toBeNull();
});

it('opens links of an old key after it was rotated, and no longer when it is gone', () => {
  const token = answerToken([OLD], 77);
  expect(openToken([NEW, OLD], token)).toBe(77);
  expect(openToken([NEW], token)).toBeNull();
  expect(answerToken([NEW, OLD], 77)).toBe(answerToken([NEW], 77));
});

it('has numbers of four digits that differ by warning and recipient, all about equally often', () => {
  const numbers = Array.from({ length: 5_000 }, (_, index) =>
    answerNumber([NEW], 1, recipientName('people', index)),
  );
  expect(numbers.every((number) => /^\d{4}$/.test(number))).toBe(true);
  expect(new Set(numbers).size).toBeGreaterThan(3_500);
  expect(answerNumber([NEW], 1, 'people:1')).not.toBe(answerNumber([NEW], 2, 'people:1'));
  expect(answerNumber([NEW], 1, 'people:1')).not.toBe(answerNumber([NEW], 1, 'households:1'));
});
