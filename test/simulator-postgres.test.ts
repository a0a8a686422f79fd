/**
 * The store in memory behaves as PostgreSQL does: the same seeds on both give the same units, outcomes, answers and the same
 * messages at the far side. Both take each transaction as one event, under a clock that is turned by hand.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { remainsInMemory, type MemoryBackend } from './simulator/memory-backend.ts';
import {
  openVirtualDatabase,
  plantWorld,
  PostgresBackend,
  remainsInPostgres,
} from './simulator/postgres-backend.ts';
import { Simulation } from './simulator/simulation.ts';
import { worldOf } from './simulator/world.ts';

/** About two seconds each; 173 once found people of two posts in one unit, and replies pushed twice, told apart by memory only. */
const SEEDS = [1, 2, 4, 6, 7, 8, 173];

let database: Database;

beforeAll(async () => {
  const url = process.env['DATABASE_URL'];
  if (url === undefined) throw new Error('DATABASE_URL is not set: run the tests by `npm test`');
  database = await openVirtualDatabase(url, 'test_simulator_postgres');
});
afterAll(() => database.close());

it.each(SEEDS)('gives for seed %i what the store in memory gives', async (seed) => {
  const world = worldOf(seed, { pauseShare: 0 });
  const inMemory = new Simulation(world, {});
  const expected = await inMemory.run();
  expect(expected.violations).toEqual([]);
  const memory = inMemory.backend as MemoryBackend;
  await plantWorld(database, world);
  const overPostgres = new Simulation(world, {
    backend: (_world, link) => new PostgresBackend(database, world, link),
  });
  const result = await overPostgres.run();
  const remains = await remainsInPostgres(database, overPostgres.backend.cells());
  expect(remains).toEqual(remainsInMemory(memory.db, memory.cells()));
  expect(result.ledger).toEqual(expected.ledger);
  expect(result.faults).toEqual(expected.faults);
});
