/**
 * Capacity: when each tier will have been told, by what its channels can carry, and which limits that breaks. A forecast before
 * anything is sent; the cascade itself does not know of it.
 */
import { CHANNELS, type Channel } from './rules.ts';
import type { TierId } from './tiers.ts';

/** What a channel carries, in messages a second, and how that is known. */
export type ChannelRate = { perSecond: number; basis: 'configured' | 'measured' };

export type Rates = Partial<Record<Channel, ChannelRate>>;

type Counts = Partial<Record<Channel, number>>;

/** Messages that a tier gets at first. `opensAfterMs`: by then its units are open, whoever is silent above. */
export type TierLoad = { tier: TierId; opensAfterMs: number; messages: Counts };

export type Load = {
  /** The official tiers, top down. */
  tiers: readonly TierLoad[];
  /** They are told when the lowest official tier opens. */
  households: TierLoad;
  /** A message not handed over within this time counts as failed, and the ladder goes on. */
  handOffMaxMs: number;
  lastsMs: number;
  /** Within which the public is to be told. */
  publicWithinMs: number;
};

/** `toldAfterMs`: from the commit; null where no rate of one of its channels is known, 0 where nobody is to be told. */
export type TierForecast = { tier: TierId; messages: number; toldAfterMs: number | null };

/** A limit that one channel's rate breaks for one tier. */
export type Missed = {
  limit: 'hand-off' | 'public' | 'expiry';
  tier: TierId;
  channel: Channel;
  takesMs: number;
  limitMs: number;
};

/** The rate at which a channel breaks no limit. */
export type NeededRate = { channel: Channel; perSecond: number; hasPerSecond: number };

export type Forecast = {
  tiers: TierForecast[];
  missed: Missed[];
  needed: NeededRate[];
  /** Channels with messages to carry and no known rate. */
  unknown: Channel[];
  rates: Rates;
};

/** Officials get two turns of a channel for each of the households: as many pages as a worker sends at once for each of them. */
const OFFICIALS_SHARE = 2 / 3;

/** Told by the public's limit: the national system project of 2011 wants ten minutes from the issue. */
export const PUBLIC_WITHIN_MINUTES = 10;

/** When everybody will have been told. Waiting times of carriers and of people's devices come on top. */
export function forecast(load: Load, rates: Rates): Forecast {
  const queues = CHANNELS.map((channel) => ({
    channel,
    finished: finishTimes(load, channel, rates[channel]),
  }));
  const all = [...load.tiers, load.households];
  return {
    tiers: all.map((tier, place) => ({
      tier: tier.tier,
      messages: sum(tier.messages),
      toldAfterMs: latest(
        queues
          .filter(({ channel }) => (tier.messages[channel] ?? 0) > 0)
          .map(({ finished }) => finished?.[place]),
      ),
    })),
    missed: queues.flatMap(({ channel, finished }) => (finished ? missedOf(load, channel, finished) : [])),
    needed: CHANNELS.flatMap((channel) => neededRate(load, channel, rates[channel])),
    unknown: CHANNELS.filter(
      (channel) => rates[channel] === undefined && all.some((tier) => (tier.messages[channel] ?? 0) > 0),
    ),
    rates,
  };
}

/**
 * When the channel has carried the messages of each official tier, and of the households at the end of the list, from the commit in
 * ms. Officials' tiers go one behind the other; households go beside them.
 */
function finishTimes(load: Load, channel: Channel, rate: ChannelRate | undefined): number[] | null {
  if (!rate) return null;
  const perMs = rate.perSecond / 1_000;
  const jobs = [...load.tiers, load.households].map(({ opensAfterMs, messages }) => ({
    opensAfterMs,
    left: messages[channel] ?? 0,
    endsAt: opensAfterMs,
  }));
  const households = jobs.at(-1);
  const officials = jobs.slice(0, -1);
  let now = 0;
  for (;;) {
    const open = (job: { opensAfterMs: number; left: number }) => job.left > 0 && job.opensAfterMs <= now;
    const official = officials.find(open);
    const household = households && open(households) ? households : undefined;
    const running = [
      { job: official, share: household ? OFFICIALS_SHARE : 1 },
      { job: household, share: official ? 1 - OFFICIALS_SHARE : 1 },
    ].flatMap(({ job, share }) => (job ? [{ job, speed: perMs * share }] : []));
    const opening = jobs
      .filter((job) => job.left > 0 && job.opensAfterMs > now)
      .map((job) => job.opensAfterMs);
    if (running.length === 0 && opening.length === 0) return jobs.map(({ endsAt }) => endsAt);
    const ends = running.map(({ job, speed }) => now + job.left / speed);
    const next = Math.min(...ends, ...opening);
    for (const [place, { job, speed }] of running.entries()) {
      // By its own end and not by subtraction: what rounding leaves over would go round for ever.
      job.left = ends[place] === next ? 0 : Math.max(0, job.left - (next - now) * speed);
      job.endsAt = next;
    }
    now = next;
  }
}

function missedOf(load: Load, channel: Channel, finished: readonly number[]): Missed[] {
  return [...load.tiers, load.households].flatMap((tier, place): Missed[] => {
    if ((tier.messages[channel] ?? 0) === 0) return [];
    const told = finished[place] ?? 0;
    const isPublic = place === load.tiers.length;
    const limits: Missed[] = [
      isPublic
        ? { limit: 'public', tier: tier.tier, channel, takesMs: told, limitMs: load.publicWithinMs }
        : {
            limit: 'hand-off',
            tier: tier.tier,
            channel,
            takesMs: told - tier.opensAfterMs,
            limitMs: load.handOffMaxMs,
          },
      { limit: 'expiry', tier: tier.tier, channel, takesMs: told, limitMs: load.lastsMs },
    ];
    return limits.filter(({ takesMs, limitMs }) => takesMs > limitMs);
  });
}

/** Found by halving: tiers that wait for others make it no simple fraction. None where no rate would do. */
function neededRate(load: Load, channel: Channel, rate: ChannelRate | undefined): NeededRate[] {
  if (!rate) return [];
  const misses = (perSecond: number) => {
    const finished = finishTimes(load, channel, { ...rate, perSecond });
    return finished !== null && missedOf(load, channel, finished).length > 0;
  };
  if (!misses(rate.perSecond)) return [];
  let least = rate.perSecond;
  let most = rate.perSecond;
  while (misses(most)) {
    least = most;
    most *= 2;
    if (most > RATE_MOST) return [];
  }
  while (most - least > most * PRECISION) {
    const between = (least + most) / 2;
    if (misses(between)) least = between;
    else most = between;
  }
  return [{ channel, perSecond: Math.ceil(most), hasPerSecond: rate.perSecond }];
}

const RATE_MOST = 1e9;
const PRECISION = 0.01;

function sum(counts: Counts): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** Null where one of them is not known. */
function latest(times: readonly (number | undefined)[]): number | null {
  return times.reduce<number | null>(
    (late, at) => (late === null || at === undefined ? null : Math.max(late, at)),
    0,
  );
}
