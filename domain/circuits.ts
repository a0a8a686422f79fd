/**
 * Circuits: a sender that takes nothing is left alone for a while, and then tried with one message. Pure; the state of each
 * circuit is shared by all workers in PostgreSQL.
 */
import type { SendResult } from './ports.ts';
import { classOf } from './results.ts';
import { MINUTE_MS } from './time.ts';

/** So many messages in a row that did not get through close a circuit. */
export const FAILURES_MOST = 5;

const FAILING_FIRST_MS = 15_000;
const FAILING_MOST_MS = 5 * MINUTE_MS;

/** A faulty configuration is mended by somebody; until then one message a minute finds out. */
const CONFIG_MS = MINUTE_MS;

/** A provider's day begins anew at an hour that we do not know: one message an hour finds out. */
const DAY_PROBE_MS = 60 * MINUTE_MS;

/** What a result says about its sender. */
export type SenderNews = 'well' | 'failing' | 'slows down' | 'stops' | 'stops for a day';

const NOT_THROUGH: ReadonlySet<string> = new Set(['connection', 'timeout', 'session-refused']);

/**
 * What a result says about the health of the sender it came from. Where another sender can carry the channel, silence after the
 * message has left counts as failing too; where none can, only what the sender provably did not take: it may be taking everything
 * and losing its answers, and closed it would carry nothing.
 */
export function newsOf(result: SendResult, othersCanCarry: boolean): SenderNews {
  const reason = 'reason' in result ? result.reason : '';
  const told = classOf(reason)?.sender;
  if (told) return told;
  const counts = result.outcome === 'later' || (result.outcome === 'unknown' && othersCanCarry);
  return counts && NOT_THROUGH.has(reason) ? 'failing' : 'well';
}

/**
 * How long a circuit stays closed, in milliseconds, when it closes for the nth time in a row (from 1). A channel's only sender is
 * tried every 15 seconds: a warning must not wait five minutes for a gateway that is back.
 */
export function closedMs(
  news: Exclude<SenderNews, 'well' | 'slows down'>,
  times: number,
  othersCanCarry: boolean,
): number {
  switch (news) {
    case 'stops':
      return CONFIG_MS;
    case 'stops for a day':
      return DAY_PROBE_MS;
    case 'failing':
      return othersCanCarry
        ? Math.min(FAILING_FIRST_MS * 2 ** Math.min(times - 1, 10), FAILING_MOST_MS)
        : FAILING_FIRST_MS;
    default:
      return news satisfies never;
  }
}
