/**
 * Virtual time: one queue of events, one stream of random numbers, one thing at a time. What happens between two events is
 * the promise reactions of real code, all of them, so that a seed gives the same run on any machine.
 */
import { streamOf } from '../harness/random.ts';
import type { Instant } from '../../domain/time.ts';

type Event = { at: Instant; order: number; run: () => void };

/** More events than any honest run has: a loop that never rests. */
const EVENTS_MOST = 2_000_000;

export class Scheduler {
  now: Instant;
  /** Events so far. */
  events = 0;
  private readonly heap: Event[] = [];
  private readonly stream: () => number;
  private order = 0;
  private outsideCalls = 0;
  private resume: (() => void) | null = null;

  constructor(seed: number, startAt: Instant) {
    this.stream = streamOf(seed);
    this.now = startAt;
  }

  /** A number in [0, 1). */
  random(): number {
    return this.stream();
  }

  chance(share: number): boolean {
    return this.stream() < share;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.stream() * (most - least + 1));
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items.length > 0 ? items[Math.floor(this.stream() * items.length)] : undefined;
  }

  at(at: Instant, run: () => void): void {
    const event = { at: Math.max(at, this.now), order: this.order++, run };
    let place = this.heap.push(event) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!before(event, this.heap[above] as Event)) break;
      this.heap[place] = this.heap[above] as Event;
      place = above;
    }
    this.heap[place] = event;
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /** Virtual time stands still while real I/O runs. */
  async outside<T>(work: () => Promise<T>): Promise<T> {
    this.outsideCalls += 1;
    try {
      return await work();
    } finally {
      this.outsideCalls -= 1;
      if (this.outsideCalls === 0 && this.resume) {
        const { resume } = this;
        this.resume = null;
        queueMicrotask(() => process.nextTick(resume));
      }
    }
  }

  /**
   * Runs events until `finished` holds, which is asked before each, or none is left. Promise reactions are drained by Node's
   * tick queue: a tick asked for by a microtask runs when no microtask is left, for a fiftieth of what setImmediate costs.
   */
  run(finished: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        try {
          if (this.outsideCalls > 0) {
            this.resume = turn;
            return;
          }
          if (finished()) return resolve();
          const next = this.takeNext();
          if (!next) return resolve();
          this.events += 1;
          if (this.events > EVENTS_MOST) throw new RangeError('too many events: something never rests');
          this.now = next.at;
          next.run();
        } catch (error) {
          return reject(error instanceof Error ? error : new Error(String(error)));
        }
        queueMicrotask(hop);
      };
      const hop = () => process.nextTick(turn);
      queueMicrotask(hop);
    });
  }

  private takeNext(): Event | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (this.heap.length === 0 || !last) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.heap.length) break;
      if (child + 1 < this.heap.length && before(this.heap[child + 1] as Event, this.heap[child] as Event))
        child += 1;
      if (!before(this.heap[child] as Event, last)) break;
      this.heap[place] = this.heap[child] as Event;
      place = child;
    }
    this.heap[place] = last;
    return first;
  }
}

function before(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
