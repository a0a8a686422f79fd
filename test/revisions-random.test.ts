/**
 * Chains of warnings under random sequences of updates (also two at once, and beside a cancel), cancels, retractions, expiries and answers,
 * between steps and sends and in the middle of them; see test/harness/revision-run.ts. `REVISION_SEED=180 REVISION_SEEDS=1` runs one again.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { testDatabase } from './database.ts';
import { runRevisions } from './harness/revision-run.ts';
import { holdPost, plantSmallTree, type SmallTree } from './harness/small-tree.ts';

const FIRST_SEED = Number(process.env['REVISION_SEED'] ?? 1);
const SEEDS = Number(process.env['REVISION_SEEDS'] ?? 24);
/** A run in which one of these never happens says nothing about it. */
const MUST_HAPPEN = [
  ...['step', 'send', 'worker dies', 'deadlines due', 'update', 'update, too late', 'two updates at once'],
  ...[
    'update and cancel at once',
    'cancel',
    'retract',
    'expiry',
    'vouched',
    'vouched for an earlier warning',
  ],
  ...['reply', 'reply, after the end', 'household, slowly: recorded'],
];

let database: Database;
let tree: SmallTree;

beforeAll(async () => {
  database = await testDatabase('revisions_random');
  tree = await plantSmallTree(database);
  // Somebody holds a second post.
  await holdPost(database, tree.unit('乡二'), tree.person('村一', 1), 2);
});
afterAll(() => database.close());

it('any sequence leaves everybody with what counts', { timeout: 590_000 }, async () => {
  const given = process.env['REVISION_SEED'] !== undefined;
  const seeds = Array.from({ length: SEEDS }, (_, place) => FIRST_SEED + place);
  const done: Record<string, number> = {};
  const wrong: string[] = [];
  for (const seed of seeds) {
    const result = await runRevisions(database, tree, seed);
    wrong.push(...result.faults.map((fault) => `seed ${seed}: ${fault}`));
    for (const [what, times] of Object.entries(result.done)) done[what] = (done[what] ?? 0) + times;
  }
  expect(wrong).toEqual([]);
  process.stderr.write(`[revisions] ${JSON.stringify(done)}\n`);
  if (!given) expect(Object.keys(done)).toEqual(expect.arrayContaining(MUST_HAPPEN));
});
