/**
 * The tiers of administration, top down. They are data: a country with four tiers passes its own list.
 *
 * Source of the six: the public description of 重庆御天·智慧防灾系统, 市—区县—乡镇(街道)—村(居)—组—户.
 */
export type TierId = string;

export type Tier = {
  readonly id: TierId;
  readonly zh: string;
  readonly en: string;
  /** `official`: units with posts, a ladder and an answer. `told`: parties that are told, by count. */
  readonly role: 'official' | 'told';
};

export const TIERS: readonly Tier[] = [
  { id: 'city', zh: '市', en: 'city', role: 'official' },
  { id: 'district', zh: '区县', en: 'district', role: 'official' },
  { id: 'township', zh: '乡镇', en: 'township', role: 'official' },
  { id: 'village', zh: '村居', en: 'village', role: 'official' },
  { id: 'group', zh: '组', en: 'group', role: 'official' },
  { id: 'household', zh: '户', en: 'household', role: 'told' },
];

/** One workflow carries a unit of this tier with all below it; tiers above it are cells of one unit each. */
export const CELL_TIER: TierId = 'district';

/** The tier's place from the top, 0 for the first. Throws on a tier that is not in the list. */
export function tierDepth(id: TierId, tiers: readonly Tier[] = TIERS): number {
  const depth = tiers.findIndex((tier) => tier.id === id);
  if (depth < 0) throw new RangeError(`unknown tier ${id}`);
  return depth;
}

/** True where a unit of this tier is the root of a cell: the cell tier itself and every tier above it. */
export function rootsCell(id: TierId, tiers: readonly Tier[] = TIERS): boolean {
  return tierDepth(id, tiers) <= tierDepth(CELL_TIER, tiers);
}
