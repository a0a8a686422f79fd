/**
 * Task queues: one set for exercises, one for actual warnings, and in each a queue per channel, so that none delays another.
 * The schema is part of each name: installations that share a Temporal namespace never take each other's work.
 */
import type { WarningKind } from '../domain/kinds.ts';
import type { Lane } from '../workflows/cell-loop.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';

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
