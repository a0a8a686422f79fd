/**
 * What one seed stands for: a small tree with its people, the rules, how channels and people behave, how many workers there
 * are and which faults strike until when.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CHANNELS, resolveRules, rulePackSchema, type Channel, type Rules } from '../../domain/rules.ts';
import { TIERS } from '../../domain/tiers.ts';
import { MINUTE_MS, type Instant } from '../../domain/time.ts';
import type { UnitId } from '../../domain/unit.ts';
import { shuffle, streamOf } from '../harness/random.ts';
import { FAULT_KINDS, type FaultKind } from './fault-kinds.ts';

export type Unit = {
  unitId: UnitId;
  name: string;
  tier: string;
  parentId: UnitId | null;
  /** From the root down to the unit itself. */
  path: UnitId[];
  cellUnitId: UnitId;
};

export type Person = {
  personId: number;
  addresses: Partial<Record<Channel, string>>;
  language: 'zh' | 'en';
  synthetic: boolean;
};

export type Household = {
  householdId: number;
  unitId: UnitId;
  channel: Channel;
  address: string;
  language: 'zh' | 'en';
  synthetic: boolean;
};

export type Post = { unitId: UnitId; personId: number; rank: number };

/** How often what happens, from 0 to 1. */
export type Temper = {
  /** People who never answer. */
  silence: number;
  cannotAct: number;
  /** Who speaks speaks again. */
  again: number;
  badContacts: number;
  later: number;
  /** Taken, but the answer is lost. */
  answerLost: number;
  /** Not taken, and nobody knows. */
  requestLost: number;
  hang: number;
  /** Scanners that open links and press buttons. */
  scanners: number;
};

export type SimulatedWorldData = {
  seed: number;
  startAt: Instant;
  lastsMs: number;
  cancelAfterMs: number | null;
  /** Another warning, which is not simulated, takes the place of this one for some of its areas, and leaves the others out. */
  update: { afterMs: number; areaIds: UnitId[] } | null;
  kind: 'exercise' | 'actual';
  /** A worker of the other kind serves the queues: nothing may leave. */
  miswired: boolean;
  level: 'red' | 'yellow';
  rules: Rules;
  units: Unit[];
  people: Person[];
  posts: Post[];
  households: Household[];
  areaIds: UnitId[];
  workers: number;
  concurrency: number;
  messageTimeoutMs: number;
  /** Share of a message's time-out that a send takes at most, when all is well. */
  sluggish: number;
  pauseShare: number;
  slow: number;
  temper: Temper;
  faultsUntilMs: number;
  /** Share of events of a connection or a channel at which a fault strikes. */
  hazard: number;
  faultKinds: FaultKind[];
  leavesAfterSteps: number;
  /** Deliveries a slice holds at most: pages of a small tree would never have two. */
  sliceMost: number;
};

/** 2026-07-09: posts of the tree are older. */
export const START_AT = 1_783_555_200_000;

const pack = rulePackSchema.parse(
  parse(readFileSync(new URL('../../scenarios/rules/default-unofficial.yaml', import.meta.url), 'utf8')),
);

/** A world with what is looked up in it again and again. */
export class SimulatedWorld {
  readonly data: SimulatedWorldData;
  readonly households: Household[];
  private readonly byUnit: ReadonlyMap<UnitId, Unit>;
  private readonly byPerson: ReadonlyMap<number, Person>;
  private readonly byHousehold: ReadonlyMap<number, Household>;
  private readonly below = new Map<UnitId, UnitId[]>();
  private readonly posts = new Map<UnitId, Post[]>();
  private readonly units = new Map<number, UnitId[]>();
  private readonly scope: ReadonlySet<UnitId>;
  private readonly kept: ReadonlySet<UnitId>;

  constructor(data: SimulatedWorldData) {
    this.data = data;
    this.households = data.households;
    this.byUnit = new Map(data.units.map((unit) => [unit.unitId, unit]));
    this.byPerson = new Map(data.people.map((person) => [person.personId, person]));
    this.byHousehold = new Map(data.households.map((household) => [household.householdId, household]));
    this.scope = this.scopeOf(data.areaIds);
    this.kept = this.scopeOf(data.update?.areaIds ?? []);
    for (const unit of data.units) {
      if (unit.parentId !== null && this.scope.has(unit.unitId))
        append(this.below, unit.parentId, unit.unitId);
    }
    for (const post of data.posts) {
      append(this.posts, post.unitId, post);
      append(this.units, post.personId, post.unitId);
    }
  }

  unit(unitId: UnitId): Unit | undefined {
    return this.byUnit.get(unitId);
  }

  person(personId: number): Person | undefined {
    return this.byPerson.get(personId);
  }

  household(householdId: number): Household | undefined {
    return this.byHousehold.get(householdId);
  }

  /** In these areas, or on the way down to them. */
  private scopeOf(areaIds: readonly UnitId[]): ReadonlySet<UnitId> {
    const areas = areaIds.map((unitId) => this.byUnit.get(unitId) as Unit);
    const inside = (unit: Unit) =>
      areas.some((area) => unit.path.includes(area.unitId) || area.path.includes(unit.unitId));
    return new Set(this.data.units.filter(inside).map((unit) => unit.unitId));
  }

  /** The update has it in its area. */
  keptByUpdate(unitId: UnitId): boolean {
    return this.kept.has(unitId);
  }

  inScope(unitId: UnitId): boolean {
    return this.scope.has(unitId);
  }

  depth(unitId: UnitId): number {
    return this.byUnit.get(unitId)?.path.length ?? 0;
  }

  /** Those of the warning directly below. */
  subordinates(unitId: UnitId): UnitId[] {
    return this.below.get(unitId) ?? [];
  }

  /** One entry a post. */
  postsOf(personId: number): UnitId[] {
    return this.units.get(personId) ?? [];
  }

  /** The people who hold a post of these ranks, each once, by their number. */
  holders(unitId: UnitId, rankFrom: number, rankTo: number): Person[] {
    const posts = (this.posts.get(unitId) ?? []).filter(({ rank }) => rank >= rankFrom && rank <= rankTo);
    const ids = [...new Set(posts.map((post) => post.personId))].sort((one, other) => one - other);
    return ids.map((personId) => this.byPerson.get(personId) as Person);
  }
}

function append<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}

export function worldOf(seed: number, changes: Partial<SimulatedWorldData> = {}): SimulatedWorld {
  const random = streamOf(seed * 7 + 3);
  const units = unitsOf(random);
  const level = random() < 0.6 ? 'red' : 'yellow';
  const speed = 2 + random() * 25;
  const lastsMs = Math.round((1.5 + random() ** 2 * 25) * MINUTE_MS);
  const people = peopleOf(random, units);
  const kind = random() < 0.85 ? 'exercise' : 'actual';
  const faulty = random() < 0.9;
  const data: SimulatedWorldData = {
    seed,
    startAt: START_AT + Math.floor(random() * 1_000),
    lastsMs,
    cancelAfterMs: random() < 0.4 ? Math.floor(random() ** 2 * lastsMs) : null,
    update: updateOf(seed, units, lastsMs),
    kind,
    miswired: random() < 0.04,
    level,
    rules: rulesOf(random, level, speed),
    units,
    ...people,
    households: householdsOf(random, units),
    areaIds: areasOf(random, units),
    workers: 1 + Math.floor(random() * 3),
    concurrency: 1 + Math.floor(random() * 8),
    messageTimeoutMs: 500 + Math.floor(random() * 3_500),
    sluggish: random() < 0.7 ? 0.05 : random(),
    pauseShare: random() < 0.95 ? 0.03 + random() * 0.17 : 1,
    slow: random() < 0.7 ? 0.02 : 0.25,
    temper: temperOf(random),
    faultsUntilMs: faulty ? Math.round(random() * 1.2 * lastsMs) : 0,
    hazard: random() ** 2 * 0.04,
    faultKinds: FAULT_KINDS.filter(() => random() < 0.45),
    leavesAfterSteps: random() < 0.3 ? 3 + Math.floor(random() * 30) : Infinity,
    sliceMost: random() < 0.6 ? 1 + Math.floor(random() * 6) : 1_000,
  };
  return new SimulatedWorld({ ...data, ...changes });
}

// ── the tree and its people ─────────────────────────────────────────────────────────────────────────────────

function unitsOf(random: () => number): Unit[] {
  const luck = random();
  const size =
    luck < 0.8
      ? 5 + Math.floor(random() * 8)
      : luck < 0.96
        ? 13 + Math.floor(random() * 13)
        : 26 + Math.floor(random() * 35);
  const officials = TIERS.filter((tier) => tier.role === 'official').map((tier) => tier.id);
  const units: Unit[] = [];
  const districts = 1 + Math.floor(random() * 3);
  const plant = (parent: Unit | null) => {
    const unitId = units.length + 1;
    const depth = parent ? parent.path.length : 0;
    const rootsCell = depth <= 1;
    units.push({
      unitId,
      name: `单位${unitId}`,
      tier: officials[depth] as string,
      parentId: parent?.unitId ?? null,
      path: [...(parent?.path ?? []), unitId],
      cellUnitId: rootsCell || !parent ? unitId : parent.cellUnitId,
    });
  };
  plant(null);
  for (let district = 0; district < districts; district += 1) plant(units[0] as Unit);
  while (units.length < size) {
    const above = units[1 + Math.floor(random() * (units.length - 1))] as Unit;
    if (above.path.length < officials.length) plant(above);
  }
  return units;
}

function peopleOf(random: () => number, units: Unit[]): { people: Person[]; posts: Post[] } {
  const people: Person[] = [];
  const posts: Post[] = [];
  const several = random() < 0.5 ? 0.15 : 0;
  const appoint = (unitId: UnitId, rank: number) => {
    const known = random() < several ? people[Math.floor(random() * people.length)] : undefined;
    const person = known ?? newPerson(random, people);
    posts.push({ unitId, personId: person.personId, rank });
  };
  for (const { unitId } of units) {
    if (random() < 0.96) appoint(unitId, 0);
    for (let deputy = 1; random() < 0.45 && deputy < 4; deputy += 1) appoint(unitId, deputy);
  }
  return { people, posts };
}

function newPerson(random: () => number, people: Person[]): Person {
  const personId = people.length + 1;
  const addresses: Person['addresses'] = {};
  if (random() < 0.95) addresses.sms = `+86100${String(personId).padStart(8, '0')}`;
  if (random() < 0.7) addresses.email = `p${personId}@people.example`;
  const person: Person = {
    personId,
    addresses,
    language: random() < 0.8 ? 'zh' : 'en',
    synthetic: random() < 0.7,
  };
  people.push(person);
  return person;
}

function householdsOf(random: () => number, units: Unit[]): Household[] {
  const groups = units.filter((unit) => unit.tier === 'group');
  const households: Household[] = [];
  for (const { unitId } of groups) {
    for (let nth = Math.floor(random() * 4); nth > 0; nth -= 1) {
      const householdId = households.length + 1;
      households.push({
        householdId,
        unitId,
        channel: random() < 0.9 ? 'sms' : 'email',
        address: `+86200${String(householdId).padStart(8, '0')}`,
        language: 'zh',
        synthetic: random() < 0.7,
      });
    }
  }
  return households;
}

function areasOf(random: () => number, units: Unit[]): UnitId[] {
  if (random() < 0.7) return [1];
  const some = shuffle(units.slice(1), random).slice(0, 1 + Math.floor(random() * 3));
  return some.map((unit) => unit.unitId).sort((one, other) => one - other);
}

/** By draws of its own: the worlds of known seeds stay as they were. */
function updateOf(seed: number, units: Unit[], lastsMs: number): SimulatedWorldData['update'] {
  const random = streamOf(seed * 11 + 5);
  if (random() >= 0.25) return null;
  const kept = shuffle(units, random).slice(0, 1 + Math.floor(random() * 2));
  return {
    afterMs: Math.floor(random() ** 2 * lastsMs),
    areaIds: kept.map((unit) => unit.unitId).sort((one, other) => one - other),
  };
}

function rulesOf(random: () => number, level: 'red' | 'yellow', speed: number): Rules {
  const rules = resolveRules(pack, level, speed);
  const everyone = random() < 0.3;
  return {
    ...rules,
    ladder: rules.ladder.map((rung) => ({
      ...rung,
      waitMs: rung.waitMs + Math.floor(random() * 997),
      ...(everyone && rung.who === 'principal' ? { who: 'everyone' as const, by: [...CHANNELS] } : {}),
    })),
    handOffMaxMs: Math.max(5_000, rules.handOffMaxMs) + Math.floor(random() * 997),
    households: { by: random() < 0.5 ? ['sms'] : [...CHANNELS] },
  };
}

function temperOf(random: () => number): Temper {
  const some = (share: number, most: number) => (random() < share ? random() * most : 0);
  return {
    silence: random(),
    cannotAct: some(0.6, 0.4),
    again: some(0.6, 0.5),
    badContacts: some(0.5, 0.4),
    later: some(0.4, 0.5),
    answerLost: some(0.4, 0.3),
    requestLost: some(0.4, 0.3),
    hang: some(0.3, 0.2),
    scanners: some(0.3, 0.5),
  };
}
