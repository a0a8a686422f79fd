/**
 * Warning levels. Colours, numerals and words: 渝府发〔2026〕6号 art. 6.
 * CAP severity by colour follows messages seen in the wild for blue only; the others are a product choice.
 */
export const LEVELS = [
  { id: 'red', zh: '红色', numeral: 'Ⅰ', en: 'red', severity: 'Extreme' },
  { id: 'orange', zh: '橙色', numeral: 'Ⅱ', en: 'orange', severity: 'Severe' },
  { id: 'yellow', zh: '黄色', numeral: 'Ⅲ', en: 'yellow', severity: 'Moderate' },
  { id: 'blue', zh: '蓝色', numeral: 'Ⅳ', en: 'blue', severity: 'Minor' },
] as const;

export type Level = (typeof LEVELS)[number];
export type LevelId = Level['id'];

const LEVEL_WORDS: Readonly<Record<string, LevelId>> = Object.fromEntries(
  LEVELS.flatMap((level) =>
    [level.id, level.zh, level.zh.slice(0, 1), level.numeral].map((word) => [word, level.id]),
  ),
);

/** `red`, `红`, `红色` and `Ⅰ` all name one level; null where the word names none. */
export function findLevel(word: string): Level | null {
  const id = LEVEL_WORDS[word.trim().toLowerCase()] ?? LEVEL_WORDS[word.trim()];
  return LEVELS.find((level) => level.id === id) ?? null;
}
