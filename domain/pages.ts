/** Pages in the making: single deliveries, gathered by what they have in common. */
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
