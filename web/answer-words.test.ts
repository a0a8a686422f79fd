import { expect, it } from 'vitest';
import { ANSWER_WORDS, type AnswerWord } from './answer-words.ts';

const words = Object.keys(ANSWER_WORDS.zh) as AnswerWord[];
const places = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

it('says everything in both languages, with no value that the other lacks', () => {
  expect(Object.keys(ANSWER_WORDS.en).sort()).toEqual([...words].sort());
  for (const word of words) {
    const [zh, en] = [ANSWER_WORDS.zh[word], ANSWER_WORDS.en[word]];
    expect(zh.trim() && en.trim()).not.toBe('');
    // A level's numeral stands beside its colour in Chinese only, as in the published warnings.
    expect({ word, places: places(en) }).toEqual({
      word,
      places: places(zh).filter((place) => place !== 'numeral'),
    });
  }
});
