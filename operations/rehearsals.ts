/** Rehearsals as a planner asks for them: a scenario, seeds, what-ifs; nothing is started, nothing is sent, no database is needed. */
import { setImmediate } from 'node:timers/promises';
import { FenghuoError } from '../domain/errors.ts';
import { assemble } from '../domain/rehearsal/assemble.ts';
import { judgeExpectations, type Verdict } from '../domain/rehearsal/expectations.ts';
import { rehearse, type RehearsalInput } from '../domain/rehearsal/rehearse.ts';
import type { Register } from '../domain/rehearsal/register.ts';
import { summarise, type WarningSummary } from '../domain/rehearsal/summary.ts';
import type { Tree } from '../domain/rehearsal/tree.ts';
import type { WarningRun } from '../domain/rehearsal/warning-run.ts';
import { deputiesOf, setupOf, WhatIfFault, whatIf, type Setup } from '../domain/rehearsal/what-if.ts';
import { resolveRules, type RulePack } from '../domain/rules.ts';
import { placesOf } from '../domain/scenario-check.ts';
import type { Scenario } from '../domain/scenario.ts';
import type { UnitId } from '../domain/unit.ts';
import { growTree } from './rehearsal-tree.ts';
import { unknownPlaces } from './scenario-files.ts';

/** One rehearsal, by one seed. */
export type Rehearsed = { seed: number; warnings: WarningSummary[]; verdicts: Verdict[] };

/** What a rehearsal is made ready from once, for any number of seeds. */
export type Stage = {
  scenario: Scenario;
  tree: Tree;
  find: (place: string) => UnitId;
  input: Omit<RehearsalInput, 'seed'>;
};

/** The other threads of the process get their turn so often: a progress line, an interrupt. */
const BREATH_MS = 50;

/** Grows the tree below and above places of the register; `unitOf` gives the unit of a place. */
export type Grow = (
  areas: readonly number[],
  setup: Setup,
) => Promise<{ tree: Tree; unitOf: ReadonlyMap<number, UnitId> }>;

/** What a stage is built from; `grow` left out: people are made up for the units of the register. */
export type StageInput = {
  scenario: Scenario;
  register: Register;
  pack: RulePack;
  whatIfs?: readonly string[];
  grow?: Grow;
};

/** Builds the stage. Throws a FenghuoError where a what-if cannot be read or names a place that is not there. */
export async function setStage(input: StageInput): Promise<Stage> {
  const { register, pack } = input;
  const setup = changeSetup(input);
  const { scenario } = setup;
  const placeOf = (place: string): number => {
    const found = register.find(place);
    return 'place' in found ? found.place : -1;
  };
  const areas = placesOf({ ...scenario, people: [], failures: { dark: [], outages: [] }, expect: [] });
  const grow = input.grow ?? growing(register);
  const { tree, unitOf } = await grow(
    areas.map(({ place }) => placeOf(place)),
    setup,
  );
  // What stands outside of all warnings is nobody's: no unit has this number.
  const find = (place: string): UnitId => unitOf.get(placeOf(place)) ?? -1;
  const assembled = assemble(setup, tree, find, (level) => resolveRules(pack, level));
  return { scenario, tree, find, input: assembled };
}

function growing(register: Register): Grow {
  return async (areas, setup) => {
    const { population } = setup.scenario;
    return growTree(register, areas, {
      population,
      deputiesOf: (tier) => deputiesOf(setup, population, tier),
    });
  };
}

/**
 * The scenario with its what-ifs. Throws a FenghuoError where one cannot be read or names a place that is not there; cheap, so that
 * it can be asked before anything is played.
 */
export function changeSetup(input: Omit<StageInput, 'pack'>): Setup {
  const setup = (input.whatIfs ?? []).reduce(changed, setupOf(input.scenario));
  if (input.grow && Object.keys(setup.deputiesByTier).length > 0)
    throw whatIfRefused(input.whatIfs?.join('; ') ?? '', [
      'people of the database are as they are: `deputies` needs people that are made up (--tree csv)',
    ]);
  const unknown = unknownPlaces(setup.scenario, input.register);
  if (unknown.length === 0) return setup;
  throw whatIfRefused(
    input.whatIfs?.join('; ') ?? '',
    unknown.map(({ sentence }) => sentence),
  );
}

function changed(setup: Setup, text: string): Setup {
  try {
    return whatIf(setup, text);
  } catch (error) {
    throw error instanceof WhatIfFault ? whatIfRefused(text, error.expected.split('; ')) : error;
  }
}

function whatIfRefused(text: string, details: string[]): FenghuoError {
  return new FenghuoError({
    code: 'what-if',
    refusal: 'usage',
    sentence: `"${text}" is no change of a rehearsal:`,
    details,
  });
}

/** Plays one seed; `breathe` is called now and then with what has happened so far. */
export async function rehearseOnce(
  stage: Stage,
  seed: number,
  breathe: (virtualMinutes: number) => void = () => undefined,
): Promise<Rehearsed> {
  const startAt = Date.parse(stage.scenario.startsAt);
  const runs = await playOnce(stage, { seed, breathe });
  return {
    seed,
    warnings: runs.map((run) => summarise(run, stage.tree, startAt)),
    verdicts: judgeExpectations(stage.scenario.expect, runs, stage.tree, stage.find),
  };
}

/** The same, and gives the warnings as they ran; `witness` hears of every message that asks for an answer. */
export async function playOnce(
  stage: Stage,
  input: {
    seed: number;
    breathe?: (virtualMinutes: number) => void;
    witness?: NonNullable<RehearsalInput['witness']>;
    unitWitness?: NonNullable<RehearsalInput['unitWitness']>;
  },
): Promise<WarningRun[]> {
  const { seed, witness, unitWitness, breathe = () => undefined } = input;
  const startAt = Date.parse(stage.scenario.startsAt);
  const rehearsal = rehearse({
    ...{ ...stage.input, seed },
    ...(witness && { witness }),
    ...(unitWitness && { unitWitness }),
  });
  let breathedAt = Date.now();
  let next = rehearsal.next();
  while (!next.done) {
    if (Date.now() - breathedAt > BREATH_MS) {
      breathe((next.value.now - startAt) / 60_000);
      await setImmediate();
      breathedAt = Date.now();
    }
    next = rehearsal.next();
  }
  return next.value;
}

/** Plays seeds one after the other. */
export async function rehearseSeeds(
  stage: Stage,
  seeds: readonly number[],
  breathe: (done: number) => void = () => undefined,
): Promise<Rehearsed[]> {
  const rehearsed: Rehearsed[] = [];
  for (const seed of seeds) {
    rehearsed.push(await rehearseOnce(stage, seed, () => breathe(rehearsed.length)));
    breathe(rehearsed.length);
    await setImmediate();
  }
  return rehearsed;
}
