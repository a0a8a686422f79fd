/** What a plan says of time: by limits that are configured, and by what the channel was seen to do. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../db/database.ts';
import { registerSenders } from '../db/senders.ts';
import { testDatabase } from '../test/database.ts';
import { serveActual } from '../test/harness/office.ts';
import { plantSmallTree } from '../test/harness/small-tree.ts';
import { sendersOfKind } from './kinds.ts';
import { planWarning } from './plan.ts';
import { issueWarning } from './warnings.ts';

const REQUEST = { hazard: '暴雨', level: 'red', areas: ['城'], expires: '+6h', issuer: '市气象台' };
const SENDERS = ['smtp', 'sms-gateway'];

let database: Database;

beforeAll(async () => {
  database = await testDatabase('capacity');
  await plantSmallTree(database);
});

afterAll(() => database.close());

const allow = (perSecond: number | null) =>
  registerSenders(database, [{ id: 'sms-gateway', channel: 'sms', perSecond }]);

/** Deliveries of a past warning, so many in each ten seconds. */
async function carried(perTenSeconds: number[]): Promise<void> {
  const { warningId } = await issueWarning(database, REQUEST);
  for (const [span, messages] of perTenSeconds.entries())
    await database.query(
      `insert into deliveries (id, attempt, page_id, warning_id, cell_id, unit_id, recipient_id, audience, purpose, step,
         channel, outcome, at)
       select $1::bigint * 1000000 + $2 * 1000 + n, 1, 0, $1, 0, 0, n, 'people', 'rung', 0, 'sms', 'handed off',
         '2026-07-09T00:00:00Z'::timestamptz + $2 * interval '10 seconds' + n * interval '1 millisecond'
       from generate_series(1, $3) as n`,
      [warningId, span, messages],
    );
}

it('knows no rate that nobody configured and nobody saw', async () => {
  await allow(null);
  const { forecast } = await planWarning(database, REQUEST, SENDERS);
  expect(forecast).toMatchObject({ unknown: ['sms'], rates: {} });
  expect(forecast.tiers[0]).toEqual({ tier: 'city', messages: 1, toldAfterMs: null });
});

it('goes by what is allowed, in parts', async () => {
  await allow(2);
  const { forecast, texts } = await planWarning(database, REQUEST, SENDERS);
  const parts = Math.max(...texts.map((text) => text.parts));
  expect(forecast.rates.sms).toEqual({ perSecond: 2 / parts, basis: 'configured' });
  // Eight officials and six households, at a message every parts / 2 seconds.
  expect(forecast.tiers.map(({ messages }) => messages)).toEqual([1, 1, 2, 2, 2, 6]);
  expect(forecast.tiers.at(-1)?.toldAfterMs).toBeCloseTo(((8 + 6) * parts * 1_000) / 2);
  expect(forecast.missed).toEqual([]);
});

it('counts on live senders for an actual warning, though a stand-in has the same name', async () => {
  await allow(2);
  const actual = { ...REQUEST, actual: true };
  expect((await planWarning(database, actual, SENDERS)).forecast.rates).toEqual({});
  await registerSenders(database, [{ id: 'actual sms-gateway', channel: 'sms', perSecond: 50 }]);
  const { forecast, texts } = await planWarning(database, actual, SENDERS);
  const parts = Math.max(...texts.map((text) => text.parts));
  expect(forecast.rates.sms).toEqual({ perSecond: 50 / parts, basis: 'configured' });
  const exercise = await planWarning(database, REQUEST, SENDERS);
  expect(exercise.forecast.rates.sms?.perSecond).toBeLessThanOrEqual(2);
});

it('finds the senders of the other kind with its living workers', async () => {
  const own = { serves: 'exercise' as const, senders: SENDERS };
  expect(await sendersOfKind(database, 'exercise', own)).toEqual(SENDERS);
  expect(await sendersOfKind(database, 'actual', own)).toEqual([]);
  await serveActual(database, ['twilio-sms']);
  expect(await sendersOfKind(database, 'actual', own)).toEqual(['twilio-sms']);
  expect(await sendersOfKind(database, 'exercise', own)).toEqual(SENDERS);
});

it('names what cannot be met', async () => {
  await allow(1);
  const { texts } = await planWarning(database, REQUEST, SENDERS);
  // A message in 48 s, of which officials have two in three: the fourth of them leaves after 288 s.
  await allow(Math.max(...texts.map((text) => text.parts)) / 48);
  const { forecast } = await planWarning(database, REQUEST, SENDERS);
  expect(forecast.missed.map(({ limit, tier }) => `${limit} ${tier}`)).toEqual([
    'hand-off village',
    'hand-off group',
    'public household',
  ]);
  expect(forecast.needed[0]?.perSecond).toBeGreaterThan(0);
});

it('prefers what was measured within a longer run, where that is less than allowed', async () => {
  await allow(1_000);
  await carried([3, 400]);
  expect((await planWarning(database, REQUEST, SENDERS)).forecast.rates.sms?.basis).toBe('configured');
  await carried([800, 400, 90, 30]);
  const { forecast } = await planWarning(database, REQUEST, SENDERS);
  expect(forecast.rates.sms).toEqual({ perSecond: 40, basis: 'measured' });
});
