/** The engine against rivals that send the same messages: a site, rounds in turn, ratios from what the far side saw. */
import type { Channel } from '../domain/rules.ts';
import type { BenchContext, Result, Spread, Verdict } from './bench.ts';
import { interleave, median, ratiosOf, rounded, spreadOf } from './measure.ts';
import { makeOutcomesTable } from './rivals/outcomes.ts';
import { startRival, type Rival, type RivalName } from './rivals/rival.ts';
import { engineRound, rivalRound, rulePackBy, type Run } from './rounds.ts';
import { databaseSettings, NOBODY_ANSWERS, startSite, type Site } from './site.ts';
import { plantTree } from './tree.ts';

export type Comparison = Omit<Result, 'figures'> & {
  /** The engine's ratio to each rival: how many times as fast it was, round by round. */
  against: Record<RivalName, Spread>;
  /** The engine's messages a second, from the commit to the last one. */
  perSecond: number;
};

type ComparisonInput = {
  name: string;
  channel: Channel;
  messages: number;
  /** Counted rounds; one more is run before them and thrown away. */
  rounds: number;
  rivals: readonly RivalName[];
};

/** Nobody answers, so that only sending is measured. */
export async function compare(context: BenchContext, input: ComparisonInput): Promise<Comparison> {
  const { name } = input;
  const site = await startSite(context, {
    name,
    server: context.servers[0] ?? 'dev',
    people: NOBODY_ANSWERS,
  });
  const rivals: Rival[] = [];
  try {
    const city = await plantTree(site.database, input.messages);
    await makeOutcomesTable(site.database);
    for (const rival of input.rivals) rivals.push(await startRival(site, rival));
    return await runRounds(context, { ...input, site, city, rivals });
  } finally {
    for (const rival of rivals) await rival.stop();
    await site.stop();
  }
}

async function runRounds(
  context: BenchContext,
  input: Omit<ComparisonInput, 'rivals'> & { site: Site; city: string; rivals: Rival[] },
): Promise<Comparison> {
  const { site, channel, messages } = input;
  const rulePackFile = await rulePackBy(site, channel);
  const verdicts: Verdict[] = [];
  const contenders: Record<string, (round: number) => Promise<Run>> = {
    engine: async () => {
      const { run, verdict } = await engineRound(site, { ...input, rulePackFile });
      verdicts.push(verdict);
      return run;
    },
    ...Object.fromEntries(
      input.rivals.map((rival) => [
        rival.name,
        (round: number) => rivalRound(site, rival, { channel, messages, word: `${rival.name}-${round}` }),
      ]),
    ),
  };
  const runs = await interleave(
    mapValues(
      contenders,
      (run, name) => async (round: number) => tell(context, name, round, await run(round)),
    ),
    input.rounds,
  );
  const timesOf = (part: 'total' | 'sending') => mapValues(runs, (list) => list.map((run) => run[part]));
  const perSecond = (part: 'total' | 'sending') =>
    mapValues(timesOf(part), (seconds) => rounded(messages / median(seconds), 0));
  return {
    against: ratios(timesOf('total')),
    perSecond: perSecond('total')['engine'] ?? NaN,
    settings: {
      messages,
      rounds: input.rounds,
      ...Object.fromEntries(
        input.rivals.flatMap((rival) =>
          Object.entries(rival.settings).map(([name, value]) => [`${rival.name}.${name}`, value]),
        ),
      ),
      ...(await databaseSettings(site.database)),
    },
    farSide: mapValues(runs, (list) => list.reduce((sum, run) => sum + run.messages, 0)),
    verdicts,
    details: {
      perSecond: perSecond('total'),
      perSecondFromFirst: perSecond('sending'),
      ratiosFromFirst: ratios(timesOf('sending')),
      runs,
    },
  };
}

function ratios(seconds: Record<string, number[]>): Record<string, Spread> {
  const { engine = [], ...rivals } = seconds;
  return mapValues(rivals, (theirs) =>
    mapValues(spreadOf(ratiosOf(engine, theirs)), (ratio) => rounded(ratio)),
  );
}

function tell(context: BenchContext, name: string, round: number, run: Run): Run {
  const { total, opening, sending } = run;
  context.say(
    `round ${round}, ${name}: ${run.messages} messages in ${total.toFixed(2)} s ` +
      `(${opening.toFixed(2)} s to the first, ${sending.toFixed(2)} s from there)`,
  );
  return run;
}

function mapValues<Key extends string, Value, Other>(
  values: Record<Key, Value>,
  change: (value: Value, key: Key) => Other,
): Record<Key, Other> {
  const entries = Object.entries(values) as [Key, Value][];
  return Object.fromEntries(entries.map(([key, value]) => [key, change(value, key)])) as Record<Key, Other>;
}
