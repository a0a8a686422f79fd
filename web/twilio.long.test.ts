/** Ten thousand hooks: each forged or altered, sent as it is, replayed and cut anew. None is taken falsely, and none twice. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bombard, validHooks } from '../test/harness/twilio-webhooks.ts';
import { startAnswerSite, type AnswerSite } from './testing.ts';

const HOOKS = 10_000;

let site: AnswerSite;
beforeAll(async () => {
  site = await startAnswerSite('twilio_long');
});
afterAll(() => site.stop());

it('is accepted only where Twilio signed it, and once', { timeout: 900_000 }, async () => {
  const warningId = await site.issue();
  const { forgedStatuses, afterForged, afterValid, afterReplayed, sent } = await bombard(
    site,
    await validHooks(site, warningId, HOOKS),
  );
  process.stdout.write(
    `${sent} webhooks, ${HOOKS} of them good: accepted forged ${forgedStatuses.filter((status) => status !== 403).length}, ` +
      `stored of good ones ${JSON.stringify(afterValid)}, after replays ${JSON.stringify(afterReplayed)}\n`,
  );
  expect(new Set(forgedStatuses)).toEqual(new Set([403]));
  expect(afterForged).toEqual({ receipts: 0, answers: 0, replies: 0 });
  expect(afterValid).toEqual({ receipts: 3_333, answers: 6_667, replies: 6_667 });
  expect(afterReplayed).toEqual(afterValid);
});
