/**
 * Who below an official is still silent, and what the official says for them. A leaked link shows names of units and counts; names
 * and telephones of people only whoever gives the message's number, and only of units directly below.
 */
import { storeVouchedAnswer, type RecordedAnswer } from '../db/answers.ts';
import {
  countSilentDeeper,
  findHolders,
  findSilentBelow,
  findVouchable,
  type Holder,
  type SilentBelow,
} from '../db/below.ts';
import type { Database, Sql } from '../db/database.ts';
import type { AnswerKeys } from '../domain/links.ts';
import type { AnswerKind } from '../domain/unit.ts';
import { withNumber, type Admitted } from './link-number.ts';

/** Lines of the list; the rest is a number. */
export const BELOW_SHOWN_MAX = 20;

export type Below = {
  /** Silent units directly below, and further down. */
  count: number;
  deeper: number;
  /** The most urgent first. */
  units: readonly (SilentBelow & { holder: Holder | null })[];
};

type Official = { warningId: number; personId: number };

type CountDeeper = (official: Official) => Promise<number>;

/** Counting below a city takes 190 ms for 102,500 units, below a district 8 ms: a link that many have must not do it each time. */
const DEEPER_KEPT_MS = 5_000;
const DEEPER_KEPT_MAX = 1_000;

/** Counts how many are silent further down, once in five seconds for each official. */
export function countDeeperSeldom(database: Database): CountDeeper {
  const kept = new Map<string, { until: number; count: Promise<number> }>();
  return (official) => {
    const key = `${official.warningId} ${official.personId}`;
    const now = performance.now();
    const known = kept.get(key);
    if (known && known.until > now) return known.count;
    if (kept.size >= DEEPER_KEPT_MAX) kept.clear();
    const count = countSilentDeeper(database, official);
    kept.set(key, { until: now + DEEPER_KEPT_MS, count });
    count.catch(() => kept.delete(key));
    return count;
  };
}

/** The silent units below an official's own, without the names and telephones of people. */
export async function listBelow(sql: Sql, official: Official, countDeeper: CountDeeper): Promise<Below> {
  const { count, units } = await findSilentBelow(sql, { ...official, most: BELOW_SHOWN_MAX });
  const deeper = await countDeeper(official);
  return { count, deeper, units: units.map((unit) => ({ ...unit, holder: null })) };
}

/** The same with whom to phone. */
async function withHolders(sql: Sql, official: Official, below: Below): Promise<Below> {
  const unitIds = below.units.map(({ unitId }) => unitId);
  const holders = new Map(
    (await findHolders(sql, { ...official, unitIds })).map((holder) => [holder.unitId, holder]),
  );
  return {
    ...below,
    units: below.units.map((unit) => ({ ...unit, holder: holders.get(unit.unitId) ?? null })),
  };
}

/** What an official says for one unit, having reached its people. */
export type Vouched = { unitId: number; answer: AnswerKind; doneCount: number | null };

export type BelowForm = {
  token: string;
  number: string;
  /** None only asks for the list with its telephones. */
  vouched: readonly Vouched[];
  how: 'telephone' | 'in person';
};

/** What was recorded, and the list as it is now; what was said for units that are not theirs is left out. */
export type BelowSeen = {
  recorded: readonly (RecordedAnswer & Pick<Vouched, 'answer' | 'doneCount'>)[];
  below: Below;
};

/** Takes what an official says for units below their own, all of it in one commit; then gives the list with whom to phone. */
export async function answerForBelow(
  database: Database,
  keys: AnswerKeys,
  form: BelowForm,
  countDeeper: CountDeeper,
): Promise<Admitted<BelowSeen>> {
  const taken = await withNumber(database, keys, form, async (sql, owner) => {
    const { deliveryId, warningId, audience, recipientId: personId } = owner;
    // A household stands above nobody; its id is no person's.
    if (audience !== 'people') return { recorded: [], official: null };
    const unitIds = form.vouched.map(({ unitId }) => unitId);
    const vouchable = unitIds.length > 0 ? await findVouchable(sql, { warningId, personId, unitIds }) : null;
    const theirs = form.vouched.filter(({ unitId }) => vouchable?.unitIds.includes(unitId));
    const recorded: BelowSeen['recorded'][number][] = [];
    for (const { unitId, answer, doneCount } of theirs) {
      const by = {
        audience: 'vouched' as const,
        unitId,
        vouchedBy: vouchable?.name ?? '',
        how: form.how,
      };
      const act = { warningId, kind: answer, doneCount, via: 'page' as const, deliveryId, by };
      for (const one of await storeVouchedAnswer(sql, act)) recorded.push({ ...one, answer, doneCount });
    }
    return { recorded, official: { warningId, personId } };
  });
  if (taken.kind !== 'admitted') return taken;
  const { recorded, official } = taken.value;
  const below = official
    ? await withHolders(database, official, await listBelow(database, official, countDeeper))
    : NOBODY_BELOW;
  return { kind: 'admitted', value: { recorded, below } };
}

const NOBODY_BELOW: Below = { count: 0, deeper: 0, units: [] };
