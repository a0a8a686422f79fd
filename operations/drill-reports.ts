/** Reports of drills: of a rehearsal, which needs no database; of a warning on record; of a drill that was run. */
import { readContacts, readInterruptions, readLateness, readRealPeople } from '../db/drill-report.ts';
import { readGaps, readScenes } from '../db/drills.ts';
import { readOneMoment } from '../db/audit-read.ts';
import type { Database, Sql } from '../db/database.ts';
import type { WarningRow } from '../db/warnings.ts';
import { storyMsAt } from '../domain/drill-clock.ts';
import { DrillPeople, followUps, minutesOf, type FollowUp } from '../domain/drill-people.ts';
import {
  drillReport,
  type DrilledWarning,
  type DrillReport,
  type Interruption,
} from '../domain/drill-report.ts';
import { judgeExpectations } from '../domain/rehearsal/expectations.ts';
import type { Tree } from '../domain/rehearsal/tree.ts';
import type { RunRecord } from '../domain/rehearsal/warning-run.ts';
import { storyOf, type StoryWarning } from '../domain/scenario-story.ts';
import type { Scenario } from '../domain/scenario.ts';
import { MINUTE_MS, type Instant } from '../domain/time.ts';
import { clockOf, readDrilled, readLand, requireRow, titleOf, type Land } from './drill-record.ts';
import type { Drill } from './drills.ts';
import { maskAddress } from './organisation-person.ts';
import { playOnce, type Stage } from './rehearsals.ts';
import { requireWarning } from './warnings.ts';

/** A report, and the people who should be asked why: read when they are wanted. */
export type Drilled = { report: DrillReport; followUp: () => Promise<FollowUpLine[]> };

/** Somebody to follow up. Of a rehearsal nobody has a name: its people are drawn. */
export type FollowUpLine = Pick<FollowUp, 'reason' | 'channels'> & {
  warning: string;
  tier: string;
  unit: string;
  above: string;
  key: string;
  /** Place in the order of the unit's posts, 0 for the principal; null where it is not known. */
  rank: number | null;
  person: { name: string; synthetic: boolean; title: string | null; addresses: string[] } | null;
};

// ── a rehearsal ─────────────────────────────────────────────────────────────────────────────────────────────

/** Plays one seed and reports it. Nothing is started and nothing is sent. */
export async function reportOfRehearsal(
  stage: Stage,
  input: {
    seed: number;
    whatIfs?: readonly string[];
    people: 'made up' | 'registered';
    breathe?: (virtualMinutes: number) => void;
  },
): Promise<Drilled> {
  const { scenario, tree, find } = stage;
  const { seed, people, breathe } = input;
  const heard = stage.input.warnings.map(() => new DrillPeople());
  const runs = await playOnce(stage, {
    seed,
    ...(breathe && { breathe }),
    witness: (run, event) => heard[run.index]?.hear(event),
  });
  const story = storyOf(scenario).warnings;
  const warnings = runs.map((run, index): DrilledWarning => ({
    run,
    hazard: story[index]?.hazard ?? '',
    areas: stage.input.warnings[index]?.areas ?? [],
    people: heard[index]?.all ?? [],
  }));
  const whatIfs = [...(input.whatIfs ?? [])];
  const report = drillReport({
    source: { kind: 'rehearsal', scenario: scenario.name, seed, whatIfs, people },
    title: scenario.title,
    startAt: Date.parse(scenario.startsAt),
    tree,
    warnings,
    verdicts: judgeExpectations(scenario.expect, runs, tree, find),
  });
  const followUp = () =>
    Promise.resolve(
      warnings.flatMap(({ run, people: own }) =>
        followUps(own).map((each) => ({
          ...lineOf(run, each, tree),
          rank: rankOrNull(tree.posts[each.unitId]?.indexOf(each.personId) ?? -1),
          person: null,
        })),
      ),
    );
  return { report, followUp };
}

function rankOrNull(place: number): number | null {
  return place < 0 ? null : place;
}

function lineOf({ warning }: Pick<RunRecord, 'warning'>, each: FollowUp, tree: Tree) {
  const unit = tree.units[each.unitId];
  const above = unit?.superiorId == null ? '' : (tree.units[unit.superiorId]?.name ?? '');
  const { reason, channels } = each;
  return {
    ...{ warning: warning.name, reason, channels, above },
    ...{ tier: unit?.tier ?? '', unit: unit?.name ?? '', key: unit?.key ?? '' },
  };
}

// ── a warning on record ─────────────────────────────────────────────────────────────────────────────────────

/** The report of one warning, of whatever kind, as of one moment; of one that is open still, as it stands. */
export async function reportOfWarning(database: Database, warningId: number): Promise<Drilled> {
  await requireWarning(database, warningId);
  const { row, land, warning, interruptions } = await database.transaction(async (sql) => {
    await readOneMoment(sql);
    const found = await requireRow(sql, warningId);
    const clock = clockOf(found);
    const where = await readLand(sql, found.areaIds);
    return {
      row: found,
      land: where,
      warning: await readDrilled(sql, found, { name: `W${warningId}`, clock, land: where }),
      interruptions: await interruptionsOf(sql, [found], (at) => clock(at) - found.issuedAt),
    };
  });
  const report = drillReport({
    source: { kind: 'warning', id: `W${warningId}`, of: row.kind, speed: row.speed },
    title: titleOf(row),
    startAt: row.issuedAt,
    tree: land.tree,
    warnings: [warning],
    interruptions,
    verdicts: [],
  });
  return { report, followUp: () => followUpOf(database, [warning], land) };
}

// ── a drill that was run ────────────────────────────────────────────────────────────────────────────────────

/** A drill as far as its report reads it. */
export type ReportedDrill = Pick<Drill, 'name' | 'scenario' | 'seed' | 'speed' | 'status' | 'startedAt'>;

/** The report of a drill, from the database of its own schema; of one that still runs, as it stands. */
export async function reportOfDrill(database: Database, drill: ReportedDrill): Promise<DrillReport> {
  return (await drilledOf(database, drill)).report;
}

/** The same, with those who should be asked why. */
export async function drilledOf(database: Database, drill: ReportedDrill): Promise<Drilled> {
  const { name, scenario, seed, speed, status } = drill;
  const { land, warnings, interruptions, people } = await readDrill(database, drill);
  const runs = warnings.map(({ run }) => run);
  const judged = judgedOf(scenario, runs);
  const report = drillReport({
    source: { kind: 'drill', id: name, scenario: scenario.name, seed, speed, ended: endedOf(status), people },
    title: scenario.title,
    startAt: Date.parse(scenario.startsAt),
    tree: land.tree,
    warnings,
    interruptions,
    // A place that no warning concerns is nobody's: no unit has this number.
    verdicts: judgeExpectations(judged, runs, land.tree, (place) => {
      const found = land.register.find(place);
      return 'place' in found ? found.place : -1;
    }),
    expectationsLeftOut: scenario.expect.length - judged.length,
  });
  return { report, followUp: () => followUpOf(database, warnings, land) };
}

/** What is on record of a drill, as of one moment. */
async function readDrill(
  database: Database,
  { scenario, speed, startedAt }: ReportedDrill,
): Promise<{ land: Land; warnings: DrilledWarning[]; interruptions: Interruption[]; people: number }> {
  return database.transaction(async (sql) => {
    await readOneMoment(sql);
    const gaps = await readGaps(sql);
    const storyStartAt = Date.parse(scenario.startsAt);
    const drillClock = { startAt: startedAt ?? Date.now(), storyStartAt, speed, gaps };
    const since = (at: Instant) => storyMsAt(drillClock, at);
    const played = await playedOf(sql, scenario);
    const rows = played.map(({ row }) => row);
    const land = await readLand(sql, [...new Set(rows.flatMap(({ areaIds }) => areaIds))]);
    const warnings: DrilledWarning[] = [];
    const real = new Set(await readRealPeople(sql));
    for (const { row, story } of played) {
      const clock = (at: Instant) => storyStartAt + since(at);
      warnings.push({ ...(await readDrilled(sql, row, { name: story.name, clock, land })), real });
    }
    const gone = gaps.map(({ from, until }) => ({
      kind: 'processes gone' as const,
      atMinute: Math.max(0, minutesOf(since(from))),
      seconds: secondsOf(until - from),
    }));
    const behind = await behindOf(sql, { scenario, speed }, since);
    const interruptions = [...(await interruptionsOf(sql, rows, since)), ...gone, ...behind];
    interruptions.sort((one, other) => one.atMinute - other.atMinute);
    return { land, warnings, interruptions, people: real.size };
  });
}

/** Of one message in twenty, how late it left. */
const LATE_SHARE = 0.95;
/** Up to here the latencies of the stack are nothing to speak of (docs/adr/0030). */
const LATE_LEAST_MS = 2_000;

/**
 * Whether the machine was too slow for the drill's speed: then late answers and missed goals are its own, and not people's. Nothing is said
 * where the story itself holds messages back, by the rates of its senders or by outages.
 */
async function behindOf(
  sql: Sql,
  { scenario, speed }: Pick<ReportedDrill, 'scenario' | 'speed'>,
  since: (at: Instant) => number,
): Promise<Interruption[]> {
  const { senders, failures } = scenario;
  if (Object.keys(senders).length > 0 || failures.outages.length > 0) return [];
  const found = await readLateness(sql, LATE_SHARE);
  if (found === null || found.lateMs < Math.max(LATE_LEAST_MS, MINUTE_MS / speed)) return [];
  const atMinute = Math.max(0, minutesOf(since(found.since)));
  return [{ kind: 'behind', atMinute, seconds: secondsOf(found.lateMs) }];
}

function endedOf(status: Drill['status']): 'played' | 'stopped' | null {
  return status === 'ended' ? 'played' : status === 'stopped' ? 'stopped' : null;
}

/** The warnings of the story that were issued, each with its row. */
async function playedOf(sql: Sql, scenario: Scenario): Promise<{ row: WarningRow; story: StoryWarning }[]> {
  const scenes = new Map((await readScenes(sql)).map(({ event, warningId }) => [event, warningId]));
  const played: { row: WarningRow; story: StoryWarning }[] = [];
  for (const story of storyOf(scenario).warnings) {
    const warningId = scenes.get(story.event);
    if (warningId !== undefined) played.push({ row: await requireRow(sql, warningId), story });
  }
  return played;
}

/** A warning that ended so much before its time in the story was cut short: the conductor is seldom late by as much. */
const ENDS_WITHIN_MS = MINUTE_MS;

/** Expectations about warnings that were issued and ran to their end: of one that was cut short nothing can be said. */
function judgedOf(scenario: Scenario, runs: readonly RunRecord[]): Scenario['expect'] {
  const story = storyOf(scenario).warnings;
  const startAt = Date.parse(scenario.startsAt);
  return scenario.expect.filter(({ warning }) => {
    const planned = warning === undefined ? story[0] : story.find(({ name }) => name === warning);
    const run = runs.find(({ warning: own }) => own.name === planned?.name);
    if (!planned || !run || run.warning.end === 'open') return false;
    return run.warning.endsAt >= startAt + planned.endsAtMs - ENDS_WITHIN_MS;
  });
}

/** `since` gives the milliseconds of the story that had passed at an instant. */
async function interruptionsOf(
  sql: Sql,
  rows: readonly WarningRow[],
  since: (at: Instant) => number,
): Promise<Interruption[]> {
  if (rows.length === 0) return [];
  const from = Math.min(...rows.map(({ issuedAt }) => issuedAt));
  const to = Math.max(...rows.map(({ endedAt, expiresAt }) => endedAt ?? expiresAt));
  const found = await readInterruptions(sql, { from, to });
  return found.map(({ kind, ...time }) => ({
    kind,
    atMinute: Math.max(0, minutesOf(since(time.from))),
    seconds: secondsOf(time.to - time.from),
  }));
}

/** Seconds with one decimal. */
function secondsOf(ms: number): number {
  return Math.round(ms / 100) / 10;
}

async function followUpOf(
  sql: Sql,
  warnings: readonly DrilledWarning[],
  { tree, idOf }: Land,
): Promise<FollowUpLine[]> {
  const lines: FollowUpLine[] = [];
  const isReal = ({ person }: FollowUpLine) => Number(person?.synthetic === false);
  for (const { run, people } of warnings) {
    const found = followUps(people);
    const who = found.map(({ personId, unitId }) => ({ personId, unitId: idOf[unitId] ?? 0 }));
    const contacts = await readContacts(sql, who);
    const contactOf = new Map(contacts.map((each) => [`${each.personId} ${each.unitId}`, each]));
    for (const each of found) {
      const contact = contactOf.get(`${each.personId} ${idOf[each.unitId] ?? 0}`);
      lines.push({
        ...lineOf(run, each, tree),
        rank: contact?.rank ?? null,
        person: contact
          ? {
              name: contact.name,
              synthetic: contact.synthetic,
              title: contact.title,
              addresses: each.channels.flatMap((channel) => {
                const address = contact.addresses[channel];
                return address === undefined ? [] : [maskAddress(address)];
              }),
            }
          : null,
      });
    }
  }
  // To them alone something has happened.
  return lines.sort((one, other) => isReal(other) - isReal(one));
}
