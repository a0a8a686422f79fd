/** What people do about a message, by seed: who never answers, what is noticed, how long it takes. Pure. */
import { CHANNELS, perChannel, type Channel } from '../rules.ts';
import { USUAL_BEHAVIOUR, type Behaviour } from '../scenario.ts';
import type { UnitId } from '../unit.ts';
import { happens, type Chance } from './chance.ts';
import { CURVES, delayMs, delaysOf, type Curve, type CurveName, type Delays } from './delays.ts';
import type { Tree } from './tree.ts';

/** The behaviour of a unit's people, all entries of the scenario merged. */
export type Manner = {
  neverAnswers: number;
  cannotAct: number;
  wrongNumbers: number;
  notices: Readonly<Record<Channel, number>>;
  delays: Readonly<Record<Channel, Delays>>;
  done: { percent: number; delays: Delays };
};

/** One entry of a scenario, its places found: null fits everywhere. */
export type PlacedBehaviour = Omit<Behaviour, 'where'> & { units: ReadonlySet<UnitId> | null };

/** The manner of each unit. Units of one tier to which the same entries apply share one. */
export function mannersOf(
  tree: Tree,
  entries: readonly PlacedBehaviour[],
  slower = 1,
): (unitId: UnitId) => Manner {
  const known = new Map<string, Manner>();
  const manners = tree.units.map(({ unitId, tier }) => {
    const fitting = entries.filter(
      ({ tiers, units }) => (tiers?.includes(tier) ?? true) && (units?.has(unitId) ?? true),
    );
    const key = fitting.map((entry) => entries.indexOf(entry)).join(',');
    const manner = known.get(key) ?? merge(fitting, slower);
    known.set(key, manner);
    return manner;
  });
  return (unitId) => manners[unitId] as Manner;
}

function merge(entries: readonly PlacedBehaviour[], slower: number): Manner {
  const last = <Key extends keyof PlacedBehaviour>(key: Key) =>
    entries.findLast((entry) => entry[key] !== undefined)?.[key];
  const curve = (given: Curve | CurveName) =>
    delaysOf(typeof given === 'string' ? CURVES[given] : given, slower);
  const done = last('done') ?? USUAL_BEHAVIOUR.done;
  return {
    neverAnswers: last('neverAnswers') ?? USUAL_BEHAVIOUR.neverAnswers,
    cannotAct: last('cannotAct') ?? USUAL_BEHAVIOUR.cannotAct,
    wrongNumbers: last('wrongNumbers') ?? USUAL_BEHAVIOUR.wrongNumbers,
    notices: perChannel(
      (channel) =>
        entries.findLast((entry) => entry.notices?.[channel] !== undefined)?.notices?.[channel] ??
        USUAL_BEHAVIOUR.notices[channel],
    ),
    delays: perChannel((channel) => curve(curveOf(entries, channel))),
    done: { percent: done.percent, delays: curve(done.delay) },
  };
}

/** The last entry that says something of this channel; its own curve comes before that for all. */
function curveOf(entries: readonly PlacedBehaviour[], channel: Channel): Curve | CurveName {
  const entry = entries.findLast(
    ({ delay, delayBy }) => delay !== undefined || delayBy?.[channel] !== undefined,
  );
  const own: Partial<Record<Channel, Curve>> = USUAL_BEHAVIOUR.delayBy;
  return entry?.delayBy?.[channel] ?? own[channel] ?? entry?.delay ?? USUAL_BEHAVIOUR.delay;
}

const DRAW = { never: 1, cannot: 2, wrong: 3, notice: 4, delay: 5, done: 6, doneDelay: 7 } as const;
/** Steps of a ladder and numbers of notices stay far below. */
const CHANNELS_MOST = 8;

/** Which message it is: the warning's place in the story, and the step of its ladder or the notice's number. */
export type Stimulus = { warning: number; step: number; channel: Channel };

/** Away or ill for the whole scenario, whichever warning it is. */
export function neverAnswers(chance: Chance, person: number, manner: Manner): boolean {
  return happens(chance(person, DRAW.never, 0), manner.neverAnswers);
}

export function cannotAct(chance: Chance, person: number, manner: Manner): boolean {
  return happens(chance(person, DRAW.cannot, 0), manner.cannotAct);
}

/** The address does not work, for any warning. */
export function wrongNumber(chance: Chance, person: number, channel: Channel, manner: Manner): boolean {
  return happens(chance(person, DRAW.wrong, CHANNELS.indexOf(channel)), manner.wrongNumbers);
}

export function notices(chance: Chance, person: number, stimulus: Stimulus, manner: Manner): boolean {
  return happens(chance(person, DRAW.notice, placeOf(stimulus)), manner.notices[stimulus.channel]);
}

/** From reading to answering. */
export function answerDelayMs(chance: Chance, person: number, stimulus: Stimulus, manner: Manner): number {
  return delayMs(manner.delays[stimulus.channel], chance(person, DRAW.delay, placeOf(stimulus)));
}

/** From *received*, or from reminder n, to *done*; null where it is not said. */
export function doneDelayMs(
  chance: Chance,
  person: number,
  when: { warning: number; reminder: number },
  manner: Manner,
): number | null {
  const place = when.warning * 64 + when.reminder;
  if (!happens(chance(person, DRAW.done, place), manner.done.percent)) return null;
  return delayMs(manner.done.delays, chance(person, DRAW.doneDelay, place));
}

function placeOf({ warning, step, channel }: Stimulus): number {
  return (warning * 1_024 + step) * CHANNELS_MOST + CHANNELS.indexOf(channel);
}
