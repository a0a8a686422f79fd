/** Pages: single deliveries, gathered by what they have in common, and which of them go first. */
import type { Purpose } from './guard.ts';
import type { PlannedDelivery, PlannedPage } from './store.ts';

export type SinglePlan = Omit<PlannedPage, 'deliveries'> & { delivery: PlannedDelivery };

/** One page for each purpose, step, channel and audience. */
export function groupPages(planned: readonly SinglePlan[]): PlannedPage[] {
  const pages = new Map<string, PlannedPage>();
  for (const { delivery, ...head } of planned) {
    const key = [head.purpose, head.step, head.channel, head.audience].join('|');
    const page = pages.get(key);
    if (page) page.deliveries.push(delivery);
    else pages.set(key, { ...head, deliveries: [delivery] });
  }
  return [...pages.values()];
}

/** What tells people something new; reminders, reports and whatever else comes at a later step do not. */
export const FIRST_WORDS: readonly Purpose[] = [
  'rung',
  'household',
  'bridge notice',
  'change notice',
  'cancel notice',
];

/** True for a page whose people have heard nothing of it yet: it goes before those that tell or ask again. */
export function isFirstWord({ purpose, step }: { purpose: Purpose; step: number }): boolean {
  return step === 0 && FIRST_WORDS.includes(purpose);
}
