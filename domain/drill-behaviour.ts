/**
 * How people behaved in a drill, as a scenario has it: so that a warning on record can be rehearsed again. Pure.
 *
 * Whoever answers a call leaves the text of the same minute unanswered: that text was not ignored, it was overtaken. So shares and delays
 * are estimated as lifetimes are, from messages of which some were answered and the others watched for a while (Kaplan and Meier, 1958);
 * and of somebody who answered nothing it is weighed whether they never answer or had bad luck with each message.
 */
import { quantile, type DrilledPerson } from './drill-people.ts';
import { CHANNELS, type Channel } from './rules.ts';
import type { Behaviour } from './scenario.ts';
import type { TierId } from './tiers.ts';
import { MINUTE_MS, type Instant } from './time.ts';

/** What was seen in one tier, or in all; `told` and `answered` are people, and say how far the shares can be trusted. */
export type ObservedBehaviour = { told: number; answered: number; behaviour: Behaviour };

/** A curve of fewer answers is none: the one for all tiers is used. */
const CURVE_ANSWERS_LEAST = 5;
/** The bounds of a scenario's curve, in minutes; what took no time took a tenth of a minute. */
const MEDIAN_BOUNDS = { least: 0.1, most: 1_440 };
const P90_MOST = 2_880;
/** The weighing settles long before. */
const ROUNDS = 40;

/** A person, and until when their answers were waited for. */
export type WatchedPerson = DrilledPerson & { until: Instant };

/** All tiers together first, then those of which somebody was told; `doneTiers` are asked for *done*. */
export function observedBehaviour(
  people: readonly WatchedPerson[],
  tierOf: (person: DrilledPerson) => TierId,
  tiers: readonly TierId[],
  doneTiers: readonly TierId[],
): ObservedBehaviour[] {
  const asksDone = (person: DrilledPerson) => doneTiers.includes(tierOf(person));
  return [
    observe(people, asksDone),
    ...tiers.flatMap((tier) => {
      const own = people.filter((person) => tierOf(person) === tier);
      const { behaviour, ...seen } = observe(own, asksDone);
      return seen.told === 0 ? [] : [{ ...seen, behaviour: { tiers: [tier], ...behaviour } }];
    }),
  ];
}

function observe(
  people: readonly WatchedPerson[],
  asksDone: (person: DrilledPerson) => boolean,
): ObservedBehaviour {
  const told = people.filter(({ by }) => CHANNELS.some((channel) => (by[channel]?.handedOff ?? 0) > 0));
  const answered = told.filter((person) => person.answered !== null);
  const trials = people.flatMap(({ by }) => Object.values(by));
  const received = answered.filter((person) => person.answered?.cannotAct === false);
  const asked = received.filter(asksDone);
  const done = asked.filter(({ doneAt }) => doneAt !== null);
  const doneCurve = curveOf(done.map((person) => (person.doneAt ?? 0) - (person.answered?.at ?? 0)));
  const { never, notices, delays } = weigh(told);
  const delayBy = byChannel((channel) => curveOf(delays[channel] ?? []));
  return {
    told: told.length,
    answered: answered.length,
    behaviour: {
      neverAnswers: percent(never),
      cannotAct: percent(shareOf(answered.length - received.length, answered.length)),
      wrongNumbers: percent(shareOf(trials.filter(({ wrongAddress }) => wrongAddress).length, trials.length)),
      notices: byChannel((channel) => {
        const share = notices[channel];
        return share === undefined ? null : percent(share);
      }),
      ...(Object.keys(delayBy).length > 0 && { delayBy }),
      ...(asked.length > 0 && {
        done: { percent: percent(shareOf(done.length, asked.length)), delay: doneCurve ?? 'usual' },
      }),
    },
  };
}

// ── lifetimes of messages ───────────────────────────────────────────────────────────────────────────────────

/** A message that waited for an answer so long; `answered` where it came then. */
type Wait = { person: number; ms: number; answered: boolean };

type Weighed = {
  never: number;
  notices: Partial<Record<Channel, number>>;
  /** Delays of what was noticed, as many as there were answers and by their weights. */
  delays: Partial<Record<Channel, number[]>>;
};

/**
 * Who answered nothing may be one who never does, or have noticed nothing: by turns the share of each channel's messages that are
 * noticed is estimated from those weights, and the weights from those shares, until both hold.
 */
function weigh(told: readonly WatchedPerson[]): Weighed {
  const waits = byChannel((channel) => waitsOf(told, channel));
  const silent = told.flatMap((person, index) => (person.answered === null ? [{ person, index }] : []));
  const weights = new Float64Array(told.length).fill(1);
  let never = shareOf(silent.length, told.length) / 2;
  let lives = livesOf(waits, weights);
  for (let round = 0; round < ROUNDS && silent.length > 0; round += 1) {
    let sum = 0;
    for (const { person, index } of silent) {
      const missed = CHANNELS.reduce(
        (product, channel) =>
          product * (1 - (lives[channel]?.noticed ?? 0)) ** (person.by[channel]?.askedAt.length ?? 0),
        1 - never,
      );
      weights[index] = missed + never === 0 ? 0 : missed / (missed + never);
      sum += 1 - (weights[index] ?? 0);
    }
    never = sum / told.length;
    lives = livesOf(waits, weights);
  }
  return {
    never,
    notices: byChannel((channel) => lives[channel]?.noticed ?? null),
    delays: byChannel((channel) => lives[channel]?.delays ?? null),
  };
}

/** Each message was watched until its answer, the next message of its channel, another answer, or the end. */
function waitsOf(told: readonly WatchedPerson[], channel: Channel): Wait[] | null {
  const waits = told.flatMap(({ by, answered, until }, person) => {
    const asked = by[channel]?.askedAt ?? [];
    return asked.map((at, place): Wait => {
      const last = place === asked.length - 1;
      const stop = last ? (answered?.at ?? until) : (asked[place + 1] ?? until);
      return { person, ms: Math.max(0, stop - at), answered: last && answered?.channel === channel };
    });
  });
  return waits.length === 0 ? null : waits.sort((one, other) => one.ms - other.ms);
}

type Life = { noticed: number; delays: number[] };

function livesOf(
  waits: Partial<Record<Channel, Wait[]>>,
  weights: Float64Array,
): Partial<Record<Channel, Life>> {
  return byChannel((channel) => {
    const own = waits[channel];
    return own === undefined ? null : lifeOf(own, weights);
  });
}

/** The share that would have been answered had nothing overtaken it, and after how long; waits in their order. */
function lifeOf(waits: readonly Wait[], weights: Float64Array): Life {
  let left = waits.reduce((sum, { person }) => sum + (weights[person] ?? 0), 0);
  let unanswered = 1;
  const falls: { ms: number; by: number }[] = [];
  for (const { person, ms, answered } of waits) {
    const weight = weights[person] ?? 0;
    if (answered && left > 0) {
      const by = unanswered * Math.min(1, weight / left);
      falls.push({ ms, by });
      unanswered -= by;
    }
    left -= weight;
  }
  return { noticed: 1 - unanswered, delays: spread(falls, 1 - unanswered) };
}

/** As many delays as there were answers, each standing for the same share: what was overtaken late weighs more. */
function spread(falls: readonly { ms: number; by: number }[], noticed: number): number[] {
  const delays: number[] = [];
  let passed = 0;
  for (const { ms, by } of falls) {
    passed += by;
    while (delays.length < Math.round((passed / noticed) * falls.length)) delays.push(ms);
  }
  return delays;
}

// ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────

function curveOf(delaysMs: readonly number[]): { median: number; p90: number } | null {
  if (delaysMs.length < CURVE_ANSWERS_LEAST) return null;
  const { least, most } = MEDIAN_BOUNDS;
  const minutes = (share: number) => Math.round(quantile(delaysMs, share) / (MINUTE_MS / 100)) / 100;
  const median = Math.min(most, Math.max(least, minutes(0.5)));
  return { median, p90: Math.min(P90_MOST, Math.max(median, minutes(0.9))) };
}

function byChannel<T>(of: (channel: Channel) => T | null): Partial<Record<Channel, T>> {
  return Object.fromEntries(
    CHANNELS.flatMap((channel) => {
      const value = of(channel);
      return value === null ? [] : [[channel, value]];
    }),
  );
}

function shareOf(count: number, of: number): number {
  return of === 0 ? 0 : count / of;
}

/** Per cent of a share, with one decimal. */
function percent(share: number): number {
  return Math.min(100, Math.max(0, Math.round(1_000 * share) / 10));
}
