import { expect, it } from 'vitest';
import { floodOfReplies } from './harness/reply-flood.ts';

it('stores 10,000 replies pushed twice at once, and says something back to each once', async () => {
  const flood = await floodOfReplies('reply-flood-long', 10_000);
  expect(flood).toMatchObject({ recorded: 10_000, answers: 10_000 });
  expect([...flood.saidBack.values()].filter((times) => times !== 1)).toEqual([]);
  expect(flood.saidBack.size).toBe(10_000);
  const seconds = (ms: number) => (ms / 1_000).toFixed(1);
  process.stdout.write(
    `10,000 replies: stored in ${seconds(flood.storedMs)} s, the last told so after ${seconds(flood.saidMs)} s\n`,
  );
});
