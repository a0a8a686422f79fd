/** Practice on the real stack: a round asks the gateway after addresses, and a schedule makes rounds. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countProven } from '../db/proving.ts';
import { practiseEvery, practiseNoMore, practiseNow, readPractice } from '../worker/practice.ts';
import { plantSmallTree } from './harness/small-tree.ts';
import { startStack, type Stack } from './harness/stack.ts';

const MONTH_MS = 30 * 86_400_000;

let stack: Stack;

beforeAll(async () => {
  stack = await startStack('practice');
  await plantSmallTree(stack.database);
  await stack.startWorker();
  await stack.database.query(`update person_channels set fault = 'landline', fault_at = clock_timestamp()
    where channel = 'sms' and person_id = (select min(person_id) from person_channels)`);
});
afterAll(() => stack?.stop());

test('a round proves every address that works, once, and nobody gets a message', async () => {
  const { config } = stack;
  const first = await practiseNow({ config, olderThanMs: MONTH_MS });
  // Eight units with a principal and a deputy each; one number is known not to work, and e-mail cannot be asked.
  expect(first).toEqual({ asked: 15, reachable: 15, unreachable: 0 });
  const [sms] = (await countProven(stack.database, MONTH_MS)).filter(({ channel }) => channel === 'sms');
  expect(sms).toEqual({ channel: 'sms', addresses: 16, proven: 15, faulty: 1 });
  expect(await practiseNow({ config, olderThanMs: MONTH_MS })).toEqual({
    asked: 0,
    reachable: 0,
    unreachable: 0,
  });
  expect(stack.sandbox.stats().messages.sms).toBe(0);
});

test('a schedule is made, moved and ended', async () => {
  const { config } = stack;
  expect(await readPractice(config)).toBeNull();
  const weekly = await practiseEvery({ config, everyMs: 7 * 86_400_000, olderThanMs: MONTH_MS });
  expect(weekly.everyMs).toBe(7 * 86_400_000);
  expect(weekly.nextAt).toBeGreaterThan(Date.now());
  expect((await practiseEvery({ config, everyMs: 86_400_000, olderThanMs: MONTH_MS })).everyMs).toBe(
    86_400_000,
  );
  expect(await practiseNoMore(config)).toBe(true);
  expect(await practiseNoMore(config)).toBe(false);
  expect(await readPractice(config)).toBeNull();
});
