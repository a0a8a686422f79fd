/** A thousand of each kind of tampering, as test/audit-tampering.test.ts does with fewer. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import type { Anchor } from '../domain/anchors.ts';
import { testDatabase } from './database.ts';
import { fillRecord, TAMPERINGS, unfound } from './harness/tampering.ts';

const TIMES = 1_000;

let database: Database;
let anchors: Anchor[];
beforeAll(async () => {
  database = await testDatabase('audit-tampering-long');
  anchors = await fillRecord(database);
});
afterAll(() => database.close());

it.each(TAMPERINGS)(`finds ${TIMES} of ${TIMES}: %s`, { timeout: 300_000 }, async (kind) => {
  const missed = await unfound(database, { kind, anchors, seeds: TIMES });
  process.stderr.write(`${kind}: ${TIMES - missed.length} of ${TIMES} found\n`);
  expect(missed).toEqual([]);
});
