/** The inbox loses nothing: not by commits that overtake each other, not by steps that meet. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stepCell } from '../activities/step.ts';
import type { Database } from '../db/database.ts';
import { createStepStore } from '../db/step-store.ts';
import { issueWarning } from '../operations/warnings.ts';
import { testDatabase } from './database.ts';
import { plantSmallTree, type SmallTree } from './harness/small-tree.ts';

let database: Database;
let tree: SmallTree;
let cellId: number;
let warningId: number;

beforeAll(async () => {
  database = await testDatabase('inbox');
  tree = await plantSmallTree(database);
  ({ warningId } = await issueWarning(database, {
    hazard: '暴雨',
    level: 'red',
    areas: ['城'],
    expires: '+6h',
    issuer: '城气象台',
  }));
  const [cell] = await database.query<{ id: number }>(
    'select id from cells where warning_id = $1 and unit_id = $2',
    [warningId, tree.unit('区')],
  );
  cellId = cell?.id ?? 0;
  await step();
});
afterAll(() => database.close());

const step = () => stepCell(createStepStore(database), { cellId, withCounts: false, serves: 'exercise' });

const answered = async () =>
  (
    await database.query<{ unit_id: number }>(
      `select unit_id from unit_states where warning_id = $1 and status = 'answered' order by unit_id`,
      [warningId],
    )
  ).map((row) => row.unit_id);

const LETTER = `insert into inbox (cell_id, unit_id, priority, body)
  values ($1, $2, 2, '{"kind":"answered","answer":"received","at":1}') returning id`;

it('takes a letter of a lower id that commits after a higher one was taken', async () => {
  await database.withClient(async (slow) => {
    await slow.query('begin');
    const early = await slow.query<{ id: number }>(LETTER, [cellId, tree.unit('村一')]);
    const [late] = await database.query<{ id: number }>(LETTER, [cellId, tree.unit('村二')]);
    expect(early.rows[0]?.id).toBeLessThan(late?.id ?? 0);
    await step();
    expect(await answered()).toEqual([tree.unit('村二')]);
    await slow.query('commit');
  });
  await step();
  expect(await answered()).toEqual([tree.unit('村一'), tree.unit('村二')]);
});

it('takes each letter once where two steps of a cell meet', async () => {
  while ((await step()).took > 0);
  await database.query(
    `insert into inbox (cell_id, unit_id, priority, body)
     select $1, $2, 10, '{"kind":"subordinate silent","unitId":1}'::json from generate_series(1, 300)`,
    [cellId, tree.unit('区')],
  );
  const results = await Promise.all([step(), step(), step()]);
  expect(results.reduce((sum, result) => sum + result.took, 0)).toBe(300);
  const [row] = await database.query<{ below: number }>(
    `select (state->>'silentBelow')::int as below from unit_states where warning_id = $1 and unit_id = $2`,
    [warningId, tree.unit('区')],
  );
  expect(row?.below).toBe(300);
});

it('does not stall an answer while a step holds the cell', async () => {
  await database.withClient(async (holder) => {
    await holder.query('begin');
    await holder.query('select id from cells where id = $1 for no key update', [cellId]);
    await database.query(`set lock_timeout = '500ms'`);
    await database.query(LETTER, [cellId, tree.unit('组一')]);
    await holder.query('rollback');
  });
  await step();
  expect(await answered()).toContain(tree.unit('组一'));
});

it('puts a letter on which the machine throws aside, and goes on with the rest', async () => {
  await database.query(
    `insert into inbox (cell_id, unit_id, priority, body) values ($1, $2, 5, '{"kind":"no such message"}')`,
    [cellId, tree.unit('乡一')],
  );
  await database.query(LETTER, [cellId, tree.unit('乡二')]);
  await step();
  expect(await answered()).toContain(tree.unit('乡二'));
  const rows = await database.query(
    `select u.unit_id, u.faulty, u.next_at, d.reason from dead_letters d join unit_states u on u.unit_id = d.unit_id`,
  );
  expect(rows).toEqual([
    { unit_id: tree.unit('乡一'), faulty: true, next_at: null, reason: 'no such message: no such message' },
  ]);
  const [superior] = await database.query<{ below: number }>(
    `select (state->>'silentBelow')::int as below from unit_states where unit_id = $1`,
    [tree.unit('区')],
  );
  expect(superior?.below).toBe(301);
});
