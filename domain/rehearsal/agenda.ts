/** What will happen, by time: a binary heap of instants, and what falls on each in the order in which it was added. */
import type { Instant } from '../time.ts';

export class Agenda<Item> {
  private readonly heap: Instant[] = [];
  private readonly items = new Map<Instant, Item[]>();

  /** The next instant; Infinity where nothing will happen any more. */
  get nextAt(): Instant {
    return this.heap[0] ?? Infinity;
  }

  add(at: Instant, item: Item): void {
    const there = this.items.get(at);
    if (there) {
      there.push(item);
      return;
    }
    this.items.set(at, [item]);
    this.rise(at);
  }

  /** All that falls on the next instant. What is added to that instant later comes with the next call. */
  takeNext(): Item[] {
    const at = this.nextAt;
    const last = this.heap.pop();
    if (this.heap.length > 0 && last !== undefined) this.sink(last);
    const taken = this.items.get(at) ?? [];
    this.items.delete(at);
    return taken;
  }

  private rise(value: Instant): void {
    const { heap } = this;
    let place = heap.length;
    heap.push(value);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = heap[above] as Instant;
      if (other <= value) break;
      heap[place] = other;
      place = above;
    }
    heap[place] = value;
  }

  private sink(value: Instant): void {
    const { heap } = this;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && (heap[below + 1] as Instant) < (heap[below] as Instant)) below += 1;
      const other = heap[below] as Instant;
      if (other >= value) break;
      heap[place] = other;
      place = below;
    }
    heap[place] = value;
  }
}
