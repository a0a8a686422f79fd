/**
 * Hazard kinds: a list, not a type, because provinces add kinds of their own.
 *
 * Codes 11Bxx: found in two independent open programs and an API sample; the fourteen national signals are those of the
 * 2013 notice. `levels` is filled where the colours of a kind are known; for the others all four are accepted.
 */
import { LEVELS, type LevelId } from './levels.ts';

export type Hazard = {
  readonly code: string;
  readonly zh: string;
  readonly en: string;
  readonly levels: readonly LevelId[];
};

const ALL: readonly LevelId[] = LEVELS.map((level) => level.id);

export const HAZARDS: readonly Hazard[] = [
  { code: '11B01', zh: '台风', en: 'typhoon', levels: ALL },
  { code: '11B03', zh: '暴雨', en: 'rainstorm', levels: ALL },
  { code: '11B04', zh: '暴雪', en: 'snowstorm', levels: ALL },
  { code: '11B05', zh: '寒潮', en: 'cold wave', levels: ALL },
  { code: '11B06', zh: '大风', en: 'gale', levels: ALL },
  { code: '11B07', zh: '沙尘暴', en: 'sandstorm', levels: ['red', 'orange', 'yellow'] },
  { code: '11B09', zh: '高温', en: 'heat', levels: ALL },
  { code: '11B14', zh: '雷电', en: 'lightning', levels: ALL },
  { code: '11B15', zh: '冰雹', en: 'hail', levels: ALL },
  { code: '11B16', zh: '霜冻', en: 'frost', levels: ALL },
  { code: '11B17', zh: '大雾', en: 'fog', levels: ALL },
  { code: '11B19', zh: '霾', en: 'haze', levels: ALL },
  { code: '11B20', zh: '雷雨大风', en: 'thunderstorm gale', levels: ALL },
  { code: '11B21', zh: '道路结冰', en: 'road icing', levels: ALL },
  { code: '11B22', zh: '干旱', en: 'drought', levels: ALL },
  { code: '11E02', zh: '风暴潮', en: 'storm surge', levels: ALL },
  { code: '11E06', zh: '海浪', en: 'sea waves', levels: ALL },
];

/** Finds a hazard by code, Chinese or English name; null where the word names none. */
export function findHazard(word: string): Hazard | null {
  const wanted = word.trim().toLowerCase();
  return HAZARDS.find((hazard) => [hazard.code.toLowerCase(), hazard.zh, hazard.en].includes(wanted)) ?? null;
}
