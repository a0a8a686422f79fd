/** The cast of a drill: its people as a rehearsal by the same seed has them, for the stand-ins of the real stack. */
import { open } from 'node:fs/promises';
import type { Database, Sql } from '../db/database.ts';
import { readScenes } from '../db/drills.ts';
import { readAddressesOf, readHouseholdsOf, readRoster } from '../db/rehearsal-tree.ts';
import {
  castLines,
  type Cast,
  type CastHead,
  type CastHousehold,
  type CastPerson,
} from '../domain/rehearsal/cast.ts';
import type { Manner } from '../domain/rehearsal/behaviour.ts';
import type { Channel, RulePack } from '../domain/rules.ts';
import type { Gap } from '../domain/drill-clock.ts';
import { storyOf } from '../domain/scenario-story.ts';
import type { Scenario } from '../domain/scenario.ts';
import type { Instant } from '../domain/time.ts';
import type { UnitId } from '../domain/unit.ts';
import { keyOfText } from '../domain/rehearsal/chance.ts';
import type { PersonId } from '../domain/rehearsal/tree.ts';
import { setDatabaseStage, type DatabaseTree } from './rehearsal-database.ts';
import type { Stage } from './rehearsals.ts';

/** Lines written at a time. */
const LINES_PER_WRITE = 5_000;

/** A drill as far as its people are concerned. */
export type CastInput = {
  scenario: Scenario;
  pack: RulePack;
  seed: number;
  speed: number;
  /** When its story began, by our clock. */
  startAt: Instant;
  /** @default none */
  gaps?: readonly Gap[];
};

/** Who plays in a drill whose story began at `startAt`, by our clock. `database` is the drill's schema. */
export async function castOf(database: Database, input: CastInput): Promise<Cast> {
  const stage = await setDatabaseStage(database, input);
  const manners = new Map<Manner, number>();
  const people = await readPeople(database, stage, manners);
  const scenes = await readScenes(database);
  const issued = storyOf(input.scenario).warnings.map(
    ({ event }) => scenes.find((scene) => scene.event === event)?.warningId ?? null,
  );
  const head = headOf(stage, input, issued);
  const troubled = [
    ...head.darkness.map(({ unitId }) => unitId),
    ...head.outages.flatMap(({ units }) => units ?? []),
  ];
  const households: CastHousehold[] = await readHouseholdsOf(database, [...new Set(troubled)]);
  return { ...head, manners: [...manners.keys()], people, households };
}

/** Writes a cast where `fenghuo sandbox` reads it (FENGHUO_SANDBOX_CAST). */
export async function writeCast(path: string, cast: Cast): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    let lines: string[] = [];
    for (const line of castLines(cast)) {
      lines.push(`${line}\n`);
      if (lines.length < LINES_PER_WRITE) continue;
      await file.write(lines.join(''));
      lines = [];
    }
    await file.write(lines.join(''));
  } finally {
    await file.close();
  }
}

/** The variable with the rate of each channel's sender beside the stand-ins. */
const RATE_VARIABLES: Readonly<Record<Channel, string>> = {
  sms: 'FENGHUO_GATEWAY_PER_SECOND',
  voice: 'FENGHUO_VOICE_GATEWAY_PER_SECOND',
  email: 'FENGHUO_SMTP_PER_SECOND',
  loudspeaker: 'FENGHUO_LOUDSPEAKER_PER_SECOND',
  chat: 'FENGHUO_CHAT_ROBOT_PER_SECOND',
  push: 'FENGHUO_NTFY_PER_SECOND',
};
/** What the configuration takes; faster is no limit to any worker. */
const PER_SECOND_MOST = 100_000;

/** The rates that a scenario gives its senders, at a drill's speed, as variables of its worker. */
export function senderRates({ senders }: Pick<Scenario, 'senders'>, speed: number): Record<string, string> {
  return Object.fromEntries(
    Object.entries(senders).flatMap(([channel, { perSecond }]) => {
      const rate = perSecond * speed;
      return rate > PER_SECOND_MOST ? [] : [[RATE_VARIABLES[channel as Channel], String(rate)]];
    }),
  );
}

function headOf(
  { scenario, input, unitIds }: Stage & DatabaseTree,
  { seed, speed, startAt, gaps = [] }: CastInput,
  issued: readonly (number | null)[],
): CastHead {
  const idOf = (unitId: UnitId) => unitIds[unitId] ?? 0;
  return {
    ...{ seed, speed, startAt, gaps, manners: [] },
    storyStartAt: Date.parse(scenario.startsAt),
    warnings: input.warnings.map(({ at, endsAt, successor, predecessor, rules }, place) => ({
      ...{ warningId: issued[place] ?? null, at, endsAt, successor },
      carries: predecessor?.answersStand ? predecessor.index : null,
      doneTiers: rules.done?.tiers ?? [],
    })),
    darkness: [...input.darkness].flatMap(([unitId, intervals]) =>
      intervals.map((interval) => ({ ...interval, unitId: idOf(unitId) })),
    ),
    outages: input.outages.map(({ channel, from, to, units }) => ({
      ...{ channel, from, to },
      units: units && [...units].map(idOf),
    })),
  };
}

/**
 * Each with the number of their manner, which is given one where it has none yet. Beside those who stand for a post now there are those
 * who will, and those for whom they do: the roster changes in the middle of a drill.
 */
async function readPeople(
  sql: Sql,
  { tree, input, unitIds, references }: Stage & DatabaseTree,
  manners: Map<Manner, number>,
): Promise<CastPerson[]> {
  const roster = await readRosterIn(sql, unitIds);
  const addresses = new Map<string, Partial<Record<Channel, string>>>();
  const everybody = [...new Set([...references, ...roster.keys()])];
  for (const { reference, channel, address } of await readAddressesOf(sql, everybody))
    addresses.set(reference, { ...addresses.get(reference), [channel]: address });
  const firstPost = new Map<PersonId, UnitId>();
  for (const { unitId } of tree.units)
    for (const person of tree.posts[unitId] ?? []) if (!firstPost.has(person)) firstPost.set(person, unitId);
  const personOf = new Map(references.map((reference, person) => [reference, person]));
  return everybody.map((reference): CastPerson => {
    const person = personOf.get(reference);
    const held = person === undefined ? [] : (tree.severalPosts.get(person) ?? [firstPost.get(person) ?? 0]);
    const units = [...held, ...(roster.get(reference) ?? [])];
    // The lowest, as in a rehearsal; it stays the same when the roster changes.
    const home = Math.max(...units);
    const manner = input.mannerOf(home);
    if (!manners.has(manner)) manners.set(manner, manners.size);
    return {
      key: keyOfText(reference),
      unitId: unitIds[home] ?? 0,
      manner: manners.get(manner) ?? 0,
      tiers: [...new Set(units.map((unitId) => tree.units[unitId]?.tier ?? ''))],
      addresses: addresses.get(reference) ?? {},
    };
  });
}

/** The units that somebody stands for by the roster, or whose roster has others stand for them; of the units that are concerned. */
async function readRosterIn(sql: Sql, unitIds: readonly number[]): Promise<Map<string, UnitId[]>> {
  const rows = await readRoster(sql);
  const placeOf = rows.length > 0 ? new Map(unitIds.map((id, unitId) => [id, unitId])) : null;
  const roster = new Map<string, UnitId[]>();
  for (const row of rows) {
    const unitId = placeOf?.get(row.unitId);
    if (unitId !== undefined) roster.set(row.reference, [...(roster.get(row.reference) ?? []), unitId]);
  }
  return roster;
}
