/**
 * A warning on record as a scenario: its times, places and levels, and how people behaved, so that it can be rehearsed again with
 * something changed. An update and what it took the place of are one story.
 */
import { readOneMoment } from '../db/audit-read.ts';
import type { Database, Sql } from '../db/database.ts';
import { readChain, readInterruptions, readPopulation } from '../db/drill-report.ts';
import type { WarningRow } from '../db/warnings.ts';
import { observedBehaviour, type ObservedBehaviour, type WatchedPerson } from '../domain/drill-behaviour.ts';
import { hazardTitle } from '../domain/drill-report.ts';
import { writeSpan, type Scenario } from '../domain/scenario.ts';
import { TIERS } from '../domain/tiers.ts';
import { isoWithOffset, type Instant } from '../domain/time.ts';
import { clockOf, endOf, readLand, readPeople, requireRow, titleOf, type Land } from './drill-record.ts';
import { parseScenario } from './scenario-files.ts';
import { requireWarning } from './warnings.ts';

/** The text of the file, and what it says: right by its schema, its places found in the database's tree. */
export async function scenarioOfWarning(
  database: Database,
  warningId: number,
): Promise<{ text: string; scenario: Scenario }> {
  const { chainId } = await requireWarning(database, warningId);
  const story = await database.transaction(async (sql) => {
    await readOneMoment(sql);
    return readStory(sql, chainId);
  });
  const text = writeStory(story);
  return { text, scenario: parseScenario(text, story.land.register, `W${warningId}`) };
}

/** What is on record of a chain of warnings, the first one first. */
type Story = {
  first: WarningRow;
  rows: readonly WarningRow[];
  land: Land;
  people: readonly WatchedPerson[];
  population: Awaited<ReturnType<typeof readPopulation>>;
  interruptions: Awaited<ReturnType<typeof readInterruptions>>;
};

async function readStory(sql: Sql, chainId: number): Promise<Story> {
  const rows: WarningRow[] = [];
  for (const id of await readChain(sql, chainId)) rows.push(await requireRow(sql, id));
  const [first] = rows;
  if (!first) throw new RangeError(`no chain ${chainId}`);
  const areaIds = [...new Set(rows.flatMap((row) => row.areaIds))];
  const land = await readLand(sql, areaIds);
  const people: WatchedPerson[] = [];
  for (const row of rows) {
    const clock = clockOf(row);
    const { endsAt: until } = endOf(row, clock);
    const own = await readPeople(sql, row.warningId, { clock, land });
    for (const person of own) people.push({ ...person, until });
  }
  const to = Math.max(...rows.map(({ endedAt, expiresAt }) => endedAt ?? expiresAt));
  return {
    ...{ first, rows, land, people },
    population: await readPopulation(sql, areaIds),
    interruptions: await readInterruptions(sql, { from: first.issuedAt, to }),
  };
}

// JSON strings are YAML strings: nothing on record can become structure.
const word = (value: string) => JSON.stringify(value);
const list = (values: readonly string[]) => `[${values.map(word).join(', ')}]`;

/** What stands in a comment stays in its line. */
const remark = (text: string) => text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');

/** The greatest that a scenario may have. */
const MOST = {
  title: 80,
  text: 1_000,
  deputies: 20,
  groupsPerVillage: 99,
  householdsPerGroup: 2_000,
} as const;

function writeStory(story: Story): string {
  const { first, rows, population } = story;
  const title = titleOf(first);
  const ids = rows.map(({ warningId }) => `W${warningId}`).join(', ');
  const { deputies, groupsPerVillage, householdsPerGroup } = population;
  const faster = first.speed === 1 ? '' : `, which ran ${first.speed} times as fast as life`;
  return [
    `# 由 ${ids} 的记录写成的演练脚本 / a scenario written from what is on record of ${ids}`,
    '#   npx fenghuo drill rehearse FILE --tree database',
    `name: ${nameOf(first)}`,
    `title: { zh: ${word(title.zh.slice(0, MOST.title))}, en: ${word(title.en.slice(0, MOST.title))} }`,
    'about: >-',
    `  From what is on record of ${ids}${faster}. Times, places and levels are as they were. People behave by the shares and`,
    '  delays that were observed in their tier: as many stay silent, but others each time.',
    'sources:',
    `  record: ${word(`warnings ${ids} of this installation`)}`,
    `startsAt: ${word(isoWithOffset(first.issuedAt))}`,
    '',
    'timeline:',
    ...rows.flatMap((row, place) => eventLines(row, rows[place - 1] ?? null, story)),
    ...endLines(story),
    '',
    '# 没有人员数据时使用 / where the tree has no people of its own (--tree csv)',
    `population: ${flow({
      deputies: Math.min(MOST.deputies, deputies),
      groupsPerVillage: Math.min(MOST.groupsPerVillage, groupsPerVillage),
      householdsPerGroup: Math.min(MOST.householdsPerGroup, householdsPerGroup),
    })}`,
    '',
    '# 观测到的人员表现：先全部层级，再逐级 / as observed, all tiers and then each: per cent, and minutes',
    ...peopleLines(observe(story)),
    '',
    ...interruptionLines(story),
    '# 期望，例如 / what you expect, such as: - answered: { tier: village, percent: 90, within: 15m }',
    'expect: []',
    '',
  ].join('\n');
}

function nameOf({ warningId, issuedAt }: WarningRow): string {
  return `w${warningId}-${isoWithOffset(issuedAt).slice(0, 10)}`;
}

function eventLines(row: WarningRow, before: WarningRow | null, story: Story): string[] {
  const { warningId, issuedAt, expiresAt, level, hazard, textZh, textEn, speed } = row;
  const { tree, placeOf } = story.land;
  const keys = row.areaIds.map((id) => tree.units[placeOf.get(id) ?? -1]?.key ?? '');
  return [
    `  - at: ${spanTo(issuedAt, story)}`,
    ...(before ? ['    update:', `      of: w${before.warningId}`] : ['    warning:']),
    `      name: w${warningId}`,
    `      hazard: ${word(hazard)} # ${remark(hazardTitle(hazard).zh)}`,
    `      level: ${level}`,
    `      where: ${list(keys)} # ${remark(row.areas.join('、'))}`,
    `      expires: ${writeSpan(Math.ceil(((expiresAt - issuedAt) * speed) / 1_000) * 1_000)}`,
    `      textZh: ${word(textZh.slice(0, MOST.text))}`,
    `      textEn: ${word(textEn.slice(0, MOST.text))}`,
  ];
}

/** From the first issue, in whole seconds of the story; never before what was. */
function spanTo(at: Instant, { first }: Story): string {
  return writeSpan(Math.ceil(((at - first.issuedAt) * first.speed) / 1_000) * 1_000);
}

function endLines(story: Story): string[] {
  const last = story.rows.at(-1);
  if (last?.status !== 'cancelled' || last.endedAt === null) return [];
  const reason = last.endReason === null ? '' : `, reason: ${word(last.endReason.slice(0, MOST.text))}`;
  return [
    `  - at: ${spanTo(last.endedAt, story)}`,
    `    ${last.retracted ? 'retract' : 'cancel'}: { of: w${last.warningId}${reason} }`,
  ];
}

function observe({ rows, land, people }: Story): ObservedBehaviour[] {
  const doneTiers = new Set(rows.flatMap(({ rules }) => rules.done?.tiers ?? []));
  return observedBehaviour(
    people,
    ({ unitId }) => land.tree.units[unitId]?.tier ?? '',
    TIERS.map(({ id }) => id),
    [...doneTiers],
  );
}

function peopleLines(observed: readonly ObservedBehaviour[]): string[] {
  const seen = observed.filter(({ told }) => told > 0);
  if (seen.length === 0) return ['# 无人收到信息 / nobody was told', 'people: []'];
  return [
    'people:',
    ...seen.flatMap(({ told, answered, behaviour }) => [
      `  # ${told} 人已通知，${answered} 人应答 / ${told} people told, ${answered} answered`,
      `  - ${flow(behaviour)}`,
    ]),
  ];
}

/** The scenario has no word for them: what comes nearest stands there to be taken in. */
function interruptionLines(story: Story): string[] {
  const { land, interruptions } = story;
  if (interruptions.length === 0) return [];
  const roots = land.tree.units.filter(({ superiorId }) => superiorId === null).map(({ key }) => key);
  return [
    '# 记录中的中断 / on record: times in which no answers were taken, or everything was paused. Nearest to it is darkness, in which',
    '# nobody is reached either; to rehearse that, take away the # below.',
    '# failures:',
    '#   dark:',
    ...interruptions.map(
      ({ kind, from, to: until }) =>
        `#     - { where: ${list(roots)}, from: ${spanTo(from, story)}, to: ${spanTo(until, story)} } # ${kind}`,
    ),
    '',
  ];
}

/** A value in YAML's flow style; keys are our own words. */
function flow(value: unknown): string {
  if (typeof value === 'string') return /^[a-z]+$/.test(value) ? value : word(value);
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).filter(([, part]) => !isEmpty(part));
  return `{ ${entries.map(([key, part]) => `${key}: ${flow(part)}`).join(', ')} }`;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
