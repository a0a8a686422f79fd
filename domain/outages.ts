/**
 * Outages of answer intake: times in which nobody could answer, because no web process lived to take a link's answer or a
 * gateway's reply. A unit's time to answer does not run meanwhile, so that nobody is chased for our delay.
 */
import { MINUTE_MS, type Instant } from './time.ts';

/** From the last sign of life to the next one; `until` is null while the intake is still out. */
export type Outage = { readonly from: Instant; readonly until: Instant | null };

/**
 * No unit's ladder is held up by outages for longer than this in all, whatever its rungs. Twice the five minutes within which
 * the person responsible is to be woken (Changzhi): a process is started again in seconds, a machine in a few minutes; whom
 * that does not help needs a person, and a deputy who is called without need loses less than a village that nobody calls.
 * An answer by telephone (`fenghuo answer`) needs no intake and counts all the while. Real time, also where `--speed` divides
 * the rules' minutes: outages last as long as they last.
 */
export const EXTENSION_MS_MAX = 10 * MINUTE_MS;

/**
 * How long after `deadline` a wait ends that began at `from`, so that intake was there for the whole of it: never more than
 * `mostMs`. An open outage counts up to `now`, so the extended deadline then lies in the future, and is to be asked for again
 * when it comes. Outages may come in any order and overlap.
 */
export function extensionMs(
  wait: { from: Instant; deadline: Instant },
  outages: readonly Outage[],
  now: Instant,
  mostMs: number,
): number {
  let end = wait.deadline;
  let seen = wait.from;
  for (const { from, until } of [...outages].sort((one, other) => one.from - other.from)) {
    const begin = Math.max(from, seen);
    const stop = Math.min(until ?? now, now);
    if (begin >= end) break;
    if (stop <= begin) continue;
    end += stop - begin;
    seen = stop;
  }
  return Math.min(end - wait.deadline, Math.max(0, mostMs));
}
