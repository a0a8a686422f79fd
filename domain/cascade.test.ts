/** One turn of a cell: waves of letters, the limit, letters for other cells, dead letters. */
import { expect, test } from 'vitest';
import {
  earliestDeadline,
  turnCell,
  type Letter,
  type Need,
  type Supply,
  type TurnResult,
} from './cascade.ts';
import type { Outage } from './outages.ts';
import type { Rules } from './rules.ts';
import { advance, newUnit, type UnitId, type UnitState } from './unit.ts';

const T0 = 1_000_000_000;
const RULES: Rules = {
  pack: { id: 'example', version: 1 },
  level: 'red',
  ladder: [
    { name: 'tell', who: 'principal', by: ['sms'], waitMs: 60_000, tellSuperior: false, bridge: false },
  ],
  descendWaitMs: {},
  handOffMaxMs: 30_000,
  digest: { windowMs: 60_000, urgentWindowMs: 30_000, regular: 2, by: ['sms'] },
  endReport: { tiers: [], afterMs: 60_000, by: ['sms'] },
  households: { by: ['sms'] },
  retry: { laterMs: [1_000], unknownMs: 1_000, attemptsMost: 2 },
};

/** City 1 with districts 2 and 3; township 4 below district 2. District 3 belongs to another cell. */
const SUPERIORS = new Map<UnitId, UnitId | null>([
  [1, null],
  [2, 1],
  [3, 1],
  [4, 2],
]);
const ELSEWHERE = 3;

function below(unitId: UnitId): UnitId[] {
  return [...SUPERIORS].flatMap(([id, superiorId]) => (superiorId === unitId ? [id] : []));
}

function stateOf(unitId: UnitId): UnitState {
  const superiorId = SUPERIORS.get(unitId) ?? null;
  return newUnit({ unitId, tier: 'any', superiorId, subordinates: below(unitId).length });
}

type Options = {
  most?: number;
  machine?: typeof advance;
  states?: Map<UnitId, UnitState>;
  due?: UnitId[];
  outages?: Outage[];
};

function turn(letters: Letter[], options: Options = {}): TurnResult & { needs: Need['kind'][] } {
  const { most = 1_000, machine, states = new Map<UnitId, UnitState>(), due = [], outages = [] } = options;
  const needs: Need['kind'][] = [];
  const supply = (need: Need): Supply => {
    needs.push(need.kind);
    if (need.kind === 'due') return { kind: 'due', unitIds: due, outages };
    if (need.kind === 'recipients') return { kind: 'recipients', deliveries: need.sends.map(() => 1) };
    if (need.kind === 'subordinates') {
      return {
        kind: 'subordinates',
        subordinates: new Map(need.unitIds.map((unitId) => [unitId, below(unitId)])),
      };
    }
    const here = need.unitIds.filter((unitId) => unitId !== ELSEWHERE);
    return { kind: 'units', units: here.map((unitId) => states.get(unitId) ?? stateOf(unitId)) };
  };
  const cell = turnCell(letters, { rules: RULES, now: T0, most, machine });
  let next = cell.next();
  while (!next.done) next = cell.next(supply(next.value));
  return { ...next.value, needs };
}

const OPEN: Letter = { unitId: 1, message: { kind: 'opened' } };

test('one letter to the root opens the whole cell in one turn; what is for another cell comes out', () => {
  const { changed, letters } = turn([OPEN]);
  expect(changed.map(({ unitId, status }) => `${unitId} ${status}`)).toEqual(['1 open', '2 open', '4 open']);
  expect(letters).toEqual([{ unitId: ELSEWHERE, message: { kind: 'opened' } }]);
});

test('what is past the limit comes out, and nothing is lost', () => {
  const states = new Map<UnitId, UnitState>();
  let letters: Letter[] = [OPEN];
  for (let turns = 0; turns < 20; turns += 1) {
    const result = turn(letters, { most: 1, states });
    expect(result.taken.length).toBeLessThanOrEqual(1);
    for (const unit of result.changed) states.set(unit.unitId, unit);
    letters = result.letters.filter(({ unitId }) => unitId !== ELSEWHERE);
  }
  expect(
    [...states.values()].map(({ unitId, status, outstanding }) => [unitId, status, outstanding]),
  ).toEqual([
    [1, 'open', 1],
    [2, 'open', 1],
    [4, 'open', 1],
  ]);
});

test('no deadline is looked for while letters are left', () => {
  expect(turn([OPEN], { most: 1 }).needs).not.toContain('due');
  expect(turn([OPEN]).needs).toContain('due');
});

test('a deadline fires after the letters of the same turn', () => {
  const told = { ...stateOf(4), status: 'open' as const, openedAt: T0 - 60_000, rung: 0, descended: true };
  const late = { ...told, timers: { ...told.timers, answerBy: T0 } };
  const answer: Letter = { unitId: 4, message: { kind: 'answered', at: T0, answer: 'received' } };
  const states = new Map([[4, late]]);
  expect(turn([], { states, due: [4] }).changed[0]).toMatchObject({ rung: 1, silentAt: T0 });
  expect(turn([answer], { states, due: [4] }).changed[0]).toMatchObject({
    status: 'answered',
    rung: 0,
    silentAt: null,
  });
});

test('of two words of one unit the one spoken first is taken first', () => {
  const word = (at: number): Letter => ({ unitId: 4, message: { kind: 'cannot act', at } });
  expect(
    turn([word(T0 - 1), word(T0 - 2)])
      .taken.slice(0, 2)
      .map(({ message }) => message),
  ).toEqual([
    { kind: 'cannot act', at: T0 - 2 },
    { kind: 'cannot act', at: T0 - 1 },
  ]);
});

test.each([
  ['its superior', [], 2],
  ['who stands behind a bridge', [1], 1],
])('a letter on which the machine fails is kept, and %s hears of the unit', (_who, bridgedTo, expected) => {
  const machine: typeof advance = (unit, message, rules, now) => {
    if (unit.unitId === 4) throw new Error('a defect');
    return advance(unit, message, rules, now);
  };
  const states = new Map([[4, { ...stateOf(4), bridgedTo, reportsTo: bridgedTo[0] ?? null }]]);
  const letter: Letter = { unitId: 4, message: { kind: 'opened' } };
  const { dead, changed } = turn([letter], { machine, states });
  expect(dead).toEqual([{ letter, reason: 'a defect' }]);
  expect(changed).toMatchObject([{ unitId: expected, silentBelow: 1 }]);
});

test('the earliest deadline of some units is null where no timer stands', () => {
  const timers = (answerBy: number | null) => ({ ...stateOf(4), timers: { ...stateOf(4).timers, answerBy } });
  expect(earliestDeadline([timers(null)])).toBeNull();
  expect(earliestDeadline([timers(null), timers(T0 + 2), timers(T0 + 1)])).toBe(T0 + 1);
});
