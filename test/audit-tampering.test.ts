/** Six kinds of tampering with a real database, by somebody who owns it: none passes. test/audit-tampering.long.test.ts does more. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import type { Anchor } from '../domain/anchors.ts';
import { verifyAudit } from '../operations/audit-verify.ts';
import { testDatabase } from './database.ts';
import { fillRecord, TAMPERINGS, unfound } from './harness/tampering.ts';

const TIMES = 120;

let database: Database;
let anchors: Anchor[];
beforeAll(async () => {
  database = await testDatabase('audit-tampering');
  anchors = await fillRecord(database);
});
afterAll(() => database.close());

it('finds nothing wrong with a record that nobody has touched', async () => {
  const verification = await verifyAudit(database, { anchors });
  expect(verification).toMatchObject({ whole: true, faults: [], unsealedFacts: 0, seals: 4 });
  expect(verification.anchors).toMatchObject({ compared: 4, matched: 4 });
  expect(verification.facts).toBe(3 * 4 * (8 + 8 + 6));
  for (const warningId of [1, 2, 3])
    expect(await verifyAudit(database, { anchors, warningId })).toMatchObject({
      whole: true,
      facts: 4 * (8 + 8 + 6),
    });
});

it.each(TAMPERINGS)(`finds ${TIMES} of ${TIMES}: %s`, { timeout: 60_000 }, async (kind) => {
  expect(await unfound(database, { kind, anchors, seeds: TIMES })).toEqual([]);
});

it('needs the anchors to find who has hashed the whole record anew', { timeout: 60_000 }, async () => {
  const missed = await unfound(database, { kind: 'rewriting', anchors: [], seeds: 20 });
  expect(missed.length).toBeGreaterThan(0);
  expect(missed.every((said) => said.includes('depth 2') || said.includes('of seals'))).toBe(true);
});
