/** A drill near the speed of life and its rehearsal: of 200 units one may be listed, and for a reason. Seven minutes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  agreementIn,
  listed,
  playAgreementDrill,
  THREE_TOWNSHIPS,
  type PlayedDrill,
} from './harness/drill-agreement.ts';

const SEED = 7;
/** Two real seconds are six of the story. */
const SPEED = 3;
/** The goal of docs/adr/0030, set before any run. */
const LISTED_MOST_SHARE = 0.005;
const PLAYED_WITHIN_MS = 560_000;

let played: PlayedDrill;

beforeAll(async () => {
  played = await playAgreementDrill({
    name: 'drill-agreement-long',
    ...{ where: THREE_TOWNSHIPS, speed: SPEED, seed: SEED },
  });
}, PLAYED_WITHIN_MS);
afterAll(() => played?.stack.stop());

test('at most one unit of two hundred is listed, and none without a reason', async () => {
  const agreement = await agreementIn(played);
  expect(agreement).toMatchObject({ name: 'rain', units: 221 });
  expect(
    agreement.differing.filter(({ cause }) => cause === 'unexplained'),
    listed(agreement),
  ).toEqual([]);
  expect(agreement.differing.length, listed(agreement)).toBeLessThanOrEqual(
    agreement.units * LISTED_MOST_SHARE,
  );
  expect((await agreementIn(played, SEED + 1)).differing.length).toBeGreaterThan(agreement.units / 2);
});
