/** When a planned warning will have told each tier, by what its channels are known to carry. */
import { readConfiguredRates, readMeasuredRates } from '../db/capacity.ts';
import type { Sql } from '../db/database.ts';
import { readFirstMessages, type HouseholdReach, type RungReach } from '../db/plan.ts';
import { forecast, PUBLIC_WITHIN_MINUTES, type Forecast, type Rates } from '../domain/capacity.ts';
import type { Rules } from '../domain/rules.ts';
import { TIERS } from '../domain/tiers.ts';
import { MINUTE_MS } from '../domain/time.ts';

/** `smsParts`: what one SMS of this warning comes to; rates of SMS are configured in parts. */
export async function forecastWarning(
  sql: Sql,
  plan: {
    kind: 'exercise' | 'actual';
    areaIds: readonly number[];
    rules: Rules;
    rungs: readonly RungReach[];
    households: HouseholdReach;
    lastsMs: number;
    speed: number;
    smsParts: number;
    senders: readonly string[];
  },
): Promise<Forecast> {
  const { rules, households } = plan;
  const [first, rates] = await Promise.all([
    readFirstMessages(sql, plan.areaIds, plan.rungs),
    readRates(sql, plan),
  ]);
  const officials = TIERS.filter(({ role }) => role === 'official').map(({ id }) => id);
  const opensAfterMs = (tier: string) =>
    officials
      .slice(0, officials.indexOf(tier))
      .reduce((sum, above) => sum + (rules.descendWaitMs[above] ?? 0), 0);
  const lowest = officials.at(-1) ?? '';
  const told = TIERS.find(({ role }) => role === 'told')?.id ?? '';
  const load = {
    tiers: officials.map((tier) => ({
      tier,
      opensAfterMs: opensAfterMs(tier),
      messages: Object.fromEntries(
        first.filter((row) => row.tier === tier).map(({ channel, messages }) => [channel, messages]),
      ),
    })),
    households: {
      tier: told,
      opensAfterMs: opensAfterMs(lowest),
      messages: Object.fromEntries(rules.households.by.map((channel) => [channel, households[channel]])),
    },
    handOffMaxMs: rules.handOffMaxMs,
    lastsMs: plan.lastsMs,
    publicWithinMs: (PUBLIC_WITHIN_MINUTES * MINUTE_MS) / plan.speed,
  };
  return forecast(load, rates);
}

/** What was measured, within what is allowed; what is allowed, where nothing was measured yet. */
async function readRates(
  sql: Sql,
  plan: { kind: 'exercise' | 'actual'; smsParts: number; senders: readonly string[] },
): Promise<Rates> {
  const [configured, measured] = await Promise.all([
    readConfiguredRates(sql, plan.kind, plan.senders),
    readMeasuredRates(sql, plan.kind),
  ]);
  const rates: Rates = {};
  for (const { channel, perSecond } of configured) {
    const parts = channel === 'sms' ? plan.smsParts : 1;
    rates[channel] = { perSecond: perSecond / parts, basis: 'configured' };
  }
  for (const { channel, perSecond } of measured) {
    const allowed = rates[channel]?.perSecond ?? Infinity;
    if (perSecond < allowed) rates[channel] = { perSecond, basis: 'measured' };
  }
  return rates;
}
