/** Rehearsals over small trees: what happens to people, dark places and providers shows in the units, and nowhere else. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { resolveRules, rulePackSchema } from '../rules.ts';
import { scenarioSchema, type Scenario } from '../scenario.ts';
import { assemble } from './assemble.ts';
import { channelBit, type Tree, type TreeUnit } from './tree.ts';
import { rehearse } from './rehearse.ts';
import { summarise, type WarningSummary } from './summary.ts';
import { setupOf, whatIf, WhatIfFault } from './what-if.ts';
import type { WarningRun } from './warning-run.ts';

const pack = rulePackSchema.parse(
  parse(readFileSync(new URL('../../scenarios/rules/default-unofficial.yaml', import.meta.url), 'utf8')),
);

/** One city, one district, two townships with two villages each, two groups a village; three people a unit. */
function smallTree(): Tree {
  const units: TreeUnit[] = [];
  const subordinates: number[][] = [];
  const add = (key: string, tier: string, superiorId: number | null): number => {
    const unitId = units.length;
    units.push({ unitId, key, name: key, tier, superiorId });
    subordinates.push([]);
    if (superiorId !== null) subordinates[superiorId]?.push(unitId);
    return unitId;
  };
  const district = add('D', 'district', add('C', 'city', null));
  for (const township of ['T1', 'T2']) {
    const above = add(township, 'township', district);
    for (const village of ['V1', 'V2']) {
      const middle = add(`${township}${village}`, 'village', above);
      for (const group of ['G1', 'G2']) add(`${township}${village}${group}`, 'group', middle);
    }
  }
  const people = units.length * 3;
  return {
    units,
    subordinates,
    posts: units.map(({ unitId }) => [0, 1, 2].map((rank) => unitId * 3 + rank)),
    personKeys: Uint32Array.from({ length: people }, (_, person) => person * 7_919),
    personChannels: new Uint8Array(people).fill(
      channelBit('sms') | channelBit('voice') | channelBit('email'),
    ),
    severalPosts: new Map(),
  };
}

const tree = smallTree();
const find = (place: string) => tree.units.findIndex(({ key }) => key === place);

/** Everybody answers everything after a minute, unless the test says otherwise. */
const READY = {
  neverAnswers: 0,
  cannotAct: 0,
  wrongNumbers: 0,
  notices: { sms: 100, voice: 100, email: 100 },
};

function scenarioOf(parts: object): Scenario {
  return scenarioSchema.parse({
    name: 'test',
    title: { zh: '试', en: 'test' },
    about: 'a test',
    startsAt: '2026-07-09T12:00:00+08:00',
    timeline: [
      { at: '+0m', warning: { name: 'one', hazard: '暴雨', level: 'red', where: ['D'], expires: '+3h' } },
    ],
    ...parts,
    people: [READY, ...((parts as { people?: object[] }).people ?? [])],
  });
}

function play(
  scenario: Scenario,
  changes = '',
  seed = 1,
): { runs: WarningRun[]; summaries: WarningSummary[] } {
  const setup = whatIf(setupOf(scenario), changes);
  const input = assemble(setup, tree, find, (level) => resolveRules(pack, level));
  const rehearsal = rehearse({ ...input, seed });
  let next = rehearsal.next();
  while (!next.done) next = rehearsal.next();
  const startAt = Date.parse(scenario.startsAt);
  return { runs: next.value, summaries: next.value.map((run) => summarise(run, tree, startAt)) };
}

function unit(runs: readonly WarningRun[], key: string, run = 0) {
  return runs[run]?.units[find(key)];
}

test('everybody is told and answers within minutes, and nobody is escalated', () => {
  const { summaries } = play(scenarioOf({ people: [{ delay: { median: 1, p90: 1.5 } }] }));
  for (const tier of summaries[0]?.tiers ?? [])
    expect(tier).toMatchObject({
      opened: tier.units,
      told: tier.units,
      silent: 0,
      escalated: 0,
      bridged: 0,
      answered: tier.units,
    });
  expect(summaries[0]?.messages.rung).toBe(tree.units.length);
});

test('the same seed gives the same run to the last field, another one another', () => {
  const scenario = scenarioOf({ people: [{ neverAnswers: 30, notices: { sms: 50 } }] });
  expect(play(scenario).summaries).toEqual(play(scenario).summaries);
  expect(play(scenario).runs.map(({ units }) => units)).toEqual(
    play(scenario).runs.map(({ units }) => units),
  );
  expect(play(scenario, '', 2).summaries).not.toEqual(play(scenario).summaries);
});

test('a silent township is bridged, and its villages report past it', () => {
  const { runs } = play(scenarioOf({}), 'silent=T1:100');
  // The place is the township with all below it; its villages answer again by a later entry.
  expect(unit(runs, 'T1')).toMatchObject({ status: 'open', rung: 4, answeredAt: null });
  expect(unit(runs, 'T1')?.bridgedAt).not.toBeNull();
  const alone = play(
    scenarioOf({
      people: [
        { where: ['T1'], neverAnswers: 100 },
        { tiers: ['village', 'group'], neverAnswers: 0 },
      ],
    }),
  );
  expect(unit(alone.runs, 'T1V1')).toMatchObject({ status: 'answered', reportsTo: find('D') });
  expect(unit(alone.runs, 'T2V1')).toMatchObject({ status: 'answered', reportsTo: null });
});

test('who cannot act is not asked again: the next rung follows at once, as in a run', () => {
  const { runs } = play(scenarioOf({ people: [{ cannotAct: 100, delay: { median: 1, p90: 1.1 } }] }));
  const { cannotActAt, bridgedAt } = unit(runs, 'T1V1') ?? {};
  // The principal's second rung falls away; deputies say the same two minutes later, and then those below are bridged.
  expect((bridgedAt ?? Infinity) - (cannotActAt ?? 0)).toBeLessThan(4 * 60_000);
});

test('in the dark nobody answers; when it ends the stored messages are read', () => {
  const { runs } = play(scenarioOf({ failures: { dark: [{ where: ['T1'], to: '+1h' }] } }));
  const startAt = Date.parse('2026-07-09T12:00:00+08:00');
  const [dark, lit] = [unit(runs, 'T1V1G1'), unit(runs, 'T2V1G1')];
  expect(lit?.answeredAt).toBeLessThan(startAt + 20 * 60_000);
  expect(dark?.answeredAt).toBeGreaterThanOrEqual(startAt + 60 * 60_000);
  expect(dark?.silentAt).toBeLessThan(startAt + 20 * 60_000);
});

test('a provider that takes nothing costs the first rung, and the retries are those of the rule pack', () => {
  const { summaries, runs } = play(scenarioOf({}), 'down=sms');
  expect(
    summaries[0]?.tiers.every(({ units, answered, escalated }) => answered === units && escalated === units),
  ).toBe(true);
  // Three retries within the minutes of the pack, then the next rung at once: 0.5 + 1 + 5 minutes, but hand-off ends it after 5.
  const startAt = Date.parse('2026-07-09T12:00:00+08:00');
  expect(unit(runs, 'T1V1')?.toldAt).toBeGreaterThan(startAt + 5 * 60_000);
  expect(unit(runs, 'T1V1')?.toldAt).toBeLessThan(startAt + 6 * 60_000);
  const there = play(scenarioOf({}), 'down=sms@T1');
  expect(unit(there.runs, 'T2V1')?.rung).toBe(0);
  expect(unit(there.runs, 'T1V1')?.rung).toBe(1);
});

test('after a cancel nothing is sent, and the end reaches all who were told', () => {
  const timeline = [
    { at: '+0m', warning: { name: 'one', hazard: '暴雨', level: 'red', where: ['D'], expires: '+3h' } },
    { at: '+6m', cancel: { of: 'one' } },
  ];
  const { summaries, runs } = play(scenarioOf({ timeline, people: [{ neverAnswers: 100 }] }));
  expect(summaries[0]).toMatchObject({ end: 'cancelled', afterEnd: 0 });
  expect(unit(runs, 'T1')).toMatchObject({ ended: 'cancelled' });
  const told = summaries[0]?.correction?.messages ?? 0;
  // Each unit's principal by SMS, call and e-mail by then.
  expect(told).toBe(tree.units.length * 3);
});

test('what waits for its turn at the sender when a cancel comes is dropped', () => {
  const timeline = [
    { at: '+0m', warning: { name: 'one', hazard: '暴雨', level: 'red', where: ['D'], expires: '+3h' } },
    { at: '+1m', cancel: { of: 'one' } },
  ];
  const { summaries } = play(scenarioOf({ timeline }), 'rate=sms:0.1');
  expect(summaries[0]).toMatchObject({ afterEnd: 0 });
  expect(summaries[0]?.messages.rung).toBeLessThan(8);
  expect(summaries[0]?.dropped).toBeGreaterThan(8);
});

test('an update of the same order keeps the answers; a new text asks again', () => {
  const timeline = (update: object) => [
    { at: '+0m', warning: { name: 'one', hazard: '暴雨', level: 'red', where: ['D'], expires: '+3h' } },
    { at: '+30m', update: { of: 'one', name: 'two', ...update } },
  ];
  const kept = play(scenarioOf({ timeline: timeline({ expires: '+5h' }) }));
  expect(unit(kept.runs, 'T1V1', 1)).toMatchObject({ status: 'answered', toldAt: null, rung: -1 });
  expect(kept.summaries[1]?.messages['change notice']).toBeGreaterThan(0);
  const anew = play(scenarioOf({ timeline: timeline({ textZh: '立即转移', textEn: 'Move now' }) }));
  expect(unit(anew.runs, 'T1V1', 1)).toMatchObject({ status: 'answered', rung: 0 });
  expect(unit(anew.runs, 'T1V1', 0)).toMatchObject({ ended: 'superseded' });
});

test('in quiet hours a yellow wakes nobody twice', () => {
  const timeline = [
    { at: '+0m', warning: { name: 'one', hazard: '暴雨', level: 'yellow', where: ['D'], expires: '+6h' } },
  ];
  const silent = { people: [{ neverAnswers: 100 }], timeline };
  const night = play(scenarioOf({ ...silent, startsAt: '2026-07-09T23:00:00+08:00' }));
  const day = play(scenarioOf({ ...silent, startsAt: '2026-07-09T12:00:00+08:00' }));
  expect(night.summaries[0]?.tiers.every(({ escalated }) => escalated === 0)).toBe(true);
  expect(day.summaries[0]?.tiers.every(({ units, escalated }) => escalated === units)).toBe(true);
});

test('red is not held up by the rate alone: a slow gateway shows in when units are told', () => {
  const { summaries } = play(scenarioOf({}), 'rate=sms:1');
  const [city] = summaries[0]?.tiers ?? [];
  expect(city?.over[0]?.told).toBe(1);
  const groups = summaries[0]?.tiers.find(({ tier }) => tier === 'group');
  expect(groups?.told).toBe(8);
});

test('a person of two posts gets one message and answers for both', () => {
  const shared: Tree = {
    ...tree,
    posts: tree.posts.map((posts, unitId) =>
      unitId === find('T1V2') ? (tree.posts[find('T1V1')] ?? []) : posts,
    ),
    severalPosts: new Map(
      (tree.posts[find('T1V1')] ?? []).map((person) => [person, [find('T1V1'), find('T1V2')]]),
    ),
  };
  const setup = setupOf(scenarioOf({ people: [{ delay: { median: 1, p90: 1.5 } }] }));
  const rehearsal = rehearse({
    ...assemble(setup, shared, find, (level) => resolveRules(pack, level)),
    seed: 1,
  });
  let next = rehearsal.next();
  while (!next.done) next = rehearsal.next();
  const [run] = next.value;
  expect(run?.units[find('T1V1')]?.answeredAt).toBe(run?.units[find('T1V2')]?.answeredAt);
  expect(run?.counts.messages.rung).toBe(tree.units.length - 1);
});

test.each([
  'dark',
  'dark=',
  'down=pigeon',
  'down=sms@+1h',
  'deputies=1',
  'deputies=mayor+1',
  'silent=village',
  'silent=village:120',
  'slower=0',
  'level=purple',
  'wait=tell:soon',
  'by=tell:smoke',
  'rate=sms:0',
  'end=+5m',
  'earlier=+5m',
  'nonsense=1',
])('%s is no what-if', (text) => {
  expect(() => whatIf(setupOf(scenarioOf({})), text)).toThrow(WhatIfFault);
});

test('what-ifs change what they name', () => {
  const setup = whatIf(
    setupOf(scenarioOf({})),
    'dark=T1@+10m..+1h; down=voice@T2@+0m..+5m; deputies=village+1; slower=2; level=orange; wait=tell:3m; by=2:sms; rate=sms:9',
  );
  expect(setup.scenario.failures).toEqual({
    dark: [{ where: ['T1'], from: '+10m', to: '+1h' }],
    outages: [{ channel: 'voice', where: ['T2'], from: '+0m', to: '+5m' }],
  });
  expect(setup.deputiesByTier).toEqual({ village: 3 });
  expect(setup.scenario.timeline[0]?.warning?.level).toBe('orange');
  expect(setup.scenario.senders.sms?.perSecond).toBe(9);
  const { ladder } = setup.adjustRules(resolveRules(pack, 'red'));
  expect(ladder.slice(0, 2)).toMatchObject([{ waitMs: 180_000 }, { by: ['sms'] }]);
});
