/**
 * Task queues: one set for exercises, one for actual warnings, and in each a queue per channel, so that none delays another.
 * The schema is part of each name: installations that share a Temporal namespace never take each other's work.
 */
import { CHANNELS, type Channel } from '../domain/rules.ts';

export type WarningKind = 'exercise' | 'actual';

export function queuesOf(
  schema: string,
  kind: WarningKind,
): { cells: string; pages: Record<Channel, string> } {
  const pages = Object.fromEntries(CHANNELS.map((channel) => [channel, `${schema}-${kind}-${channel}`]));
  return { cells: `${schema}-${kind}-cells`, pages: pages as Record<Channel, string> };
}
