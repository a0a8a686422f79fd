import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forecast, type Load, type Rates } from './capacity.ts';

const MINUTE = 60_000;

/** A city as large as Chongqing: every unit by SMS, households by SMS. */
function city(changes: Partial<Load> = {}): Load {
  const tier = (tier: string, sms: number, opensAfterMs = 0) => ({ tier, opensAfterMs, messages: { sms } });
  return {
    tiers: [
      tier('city', 1),
      tier('district', 38),
      tier('township', 1_031),
      tier('village', 11_270),
      tier('group', 90_160),
    ],
    households: tier('household', 300_000),
    handOffMaxMs: 5 * MINUTE,
    lastsMs: 6 * 60 * MINUTE,
    publicWithinMs: 10 * MINUTE,
    ...changes,
  };
}

const at = (perSecond: number): Rates => ({ sms: { perSecond, basis: 'configured' } });

const told = (load: Load, rates: Rates) =>
  Object.fromEntries(forecast(load, rates).tiers.map(({ tier, toldAfterMs }) => [tier, toldAfterMs]));

describe('the forecast', () => {
  test('is the messages by the rate, officials in two turns of three while households wait', () => {
    const seconds = told(city(), at(3_000));
    expect(seconds['district']).toBeCloseTo((39 / 2_000) * 1_000);
    expect(seconds['group']).toBeCloseTo((102_500 / 2_000) * 1_000);
    // Together they have the whole rate, whatever the order.
    expect(seconds['household']).toBeCloseTo((402_500 / 3_000) * 1_000);
  });

  test('waits for tiers that open later', () => {
    const load = city();
    const late = load.tiers.map((tier) =>
      tier.tier === 'village' ? { ...tier, opensAfterMs: 15 * MINUTE } : tier,
    );
    const { tiers } = forecast({ ...load, tiers: late }, at(3_000));
    const village = tiers.find(({ tier }) => tier === 'village')?.toldAfterMs ?? 0;
    expect(village).toBeGreaterThanOrEqual(15 * MINUTE + 11_270 / 3);
  });

  test('says nothing of a tier whose channel has no known rate, and names the channel', () => {
    const found = forecast(city(), {});
    expect(found.tiers.map(({ toldAfterMs }) => toldAfterMs)).toEqual([null, null, null, null, null, null]);
    expect(found).toMatchObject({ unknown: ['sms'], missed: [], needed: [] });
  });

  test('a tier that gets nothing is told at once', () => {
    const nobody = { tier: 'household', opensAfterMs: 0, messages: {} };
    expect(told(city({ households: nobody }), {})['household']).toBe(0);
  });
});

describe('limits', () => {
  test('are kept at 3,000 a second', () => {
    expect(forecast(city(), at(3_000))).toMatchObject({ missed: [], needed: [] });
  });

  test('that a slow gateway breaks are named, with the rate that would do', () => {
    const found = forecast(city(), at(100));
    expect(found.missed.map(({ limit, tier }) => [limit, tier])).toEqual([
      ['hand-off', 'group'],
      ['public', 'household'],
    ]);
    const [needed] = found.needed;
    expect(needed).toMatchObject({ channel: 'sms', hasPerSecond: 100 });
    expect(forecast(city(), at(needed?.perSecond ?? 0)).missed).toEqual([]);
    expect(forecast(city(), at((needed?.perSecond ?? 0) * 0.97)).missed).not.toEqual([]);
  });

  test('a warning that ends before everybody was told', () => {
    const { missed } = forecast(city({ lastsMs: MINUTE }), at(3_000));
    expect(missed.map(({ limit, tier }) => [limit, tier])).toEqual([['expiry', 'household']]);
  });

  test('a tier that opens after the end cannot be helped by a rate', () => {
    const households = { tier: 'household', opensAfterMs: 20 * MINUTE, messages: { sms: 1 } };
    expect(forecast(city({ households }), at(3_000)).needed).toEqual([]);
  });
});

test('twice the rate never tells anybody later, and all messages take their time', () => {
  const loads = fc.record({
    tiers: fc.array(fc.record({ sms: fc.nat(10_000), opensAfterMs: fc.nat(MINUTE) }), {
      minLength: 1,
      maxLength: 5,
    }),
    households: fc.nat(100_000),
    perSecond: fc.integer({ min: 1, max: 5_000 }),
  });
  fc.assert(
    fc.property(loads, ({ tiers, households, perSecond }) => {
      const load = city({
        tiers: tiers.map(({ sms, opensAfterMs }, place) => ({
          tier: `t${place}`,
          opensAfterMs,
          messages: { sms },
        })),
        households: { tier: 'household', opensAfterMs: 0, messages: { sms: households } },
      });
      const slow = forecast(load, at(perSecond));
      const fast = forecast(load, at(perSecond * 2));
      for (const [place, tier] of slow.tiers.entries())
        expect(fast.tiers[place]?.toldAfterMs ?? Infinity).toBeLessThanOrEqual(
          (tier.toldAfterMs ?? 0) + 1e-6,
        );
      const all = tiers.reduce((total, { sms }) => total + sms, households);
      const last = Math.max(...slow.tiers.map(({ toldAfterMs }) => toldAfterMs ?? 0));
      expect(last).toBeGreaterThanOrEqual((all / perSecond) * 1_000 - 1e-6);
    }),
    { numRuns: 300 },
  );
});
