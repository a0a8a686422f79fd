/** How a forecast reads: when each tier will have been told, what cannot be met, and what would change it. Pure. */
import type { Forecast } from '../domain/capacity.ts';
import { CHANNELS, type Channel } from '../domain/rules.ts';
import type { Context } from './context.ts';
import { tierName } from './shapes.ts';
import { span } from './times.ts';
import { wrap } from './width.ts';

export function renderForecast(
  { tiers, missed, needed, unknown, rates }: Forecast,
  context: Context,
): string[] {
  const { lang, say } = context;
  const name = (channel: Channel) => say(`tier.${channel}`);
  const rate = (perSecond: number) => String(Math.round(perSecond * 10) / 10);
  const told = tiers
    .filter(({ messages }) => messages > 0)
    .map(({ tier, toldAfterMs }) =>
      say('forecast.tier', {
        tier: tierName(tier, lang),
        after: toldAfterMs === null ? say('forecast.unknown') : span(Math.max(1_000, toldAfterMs), lang),
      }),
    );
  const known = CHANNELS.flatMap((channel) => {
    const found = rates[channel];
    if (!found) return [];
    const basis = say(`forecast.${found.basis}`);
    return [say('forecast.rate', { channel: name(channel), rate: rate(found.perSecond), basis })];
  });
  const joined = (parts: readonly string[]) => parts.join(lang === 'zh' ? ';' : '; ');
  const lines = [
    ...(told.length > 0 ? [say('forecast.told', { tiers: joined(told) })] : []),
    ...(known.length > 0 ? [say('forecast.rates', { rates: joined(known) })] : []),
    ...missed.map(({ limit, tier, channel, takesMs, limitMs }) =>
      say(`forecast.${limit}`, {
        tier: tierName(tier, lang),
        channel: name(channel),
        takes: span(takesMs, lang),
        limit: span(limitMs, lang),
      }),
    ),
    ...needed.map(({ channel, perSecond, hasPerSecond }) =>
      say('forecast.needed', { channel: name(channel), needed: perSecond, has: rate(hasPerSecond) }),
    ),
    ...unknown.map((channel) => say('forecast.noRate', { channel: name(channel) })),
  ];
  return lines.flatMap((line) => wrap(line, context.columns() ?? 100));
}
