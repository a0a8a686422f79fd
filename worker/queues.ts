/** Task queues: one set for exercises, one for actual warnings, and in each a queue per channel, so that none delays another. */
import { CHANNELS, type Channel } from '../domain/rules.ts';

export type WarningKind = 'exercise' | 'actual';

export function queuesOf(kind: WarningKind): { cells: string; pages: Record<Channel, string> } {
  const pages = Object.fromEntries(CHANNELS.map((channel) => [channel, `${kind}-${channel}`]));
  return { cells: `${kind}-cells`, pages: pages as Record<Channel, string> };
}
