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
import type { Sabotage } from './simulator/memory-database.ts';
import { Simulation } from './simulator/simulation.ts';
import { worldOf, type SimulatedWorld } from './simulator/world.ts';

/** About two seconds each; 173 once found people of two posts in one unit, and replies pushed twice, told apart by memory only. */
const SEEDS = [1, 2, 4, 6, 7, 8, 173];

let database: Database;

beforeAll(async () => {
  const url = process.env['DATABASE_URL'];
  if (url === undefined) throw new Error('DATABASE_URL is not set: run the tests by `npm test`');
  database = await openVirtualDatabase(url, 'test_simulator_postgres');
});
afterAll(() => database.close());

async function inMemory(world: SimulatedWorld, sabotage: Sabotage = {}) {
  const simulation = new Simulation(world, { sabotage });
  const result = await simulation.run();
  const memory = simulation.backend as MemoryBackend;
  return { result, remains: remainsInMemory(memory.db, memory.cells()) };
}

async function overPostgres(world: SimulatedWorld) {
  await plantWorld(database, world);
  const simulation = new Simulation(world, {
    backend: (_world, link) => new PostgresBackend(database, world, link),
  });
  const result = await simulation.run();
  return { result, remains: await remainsInPostgres(database, simulation.backend.cells()) };
}

it.each(SEEDS)('gives for seed %i what the store in memory gives', async (seed) => {
  const world = worldOf(seed, { pauseShare: 0 });
  const memory = await inMemory(world);
  const postgres = await overPostgres(world);
  expect(memory.result.violations).toEqual([]);
  expect(memory.remains.deliveries.length).toBeGreaterThan(0);
  expect(postgres.remains).toEqual(memory.remains);
  expect(postgres.result.ledger).toEqual(memory.result.ledger);
  expect(postgres.result.faults).toEqual(memory.result.faults);
});

it('gives something else than a store in memory that drops a repeated word', async () => {
  const world = worldOf(6, { pauseShare: 0 });
  const memory = await inMemory(world, { repeatsUnheard: true });
  expect((await overPostgres(world)).remains).not.toEqual(memory.remains);
});
