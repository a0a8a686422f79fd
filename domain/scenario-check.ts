/** What a scenario's schema cannot say: references, times and expectations that contradict each other. Pure; every problem. */
import { findHazard } from './hazards.ts';
import { spanMs, type Expectation, type Scenario } from './scenario.ts';
import { denialIn } from './texts.ts';
import { storyOf, type StoryFault, type StoryWarning } from './scenario-story.ts';

/** A problem by its place in the file: keys and numbers from the top. */
export type ScenarioProblem = StoryFault;

/** Every problem of a scenario that is right by its schema; empty for a good one. */
export function checkScenario(scenario: Scenario): ScenarioProblem[] {
  const { warnings, faults } = storyOf(scenario);
  return [
    ...faults,
    ...hazardProblems(scenario),
    ...denials(scenario),
    ...curveProblems(scenario),
    ...intervalProblems(scenario),
    ...scenario.expect.flatMap((expectation, place) => expectationProblems(expectation, place, warnings)),
    ...contradictions(scenario.expect),
  ];
}

/** Every place that a scenario names, with where it stands in the file. */
export function placesOf(scenario: Scenario): { path: (string | number)[]; place: string }[] {
  const listed = (where: readonly string[] | undefined, ...path: (string | number)[]) =>
    (where ?? []).map((place, index) => ({ path: [...path, index], place }));
  return [
    ...scenario.timeline.flatMap(({ warning, update }, index) => [
      ...listed(warning?.where, 'timeline', index, 'warning', 'where'),
      ...listed(update?.where, 'timeline', index, 'update', 'where'),
    ]),
    ...scenario.people.flatMap(({ where }, index) => listed(where, 'people', index, 'where')),
    ...scenario.failures.dark.flatMap(({ where }, index) =>
      listed(where, 'failures', 'dark', index, 'where'),
    ),
    ...scenario.failures.outages.flatMap(({ where }, index) =>
      listed(where, 'failures', 'outages', index, 'where'),
    ),
    ...scenario.expect.flatMap((expectation, index) =>
      (['answered', 'told', 'done', 'silent', 'bridged', 'notBridged'] as const).flatMap((kind) => {
        const place = expectation[kind]?.where;
        return place === undefined ? [] : [{ path: ['expect', index, kind, 'where'], place }];
      }),
    ),
  ];
}

function hazardProblems({ timeline }: Scenario): ScenarioProblem[] {
  return timeline.flatMap(({ warning, update }, index) => {
    const kind = warning ? 'warning' : 'update';
    const word = (warning ?? update)?.hazard;
    const level = (warning ?? update)?.level;
    if (word === undefined) return [];
    const hazard = findHazard(word);
    const path = ['timeline', index, kind, 'hazard'];
    if (!hazard) return [{ path, sentence: `"${word}" is not a hazard that is known here` }];
    if (level === undefined || hazard.levels.includes(level)) return [];
    return [{ path: ['timeline', index, kind, 'level'], sentence: `${hazard.zh} has no ${level} warnings` }];
  });
}

function denials({ timeline }: Scenario): ScenarioProblem[] {
  return timeline.flatMap((event, index) =>
    (['warning', 'update', 'cancel', 'retract'] as const).flatMap((kind) =>
      (['textZh', 'textEn'] as const).flatMap((key) => {
        const text = (event[kind] as { textZh?: string; textEn?: string } | undefined)?.[key];
        const denial = denialIn(text ?? '');
        const path = ['timeline', index, kind, key];
        return denial === null ? [] : [{ path, sentence: `a drill must not say "${denial}"` }];
      }),
    ),
  );
}

function curveProblems({ people }: Scenario): ScenarioProblem[] {
  return people.flatMap(({ delay, delayBy = {}, done }, index) =>
    [
      { path: ['delay'], curve: delay },
      ...Object.entries(delayBy).map(([channel, curve]) => ({ path: ['delayBy', channel], curve })),
      { path: ['done', 'delay'], curve: done?.delay },
    ].flatMap(({ path, curve }) =>
      typeof curve === 'object' && curve.p90 < curve.median
        ? [{ path: ['people', index, ...path], sentence: 'p90 lies below the median' }]
        : [],
    ),
  );
}

function intervalProblems({ failures }: Scenario): ScenarioProblem[] {
  return (['dark', 'outages'] as const).flatMap((kind) =>
    failures[kind].flatMap(({ from, to }, index) =>
      to !== undefined && spanMs(to) <= spanMs(from)
        ? [{ path: ['failures', kind, index, 'to'], sentence: `${to} does not lie after ${from}` }]
        : [],
    ),
  );
}

const KINDS = [
  'answered',
  'told',
  'done',
  'silent',
  'bridged',
  'notBridged',
  'noSendAfterEnd',
  'corrected',
] as const satisfies readonly (keyof Expectation)[];

/** What an expectation expects; null where it names none or several. */
export function kindOf(expectation: Expectation): (typeof KINDS)[number] | null {
  const given = KINDS.filter((kind) => expectation[kind] !== undefined);
  return given.length === 1 ? (given[0] ?? null) : null;
}

function expectationProblems(
  expectation: Expectation,
  index: number,
  warnings: readonly StoryWarning[],
): ScenarioProblem[] {
  const path = ['expect', index];
  const kind = kindOf(expectation);
  if (kind === null) return [{ path, sentence: `must have one of ${KINDS.join(', ')}` }];
  const warning =
    expectation.warning === undefined
      ? warnings[0]
      : warnings.find(({ name }) => name === expectation.warning);
  if (!warning)
    return [{ path: [...path, 'warning'], sentence: `there is no warning ${expectation.warning ?? ''}` }];
  const lastsMs = warning.endsAtMs - warning.atMs;
  const { silent } = expectation;
  const written =
    silent?.after ??
    (expectation.answered ?? expectation.told ?? expectation.done ?? expectation.bridged)?.within;
  const problems: ScenarioProblem[] = [];
  if (written !== undefined && spanMs(written) > lastsMs) {
    const key = silent ? 'after' : 'within';
    problems.push({
      path: [...path, kind, key],
      sentence: `the warning ${warning.name} ends before ${written}: it is ${warning.end} by then`,
    });
  }
  if (kind === 'corrected' && warning.end !== 'retracted' && warning.end !== 'cancelled')
    problems.push({ path, sentence: `the warning ${warning.name} is neither cancelled nor retracted` });
  if (kind === 'noSendAfterEnd' && warning.end === 'expired')
    problems.push({ path, sentence: `the warning ${warning.name} is not ended by anybody` });
  if (silent && silent.atMost === undefined && silent.atLeast === undefined)
    problems.push({ path: [...path, kind], sentence: 'must have atMost or atLeast' });
  if (silent && (silent.atMost ?? Infinity) < (silent.atLeast ?? 0))
    problems.push({
      path: [...path, kind, 'atMost'],
      sentence: 'contradicts itself: atMost lies below atLeast',
    });
  return problems;
}

/** Pairs of expectations of which not both can be met. */
function contradictions(all: readonly Expectation[]): ScenarioProblem[] {
  return all.flatMap((one, index) => {
    const earlier = all.slice(0, index).findIndex((other) => contradicts(one, other));
    return earlier < 0
      ? []
      : [{ path: ['expect', index], sentence: `contradicts expectation ${earlier + 1} of this file` }];
  });
}

function contradicts(one: Expectation, other: Expectation): boolean {
  if (one.warning !== other.warning) return false;
  const both = [one, other];
  const bridged = both.find((each) => each.bridged)?.bridged;
  const notBridged = both.find((each) => each.notBridged)?.notBridged;
  if (bridged && notBridged && bridged.where === notBridged.where) return true;
  for (const kind of ['answered', 'told', 'done'] as const) {
    const [first, second] = [one[kind], other[kind]];
    if (first && second && first.tier === second.tier && first.where === second.where) {
      // The same time twice with two numbers: one of them is a slip.
      if (spanMs(first.within) === spanMs(second.within) && first.percent !== second.percent) return true;
    }
  }
  const [most, least] = [
    both.find((each) => each.silent?.atMost !== undefined && each.silent.atLeast === undefined)?.silent,
    both.find((each) => each.silent?.atLeast !== undefined)?.silent,
  ];
  if (most && least && most !== least && most.tier === least.tier && most.where === least.where) {
    if (spanMs(most.after) === spanMs(least.after) && (most.atMost ?? 0) < (least.atLeast ?? 0)) return true;
  }
  const answered = both.find((each) => each.answered)?.answered;
  return (
    answered?.percent === 100 &&
    least !== undefined &&
    (least.atLeast ?? 0) > 0 &&
    least.tier === answered.tier &&
    least.where === answered.where &&
    spanMs(least.after) >= spanMs(answered.within)
  );
}
