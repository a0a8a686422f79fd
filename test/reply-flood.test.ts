import { expect, it } from 'vitest';
import { floodOfReplies } from './harness/reply-flood.ts';

it('stores 1,000 replies pushed twice at once, and says something back to each once', async () => {
  const flood = await floodOfReplies('reply-flood', 1_000);
  expect(flood).toMatchObject({ recorded: 1_000, answers: 1_000 });
  expect([...flood.saidBack.values()].filter((times) => times !== 1)).toEqual([]);
  expect(flood.saidBack.size).toBe(1_000);
});
