import { describe, expect, test } from 'vitest';
import { WORDS, sayIn, type WordKey } from './words.ts';

const keys = Object.keys(WORDS.en) as WordKey[];

describe('the words of the command line', () => {
  test('Chinese and English have the same keys', () => {
    expect(Object.keys(WORDS.zh).sort()).toEqual([...keys].sort());
  });

  test.each(keys)('%s holds the same places in both languages', (key) => {
    const places = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
    // A number that is missing in one language is a number nobody sees.
    expect(places(WORDS.zh[key])).toEqual(places(WORDS.en[key]));
    expect(WORDS.zh[key]).not.toBe('');
  });

  test('values are put in as they are', () => {
    expect(sayIn('en', 'more', { count: '$1' })).toBe('… and $1 more');
  });
});
