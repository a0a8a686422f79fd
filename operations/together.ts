/**
 * What comes at the same time is done together. Nothing waits for more to come: an item alone starts at once, and what comes
 * while work is under way goes with the next. So an idle moment costs nothing, and a flood shares its transactions.
 */

type Waiting<Item, Result> = {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
};

/** Gives a function that does one item and resolves with its own result. */
export function together<Item, Result>(input: {
  /** Items of one piece of work. */
  most: number;
  /** Pieces under way at once. */
  atOnce: number;
  /** One result for each item, in their order. */
  work: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Whether a failure may lie in one item, so that each is tried by itself: one bad item fails no other. */
  mayBeOfOne: (error: unknown) => boolean;
}): (item: Item) => Promise<Result> {
  const waiting: Waiting<Item, Result>[] = [];
  let underWay = 0;

  function start(): void {
    while (waiting.length > 0 && underWay < input.atOnce) {
      underWay += 1;
      void run(waiting.splice(0, input.most)).finally(() => {
        underWay -= 1;
        start();
      });
    }
  }

  async function run(items: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await input.work(items.map(({ item }) => item));
      if (results.length !== items.length) throw new RangeError('not one result for each item');
      for (const [place, result] of results.entries()) items[place]?.resolve(result);
    } catch (error) {
      if (items.length > 1 && input.mayBeOfOne(error)) await Promise.all(items.map((item) => run([item])));
      else for (const { reject } of items) reject(error);
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // The turn's other arrivals come along.
      if (waiting.length === 1) setImmediate(start);
    });
}
