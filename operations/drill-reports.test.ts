/** What a rehearsal's people do is drawn from a scenario; what is observed of them gives the scenario back. No database is there. */
import { expect, test } from 'vitest';
import { observedBehaviour } from '../domain/drill-behaviour.ts';
import { DrillPeople } from '../domain/drill-people.ts';
import { TIERS } from '../domain/tiers.ts';
import { readRegister } from './rehearsal-tree.ts';
import { playOnce, setStage } from './rehearsals.ts';
import { readRulePack } from './rule-packs.ts';
import { readScenario } from './scenario-files.ts';

/** So far may an estimate from 8,000 people lie beside what they were drawn from. */
const PERCENT_OFF_MOST = 3;
const MINUTES_OFF_MOST = 0.7;

test('behaviour that was observed is that which was drawn from', async () => {
  const register = await readRegister();
  const scenario = await readScenario('zhengzhou-2021', register);
  scenario.timeline = scenario.timeline.slice(0, 1);
  scenario.failures = { dark: [], outages: [] };
  scenario.expect = [];
  const stage = await setStage({ scenario, register, pack: await readRulePack() });
  const people = new DrillPeople();
  const [run] = await playOnce(stage, { seed: 1, witness: (_, event) => people.hear(event) });
  const until = run?.warning.endsAt ?? 0;
  const [all] = observedBehaviour(
    people.all.map((person) => ({ ...person, until })),
    ({ unitId }) => stage.tree.units[unitId]?.tier ?? '',
    TIERS.map(({ id }) => id),
    run?.warning.rules.done?.tiers ?? [],
  );
  const [drawn] = scenario.people;
  const near = (was: number | undefined, is: number | undefined) =>
    Math.abs((was ?? Infinity) - (is ?? 0)) <= PERCENT_OFF_MOST;
  expect(all?.told).toBeGreaterThan(8_000);
  expect([all?.behaviour.neverAnswers, near(all?.behaviour.neverAnswers, drawn?.neverAnswers)]).toContain(
    true,
  );
  for (const channel of ['sms', 'voice', 'email'] as const) {
    const [is, was] = [all?.behaviour.notices?.[channel], drawn?.notices?.[channel]];
    expect([channel, is, near(is, was)]).toContain(true);
  }
  const curve = all?.behaviour.delayBy?.sms;
  if (typeof curve !== 'object') throw new Error('no curve of texts');
  // `slow`: half within 5 minutes, nine of ten within 15.
  expect(Math.abs(curve.median - 5)).toBeLessThan(MINUTES_OFF_MOST);
  expect(Math.abs(curve.p90 - 15)).toBeLessThan(2 * MINUTES_OFF_MOST);
});
