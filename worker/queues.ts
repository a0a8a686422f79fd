/**
 * Task queues: one set for exercises, one for actual warnings, and in each a queue per channel, so that none delays another.
 * The schema is part of each name: installations that share a Temporal namespace never take each other's work.
 */
import type { Config } from '../config.ts';
import type { Lane } from '../workflows/cell-loop.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';

export type WarningKind = 'exercise' | 'actual';

/** Which warnings this configuration may carry: live senders never see an Exercise, stand-ins nothing else. */
export function kindServed(config: Config): WarningKind {
  return config.FENGHUO_CHANNELS === 'live' ? 'actual' : 'exercise';
}

/**
 * What shares a queue. Households are many and officials are awaited: a page of 1,000 households must not stand before the
 * message to the one who has to act, so they have queues and senders of their own.
 */
export const LANES: readonly Lane[] = ['officials', 'households'];

export function queuesOf(
  schema: string,
  kind: WarningKind,
): { cells: string; pages: Record<Lane, Record<Channel, string>> } {
  const lane = (name: Lane) =>
    Object.fromEntries(CHANNELS.map((channel) => [channel, `${schema}-${kind}-${channel}-${name}`]));
  return {
    cells: `${schema}-${kind}-cells`,
    pages: { officials: lane('officials'), households: lane('households') } as Record<
      Lane,
      Record<Channel, string>
    >,
  };
}
