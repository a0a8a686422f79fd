/**
 * Send page: claims slices of a page and hands their messages to one channel, for about five seconds at a time.
 *
 * It is safe to repeat and to run twice. A slice belongs to one attempt until its lease ends; the attempt starts no send
 * that could outlast it. What came of a slice is written in one transaction. A worker that dies leaves a lease: when it
 * has run out, the slice is settled as unknown and sent again, flagged.
 */
import { consequence } from '../domain/delivery.ts';
import { channelRefusal } from '../domain/guard.ts';
import type { WarningKind } from '../domain/kinds.ts';
import type { ChannelPort, OutgoingMessage, SendResult } from '../domain/ports.ts';
import type { ClaimedDelivery, ClaimedSlice, PageStore, SettledSlice, Settlement } from '../domain/store.ts';
import { classOf } from '../domain/results.ts';
import { composeMessage, type Composing } from './compose-message.ts';

export type SendPageDependencies = Composing & {
  store: PageStore;
  /** The kind of warning this worker sends; a page of the other kind is refused for good. */
  serves: WarningKind;
  channel: ChannelPort;
  /** Milliseconds of a clock that never jumps. */
  monotonic: () => number;
  pause: (ms: number) => Promise<void>;
  /** Where the next page of the channel begins: kept by whoever sends several, left out by whoever sends one. */
  pace?: Pace;
};

/** How many messages a slice had that took as long as a slice should. */
export type Pace = { most: number };

export type SendPageResult = {
  ended: boolean;
  /** When not ended: look again after so long (a lease of another attempt runs). */
  againInMs: number;
  sent: number;
  /** The page is of the other kind: nothing was claimed or sent, and trying again is of no use. */
  misdirected?: true;
};

/** The activity returns after about this time with what is left, so that a deploy never waits long for it. */
const TIME_BOX_MS = 5_000;
/** A slice is cut so that it takes about this long to send. */
const SLICE_MS = 1_000;
const SLICE_FIRST = 200;
const SLICE_MAX = 500;
/** Beyond the message's own time-out: time to settle. */
const LEASE_MARGIN_MS = 5_000;
const SETTLE_AGAIN_MS = 200;
/** A page of a channel that takes nothing is looked at again after this time at the latest. */
const CLOSED_LOOK_MS = 5_000;
/** A person's other message for the same rung is under way: ask again what became of it. */
const MERGE_PENDING_MS = 1_000;
const MERGE_PENDING_DOUBLINGS_MAX = 4;

/** Sends what it can of a page within the time box. */
export async function sendPage(dependencies: SendPageDependencies, pageId: number): Promise<SendPageResult> {
  const { store, channel, monotonic, serves } = dependencies;
  const until = monotonic() + TIME_BOX_MS;
  const leaseMs = channel.messageTimeoutMs + LEASE_MARGIN_MS;
  const pace = dependencies.pace ?? freshPace();
  let most = pace.most;
  let sent = 0;
  for (const slice of await store.abandoned(pageId, serves)) await store.settle(abandonedAsUnknown(slice));
  while (monotonic() < until) {
    const closedForMs = (await channel.closedForMs?.()) ?? 0;
    const claimedAt = monotonic();
    const claimed = await store.claim(pageId, {
      serves,
      most: Math.min(most, channel.claimMost?.() ?? most),
      leaseMs,
      closedForMs: Math.min(closedForMs, CLOSED_LOOK_MS),
    });
    if (claimed.kind === 'misdirected') return { ended: true, againInMs: 0, sent, misdirected: true };
    if (claimed.kind === 'ended') return { ended: true, againInMs: 0, sent };
    if (claimed.kind === 'wait') return { ended: false, againInMs: Math.max(50, claimed.waitMs), sent };
    const { slice } = claimed;
    const stopAt = claimedAt + leaseMs - channel.messageTimeoutMs;
    const settlements = await sendSlice(dependencies, slice, { claimedAt, stopAt });
    await settleWithin(dependencies, settled(slice, settlements), claimedAt + leaseMs);
    sent += settlements.filter((settlement) => settlement.outcome === 'handed off').length;
    const tookMs = monotonic() - claimedAt;
    most = nextSliceSize(slice.deliveries.length, tookMs);
    // A few messages that took a moment say nothing of how many would have gone.
    if (slice.deliveries.length >= pace.most || tookMs > SLICE_MS) pace.most = most;
    // Below red each slice makes room: a red page waits for nothing but the slice that is being sent.
    if (slice.warning.level !== 'red') break;
  }
  return { ended: false, againInMs: 0, sent };
}

/** The pace of a channel of which nothing is known yet. */
export function freshPace(): Pace {
  return { most: SLICE_FIRST };
}

function nextSliceSize(size: number, tookMs: number): number {
  return Math.max(10, Math.min(SLICE_MAX, Math.round((size / Math.max(1, tookMs)) * SLICE_MS)));
}

/** PostgreSQL may be away for a moment: what was sent must be written, as long as the lease is ours. */
async function settleWithin(
  { store, monotonic, pause }: SendPageDependencies,
  slice: SettledSlice,
  leaseUntil: number,
): Promise<void> {
  for (;;) {
    try {
      return await store.settle(slice);
    } catch (error) {
      if (monotonic() >= leaseUntil) throw error;
      await pause(SETTLE_AGAIN_MS);
    }
  }
}

/** When a slice was asked for, and when no further send of it may begin, by the monotonic clock. */
type SliceTimes = { claimedAt: number; stopAt: number };

/** Sends the deliveries of a slice, some at once; starts none after `stopAt`. One failure never stops the others. */
async function sendSlice(
  dependencies: SendPageDependencies,
  slice: ClaimedSlice,
  times: SliceTimes,
): Promise<Settlement[]> {
  const settlements: Settlement[] = new Array<Settlement>(slice.deliveries.length);
  const queue = slice.deliveries.entries();
  const sendSome = async () => {
    for (const [index, delivery] of queue) {
      settlements[index] = await settleOne(dependencies, slice, delivery, times);
    }
  };
  const lanes = Math.min(dependencies.channel.concurrency, slice.deliveries.length);
  await Promise.all(Array.from({ length: lanes }, sendSome));
  return settlements;
}

async function settleOne(
  dependencies: SendPageDependencies,
  slice: ClaimedSlice,
  delivery: ClaimedDelivery,
  { claimedAt, stopAt }: SliceTimes,
): Promise<Settlement> {
  const without = withoutSending(dependencies, slice, delivery, stopAt);
  if (without) return without;
  const message = composeMessage(dependencies, slice, delivery);
  let notFound = false;
  if (delivery.possibleDuplicate) {
    const instead = await insteadOfAgain(dependencies.channel, slice, delivery, message);
    if (typeof instead === 'function')
      return instead(slice.now + Math.ceil(dependencies.monotonic() - claimedAt));
    notFound = instead === 'not found';
    const late = withoutSending(dependencies, slice, delivery, stopAt);
    if (late) return late;
  }
  const result = await handOver(dependencies.channel, message);
  // PostgreSQL's clock was read after the claim was asked for, so this is never earlier than the hand-off was. Counted from
  // the begin of this send it would be: deliveries wait for their turn within a slice, and their deadlines came too early.
  const at = slice.now + Math.ceil(dependencies.monotonic() - claimedAt);
  const settlement = settlementOf(slice, delivery, result, at);
  return notFound && settlement.reason === null ? { ...settlement, reason: 'not-found' } : settlement;
}

/**
 * An attempt that may have arrived is looked for before it is repeated: in what its provider has reported since, then by asking the
 * provider. Found, it is adopted as it is; else the message has to go again, as a possible duplicate: `not found` where the
 * provider says that it has none, null where nobody could say.
 */
async function insteadOfAgain(
  channel: ChannelPort,
  slice: ClaimedSlice,
  delivery: ClaimedDelivery,
  message: OutgoingMessage,
): Promise<((at: number) => Settlement) | 'not found' | null> {
  const adopted =
    (reason: string, found: { providerId: string | null; sender?: string }) => (at: number) => ({
      ...settlementOf(
        slice,
        delivery,
        { outcome: 'handed off', ...found, providerId: found.providerId ?? '' },
        at,
      ),
      providerId: found.providerId,
      reason,
      possibleDuplicate: false,
    });
  if (delivery.heardOf) return adopted('adopted-by-receipt', delivery.heardOf);
  const found = channel.find
    ? await channel.find(message, delivery.attempt - 1).catch(() => 'unknown' as const)
    : 'unknown';
  if (found !== null && found !== 'unknown') return adopted('adopted-by-listing', found);
  if (slice.warning.retry.whenUnknown !== 'quiet') return found === null ? 'not found' : null;
  return (at) => settlementOf(slice, delivery, { outcome: 'failed', reason: 'not-repeated' }, at);
}

/** Deliveries that need no send: dropped by the guard, merged into another, without an address, or out of time. */
function withoutSending(
  dependencies: SendPageDependencies,
  slice: ClaimedSlice,
  delivery: ClaimedDelivery,
  stopAt: number,
): Settlement | null {
  if (delivery.drop) {
    return {
      ...settlementOf(slice, delivery, { outcome: 'failed', reason: delivery.drop }, slice.now),
      outcome: 'dropped',
    };
  }
  if (delivery.mergedInto) return mergedSettlement(slice, delivery, delivery.mergedInto);
  const refused = channelRefusal(
    { kind: slice.warning.kind, synthetic: delivery.synthetic },
    dependencies.channel.live,
  );
  if (refused) return settlementOf(slice, delivery, { outcome: 'failed', reason: refused }, slice.now);
  if (delivery.address === null) {
    return settlementOf(slice, delivery, { outcome: 'failed', reason: 'no-address' }, slice.now);
  }
  if (delivery.throttledMs > 0) {
    const later = settlementOf(slice, delivery, { outcome: 'later', reason: 'person-throttled' }, slice.now);
    return { ...later, retryAfterMs: delivery.throttledMs };
  }
  if (dependencies.monotonic() >= stopAt) {
    return settlementOf(slice, delivery, { outcome: 'later', reason: 'out-of-time' }, slice.now);
  }
  return null;
}

function mergedSettlement(
  slice: ClaimedSlice,
  delivery: ClaimedDelivery,
  winner: NonNullable<ClaimedDelivery['mergedInto']>,
): Settlement {
  const plain = settlementOf(
    slice,
    delivery,
    { outcome: 'later', reason: 'merge-pending' },
    winner.at ?? slice.now,
  );
  if (winner.outcome === null) {
    // However often it was asked: given up, the unit would leave its rung while the other message is still on its way.
    const doublings = Math.min(delivery.attempt - 1, MERGE_PENDING_DOUBLINGS_MAX);
    return { ...plain, retryAfterMs: MERGE_PENDING_MS * 2 ** doublings };
  }
  const outcome = winner.outcome === 'handed off' ? 'merged' : 'failed';
  return { ...plain, outcome, reason: 'merged', retryAfterMs: null };
}

async function handOver(channel: ChannelPort, message: OutgoingMessage): Promise<SendResult> {
  try {
    return await channel.send(message);
  } catch {
    // A port never throws for what a provider does; whatever this is, the message may be out.
    return { outcome: 'unknown', reason: 'defect' };
  }
}

function settlementOf(
  slice: ClaimedSlice,
  delivery: ClaimedDelivery,
  result: SendResult,
  at: number,
): Settlement {
  const then = consequence(result, delivery.attempt, slice.warning.retry, slice.warning.speed);
  return {
    deliveryId: delivery.deliveryId,
    attempt: delivery.attempt,
    unitId: delivery.unitId,
    recipientId: delivery.recipientId,
    outcome: result.outcome,
    reason: 'reason' in result ? result.reason : null,
    providerId: 'providerId' in result ? result.providerId : null,
    sender: result.sender ?? null,
    possibleDuplicate: delivery.possibleDuplicate,
    at,
    retryAfterMs: then.kind === 'retry' ? spread(then.afterMs, result, delivery) : null,
    keyed: delivery.keyed,
    givenUp: delivery.givenUp,
  };
}

/**
 * Full jitter for what a provider throttled: all at once again, it would be throttled again. By the delivery's own number, so that
 * the same run gives the same times.
 */
function spread(afterMs: number, result: SendResult, { deliveryId, attempt }: ClaimedDelivery): number {
  if (!('reason' in result) || classOf(result.reason)?.sender !== 'slows down') return afterMs;
  const part = (((deliveryId + attempt) * 2_654_435_761) % 2 ** 32) / 2 ** 32;
  return Math.max(1, Math.ceil(afterMs * part));
}

function abandonedAsUnknown(slice: ClaimedSlice): SettledSlice {
  const settlements = slice.deliveries.map((delivery) =>
    settlementOf(slice, delivery, { outcome: 'unknown', reason: 'lease-ran-out' }, slice.now),
  );
  return settled(slice, settlements);
}

/** What the cell hears of a slice: only rungs move units; other pages end in silence. */
function settled(slice: ClaimedSlice, settlements: Settlement[]): SettledSlice {
  const handedOff = new Map<number, number>();
  const exhausted: number[] = [];
  const moving = slice.page.purpose === 'rung' ? settlements : [];
  for (const { unitId, outcome, at, retryAfterMs, reason, givenUp } of moving) {
    if (outcome === 'handed off' || outcome === 'merged') {
      handedOff.set(unitId, Math.min(handedOff.get(unitId) ?? Infinity, at));
    } else if (!givenUp && (outcome !== 'dropped' ? retryAfterMs === null : reason === 'cannot-act')) {
      exhausted.push(unitId);
    }
  }
  return {
    page: slice.page,
    first: slice.first,
    settlements,
    letter: { kind: 'settled', rung: slice.page.step, handedOff: [...handedOff], exhausted },
  };
}
