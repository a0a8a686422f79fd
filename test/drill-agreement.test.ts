/** A drill on the real stack and a rehearsal of the same seed: the same story for every unit, but for what docs/drills.md allows. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { replayWarning } from '../operations/replays.ts';
import {
  expectAgreement,
  playAgreementDrill,
  THREE_TOWNSHIPS,
  type PlayedDrill,
} from './harness/drill-agreement.ts';

const SEED = 7;
/** A minute of the story is two seconds. */
const SPEED = 30;
/**
 * Two real seconds are a minute of the story here, ten times as much of it as at the speed of 3, where 0.5 % are allowed
 * (drill-agreement.long.test.ts): ten times as many answers lie so near to a deadline.
 */
const LISTED_MOST_SHARE = 0.05;

let played: PlayedDrill;

beforeAll(async () => {
  played = await playAgreementDrill({
    name: 'drill-agreement',
    ...{ where: THREE_TOWNSHIPS, speed: SPEED, seed: SEED },
  });
});
afterAll(() => played?.stack.stop());

test('every unit goes the way of the rehearsal', async () => {
  await expectAgreement(played, LISTED_MOST_SHARE);
});

test('the record of the run, played again, gives exactly the path of every unit', async () => {
  const { replayed, differing } = await replayWarning(played.stack.database, 1);
  expect(replayed.units.size).toBe(221);
  expect({ differing, unexplained: replayed.unexplained, untaken: replayed.untaken }).toEqual({
    ...{ differing: [], unexplained: [], untaken: [] },
  });
});
