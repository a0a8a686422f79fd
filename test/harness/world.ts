/**
 * What one seed stands for: a tree, the rules, how each channel and each person behaves, and when the warning ends.
 * Nothing here knows of cells; the same world is run under several partitions.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { resolveRules, rulePackSchema, type Rules, type Rung } from '../../domain/rules.ts';
import { MINUTE_MS, type Instant } from '../../domain/time.ts';
import { TIERS } from '../../domain/tiers.ts';
import type { UnitId } from '../../domain/unit.ts';
import { drawsOf, shuffle, streamOf, type Draw } from './random.ts';

export type Word = 'received' | 'done' | 'cannot act';

export type Place = { unitId: UnitId; tier: string; superiorId: UnitId | null; subordinates: UnitId[] };

/** One delivery of a rung: what the channel does with it and what the person does who gets it. */
export type DeliveryModel = {
  /** When it is tried for the last time. Null: never, and nobody hears why. */
  attemptAfterMs: number | null;
  outcome: 'handed off' | 'exhausted';
  /** How long after the attempt its letter reaches the inbox. */
  letterLagMs: number;
  /** How long after a hand-off it comes back after all; null where it does not. */
  bounceAfterMs: number | null;
  /** What the person says, and how long after the hand-off; doubled presses are two words. */
  words: { afterMs: number; word: Word }[];
};

/**
 * `generic`: milliseconds, so that ties are rare. `ties`: answers fall on the deadline's very millisecond, and on the
 * cancel's. `lockstep`: nothing has jitter and channels fail for all alike, so that whole tiers move in one instant.
 */
export type Manner = 'generic' | 'ties' | 'lockstep';

export type World = {
  seed: number;
  manner: Manner;
  rules: Rules;
  places: ReadonlyMap<UnitId, Place>;
  startAt: Instant;
  cancelAt: Instant | null;
  expiresAt: Instant;
  /** All workers are gone from `from` to `to`: what falls between is done at `to`. Answers are taken all the same. */
  outage: { from: Instant; to: Instant } | null;
  /** Words that follow no message of ours: before the first send, and after the end. */
  unasked: { unitId: UnitId; at: Instant; word: Word }[];
  /** Of an update: words said of the superseded warning, which arrive when it is issued, or late. */
  carried: { unitId: UnitId; at: Instant; saidAt: Instant; word: Word }[];
  /** What ends it at `cancelAt`. */
  endsBy: 'cancelled' | 'superseded';
  deliveries(unitId: UnitId, rung: number): DeliveryModel[];
};

const pack = rulePackSchema.parse(
  parse(readFileSync(new URL('../../scenarios/rules/default-unofficial.yaml', import.meta.url), 'utf8')),
);
const SHIPPED = [resolveRules(pack, 'red'), resolveRules(pack, 'yellow')];

export const START_AT = 1_000_000_000;
const KEY = {
  plan: 1,
  handOff: 2,
  lag: 3,
  fail: 4,
  word: 5,
  delay: 6,
  again: 7,
  unasked: 8,
  tie: 9,
  outcome: 10,
  carried: 11,
  end: 12,
};

export function worldOf(seed: number): World {
  const random = streamOf(seed);
  const draw = drawsOf(seed);
  const manner: Manner = pick(random(), [
    [0.6, 'generic'],
    [0.25, 'ties'],
    [0.15, 'lockstep'],
  ]);
  const rules = rulesOf(random, manner);
  const places = treeOf(random);
  const lastsMs = Math.round((5 + random() ** 2 * 235) * MINUTE_MS);
  const expiresAt = START_AT + lastsMs;
  const cancelAt = random() < 0.35 ? START_AT + 1 + Math.floor(random() * lastsMs) : null;
  const outageAt = START_AT + Math.floor(random() ** 3 * lastsMs);
  const outage =
    random() < 0.2 ? { from: outageAt, to: outageAt + Math.floor(random() * 30 * MINUTE_MS) + 1 } : null;
  const talkative = random() < 0.4 ? 0.25 : 0.03;
  const unasked = [...places.keys()].flatMap((unitId) =>
    unaskedOf(draw, unitId, talkative, { cancelAt, lastsMs, manner }),
  );
  const temper = { silence: random(), failure: random() ** 2 };
  return {
    seed,
    manner,
    rules,
    places,
    startAt: START_AT,
    cancelAt,
    expiresAt,
    outage,
    unasked,
    carried: carriedOf(draw, [...places.keys()], lastsMs),
    endsBy: draw(KEY.end, 0) < 0.5 ? 'superseded' : 'cancelled',
    deliveries: (unitId, rung) => deliveriesOf({ draw, manner, temper, rules }, unitId, rung),
  };
}

// ── the tree ────────────────────────────────────────────────────────────────────────────────────────────────

/** Mostly small, up to 200 units, up to six tiers deep; ids say nothing about place. */
function treeOf(random: () => number): Map<UnitId, Place> {
  const size = pick(random(), [
    [0.86, 2 + Math.floor(random() * 14)],
    [0.12, 16 + Math.floor(random() * 30)],
    [0.02, 46 + Math.floor(random() * 155)],
  ]);
  const ids = shuffle(
    Array.from({ length: size }, (_, index) => index + 1),
    random,
  );
  const depths: number[] = [];
  const places = new Map<UnitId, Place>();
  const deepens = random();
  for (const [index, unitId] of ids.entries()) {
    let above =
      index === 0 ? -1 : Math.floor((random() < deepens ? 1 - random() ** 2 * 0.3 : random()) * index);
    while (above >= 0 && (depths[above] ?? 0) >= TIERS.length - 1) above -= 1;
    const superiorId = above < 0 ? null : (ids[above] as UnitId);
    const depth = above < 0 ? 0 : (depths[above] ?? 0) + 1;
    depths.push(depth);
    places.set(unitId, { unitId, tier: TIERS[depth]?.id ?? '', superiorId, subordinates: [] });
    if (superiorId !== null) places.get(superiorId)?.subordinates.push(unitId);
  }
  return places;
}

// ── rules ───────────────────────────────────────────────────────────────────────────────────────────────────

function rulesOf(random: () => number, manner: Manner): Rules {
  const shipped = SHIPPED[Math.floor(random() * SHIPPED.length)] as Rules;
  const rules = random() < 0.5 ? shipped : inventedRules(random, shipped);
  return manner === 'generic' ? withJitter(rules, random) : rules;
}

/** Any ladder a pack may hold, not only sensible ones. */
function inventedRules(random: () => number, base: Rules): Rules {
  const minutes = (most: number) => Math.max(1, Math.round(random() * most * 2)) * (MINUTE_MS / 2);
  const ladder = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, index): Rung => {
    const who = pick(random(), [
      [0.4, 'principal' as const],
      [0.2, 'deputies' as const],
      [0.25, 'everyone' as const],
      [0.15, 'nobody' as const],
    ]);
    return {
      name: `rung ${index}`,
      who,
      by: who === 'nobody' ? [] : ['sms'],
      waitMs: minutes(10),
      tellSuperior: random() < 0.4,
      bridge: random() < 0.35,
    };
  });
  const waiting = TIERS.filter(() => random() < 0.5).map((tier) => [tier.id, minutes(10)] as const);
  const tiers = TIERS.filter(() => random() < 0.5).map((tier) => tier.id);
  const done = {
    tiers,
    withinMs: minutes(20),
    againMs: minutes(10),
    remindersMost: Math.floor(random() * 3),
    by: base.digest.by,
  };
  return {
    ...base,
    ...(tiers.length > 0 && { done }),
    ladder,
    descendWaitMs: Object.fromEntries(waiting),
    handOffMaxMs: minutes(4),
    digest: {
      ...base.digest,
      windowMs: minutes(4),
      urgentWindowMs: minutes(1),
      regular: Math.floor(random() * 5),
    },
    endReport: {
      ...base.endReport,
      tiers: TIERS.filter(() => random() < 0.4).map((tier) => tier.id),
      afterMs: minutes(60),
    },
  };
}

function withJitter(rules: Rules, random: () => number): Rules {
  const jitter = (ms: number) => ms + Math.floor(random() * 9_973);
  return {
    ...rules,
    ladder: rules.ladder.map((rung) => ({ ...rung, waitMs: jitter(rung.waitMs) })),
    descendWaitMs: Object.fromEntries(
      Object.entries(rules.descendWaitMs).map(([tier, ms]) => [tier, jitter(ms)]),
    ),
    handOffMaxMs: jitter(rules.handOffMaxMs),
    digest: {
      ...rules.digest,
      windowMs: jitter(rules.digest.windowMs),
      urgentWindowMs: jitter(rules.digest.urgentWindowMs),
    },
    endReport: { ...rules.endReport, afterMs: jitter(rules.endReport.afterMs) },
  };
}

// ── channels and people ─────────────────────────────────────────────────────────────────────────────────────

type Behaviour = { draw: Draw; manner: Manner; temper: { silence: number; failure: number }; rules: Rules };

function deliveriesOf(behaviour: Behaviour, unitId: UnitId, rung: number): DeliveryModel[] {
  const { draw, manner } = behaviour;
  // In lockstep the channel treats all units of one rung alike.
  const fate = draw(KEY.plan, manner === 'lockstep' ? 0 : unitId, rung);
  const count = fate < 0.1 ? 0 : fate < 0.65 ? 1 : fate < 0.9 ? 2 : 3;
  return Array.from({ length: count }, (_, place) => deliveryOf(behaviour, unitId, rung, place));
}

function deliveryOf(behaviour: Behaviour, unitId: UnitId, rung: number, place: number): DeliveryModel {
  const { draw, manner, temper, rules } = behaviour;
  const key = [unitId, rung, place] as const;
  const channel = manner === 'lockstep' ? ([0, rung, place] as const) : key;
  const delay = (what: number, most: number) => 1 + Math.floor(draw(what, ...channel) ** 3 * most);
  const failing = 0.1 + 0.8 * temper.failure;
  const luck = draw(KEY.outcome, ...channel);
  const handedOff = luck >= failing;
  return {
    attemptAfterMs: luck < failing * 0.3 ? null : delay(KEY.handOff, 1.3 * rules.handOffMaxMs),
    outcome: handedOff ? 'handed off' : 'exhausted',
    letterLagMs: draw(KEY.lag, ...channel, 1) < 0.7 ? 0 : delay(KEY.lag, 3 * MINUTE_MS),
    bounceAfterMs: luck > 0.92 ? delay(KEY.fail, 6 * MINUTE_MS) : null,
    words: handedOff ? wordsOf(behaviour, key) : [],
  };
}

function wordsOf(behaviour: Behaviour, key: readonly [number, number, number]): DeliveryModel['words'] {
  const { draw, manner, temper, rules } = behaviour;
  if (draw(KEY.word, ...key) < 0.2 + 0.7 * temper.silence) return [];
  const waitMs = rules.ladder[key[1]]?.waitMs ?? MINUTE_MS;
  const onTheDeadline = manner !== 'generic' && draw(KEY.tie, ...key) < 0.5;
  const afterMs = onTheDeadline ? waitMs : 1 + Math.floor(draw(KEY.delay, ...key) ** 2 * 2.5 * waitMs);
  const words = [{ afterMs, word: wordOf(draw(KEY.word, ...key, 1)) }];
  const again = draw(KEY.again, ...key);
  if (again < 0.15)
    words.push({ afterMs: afterMs + Math.floor(again * 20_000), word: words[0]?.word ?? 'received' });
  else if (again < 0.35)
    words.push({
      afterMs: afterMs + 1 + Math.floor((again - 0.15) * 40 * MINUTE_MS),
      word: wordOf(draw(KEY.word, ...key, 2)),
    });
  return words;
}

function unaskedOf(
  draw: Draw,
  unitId: UnitId,
  share: number,
  world: { cancelAt: Instant | null; lastsMs: number; manner: Manner },
): World['unasked'] {
  return [0, 1].flatMap((nth) => {
    if (draw(KEY.unasked, unitId, nth) >= share) return [];
    const word = wordOf(draw(KEY.unasked, unitId, nth, 1));
    const tied = world.manner !== 'generic' && draw(KEY.unasked, unitId, nth, 2) < 0.4;
    const at = START_AT + Math.floor(draw(KEY.unasked, unitId, nth, 3) ** 3 * 1.2 * world.lastsMs);
    return [{ unitId, at: tied ? (world.cancelAt ?? START_AT) : at, word }];
  });
}

/** In a third of the worlds the warning is an update that asks for no new answers: some units have given theirs. */
function carriedOf(draw: Draw, unitIds: readonly UnitId[], lastsMs: number): World['carried'] {
  if (draw(KEY.carried, 0) >= 1 / 3) return [];
  return unitIds.flatMap((unitId) =>
    [0, 1].flatMap((nth) => {
      if (draw(KEY.carried, unitId, nth) >= 0.3) return [];
      const late = draw(KEY.carried, unitId, nth, 1) < 0.3;
      const at = START_AT + (late ? Math.floor(draw(KEY.carried, unitId, nth, 2) ** 3 * lastsMs) : 0);
      const saidAt = START_AT - 1 - Math.floor(draw(KEY.carried, unitId, nth, 3) * 60 * MINUTE_MS);
      return [{ unitId, at, saidAt, word: wordOf(draw(KEY.carried, unitId, nth, 4)) }];
    }),
  );
}

function wordOf(draw: number): Word {
  return draw < 0.5 ? 'received' : draw < 0.75 ? 'done' : 'cannot act';
}

function pick<Item>(draw: number, shares: readonly (readonly [number, Item])[]): Item {
  let sum = 0;
  for (const [share, item] of shares) {
    sum += share;
    if (draw < sum) return item;
  }
  return shares[shares.length - 1]?.[1] as Item;
}
