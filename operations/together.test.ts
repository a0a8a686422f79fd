/** What comes at the same time is done together, and one bad item fails no other. */
import { expect, it } from 'vitest';
import { together } from './together.ts';

/** Work that is held until it is let go; `pieces` are the items of each piece in the order in which they began. */
function heldWork(bad: readonly string[] = []) {
  const pieces: string[][] = [];
  const gates: (() => void)[] = [];
  const work = async (items: readonly string[]) => {
    pieces.push([...items]);
    await new Promise<void>((resolve) => gates.push(resolve));
    if (items.some((item) => bad.includes(item))) throw new Error(`bad: ${items.join(' ')}`);
    return items.map((item) => item.toUpperCase());
  };
  const letGo = async () => {
    for (const open of gates.splice(0)) open();
    await turn();
  };
  return { pieces, work, letGo };
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
const always = () => true;

it('begins with what the turn brought, and takes together what comes meanwhile', async () => {
  const { pieces, work, letGo } = heldWork();
  const take = together({ most: 10, atOnce: 1, work, mayBeOfOne: always });
  const first = [take('a'), take('b')];
  await turn();
  const later = [take('c'), take('d'), take('e')];
  await turn();
  expect(pieces).toEqual([['a', 'b']]);
  await letGo();
  expect(await Promise.all(first)).toEqual(['A', 'B']);
  expect(pieces).toEqual([
    ['a', 'b'],
    ['c', 'd', 'e'],
  ]);
  await letGo();
  expect(await Promise.all(later)).toEqual(['C', 'D', 'E']);
});

it('keeps to its limits of items and pieces', async () => {
  const { pieces, work, letGo } = heldWork();
  const take = together({ most: 2, atOnce: 2, work, mayBeOfOne: always });
  const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map(take));
  await turn();
  expect(pieces).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  await letGo();
  await letGo();
  expect(await all).toEqual(['A', 'B', 'C', 'D', 'E']);
  expect(pieces).toHaveLength(3);
});

it('fails only the bad one where a failure may lie in one', async () => {
  const { work, letGo } = heldWork(['b']);
  const take = together({ most: 10, atOnce: 1, work, mayBeOfOne: always });
  const all = Promise.allSettled(['a', 'b', 'c'].map(take));
  await turn();
  await letGo();
  await letGo();
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

it('fails all where nothing can be done, once, and goes on with what comes after', async () => {
  const { pieces, work, letGo } = heldWork(['b']);
  const take = together({ most: 10, atOnce: 1, work, mayBeOfOne: () => false });
  const all = Promise.allSettled(['a', 'b', 'c'].map(take));
  await turn();
  await letGo();
  expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(pieces).toHaveLength(1);
  const after = take('d');
  await turn();
  await letGo();
  expect(await after).toBe('D');
});
