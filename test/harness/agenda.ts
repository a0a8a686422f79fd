/** What will happen, by time: a binary heap of instants, and what falls on each in the order in which it was added. */
import type { Instant } from '../../domain/time.ts';

export type Entry<Item> = { at: Instant; item: Item };

export class Agenda<Item> {
  private readonly heap: Instant[] = [];
  private readonly entries = new Map<Instant, Entry<Item>[]>();

  get empty(): boolean {
    return this.heap.length === 0;
  }

  get nextAt(): Instant {
    return this.heap[0] ?? Infinity;
  }

  /** `entry.at` is when it was meant for; `processedAt` when it happens. */
  add(processedAt: Instant, entry: Entry<Item>): void {
    const there = this.entries.get(processedAt);
    if (there) {
      there.push(entry);
      return;
    }
    this.entries.set(processedAt, [entry]);
    this.heap.push(processedAt);
    this.rise(this.heap.length - 1);
  }

  takeNext(): Entry<Item>[] {
    const at = this.nextAt;
    const last = this.heap.pop();
    if (this.heap.length > 0 && last !== undefined) {
      this.heap[0] = last;
      this.sink();
    }
    const taken = this.entries.get(at) ?? [];
    this.entries.delete(at);
    return taken;
  }

  private rise(from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (this.at(above) <= this.at(place)) return;
      this.swap(above, place);
      place = above;
    }
  }

  private sink(): void {
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const smaller = this.at(left + 1) < this.at(left) ? left + 1 : left;
      if (this.at(smaller) >= this.at(place)) return;
      this.swap(smaller, place);
      place = smaller;
    }
  }

  private at(place: number): Instant {
    return this.heap[place] ?? Infinity;
  }

  private swap(one: number, other: number): void {
    [this.heap[one], this.heap[other]] = [this.at(other), this.at(one)];
  }
}
