/**
 * Whether two plays of one story went alike: a rehearsal and a run of the same seed. Latencies of the real stack move instants a little,
 * and an answer that comes within them of a deadline may fall on its other side; whatever else differs is a fault. Pure.
 */
import type { Instant } from '../time.ts';
import type { UnitId, UnitState } from '../unit.ts';

/** What one unit went through in one warning. Instants in milliseconds of the story, from the warning's issue. */
export type UnitStory = {
  status: UnitState['status'];
  openedAt: Instant | null;
  toldAt: Instant | null;
  answeredAt: Instant | null;
  cannotActAt: Instant | null;
  silentAt: Instant | null;
  bridgedAt: Instant | null;
  doneAt: Instant | null;
  overdueAt: Instant | null;
  /** Each rung from the second on, and when it was taken. */
  rungs: { rung: number; at: Instant }[];
  reportsTo: UnitId | null;
  /** Who said that they have it, or that they cannot act, in the order of time. */
  heard: { who: string; at: Instant }[];
};

/** A unit and whom it may drag along: those above and below it, and those it shares people with. */
export type StoryUnit = { unitId: UnitId; neighbours: readonly UnitId[] };

/** Something that differs, in words of any language such as `300 s`; null where it never was, or there is no such unit. */
export type DifferingField = {
  field: InstantField | 'status' | 'reportsTo' | 'heard' | 'rungs' | 'unit';
  rehearsed: string | null;
  played: string | null;
};

export type Difference = {
  unitId: UnitId;
  what: DifferingField[];
  /**
   * `near a deadline`: an answer and a deadline lie within the tolerance of each other. `later`: the same way, by latencies that have
   * added up from rung to rung, each within the tolerance. `follows`: a neighbour's difference lies near a deadline, or follows from one.
   * `unexplained` should not be.
   */
  cause: 'near a deadline' | 'later' | 'follows' | 'unexplained';
};

export type Agreement = {
  units: number;
  differing: Difference[];
  /** The largest differences of instants that count as the same, in milliseconds of the story, by field. */
  latest: Partial<Record<InstantField, number>>;
};

const INSTANTS = [
  'openedAt',
  'toldAt',
  'answeredAt',
  'cannotActAt',
  'silentAt',
  'bridgedAt',
  'doneAt',
  'overdueAt',
] as const satisfies readonly (keyof UnitStory)[];
type InstantField = (typeof INSTANTS)[number];

/** Compares unit by unit; `tolerance` in milliseconds of the story. A unit that one of them has nothing of differs. */
export function agreementOf(
  units: readonly StoryUnit[],
  rehearsed: ReadonlyMap<UnitId, UnitStory>,
  played: ReadonlyMap<UnitId, UnitStory>,
  tolerance: number,
): Agreement {
  const latest: Agreement['latest'] = {};
  const differing = new Map<UnitId, DifferingField[]>();
  const near = new Set<UnitId>();
  const later = new Set<UnitId>();
  for (const { unitId } of units) {
    const [one, other] = [rehearsed.get(unitId), played.get(unitId)];
    if (!one && !other) continue;
    const what = one && other ? differencesOf(one, other, tolerance, latest) : [onlyIn(one, other)];
    if (what.length === 0) continue;
    differing.set(unitId, what);
    if ([one, other].some((story) => story && isNearDeadline(story, [one, other], tolerance)))
      near.add(unitId);
    else if (one && other && isLater(one, other, tolerance)) later.add(unitId);
  }
  const following = dragged(units, near, differing);
  const causeOf = (unitId: UnitId): Difference['cause'] => {
    if (near.has(unitId)) return 'near a deadline';
    if (later.has(unitId)) return 'later';
    return following.has(unitId) ? 'follows' : 'unexplained';
  };
  return {
    units: units.length,
    latest,
    differing: [...differing].map(([unitId, what]) => ({ unitId, what, cause: causeOf(unitId) })),
  };
}

function differencesOf(
  one: UnitStory,
  other: UnitStory,
  tolerance: number,
  latest: Agreement['latest'],
): DifferingField[] {
  const what: DifferingField[] = [];
  const differs = (field: DifferingField['field'], of: (story: UnitStory) => string | null) =>
    what.push({ field, rehearsed: of(one), played: of(other) });
  for (const field of INSTANTS) {
    const [left, right] = [one[field], other[field]];
    const apart = left === null || right === null ? null : Math.abs(left - right);
    if (left === null && right === null) continue;
    if (apart === null || apart > tolerance) differs(field, (story) => seconds(story[field]));
    else latest[field] = Math.max(latest[field] ?? 0, apart);
  }
  if (one.status !== other.status) differs('status', ({ status }) => status);
  if (one.reportsTo !== other.reportsTo) differs('reportsTo', ({ reportsTo }) => textOf(reportsTo));
  if (!isHeardAlike(one, other, tolerance)) differs('heard', firstOf);
  const same =
    one.rungs.length === other.rungs.length &&
    one.rungs.every(({ rung, at }, place) => {
      const taken = other.rungs[place];
      return taken?.rung === rung && Math.abs(taken.at - at) <= tolerance;
    });
  if (!same) differs('rungs', rungsOf);
  return what;
}

function onlyIn(one: UnitStory | undefined, other: UnitStory | undefined): DifferingField {
  return { field: 'unit', rehearsed: one?.status ?? null, played: other?.status ?? null };
}

/** The same person was heard first, or two whose words lie within the tolerance of each other. */
function isHeardAlike(one: UnitStory, other: UnitStory, tolerance: number): boolean {
  const [left, right] = [one.heard[0], other.heard[0]];
  if (left?.who === right?.who) return true;
  if (!left || !right) return false;
  const soonAfter = ({ heard }: UnitStory, first: Instant, who: string) =>
    heard.some((word) => word.who === who && word.at - first <= tolerance);
  return soonAfter(one, left.at, right.who) || soonAfter(other, right.at, left.who);
}

/** An answer of either lies within the tolerance of a moment at which a deadline passed in this one. */
function isNearDeadline(
  { silentAt, rungs }: UnitStory,
  both: readonly (UnitStory | undefined)[],
  tolerance: number,
): boolean {
  const deadlines = [...rungs.map(({ at }) => at), ...(silentAt === null ? [] : [silentAt])];
  const answers = both.flatMap((story) => [story?.answeredAt ?? null, story?.cannotActAt ?? null]);
  return answers.some(
    (answer) => answer !== null && deadlines.some((deadline) => Math.abs(answer - deadline) <= tolerance),
  );
}

/** Nothing but instants differs, and those only by what each rung before may have cost. */
function isLater(one: UnitStory, other: UnitStory, tolerance: number): boolean {
  const instants = (story: UnitStory) => [
    ...INSTANTS.map((field) => story[field]),
    ...story.rungs.map(({ at }) => at),
  ];
  const within = (left: Instant | null, right: Instant | null) => {
    if (left === null || right === null) return left === right;
    const rungsBefore = one.rungs.filter(({ at }) => at < left).length;
    return right - left >= -tolerance && right - left <= tolerance * (1 + rungsBefore);
  };
  const rights = instants(other);
  return (
    one.status === other.status &&
    one.reportsTo === other.reportsTo &&
    isHeardAlike(one, other, tolerance) &&
    one.rungs.map(({ rung }) => rung).join() === other.rungs.map(({ rung }) => rung).join() &&
    instants(one).every((left, place) => within(left, rights[place] ?? null))
  );
}

/** Those that differ and are reached from a unit near a deadline by way of others that differ. */
function dragged(
  units: readonly StoryUnit[],
  near: ReadonlySet<UnitId>,
  differing: ReadonlyMap<UnitId, unknown>,
): Set<UnitId> {
  const neighbours = new Map(units.map((unit) => [unit.unitId, unit.neighbours]));
  const reached = new Set(near);
  const open = [...near];
  for (let unitId = open.pop(); unitId !== undefined; unitId = open.pop()) {
    for (const other of neighbours.get(unitId) ?? []) {
      if (reached.has(other) || !differing.has(other)) continue;
      reached.add(other);
      open.push(other);
    }
  }
  return reached;
}

function seconds(instant: Instant | null): string | null {
  return instant === null ? null : `${Math.round(instant / 100) / 10} s`;
}

function textOf(unitId: UnitId | null): string | null {
  return unitId === null ? null : String(unitId);
}

function firstOf({ heard: [first] }: UnitStory): string | null {
  return first ? `${first.who} ${seconds(first.at)}` : null;
}

function rungsOf({ rungs }: UnitStory): string | null {
  return rungs.length === 0 ? null : rungs.map(({ rung, at }) => `${rung}: ${seconds(at)}`).join(', ');
}
