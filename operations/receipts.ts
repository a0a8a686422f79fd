/**
 * Receipts of providers: each is stored once, and what follows from it is written in the same commit. A message that finally
 * failed is tried again or moves its unit on; an address that proved bad or good is marked.
 */
import { putLetters } from '../db/cells.ts';
import type { Database, Sql } from '../db/database.ts';
import {
  findMerged,
  insertExhaustions,
  insertReceiptRetries,
  insertReceipts,
  markAddresses,
  readFailed,
  readPlaces,
  reopenKeys,
  withdrawRetries,
  type DeliveryPlace,
  type FailedDelivery,
  type ReceiptKey,
  type ReopenedKey,
} from '../db/receipts.ts';
import { consequence } from '../domain/delivery.ts';
import type { WarningKind } from '../domain/kinds.ts';
import { isArrival, isFailure, type Receipt } from '../domain/receipts.ts';
import { classOf, type ResultClass } from '../domain/results.ts';

/** A failure of which the provider did not say why, or in a code that no table knows. */
const CLASS_UNSAID: ResultClass = 'rejected';

/**
 * Takes receipts of a provider in one commit; those of deliveries that were never planned, or of warnings of another kind than the
 * provider serves, are passed over. Gives how many were new: a repeated one changes nothing.
 */
export async function takeReceipts(
  database: Database,
  receipts: readonly Receipt[],
  serves: WarningKind,
): Promise<number> {
  if (receipts.length === 0) return 0;
  return database.transaction(async (sql) => {
    const fresh = await insertReceipts(sql, receipts, serves);
    const ends = fresh.filter(({ state }) => isArrival(state) || isFailure(state));
    if (ends.length > 0) await follow(sql, ends, receipts);
    return fresh.length;
  });
}

async function follow(sql: Sql, ends: readonly ReceiptKey[], receipts: readonly Receipt[]): Promise<void> {
  // Of two with the same name in one push the first was stored.
  const reasons = new Map(receipts.toReversed().map((receipt) => [nameOf(receipt), receipt.reason]));
  const reasonOf = (end: ReceiptKey) => reasons.get(nameOf(end)) ?? CLASS_UNSAID;
  const places = new Map(
    (await readPlaces(sql, unique(ends.map(({ deliveryId }) => deliveryId)))).map((place) => [
      place.deliveryId,
      place,
    ]),
  );
  const failures = ends.filter(({ state }) => isFailure(state));
  if (failures.length > 0) await followFailures(sql, failures, places);
  await followArrivals(
    sql,
    ends.filter(({ state }) => isArrival(state)),
    places,
  );
  await markAddresses(
    sql,
    ends.flatMap((end) => {
      const place = places.get(end.deliveryId);
      const fault = isFailure(end.state) ? (classOf(reasonOf(end))?.address ?? null) : null;
      return place && (fault !== null || isArrival(end.state)) ? [{ place, fault }] : [];
    }),
  );
}

/** What arrived after all is not sent again. */
async function followArrivals(
  sql: Sql,
  arrivals: readonly ReceiptKey[],
  places: ReadonlyMap<number, DeliveryPlace>,
): Promise<void> {
  if (arrivals.length === 0) return;
  const withdrawn = await withdrawRetries(
    sql,
    arrivals.map(({ deliveryId }) => deliveryId),
  );
  await reopenKeys(
    sql,
    withdrawn.flatMap((deliveryId): ReopenedKey[] => {
      const place = places.get(deliveryId);
      return place ? [{ ...place, outcome: 'handed off' }] : [];
    }),
  );
}

/** What follows from an attempt that failed. */
type Following = {
  place: DeliveryPlace;
  retry: { attempt: number; afterMs: number } | null;
  movesOn: boolean;
};

async function followFailures(
  sql: Sql,
  failures: readonly ReceiptKey[],
  places: ReadonlyMap<number, DeliveryPlace>,
): Promise<void> {
  const failed = await readFailed(sql, unique(failures.map(({ deliveryId }) => deliveryId)));
  const following = failed.flatMap((delivery): Following[] => {
    const place = places.get(delivery.deliveryId);
    const attempt = Math.max(
      ...failures.filter(({ deliveryId }) => deliveryId === delivery.deliveryId).map((key) => key.attempt),
    );
    return place ? [{ place, ...followingOf(delivery, attempt) }] : [];
  });
  const retries = following.flatMap(({ place, retry }) => (retry ? [{ place, ...retry }] : []));
  await insertReceiptRetries(sql, retries);
  const moving = following.filter(({ movesOn }) => movesOn).map(({ place }) => place);
  const moved = await insertExhaustions(sql, unique(moving.map(({ deliveryId }) => deliveryId)));
  await tellUnits(
    sql,
    moving.filter(({ deliveryId }) => moved.has(deliveryId)),
  );
  await reopenKeys(
    sql,
    following.flatMap(({ place, retry, movesOn }): ReopenedKey[] => {
      if (retry) return [{ ...place, outcome: null }];
      return movesOn ? [{ ...place, outcome: 'failed' }] : [];
    }),
  );
}

/** Only rungs move units. Units that were told by the same message hear the same of it. */
async function tellUnits(sql: Sql, places: readonly DeliveryPlace[]): Promise<void> {
  const rungs = places.filter(({ purpose }) => purpose === 'rung');
  if (rungs.length === 0) return;
  const merged = await findMerged(
    sql,
    rungs.filter(({ audience }) => audience === 'people'),
  );
  const told = [...rungs, ...merged];
  for (const warning of unique(told.map(({ warningId }) => warningId)))
    await putLetters(
      sql,
      warning,
      told
        .filter(({ warningId }) => warningId === warning)
        .map(({ unitId, step }) => ({ unitId, message: { kind: 'exhausted', rung: step } })),
    );
}

/** The attempt counts where it is the last one, where nothing has arrived, and where this is the first end of it. */
function followingOf(delivery: FailedDelivery, attempt: number): Pick<Following, 'retry' | 'movesOn'> {
  const nothing = { retry: null, movesOn: false };
  const { receipts } = delivery;
  if (!delivery.open || delivery.attemptLast > attempt) return nothing;
  if (receipts.some((receipt) => isArrival(receipt.state) || receipt.attempt > attempt)) return nothing;
  const own = receipts.filter((receipt) => receipt.attempt === attempt && isFailure(receipt.state));
  const reason = own[0]?.reason ?? CLASS_UNSAID;
  const rule = classOf(reason);
  const then = consequence(
    { outcome: rule?.outcome ?? 'failed', reason },
    attempt,
    delivery.retry,
    delivery.speed,
  );
  if (then.kind !== 'retry') return { retry: null, movesOn: true };
  return { retry: { attempt: attempt + 1, afterMs: then.afterMs }, movesOn: rule?.meanwhile === true };
}

const nameOf = (key: ReceiptKey) => `${key.deliveryId}.${key.attempt} ${key.state}`;

const unique = (ids: readonly number[]) => [...new Set(ids)];
