/** A drill near the speed of life and its rehearsal: of 200 units one may be listed, and for a reason. Seven minutes. */
import { afterAll, beforeAll, test } from 'vitest';
import {
  expectAgreement,
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
  await expectAgreement(played, LISTED_MOST_SHARE);
});
